/* The brakes of the reconcilers: for each thing they do, that it is not done by who leads
 * no more, not on lists that have become stale, and not too often in one round. */
#include <string.h>

#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"

static struct rlab l;

/* ---- what there is to do: each ripe after the same number of rounds ---- */
static void lost_attachment(void)
{
	rlab_held(&l, "pvc-1", "lost");
	fake_k8s_va(l.f, "va-1", NULL, "lost", "pvc-1", true);
}

static void stale_record(void)
{
	rlab_held(&l, "pvc-1", "node-b");
}

static void stale_record_of_a_lost_node(void)
{
	rlab_held(&l, "pvc-1", "lost");
}

static void idle_export(void)
{
	rlab_volume(&l, "pvc-1")->is_exported = true;
}

static void may_be_mounted(void)
{
	rlab_volume(&l, "pvc-1")->mount_filesystem = true;
}

static void is_mounted(void)
{
	rlab_volume(&l, "pvc-1")->mount_filesystem = true;
	rlab_find(&l, "pvc-1")->is_mounted = true;
}

static void released_and_wanted(void)
{
	rlab_volume(&l, "pvc-1")->record.is_released = true;
}

static void orphan(void)
{
	rlab_volume(&l, "pvc-1")->record.is_released = true;
	fake_k8s_remove(l.f, K8S_PV, NULL, "pvc-1");
}

enum { DAY = 24 * 12 + 2 };

static const struct {
	const char *name;
	void (*make)(void);
	unsigned rounds;  /* until it is done, after the first look */
	unsigned scripts; /* that it takes */
} tasks[] = {
	{ "lost attachment", lost_attachment, 1, 2 },
	{ "stale record", stale_record, 1, 1 },
	{ "stale record of a lost node", stale_record_of_a_lost_node, 1, 2 },
	{ "idle export", idle_export, 1, 1 },
	{ "may be mounted", may_be_mounted, 0, 1 },
	{ "is mounted", is_mounted, 0, 1 },
	{ "released and wanted", released_and_wanted, 0, 1 },
	{ "orphan", orphan, DAY, 1 },
};
enum { N_TASKS = sizeof(tasks) / sizeof(tasks[0]) };

/* Another volume, so that one of two is never "most of all". */
static void open_task(unsigned i)
{
	rlab_open(&l);
	for (int k = 0; k < 8; k++) {
		char id[16];

		snprintf(id, sizeof(id), "other-%d", k);
		rlab_volume(&l, id);
	}
	tasks[i].make();
}

static bool is_mutation(const struct rds_req *req)
{
	return req->kind >= RDS_CREATE;
}

static unsigned wait_for; /* mutations that go through before */

/* When the request is made, and so before its bytes leave: the process was stopped there
 * and another one leads now. */
static enum fake_fault sleep_past_the_lease(struct fake_rds *f, const struct rds_req *req)
{
	(void)f;
	if (is_mutation(req) && wait_for-- == 0)
		l.f->is_leader = false;
	return FAKE_FINE;
}

/* What the fake box counts was asked for; what it did shows in its rows. */
static bool is_same(const struct rds_volume *a, const struct rds_volume *b)
{
	return b && strcmp(a->record.nonce, b->record.nonce) == 0 &&
	       strcmp(a->nqn, b->nqn) == 0 && a->is_exported == b->is_exported &&
	       a->is_mounted == b->is_mounted &&
	       a->mount_filesystem == b->mount_filesystem;
}

Test(reconcile_brakes, each_task_is_done_when_nothing_stops_it)
{
	for (unsigned i = 0; i < N_TASKS; i++) {
		open_task(i);
		rlab_start(&l);
		cr_assert(tasks[i].rounds == 0 || rlab_changes(&l) == 0, "%s: at once",
			  tasks[i].name);
		rlab_rounds(&l, tasks[i].rounds);
		cr_assert_eq(rlab_changes(&l), tasks[i].scripts, "%s", tasks[i].name);
		rlab_close(&l);
	}
}

Test(reconcile_brakes, who_slept_past_the_Lease_changes_nothing_at_any_script)
{
	for (unsigned i = 0; i < N_TASKS; i++)
		for (unsigned n = 0; n < tasks[i].scripts; n++) {
			struct rds_volume was;
			unsigned asked;

			open_task(i);
			was = *rlab_find(&l, "pvc-1");
			wait_for = n;
			l.c.box.choose = sleep_past_the_lease;
			rlab_start(&l);
			rlab_rounds(&l, tasks[i].rounds);
			asked = rlab_changes(&l);
			cr_assert_eq(asked, n + 1, "%s: %u", tasks[i].name, asked);
			cr_assert(n || is_same(&was, rlab_find(&l, "pvc-1")), "%s",
				  tasks[i].name);
			cr_assert(!n || rlab_find(&l, "pvc-1")->record.is_fencing);
			rlab_rounds(&l, 3);
			cr_assert_eq(rlab_changes(&l), asked, "%s", tasks[i].name);
			cr_assert_eq(fake_k8s_count(l.f, K8S_DELETE, K8S_VA), 0);
			/* It comes to lead again: the first sight, and then the rest. */
			l.c.box.choose = NULL;
			l.f->is_leader = true;
			rlab_rounds(&l, tasks[i].rounds + 2);
			cr_assert_gt(rlab_changes(&l), asked, "%s", tasks[i].name);
			rlab_close(&l);
		}
}

