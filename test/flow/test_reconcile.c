#include <string.h>

#include "fakes/call_seam.h"
#include "fakes/reconcile_lab.h"

static struct rlab l;

/* A volume that the vanished node "lost" holds, by record and by object. */
static void lose(const char *id)
{
	char name[80];

	snprintf(name, sizeof(name), "va-%s", id);
	rlab_held(&l, id, "lost");
	fake_k8s_va(l.f, name, NULL, "lost", id, true);
}

static const struct k8s_object *va_of(const char *id)
{
	char name[80];

	snprintf(name, sizeof(name), "va-%s", id);
	return fake_k8s_find(l.f, K8S_VA, NULL, name);
}

static unsigned deletes(void)
{
	return fake_k8s_count(l.f, K8S_DELETE, K8S_VA);
}

/* ---- VolumeAttachments of nodes that are no more ---- */
static struct fake_k8s_fault on_delete(struct fake_k8s *f, const struct k8s_request *r)
{
	const struct rds_volume *v = rlab_find(&l, "pvc-1");

	if (r->verb == K8S_DELETE)
		cr_assert(!v->is_exported && !v->record.n_holders &&
				  !v->record.is_fencing && v->record.generation == 1,
			  "deleted before the fence");
	(void)f;
	return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
}

Test(reconcile, a_vanished_node_is_fenced_and_then_its_object_deleted)
{
	const struct fake_k8s_event *e;
	char uid[64], body[128];

	rlab_open(&l);
	lose("pvc-1");
	l.f->choose = on_delete;
	snprintf(uid, sizeof(uid), "%s", va_of("pvc-1")->uid);
	rlab_start(&l);
	cr_assert_eq(rlab_changes(&l), 0, "at the first sight");
	cr_assert_eq(l.f->n_requests, 0);
	rlab_rounds(&l, 1);
	cr_assert_null(va_of("pvc-1"));
	cr_assert_eq(deletes(), 1);
	snprintf(body, sizeof(body), "{\"preconditions\":{\"uid\":\"%s\"}}", uid);
	cr_assert_str_eq(l.f->requests[l.f->n_requests - 1].body, body);
	cr_assert_eq(l.c.box.n_kind[RDS_FENCE_FINISH], 1);
	e = fake_k8s_last_event(l.f, "StaleAttachmentCleared");
	cr_assert(e && !e->is_warning);
	cr_assert_str_eq(e->ns, "default");
	cr_assert_str_eq(e->claim, "claim-pvc-1");
	cr_assert_eq(rlab_counted("clear_stale", METRIC_DONE), 1);
	rlab_rounds(&l, 2);
	cr_assert_eq(deletes(), 1);
	rlab_close(&l);
}

Test(reconcile, an_object_that_is_being_deleted_is_the_attacher_s)
{
	rlab_open(&l);
	lose("pvc-1");
	l.f->has_finalizers = true;
	rlab_start(&l);
	rlab_rounds(&l, 3);
	cr_assert_eq(deletes(), 1);
	cr_assert(va_of("pvc-1")->is_deleting);
	rlab_close(&l);
}

Test(reconcile, the_node_or_a_pod_there_keeps_the_object)
{
	rlab_open(&l);
	lose("pvc-1");
	/* A store that lacks the Node, and an API server that has it. */
	fake_k8s_hold(l.f, K8S_NODE);
	fake_k8s_node(l.f, "lost", true, false, NULL);
	rlab_start(&l);
	rlab_rounds(&l, 2);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(fake_k8s_count(l.f, K8S_GET, K8S_NODE), 2);
	fake_k8s_remove(l.f, K8S_NODE, NULL, "lost");
	fake_k8s_release(l.f, K8S_NODE);
	fake_k8s_pod(l.f, "default", "pod-1", "lost", "claim-pvc-1", NULL);
	rlab_rounds(&l, 2);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(deletes(), 0);
	/* One on another node, of another claim, or of another namespace is none. */
	fake_k8s_remove(l.f, K8S_POD, "default", "pod-1");
	fake_k8s_pod(l.f, "default", "pod-2", "node-a", "claim-pvc-1", NULL);
	fake_k8s_pod(l.f, "default", "pod-3", "lost", "claim-pvc-2", NULL);
	fake_k8s_pod(l.f, "other", "pod-4", "lost", "claim-pvc-1", NULL);
	rlab_rounds(&l, 1);
	cr_assert_eq(deletes(), 1);
	rlab_close(&l);
}

