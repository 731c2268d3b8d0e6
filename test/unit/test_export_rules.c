#include "csi/controller/export_rules.h"

#include <string.h>

#include "csi/ids.h"
#include "support/t.h"

#define UID "pvc-0d3b51a4-6c1e-4b7e-9f0a-00000000000a"

/* A volume made by this driver that nobody holds. */
static struct rds_volume volume(const char *id)
{
	struct rds_volume v = {
		.layout = RDS_LAYOUT_FILE,
		.is_file_disk = true,
		.record = { .kind = RDS_RECORD_OURS, .nonce = "01234567" },
	};

	snprintf(v.id, sizeof(v.id), "%s", id);
	id_new_nqn(id, 0, v.nqn);
	return v;
}

static struct export_plan plan;

static enum export_verdict decide(const struct rds_volume *v, bool is_even)
{
	return export_decide(v, is_even, &plan);
}

static void left(const struct rds_volume *v, bool is_even, const char *why)
{
	cr_assert_eq(decide(v, is_even), EXPORT_LEFT, "%s", why);
	cr_assert_not_null(strstr(plan.why.msg, why), "%s", plan.why.msg);
}

Test(export_rules, one_made_under_a_name_that_never_comes_twice_may)
{
	struct rds_volume v = volume(UID);

	strcpy(v.record.claim, "shop/orders");
	cr_assert_eq(decide(&v, false), EXPORT_MAY);
	cr_assert_str_eq(plan.nqn, ID_NQN_PREFIX UID);
	cr_assert_str_eq(plan.record.claim, "shop/orders");
	cr_assert_eq(plan.record.generation, 0);
	v = volume("0d3b51a4-6c1e-4b7e-9f0a-00000000000a");
	cr_assert_eq(decide(&v, false), EXPORT_MAY);
}

Test(export_rules, any_other_name_may_have_been_anothers)
{
	static const char *const ids[] = {
		"data",
		"pvc-1",
		"pvc0d3b51a4-6c1e-4b7e-9f0a-00000000000a",
		"pvc-0d3b51a4-6c1e-4b7e-9f0a-0000000000gg",
		"pvc-0d3b51a46c1e4b7e9f0a000000000000000a",
		UID "-2",
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct rds_volume v = volume(ids[i]);

		left(&v, false, "older volume");
		cr_assert_eq(decide(&v, true), EXPORT_MAY, "%s", ids[i]);
		id_base_nqn(ids[i], v.nqn); /* it had the plain one itself */
		cr_assert_eq(decide(&v, false), EXPORT_MAY, "%s", ids[i]);
	}
}

Test(export_rules, one_that_was_fenced_needs_a_word)
{
	struct rds_volume v = volume(UID);

	v.record.generation = 2;
	left(&v, false, "fenced");
	cr_assert_eq(decide(&v, true), EXPORT_MAY);
	cr_assert_eq(plan.record.generation, 0, "as never fenced, from here on");
	v.record.generation = 0; /* the record was written anew by hand */
	id_new_nqn(UID, 3, v.nqn);
	left(&v, false, "fenced");
	/* The name was given back, and the record says still that there was a fence. */
	id_base_nqn(UID, v.nqn);
	v.record.generation = 1;
	left(&v, false, "fenced");
}

Test(export_rules, what_is_on_under_the_plain_nqn_was_whoever_has_it)
{
	struct rds_volume v = volume(UID);

	id_base_nqn(UID, v.nqn);
	v.is_exported = true;
	cr_assert_eq(decide(&v, false), EXPORT_WAS);
	v.record.n_holders = 1;
	v.record.holders[0] = (struct rds_holder){ "node-a", 'w' };
	cr_assert_eq(decide(&v, false), EXPORT_WAS);
}

Test(export_rules, no_word_opens_what_is_held_or_half_done)
{
	struct rds_volume v = volume(UID), held = v;

	held.record.n_holders = 1;
	held.record.holders[0] = (struct rds_holder){ "node-a", 'w' };
	left(&held, true, "node-a holds it");
	held.is_exported = true;
	left(&held, true, "node-a holds it");
	held.record.holders[0].use = 'u';
	left(&held, true, "node-a was let go");
	held.is_exported = false;
	id_base_nqn(UID, held.nqn);
	left(&held, true, "node-a was let go");
	v.record.is_fencing = true;
	left(&v, true, "fence has begun");
	v = volume(UID);
	v.is_exported = true;
	left(&v, true, "exported under another NQN");
	v = volume(UID);
	v.is_mounted = true;
	left(&v, true, "mounted");
}

Test(export_rules, nothing_but_volumes)
{
	struct rds_volume v = volume(UID);

	v.record.kind = RDS_RECORD_UNREADABLE;
	left(&v, true, "record");
	v = volume(UID);
	v.record.kind = RDS_RECORD_FOREIGN;
	left(&v, true, "record");
	v = volume(UID);
	v.layout = RDS_LAYOUT_AUTO;
	left(&v, true, "file does not lie");
	v = volume(UID);
	v.is_file_disk = false;
	left(&v, true, "file does not lie");
	v = volume(UID);
	strcpy(v.nqn, ID_NQN_PREFIX "another");
	left(&v, true, "NQN is none");
	v = volume(UID);
	strcpy(v.id, "a b");
	left(&v, true, "name is none");
}
