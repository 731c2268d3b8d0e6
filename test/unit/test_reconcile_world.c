#include <string.h>

#include "csi/controller/reconcile_witness.h"
#include "csi/controller/reconcile_world.h"
#include "csi/ids.h"
#include "fakes/fake_k8s.h"
#include "support/t.h"

static struct t_loop l;
static struct fake_k8s f;

static void open_all(void)
{
	t_loop_open(&l);
	fake_k8s_open(&f, &l.uv, "rds.csi.srvlab.io");
	fake_k8s_pv(&f, "pv-1", "vol-1");
	fake_k8s_pv(&f, "pv-1b", "vol-1");
	fake_k8s_pv(&f, "pv-2", "vol-2");
	fake_k8s_csinode(&f, "node-a", true);
	fake_k8s_csinode(&f, "node-b", true);
}

static void close_all(void)
{
	fake_k8s_close(&f);
	t_loop_close(&l);
}

static unsigned flags(const char *only, const char *handle)
{
	struct reconcile_world w;
	unsigned ret;

	cr_assert_eq(reconcile_world_open(&w, &f.k8s, only), 0);
	ret = reconcile_world_of(&w, handle);
	reconcile_world_close(&w);
	return ret;
}

/* The index of the holder that gives way, out of "a/w,b/w". */
static int stale(const char *handle, const char *holders)
{
	struct rds_volume v = { .record = { .kind = RDS_RECORD_OURS } };
	struct reconcile_world w;
	int ret;

	snprintf(v.id, sizeof(v.id), "%s", handle);
	for (; *holders; holders += *holders == ',') {
		struct rds_holder *h = &v.record.holders[v.record.n_holders++];
		size_t n = strcspn(holders, ",");

		memcpy(h->node, holders, n - 2);
		h->use = holders[n - 1];
		holders += n;
	}
	cr_assert_eq(reconcile_world_open(&w, &f.k8s, NULL), 0);
	ret = reconcile_world_stale_holder(&w, &v);
	reconcile_world_close(&w);
	return ret;
}

Test(reconcile_world, tells_what_names_a_volume)
{
	open_all();
	cr_assert_eq(flags(NULL, "vol-1"), WORLD_PV);
	cr_assert_eq(flags(NULL, "vol-3"), 0);
	cr_assert_eq(flags("vol-2", "vol-2"), WORLD_PV);
	cr_assert_eq(flags("vol-2", "vol-1"), 0, "not asked for");
	fake_k8s_va(&f, "va-1", NULL, "node-a", "pv-1b", false);
	cr_assert_eq(flags(NULL, "vol-1"), WORLD_PV | WORLD_VA, "in any state");
	fake_k8s_va(&f, "va-2", NULL, "node-c", "pv-2", true);
	cr_assert_eq(flags(NULL, "vol-2"), WORLD_PV | WORLD_VA | WORLD_NAMELESS);
	fake_k8s_node(&f, "node-b", false, false, "vol-3");
	cr_assert_eq(flags(NULL, "vol-3"), WORLD_IN_USE);
	close_all();
}

Test(reconcile_world, a_va_of_no_known_pv_may_be_any_volume_s)
{
	struct reconcile_world w;

	open_all();
	fake_k8s_va(&f, "va-1", NULL, "node-a", "pv-9", false);
	cr_assert_eq(reconcile_world_open(&w, &f.k8s, "vol-1"), 0);
	cr_assert(w.is_unclear);
	reconcile_world_close(&w);
	cr_assert_eq(stale("vol-1", "node-b/w"), -1);
	fake_k8s_remove(&f, K8S_VA, NULL, "va-1");
	cr_assert_eq(stale("vol-1", "node-b/w"), 0);
	close_all();
}

Test(reconcile_world, one_that_cannot_be_read_may_be_any_volume_s)
{
	struct k8s_store *stores[] = { &f.k8s.stores[K8S_VA], &f.k8s.stores[K8S_PV] };

	open_all();
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(k8s_store_put_unreadable(stores[i], "x"), 0);
		cr_assert_eq(stale("vol-1", "node-b/w"), -1);
		k8s_store_remove(stores[i], "x");
		cr_assert_eq(stale("vol-1", "node-b/w"), 0);
	}
	close_all();
}

