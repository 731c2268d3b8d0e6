/* The node's speed and size on a real kernel, beside the same work by hand in the same
 * run. Measures, and prints; only what goes wrong fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "e2e/child.h"
#include "vm/bare.h"
#include "vm/crowd.h"
#include "vm/lab.h"

static const char host_id[] = "8d3f1f5e-54b3-4bd2-9b7e-0c3a52b9d101";
static const char host_nqn[] =
	"nqn.2014-08.org.nvmexpress:uuid:8d3f1f5e-54b3-4bd2-9b7e-0c3a52b9d101";
enum { ROUNDS = 15, CROWD = 300, STAGED = 100, SETTLE_MS = 3000, IDLE_MS = 20000 };

static int64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(int64_t *t, unsigned n)
{
	qsort(t, n, sizeof(*t), by_value);
	return t[n / 2];
}

/* With the settings that the driver is given. */
static void by_hand(const struct vol *v, struct bare *b)
{
	const char *keep = lab_context(v, "keepAliveTmo");

	b->session = (struct hand_session){
		.nqn = lab_nqn(v),
		.hostnqn = host_nqn,
		.hostid = host_id,
		.port = (unsigned)atoi(lab_context(v, "nvmePort")),
		.options = *keep ? "ctrl_loss_tmo=-1,keep_alive_tmo=120"
				 : "ctrl_loss_tmo=-1",
	};
	b->fs = v->fs ? v->fs : "ext4";
	b->dir = v->staging;
	(void)mkdir(b->dir, 0750);
}

/* Created, exported for the node, formatted, and no longer attached. */
static bool prepare(struct lab *l, struct driver *node, struct vol *v)
{
	return lab_steps(l, v, VOL_CREATE, VOL_PUBLISH) && vol_must(node, v, VOL_STAGE) &&
	       vol_must(node, v, VOL_UNSTAGE);
}

static bool one_round(struct lab *l, struct vol *v, int64_t *hand, int64_t *driver)
{
	struct bare b;

	by_hand(v, &b);
	*hand = bare_stage(&b);
	if (*hand < 0 || !bare_unstage(&b))
		return false;
	*driver = now_us();
	if (!vol_must(&l->driver, v, VOL_STAGE))
		return false;
	*driver = now_us() - *driver;
	return vol_must(&l->driver, v, VOL_UNSTAGE);
}

/* What each child costs before it does anything. */
static void child(void)
{
	const char *const argv[] = { getenv("RDS_CSI"), "helper", "nothing", NULL };
	const char *const tool[] = { "/bin/true", NULL };
	int64_t ours[ROUNDS], bare[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		ours[i] = now_us();
		CHECK(child_run(argv, NULL, 0) == 0, "%s", argv[0]);
		ours[i] = now_us() - ours[i];
		bare[i] = now_us();
		CHECK(child_run(tool, NULL, 0) == 0, "%s", tool[0]);
		bare[i] = now_us() - bare[i];
	}
	e2e_note("bench: a helper that does nothing: %.1f ms; /bin/true %.1f ms",
		 (double)median(ours, ROUNDS) / 1000,
		 (double)median(bare, ROUNDS) / 1000);
}

static void stage(void)
{
	struct lab l = { .no_sim = false };
	int64_t hand[ROUNDS], driver[ROUNDS];
	struct vol v;
	bool ok = lab_open(&l);
	double a, b;

	lab_vol(&l, &v, "pvc-speed");
	ok = ok && prepare(&l, &l.driver, &v);
	for (unsigned i = 0; ok && i < ROUNDS; i++)
		ok = one_round(&l, &v, &hand[i], &driver[i]);
	if (ok) {
		a = (double)median(hand, ROUNDS) / 1000;
		b = (double)median(driver, ROUNDS) / 1000;
		e2e_note("bench: NodeStage of a formatted volume: %.1f ms; by hand %.1f "
			 "ms; ratio %.2f (1.3 wanted)",
			 b, a, b / a);
		vol_must(&l.driver, &v, VOL_UNPUBLISH);
		vol_must(&l.driver, &v, VOL_DELETE);
	}
	lab_close(&l);
}

