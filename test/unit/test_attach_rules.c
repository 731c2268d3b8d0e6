#include "support/t.h"

#include <string.h>

#include "csi/controller/attach_rules.h"

/* Holders are written "a/w b/x"; a node in capitals is not known to be healthy. */
static void parse_holders(const char *text, struct rds_record *r, struct attach_view *v)
{
	r->n_holders = 0;
	for (const char *s = text; *s; s += s[3] == ' ' ? 4 : 3) {
		struct rds_holder *h = &r->holders[r->n_holders];

		h->node[0] = s[0];
		h->node[1] = '\0';
		h->use = s[2];
		v->facts[r->n_holders++].node.standing =
			s[0] >= 'a' ? NODE_HEALTHY : NODE_UNKNOWN;
	}
}

static const char *show_holders(const struct rds_record *r)
{
	static char text[128];
	char *s = text;

	*s = '\0';
	for (unsigned i = 0; i < r->n_holders; i++)
		s += sprintf(s, "%s%s/%c", i ? " " : "", r->holders[i].node,
			     r->holders[i].use);
	return text;
}

static struct attach_view view_of(struct rds_record *r, const char *holders)
{
	struct attach_view v = { .record = r,
				 .is_exported = true,
				 .is_sealed = true,
				 .has_own_nqn = true,
				 .cluster_id = "c1" };

	*r = (struct rds_record){ .kind = RDS_RECORD_OURS,
				  .nonce = "11111111",
				  .cluster = "c1",
				  .claim = "ns/claim" };
	parse_holders(holders, r, &v);
	return v;
}

