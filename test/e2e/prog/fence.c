/* A fence is cut after each statement of each of its two command lines: the box dies, the
 * script fails, the controller is killed while the box is in the midst of it. Whoever
 * comes next finishes it first: the history of the box has nobody let in before, and the
 * lost node's NQN never again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "e2e/vol.h"

enum { N_VOLUMES = 72, MOST_STATEMENTS = 60, SETTLE_MS = 20 };

enum way { BOX_DIES, SCRIPT_FAILS, DRIVER_KILLED };
static const char *const faults[] = {
	[BOX_DIES] = "die-at-statement",
	[SCRIPT_FAILS] = "script-error-at-statement",
	[DRIVER_KILLED] = "pause-at-statement",
};

/* What only the one command line has in it. */
static const char *const scripts[] = { "s%3Dfencing", "v1%20nvme-tcp-server-nqn" };

struct world {
	struct sim sim;
	struct driver driver;
	struct vol volumes[N_VOLUMES];
	unsigned used, hits;
};

/* What the history tells of one volume; exported and fencing as they were at its begin.
 */
struct story {
	const char *slot;
	bool is_exported, is_fencing, is_renamed;
	bool was_over;	    /* and nothing is left to finish */
	long long since_ms; /* the last of: record written, export off */
	unsigned finished;
	char first_nqn[300];
};

/* ---- the judge ---- */

static void on_record(struct story *s, const char *record)
{
	bool is_fencing = strstr(record, " s=fencing ") != NULL;

	if (is_fencing && !s->is_fencing)
		s->is_renamed = false;
	if (!is_fencing && s->is_fencing) {
		CHECK(!s->is_exported && s->is_renamed, "%s: %s, %s", s->slot,
		      s->is_exported ? "still exported" : "off",
		      s->is_renamed ? "renamed" : "not renamed");
		s->finished++;
	}
	s->is_fencing = is_fencing;
}

static void on_event(void *arg, const json_t *e)
{
	const char *prop = sim_text(e, "prop"), *new = sim_text(e, "new");
	long long t = json_integer_value(json_object_get(e, "t"));
	struct story *s = arg;

	if (strcmp(sim_text(e, "op"), "set") != 0 ||
	    strcmp(sim_text(e, "slot"), s->slot) != 0)
		return;
	if (strcmp(prop, "comment") == 0) {
		on_record(s, new);
		s->since_ms = t;
	}
	if (strcmp(prop, "nvme-tcp-export") == 0) {
		s->is_exported = strcmp(new, "yes") == 0;
		CHECK(!s->is_exported || !s->is_fencing, "%s: exported in its fence",
		      s->slot);
		s->since_ms = t;
	}
	if (strcmp(prop, "nvme-tcp-server-nqn") == 0) {
		CHECK(s->is_fencing && !s->is_exported &&
			      t - s->since_ms >= SETTLE_MS - 1,
		      "%s: renamed %lld ms after", s->slot, t - s->since_ms);
		CHECK(strcmp(new, s->first_nqn) != 0, "%s has its old name", s->slot);
		s->is_renamed = true;
	}
}

static bool follow(const struct world *w, struct story *s, long from)
{
	return CHECK(sim_history(&w->sim, from, on_event, s) >= 0, "no history") &&
	       !e2e_failed();
}

/* As the box has it now, before anybody does anything about it. */
static bool look(const struct world *w, struct story *s)
{
	json_t *disk = sim_disk(&w->sim, s->slot);

	if (!CHECK(disk, "%s is not on the box", s->slot))
		return false;
	s->is_exported = sim_is_on(disk, "nvme-tcp-export");
	s->is_fencing = strstr(sim_text(disk, "comment"), " s=fencing ") != NULL;
	s->was_over = strstr(sim_text(disk, "comment"), " g=1 s=ok h=- ") != NULL;
	s->is_renamed = false;
	if (!*s->first_nqn)
		(void)snprintf(s->first_nqn, sizeof(s->first_nqn), "%s",
			       sim_text(disk, "nvme-tcp-server-nqn"));
	json_decref(disk);
	return true;
}

/* ---- one cut ---- */

static bool is_hit(const struct world *w, enum way way)
{
	json_t *f = sim_get(&w->sim, "/fault");
	bool is = json_integer_value(json_object_get(f, faults[way])) < 0;

	json_decref(f);
	return is;
}

/* It may have answered and died right after. */
static bool has_died(struct world *w)
{
	char *text = sim_post_quiet(&w->sim, "/fault/clear");

	free(text);
	return !text && CHECK(sim_is_gone(&w->sim, 20000), "neither answers nor ends");
}

/* Until the call has ended, or the fault has struck in a way that lets nothing end. */
static bool run_into(struct world *w, struct rpc_call *call, enum way way)
{
	while (!call->is_done) {
		rpc_turn(&w->driver, 5);
		if (way == BOX_DIES && sim_is_gone(&w->sim, 0))
			return true;
		if (way == DRIVER_KILLED && is_hit(w, way))
			return true;
	}
	return way == BOX_DIES ? has_died(w) : way == SCRIPT_FAILS && is_hit(w, way);
}

