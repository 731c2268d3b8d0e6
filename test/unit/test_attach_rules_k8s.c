#include "support/t.h"

#include <ctype.h>
#include <string.h>

#include "csi/controller/attach_rules.h"

/* A holder is written as node/use and marks:
 *   ! not ready   * gone   # out of service   + volume in use there
 *   ? only an object names it   ~ gives way   live facts unless '@' is there */
static void parse(const char *text, struct rds_record *r, struct attach_view *v)
{
	for (const char *s = text; *s;) {
		struct rds_holder *h = &r->holders[r->n_holders];
		struct attach_facts *f = &v->facts[r->n_holders++];

		h->node[0] = s[0];
		h->use = s[2];
		*f = (struct attach_facts){ .is_live = true };
		f->node.standing = NODE_HEALTHY;
		for (s += 3; *s && *s != ' '; s++) {
			if (*s == '!')
				f->node.standing = NODE_LOST;
			if (*s == '*')
				f->node.standing = NODE_GONE;
			if (*s == '#')
				f->node.standing = NODE_OUT_OF_SERVICE;
			f->node.is_in_use |= *s == '+';
			f->is_object |= *s == '?';
			f->gives_way |= *s == '~';
			f->is_live &= *s != '@';
		}
		s += *s == ' ';
	}
}

static const char *show(const struct rds_record *r)
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
				 .has_objects = true,
				 .is_exported = true,
				 .is_sealed = true,
				 .has_own_nqn = true,
				 .is_asker_live = true,
				 .may_adopt = true,
				 .cluster_id = "c1" };

	*r = (struct rds_record){ .kind = RDS_RECORD_OURS,
				  .nonce = "11111111",
				  .cluster = "c1" };
	parse(holders, r, &v);
	return v;
}