Test(attach_rules, publish)
{
	static const struct {
		const char *holders, *node;
		char use;
		bool is_one_node;
		enum attach_verdict verdict;
		enum err_code code;
		const char *after;
	} cases[] = {
		/* nobody */
		{ "", "a", 'w', true, ATTACH_WRITE, 0, "a/w" },
		{ "", "a", 'x', false, ATTACH_WRITE, 0, "a/x" },
		{ "", "a", 'r', false, ATTACH_WRITE, 0, "a/r" },
		/* the same node again */
		{ "a/w", "a", 'w', true, ATTACH_DONE, 0, "a/w" },
		{ "a/w", "a", 'r', true, ATTACH_REFUSED, ERR_EXISTS, NULL },
		{ "a/r", "a", 'w', true, ATTACH_REFUSED, ERR_EXISTS, NULL },
		{ "a/x b/x", "b", 'x', false, ATTACH_DONE, 0, "a/x b/x" },
		{ "a/x b/x", "b", 'w', true, ATTACH_REFUSED, ERR_EXISTS, NULL },
		/* one writer */
		{ "a/w", "b", 'w', true, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "a/w", "b", 'x', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "a/w", "b", 'r', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "a/r", "b", 'w', true, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "a/x", "b", 'w', true, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		/* shared block: two */
		{ "a/x", "b", 'x', false, ATTACH_WRITE, 0, "a/x b/x" },
		{ "a/x b/x", "c", 'x', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "a/x", "b", 'r', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		/* readers: many, never beside a writer, and one where one is asked for */
		{ "a/r", "b", 'r', false, ATTACH_WRITE, 0, "a/r b/r" },
		{ "a/r b/r", "c", 'r', false, ATTACH_WRITE, 0, "a/r b/r c/r" },
		{ "a/r", "b", 'x', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "a/r", "b", 'r', true, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		/* a lost holder: nobody new, whatever it does */
		{ "A/w", "b", 'w', true, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "A/x", "b", 'x', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "A/r b/r", "c", 'r', false, ATTACH_REFUSED, ERR_PRECONDITION, NULL },
		{ "A/x b/x", "b", 'x', false, ATTACH_DONE, 0, "A/x b/x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rds_record r;
		struct attach_view v = view_of(&r, cases[i].holders);
		struct attach_ask ask = { .node = cases[i].node,
					  .use = cases[i].use,
					  .is_one_node = cases[i].is_one_node };
		struct attach_plan plan;
		struct err err = { .code = ERR_OK };

		cr_assert_eq(attach_publish(&v, &ask, &plan, &err), cases[i].verdict,
			     "case %zu: %s", i, err.msg);
		cr_assert_eq(err.code, cases[i].code, "case %zu: %s", i, err.msg);
		if (cases[i].after)
			cr_assert_str_eq(show_holders(&plan.record), cases[i].after,
					 "case %zu", i);
		if (cases[i].after)
			cr_assert_str_eq(plan.record.claim, "ns/claim");
		if (cases[i].code == ERR_PRECONDITION)
			cr_assert_not_null(strstr(err.msg, r.holders[0].node),
					   "case %zu does not name the holder: %s", i,
					   err.msg);
	}
}

Test(attach_rules, unpublish)
{
	static const struct {
		const char *holders, *node;
		enum attach_verdict verdict;
		const char *after;
		bool is_off;
	} cases[] = {
		/* clean */
		{ "a/w", "a", ATTACH_WRITE, "", true },
		{ "a/x b/x", "a", ATTACH_WRITE, "b/x", false },
		{ "a/r b/r c/r", "b", ATTACH_WRITE, "a/r c/r", false },
		{ "a/x b/x", "", ATTACH_WRITE, "", true },
		/* nobody to remove: a new nonce, but never on a single writer's record */
		{ "", "a", ATTACH_WRITE, "", true },
		{ "", "", ATTACH_WRITE, "", true },
		{ "b/w", "a", ATTACH_DONE, NULL, false },
		{ "b/x", "a", ATTACH_WRITE, "b/x", false },
		{ "b/r c/r", "a", ATTACH_WRITE, "b/r c/r", false },
		/* a lost node is fenced, with all that are lost, never with a healthy one
		 */
		{ "A/w", "A", ATTACH_FENCE, "A/w", true },
		{ "A/x B/x", "A", ATTACH_FENCE, "A/x B/x", true },
		{ "A/x b/x", "A", ATTACH_REFUSED, NULL, false },
		{ "A/x b/x", "b", ATTACH_WRITE, "A/x", false },
		{ "A/x b/x", "", ATTACH_FENCE, "A/x b/x", true },
		{ "A/r b/r", "A", ATTACH_REFUSED, NULL, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rds_record r;
		struct attach_view v = view_of(&r, cases[i].holders);
		struct attach_ask ask = { .node = cases[i].node };
		struct attach_plan plan;
		struct err err = { .code = ERR_OK };

		v.asker.standing = *ask.node >= 'a' ? NODE_HEALTHY : NODE_UNKNOWN;
		cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), cases[i].verdict,
			     "case %zu: %s", i, err.msg);
		cr_assert_eq(err.code, cases[i].verdict == ATTACH_REFUSED
					       ? ERR_PRECONDITION
					       : ERR_OK);
		if (!cases[i].after)
			continue;
		cr_assert_str_eq(show_holders(&plan.record), cases[i].after, "case %zu",
				 i);
		cr_assert_eq(plan.switch_off, cases[i].is_off, "case %zu", i);
		cr_assert_eq(plan.record.is_fencing, cases[i].verdict == ATTACH_FENCE);
		cr_assert_eq(plan.record.generation, cases[i].verdict == ATTACH_FENCE);
	}
}

Test(attach_rules, a_fence_that_was_begun_is_finished_first)
{
	struct rds_record r;
	struct attach_view v = view_of(&r, "A/w");
	struct attach_ask ask = { .node = "b", .use = 'w', .is_one_node = true };
	struct attach_plan plan;
	struct err err;

	r.is_fencing = true;
	r.generation = 3;
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_FENCE);
	cr_assert(plan.record.is_fencing && plan.record.generation == 3);
	cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), ATTACH_FENCE);
	cr_assert(plan.record.is_fencing && plan.record.generation == 3);
}

Test(attach_rules, the_generation_is_the_larger_of_record_and_nqn)
{
	struct rds_record r;
	struct attach_view v = view_of(&r, "");
	struct attach_ask ask = { .node = "a", .use = 'w', .is_one_node = true };
	struct attach_plan plan;
	struct err err;

	/* The NQN is ahead: the record catches up. */
	r.generation = 1;
	v.nqn_generation = 4;
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_WRITE);
	cr_assert_eq(plan.record.generation, 4);
	/* It is behind: a node cut off may still know it, so a new one is made. */
	r.generation = 5;
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_FENCE);
	cr_assert_eq(plan.record.generation, 5);
	parse_holders("b/w", &r, &v);
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_REFUSED);
	/* A lost node's fence goes beyond both. */
	parse_holders("A/w", &r, &v);
	v.nqn_generation = 7;
	ask.node = "A";
	cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), ATTACH_FENCE);
	cr_assert_eq(plan.record.generation, 8);
}

