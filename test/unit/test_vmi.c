#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "csi/controller/vmi.h"

static void close_vmi(struct vmi *v)
{
	vmi_fini(v);
	cr_assert_eq(mem_live(), 0);
}

Test(vmi, answers_count_for_their_time_and_are_hints_afterwards)
{
	char key[VMI_KEY];
	struct vmi v;

	vmi_init(&v, NULL, 60000);
	cr_assert(!vmi_recall(&v, "v1", 0, key));
	cr_assert_str_eq(key, "");
	vmi_remember(&v, "v1", "ns/vm", 1000, UINT64_MAX);
	vmi_remember(&v, "v2", "", 1000, 10000);
	cr_assert(vmi_recall(&v, "v1", 60999, key));
	cr_assert_str_eq(key, "ns/vm");
	cr_assert(vmi_recall(&v, "v2", 10999, key));
	cr_assert_str_eq(key, "");
	cr_assert(!vmi_recall(&v, "v2", 11000, key));
	cr_assert(!vmi_recall(&v, "v1", 61000, key));
	cr_assert_str_eq(key, "ns/vm");
	vmi_remember(&v, "v1", "ns/vm2", 61000, UINT64_MAX);
	cr_assert(vmi_recall(&v, "v1", 61001, key));
	cr_assert_str_eq(key, "ns/vm2");
	cr_assert_eq(v.n_known, 2);
	close_vmi(&v);
}

Test(vmi, memory_is_bounded)
{
	char volume[32], key[VMI_KEY];
	struct vmi v;

	vmi_init(&v, NULL, 60000);
	for (unsigned i = 0; i < VMI_KNOWN_MAX + 10; i++) {
		snprintf(volume, sizeof(volume), "v%u", i);
		vmi_remember(&v, volume, "ns/vm", i, UINT64_MAX);
	}
	cr_assert_eq(v.n_known, VMI_KNOWN_MAX);
	cr_assert(!vmi_recall(&v, "v9", 0, key) && vmi_recall(&v, "v10", 0, key));
	close_vmi(&v);
}

Test(vmi, a_queue_is_first_come_first_served)
{
	struct vmi_place a = { .queue = NULL }, b = a, c = a, other = a;
	struct vmi v;

	vmi_init(&v, NULL, 60000);
	cr_assert(!vmi_is_first(&a));
	cr_assert_null(vmi_quit(&v, &a));
	cr_assert_eq(vmi_join(&v, &a, "ns/vm"), 0);
	cr_assert_eq(vmi_join(&v, &b, "ns/vm"), 0);
	cr_assert_eq(vmi_join(&v, &c, "ns/vm"), 0);
	cr_assert_eq(vmi_join(&v, &other, "ns/vm2"), 0);
	cr_assert(vmi_is_first(&a) && !vmi_is_first(&b) && !vmi_is_first(&c));
	cr_assert(vmi_is_first(&other));
	cr_assert_null(vmi_quit(&v, &b)); /* from the middle: nobody's turn comes */
	cr_assert_eq(vmi_quit(&v, &a), &c);
	cr_assert(vmi_is_first(&c));
	cr_assert_null(vmi_quit(&v, &a));
	cr_assert_null(vmi_quit(&v, &c));
	cr_assert_eq(vmi_join(&v, &a, "ns/vm"), 0);
	cr_assert(vmi_is_first(&a));
	cr_assert_null(vmi_quit(&v, &a));
	cr_assert_null(vmi_quit(&v, &other));
	cr_assert_eq(v.n_queued, 0);
	close_vmi(&v);
}

Test(vmi, queues_are_bounded)
{
	static struct vmi_place p[VMI_QUEUED_MAX + 1];
	struct vmi v;

	vmi_init(&v, NULL, 60000);
	for (unsigned i = 0; i <= VMI_QUEUED_MAX; i++)
		cr_assert_eq(vmi_join(&v, &p[i], i % 2 ? "ns/a" : "ns/b"),
			     i < VMI_QUEUED_MAX ? 0 : -1);
	cr_assert_null(vmi_quit(&v, &p[VMI_QUEUED_MAX]));
	for (unsigned i = 0; i < VMI_QUEUED_MAX; i++)
		(void)vmi_quit(&v, &p[i]);
	close_vmi(&v);
}