/* The fence is done; that the object may go is another one's to say. */
static void depose_after(struct fake_rds *f, const struct rds_volume *v)
{
	(void)f;
	if (v->record.generation == 1 && !v->record.is_fencing)
		l.f->is_leader = false;
}

Test(reconcile_brakes, who_leads_no_more_deletes_no_object)
{
	rlab_open(&l);
	lost_attachment();
	l.c.box.on_effect = depose_after;
	rlab_start(&l);
	rlab_rounds(&l, 3);
	cr_assert_eq(rlab_find(&l, "pvc-1")->record.generation, 1);
	cr_assert_eq(fake_k8s_count(l.f, K8S_DELETE, K8S_VA), 0);
	rlab_close(&l);
}

/* The API server falls silent between the list of the box and what would follow. */
static enum fake_fault fall_silent(struct fake_rds *f, const struct rds_req *req)
{
	(void)f;
	if (req->kind == RDS_LIST)
		fake_k8s_stale(l.f, true);
	return FAKE_FINE;
}

Test(reconcile_brakes, lists_that_have_become_stale_meanwhile_are_not_acted_upon)
{
	for (unsigned i = 1; i < N_TASKS; i++) {
		open_task(i);
		l.f->is_leader = false;
		rlab_start(&l);
		l.f->is_leader = true;
		rlab_rounds(&l, tasks[i].rounds == DAY ? DAY - 4 : tasks[i].rounds);
		l.c.box.choose = fall_silent;
		rlab_rounds(&l, 4);
		cr_assert_eq(rlab_changes(&l), 0, "%s", tasks[i].name);
		l.c.box.choose = NULL;
		fake_k8s_stale(l.f, false);
		rlab_rounds(&l, tasks[i].rounds + 2);
		cr_assert_gt(rlab_changes(&l), 0, "%s", tasks[i].name);
		rlab_close(&l);
	}
}

Test(reconcile_brakes, what_a_stale_list_showed_was_not_seen)
{
	open_task(3);
	l.c.box.choose = fall_silent;
	rlab_start(&l);
	l.c.box.choose = NULL;
	fake_k8s_stale(l.f, false);
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_changes(&l), 0, "the first sight");
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_done(&l, RECONCILE_SWITCH_OFF), 1);
	rlab_close(&l);
}

/* Between the two looks of one round's acts. */
static enum fake_fault fall_silent_after_one(struct fake_rds *f,
					     const struct rds_req *req)
{
	(void)f;
	if (is_mutation(req))
		fake_k8s_stale(l.f, true);
	return FAKE_FINE;
}

Test(reconcile_brakes, the_second_of_two_is_left_alone_when_the_lists_become_stale)
{
	rlab_open(&l);
	rlab_volume(&l, "pvc-1")->is_exported = true;
	rlab_volume(&l, "pvc-2")->is_exported = true;
	l.c.box.choose = fall_silent_after_one;
	rlab_start(&l);
	rlab_rounds(&l, 3);
	cr_assert_eq(rlab_changes(&l), 1);
	rlab_close(&l);
}

/* ---- a maximum per round ---- */
static void make_many(unsigned n, void (*bend)(struct rds_volume *v))
{
	for (unsigned i = 0; i < n; i++) {
		char id[32];

		snprintf(id, sizeof(id), "many-%u", i);
		bend(rlab_volume(&l, id));
	}
}

static void export_it(struct rds_volume *v)
{
	v->is_exported = true;
}

static void let_mount(struct rds_volume *v)
{
	v->mount_filesystem = true;
}

static void hold_it(struct rds_volume *v)
{
	v->is_exported = true;
	v->record.n_holders = 1;
	v->record.holders[0] = (struct rds_holder){ "node-b", 'w' };
}

Test(reconcile_brakes, a_round_does_few_of_each)
{
	static const struct {
		void (*bend)(struct rds_volume *v);
		enum reconcile_action action;
		unsigned n, per_round, rounds;
	} cases[] = {
		{ export_it, RECONCILE_SWITCH_OFF, 50, RECONCILE_MAX_ACTS, 1 },
		{ let_mount, RECONCILE_NO_MOUNT, 50, RECONCILE_MAX_ACTS, 0 },
		{ hold_it, RECONCILE_GIVE_WAY, 12, RECONCILE_MAX_GIVING_WAY, 1 },
	};

	for (unsigned i = 0; i < 3; i++) {
		rlab_open(&l);
		make_many(cases[i].n, cases[i].bend);
		if (cases[i].action == RECONCILE_GIVE_WAY)
			for (unsigned k = 0; k < 20; k++) { /* with their objects */
				char id[32];

				snprintf(id, sizeof(id), "fine-%u", k);
				hold_it(rlab_volume(&l, id));
				fake_k8s_va(l.f, id, NULL, "node-b", id, true);
			}
		rlab_start(&l);
		rlab_rounds(&l, cases[i].rounds);
		cr_assert_eq(rlab_done(&l, cases[i].action), cases[i].per_round, "%u", i);
		rlab_rounds(&l, 1);
		cr_assert_eq(rlab_done(&l, cases[i].action), cases[i].n, "%u", i);
		rlab_close(&l);
	}
}
