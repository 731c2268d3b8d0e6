#include "support/t.h"

#include <stdio.h>

#include "csi/controller/watched.h"
#include "fakes/fake_k8s.h"

struct lab {
	struct t_loop l;
	struct fake_k8s f;
	struct watched *w;
};

static void open_lab(struct lab *lab)
{
	t_loop_open(&lab->l);
	fake_k8s_open(&lab->f, &lab->l.uv, "rds.csi.srvlab.io");
	lab->w = watched_new(&lab->f.k8s);
	cr_assert_not_null(lab->w);
	cr_assert_eq(watched_settle(lab->w), 0);
}

static void close_lab(struct lab *lab)
{
	watched_free(lab->w);
	fake_k8s_close(&lab->f);
	t_loop_close(&lab->l);
}

static unsigned count_vas(struct lab *lab, const char *handle)
{
	const struct watched_va *va = NULL;
	unsigned n = 0;

	while ((va = watched_next(lab->w, handle, va)))
		n++;
	return n;
}

static void release(struct lab *lab, const char *handle, const char *node)
{
	const struct watched_release r = { .node = node, .is_clean = true, .now_ms = 7 };

	watched_release(lab->w, handle, &r);
}

Test(watched, objects_come_in_any_order_and_before_the_index)
{
	struct lab lab;

	open_lab(&lab);
	/* The VolumeAttachment first. */
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	cr_assert_str_eq(watched_unresolved(lab.w), "pv-1");
	cr_assert_eq(count_vas(&lab, "h1"), 0);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	cr_assert_eq(watched_settle(lab.w), 0);
	cr_assert_null(watched_unresolved(lab.w));
	cr_assert_eq(count_vas(&lab, "h1"), 1);
	cr_assert_eq(watched_count(lab.w, false), 1);
	/* The PV first; two on one handle; inline. */
	fake_k8s_pv(&lab.f, "pv-2", "h1");
	fake_k8s_va(&lab.f, "va-2", NULL, "b", "pv-2", true);
	struct k8s_va va = { .o = { .kind = K8S_VA, .name = "va-3", .uid = "u3" },
			     .node = "c",
			     .handle = "h1",
			     .is_attached = true };
	fake_k8s_put(&lab.f, &va.o);
	cr_assert_eq(count_vas(&lab, "h1"), 3);
	cr_assert_eq(watched_count(lab.w, false), 1);
	/* Another index over what is there already. */
	watched_free(lab.w);
	lab.w = watched_new(&lab.f.k8s);
	cr_assert_eq(watched_settle(lab.w), 0);
	cr_assert_eq(count_vas(&lab, "h1"), 3);
	cr_assert_eq(watched_count(lab.w, true), 1);
	close_lab(&lab);
}

Test(watched, attached_or_acknowledged_and_not_released)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", false);
	cr_assert_eq(watched_count(lab.w, false), 0);
	watched_ack(lab.w, "h1", "a");
	cr_assert_eq(watched_count(lab.w, false), 1);
	/* attached=false does not clear it. */
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", false);
	cr_assert_eq(watched_count(lab.w, false), 1);
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	release(&lab, "h1", "a");
	cr_assert_eq(watched_count(lab.w, false), 0);
	/* The same UID once more. */
	watched_ack(lab.w, "h1", "a");
	cr_assert_eq(watched_count(lab.w, false), 1);
	release(&lab, "h1", "b");
	cr_assert_eq(watched_count(lab.w, false), 1);
	release(&lab, "h1", NULL);
	cr_assert_eq(watched_count(lab.w, false), 0);
	close_lab(&lab);
}

Test(watched, an_acknowledgement_goes_with_its_uid_and_not_with_a_list)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-1", "u1", "a", "pv-1", false);
	watched_ack(lab.w, "h1", "a");
	/* A list that lacks it. */
	fake_k8s_hold(&lab.f, K8S_VA);
	fake_k8s_remove(&lab.f, K8S_VA, NULL, "va-1");
	fake_k8s_release(&lab.f, K8S_VA);
	cr_assert_eq(watched_count(lab.w, false), 1);
	cr_assert_eq(count_vas(&lab, "h1"), 1);
	/* It was there all the time: the same UID goes on. */
	fake_k8s_va(&lab.f, "va-1", "u1", "a", "pv-1", false);
	cr_assert_eq(count_vas(&lab, "h1"), 1);
	cr_assert_eq(watched_count(lab.w, false), 1);
	/* The watch tells of its end. */
	fake_k8s_remove(&lab.f, K8S_VA, NULL, "va-1");
	cr_assert_eq(watched_count(lab.w, false), 0);
	cr_assert_eq(count_vas(&lab, "h1"), 0);
	/* A list takes away one that was only attached: it says what holds. */
	fake_k8s_va(&lab.f, "va-1", "u2", "a", "pv-1", true);
	fake_k8s_hold(&lab.f, K8S_VA);
	fake_k8s_remove(&lab.f, K8S_VA, NULL, "va-1");
	fake_k8s_release(&lab.f, K8S_VA);
	cr_assert_eq(watched_count(lab.w, false), 0);
	close_lab(&lab);
}

Test(watched, another_uid_under_the_name_is_another_object)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-1", "u1", "a", "pv-1", false);
	watched_ack(lab.w, "h1", "a");
	fake_k8s_va(&lab.f, "va-1", "u2", "a", "pv-1", false);
	cr_assert_eq(watched_count(lab.w, false), 0);
	cr_assert_eq(count_vas(&lab, "h1"), 1);
	close_lab(&lab);
}

