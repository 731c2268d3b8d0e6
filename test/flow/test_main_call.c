/* `rds-csi call` as a person runs it, against the real program. */
#include "support/t.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/prog.h"

struct setup {
	char dir[128], address[160], exports[192];
	struct prog csi, call;
};

static void open_setup(struct setup *s)
{
	char endpoint[192];
	const char *const argv[] = { prog_csi(),
				     "--metrics-address=",
				     "--node",
				     "--node-id=n1",
				     "--node-backend=loop",
				     s->exports,
				     endpoint,
				     NULL };

	memset(s, 0, sizeof(*s));
	t_mkdir(s->dir);
	snprintf(s->address, sizeof(s->address), "unix://%s/csi.sock", s->dir);
	snprintf(endpoint, sizeof(endpoint), "--endpoint=%s", s->address);
	snprintf(s->exports, sizeof(s->exports), "--loop-exports=%s/exports", s->dir);
	cr_assert_eq(mkdir(s->exports + 15, 0700), 0);
	prog_start(&s->csi, s->dir, "csi", argv);
	prog_await(s->csi.err, "\"msg\":\"serving\"");
}

static void close_setup(struct setup *s)
{
	kill(s->csi.pid, SIGTERM);
	cr_assert_eq(prog_wait(&s->csi), 0);
	t_rmdir(s->dir);
}

/* Up to three words after `rds-csi call`; the outputs are started anew. */
static int call(struct setup *s, const char *a, const char *b, const char *c)
{
	const char *const argv[] = { prog_csi(), "call", a, b, c, NULL };

	(void)unlink(s->call.out);
	(void)unlink(s->call.err);
	setenv("CSI_ENDPOINT", s->address, 1);
	return prog_run(&s->call, s->dir, "call", argv);
}

Test(main_call, prints_the_answer_as_json)
{
	struct setup s;

	open_setup(&s);
	cr_assert_eq(call(&s, "Probe", NULL, NULL), 0);
	cr_assert_str_eq(prog_text(s.call.out), "{\n  \"ready\": true\n}\n");
	cr_assert_eq(call(&s, "Identity/GetPluginInfo", "{}", NULL), 0);
	cr_assert_not_null(
		strstr(prog_text(s.call.out), "\"name\": \"rds.csi.srvlab.io\""));
	cr_assert_eq(call(&s, "--timeout=5s", "NodeGetInfo", NULL), 0);
	cr_assert_not_null(strstr(prog_text(s.call.out), "\"node_id\": \"n1\""));
	/* Nodes bear these labels, and CSINode these keys: they never change. */
	cr_assert_not_null(strstr(prog_text(s.call.out),
				  "\"topology.rds.csi.srvlab.io/zone\": \"default\""));
	cr_assert_not_null(strstr(prog_text(s.call.out),
				  "\"topology.rds.csi.srvlab.io/plugin\": \"rds-csi\""));
	cr_assert_str_eq(prog_text(s.call.err), "");
	close_setup(&s);
}

Test(main_call, an_error_is_code_and_message_and_the_exit_status)
{
	struct setup s;

	open_setup(&s);
	cr_assert_eq(call(&s, "CreateVolume", "{\"name\": \"v\"}", NULL), 12);
	cr_assert_str_eq(prog_text(s.call.err),
			 "UNIMPLEMENTED: unknown service csi.v1.Controller\n");
	cr_assert_str_eq(prog_text(s.call.out), "");
	cr_assert_eq(call(&s, "NodeUnpublishVolume", "{}", NULL), 3);
	cr_assert_eq(strncmp(prog_text(s.call.err), "INVALID_ARGUMENT: ", 18), 0);
	snprintf(s.address, sizeof(s.address), "unix://%s/nobody.sock", s.dir);
	cr_assert_eq(call(&s, "Probe", NULL, NULL), 14);
	cr_assert_eq(strncmp(prog_text(s.call.err), "UNAVAILABLE: ", 13), 0);
	close_setup(&s);
}

Test(main_call, a_bad_command_line_or_bad_json_is_one_line_and_status_2)
{
	static const char *const rows[][3] = {
		{ "Nope", NULL, "rds-csi call: no such method; see --help: Nope\n" },
		{ "Probe", "{", "rds-csi call: bad JSON: line 1" },
		{ "Probe", "{} x", "rds-csi call: bad JSON: line 1" },
		{ "Probe", "[]", "rds-csi call: bad JSON: must be an object\n" },
		{ "DeleteVolume", "{\"volumeID\": \"v\"}",
		  "rds-csi call: bad JSON: DeleteVolumeRequest has no field volumeID\n" },
		{ "DeleteVolume", "{\"volume_id\": \"a\", \"volume_id\": \"b\"}",
		  "rds-csi call: bad JSON: line 1" },
		{ "--timeout=soon", "Probe",
		  "rds-csi call: bad option: --timeout=soon\n" },
		{ "--nope", "Probe", "rds-csi call: bad option: --nope\n" },
		{ NULL, NULL, "rds-csi call: no METHOD given; see --help\n" },
	};
	struct setup s;

	open_setup(&s);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *said;

		cr_assert_eq(call(&s, rows[i][0], rows[i][1], NULL), 2, "row %u", i);
		said = prog_text(s.call.err);
		cr_assert_eq(strncmp(said, rows[i][2], strlen(rows[i][2])), 0, "%s",
			     said);
		cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "%s", said);
	}
	cr_assert_eq(call(&s, "Probe", "{}", "more"), 2);
	close_setup(&s);
}

Test(main_call, a_request_may_come_from_standard_input)
{
	struct setup s;
	int in[2], saved = dup(STDIN_FILENO);

	open_setup(&s);
	cr_assert_eq(pipe(in), 0);
	cr_assert_eq(write(in[1], "{\"volumeId\":", 12), 12);
	cr_assert_eq(write(in[1], "\"\"}", 3), 3);
	close(in[1]);
	dup2(in[0], STDIN_FILENO);
	close(in[0]);
	cr_assert_eq(call(&s, "NodeUnpublishVolume", "-", NULL), 3);
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close_setup(&s);
}

Test(main_call, help_lists_the_methods_and_needs_no_server)
{
	struct setup s;

	open_setup(&s);
	s.address[0] = '\0';
	cr_assert_eq(call(&s, "--help", NULL, NULL), 0);
	cr_assert_not_null(
		strstr(prog_text(s.call.out), "\n  ControllerPublishVolume\n"));
	cr_assert_eq(call(&s, "Probe", NULL, NULL), 2);
	cr_assert_str_eq(prog_text(s.call.err),
			 "rds-csi call: --endpoint or $CSI_ENDPOINT must say where\n");
	close_setup(&s);
}
