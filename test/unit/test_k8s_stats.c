/* What the metrics read of the API client, the Lease, the Events and the queues. */
#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "csi/controller/vmi.h"
#include "fakes/fake_k8s.h"
#include "k8s/api.h"
#include "k8s/events.h"
#include "k8s/lease.h"
#include "support/api_lab.h"

static unsigned n_done, n_posted;
static char last_reason[64];
static bool is_cut; /* no request succeeds */

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void on_posted(const char *reason)
{
	n_posted++;
	snprintf(last_reason, sizeof(last_reason), "%s", reason);
}

static struct fake_k8s_fault refuse_some(struct fake_k8s *f, const struct k8s_request *r)
{
	struct fake_k8s_fault fault = { .what = FAKE_K8S_FINE };

	(void)f;
	if (is_cut || (r->kind == K8S_EVENT && strstr(r->body, "refused")))
		fault = (struct fake_k8s_fault){ FAKE_K8S_REFUSE, ERR_PERMISSION };
	return fault;
}

static void pass(struct t_loop *l, uint64_t ms)
{
	clock_advance(&l->uv, 0);
	for (uint64_t end = clock_now_ms(&l->uv) + ms; clock_now_ms(&l->uv) < end;) {
		for (int i = 0; i < 16; i++)
			(void)uv_run(&l->uv, UV_RUN_NOWAIT);
		clock_advance(&l->uv, 100);
	}
}

static void emit(struct events *e, const char *claim, const char *reason)
{
	events_emit(e, &(struct k8s_event){ .ns = "ns",
					    .claim = claim,
					    .uid = "u",
					    .reason = reason,
					    .message = reason });
}

Test(k8s_stats, events_are_told_by_what_became_of_them)
{
	static struct events e;
	static struct fake_k8s k8s;
	struct events_stats s;
	struct t_loop l;
	char claim[32];

	t_loop_open(&l);
	clock_hold(&l.uv);
	fake_k8s_open(&k8s, &l.uv, "d.example");
	k8s.choose = refuse_some;
	e.conf = (struct events_conf){ .k8s = &k8s.k8s,
				       .source = { "x", "y" },
				       .posted = on_posted };
	events_start(&e, on_done);
	emit(&e, "c", "VolumeAttached");
	emit(&e, "c", "refused");
	cr_assert_eq(n_posted, 0);
	pass(&l, 1000);
	events_stats(&e, &s);
	cr_assert(s.failed == 1 && s.dropped == 0);
	cr_assert_eq(n_posted, 1);
	cr_assert_str_eq(last_reason, "VolumeAttached");
	emit(&e, "c", "VolumeAttached"); /* its count is raised: posted too */
	pass(&l, 1000);
	cr_assert_eq(n_posted, 2);
	for (unsigned i = 0; i < EVENT_WAITING_MAX + 7; i++) {
		snprintf(claim, sizeof(claim), "c%u", i);
		emit(&e, claim, "Many");
	}
	events_stats(&e, &s);
	cr_assert_eq(s.dropped, 7);
	events_stop(&e);
	clock_advance(&l.uv, 0);
	t_run_until(&l, n_done == 1);
	fake_k8s_close(&k8s);
	t_loop_close(&l);
}

Test(k8s_stats, a_lease_is_told_as_it_is_held_and_lost)
{
	static struct lease a;
	static struct fake_k8s k8s;
	struct lease_stats s;
	struct t_loop l;

	t_loop_open(&l);
	clock_hold(&l.uv);
	fake_k8s_open(&k8s, &l.uv, "d.example");
	k8s.choose = refuse_some;
	a.conf = (struct lease_conf){ .k8s = &k8s.k8s,
				      .ns = "ns",
				      .name = "d-controller",
				      .identity = "a",
				      .terms = lease_usual_terms };
	lease_start(&a, on_done);
	lease_stats(&a, &s);
	cr_assert(!lease_is_leader(&a) && s.gained == 0);
	pass(&l, 3000);
	lease_stats(&a, &s);
	cr_assert(lease_is_leader(&a) && s.gained == 1 && s.lost == 0 && s.failed == 0);
	is_cut = true;
	pass(&l, 30000);
	lease_stats(&a, &s);
	cr_assert(!lease_is_leader(&a) && s.lost == 1 && s.failed > 0);
	lease_stop(&a);
	pass(&l, 3000);
	t_run_until(&l, n_done == 1);
	fake_k8s_close(&k8s);
	t_loop_close(&l);
}

Test(k8s_stats, queues_of_virtual_machines)
{
	struct vmi_place p[4] = { { .queue = NULL } };
	struct vmi_stats s;
	struct vmi v;

	vmi_init(&v, NULL, 60000);
	vmi_stats(&v, &s);
	cr_assert(s.machines == 0 && s.waiting == 0);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(vmi_join(&v, &p[i], i < 3 ? "ns/a" : "ns/b"), 0);
	vmi_stats(&v, &s);
	cr_assert(s.machines == 2 && s.waiting == 2);
	(void)vmi_quit(&v, &p[0]);
	vmi_stats(&v, &s);
	cr_assert(s.machines == 2 && s.waiting == 1);
	for (unsigned i = 1; i < 4; i++)
		(void)vmi_quit(&v, &p[i]);
	vmi_fini(&v);
	cr_assert_eq(mem_live(), 0);
}

enum { REQUESTS = 60 };

Test(k8s_stats, watches_and_requests_that_wait)
{
	static struct k8s_request r[REQUESTS];
	static struct api_lab x;
	struct k8s_api_stats s;

	api_lab_open(&x);
	api_sim_node(&x.sim, "node-a", true);
	api_lab_start(&x);
	k8s_api_stats(x.api, &s);
	cr_assert_eq(s.kinds[K8S_NODE].age_ms, UINT64_MAX);
	cr_assert(api_lab_settle(&x, 5000));
	api_lab_turn(&x, 300);
	k8s_api_stats(x.api, &s);
	for (unsigned i = 0; i < K8S_WATCHED; i++) {
		cr_assert(s.kinds[i].age_ms < 5000);
		cr_assert(s.kinds[i].lists == 1);
		cr_assert_eq(s.kinds[i].streams, 1);
	}
	cr_assert_eq(s.kinds[K8S_NODE].objects, 1);
	for (unsigned i = 0; i < REQUESTS; i++) {
		r[i] = (struct k8s_request){ .verb = K8S_GET,
					     .kind = K8S_NODE,
					     .name = "nobody" };
		k8s_request_start(x.k, &r[i], on_done);
	}
	api_lab_pass(&x, 100);
	cr_assert(n_done > 0 && n_done < REQUESTS, "the others wait for their turn");
	api_lab_pass(&x, 5000);
	cr_assert_eq(n_done, REQUESTS);
	api_sim_end_watches(&x.sim);
	api_lab_pass(&x, 1000);
	k8s_api_stats(x.api, &s);
	cr_assert_geq(s.kinds[K8S_NODE].streams, 2);
	api_lab_pass(&x, K8S_STALE_MS / 2);
	k8s_api_stats(x.api, &s);
	cr_assert_gt(s.kinds[K8S_NODE].age_ms, 0);
	api_lab_close(&x);
}