Test(attach_rules_k8s, publish)
{
	static const struct {
		const char *holders, *node;
		char use;
		enum attach_verdict verdict;
		enum attach_why why;
		const char *after;
	} cases[] = {
		{ "", "a", 'w', ATTACH_WRITE, 0, "a/w" },
		{ "a/w", "b", 'w', ATTACH_REFUSED, ATTACH_WHY_CONFLICT, NULL },
		{ "a/w", "a", 'w', ATTACH_DONE, 0, NULL },
		/* in use or not: a healthy holder stays */
		{ "a/w+", "b", 'w', ATTACH_REFUSED, ATTACH_WHY_CONFLICT, NULL },
		/* not ready alone is no reason to cut */
		{ "a/w!", "b", 'w', ATTACH_REFUSED, ATTACH_WHY_CONFLICT, NULL },
		{ "a/x!", "b", 'x', ATTACH_REFUSED, ATTACH_WHY_CONFLICT, NULL },
		{ "a/r!", "b", 'r', ATTACH_REFUSED, ATTACH_WHY_CONFLICT, NULL },
		/* gone, or out of service: cut when another one asks, once it is sure */
		{ "a/w*", "b", 'w', ATTACH_FENCE, 0, "a/w" },
		{ "a/w#", "b", 'w', ATTACH_FENCE, 0, "a/w" },
		{ "a/w*@", "b", 'w', ATTACH_CHECK, 0, NULL },
		{ "a/w#@", "b", 'w', ATTACH_CHECK, 0, NULL },
		{ "a/x* b/x#", "c", 'x', ATTACH_FENCE, 0, "a/x b/x" },
		{ "a/x* b/x#@", "c", 'x', ATTACH_CHECK, 0, NULL },
		/* never beside one that is well or may write */
		{ "a/x* b/x", "c", 'x', ATTACH_REFUSED, ATTACH_WHY_PENDING, NULL },
		{ "a/r* b/r", "c", 'r', ATTACH_REFUSED, ATTACH_WHY_PENDING, NULL },
		{ "a/x* b/x!", "c", 'x', ATTACH_REFUSED, ATTACH_WHY_PENDING, NULL },
		/* the survivor's own goes on */
		{ "a/x* b/x", "b", 'x', ATTACH_DONE, 0, NULL },
		/* let go before, not cut off: not even for itself */
		{ "a/u b/x", "c", 'x', ATTACH_REFUSED, ATTACH_WHY_PENDING, NULL },
		{ "a/u b/x", "a", 'x', ATTACH_REFUSED, ATTACH_WHY_PENDING, NULL },
		{ "a/u", "b", 'w', ATTACH_FENCE, 0, "a/u" },
		{ "a/u@", "b", 'w', ATTACH_FENCE, 0, "a/u" },
		{ "a/u", "a", 'w', ATTACH_FENCE, 0, "a/u" },
		/* only an object names it: no */
		{ "a/w?", "b", 'w', ATTACH_REFUSED, ATTACH_WHY_DISAGREE, NULL },
		{ "a/r?", "b", 'r', ATTACH_REFUSED, ATTACH_WHY_DISAGREE, NULL },
		{ "a/x b/x?", "c", 'x', ATTACH_REFUSED, ATTACH_WHY_CONFLICT, NULL },
		{ "a/w?*", "b", 'w', ATTACH_FENCE, 0, "a/w" },
		/* gives way */
		{ "a/w~", "b", 'w', ATTACH_FENCE, 0, "a/w" },
		{ "a/w!~@", "b", 'w', ATTACH_FENCE, 0, "a/w" },
		{ "a/x~ b/x", "c", 'x', ATTACH_REFUSED, ATTACH_WHY_PENDING, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rds_record r;
		struct attach_view v = view_of(&r, cases[i].holders);
		struct attach_ask ask = { .node = cases[i].node,
					  .use = cases[i].use,
					  .is_one_node = cases[i].use == 'w' };
		struct attach_plan plan;
		struct err err = { .code = ERR_OK };

		cr_assert_eq(attach_publish(&v, &ask, &plan, &err), cases[i].verdict,
			     "case %zu: %s", i, err.msg);
		if (cases[i].verdict == ATTACH_REFUSED) {
			cr_assert_eq(err.code, ERR_PRECONDITION);
			cr_assert_eq(plan.why, cases[i].why, "case %zu: %s", i, err.msg);
			cr_assert_not_null(strstr(err.msg, plan.holder));
		}
		if (cases[i].after)
			cr_assert_str_eq(show(&plan.record), cases[i].after, "case %zu",
					 i);
		cr_assert_eq(plan.record.is_fencing, cases[i].verdict == ATTACH_FENCE);
		if (cases[i].verdict == ATTACH_FENCE)
			cr_assert_eq(plan.record.generation, 1);
	}
}

Test(attach_rules_k8s, unpublish)
{
	static const struct {
		const char *holders, *node;
		enum attach_verdict verdict;
		const char *after;
		bool is_off, is_pending;
	} cases[] = {
		/* clean: well, and not in use */
		{ "a/w", "a", ATTACH_WRITE, "", true, false },
		{ "a/w@", "a", ATTACH_WRITE, "", true, false },
		{ "a/x b/x", "a", ATTACH_WRITE, "b/x", false, false },
		/* anything else is a fence, once the API server itself says so */
		{ "a/w+", "a", ATTACH_FENCE, "a/w", true, false },
		{ "a/w!", "a", ATTACH_FENCE, "a/w", true, false },
		{ "a/w#", "a", ATTACH_FENCE, "a/w", true, false },
		{ "a/w*", "a", ATTACH_FENCE, "a/w", true, false },
		{ "a/w+@", "a", ATTACH_CHECK, NULL, false, false },
		{ "a/w*@", "a", ATTACH_CHECK, NULL, false, false },
		{ "a/x b/x!@", "", ATTACH_CHECK, NULL, false, false },
		{ "a/x b/x!", "", ATTACH_FENCE, "a/x b/x", true, false },
		/* not while another one has it */
		{ "a/x+ b/x", "a", ATTACH_WRITE, "a/u b/x", false, true },
		{ "a/x* b/x", "a", ATTACH_WRITE, "a/u b/x", false, true },
		{ "a/x* b/x!", "a", ATTACH_WRITE, "a/u b/x", false, true },
		{ "a/u* b/x", "a", ATTACH_DONE, NULL, false, true },
		/* one that is dead as well does not hold it up */
		{ "a/x* b/x#", "a", ATTACH_FENCE, "a/x b/x", true, false },
		/* the last of those that are well takes the fence with it */
		{ "a/u* b/x", "b", ATTACH_FENCE, "a/u b/x", true, false },
		{ "a/u b/r c/r", "b", ATTACH_WRITE, "a/u c/r", false, false },
		{ "a/u b/r c/r!", "b", ATTACH_WRITE, "a/u c/r", false, false },
		{ "a/u b/r c/r*", "b", ATTACH_FENCE, "a/u b/r c/r", true, false },
		/* gone alone, and nobody let it go: it stays */
		{ "a/x* b/x", "b", ATTACH_WRITE, "a/x", false, false },
		/* let go uncut, it can prove nothing any more */
		{ "a/u b/x", "a", ATTACH_DONE, NULL, false, true },
		{ "a/u@", "a", ATTACH_FENCE, "a/u", true, false },
		/* holders that only objects name: they keep the export, not the record */
		{ "a/x? b/x?", "a", ATTACH_WRITE, "", false, false },
		{ "a/x b/x?", "a", ATTACH_WRITE, "", false, false },
		{ "a/x? b/x", "a", ATTACH_WRITE, "b/x", false, false },
		{ "a/x?", "a", ATTACH_WRITE, "", true, false },
		{ "a/x?+ b/x c/x?", "a", ATTACH_WRITE, "a/u b/x", false, true },
		{ "b/x?", "a", ATTACH_WRITE, "", false, false },
		{ "b/w?", "a", ATTACH_WRITE, "", false, false },
		{ "b/w", "a", ATTACH_DONE, NULL, false, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int kind = 0; kind < 2; kind++) {
			struct rds_record r;
			struct attach_view v = view_of(&r, cases[i].holders);
			struct attach_ask ask = { .node = cases[i].node };
			struct attach_plan plan;
			struct err err = { .code = ERR_OK };

			/* Without a comment all holders come from objects. */
			for (unsigned k = 0; k < r.n_holders; k++)
				if (kind && !v.facts[k].is_object)
					goto next;
			r.kind = kind ? RDS_RECORD_NONE : RDS_RECORD_OURS;
			v.asker.standing = NODE_HEALTHY;
			cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err),
				     cases[i].verdict, "case %zu: %s", i, err.msg);
			cr_assert_eq(plan.is_pending, cases[i].is_pending, "case %zu", i);
			if (!cases[i].after)
				continue;
			cr_assert_eq(plan.record.kind, RDS_RECORD_OURS);
			cr_assert_str_eq(show(&plan.record), cases[i].after, "case %zu",
					 i);
			cr_assert_eq(plan.switch_off, cases[i].is_off, "case %zu", i);
			cr_assert_eq(plan.record.is_fencing,
				     cases[i].verdict == ATTACH_FENCE);
		next:;
		}
}

