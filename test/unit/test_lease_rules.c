#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "k8s/lease_rules.h"
#include "k8s/stamp.h"

static struct k8s_lease lease_of(const char *holder, const char *version,
				 uint32_t duration_s)
{
	return (struct k8s_lease){ .o = { .kind = K8S_LEASE,
					  .name = "d-controller",
					  .ns = "ns",
					  .uid = "u1",
					  .version = version },
				   .holder = holder,
				   .renew_time = version,
				   .duration_s = duration_s,
				   .transitions = 3 };
}

/* Any will do. */
static const struct lease_terms terms = {
	.duration_ms = 15000,
	.deadline_ms = 10000,
	.margin_ms = 2000,
	.retry_ms = 2000,
	.renew_ms = 4000,
};

static struct lease_self self_of(const char *identity)
{
	return (struct lease_self){
		.identity = identity, .ns = "ns", .name = "d-controller", .terms = terms
	};
}

Test(lease_rules, what_to_do_after_a_look)
{
	static const struct {
		const char *holder; /* NULL: there is none */
		uint32_t duration_s;
		uint64_t unchanged_ms;
		enum lease_act act;
	} cases[] = {
		{ NULL, 0, 0, LEASE_CREATE },
		{ "", 1, 0, LEASE_WRITE }, /* released */
		{ "", 15, 0, LEASE_WRITE },
		{ "me", 15, 0, LEASE_WRITE }, /* a write of ours whose answer was lost */
		{ "other", 15, 0, LEASE_REST },
		{ "other", 15, 14999, LEASE_REST },
		{ "other", 15, 15000, LEASE_WRITE },
		{ "other", 60, 15000, LEASE_REST },
		{ "other", 60, 60000, LEASE_WRITE },
		{ "other", 1, 1000, LEASE_WRITE },
		{ "other", 0, 14999, LEASE_REST }, /* it does not say: our terms */
		{ "other", 0, 15000, LEASE_WRITE },
		{ "other", UINT32_MAX, 1000000, LEASE_REST },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lease_self self = self_of("me");
		struct k8s_lease was =
			lease_of(cases[i].holder, "7", cases[i].duration_s);
		struct k8s_lease is = was;

		cr_assert_eq(lease_after_rest(&self), LEASE_LOOK);
		lease_saw(&self, cases[i].holder ? &was : NULL, 1000);
		lease_saw(&self, cases[i].holder ? &is : NULL,
			  1000 + cases[i].unchanged_ms);
		cr_assert_eq(lease_after_look(&self, 1000 + cases[i].unchanged_ms),
			     cases[i].act, "case %zu", i);
		cr_assert_eq(lease_end_ms(&self, 1000), 0);
	}
}

/* Only that it stands unchanged counts: not the times in it, not how long we know it. */
Test(lease_rules, any_change_begins_the_wait_anew)
{
	struct lease_self self = self_of("me");
	struct k8s_lease l1 = lease_of("other", "1", 15), l2 = lease_of("other", "2", 15);
	struct k8s_lease same_version = l2;

	lease_saw(&self, &l1, 0);
	lease_saw(&self, &l2, 14000);
	cr_assert_eq(lease_after_look(&self, 28999), LEASE_REST);
	cr_assert_eq(lease_after_look(&self, 29000), LEASE_WRITE);
	/* Restored from a backup: the numbers may come again, the times do not. */
	same_version.renew_time = "elsewhen";
	lease_saw(&self, &same_version, 29000);
	cr_assert_eq(lease_after_look(&self, 43999), LEASE_REST);
}

Test(lease_rules, a_deleted_lease_is_waited_for_by_who_has_seen_it)
{
	struct lease_self self = self_of("me");
	struct k8s_lease l = lease_of("other", "1", 15);

	lease_saw(&self, &l, 0);
	lease_saw(&self, NULL, 10000);
	cr_assert_eq(lease_after_look(&self, 10000), LEASE_REST);
	lease_saw(&self, NULL, 20000);
	cr_assert_eq(lease_after_look(&self, 24999), LEASE_REST);
	cr_assert_eq(lease_after_look(&self, 25000), LEASE_CREATE);
	/* Its holder makes it anew while its term runs, and leads not meanwhile. */
	self = self_of("other");
	lease_wrote(&self, &l, 0, 100);
	cr_assert_eq(lease_end_ms(&self, 2000), 8000);
	lease_saw(&self, NULL, 2000);
	cr_assert_eq(lease_end_ms(&self, 2000), 0);
	cr_assert_eq(lease_after_look(&self, 2000), LEASE_CREATE);
	cr_assert_eq(lease_after_look(&self, 8000), LEASE_REST);
}

