/* A live migration whose source is lost after the switch-over. VM A is node-a, the
 * source; VM B is the box, the controller and node-b, the destination. Both hold one raw
 * block volume and write to it, each through a connection of its own. A ends as by a
 * power cut; B's writes must never stop, whatever is done about A, and A is cut off once
 * B has left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lab.h"
#include "vm/peer.h"

enum {
	HEAR_MS = 360000,
	SLOTS = 256,
	BASE_B = 64 << 20,
	LONGEST_MS = 30000,
};

static bool write_as(const struct vol *v, const char *node, struct track *t,
		     struct writer *w)
{
	lab_track(v, t);
	t->slots = SLOTS;
	t->is_direct = true; /* as a virtual machine's disk is written */
	if (strcmp(node, "node-b") == 0) {
		t->seed ^= 1;
		t->base = BASE_B;
	}
	return writer_start(w, t, 8) &&
	       CHECK(writer_advances(w, 64, 60000), "%s cannot write", node);
}

/* ---- the source ---- */

static void source(void)
{
	struct lab lab = { .no_sim = true,
			   .no_controller = true,
			   .driver.node_id = "node-a" };
	struct writer w = { 0 };
	struct track t;
	struct vol v;

	if (lab_open(&lab) && peer_hear_vol(&v, HEAR_MS) &&
	    lab_steps(&lab, &v, VOL_STAGE, VOL_NODE_PUBLISH) &&
	    write_as(&v, "node-a", &t, &w) && peer_say("writing") &&
	    peer_await("both", HEAR_MS) &&
	    CHECK(writer_advances(&w, 64, 60000), "the source stands still beside B") &&
	    CHECK(w.shared->errors == 0, "%llu errors on the source",
		  (unsigned long long)w.shared->errors) &&
	    peer_say("%llu", (unsigned long long)w.shared->synced) &&
	    peer_await("die", HEAR_MS) && !e2e_failed())
		peer_die(); /* in the midst of its writes */
	writer_free(&w);
	lab_close(&lab);
}

/* ---- the destination ---- */

struct run {
	struct lab lab;
	struct vol v;
	struct writer w;
	struct track t;
	char nqn[300];
};

/* The same name as before, one live connection, and writing goes on. */
static bool goes_on(struct run *r, const char *when)
{
	json_t *disk = sim_disk(&r->lab.sim, r->v.id);
	bool is_same = strcmp(sim_text(disk, "nvme-tcp-server-nqn"), r->nqn) == 0,
	     is_on = sim_is_on(disk, "nvme-tcp-export");

	json_decref(disk);
	return CHECK(is_same && is_on, "%s: the export was touched", when) &&
	       CHECK(writer_advances(&r->w, 64, 60000), "%s: node-b's writes stand still",
		     when) &&
	       CHECK(r->w.shared->errors == 0, "%s: %llu errors on node-b", when,
		     (unsigned long long)r->w.shared->errors) &&
	       CHECK(kern_live(r->nqn) == 1, "%s: %s", when, kern_state(r->nqn));
}

static bool is_refused(struct run *r, enum vol_step step, const char *node)
{
	enum err_code code;

	r->v.node = node;
	code = vol_do(&r->lab.driver, &r->v, step);
	r->v.node = "node-b";
	return CHECK(code == ERR_PRECONDITION, "%s of %s: %d %s", vol_step_name(step),
		     node, code, rpc_message());
}

/* The target must notice soon that A is silent; B stays even if its machine stands still
 * for a while. */
static void keep_b_alive(struct vol_context *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->pairs[2 * i], "keepAliveTmo") == 0)
			c->pairs[2 * i + 1] = "60";
}

static bool both_hold(struct run *r)
{
	r->v.is_block = true;
	r->v.mode =
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER;
	/* A connection that was cut would be tried again after a minute only. */
	r->v.parameters[2] = "reconnectDelay";
	r->v.parameters[3] = "60";
	r->v.node = "node-a";
	if (!lab_steps(&r->lab, &r->v, VOL_CREATE, VOL_PUBLISH) || !peer_say_vol(&r->v) ||
	    !peer_await("writing", HEAR_MS))
		return false;
	r->v.node = "node-b";
	keep_b_alive(&r->v.context);
	if (!lab_steps(&r->lab, &r->v, VOL_PUBLISH, VOL_NODE_PUBLISH))
		return false;
	(void)snprintf(r->nqn, sizeof(r->nqn), "%.299s", lab_nqn(&r->v));
	return write_as(&r->v, "node-b", &r->t, &r->w) &&
	       is_refused(r, VOL_PUBLISH, "node-c");
}

