/* `rds-csi export-all` against the box: what it puts on, what it leaves and says, that it
 * can be cut after any statement and run again, and that it does nothing while a
 * controller runs. The history of the box is the judge: no export ever goes off, and none
 * goes on but under the plain NQN, after a record without holders. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "e2e/vol.h"

#define UID(n) "pvc-0d3b51a4-6c1e-4b7e-9f0a-0000000000" n
#define PLAIN "nqn.2000-02.com.mikrotik:"
enum { MOST_STATEMENTS = 40, MAX_ARGS = 32, EXPORT_MS = 60000 };

struct world {
	struct sim sim;
	struct driver driver;
	char out[8192]; /* what it said last */
	unsigned hits;
	int signal; /* by which one that is paused is ended */
};

/* ---- running it ---- */

struct args {
	const char *v[MAX_ARGS];
	char text[5][300];
};

static void fill(const struct world *w, struct args *a, const char *const *more)
{
	const struct sim *s = &w->sim;
	unsigned n = 0;

	(void)snprintf(a->text[0], 300, "--rds-port=%u", s->ssh_port);
	(void)snprintf(a->text[1], 300, "--rds-key-file=%s/client_key", s->dir);
	(void)snprintf(a->text[2], 300, "--rds-host-key=%s/host_key.pub", s->dir);
	a->v[n++] = getenv("RDS_CSI");
	a->v[n++] = "export-all";
	a->v[n++] = "--rds-address=127.0.0.1";
	for (unsigned i = 0; i < 3; i++)
		a->v[n++] = a->text[i];
	for (; more && *more; more++)
		a->v[n++] = *more;
	a->v[n] = NULL;
}

static const char *const dry[] = { "--kubernetes=off", "--cluster-id=e2e", NULL };
static const char *const acting[] = { "--kubernetes=off", "--cluster-id=e2e", "--yes",
				      NULL };

static int export_all(struct world *w, const char *const *more)
{
	static struct args a;

	fill(w, &a, more);
	w->out[0] = '\0';
	return child_run(a.v, w->out, sizeof(w->out));
}

static bool said(const struct world *w, const char *line)
{
	return CHECK(strstr(w->out, line), "\"%s\" not in: %s", line, w->out);
}

static bool ends(struct world *w, const char *const *more, int want)
{
	int status = export_all(w, more);

	return CHECK(status == want, "status %d: %s", status, w->out);
}

/* ---- the judge ---- */

static void judge_set(const json_t *e)
{
	const char *slot = sim_text(e, "slot"), *prop = sim_text(e, "prop"),
		   *new = sim_text(e, "new");

	if (strcmp(prop, "nvme-tcp-export") == 0)
		CHECK(strcmp(new, "yes") == 0, "%s was switched off", slot);
	else if (strcmp(prop, "nvme-tcp-server-nqn") == 0)
		CHECK(strncmp(new, PLAIN, strlen(PLAIN)) == 0 &&
			      strcmp(new + strlen(PLAIN), slot) == 0,
		      "%s became %s", slot, new);
	else
		CHECK(strcmp(prop, "comment") == 0 && strstr(new, " g=0 s=ok h=- "),
		      "%s: %s was set to %s", slot, prop, new);
}

static void judge_event(void *arg, const json_t *e)
{
	const char *op = sim_text(e, "op");

	(void)arg;
	if (strcmp(op, "set") == 0)
		judge_set(e);
	else
		CHECK(strcmp(op, "add") != 0 && strcmp(op, "remove") != 0, "%s of %s", op,
		      sim_text(e, "slot"));
}

static bool judge(const struct world *w, long from)
{
	return CHECK(sim_history(&w->sim, from, judge_event, NULL) >= 0, "no history") &&
	       !e2e_failed();
}

static bool is_on(const struct world *w, const char *slot)
{
	json_t *disk = sim_disk(&w->sim, slot);
	const char *nqn = sim_text(disk, "nvme-tcp-server-nqn");
	bool is = sim_is_on(disk, "nvme-tcp-export") &&
		  strcmp(nqn + strlen(PLAIN), slot) == 0 &&
		  strstr(sim_text(disk, "comment"), " g=0 s=ok h=- ");

	json_decref(disk);
	return is;
}

/* ---- a box with everything on it ---- */

static bool open_world(struct world *w, const char *known_nodes)
{
	memset(w, 0, sizeof(*w));
	(void)snprintf(w->sim.dir, sizeof(w->sim.dir), "%s/box", e2e_dir());
	w->driver = (struct driver){ .name = "driver",
				     .sim = &w->sim,
				     .is_controller = true,
				     .known_nodes = known_nodes };
	driver_open(&w->driver);
	return sim_start(&w->sim);
}