/* What the reconciler asks for: an object that the record does not bear out protects a
 * lost node only while its own node may be using the volume. */
Test(attach_rules_k8s, a_sweep_passes_over_objects_of_nodes_that_have_let_go)
{
	static const struct {
		const char *holders;
		enum attach_verdict verdict, by_call; /* a call's Unpublish of a */
	} cases[] = {
		{ "a/u b/w?", ATTACH_FENCE, ATTACH_DONE },
		{ "a/w* b/w?", ATTACH_FENCE, ATTACH_WRITE },
		{ "a/u* b/x? c/x?", ATTACH_FENCE, ATTACH_DONE },
		{ "a/u b/w?+@", ATTACH_CHECK, ATTACH_DONE },
		{ "a/u b/w?+", ATTACH_DONE, ATTACH_DONE },
		{ "a/u b/w?!", ATTACH_DONE, ATTACH_DONE },
		{ "a/u b/x? c/x?+", ATTACH_DONE, ATTACH_DONE },
		/* the record's own are never passed over */
		{ "a/u b/x", ATTACH_DONE, ATTACH_DONE },
		{ "a/w b/w?", ATTACH_WRITE, ATTACH_WRITE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int is_sweep = 0; is_sweep < 2; is_sweep++) {
			struct rds_record r;
			struct attach_view v = view_of(&r, cases[i].holders);
			struct attach_ask ask = { .node = "a", .is_sweep = is_sweep };
			struct attach_plan plan;
			struct err err = { .code = ERR_OK };

			cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err),
				     is_sweep ? cases[i].verdict : cases[i].by_call,
				     "case %zu, %d: %s", i, is_sweep, err.msg);
		}
}

/* A volume that only an older driver published, and whose object nobody has seen. */
Test(attach_rules_k8s, an_unmarked_volume_s_unpublish_is_judged_by_the_node)
{
	static const struct {
		struct node_facts node;
		bool is_live;
		enum attach_verdict verdict;
	} cases[] = {
		{ { NODE_HEALTHY, false, false }, false, ATTACH_WRITE },
		{ { NODE_HEALTHY, false, true }, false, ATTACH_CHECK },
		{ { NODE_HEALTHY, true, false }, false, ATTACH_CHECK },
		{ { NODE_HEALTHY, true, false }, true, ATTACH_FENCE },
		{ { NODE_GONE, false, true }, false, ATTACH_CHECK },
		{ { NODE_GONE, false, false }, true, ATTACH_FENCE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rds_record r;
		struct attach_view v = view_of(&r, "");
		struct attach_ask ask = { .node = "a" };
		struct attach_plan plan;
		struct err err = { .code = ERR_OK };

		r.kind = RDS_RECORD_NONE;
		v.asker = cases[i].node;
		v.is_asker_live = cases[i].is_live;
		cr_assert_eq(attach_unpublish(&v, &ask, &plan, &err), cases[i].verdict,
			     "case %zu", i);
	}
}
