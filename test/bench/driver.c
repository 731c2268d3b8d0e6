#include "bench/driver.h"

#include <stdarg.h>
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

enum { MAX_ARGS = 24 };

/* The words of a command line. */
struct words {
	const char *argv[MAX_ARGS];
	char text[MAX_ARGS][340];
	unsigned n;
};

static void add(struct words *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct words *w, const char *format, ...)
{
	va_list ap;

	if (w->n == MAX_ARGS - 1)
		abort();
	va_start(ap, format);
	(void)vsnprintf(w->text[w->n], sizeof(w->text[0]), format, ap);
	va_end(ap);
	w->argv[w->n] = w->text[w->n];
	w->argv[++w->n] = NULL;
}

static void add_controller(struct words *w, const struct box *box)
{
	add(w, "--controller");
	add(w, "--cluster-id=bench");
	add(w, "--rds-address=127.0.0.1");
	add(w, "--rds-user=admin");
	add(w, "--rds-volume-base-path=/storage-pool/metal-csi");
	add(w, "--rds-port=%u", box->ssh_port);
	add(w, "--rds-key-file=%s/client_key", box->dir);
	add(w, "--rds-host-key=%s/host_key.pub", box->dir);
}

static void add_node(struct words *w, const struct box *box, const char *dir)
{
	add(w, "--node");
	add(w, "--node-id=node-a");
	add(w, "--cluster-id=bench");
	add(w, "--node-backend=loop");
	add(w, "--loop-exports=%s/exports", box->dir);
	add(w, "--state-dir=%s", dir);
}

static int launch(struct driver *d, struct words *w, const char *dir)
{
	uint64_t start;

	memset(d, 0, sizeof(*d));
	(void)snprintf(d->socket, sizeof(d->socket), "%s/csi.sock", dir);
	(void)snprintf(d->log, sizeof(d->log), "%s/driver.log", dir);
	add(w, "--endpoint=unix://%s", d->socket);
	start = now_ns();
	child_start(&d->child, w->argv, d->log, d->log);
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

int driver_start(struct driver *d, const char *csi, enum driver_role role,
		 const struct box *box, const char *dir)
{
	struct words w = { .n = 0 };

	add(&w, "%s", csi);
	add(&w, "--metrics-address=");
	add(&w, "--kubernetes=off");
	if (role == DRIVER_CONTROLLER) {
		add(&w, "--known-nodes=node-a,node-b");
		add_controller(&w, box);
	} else {
		add_node(&w, box, dir);
	}
	return launch(d, &w, dir);
}

int driver_start_kube(struct driver *d, const char *csi, const struct box *box,
		      const struct driver_kube *kube, const char *dir)
{
	struct words w = { .n = 0 };

	add(&w, "%s", csi);
	if (kube->metrics_port)
		add(&w, "--metrics-address=127.0.0.1:%u", kube->metrics_port);
	else
		add(&w, "--metrics-address=");
	add(&w, "--kubeconfig=%s", kube->kubeconfig);
	add_controller(&w, box);
	return launch(d, &w, dir);
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