Test(reconcile, an_api_server_that_does_not_answer_proves_nothing)
{
	static const enum err_code codes[] = { ERR_UNAVAILABLE, ERR_PERMISSION,
					       ERR_DEADLINE, ERR_EXHAUSTED };

	for (unsigned i = 0; i < 4; i++)
		for (unsigned skip = 0; skip < 2; skip++) {
			rlab_open(&l);
			lose("pvc-1");
			rlab_start(&l);
			l.f->fault = (struct fake_k8s_fault){ FAKE_K8S_REFUSE, codes[i] };
			l.f->skip = skip;
			rlab_rounds(&l, 1);
			cr_assert_eq(rlab_changes(&l), 0, "%u %u", i, skip);
			cr_assert_eq(deletes(), 0);
			cr_assert_geq(l.r.shared.stats.errors, 1);
			rlab_rounds(&l, 1);
			cr_assert_eq(deletes(), 1, "%u %u", i, skip);
			rlab_close(&l);
		}
}

/* The fence fails as long as the box is away: no object goes. */
Test(reconcile, without_a_fence_the_object_stays)
{
	rlab_open(&l);
	lose("pvc-1");
	rlab_start(&l);
	l.c.box.fault = FAKE_REFUSE;
	rlab_rounds(&l, 1);
	cr_assert_eq(deletes(), 0);
	rlab_rounds(&l, 1);
	cr_assert_eq(deletes(), 1);
	rlab_close(&l);
}

static bool is_deposed_by(enum k8s_verb verb, enum k8s_kind kind,
			  const struct k8s_request *r)
{
	return r->verb == verb && r->kind == kind;
}

static enum k8s_verb depose_verb;
static enum k8s_kind depose_kind;
static struct fake_k8s_fault depose(struct fake_k8s *f, const struct k8s_request *r)
{
	if (is_deposed_by(depose_verb, depose_kind, r))
		f->is_leader = false;
	return (struct fake_k8s_fault){ .what = FAKE_K8S_FINE };
}

Test(reconcile, who_leads_no_more_changes_nothing)
{
	rlab_open(&l);
	lose("pvc-1");
	l.f->is_leader = false;
	rlab_start(&l);
	rlab_rounds(&l, 3);
	cr_assert_eq(l.c.box.n_execs, 0);
	cr_assert_eq(l.f->n_requests, 0);
	/* What it saw then does not count. */
	l.f->is_leader = true;
	rlab_rounds(&l, 1);
	cr_assert_eq(l.f->n_requests, 0);
	/* Deposed in the middle of a round. */
	depose_verb = K8S_LIST;
	depose_kind = K8S_POD;
	l.f->choose = depose;
	rlab_rounds(&l, 1);
	cr_assert_eq(fake_k8s_count(l.f, K8S_LIST, K8S_POD), 1);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(deletes(), 0);
	rlab_close(&l);
}

Test(reconcile, nothing_is_done_on_lists_that_are_stale_or_not_whole)
{
	for (int i = 0; i < 2; i++) {
		rlab_open(&l);
		lose("pvc-1");
		rlab_held(&l, "pvc-2", "lost");
		rlab_volume(&l, "pvc-3")->is_exported = true;
		rlab_start(&l);
		if (i)
			fake_k8s_stale(l.f, true);
		else
			fake_k8s_incomplete(l.f);
		rlab_rounds(&l, 3);
		cr_assert_eq(rlab_changes(&l), 0);
		cr_assert_eq(deletes(), 0);
		cr_assert_geq(metric_counted(METRIC_RECONCILE_PASSED, 0, 0), 3);
		if (i)
			fake_k8s_stale(l.f, false);
		else
			fake_k8s_relist(l.f);
		rlab_rounds(&l, 1);
		cr_assert_eq(rlab_changes(&l), 0, "the first sight again");
		rlab_rounds(&l, 1);
		cr_assert_eq(deletes(), 1);
		cr_assert_eq(rlab_done(&l, RECONCILE_GIVE_WAY), 1);
		cr_assert_eq(rlab_done(&l, RECONCILE_SWITCH_OFF), 1);
		rlab_close(&l);
	}
}

