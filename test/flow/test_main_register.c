/* The real program as a node plugin under a kubelet, which the test plays: registration,
 * its refusal, and who may work with the records. */
#include "support/t.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csi/grpc/client.h"
#include "registration.pb-c.h"
#include "support/prog.h"

struct setup {
	char dir[128], endpoint[192], exports[192], kubelet[192], socket[192];
	unsigned port; /* of its metrics */
	struct prog csi;
};

static struct sockaddr_in address(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons((uint16_t)port) };
}

static void open_setup(struct setup *s)
{
	char path[256];

	memset(s, 0, sizeof(*s));
	t_mkdir(s->dir);
	snprintf(s->endpoint, sizeof(s->endpoint), "--endpoint=unix://%s/csi.sock",
		 s->dir);
	snprintf(s->exports, sizeof(s->exports), "--loop-exports=%s/exports", s->dir);
	snprintf(s->kubelet, sizeof(s->kubelet), "--kubelet-dir=%s/k", s->dir);
	snprintf(s->socket, sizeof(s->socket), "%s/k/plugins_registry/d.example-reg.sock",
		 s->dir);
	snprintf(path, sizeof(path), "mkdir -p %s/exports %s/k/plugins_registry", s->dir,
		 s->dir);
	cr_assert_eq(system(path), 0);
}

static void begin(struct setup *s, const char *name)
{
	const char *const argv[] = { prog_csi(),
				     "--metrics-address=127.0.0.1:0",
				     "--node",
				     "--node-id=n1",
				     "--driver-name=d.example",
				     "--node-backend=loop",
				     "--kubelet-registration=on",
				     s->exports,
				     s->endpoint,
				     s->kubelet,
				     NULL };

	prog_start(&s->csi, s->dir, name, argv);
}

static void start(struct setup *s)
{
	begin(s, "csi");
	prog_await(s->csi.err, "waiting for the kubelet to register this plugin");
	cr_assert_eq(access(s->socket, F_OK), 0, "%s", prog_text(s->csi.err));
	cr_assert_eq(prog_listens(&s->csi, &s->port), 1);
}

static int stop(struct setup *s)
{
	kill(s->csi.pid, SIGTERM);
	return prog_wait(&s->csi);
}

static void on_done(struct op *op)
{
	(void)op;
}

/* One call on the socket at path; the reply is the caller's. */
static struct buf call(const char *path, const char *method, const ProtobufCMessage *m)
{
	uint8_t packed[256];
	struct t_loop l;
	struct grpc_client c = { .address = path,
				 .path = method,
				 .message = packed,
				 .message_len = protobuf_c_message_pack(m, packed),
				 .timeout_ms = 30000 };

	t_loop_open(&l);
	grpc_client_start(&c, &l.uv, on_done);
	(void)uv_run(&l.uv, UV_RUN_DEFAULT);
	cr_assert_eq(c.op.err.code, ERR_OK, "%s: %s", method, c.op.err.msg);
	clock_close(&l.uv);
	(void)uv_run(&l.uv, UV_RUN_DEFAULT);
	cr_assert_eq(uv_loop_close(&l.uv), 0);
	return c.reply;
}

/* What the kubelet does: it asks, it calls the endpoint it was told, it tells. */
static void register_it(struct setup *s, bool is_taken, char *why)
{
	Pluginregistration__InfoRequest req = PLUGINREGISTRATION__INFO_REQUEST__INIT;
	Pluginregistration__RegistrationStatus status;
	Pluginregistration__PluginInfo *info;
	struct buf b;

	b = call(s->socket, "/pluginregistration.Registration/GetInfo", &req.base);
	info = pluginregistration__plugin_info__unpack(NULL, b.len, (uint8_t *)b.data);
	buf_fini(&b);
	cr_assert_not_null(info);
	cr_assert_str_eq(info->name, "d.example");
	cr_assert_str_eq(info->endpoint, s->endpoint + strlen("--endpoint=unix://"));
	/* An empty message is the request of NodeGetInfo too. */
	b = call(info->endpoint, "/csi.v1.Node/NodeGetInfo", &req.base);
	cr_assert_not_null(memmem(b.data, b.len, "n1", 2));
	buf_fini(&b);
	pluginregistration__plugin_info__free_unpacked(info, NULL);
	pluginregistration__registration_status__init(&status);
	status.plugin_registered = is_taken;
	status.error = why;
	b = call(s->socket, "/pluginregistration.Registration/NotifyRegistrationStatus",
		 &status.base);
	buf_fini(&b);
}