static void close_world(struct world *w)
{
	driver_stop(&w->driver);
	driver_close(&w->driver);
	sim_stop(&w->sim);
}

static bool make(struct world *w, const char *id, const char *node, bool stays)
{
	static struct vol v;

	vol_init(&v, id);
	v.node = node;
	return vol_must(&w->driver, &v, VOL_CREATE) &&
	       (!node || vol_must(&w->driver, &v, VOL_PUBLISH)) &&
	       (!node || stays || vol_must(&w->driver, &v, VOL_UNPUBLISH));
}

/* Held by one that then nobody knows any more, and detached, which is a fence. */
static bool fence(struct world *w, const char *id)
{
	static struct vol v;

	driver_stop(&w->driver);
	w->driver.known_nodes = "node-a";
	vol_init(&v, id);
	v.node = "node-gone";
	return driver_start(&w->driver) && vol_must(&w->driver, &v, VOL_UNPUBLISH);
}

static bool put_disk(const struct world *w, const char *id, const char *place,
		     const char *comment)
{
	char script[700], *out;

	(void)snprintf(script, sizeof(script),
		       "/disk/add type=\"file\" slot=\"%s\" file-size=\"1073741824\" "
		       "file-path=\"/storage-pool/%s%s.img\" mount-filesystem=\"no\" "
		       "nvme-tcp-server-nqn=\"" PLAIN "%s\" comment=\"%s\"",
		       id, place, id, id, comment);
	out = sim_exec(&w->sim, script);
	free(out);
	return CHECK(out, "the box takes no disk");
}

static bool fill_box(struct world *w)
{
	return make(w, UID("01"), NULL, false) && make(w, UID("02"), "node-a", false) &&
	       make(w, UID("03"), "node-a", true) &&
	       make(w, UID("04"), "node-gone", true) && fence(w, UID("04")) &&
	       make(w, "data", "node-a", false) &&
	       put_disk(w, "half-done", "metal-csi/",
			"rds-csi:1 00000001 c=e2e g=1 s=fencing h=- b=0 q=-") &&
	       put_disk(w, "scribbled", "metal-csi/", "rds-csi:1 00000002 c=e2e xyz") &&
	       put_disk(w, "elsewhere", "",
			"rds-csi:1 00000003 c=e2e g=0 s=ok h=- b=0 q=-") &&
	       put_disk(w, "foreign", "metal-csi/",
			"rds-csi:1 00000004 c=other g=0 s=ok h=- b=0 q=-") &&
	       put_disk(w, "unmarked", "metal-csi/", "") &&
	       put_disk(w, "of-go", "metal-csi/",
			"rds-csi:1 00000005 c=e2e g=0 s=ok h=- b=0 q=-");
}

static bool says_all(const struct world *w, const char *word)
{
	char line[200];
	static const char *const ids[] = { UID("01"), UID("02"), "of-go" };

	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(line, sizeof(line), "%s: %s\n", ids[i], word);
		if (!said(w, line))
			return false;
	}
	return said(w, UID("03") ": left: node-a holds it") &&
	       said(w, UID("04") ": left: it was fenced") &&
	       said(w, "data: left: an older volume") &&
	       said(w, "half-done: left: a fence has begun") &&
	       said(w, "scribbled: left: its record cannot be read") &&
	       said(w, "elsewhere: left: its file does not lie") &&
	       CHECK(!strstr(w->out, "foreign") && !strstr(w->out, "unmarked") &&
			     !strstr(w->out, "raid"),
		     "%s", w->out);
}

/* This driver takes what was put on as it finds it. */
static bool is_taken_again(struct world *w, const char *id)
{
	static struct vol v;
	char nqn[300];
	bool ok;

	vol_init(&v, id);
	ok = vol_must(&w->driver, &v, VOL_PUBLISH);
	(void)snprintf(nqn, sizeof(nqn), PLAIN "%s", id);
	for (size_t i = 0; ok && i < v.publish.n; i += 2)
		if (strcmp(v.publish.pairs[i], "nvme_nqn") == 0)
			return CHECK(strcmp(v.publish.pairs[i + 1], nqn) == 0, "%s",
				     v.publish.pairs[i + 1]);
	return CHECK(!ok, "no NQN told");
}