Test(reconcile, a_volume_that_a_call_works_on_is_left_to_it)
{
	struct inflight in = { .map = NULL };
	struct err err;

	rlab_open(&l);
	lose("pvc-1");
	rlab_start(&l);
	cr_assert_eq(inflight_enter(&l.c.csi.inflight, &in, "pvc-1", "test", &err), 0);
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(deletes(), 0);
	cr_assert_geq(rlab_skipped(), 1);
	inflight_leave(&in);
	rlab_rounds(&l, 1);
	cr_assert_eq(deletes(), 1);
	rlab_close(&l);
}

Test(reconcile, a_dry_run_only_tells)
{
	rlab_open(&l);
	l.conf.is_attachment_dry_run = l.conf.is_export_dry_run = true;
	l.conf.is_mount_dry_run = true;
	lose("pvc-1");
	rlab_held(&l, "pvc-2", "lost");
	rlab_volume(&l, "pvc-3")->is_exported = true;
	rlab_volume(&l, "pvc-4")->mount_filesystem = true;
	rlab_start(&l);
	rlab_rounds(&l, 2);
	cr_assert_eq(rlab_changes(&l), 0);
	cr_assert_eq(deletes(), 0);
	cr_assert_geq(rlab_counted("give_way", METRIC_TOLD), 1);
	cr_assert_geq(rlab_counted("clear_stale", METRIC_TOLD), 1);
	cr_assert_eq(rlab_skipped(), 0);
	cr_assert_geq(rlab_counted("switch_off", METRIC_TOLD), 1);
	cr_assert_geq(rlab_counted("no_mount", METRIC_TOLD), 1);
	rlab_close(&l);
}

Test(reconcile, a_deleted_node_brings_the_round_forward)
{
	uint64_t rounds;

	rlab_open(&l);
	fake_k8s_node(l.f, "lost", true, false, NULL);
	lose("pvc-1");
	rlab_start(&l);
	rounds = l.r.shared.stats.rounds;
	rlab_pass(&l, 10000);
	cr_assert_eq(l.r.shared.stats.rounds, rounds);
	fake_k8s_remove(l.f, K8S_NODE, NULL, "lost");
	rlab_pass(&l, RECONCILE_HURRY_MS);
	cr_assert_eq(l.r.shared.stats.rounds, rounds + 1);
	rlab_pass(&l, RECONCILE_LOST_MS - 1000);
	cr_assert_eq(rlab_changes(&l), 0, "two sightings all the same");
	rlab_pass(&l, 1000);
	cr_assert_eq(l.r.shared.stats.rounds, rounds + 2);
	cr_assert_eq(deletes(), 1);
	rlab_pass(&l, RLAB_INTERVAL_MS - 1000);
	cr_assert_eq(l.r.shared.stats.rounds, rounds + 2, "and no hurry any more");
	rlab_close(&l);
}

static unsigned n_begun; /* fences, when the first of them was done */

static void on_effect(struct fake_rds *f, const struct rds_volume *v)
{
	(void)v;
	if (f->n_kind[RDS_FENCE_FINISH] && !n_begun)
		n_begun = f->n_kind[RDS_FENCE_BEGIN];
}

/* Each waits for writes to settle: one after the other they would take as many times as
 * long. */
