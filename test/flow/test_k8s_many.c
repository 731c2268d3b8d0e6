#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support/api_lab.h"

/* A large cluster: bytes an object, and no more at the peak than the stores and a page.
 */
enum { N_VOLUMES = 10000, N_NODES = 500 };

static struct api_lab x;

/* As a real one: an object of some 2 KiB, most of which nobody here reads. */
static void fill(void)
{
	static char junk[1400];
	char json[4096], pv[64];

	memset(junk, 'j', sizeof(junk) - 1);
	for (unsigned i = 0; i < N_VOLUMES; i++) {
		snprintf(pv, sizeof(pv), "pvc-%08x-89ab-4def-8123-456789abcdef", i);
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"x\":\"%s\","
			 "\"rds.csi.srvlab.io/attached-node\":\"worker-%03u.example\"}},"
			 "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"csi\":{"
			 "\"driver\":"
			 "\"rds.csi.srvlab.io\",\"volumeHandle\":\"%s\","
			 "\"volumeAttributes\":{\"volumePath\":\"/storage-pool/"
			 "metal-csi\"}},"
			 "\"claimRef\":{\"namespace\":\"production\",\"name\":"
			 "\"data-postgres-%u\",\"uid\":\"%s\"}},\"status\":{\"phase\":"
			 "\"Bound\"}}",
			 pv, junk, i % N_NODES, pv, i, pv + 4);
		api_sim_put(&x.sim, "persistentvolumes", json);
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"csi-%08x%056x\",\"annotations\":{"
			 "\"x\":"
			 "\"%.900s\"}},\"spec\":{\"attacher\":\"rds.csi.srvlab.io\","
			 "\"nodeName\":\"worker-%03u.example\",\"source\":{"
			 "\"persistentVolumeName\":\"%s\"}},\"status\":{\"attached\":"
			 "true}}",
			 i, i, junk, i % N_NODES, pv);
		api_sim_put(&x.sim, "volumeattachments", json);
	}
	for (unsigned i = 0; i < N_NODES; i++) {
		snprintf(pv, sizeof(pv), "worker-%03u.example", i);
		api_sim_node(&x.sim, pv, true);
	}
}

/* Of the processor: others share the machine. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static size_t bytes_of(const struct k8s_store *s)
{
	size_t sum = s->objects.n_buckets * sizeof(void *), pos = 0;
	const struct k8s_object *o = NULL;

	while ((o = k8s_store_next(s, &pos, o)))
		sum += malloc_usable_size((void *)(uintptr_t)o) + sizeof(size_t);
	return sum;
}

Test(k8s_many, ten_thousand_volumes_are_small)
{
	uint64_t began, turn, longest = 0;

	api_lab_open(&x);
	fill();
	api_lab_start(&x);
	began = cpu_ns();
	for (int i = 0; i < 5000 && !k8s_is_current(x.k); i++) {
		turn = cpu_ns();
		clock_advance(&x.l.uv, 10);
		(void)uv_run(&x.l.uv, UV_RUN_NOWAIT);
		turn = cpu_ns() - turn;
		longest = turn > longest ? turn : longest;
	}
	cr_assert(k8s_is_current(x.k));
	cr_assert(api_lab_is_same(&x));
	for (unsigned i = 0; i < K8S_NODE; i++)
		cr_assert_leq(bytes_of(&x.k->stores[i]) / N_VOLUMES, 400, "kind %u: %zu",
			      i, bytes_of(&x.k->stores[i]) / N_VOLUMES);
	/* Two pages a second beyond the burst, one list each. */
	cr_assert_leq(x.sim.n_requests, 2 * N_VOLUMES / 500 + 2 + K8S_WATCHED);
	fprintf(stderr,
		"PV %zu bytes, VA %zu bytes, node %zu bytes each; %llu ms of the "
		"processor "
		"with the server's part, longest turn %llu us\n",
		bytes_of(&x.k->stores[K8S_PV]) / N_VOLUMES,
		bytes_of(&x.k->stores[K8S_VA]) / N_VOLUMES,
		bytes_of(&x.k->stores[K8S_NODE]) / N_NODES,
		(unsigned long long)((cpu_ns() - began) / 1000000),
		(unsigned long long)(longest / 1000));
	api_lab_close(&x);
}