/* node-a is not known any more: it counts as lost. */
static bool lose_source(struct run *r)
{
	if (!peer_say("die"))
		return false;
	driver_stop(&r->lab.driver);
	r->lab.driver.known_nodes = "node-c";
	return driver_start(&r->lab.driver) && goes_on(r, "the source has gone") &&
	       is_refused(r, VOL_UNPUBLISH, "node-a") &&
	       goes_on(r, "it is unpublished") && is_refused(r, VOL_PUBLISH, "node-c") &&
	       goes_on(r, "another node was refused");
}

/* Long enough for the target to notice that the source is silent. */
static bool stay(struct run *r)
{
	e2e_sleep_ms(15000);
	return goes_on(r, "15 s later") &&
	       CHECK(r->w.shared->longest_ms < LONGEST_MS, "a write took %llu ms",
		     (unsigned long long)r->w.shared->longest_ms);
}

/* With the survivor gone too the name changes, and a third node may have the volume. */
static bool survivor_leaves(struct run *r)
{
	json_t *disk;
	bool is_new;

	if (!CHECK(writer_end(&r->w, 60000), "the writer hangs") ||
	    !lab_steps(&r->lab, &r->v, VOL_NODE_UNPUBLISH, VOL_UNPUBLISH))
		return false;
	is_refused(r, VOL_PUBLISH, "node-c");
	r->v.node = "node-a";
	if (!vol_must(&r->lab.driver, &r->v, VOL_UNPUBLISH))
		return false;
	disk = sim_disk(&r->lab.sim, r->v.id);
	is_new = strcmp(sim_text(disk, "nvme-tcp-server-nqn"), r->nqn) != 0;
	json_decref(disk);
	r->v.node = "node-c";
	return CHECK(is_new, "the lost node could come back") &&
	       lab_steps(&r->lab, &r->v, VOL_PUBLISH, VOL_PUBLISH);
}

static bool data_right(struct run *r, uint64_t synced_a)
{
	struct track a = r->t;

	lab_track(&r->v, &a);
	if (!CHECK(sim_image(&r->lab.sim, r->v.id, a.path, sizeof(a.path)), "no image"))
		return false;
	memcpy(r->t.path, a.path, sizeof(a.path));
	kern_drop_caches();
	return track_check(&a, synced_a) && track_check(&r->t, r->w.shared->synced);
}

static void destination(void)
{
	static struct run r;
	char line[PEER_LINE];
	uint64_t synced = 0;

	memset(&r, 0, sizeof(r));
	r.lab.address = peer_own_address();
	r.lab.known_nodes = "node-a,node-b,node-c";
	r.lab.driver.node_id = "node-b";
	if (lab_open(&r.lab)) {
		lab_vol(&r.lab, &r.v, "pvc-migrate");
		if (both_hold(&r) && peer_say("both") && peer_hear(line, HEAR_MS)) {
			synced = strtoull(line, NULL, 10);
			if (lose_source(&r) && stay(&r) && survivor_leaves(&r) &&
			    data_right(&r, synced))
				lab_steps(&r.lab, &r.v, VOL_UNPUBLISH, VOL_DELETE);
			e2e_note("A synced %llu, B %llu; the longest write took %llu ms",
				 (unsigned long long)synced,
				 (unsigned long long)r.w.shared->synced,
				 (unsigned long long)r.w.shared->longest_ms);
		}
	}
	writer_free(&r.w);
	lab_close(&r.lab);
}

static void source_lost_after_the_switch(void)
{
	if (peer_open())
		(peer_is_a() ? source : destination)();
	peer_close();
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "source_lost_after_the_switch", source_lost_after_the_switch, true },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
