#include "k8s/object.h"

#include <string.h>

#include "support/t.h"

Test(object, copy_owns_its_texts_and_lists)
{
	char name[] = "node-a", in_use[] = "pvc-1\0pvc-22";
	struct k8s_node n = {
		.o = { .kind = K8S_NODE, .name = name, .uid = "u", .is_deleting = true },
		.is_ready = true,
		.n_in_use = 2,
		.in_use = in_use,
	};
	struct k8s_node *c = (struct k8s_node *)k8s_object_copy(&n.o);

	memset(name, 'x', sizeof(name) - 1);
	memset(in_use, 'x', sizeof(in_use) - 1);
	cr_assert_str_eq(c->o.name, "node-a");
	cr_assert_str_eq(c->o.uid, "u");
	cr_assert_str_eq(c->o.ns, "");
	cr_assert_str_eq(c->o.version, "");
	cr_assert(c->is_ready && c->o.is_deleting && !c->is_out_of_service);
	cr_assert_eq(c->n_in_use, 2);
	cr_assert(k8s_list_has(c->in_use, 2, "pvc-1"));
	cr_assert(k8s_list_has(c->in_use, 2, "pvc-22"));
	cr_assert_not(k8s_list_has(c->in_use, 2, "pvc-2"));
	cr_assert_not(k8s_list_has(c->in_use, 1, "pvc-22"));
	cr_assert_not(k8s_list_has(NULL, 0, "pvc-1"));
	k8s_object_free(&c->o);
	k8s_object_free(NULL);
	cr_assert_eq(mem_live(), 0);
	T_LSAN();
}

Test(object, copy_of_each_kind_copies_each_text)
{
	struct k8s_va va = { .o = { .kind = K8S_VA, .name = "n" },
			     .node = "a",
			     .pv = "b",
			     .handle = "c" };
	struct k8s_pv pv = { .o = { .kind = K8S_PV, .name = "n" },
			     .handle = "1",
			     .claim_ns = "2",
			     .claim_name = "3",
			     .claim_uid = "4",
			     .attached_node = "5",
			     .phase = "6",
			     .volume_path = "7",
			     .modes = K8S_PV_RWX };
	struct k8s_pod pod = { .o = { .kind = K8S_POD, .ns = "ns", .name = "n" },
			       .node = "a",
			       .phase = "b",
			       .vmi = "c",
			       .n_claims = 1,
			       .claims = "d" };
	struct k8s_lease lease = { .o = { .kind = K8S_LEASE, .ns = "ns", .name = "n" },
				   .holder = "h",
				   .renew_time = "t",
				   .duration_s = 15 };
	struct k8s_va *va2 = (struct k8s_va *)k8s_object_copy(&va.o);
	struct k8s_pv *pv2 = (struct k8s_pv *)k8s_object_copy(&pv.o);
	struct k8s_pod *pod2 = (struct k8s_pod *)k8s_object_copy(&pod.o);
	struct k8s_lease *lease2 = (struct k8s_lease *)k8s_object_copy(&lease.o);

	cr_assert_str_eq(va2->node, "a");
	cr_assert_str_eq(va2->pv, "b");
	cr_assert_str_eq(va2->handle, "c");
	cr_assert(va2->handle != va.handle);
	cr_assert_str_eq(pv2->handle, "1");
	cr_assert_str_eq(pv2->claim_ns, "2");
	cr_assert_str_eq(pv2->claim_name, "3");
	cr_assert_str_eq(pv2->claim_uid, "4");
	cr_assert_str_eq(pv2->attached_node, "5");
	cr_assert_str_eq(pv2->phase, "6");
	cr_assert_str_eq(pv2->volume_path, "7");
	cr_assert(pv2->volume_path != pv.volume_path);
	cr_assert_eq(pv2->modes, K8S_PV_RWX);
	cr_assert_str_eq(pod2->vmi, "c");
	cr_assert_str_eq(pod2->claims, "d");
	cr_assert_str_eq(lease2->holder, "h");
	cr_assert_str_eq(lease2->renew_time, "t");
	cr_assert_eq(lease2->duration_s, 15);
	k8s_object_free(&va2->o);
	k8s_object_free(&pv2->o);
	k8s_object_free(&pod2->o);
	k8s_object_free(&lease2->o);
	mem_fail_at(0);
	cr_assert_null(k8s_object_copy(&pv.o));
	mem_fail_at(-1);
	cr_assert_eq(mem_live(), 0);
	T_LSAN();
}