Test(reconcile_world, a_holder_without_a_va_gives_way)
{
	open_all();
	cr_assert_eq(stale("vol-1", "node-a/w"), 0);
	fake_k8s_va(&f, "va-1", NULL, "node-b", "pv-1", false);
	cr_assert_eq(stale("vol-1", "node-a/w"), 0, "another node's");
	cr_assert_eq(stale("vol-1", "node-b/x,node-a/x"), 1);
	fake_k8s_va(&f, "va-2", NULL, "node-a", "pv-1", false);
	cr_assert_eq(stale("vol-1", "node-a/w"), -1);
	/* One whose driver's name for it is not known could be any. */
	fake_k8s_remove(&f, K8S_VA, NULL, "va-2");
	fake_k8s_va(&f, "va-3", NULL, "node-c", "pv-1", false);
	cr_assert_eq(stale("vol-1", "node-a/w"), -1);
	close_all();
}

Test(reconcile_world, a_node_goes_by_the_name_of_its_driver_too)
{
	char record_name[ID_NODE];
	const char *name = "a-node-with-a-name-of-more-than-sixty-three-characters."
			   "example.org.and.more";
	struct k8s_csinode c = { .o = { .kind = K8S_CSINODE, .name = "node-c" },
				 .has_driver = true,
				 .node_id = "id-of-c" };
	char holder[ID_NODE + 2];

	open_all();
	fake_k8s_put(&f, &c.o);
	fake_k8s_va(&f, "va-1", NULL, "node-c", "pv-1", true);
	cr_assert_eq(stale("vol-1", "id-of-c/w"), -1);
	cr_assert_eq(stale("vol-1", "node-c/w"), -1);
	fake_k8s_csinode(&f, name, true);
	fake_k8s_va(&f, "va-2", NULL, name, "pv-2", true);
	id_record_node(name, record_name);
	snprintf(holder, sizeof(holder), "%s/w", record_name);
	cr_assert_eq(stale("vol-2", holder), -1);
	close_all();
}

Test(reconcile_world, a_ready_node_that_uses_the_volume_keeps_it)
{
	open_all();
	fake_k8s_node(&f, "node-a", true, false, "vol-1");
	cr_assert_eq(stale("vol-1", "node-a/w"), -1);
	fake_k8s_node(&f, "node-a", false, false, "vol-1");
	cr_assert_eq(stale("vol-1", "node-a/w"), 0, "it says nothing new");
	fake_k8s_node(&f, "node-a", true, true, "vol-1");
	cr_assert_eq(stale("vol-1", "node-a/w"), 0, "somebody vouches for it");
	close_all();
}

Test(reconcile_world, readers_and_those_not_cut_off)
{
	open_all();
	cr_assert_eq(stale("vol-1", "ro/r"), 0);
	fake_k8s_va(&f, "va-1", NULL, "node-b", "pv-1", true);
	cr_assert_eq(stale("vol-1", "ro/r"), -1);
	/* One that was let go waits for the last of the others. */
	cr_assert_eq(stale("vol-1", "node-a/u,node-b/x"), -1);
	fake_k8s_remove(&f, K8S_VA, NULL, "va-1");
	cr_assert_eq(stale("vol-1", "node-a/u"), 0);
	cr_assert_eq(stale("vol-1", "node-a/u,node-b/x"), 1);
	close_all();
}

static void look_once(void)
{
	struct reconcile_world w;

	if (reconcile_world_open(&w, &f.k8s, NULL) == 0)
		cr_assert_eq(reconcile_world_of(&w, "vol-1"), WORLD_PV | WORLD_VA);
	reconcile_world_close(&w);
}

Test(reconcile_world, without_memory_there_is_none)
{
	open_all();
	fake_k8s_va(&f, "va-1", NULL, "node-a", "pv-1", false);
	T_EACH_ALLOC_FAILS(look_once());
	close_all();
}

/* ---- how PVs went ---- */
static void pv(const char *name, const char *handle, bool is_retained)
{
	struct k8s_pv p = { .o = { .kind = K8S_PV, .name = name },
			    .handle = handle,
			    .is_retained = is_retained };

	fake_k8s_put(&f, &p.o);
}