/* The driver is killed, but for a script that fails; in what it left only the box's
 * record tells of the fence. */
static bool cut(struct world *w, struct vol *v, enum way way, struct story *s, long *from)
{
	struct rpc_call call;
	bool hit;

	v->node = "node-gone";
	vol_start(&w->driver, v, VOL_UNPUBLISH, &call);
	hit = run_into(w, &call, way);
	w->hits += hit;
	if (hit && way != SCRIPT_FAILS)
		driver_kill(&w->driver);
	(void)vol_end(&w->driver, v, VOL_UNPUBLISH, &call);
	if (!hit || way == SCRIPT_FAILS)
		return sim_clear(&w->sim) && hit;
	if (way == BOX_DIES) {
		*from = 0; /* what it remembered has gone with it */
		return sim_start(&w->sim) && look(w, s) && driver_start(&w->driver);
	}
	return sim_clear(&w->sim) && driver_start(&w->driver);
}

static bool is_given(const struct world *w, const struct story *s)
{
	json_t *disk = sim_disk(&w->sim, s->slot);
	bool is = strstr(sim_text(disk, "comment"), " g=1 s=ok h=node-a/w ") &&
		  sim_is_on(disk, "nvme-tcp-export") &&
		  strcmp(sim_text(disk, "nvme-tcp-server-nqn"), s->first_nqn) != 0;

	json_decref(disk);
	return is;
}

/* Another node wants the volume, or the lost one is to be detached again, or nobody wants
 * it any more. Where the record says nothing of a fence yet, its holder must go first. */
static bool next_one(struct world *w, struct vol *v, struct story *s)
{
	json_t *disk = sim_disk(&w->sim, s->slot);
	bool has_holder = strstr(sim_text(disk, "comment"), " s=ok h=node-gone/");
	unsigned who = w->used % 3;

	json_decref(disk);
	if ((who == 1 || has_holder) && !vol_must(&w->driver, v, VOL_UNPUBLISH))
		return false;
	v->node = NULL;
	if (who == 0)
		return vol_must(&w->driver, v, VOL_PUBLISH) &&
		       CHECK(is_given(w, s), "%s", s->slot);
	return who == 1 || vol_must(&w->driver, v, VOL_DELETE);
}

/* False when the statement is not in the script any more, or a check failed. */
static bool one(struct world *w, unsigned script, unsigned statement, enum way way)
{
	struct vol *v = &w->volumes[w->used];
	struct story s = { .slot = v->id };
	long from = sim_history(&w->sim, 0, NULL, NULL);
	char fault[128];

	if (!CHECK(w->used < N_VOLUMES, "more statements than expected") || !look(w, &s))
		return false;
	w->used++;
	(void)snprintf(fault, sizeof(fault), "%s=%u&match=%s", faults[way], statement,
		       scripts[script]);
	if (!sim_fault(&w->sim, fault) || !cut(w, v, way, &s, &from))
		return false;
	return next_one(w, v, &s) && follow(w, &s, from) &&
	       CHECK(s.finished == !s.was_over,
		     "%s, %s, script %u, statement %u: finished %u times", s.slot,
		     faults[way], script, statement, s.finished);
}

/* All volumes are held by a node that then nobody knows any more. */
static bool prepare(struct world *w)
{
	char id[32];

	memset(w, 0, sizeof(*w));
	(void)snprintf(w->sim.dir, sizeof(w->sim.dir), "%s/box", e2e_dir());
	w->driver = (struct driver){ .name = "driver",
				     .sim = &w->sim,
				     .is_controller = true,
				     .known_nodes = "node-a,node-gone" };
	driver_open(&w->driver);
	if (!sim_start(&w->sim) || !driver_start(&w->driver))
		return false;
	for (unsigned i = 0; i < N_VOLUMES; i++) {
		(void)snprintf(id, sizeof(id), "pvc-cut-%u", i);
		vol_init(&w->volumes[i], id);
		w->volumes[i].node = "node-gone";
		if (!vol_must(&w->driver, &w->volumes[i], VOL_CREATE) ||
		    !vol_must(&w->driver, &w->volumes[i], VOL_PUBLISH))
			return false;
	}
	driver_stop(&w->driver);
	w->driver.known_nodes = "node-a";
	return driver_start(&w->driver);
}

static void all(enum way way)
{
	static struct world w;
	unsigned before, at;

	if (prepare(&w))
		for (unsigned script = 0; script < 2; script++) {
			before = w.hits;
			for (at = 0; one(&w, script, at, way) && at < MOST_STATEMENTS;)
				at += e2e_is_full() ? 1 : 1 + e2e_below(3);
			CHECK(w.hits > before + 2, "script %u was cut %u times only",
			      script, w.hits - before);
		}
	e2e_note("%u cuts", w.hits);
	driver_stop(&w.driver);
	driver_close(&w.driver);
	sim_stop(&w.sim);
}

static void box_dies(void)
{
	all(BOX_DIES);
}

static void script_fails(void)
{
	all(SCRIPT_FAILS);
}

static void driver_killed(void)
{
	all(DRIVER_KILLED);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "box_dies", box_dies, false },
		{ "script_fails", script_fails, false },
		{ "driver_killed", driver_killed, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