Test(attach_rules, records_that_are_none_of_ours)
{
	static const struct {
		enum rds_record_kind kind;
		bool may_adopt, has_own_nqn;
		enum attach_verdict publish, unpublish;
	} cases[] = {
		{ RDS_RECORD_NONE, false, true, ATTACH_REFUSED, ATTACH_REFUSED },
		{ RDS_RECORD_NONE, true, true, ATTACH_WRITE, ATTACH_WRITE },
		{ RDS_RECORD_NONE, true, false, ATTACH_REFUSED, ATTACH_REFUSED },
		{ RDS_RECORD_FOREIGN, true, true, ATTACH_REFUSED, ATTACH_REFUSED },
		{ RDS_RECORD_UNREADABLE, true, true, ATTACH_REFUSED, ATTACH_REFUSED },
		{ RDS_RECORD_OURS, false, false, ATTACH_REFUSED, ATTACH_WRITE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rds_record r;
		struct attach_view v = view_of(&r, "");
		struct attach_ask ask = { .node = "a", .use = 'w', .is_one_node = true };
		struct attach_plan plan;
		struct err err;

		r.kind = cases[i].kind;
		v.may_adopt = cases[i].may_adopt;
		v.has_own_nqn = cases[i].has_own_nqn;
		v.asker.standing = NODE_HEALTHY;
		cr_assert_eq(attach_publish(&v, &ask, &plan, &err), cases[i].publish,
			     "case %zu", i);
		cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), cases[i].unpublish,
			     "case %zu", i);
	}
}

/* An unmarked volume may be in use by a node that nobody knows here. */
Test(attach_rules, an_unknown_node_s_unpublish_of_an_unmarked_volume_is_a_fence)
{
	struct rds_record r;
	struct attach_view v = view_of(&r, "");
	struct attach_ask ask = { .node = "Z" };
	struct attach_plan plan;
	struct err err;

	r.kind = RDS_RECORD_NONE;
	v.may_adopt = true;
	cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), ATTACH_FENCE);
	cr_assert_eq(plan.record.generation, 1);
}

Test(attach_rules, what_this_call_wrote_is_not_written_again)
{
	struct rds_record r;
	struct attach_view v = view_of(&r, "");
	struct attach_ask ask = { .node = "a", .use = 'w' };
	struct attach_plan plan;
	struct err err;

	v.asker.standing = NODE_HEALTHY;
	v.is_nonce_new = true;
	v.is_exported = false;
	cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), ATTACH_DONE);
	/* But an export that is still on is not done with. */
	v.is_exported = true;
	cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), ATTACH_WRITE);
	cr_assert(plan.switch_off);
	/* A publish cut between the record and the export. */
	parse_holders("a/w", &r, &v);
	v.is_exported = false;
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_WRITE);
	cr_assert_str_eq(show_holders(&plan.record), "a/w");
	/* An unpublish cut off may still wait for this nonce. */
	v.is_exported = true;
	v.is_sealed = false;
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_WRITE);
	cr_assert_str_eq(show_holders(&plan.record), "a/w");
}

Test(attach_rules, sixteen_readers_at_most)
{
	struct rds_record r;
	struct attach_view v = view_of(&r, "a/r b/r c/r d/r e/r f/r g/r h/r i/r j/r k/r "
					   "l/r m/r n/r o/r p/r");
	struct attach_ask ask = { .node = "q", .use = 'r' };
	struct attach_plan plan;
	struct err err;

	cr_assert_eq(r.n_holders, RDS_MAX_HOLDERS);
	cr_assert_eq(attach_publish(&v, &ask, &plan, &err), ATTACH_REFUSED);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
}

Test(attach_rules, a_believed_holder_that_the_box_has_lost_is_named)
{
	struct rds_record believed, found;
	struct attach_view v = view_of(&believed, "a/x b/x");

	(void)view_of(&found, "b/x");
	cr_assert_str_eq(attach_missing(&believed, &found, "c"), "a");
	cr_assert_null(attach_missing(&believed, &found, "a"));
	cr_assert_null(attach_missing(&believed, &believed, "c"));
	parse_holders("", &believed, &v);
	cr_assert_null(attach_missing(&believed, &found, "c"));
}