static bool all_kinds_run(struct world *w)
{
	static const char *const even[] = { "--kubernetes=off",
					    "--cluster-id=e2e",
					    "--yes",
					    "--even=data,half-done",
					    "--even",
					    UID("04") "," UID("03") ",nobody",
					    NULL };
	long from = sim_history(&w->sim, 0, NULL, NULL);

	if (!ends(w, dry, 1) || !says_all(w, "would be exported") ||
	    !CHECK(sim_history(&w->sim, 0, NULL, NULL) == from, "it changed something") ||
	    !ends(w, acting, 1) || !says_all(w, "exported") || !ends(w, acting, 1) ||
	    !says_all(w, "was exported") || !ends(w, even, 1))
		return false;
	return said(w, UID("04") ": exported\n") && said(w, "data: exported\n") &&
	       said(w, "half-done: left:") && said(w, UID("03") ": left: node-a") &&
	       said(w, "nobody: left: no volume") && judge(w, from) &&
	       CHECK(is_on(w, UID("01")) && is_on(w, UID("02")) && is_on(w, UID("04")) &&
			     is_on(w, "data") && is_on(w, "of-go"),
		     "not all are on") &&
	       is_taken_again(w, UID("01")) && is_taken_again(w, UID("04"));
}

static void all_kinds(void)
{
	static struct world w;

	if (open_world(&w, "node-a,node-gone") && driver_start(&w.driver) && fill_box(&w))
		(void)all_kinds_run(&w);
	close_world(&w);
}

/* ---- cut anywhere ---- */

static bool is_hit(const struct world *w, const char *fault)
{
	json_t *f = sim_get(&w->sim, "/fault");
	bool is = json_integer_value(json_object_get(f, fault)) < 0;

	json_decref(f);
	return is;
}

/* It may have answered and died right after. */
static bool is_back(struct world *w)
{
	char *text = sim_post_quiet(&w->sim, "/fault/clear");

	free(text);
	if (text)
		return true;
	w->hits++;
	return CHECK(sim_is_gone(&w->sim, 20000), "neither answers nor ends") &&
	       sim_start(&w->sim);
}

/* It waits for the box no longer, and says that not all is done. */
static void is_ended_by(pid_t pid, int sig)
{
	int status = child_end(pid, sig, EXPORT_MS);

	CHECK(status == 3 << 8, "signal %d: wait status %d", sig, status);
}

static bool run_cut(struct world *w, const char *fault, unsigned at)
{
	static struct args a;
	char query[100];
	struct child_conf conf = { .argv = a.v };
	bool dies = strcmp(fault, "die-at-statement") == 0;
	pid_t pid;

	(void)snprintf(query, sizeof(query), "%s=%u&match=v1%%20nvme-tcp-server-nqn",
		       fault, at);
	fill(w, &a, acting);
	conf.log = "/dev/null";
	if (!sim_fault(&w->sim, query))
		return false;
	pid = child_start(&conf);
	if (strcmp(fault, "pause-at-statement") == 0) {
		/* Killed while the box is in the midst of it, which goes on. */
		for (bool hit = false; !hit && child_wait(pid, 5) == -1;) {
			hit = is_hit(w, fault);
			w->hits += hit;
			if (hit && w->signal == SIGKILL)
				(void)child_end(pid, SIGKILL, EXPORT_MS);
			else if (hit)
				is_ended_by(pid, w->signal);
		}
		return sim_clear(&w->sim);
	}
	if (!CHECK(child_wait(pid, EXPORT_MS) != -1, "it hangs"))
		return false;
	if (dies)
		return is_back(w);
	w->hits += is_hit(w, fault);
	return sim_clear(&w->sim);
}

/* Whatever was left is no volume that is on under another name, or on and held. */
static bool is_sane(const struct world *w, const char *id)
{
	json_t *disk = sim_disk(&w->sim, id);
	bool is_exported = sim_is_on(disk, "nvme-tcp-export");

	json_decref(disk);
	return CHECK(!is_exported || is_on(w, id), "%s is on otherwise", id);
}

static void cut_by(const char *fault, int sig)
{
	static struct world w;
	char id[64];
	bool ok = open_world(&w, "node-a") && driver_start(&w.driver);

	w.signal = sig;

	for (unsigned at = 0; ok && at < MOST_STATEMENTS;
	     at += e2e_is_full() ? 1 : 1 + e2e_below(3)) {
		unsigned before = w.hits;
		long from;

		(void)snprintf(id, sizeof(id), UID("%02x"), at);
		ok = make(&w, id, NULL, false);
		from = sim_history(&w.sim, 0, NULL, NULL);
		ok = ok && run_cut(&w, fault, at) && is_sane(&w, id) &&
		     ends(&w, acting, 0) && CHECK(is_on(&w, id), "%s", id) &&
		     judge(&w, w.hits > before && *fault == 'd' ? 0 : from);
	}
	if (ok)
		CHECK(w.hits > 4, "it was hit %u times only", w.hits);
	e2e_note("%u cuts", w.hits);
	close_world(&w);
}