/* What /readyz says. */
static bool says(const struct setup *s, const char *text)
{
	static const char request[] = "GET /readyz HTTP/1.1\r\nHost: a\r\n"
				      "Connection: close\r\n\r\n";
	struct sockaddr_in a = address(s->port);
	char answer[1024];
	size_t n = 0;
	ssize_t m = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(send(fd, request, strlen(request), MSG_NOSIGNAL),
		     (ssize_t)strlen(request));
	while (m > 0 && n < sizeof(answer) - 1) {
		m = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
		n += m > 0 ? (size_t)m : 0;
	}
	close(fd);
	answer[n] = '\0';
	return strstr(answer, text) != NULL;
}

static void close_setup(struct setup *s)
{
	cr_assert_eq(access(s->socket, F_OK), -1);
	cr_assert_not_null(strstr(prog_text(s->csi.err),
				  "\"handles_left\":0,\"allocations_left\":0"),
			   "%s", prog_text(s->csi.err));
	t_rmdir(s->dir);
}

static char no_error[] = "", refusal[] = "no such node";

Test(main_register, registered_served_and_gone_in_order)
{
	struct setup s;

	open_setup(&s);
	start(&s);
	cr_assert(says(&s, "HTTP/1.1 503 "));
	cr_assert(says(&s, "\r\n\r\nnot registered with the kubelet yet\n"));
	register_it(&s, true, no_error);
	prog_await(s.csi.err, "registered with the kubelet");
	cr_assert(says(&s, "HTTP/1.1 200 "));
	cr_assert_eq(unlink(s.socket), 0); /* a kubelet that has begun anew */
	while (!says(&s, "HTTP/1.1 503 "))
		usleep(10000);
	cr_assert_eq(stop(&s), 0);
	close_setup(&s);
}

/* Kubernetes starts the pod again, and a person finds the reason in the last line. */
Test(main_register, a_refusal_ends_the_program)
{
	struct setup s;

	open_setup(&s);
	start(&s);
	register_it(&s, false, refusal);
	cr_assert_eq(prog_wait(&s.csi), 1);
	cr_assert_not_null(strstr(prog_text(s.csi.err),
				  "\nrds-csi: the kubelet refused this plugin: no such "
				  "node\n"),
			   "%s", prog_text(s.csi.err));
	close_setup(&s);
}

Test(main_register, killed_and_started_again_the_stale_socket_is_replaced)
{
	struct setup s;

	open_setup(&s);
	start(&s);
	kill(s.csi.pid, SIGKILL);
	(void)prog_wait(&s.csi);
	cr_assert_eq(access(s.socket, F_OK), 0);
	begin(&s, "again");
	prog_await(s.csi.err, "waiting for the kubelet");
	register_it(&s, true, no_error);
	cr_assert_eq(stop(&s), 0);
	close_setup(&s);
}

/* The one before has not ended yet: nobody is answered, nothing is cleaned away, and the
 * kubelet is told of nothing until it has. */
Test(main_register, waits_for_the_records_of_the_one_before)
{
	struct setup s;
	char path[256];
	int fd;

	open_setup(&s);
	snprintf(path, sizeof(path), "%s/state", s.dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	strcat(path, "/_plugin.lock");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	begin(&s, "waiting");
	prog_await(s.csi.err, "waiting for an earlier process to end");
	cr_assert_null(strstr(prog_text(s.csi.err), "\"serving\""));
	cr_assert_eq(access(s.socket, F_OK), -1);
	cr_assert_eq(stop(&s), 0, "%s", prog_text(s.csi.err)); /* also while it waits */
	close(fd);
	start(&s);
	register_it(&s, true, no_error);
	cr_assert_eq(stop(&s), 0);
	close_setup(&s);
}