Test(lease_rules, a_term_counts_from_the_begin_of_the_renewal)
{
	struct lease_self self = self_of("me");
	struct k8s_lease l = lease_of("me", "1", 15), l2 = lease_of("me", "2", 15);
	struct k8s_lease stolen = lease_of("other", "3", 15);

	/* Found under our name without a write that we know of: no term. */
	lease_saw(&self, &l, 500);
	cr_assert(lease_is_own(&self));
	cr_assert_eq(lease_end_ms(&self, 500), 0);
	lease_wrote(&self, &l, 1000, 6000);
	cr_assert_eq(lease_end_ms(&self, 8999), 9000);
	cr_assert_eq(lease_end_ms(&self, 9000), 0);
	cr_assert_eq(lease_after_rest(&self), LEASE_WRITE);
	lease_doubt(&self);
	cr_assert_eq(lease_after_rest(&self), LEASE_LOOK);
	/* A look at our own lengthens nothing. */
	lease_saw(&self, &l2, 7000);
	cr_assert_eq(lease_end_ms(&self, 7000), 9000);
	lease_saw(&self, &stolen, 7500);
	cr_assert_eq(lease_end_ms(&self, 7500), 0);
	lease_saw(&self, &l2, 7600);
	cr_assert_eq(lease_end_ms(&self, 7600), 0);
}

/* Between two looks that found none another may have made one, led by it, and had it
 * deleted; or what we had given up was carried out late. */
Test(lease_rules, one_that_was_gone_is_led_by_a_duration_later)
{
	struct lease_self self = self_of("me");
	struct k8s_lease other = lease_of("other", "1", 15),
			 own = lease_of("me", "2", 15), next = lease_of("me", "3", 15);

	lease_saw(&self, &other, 0);
	lease_saw(&self, NULL, 1000);
	cr_assert_eq(lease_after_look(&self, 16000), LEASE_CREATE);
	lease_wrote(&self, &own, 16000, 16100);
	cr_assert_eq(lease_end_ms(&self, 16100), 0);
	lease_wrote(&self, &next, 30000, 30100);
	cr_assert_eq(lease_end_ms(&self, 31099), 0);
	cr_assert_eq(lease_end_ms(&self, 31100), 38000);

	self = self_of("me");
	lease_saw(&self, &other, 0);
	lease_saw(&self, &own, 1000);
	lease_wrote(&self, &next, 1000, 1100);
	cr_assert_eq(lease_end_ms(&self, 1100), 0, "made late");
	self = self_of("me");
	lease_saw(&self, &other, 0);
	lease_wrote(&self, &own, 15000, 15100);
	cr_assert_eq(lease_end_ms(&self, 15100), 23000, "taken over in due form");
}

Test(lease_rules, rests)
{
	struct lease_self self = self_of("me");
	struct k8s_lease own = lease_of("me", "1", 15),
			 other = lease_of("other", "2", 15);

	cr_assert_eq(lease_rest_ms(&self, 0, true, 500), 2500);
	lease_saw(&self, &own, 0);
	cr_assert_eq(lease_rest_ms(&self, 0, false, 77), 4000);
	cr_assert_eq(lease_rest_ms(&self, 0, true, 77), 1000);
	lease_saw(&self, &other, 0);
	cr_assert_eq(lease_rest_ms(&self, 1000, false, 0), 2000);
	cr_assert_eq(lease_rest_ms(&self, 1000, false, 501), 2000);
	cr_assert_eq(lease_rest_ms(&self, 1000, false, 500), 2500);
	cr_assert_eq(lease_rest_ms(&self, 14000, false, 0), 1000);
	cr_assert_eq(lease_rest_ms(&self, 14000, true, 0), 2000);
	cr_assert_eq(lease_rest_ms(&self, 15000, false, 0), 2000);
}

static json_t *print(struct lease_self *self, enum lease_text what, uint64_t wall_us)
{
	struct buf b;
	struct err err;
	json_t *v;

	buf_init(&b, LEASE_BODY_MAX);
	cr_assert_eq(lease_body(self, what, wall_us, &b), 0);
	v = json_parse(b.data, b.len, &err);
	cr_assert_not_null(v);
	buf_fini(&b);
	return v;
}

static void check_text(const json_t *v, const char *room, const char *key,
		       const char *want)
{
	const char *is = json_get_str(json_object_get(v, room), key);

	if (!want)
		cr_assert_null(is);
	else
		cr_assert_str_eq(is, want);
}

