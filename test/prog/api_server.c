/* The simulated API server as a process of its own, over TLS, filled and changed by lines
 * on a control port of 127.0.0.1, each answered by one line:
 *   api_server DIR      writes DIR/kubeconfig, DIR/kubeconfig.token and DIR/ca.pem, and
 *                       prints "ready control=PORT" when it can be asked; ends when
 *                       its parent does, or at SIGTERM
 * The objects are as large as real ones. Volume number N is the PersistentVolume and the
 * handle pvc-0d3b51a4-6c1e-4b7e-9f0a-<N in hex>; node-a is there, and worker-000, -001 …
 *   nodes COUNT                      Ready, with the driver in their CSINodes
 *   pvs FIRST COUNT
 *   vas FIRST COUNT NODE ATTACHED    NODE "-": spread over the workers
 *   unvas FIRST COUNT
 *   use FIRST COUNT                  node-a's volumesInUse are these, and no others
 *   expire                           no watch can begin from before now
 *   stats
 * "ok sent=N": the clock (CLOCK_MONOTONIC, ns) just before the change was sent. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/clock.h"
#include "support/api_sim.h"
#include "support/tls_front.h"

enum { LINE = 256, MANY = 100000 };
#define ID "pvc-0d3b51a4-6c1e-4b7e-9f0a-%012x"
#define DRIVER "rds.csi.srvlab.io"

static struct {
	uv_loop_t loop;
	struct clock clock;
	struct api_sim sim;
	struct tls_front front;
	struct certs ca, cert;
	unsigned n_workers, n_lease;
	char junk[1024];
} w;

/* One who asks, a line at a time. */
struct asker {
	uv_tcp_t tcp;
	char in[LINE], out[LINE];
	size_t n;
};

static void on_request(struct api_sim *s, const char *method, const char *target)
{
	(void)s;
	(void)method;
	w.n_lease += strstr(target, "/leases") != NULL;
}

static void put_node(const char *name, unsigned first, unsigned count)
{
	size_t size = 512 + (size_t)count * 96, at;
	char *json = malloc(size), info[512];

	at = (size_t)snprintf(
		json, size,
		"{\"metadata\":{\"name\":\"%s\"},\"spec\":{},\"status\":{\"conditions\":["
		"{\"type\":\"Ready\",\"status\":\"True\"}],\"volumesInUse\":[",
		name);
	for (unsigned i = 0; i < count; i++)
		at += (size_t)snprintf(json + at, size - at,
				       "%s\"kubernetes.io/csi/" DRIVER "^" ID "\"",
				       i ? "," : "", first + i);
	(void)snprintf(json + at, size - at, "]}}");
	api_sim_put(&w.sim, "nodes", json);
	free(json);
	if (api_sim_find(&w.sim, "csinodes", NULL, name))
		return;
	(void)snprintf(info, sizeof(info),
		       "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"drivers\":[{\"name\":"
		       "\"" DRIVER "\",\"nodeID\":\"%s\",\"topologyKeys\":null}]}}",
		       name, name);
	api_sim_put(&w.sim, "csinodes", info);
}

static void put_nodes(unsigned count)
{
	char name[64];

	put_node("node-a", 0, 0);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "worker-%03u", i);
		put_node(name, 0, 0);
	}
	w.n_workers = count;
}

static void put_pv(unsigned i)
{
	char json[4096];

	(void)snprintf(json, sizeof(json),
		       "{\"metadata\":{\"name\":\"" ID
		       "\",\"annotations\":{\"x\":\"%s\"}},\"spec\":{\"accessModes\":["
		       "\"ReadWriteOnce\"],\"persistentVolumeReclaimPolicy\":\"Delete\","
		       "\"csi\":{\"driver\":\"" DRIVER "\",\"volumeHandle\":\"" ID
		       "\",\"volumeAttributes\":{\"volumePath\":\"/storage-pool\"}},"
		       "\"claimRef\":{\"namespace\":\"production\",\"name\":"
		       "\"data-postgres-%u\",\"uid\":\"0d3b51a4-6c1e-4b7e-8f0a-%012x\"}},"
		       "\"status\":{\"phase\":\"Bound\"}}",
		       i, w.junk, i, i, i);
	api_sim_put(&w.sim, "persistentvolumes", json);
}

static void put_va(unsigned i, const char *node, bool is_attached)
{
	char json[4096], worker[64];

	(void)snprintf(worker, sizeof(worker), "worker-%03u",
		       w.n_workers ? i % w.n_workers : 0);
	(void)snprintf(json, sizeof(json),
		       "{\"metadata\":{\"name\":\"csi-%064x\",\"annotations\":{\"x\":"
		       "\"%.900s\"}},\"spec\":{\"attacher\":\"" DRIVER
		       "\",\"nodeName\":\"%s\",\"source\":{\"persistentVolumeName\":\"" ID
		       "\"}},\"status\":{\"attached\":%s}}",
		       i, w.junk, *node == '-' ? worker : node, i,
		       is_attached ? "true" : "false");
	api_sim_put(&w.sim, "volumeattachments", json);
}

static void remove_va(unsigned i)
{
	char name[96];

	(void)snprintf(name, sizeof(name), "csi-%064x", i);
	api_sim_remove(&w.sim, "volumeattachments", NULL, name);
}

static int put_stats(char *out)
{
	return snprintf(out, LINE,
			"ok requests=%u lease=%u others=%u lists=%u watches=%u open=%u "
			"bytes=%llu",
			w.sim.n_requests, w.n_lease, w.sim.n_requests - w.n_lease,
			w.sim.n_lists, w.sim.n_watches, w.sim.n_open,
			(unsigned long long)w.sim.n_bytes_out);
}