static void remove_pv(const char *name)
{
	fake_k8s_remove(&f, K8S_PV, NULL, name);
}

Test(reconcile_witness, a_pv_with_delete_seen_to_go)
{
	struct reconcile_witness w;

	open_all();
	reconcile_witness_open(&w, &f.k8s);
	cr_assert(!reconcile_witness_saw(&w, "vol-2"));
	remove_pv("pv-2");
	cr_assert(reconcile_witness_saw(&w, "vol-2"));
	cr_assert(!reconcile_witness_saw(&w, "vol-1"));
	/* It has a PV again, and so on. */
	pv("pv-2", "vol-2", false);
	cr_assert(!reconcile_witness_saw(&w, "vol-2"));
	reconcile_witness_close(&w);
	close_all();
}

Test(reconcile_witness, retain_is_never_forgotten)
{
	struct reconcile_witness w;

	open_all();
	reconcile_witness_open(&w, &f.k8s);
	pv("kept-1", "vol-k", true);
	remove_pv("kept-1");
	cr_assert(!reconcile_witness_saw(&w, "vol-k"));
	/* A second PV on the same volume, and one that changed its policy. */
	pv("kept-2", "vol-k", false);
	remove_pv("kept-2");
	cr_assert(!reconcile_witness_saw(&w, "vol-k"));
	pv("turned", "vol-t", true);
	pv("turned", "vol-t", false);
	remove_pv("turned");
	cr_assert(!reconcile_witness_saw(&w, "vol-t"));
	/* To Retain at the last moment. */
	pv("late", "vol-l", false);
	pv("late", "vol-l", true);
	remove_pv("late");
	cr_assert(!reconcile_witness_saw(&w, "vol-l"));
	/* The other way about: first Delete went, then Retain. */
	pv("x", "vol-x", false);
	pv("y", "vol-x", true);
	remove_pv("x");
	remove_pv("y");
	cr_assert(!reconcile_witness_saw(&w, "vol-x"));
	reconcile_witness_close(&w);
	close_all();
}

/* What happened while no watch was open is not known: it may have been set to Retain. */
Test(reconcile_witness, what_only_a_list_lacks_was_not_seen_to_go)
{
	struct reconcile_witness w;

	open_all();
	reconcile_witness_open(&w, &f.k8s);
	fake_k8s_hold(&f, K8S_PV);
	remove_pv("pv-2");
	fake_k8s_release(&f, K8S_PV);
	cr_assert_null(k8s_store_find(&f.k8s.stores[K8S_PV], "pv-2"));
	cr_assert(!reconcile_witness_saw(&w, "vol-2"));
	/* A name that went to another object in the meantime. */
	fake_k8s_hold(&f, K8S_PV);
	remove_pv("pv-1");
	pv("pv-1", "vol-9", false);
	fake_k8s_release(&f, K8S_PV);
	cr_assert(!reconcile_witness_saw(&w, "vol-1"));
	remove_pv("pv-1");
	cr_assert(reconcile_witness_saw(&w, "vol-9"));
	/* Its last state could not be read. */
	pv("odd", "vol-o", false);
	cr_assert_eq(k8s_store_put_unreadable(&f.k8s.stores[K8S_PV], "odd"), 0);
	remove_pv("odd");
	cr_assert(!reconcile_witness_saw(&w, "vol-o"));
	reconcile_witness_close(&w);
	close_all();
}

Test(reconcile_witness, one_that_cannot_keep_retain_in_mind_is_blind)
{
	open_all();
	for (int i = 0; i < 3; i++) {
		struct reconcile_witness w;

		reconcile_witness_open(&w, &f.k8s);
		pv("a", "vol-a", false);
		pv("b", "vol-b", true);
		remove_pv("a");
		cr_assert(reconcile_witness_saw(&w, "vol-a"));
		mem_fail_at(i);
		remove_pv("b");
		mem_fail_at(-1);
		cr_assert_eq(reconcile_witness_saw(&w, "vol-a"), i > 0, "%d", i);
		reconcile_witness_close(&w);
	}
	close_all();
}