Test(reconcile, the_volumes_of_a_lost_node_are_fenced_side_by_side)
{
	char id[32];

	rlab_open(&l);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "pvc-%d", i);
		lose(id);
	}
	n_begun = 0;
	l.c.box.on_effect = on_effect;
	rlab_start(&l);
	rlab_pass(&l, RECONCILE_LOST_MS);
	cr_assert_eq(deletes(), 20);
	cr_assert_eq(n_begun, RECONCILE_AT_ONCE);
	rlab_close(&l);
}

Test(reconcile, who_has_just_come_to_lead_looks_soon)
{
	rlab_open(&l);
	lose("pvc-1");
	l.f->is_leader = false;
	rlab_start(&l);
	rlab_pass(&l, 15000);
	cr_assert_eq(l.r.shared.stats.rounds, 2);
	cr_assert_eq(l.f->n_requests, 0);
	l.f->is_leader = true;
	rlab_pass(&l, 15000);
	rlab_pass(&l, RLAB_INTERVAL_MS);
	cr_assert_eq(deletes(), 1);
	rlab_close(&l);
}

Test(reconcile, a_round_clears_some_and_the_next_the_rest)
{
	char id[32];

	rlab_open(&l);
	for (int i = 0; i < RECONCILE_MAX_ATTACHMENTS + 8; i++) {
		snprintf(id, sizeof(id), "pvc-%d", i);
		lose(id);
	}
	rlab_start(&l);
	rlab_rounds(&l, 1);
	cr_assert_leq(deletes(), RECONCILE_MAX_ATTACHMENTS);
	cr_assert_gt(deletes(), 0);
	rlab_rounds(&l, 2);
	cr_assert_eq(deletes(), RECONCILE_MAX_ATTACHMENTS + 8);
	rlab_close(&l);
}

/* ---- a box and a memory that fail ---- */
Test(reconcile, a_list_that_fails_changes_nothing)
{
	rlab_open(&l);
	rlab_held(&l, "pvc-1", "lost");
	rlab_start(&l);
	for (int i = 0; i < 3; i++) {
		l.c.box.fault = FAKE_REFUSE;
		rlab_rounds(&l, 1);
		cr_assert_eq(rlab_changes(&l), 0);
		cr_assert_eq(l.r.shared.stats.errors, i + 1u);
	}
	rlab_rounds(&l, 1);
	cr_assert_eq(rlab_done(&l, RECONCILE_GIVE_WAY), 1);
	rlab_close(&l);
}

static void work(void)
{
	rlab_open(&l);
	lose("pvc-1");
	rlab_held(&l, "pvc-2", "lost");
	rlab_volume(&l, "pvc-3")->is_exported = true;
	rlab_volume(&l, "pvc-4")->mount_filesystem = true;
	l.c.csi.fence_settle_ms = 5;
	rlab_start(&l);
}

Test(reconcile, it_ends_wherever_it_is_stopped)
{
	for (int turns = 0; turns < 90; turns++) {
		work();
		clock_advance(&l.c.l.uv, RLAB_INTERVAL_MS);
		for (int i = 0; i < turns; i++) {
			uv_run(&l.c.l.uv, UV_RUN_NOWAIT);
			clock_advance(&l.c.l.uv, 1);
		}
		rlab_close(&l);
	}
	/* Before its first step. */
	rlab_open(&l);
	l.is_running = true;
	rlab_start(&l);
	rlab_close(&l);
}

Test(reconcile, it_survives_any_lack_of_memory)
{
	long n;

	work();
	mem_fail_at(-1);
	rlab_rounds(&l, 1);
	n = mem_count();
	rlab_close(&l);
	for (long i = 0; i < n + 4; i++) {
		work();
		mem_fail_at(i);
		rlab_rounds(&l, 1);
		mem_fail_at(-1);
		rlab_rounds(&l, 4);
		cr_assert_eq(deletes(), 1, "%ld", i);
		cr_assert_eq(rlab_find(&l, "pvc-2")->record.n_holders, 0, "%ld", i);
		cr_assert(!rlab_find(&l, "pvc-3")->is_exported, "%ld", i);
		cr_assert(!rlab_find(&l, "pvc-4")->mount_filesystem, "%ld", i);
		rlab_close(&l);
	}
}