/* ---- many */

struct crowd {
	unsigned n;
	struct vol *vol;
	struct bare *hand; /* shared with children */
};

static bool crowd_open(struct crowd *c, unsigned n)
{
	c->n = n;
	c->vol = calloc(n, sizeof(*c->vol));
	c->hand = mmap(NULL, n * sizeof(*c->hand), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return CHECK(c->vol && c->hand != MAP_FAILED, "memory");
}

static void crowd_close(struct crowd *c)
{
	munmap(c->hand, c->n * sizeof(*c->hand));
	free(c->vol);
}

static bool crowd_prepare(struct lab *l, struct crowd *c)
{
	if (!crowd_make(l, c->vol, c->n, "pvc-crowd"))
		return false;
	for (unsigned i = 0; i < c->n; i++)
		by_hand(&c->vol[i], &c->hand[i]);
	return true;
}

static void crowd(void)
{
	struct lab l = { .no_sim = false };
	int64_t hand = -1, driver = -1;
	struct crowd c;

	if (lab_open(&l) && crowd_open(&c, (unsigned)e2e_ops(CROWD))) {
		if (crowd_prepare(&l, &c))
			hand = bare_stage_all(c.hand, c.n);
		for (unsigned i = 0; hand >= 0 && i < c.n; i++)
			bare_unstage(&c.hand[i]);
		if (hand >= 0 && !e2e_failed())
			driver = crowd_do(&l.driver, c.vol, c.n, VOL_STAGE);
		if (driver >= 0)
			e2e_note("bench: %u volumes staged at once: %.1f s; by hand %.1f "
				 "s; ratio %.2f (1.3 wanted)",
				 c.n, (double)driver / 1e6, (double)hand / 1e6,
				 (double)driver / (double)hand);
		if (driver >= 0)
			crowd_do(&l.driver, c.vol, c.n, VOL_UNSTAGE);
		crowd_close(&c);
	}
	lab_close(&l);
}

/* Time on the CPU: the first field of /proc/<pid>/schedstat, in ns. */
static double cpu_ms(pid_t pid)
{
	unsigned long ns = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "re");
	if (f) {
		CHECK(fscanf(f, "%lu", &ns) == 1, "%s", path);
		fclose(f);
	}
	return (double)ns / 1e6;
}

static void measure_size(struct driver *node, unsigned n)
{
	double cpu;

	e2e_sleep_ms(SETTLE_MS);
	cpu = cpu_ms(node->pid);
	e2e_sleep_ms(IDLE_MS);
	cpu = (cpu_ms(node->pid) - cpu) * 60000 / IDLE_MS;
	e2e_note("bench: node RSS with %u volumes staged: %ld KiB (5120 wanted)", n,
		 driver_rss_kib(node));
	e2e_note("bench: node CPU with %u volumes staged and no call: %.2f ms a minute "
		 "(1 wanted)",
		 n, cpu);
}

/* The node alone, as on a cluster. */
static void size(void)
{
	struct lab l = { .no_node = true };
	struct driver node = {
		.name = "node", .is_node = true, .is_nvme = true, .sim = &l.sim
	};
	static const char *const dirs[] = { "/var", "/var/lib", "/var/lib/kubelet",
					    "/var/lib/kubelet/plugins_registry" };
	struct crowd c;

	/* As a kubelet has made them; else the plugin looks for them every 5 s. */
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		(void)mkdir(dirs[i], 0755);
	driver_open(&node);
	if (lab_open(&l) && driver_start(&node) &&
	    crowd_open(&c, (unsigned)e2e_ops(STAGED))) {
		if (crowd_prepare(&l, &c) &&
		    crowd_do(&node, c.vol, c.n, VOL_STAGE) >= 0) {
			measure_size(&node, c.n);
			crowd_do(&node, c.vol, c.n, VOL_UNSTAGE);
		}
		crowd_close(&c);
	}
	driver_close(&node);
	lab_close(&l);
}

static const struct e2e_test tests[] = { { "child", child, true },
					 { "stage", stage, true },
					 { "crowd", crowd, true },
					 { "size", size, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
