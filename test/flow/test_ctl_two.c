#include "fakes/ctl_two.h"

/* Peace: the box answers, the nodes are there, one controller leads. Every volume can be
 * let go of by all, and published to each node in turn. */
static bool reach(struct place *p, bool is_granted)
{
	for (unsigned i = 0; i < 40000; i++) {
		if (p->has_va == is_granted && (!is_granted || p->is_attached) &&
		    p->doing == IDLE)
			return true;
		work_on(p);
		turn();
		settle_calls();
		if (w->api.n_requests > 1000)
			forget_requests();
	}
	return false;
}

static void expect_nothing_stuck(void)
{
	w->is_calm = true;
	fake_rds_run_late(&w->box);
	w->c[0].k8s.is_leader = true;
	w->c[1].k8s.is_leader = false;
	for (unsigned n = 0; n < N_NODES; n++) {
		w->nodes[n] = (struct node){ .is_there = true, .is_ready = true };
		for (unsigned v = 0; v < N_VOLUMES; v++)
			place(v, n)->is_granted = false;
		put_node(n);
	}
	for (unsigned v = 0; v < N_VOLUMES; v++)
		for (unsigned n = 0; n < N_NODES; n++) {
			struct place *p = place(v, n);

			p->is_granted = false;
			put_node(n);
			p->is_leaving = p->has_va;
			put_va(p);
			cr_assert(reach(p, false), "%s stays on %s", volumes[v],
				  node_names[n]);
		}
	for (unsigned v = 0; v < N_VOLUMES; v++)
		for (unsigned n = 0; n < N_NODES; n++) {
			struct place *p = place(v, n);

			p->has_va = true;
			put_va(p);
			cr_assert(reach(p, true), "%s is stuck", volumes[v]);
			p->is_granted = false;
			put_node(n);
			p->is_leaving = true;
			put_va(p);
			cr_assert(reach(p, false), "%s stays on %s", volumes[v],
				  node_names[n]);
		}
	while (!slow_k8s_is_even(&w->c[0].k8s))
		turn();
	size_t count = 99;

	cr_assert(attachments_gauge(w->c[0].csi.attachments, &count));
	cr_assert_eq(count, 0);
}

Test(ctl_two, never_two_writers_and_nothing_stuck)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		open_world(seed);
		run(2500);
		cr_assert_str_eq(w->violation, "", "seed %llu, call %u: %s",
				 (unsigned long long)seed, w->n_calls, w->violation);
		/* It must not hold in an empty world only. */
		cr_assert_gt(w->n_grants, 200);
		cr_assert_gt(w->n_kills, 50);
		cr_assert_gt(w->n_fences, 30);
		cr_assert_gt(w->n_forced, 10);
		cr_assert_gt(w->n_moves, 30);
		expect_nothing_stuck();
		cr_assert_str_eq(w->violation, "", "seed %llu: %s",
				 (unsigned long long)seed, w->violation);
		close_world();
	}
}
