#include "support/t.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csi/grpc/client.h"
#include "csi/registration.h"
#include "registration.pb-c.h"

/* The tests play the kubelet: they look for the socket and call it. */
struct setup {
	struct t_loop l;
	struct csi csi;
	struct registration r;
	char dir[128], registry[160], socket[192];
	unsigned n_done;
};

static struct setup *current;

static void on_done(struct op *op)
{
	(void)op;
	current->n_done++;
}

static void make_registry(struct setup *s)
{
	cr_assert_eq(mkdir(s->registry, 0750), 0);
}

static void open_setup(struct setup *s)
{
	memset(s, 0, sizeof(*s));
	signal(SIGPIPE, SIG_IGN); /* as core/loop does */
	current = s;
	t_loop_open(&s->l);
	t_mkdir(s->dir);
	snprintf(s->registry, sizeof(s->registry), "%s/plugins_registry", s->dir);
	snprintf(s->socket, sizeof(s->socket), "%s/d.example-reg.sock", s->registry);
	s->csi = (struct csi){ .loop = &s->l.uv, .driver_name = "d.example" };
	s->r.conf = (struct registration_conf){ &s->csi, s->socket, "/plugins/csi.sock" };
}

static void begin(struct setup *s)
{
	registration_start(&s->r, on_done);
	t_run_until(&s->l, access(s->socket, F_OK) == 0);
}

static void close_setup(struct setup *s, enum err_code want)
{
	registration_stop(&s->r);
	t_run_until(&s->l, s->n_done == 1);
	cr_assert_eq(s->r.op.err.code, want, "%s", s->r.op.err.msg);
	cr_assert_eq(access(s->socket, F_OK), -1);
	t_rmdir(s->dir);
	t_loop_close(&s->l);
}

/* ---- the kubelet's calls ------------------------------------------------------------
 */

static bool is_answered;

static void on_answer(struct op *op)
{
	(void)op;
	is_answered = true;
}

static enum err_code call(struct setup *s, struct grpc_client *c, const char *method,
			  const ProtobufCMessage *m)
{
	static uint8_t packed[512];
	char path[128];

	snprintf(path, sizeof(path), "/pluginregistration.Registration/%s", method);
	*c = (struct grpc_client){ .address = s->socket,
				   .path = path,
				   .message = packed,
				   .message_len = protobuf_c_message_pack(m, packed),
				   .timeout_ms = 30000 };
	is_answered = false;
	grpc_client_start(c, &s->l.uv, on_answer);
	t_run_until(&s->l, is_answered);
	return c->op.err.code;
}

static void check_info(struct setup *s)
{
	Pluginregistration__InfoRequest req = PLUGINREGISTRATION__INFO_REQUEST__INIT;
	Pluginregistration__PluginInfo *info;
	struct grpc_client c;

	cr_assert_eq(call(s, &c, "GetInfo", &req.base), ERR_OK, "%s", c.op.err.msg);
	info = pluginregistration__plugin_info__unpack(NULL, c.reply.len,
						       (uint8_t *)c.reply.data);
	cr_assert_not_null(info);
	cr_assert_str_eq(info->type, "CSIPlugin");
	cr_assert_str_eq(info->name, "d.example");
	cr_assert_str_eq(info->endpoint, "/plugins/csi.sock");
	cr_assert_eq(info->n_supported_versions, 1);
	cr_assert_str_eq(info->supported_versions[0], "1.0.0");
	pluginregistration__plugin_info__free_unpacked(info, NULL);
	buf_fini(&c.reply);
}

static void notify(struct setup *s, bool is_registered, char *why)
{
	Pluginregistration__RegistrationStatus req;
	struct grpc_client c;

	pluginregistration__registration_status__init(&req);
	req.plugin_registered = is_registered;
	req.error = why;
	cr_assert_eq(call(s, &c, "NotifyRegistrationStatus", &req.base), ERR_OK, "%s",
		     c.op.err.msg);
	buf_fini(&c.reply);
}

static char no_error[] = "", no_csinode[] = "no CSINode";