/* Publish was quicker than the watch. */
Test(watched, an_acknowledgement_waits_for_its_object)
{
	struct lab lab;

	open_lab(&lab);
	watched_ack(lab.w, "h1", "a");
	cr_assert_eq(watched_count(lab.w, false), 1);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-2", NULL, "b", "pv-1", false);
	cr_assert_eq(count_vas(&lab, "h1"), 2);
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", false);
	cr_assert_eq(count_vas(&lab, "h1"), 2);
	fake_k8s_remove(&lab.f, K8S_VA, NULL, "va-1");
	cr_assert_eq(watched_count(lab.w, false), 0);
	/* And one that was let go before it was seen leaves nothing. */
	watched_ack(lab.w, "h1", "a");
	release(&lab, "h1", "a");
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", false);
	cr_assert_eq(watched_count(lab.w, false), 0);
	close_lab(&lab);
}

Test(watched, a_new_start_forgets_what_this_process_did)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	release(&lab, "h1", "a");
	watched_ack(lab.w, "h2", "a");
	watched_believe(lab.w, "h2", true);
	cr_assert_eq(watched_count(lab.w, true), 1);
	watched_believe(lab.w, "h2", false);
	watched_restart(lab.w);
	cr_assert_eq(watched_count(lab.w, true), 1);
	cr_assert_eq(count_vas(&lab, "h2"), 0);
	close_lab(&lab);
}

Test(watched, records_and_objects_are_counted_together_once)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	watched_believe(lab.w, "h1", true);
	watched_believe(lab.w, "h2", true);
	cr_assert_eq(watched_count(lab.w, true), 2);
	cr_assert_eq(watched_count(lab.w, false), 1);
	watched_believe(lab.w, "h1", false);
	watched_believe(lab.w, "h2", false);
	watched_believe(lab.w, "h3", false);
	cr_assert_eq(watched_count(lab.w, true), 1);
	close_lab(&lab);
}

Test(watched, two_sightings_an_interval_apart_and_none_between)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	cr_assert(!watched_gives_way(lab.w, "h1", "a", 1000, 500));
	cr_assert(!watched_gives_way(lab.w, "h1", "a", 1499, 500));
	cr_assert(!watched_gives_way(lab.w, "h1", "b", 1500, 500));
	cr_assert(watched_gives_way(lab.w, "h1", "a", 1500, 500));
	/* Its object was there in between. */
	fake_k8s_va(&lab.f, "va-1", NULL, "b", "pv-1", false);
	cr_assert(!watched_gives_way(lab.w, "h1", "b", 9000, 500));
	fake_k8s_remove(&lab.f, K8S_VA, NULL, "va-1");
	cr_assert(!watched_gives_way(lab.w, "h1", "b", 9000, 500));
	cr_assert(watched_gives_way(lab.w, "h1", "b", 9500, 500));
	/* It was published anew. */
	watched_ack(lab.w, "h1", "a");
	cr_assert(!watched_gives_way(lab.w, "h1", "a", 9000, 500));
	close_lab(&lab);
}

Test(watched, a_volume_found_for_an_object_stays_when_its_PV_changes)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_pv(&lab.f, "pv-1", "h1");
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	fake_k8s_remove(&lab.f, K8S_PV, NULL, "pv-1");
	cr_assert_eq(count_vas(&lab, "h1"), 1);
	cr_assert_null(watched_pv(lab.w, "h1"));
	fake_k8s_pv(&lab.f, "pv-1", "h2");
	cr_assert_eq(count_vas(&lab, "h1"), 1);
	cr_assert_eq(count_vas(&lab, "h2"), 0);
	cr_assert_str_eq(watched_pv(lab.w, "h2")->o.name, "pv-1");
	cr_assert_eq(watched_modes(lab.w, "h2"), K8S_PV_RWO);
	close_lab(&lab);
}

Test(watched, a_PV_that_is_not_there_is_taken_by_its_name)
{
	struct lab lab;

	open_lab(&lab);
	fake_k8s_va(&lab.f, "va-1", NULL, "a", "pv-1", true);
	fake_k8s_va(&lab.f, "va-2", NULL, "b", "pv-1", true);
	cr_assert_eq(watched_resolve(lab.w, "pv-1", "pv-1"), 0);
	cr_assert_null(watched_unresolved(lab.w));
	cr_assert_eq(count_vas(&lab, "pv-1"), 2);
	cr_assert_eq(watched_count(lab.w, true), 1);
	close_lab(&lab);
}

/* What could not be brought in is missing until settle says that nothing is. */
Test(watched, lack_of_memory_is_made_good)
{
	for (long nth = 0; nth < 12; nth++) {
		struct lab lab;

		open_lab(&lab);
		fake_k8s_hold(&lab.f, K8S_VA);
		fake_k8s_hold(&lab.f, K8S_PV);
		for (int i = 0; i < 3; i++) {
			char pv[16], va[16];

			snprintf(pv, sizeof(pv), "pv-%d", i);
			snprintf(va, sizeof(va), "va-%d", i);
			fake_k8s_pv(&lab.f, pv, pv);
			fake_k8s_va(&lab.f, va, NULL, "a", pv, true);
		}
		mem_fail_at(nth);
		fake_k8s_release(&lab.f, K8S_PV);
		fake_k8s_release(&lab.f, K8S_VA);
		mem_fail_at(-1);
		cr_assert_eq(watched_settle(lab.w), 0);
		cr_assert_null(watched_unresolved(lab.w));
		cr_assert_eq(watched_count(lab.w, false), 3, "allocation %ld", nth);
		close_lab(&lab);
	}
}