static void box_dies(void)
{
	cut_by("die-at-statement", 0);
}

static void script_fails(void)
{
	cut_by("script-error-at-statement", 0);
}

static void killed(void)
{
	cut_by("pause-at-statement", SIGKILL);
}

static void stopped(void)
{
	cut_by("pause-at-statement", e2e_below(2) ? SIGTERM : SIGINT);
}

/* ---- a controller runs ---- */

static bool start_api(pid_t *ret_pid, const char *dir)
{
	char path[300], conf_path[E2E_PATH];
	const char *const argv[] = { path, dir, NULL };
	struct child_conf conf = { .argv = argv, .log = "/dev/null" };
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/api_server", getenv("T_PROG"));
	(void)mkdir(dir, 0700);
	*ret_pid = child_start(&conf);
	(void)snprintf(conf_path, sizeof(conf_path), "%.200s/kubeconfig", dir);
	/* Written at once and last, when it listens. */
	for (unsigned i = 0; i < 12000 && (stat(conf_path, &st) || !st.st_size); i++)
		e2e_sleep_ms(5);
	return CHECK(*ret_pid > 0 && stat(conf_path, &st) == 0, "no API server");
}

static bool is_leader(const struct driver *d)
{
	for (unsigned i = 0; i < 12000 && !driver_said(d, "leader from now on"); i++)
		e2e_sleep_ms(5);
	return CHECK(driver_said(d, "leader from now on"), "it has no Lease");
}

static void beside_a_controller(void)
{
	static struct world w;
	char dir[E2E_PATH], kubeconfig[300];
	const char *const kube[] = {
		"--kubernetes=on", kubeconfig,
		"--cluster-id=",   "--leader-election-namespace=rds-csi",
		"--yes",	   NULL
	};
	const char *const driver_args[] = { kube[0], kube[1], kube[2], kube[3], NULL };
	const char *const always[] = {
		kube[0], kubeconfig, kube[3], kube[4], "--export-policy=always", NULL
	};
	pid_t api = 0;

	(void)snprintf(kubeconfig, sizeof(kubeconfig), "--kubeconfig=%s/kubeconfig",
		       e2e_path(dir, "api"));
	if (open_world(&w, NULL) && start_api(&api, dir)) {
		w.driver.args = driver_args;
		(void)(driver_start(&w.driver) && is_leader(&w.driver) &&
		       make(&w, UID("01"), NULL, false) && ends(&w, kube, 3) &&
		       CHECK(!is_on(&w, UID("01")), "it is on") && ends(&w, always, 0) &&
		       CHECK(is_on(&w, UID("01")), "it is off") &&
		       make(&w, UID("02"), NULL, false));
		/* Killed, its Lease would stand there for its whole term. */
		if (e2e_is_full())
			driver_kill(&w.driver);
		else
			driver_stop(&w.driver);
		(void)(!e2e_failed() && ends(&w, kube, 0) &&
		       CHECK(is_on(&w, UID("02")), "it is off"));
	}
	if (api > 0)
		(void)child_end(api, SIGTERM, 20000);
	close_world(&w);
}

/* ---- what goes wrong ---- */

static void refusals(void)
{
	static struct world w;
	static const char *const bad[] = { "--kubernetes=off", "--cluster-id=e2e",
					   "--nonsense", NULL };
	static const char *const nameless[] = { "--kubernetes=off", NULL };
	static const char *const empty[] = { "--kubernetes=off", "--cluster-id=e2e",
					     "--even=", NULL };
	static const char *const lost[] = { "--kubernetes=on", "--kubeconfig=/nowhere",
					    NULL };

	if (open_world(&w, NULL) && ends(&w, bad, 2) && ends(&w, nameless, 2) &&
	    ends(&w, empty, 2) && ends(&w, lost, 2) && ends(&w, acting, 0)) {
		sim_kill(&w.sim);
		(void)ends(&w, acting, 3);
	}
	close_world(&w);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "all_kinds", all_kinds, false },
		{ "box_dies", box_dies, false },
		{ "script_fails", script_fails, false },
		{ "killed", killed, false },
		{ "stopped", stopped, false },
		{ "beside_a_controller", beside_a_controller, false },
		{ "refusals", refusals, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