Test(registration, the_kubelet_finds_asks_and_tells)
{
	static struct setup s;
	struct stat st;

	open_setup(&s);
	make_registry(&s);
	begin(&s);
	cr_assert_eq(stat(s.socket, &st), 0);
	cr_assert(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	check_info(&s);
	notify(&s, true, no_error);
	check_info(&s); /* a kubelet that starts anew asks again */
	cr_assert_eq(s.n_done, 0);
	close_setup(&s, ERR_CANCELLED);
}

/* The answer is given first, and only then all ends. */
Test(registration, a_refusal_ends_it)
{
	static struct setup s;

	open_setup(&s);
	make_registry(&s);
	begin(&s);
	notify(&s, false, no_csinode);
	t_run_until(&s.l, s.n_done == 1);
	cr_assert_not_null(strstr(s.r.op.err.msg, "no CSINode"), "%s", s.r.op.err.msg);
	close_setup(&s, ERR_UNAVAILABLE);
}

Test(registration, waits_for_the_directory)
{
	static struct setup s;

	open_setup(&s);
	clock_hold(&s.l.uv); /* the watch alone, no time */
	registration_start(&s.r, on_done);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
	make_registry(&s);
	t_run_until(&s.l, access(s.socket, F_OK) == 0);
	check_info(&s);
	registration_stop(&s.r);
	clock_advance(&s.l.uv, 0);
	close_setup(&s, ERR_CANCELLED);
}

Test(registration, a_directory_made_anew_gets_a_new_socket)
{
	static struct setup s;
	char old[192];

	open_setup(&s);
	make_registry(&s);
	begin(&s);
	check_info(&s);
	snprintf(old, sizeof(old), "%s.old", s.registry);
	cr_assert_eq(rename(s.registry, old), 0);
	make_registry(&s);
	t_run_until(&s.l, access(s.socket, F_OK) == 0);
	check_info(&s);
	t_rmdir(s.registry);
	t_run_until(&s.l, access(s.socket, F_OK) != 0 && s.n_done == 0);
	make_registry(&s);
	t_run_until(&s.l, access(s.socket, F_OK) == 0);
	check_info(&s);
	close_setup(&s, ERR_CANCELLED);
}

Test(registration, a_removed_socket_is_bound_anew)
{
	static struct setup s;

	open_setup(&s);
	make_registry(&s);
	begin(&s);
	cr_assert_eq(unlink(s.socket), 0);
	t_run_until(&s.l, access(s.socket, F_OK) == 0);
	check_info(&s);
	close_setup(&s, ERR_CANCELLED);
}

/* A registrar that is still deployed: it keeps its socket, we wait, and take over. */
Test(registration, another_process_keeps_its_socket)
{
	static struct setup s;
	struct grpc_server other;
	const struct grpc_server_conf conf = { .address = s.socket };
	struct err err;
	struct stat before, after;

	open_setup(&s);
	make_registry(&s);
	cr_assert_eq(grpc_server_listen(&other, &s.l.uv, &conf, &err), 0, "%s", err.msg);
	grpc_server_start(&other, on_answer);
	cr_assert_eq(stat(s.socket, &before), 0);
	clock_hold(&s.l.uv);
	registration_start(&s.r, on_done);
	for (int i = 0; i < 50; i++) {
		(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
		clock_advance(&s.l.uv, 500);
	}
	cr_assert_eq(stat(s.socket, &after), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
	is_answered = false;
	grpc_server_stop(&other);
	t_run_until(&s.l, is_answered);
	clock_advance(&s.l.uv, 5000);
	t_run_until(&s.l, access(s.socket, F_OK) == 0);
	check_info(&s);
	registration_stop(&s.r);
	clock_advance(&s.l.uv, 0);
	close_setup(&s, ERR_CANCELLED);
}

Test(registration, a_stale_socket_is_replaced_and_a_file_is_not)
{
	static struct setup s;
	FILE *f;

	open_setup(&s);
	make_registry(&s);
	f = fopen(s.socket, "w");
	cr_assert_not_null(f);
	fclose(f);
	clock_hold(&s.l.uv);
	registration_start(&s.r, on_done);
	for (int i = 0; i < 20; i++) {
		(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
		clock_advance(&s.l.uv, 1000);
	}
	cr_assert_eq(access(s.socket, F_OK), 0);
	cr_assert_eq(s.n_done, 0);
	cr_assert_eq(unlink(s.socket), 0);
	clock_advance(&s.l.uv, 5000);
	t_run_until(&s.l, access(s.socket, F_OK) == 0);
	registration_stop(&s.r);
	clock_advance(&s.l.uv, 0);
	close_setup(&s, ERR_CANCELLED);
}

Test(registration, stopped_after_any_number_of_turns)
{
	for (int with_dir = 0; with_dir < 2; with_dir++) {
		for (int n = 0; n < 12; n++) {
			static struct setup s;

			open_setup(&s);
			if (with_dir)
				make_registry(&s);
			registration_start(&s.r, on_done);
			for (int i = 0; i < n; i++)
				(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
			close_setup(&s, ERR_CANCELLED);
		}
	}
}

/* Without memory it waits, or the call fails; it never ends by itself. */
Test(registration, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS({
		static struct setup s;
		Pluginregistration__InfoRequest req =
			PLUGINREGISTRATION__INFO_REQUEST__INIT;
		struct grpc_client c;

		open_setup(&s);
		make_registry(&s);
		registration_start(&s.r, on_done);
		for (int i = 0; i < 10; i++)
			(void)uv_run(&s.l.uv, UV_RUN_NOWAIT);
		(void)call(&s, &c, "GetInfo", &req.base);
		buf_fini(&c.reply);
		cr_assert_eq(s.n_done, 0);
		close_setup(&s, ERR_CANCELLED);
	});
}