static int obey(const char *line, char *out)
{
	char verb[16] = "", node[64] = "-";
	unsigned a = 0, n = 0, is_attached = 0;
	int words = sscanf(line, "%15s %u %u %63s %u", verb, &a, &n, node, &is_attached);
	uint64_t sent = uv_hrtime();

	if (words < 1 || a > MANY || n > MANY)
		return snprintf(out, LINE, "what?");
	if (strcmp(verb, "stats") == 0)
		return put_stats(out);
	if (strcmp(verb, "nodes") == 0)
		put_nodes(a);
	else if (strcmp(verb, "use") == 0)
		put_node("node-a", a, n);
	else if (strcmp(verb, "expire") == 0)
		api_sim_compact(&w.sim);
	else if (strcmp(verb, "pvs") != 0 && strcmp(verb, "vas") != 0 &&
		 strcmp(verb, "unvas") != 0)
		return snprintf(out, LINE, "what?");
	for (unsigned i = a; *verb != 'n' && i < a + n; i++) {
		if (strcmp(verb, "pvs") == 0)
			put_pv(i);
		else if (strcmp(verb, "vas") == 0)
			put_va(i, node, is_attached);
		else if (strcmp(verb, "unvas") == 0)
			remove_va(i);
	}
	return snprintf(out, LINE, "ok sent=%llu", (unsigned long long)sent);
}

static void on_asker_closed(uv_handle_t *h)
{
	free(h->data);
}

static void answer(struct asker *a)
{
	char *end;

	while ((end = memchr(a->in, '\n', a->n))) {
		uv_buf_t b;
		size_t used = (size_t)(end + 1 - a->in);
		int n;

		*end = '\0';
		n = obey(a->in, a->out);
		a->out[n++] = '\n';
		b = uv_buf_init(a->out, (unsigned)n);
		(void)uv_try_write((uv_stream_t *)&a->tcp, &b, 1);
		memmove(a->in, a->in + used, a->n - used);
		a->n -= used;
	}
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
	struct asker *a = h->data;

	(void)hint;
	*b = uv_buf_init(a->in + a->n, (unsigned)(sizeof(a->in) - a->n));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct asker *a = stream->data;

	(void)b;
	if (n < 0) {
		uv_close((uv_handle_t *)stream, on_asker_closed);
		return;
	}
	a->n += (size_t)n;
	answer(a);
}

static void on_asker(uv_stream_t *listener, int status)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (status || !a)
		abort();
	(void)uv_tcp_init(listener->loop, &a->tcp);
	a->tcp.data = a;
	if (uv_accept(listener, (uv_stream_t *)&a->tcp) ||
	    uv_read_start((uv_stream_t *)&a->tcp, on_alloc, on_read))
		uv_close((uv_handle_t *)&a->tcp, on_asker_closed);
}

static int listen_for_askers(uv_tcp_t *listener)
{
	struct sockaddr_in at;
	int n = sizeof(at);

	(void)uv_ip4_addr("127.0.0.1", 0, &at);
	if (uv_tcp_init(&w.loop, listener) ||
	    uv_tcp_bind(listener, (const struct sockaddr *)&at, 0) ||
	    uv_listen((uv_stream_t *)listener, 16, on_asker) ||
	    uv_tcp_getsockname(listener, (struct sockaddr *)&at, &n))
		return -1;
	return ntohs(at.sin_port);
}

static int write_kubeconfig(const char *dir)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/kubeconfig", dir);
	api_sim_token(&w.sim, path, "token-of-the-controller");
	f = fopen(path, "we");
	if (!f)
		return -1;
	fprintf(f,
		"{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"clusters\":[{\"name\":"
		"\"c\",\"cluster\":{\"server\":\"https://127.0.0.1:%d\","
		"\"certificate-authority\":\"%s/ca.pem\"}}],\"users\":[{\"name\":\"u\","
		"\"user\":{\"tokenFile\":\"%s.token\"}}],\"contexts\":[{\"name\":\"x\","
		"\"context\":{\"cluster\":\"c\",\"user\":\"u\"}}],\"current-context\":"
		"\"x\"}",
		w.front.port, dir, path);
	return fclose(f);
}

static int begin(const char *dir)
{
	char path[512];

	memset(w.junk, 'j', sizeof(w.junk) - 1);
	api_sim_open(&w.sim, &w.loop);
	w.sim.bookmark_ms = 60000;
	w.sim.on_request = on_request;
	api_sim_put(&w.sim, "namespaces", "{\"metadata\":{\"name\":\"kube-system\"}}");
	certs_make(&w.ca, NULL, NULL, 1);
	certs_make(&w.cert, &w.ca, "IP:127.0.0.1", 1);
	(void)snprintf(path, sizeof(path), "%s/ca.pem", dir);
	certs_write_cert(&w.ca, path);
	return tls_front_open(&w.front, &w.cert, w.sim.port) || write_kubeconfig(dir);
}

int main(int argc, char **argv)
{
	static uv_tcp_t listener;
	int port;

	if (argc != 2)
		return 2;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGPIPE, SIG_IGN);
	if (uv_loop_init(&w.loop))
		return 1;
	clock_open(&w.clock, &w.loop);
	port = listen_for_askers(&listener);
	if (port < 0 || begin(argv[1])) {
		fprintf(stderr, "api_server: cannot begin\n");
		return 1;
	}
	printf("ready control=%d\n", port);
	(void)fflush(stdout);
	(void)uv_run(&w.loop, UV_RUN_DEFAULT);
	_exit(1);
}