static void check_number(const json_t *v, const char *key, json_int_t want)
{
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(v, "spec"), key)),
		     want);
}

Test(lease_rules, bodies)
{
	static const uint64_t wall_us = UINT64_C(1767323045678901);
	struct lease_self self = self_of("me");
	struct k8s_lease l = lease_of("other", "17", 15), own = lease_of("me", "18", 15);
	json_t *v = print(&self, LEASE_HOLD, wall_us);

	cr_assert_str_eq(json_get_str(v, "apiVersion"), "coordination.k8s.io/v1");
	cr_assert_str_eq(json_get_str(v, "kind"), "Lease");
	check_text(v, "metadata", "name", "d-controller");
	check_text(v, "metadata", "namespace", "ns");
	check_text(v, "metadata", "resourceVersion", NULL);
	check_text(v, "spec", "holderIdentity", "me");
	check_text(v, "spec", "acquireTime", "2026-01-02T03:04:05.678901Z");
	check_text(v, "spec", "renewTime", "2026-01-02T03:04:05.678901Z");
	check_number(v, "leaseDurationSeconds", 15);
	check_number(v, "leaseTransitions", 0);
	json_decref(v);
	/* Taken over: one transition more. Renewed: none, and acquired as before. */
	lease_saw(&self, &l, 0);
	v = print(&self, LEASE_HOLD, wall_us);
	check_text(v, "metadata", "resourceVersion", "17");
	check_text(v, "metadata", "uid", "u1");
	check_number(v, "leaseTransitions", 4);
	json_decref(v);
	lease_saw(&self, &own, 0);
	v = print(&self, LEASE_HOLD, wall_us + 2000000);
	check_text(v, "metadata", "resourceVersion", "18");
	check_text(v, "spec", "acquireTime", "2026-01-02T03:04:05.678901Z");
	check_text(v, "spec", "renewTime", "2026-01-02T03:04:07.678901Z");
	check_number(v, "leaseTransitions", 3);
	json_decref(v);
	v = print(&self, LEASE_RELEASE, wall_us);
	check_text(v, "spec", "holderIdentity", "");
	check_number(v, "leaseDurationSeconds", 1);
	check_number(v, "leaseTransitions", 3);
	json_decref(v);
	cr_assert_eq(mem_live(), 0);
}

static void make_body(void)
{
	struct lease_self self = self_of("me");
	struct k8s_lease l = lease_of("other", "17", 15);
	struct buf b;

	lease_saw(&self, &l, 0);
	buf_init(&b, LEASE_BODY_MAX);
	if (lease_body(&self, LEASE_HOLD, 1, &b) == 0)
		cr_assert_eq(b.data[b.len], '\0');
	buf_fini(&b);
	cr_assert_eq(mem_live(), 0);
}

Test(lease_rules, a_body_without_memory_is_none)
{
	T_EACH_ALLOC_FAILS(make_body());
}

Test(lease_rules, names)
{
	char name[LEASE_NAME_MAX + 1];

	lease_name("rds.csi.srvlab.io", name);
	cr_assert_str_eq(name, "rds.csi.srvlab.io-controller");
	lease_name("My_Driver.example", name);
	cr_assert_str_eq(name, "my-driver.example-controller");
}

Test(lease_rules, stamps)
{
	char s[K8S_STAMP];

	k8s_stamp(0, s);
	cr_assert_str_eq(s, "1970-01-01T00:00:00Z");
	k8s_stamp(UINT64_C(1709210096000007), s);
	cr_assert_str_eq(s, "2024-02-29T12:34:56Z");
	k8s_stamp_micro(UINT64_C(1709210096000007), s);
	cr_assert_str_eq(s, "2024-02-29T12:34:56.000007Z");
	k8s_stamp(UINT64_MAX, s);
	cr_assert_str_eq(s, "9999-01-01T00:00:00Z");
}

/* Two may lead only if a holder's term outlives what a taker waits; a term must leave
 * time for a second try; and a dead leader is replaced within 20 s. */
Test(lease_rules, the_usual_terms_fit_together)
{
	const struct lease_terms *t = &lease_usual_terms;

	cr_assert_lt(t->deadline_ms, t->duration_ms);
	cr_assert_leq(t->renew_ms + 4000, t->deadline_ms - t->margin_ms);
	cr_assert_leq(t->duration_ms + t->retry_ms * 5 / 4, 19000);
	cr_assert_eq(t->duration_ms % 1000, 0);
}
