/* The driver's key and the box's host key are changed, on the box and in a Secret as the
 * kubelet swaps it, while volumes come and go: every call is answered OK, by the process
 * that was started. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/vol.h"
#include "support/secret.h"

enum { CROWD = 6, WAIT_MS = 90000, SOME = 40 };

static struct sim sim;
static struct driver ctl;
static struct secret secret;

/* ---- the load: each volume is created, published, unpublished and deleted ---- */

static struct worker {
	struct vol vol;
	struct rpc_call call;
	unsigned at; /* of steps */
} workers[CROWD];
static const enum vol_step steps[] = { VOL_CREATE, VOL_PUBLISH, VOL_UNPUBLISH,
				       VOL_DELETE };
static unsigned n_calls, n_volumes;

static void begin(struct worker *w)
{
	char id[32];

	if (w->at == 0) {
		(void)snprintf(id, sizeof(id), "pvc-%u", n_volumes++);
		vol_init(&w->vol, id);
	}
	vol_start(&ctl, &w->vol, steps[w->at], &w->call);
	rpc_reset();
}

static void end(struct worker *w)
{
	enum err_code code = vol_end(&ctl, &w->vol, steps[w->at], &w->call);

	n_calls++;
	CHECK(code == ERR_OK, "call %u, %s of %s: %s", n_calls,
	      vol_step_name(steps[w->at]), w->vol.id, rpc_message());
	w->at = (w->at + 1) % 4;
}

static void turn(void)
{
	rpc_turn(&ctl, 10);
	for (struct worker *w = workers; w < workers + CROWD; w++)
		if (w->call.is_done) {
			end(w);
			begin(w);
		}
}

static void work(unsigned calls)
{
	unsigned until = n_calls + calls;

	while (n_calls < until && !e2e_failed())
		turn();
}

static void finish(void)
{
	for (struct worker *w = workers; w < workers + CROWD; w++)
		do {
			end(w);
			if (w->at)
				begin(w);
		} while (w->at && !e2e_failed());
}

/* ---- what is changed ---- */

static char *in_box(char out[E2E_PATH], const char *name)
{
	(void)snprintf(out, E2E_PATH, "%.200s/%.40s", sim.dir, name);
	return out;
}

/* Makes a file of others' contents at once; b NULL: of one. */
static void join(const char *to, const char *a, const char *b)
{
	char line[4 * E2E_PATH];

	(void)snprintf(line, sizeof(line), "cat %s %s >%s.new && mv %s.new %s", a,
		       b ? b : "", to, to, to);
	CHECK(system(line) == 0, "%s", line);
}

/* The audit lines so far that say that all sessions use the files. */
static unsigned n_renewed(void)
{
	char log[E2E_PATH], line[8192];
	FILE *f = fopen(e2e_path(log, "ctl.log"), "re");
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "\"event\":\"ssh_keys_renewed\"") != NULL;
	if (f)
		(void)fclose(f);
	return n;
}

/* The Secret's next version, and the operator who waits for the line. */
static void swap(const char *key, const char *host_key)
{
	uint64_t begun = e2e_now_ms();
	unsigned had = n_renewed();

	if (!CHECK(secret_swap(&secret, key, host_key) == 0, "the Secret"))
		return;
	while (n_renewed() == had && e2e_now_ms() < begun + WAIT_MS && !e2e_failed())
		work(5);
	CHECK(n_renewed() == had + 1, "%u lines say it, not 1", n_renewed() - had);
	e2e_note("in use after %llu ms", (unsigned long long)(e2e_now_ms() - begun));
}

/* The key is taken off the box, which cuts whom it let in by it. */
static void remove_old_key(const char *pub, const char *remaining)
{
	char *n;

	join(pub, remaining, NULL);
	n = sim_post_quiet(&sim, "/keys/cut");
	CHECK(n && strcmp(n, "0\n") == 0, "sessions of the old key: %s", n ? n : "?");
	free(n);
}

static void rotate_key(void)
{
	char pub[E2E_PATH], old[E2E_PATH], fresh[E2E_PATH], fresh_pub[E2E_PATH];
	char host[E2E_PATH];

	in_box(pub, "client_key.pub");
	in_box(host, "host_key.pub");
	join(in_box(old, "old.pub"), pub, NULL);
	CHECK(secret_keygen(in_box(fresh, "fresh"), "ed25519") == 0, "no ssh-keygen");
	in_box(fresh_pub, "fresh.pub");
	join(pub, old, fresh_pub);
	work(SOME);
	swap(fresh, host);
	work(SOME);
	remove_old_key(pub, fresh_pub);
	work(SOME);
}

static void rotate_host_key(void)
{
	char one[E2E_PATH], two[E2E_PATH], both[E2E_PATH], fresh[E2E_PATH];

	in_box(fresh, "fresh");
	in_box(one, "host_key.pub");
	in_box(two, "host_key2.pub");
	join(in_box(both, "both.pub"), one, two);
	swap(fresh, both);
	CHECK(sim_fault(&sim, "host-key=1"), "the host key");
	work(SOME);
	swap(fresh, two);
	work(SOME);
}

static void under_load(void)
{
	static char key[300], host_key[300];
	static const char *const args[] = { key, host_key, NULL };
	char path[E2E_PATH], own[E2E_PATH], host[E2E_PATH];
	pid_t pid;

	sim = (struct sim){ .pid = 0 };
	(void)e2e_path(sim.dir, "box");
	if (!sim_start(&sim))
		return;
	CHECK(secret_open(&secret, e2e_path(path, "secret"), in_box(own, "client_key"),
			  in_box(host, "host_key.pub")) == 0,
	      "no Secret");
	(void)snprintf(key, sizeof(key), "--rds-key-file=%s", secret.key);
	(void)snprintf(host_key, sizeof(host_key), "--rds-host-key=%s", secret.host_key);
	ctl = (struct driver){ .name = "ctl",
			       .sim = &sim,
			       .is_controller = true,
			       .known_nodes = "node-a",
			       .args = args };
	driver_open(&ctl);
	if (!driver_start(&ctl))
		return;
	pid = ctl.pid;
	for (struct worker *w = workers; w < workers + CROWD; w++)
		begin(w);
	rotate_key();
	rotate_host_key();
	finish();
	e2e_note("%u calls", n_calls);
	CHECK(!driver_said(&ctl, "ssh_connection_failure"), "a connection failed");
	CHECK(!driver_is_gone(&ctl, 0) && ctl.pid == pid, "it is another process");
	CHECK(sim_stat(&sim, "disks") == 0, "%ld volumes are left",
	      sim_stat(&sim, "disks"));
	driver_close(&ctl);
	sim_stop(&sim);
}

static const struct e2e_test tests[] = {
	{ "keys rotated under load", under_load, false },
	{ NULL, NULL, false },
};

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
