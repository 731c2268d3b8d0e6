#ifndef CTL_TWO_PEACE_H
#define CTL_TWO_PEACE_H
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
		cluster_forget(&w->cluster);
	}
	return false;
}

static void expect_nothing_stuck(void)
{
	w->is_calm = true;
	fake_rds_run_late(&w->box);
	w->c[0].view.is_leader = true;
	w->c[1].view.is_leader = false;
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
	while (!view_is_even(&w->c[0].view))
		turn();
	size_t count = 99;

	cr_assert(attachments_gauge(w->c[0].csi.attachments, &count));
	cr_assert_eq(count, 0);
}
#endif
