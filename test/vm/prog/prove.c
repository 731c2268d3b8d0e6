/* `rds-csi check --prove-fence` on this kernel: it says proven of a box whose export off
 * is a barrier, and not of one whose sessions live on; whatever becomes of it, also by
 * SIGINT, the box and this kernel are as before. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/child.h"
#include "vm/lab.h"

enum { MAX_ARGS = 16, RUN_MS = 300000 };

struct run {
	struct sim sim;
	const char *sim_argv[12];
	const char *argv[MAX_ARGS];
	char text[4][300], log[E2E_PATH];
	char out[8192];
};

static bool open_run(struct run *r, const char *off)
{
	static const char *const args[] = { "--export=nvmet", "--nvmet-off", NULL };

	memset(r, 0, sizeof(*r));
	(void)snprintf(r->sim.dir, sizeof(r->sim.dir), "%s/box", e2e_dir());
	r->sim_argv[0] = args[0];
	r->sim_argv[1] = args[1];
	r->sim_argv[2] = off;
	r->sim.args = r->sim_argv;
	return sim_start(&r->sim);
}

static void fill(struct run *r)
{
	unsigned n = 0;

	(void)snprintf(r->text[0], 300, "--rds-port=%u", r->sim.ssh_port);
	(void)snprintf(r->text[1], 300, "--rds-key-file=%s/client_key", r->sim.dir);
	(void)snprintf(r->text[2], 300, "--rds-host-key=%s/host_key.pub", r->sim.dir);
	r->argv[n++] = getenv("RDS_CSI");
	r->argv[n++] = "check";
	r->argv[n++] = "--prove-fence";
	r->argv[n++] = "--rds-address=127.0.0.1";
	for (unsigned i = 0; i < 3; i++)
		r->argv[n++] = r->text[i];
	r->argv[n] = NULL;
}

static pid_t start(struct run *r)
{
	struct child_conf conf = { .argv = r->argv, .log = r->log };

	fill(r);
	e2e_path(r->log, "prove.out");
	return child_start(&conf);
}

static void read_out(struct run *r)
{
	FILE *f = fopen(r->log, "re");
	size_t n = f ? fread(r->out, 1, sizeof(r->out) - 1, f) : 0;

	r->out[n] = '\0';
	if (f)
		fclose(f);
	e2e_note("%s", r->out);
}

static bool ended(struct run *r, int wait_status, int want)
{
	read_out(r);
	return CHECK(wait_status == want << 8, "wait status %d", wait_status);
}

static bool said(const struct run *r, const char *text)
{
	return CHECK(strstr(r->out, text), "it did not say: %s", text);
}

/* Box and kernel are as before. */
static void is_clean(const struct run *r)
{
	CHECK(sim_stat(&r->sim, "disks") == 0, "a disk is left");
	CHECK(sim_stat(&r->sim, "files") == 0, "a file is left");
	CHECK(kern_sessions_under("nqn.2000-02.com.mikrotik:prove-fence-") == 0,
	      "a session is left");
	CHECK(!strstr(r->out, "may be left on"), "it says itself");
	CHECK(!strstr(r->out, "still open"), "it leaves a handle");
}

static void prove(const char *off, int want, const char *verdict, const char *json)
{
	static struct run r;

	if (open_run(&r, off)) {
		if (ended(&r, child_wait(start(&r), RUN_MS), want)) {
			said(&r, verdict);
			said(&r, json);
			said(&r, "RouterOS 7.");
		}
		is_clean(&r);
	}
	sim_stop(&r.sim);
}

static void barrier(void)
{
	prove("full", 0, "PROVEN in this run", "\"proven\":true");
}

static void sessions_live_on(void)
{
	prove("keep-sessions", 1, "NOT PROVEN", "\"accepted_after\":true");
}

struct wait {
	const struct run *r;
	const char *text;
};

static bool is_said(const void *arg)
{
	const struct wait *w = arg;
	char text[4096];
	FILE *f = fopen(w->r->log, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return strstr(text, w->text) != NULL;
}

/* While the writers write, and while the fence has begun. */
static void interrupted(void)
{
	static const char *const when[] = { "is there", "writers write",
					    "fence is done" };
	static struct run r;

	for (unsigned i = 0; i < 3 && open_run(&r, "full"); i++) {
		struct wait w = { &r, when[i] };
		pid_t pid = start(&r);

		if (CHECK(kern_until(is_said, &w, RUN_MS), "never \"%s\"", when[i]))
			ended(&r, child_end(pid, SIGINT, RUN_MS), 3);
		is_clean(&r);
		(void)unlink(r.log);
		sim_stop(&r.sim);
	}
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "barrier", barrier, true },
		{ "sessions_live_on", sessions_live_on, true },
		{ "interrupted", interrupted, true },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
