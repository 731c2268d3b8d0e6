/* The real program against the simulated box: it ends while calls run. */
#include "support/t.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/prog.h"

struct setup {
	char dir[128], address[160];
	unsigned port;
	struct prog sim, csi, call;
};

static void start_box(struct setup *s)
{
	const char *const argv[] = { prog_sim(),  "--listen",	  "127.0.0.1:0",
				     "--control", "127.0.0.1:0",  "--dir",
				     s->dir,	  "--latency-ms", "400",
				     NULL };
	const char *text;

	prog_start(&s->sim, s->dir, "sim", argv);
	prog_await(s->sim.out, "ready ssh=127.0.0.1:");
	text = strstr(prog_text(s->sim.out), "ssh=127.0.0.1:");
	cr_assert_eq(sscanf(text, "ssh=127.0.0.1:%u", &s->port), 1);
}

static void start_driver(struct setup *s, const char *extra)
{
	static char port[32], key[192], host[192], endpoint[192];
	const char *const argv[] = { prog_csi(),
				     "--controller",
				     "--metrics-address=",
				     "--kubernetes=off",
				     "--cluster-id=c1",
				     "--rds-address=127.0.0.1",
				     port,
				     key,
				     host,
				     endpoint,
				     "--log-level=debug",
				     extra,
				     NULL };

	snprintf(port, sizeof(port), "--rds-port=%u", s->port);
	snprintf(key, sizeof(key), "--rds-key-file=%s/client_key", s->dir);
	snprintf(host, sizeof(host), "--rds-host-key=%s/host_key.pub", s->dir);
	snprintf(endpoint, sizeof(endpoint), "--endpoint=%s", s->address);
	prog_start(&s->csi, s->dir, "csi", argv);
	prog_await(s->csi.err, "\"msg\":\"serving\"");
}

static void open_setup(struct setup *s, const char *extra)
{
	memset(s, 0, sizeof(*s));
	t_mkdir(s->dir);
	snprintf(s->address, sizeof(s->address), "unix://%s/csi.sock", s->dir);
	start_box(s);
	start_driver(s, extra);
}

static void close_setup(struct setup *s)
{
	kill(s->sim.pid, SIGTERM);
	cr_assert_eq(prog_wait(&s->sim), 0);
	t_rmdir(s->dir);
}

static void start_create(struct setup *s)
{
	const char *const argv[] = {
		prog_csi(), "call", "CreateVolume",
		"{\"name\": \"pvc-1\", \"capacity_range\": {\"required_bytes\": "
		"1073741824},"
		" \"volume_capabilities\": [{\"block\": {}, \"access_mode\":"
		" {\"mode\": \"SINGLE_NODE_WRITER\"}}]}",
		NULL
	};

	setenv("CSI_ENDPOINT", s->address, 1);
	prog_start(&s->call, s->dir, "call", argv);
	prog_await(s->csi.err, "\"mod\":\"op\",\"msg\":\"move\",\"op\":\"create\"");
}

Test(main_drain, a_call_in_flight_is_finished_before_the_end)
{
	struct setup s;

	open_setup(&s, NULL);
	start_create(&s);
	kill(s.csi.pid, SIGTERM);
	cr_assert_eq(prog_wait(&s.call), 0, "%s", prog_text(s.call.err));
	cr_assert_not_null(strstr(prog_text(s.call.out), "\"volume_id\": \"pvc-1\""));
	cr_assert_eq(prog_wait(&s.csi), 0, "%s", prog_text(s.csi.err));
	cr_assert_not_null(strstr(prog_text(s.csi.err),
				  "\"handles_left\":0,\"allocations_left\":0"));
	close_setup(&s);
}

Test(main_drain, a_work_whose_client_has_gone_is_finished_too)
{
	struct setup s;

	open_setup(&s, NULL);
	kill(s.sim.pid, SIGSTOP); /* so that no answer comes before its client has gone */
	start_create(&s);
	kill(s.call.pid, SIGKILL);
	cr_assert_eq(prog_wait(&s.call), 256 + SIGKILL);
	kill(s.csi.pid, SIGTERM);
	kill(s.sim.pid, SIGCONT);
	cr_assert_eq(prog_wait(&s.csi), 0, "%s", prog_text(s.csi.err));
	cr_assert_not_null(strstr(prog_text(s.csi.err),
				  "\"method\":\"CreateVolume\",\"volume\":\"pvc-1\","
				  "\"node\":\"\",\"code\":\"OK\""),
			   "%s", prog_text(s.csi.err));
	close_setup(&s);
}

Test(main_drain, a_box_that_hangs_cannot_hold_the_process)
{
	struct setup s;

	open_setup(&s, NULL);
	kill(s.sim.pid, SIGSTOP);
	start_create(&s);
	kill(s.csi.pid, SIGTERM);
	cr_assert_eq(prog_wait(&s.csi), 0, "%s", prog_text(s.csi.err));
	cr_assert_neq(prog_wait(&s.call), 0);
	cr_assert_not_null(strstr(prog_text(s.csi.err),
				  "\"handles_left\":0,\"allocations_left\":0"));
	kill(s.sim.pid, SIGCONT);
	close_setup(&s);
}

Test(main_drain, a_box_that_is_away_keeps_nobody_from_being_ready)
{
	const char *const probe[] = { prog_csi(), "call", "Probe", NULL };
	struct setup s;

	open_setup(&s, NULL);
	kill(s.sim.pid, SIGSTOP);
	setenv("CSI_ENDPOINT", s.address, 1);
	cr_assert_eq(prog_run(&s.call, s.dir, "probe", probe), 0);
	kill(s.sim.pid, SIGCONT);
	kill(s.csi.pid, SIGTERM);
	cr_assert_eq(prog_wait(&s.csi), 0);
	close_setup(&s);
}

Test(main_drain, an_unverified_box_is_told_loudly_at_each_start)
{
	struct setup s;

	open_setup(&s, "--rds-insecure-skip-verify");
	for (int i = 0; i < 2; i++) {
		cr_assert_not_null(strstr(prog_text(s.csi.err),
					  "\"level\":\"warn\",\"mod\":\"main\","
					  "\"msg\":\"the box's host key is"));
		cr_assert_not_null(strstr(prog_text(s.csi.err), "\"audit\":true"));
		kill(s.csi.pid, SIGTERM);
		cr_assert_eq(prog_wait(&s.csi), 0);
		if (i == 0) {
			unlink(s.csi.err);
			start_driver(&s, "--rds-insecure-skip-verify");
		}
	}
	close_setup(&s);
}
