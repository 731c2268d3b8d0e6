#include "bench/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/request.h"

static int probe(struct h2 *h)
{
	struct h2_call c = { .path = "/csi.v1.Identity/Probe" };
	/* ProbeResponse { ready { value: true } } behind the prefix. */
	static const uint8_t yes[] = { 0, 0, 0, 0, 4, 0x0a, 2, 8, 1 };
	int rc = h2_run(h, &c, 1, 1);

	if (rc == 0 && (c.status != 0 || c.reply_len != sizeof(yes) ||
			memcmp(c.reply, yes, sizeof(yes)) != 0))
		rc = 1;
	h2_call_fini(&c);
	return rc;
}

int driver_start(struct driver *d, const char *csi, enum driver_role role,
		 const struct box *box, const char *dir)
{
	char endpoint[320], port[32], key[320], host_key[320], exports[320], state[320];
	const char *controller[] = { csi,
				     "--controller",
				     "--metrics-address=",
				     "--kubernetes=off",
				     "--cluster-id=bench",
				     "--known-nodes=node-a,node-b",
				     "--rds-address=127.0.0.1",
				     "--rds-user=admin",
				     "--rds-volume-base-path=/storage-pool/metal-csi",
				     endpoint,
				     port,
				     key,
				     host_key,
				     NULL };
	const char *node[] = { csi,
			       "--node",
			       "--node-id=node-a",
			       "--metrics-address=",
			       "--kubernetes=off",
			       "--cluster-id=bench",
			       "--node-backend=loop",
			       endpoint,
			       exports,
			       state,
			       NULL };
	uint64_t start;

	memset(d, 0, sizeof(*d));
	(void)snprintf(d->socket, sizeof(d->socket), "%s/csi.sock", dir);
	(void)snprintf(d->log, sizeof(d->log), "%s/driver.log", dir);
	(void)snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s", d->socket);
	(void)snprintf(port, sizeof(port), "--rds-port=%u", box->ssh_port);
	(void)snprintf(key, sizeof(key), "--rds-key-file=%s/client_key", box->dir);
	(void)snprintf(host_key, sizeof(host_key), "--rds-host-key=%s/host_key.pub",
		       box->dir);
	(void)snprintf(exports, sizeof(exports), "--loop-exports=%s/exports", box->dir);
	(void)snprintf(state, sizeof(state), "--state-dir=%s", dir);
	start = now_ns();
	child_start(&d->child, role == DRIVER_NODE ? node : controller, d->log, d->log);
	/* As a sidecar does, only less patiently: try until somebody listens. */
	while ((d->h2 = h2_open(d->socket)) == NULL && now_ns() - start < 5000000000u)
		sleep_ms(0);
	while (d->h2 != NULL && now_ns() - start < 5000000000u) {
		int rc = probe(d->h2);

		d->ready_ms = (double)(now_ns() - start) / 1e6;
		if (rc == 0)
			return 0;
		if (rc < 0)
			break;
	}
	fprintf(stderr, "bench: the driver did not get ready; see %s\n", d->log);
	driver_stop(d);
	return -1;
}

void driver_stop(struct driver *d)
{
	h2_close(d->h2);
	d->h2 = NULL;
	(void)child_stop(&d->child);
}

static int check(enum driver_rpc rpc, const struct h2_call *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (calls[i].status == 0)
			continue;
		fprintf(stderr, "bench: %s number %zu of %zu: status %d\n",
			request_path(rpc), i, n, calls[i].status);
		return -1;
	}
	return 0;
}

double driver_run(struct driver *d, enum driver_rpc rpc, size_t first, size_t n,
		  unsigned in_flight, double *took_ms)
{
	struct h2_call *calls = calloc(n, sizeof(*calls));
	uint64_t start;
	double wall;

	if (calls == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		request_make(rpc, first + i, &calls[i]);
	start = now_ns();
	if (h2_run(d->h2, calls, n, in_flight) != 0)
		fprintf(stderr, "bench: the driver hung up; see %s\n", d->log);
	wall = (double)(now_ns() - start) / 1e6;
	if (check(rpc, calls, n) != 0)
		wall = -1;
	for (size_t i = 0; i < n; i++) {
		if (took_ms != NULL)
			took_ms[i] = (double)calls[i].took_ns / 1e6;
		h2_call_fini(&calls[i]);
		request_free(&calls[i]);
	}
	free(calls);
	return wall;
}

long driver_list(struct driver *d)
{
	char token[256] = "";
	long n = 0;

	do {
		struct h2_call c = { .path = request_path(RPC_LIST) };
		long got = -1;

		request_make_list(token, &c);
		if (h2_run(d->h2, &c, 1, 1) == 0 && check(RPC_LIST, &c, 1) == 0)
			got = request_read_list(&c, token, sizeof(token));
		h2_call_fini(&c);
		request_free(&c);
		if (got < 0)
			return -1;
		n += got;
	} while (token[0] != '\0');
	return n;
}

long driver_log_bytes(const struct driver *d)
{
	struct stat st;

	return stat(d->log, &st) == 0 ? (long)st.st_size : -1;
}
