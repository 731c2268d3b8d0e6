/* The global commands that decide what runs: :if, the loops, and the catching of errors.
 */
#include <string.h>

#include "sim/interp.h"

/* Runs a block given as an argument; without the argument nothing. */
static int run_arg(struct run *r, const struct node *n, const char *name,
		   struct value *ret)
{
	const struct arg *a = call_arg(n, name);

	*ret = v_nothing();
	if (!a)
		return 0;
	if (a->val->k != N_BLOCK)
		return run_error(r, name, "invalid value for argument %s", name);
	return eval_block(r, a->val, ret);
}

static int missing(struct run *r, const char *name)
{
	return run_error(r, NULL, "Script Error: missing value(s) of argument(s) %s",
			 name);
}

static int do_if(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *cond = call_arg(n, "condition");
	bool yes;

	if (!cond)
		return missing(r, "condition");
	if (eval_condition(r, cond->val, &yes) < 0)
		return -1;
	return run_arg(r, n, yes ? "do" : "else", ret);
}

static int do_while(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *cond = call_arg(n, "condition");
	bool yes;

	*ret = v_nothing();
	if (!cond)
		return missing(r, "condition");
	for (;;) {
		if (eval_condition(r, cond->val, &yes) < 0)
			return -1;
		if (!yes)
			return 0;
		if (run_arg(r, n, "do", ret) < 0)
			return -1;
		if (++r->statements > RUN_MAX_STATEMENTS) {
			r->ctl = CTL_FATAL;
			r->err = "interrupted";
			return -1;
		}
	}
}

/* The counter lives in a scope of its own around the block. */
static int run_counted(struct run *r, const struct node *n, const char *name,
		       struct value v)
{
	struct scope scope = { .up = r->scope };
	struct value ignored;
	int rc;

	r->scope = &scope;
	run_set_local(r, name, v);
	rc = run_arg(r, n, "do", &ignored);
	r->scope = scope.up;
	return rc;
}

static int do_for(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *name = call_arg(n, "name");
	struct value from, to, step;

	*ret = v_nothing();
	if (!name)
		return missing(r, "counter");
	if (call_value(r, n, "from", &from) < 0 || call_value(r, n, "to", &to) < 0 ||
	    call_value(r, n, "step", &step) < 0)
		return -1;
	if (step.t != V_NUM)
		step = v_num(from.t == V_NUM && to.t == V_NUM && to.n < from.n ? -1 : 1);
	if (from.t != V_NUM || to.t != V_NUM || step.n == 0)
		return run_error(r, NULL, "Script Error: bad range");
	for (int64_t i = from.n; step.n > 0 ? i <= to.n : i >= to.n; i += step.n)
		if (run_counted(r, n, name->val->s, v_num(i)) < 0)
			return -1;
	return 0;
}

/* :foreach k,v in=… : two names, key and value. */
static int foreach_pair(struct run *r, const struct node *n, const char *name,
			const struct element *e)
{
	const char *comma = strchr(name, ',');
	struct scope scope = { .up = r->scope };
	int rc;

	if (!comma)
		return run_counted(r, n, name, e->v);
	r->scope = &scope;
	run_set_local(r, arena_dup(&r->a, name, (size_t)(comma - name)),
		      e->key ? v_lit(e->key) : v_nil());
	rc = run_counted(r, n, comma + 1, e->v);
	r->scope = scope.up;
	return rc;
}

static int do_foreach(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *name = call_arg(n, "name");
	struct value in;

	*ret = v_nothing();
	if (!name || !call_arg(n, "in"))
		return missing(r, name ? "in" : "counter");
	if (call_value(r, n, "in", &in) < 0)
		return -1;
	if (in.t != V_ARRAY) {
		struct element one = { .v = in };

		return v_is_empty(&in) ? 0 : foreach_pair(r, n, name->val->s, &one);
	}
	for (unsigned i = 0; i < in.a->n; i++)
		if (foreach_pair(r, n, name->val->s, &in.a->e[i]) < 0)
			return -1;
	return 0;
}

static int do_once(struct run *r, const struct node *n, struct value *ret)
{
	const struct node *was = r->cur;
	int rc = run_arg(r, n, "command", ret);

	if (rc < 0 && r->ctl == CTL_ERROR && call_arg(n, "on-error")) {
		r->ctl = CTL_NONE;
		r->cur = was;
		rc = run_arg(r, n, "on-error", ret);
	}
	return rc;
}

static int do_do(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *again = call_arg(n, "while"), *cond = call_arg(n, "if");
	bool yes = true;

	*ret = v_nothing();
	if (cond && eval_condition(r, cond->val, &yes) < 0)
		return -1;
	while (yes) {
		if (do_once(r, n, ret) < 0)
			return -1;
		if (!again)
			break;
		if (eval_condition(r, again->val, &yes) < 0)
			return -1;
		r->statements++;
	}
	return 0;
}

/* Yields whether an error came; the variable holds its text with the suffix. */
static int do_onerror(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *name = call_arg(n, "name");
	const struct node *was = r->cur;
	struct scope scope = { .up = r->scope };
	struct value ignored;
	int rc;

	if (!name || !call_arg(n, "in"))
		return missing(r, name ? "in" : "error");
	rc = run_arg(r, n, "in", &ignored);
	*ret = v_bool(false);
	if (rc == 0 || r->ctl != CTL_ERROR)
		return rc;
	r->ctl = CTL_NONE;
	r->cur = was;
	r->scope = &scope;
	run_set_local(r, name->val->s, v_str(&r->a, r->err));
	rc = run_arg(r, n, "do", &ignored);
	r->scope = scope.up;
	*ret = v_bool(true);
	return rc;
}

static int do_retry(struct run *r, const struct node *n, struct value *ret)
{
	struct value max, delay;
	int rc = -1;

	if (call_value(r, n, "max", &max) < 0 || call_value(r, n, "delay", &delay) < 0)
		return -1;
	for (int64_t i = 0; i < (max.t == V_NUM ? max.n : 1); i++) {
		rc = run_arg(r, n, "command", ret);
		if (rc == 0 || r->ctl != CTL_ERROR)
			return rc;
		if (delay.t == V_TIME || delay.t == V_NUM)
			if (run_sleep(r, (uint64_t)delay.n *
						 (delay.t == V_NUM ? 1000u : 1u)) < 0)
				return -1;
	}
	if (call_arg(n, "on-error")) {
		r->ctl = CTL_NONE;
		return run_arg(r, n, "on-error", ret);
	}
	return rc;
}

int eval_flow(struct run *r, const struct node *n, struct value *ret, bool *ret_known)
{
	static const struct {
		const char *name;
		int (*fn)(struct run *, const struct node *, struct value *);
	} table[] = {
		{ "if", do_if },       { "while", do_while },
		{ "for", do_for },     { "foreach", do_foreach },
		{ "do", do_do },       { "onerror", do_onerror },
		{ "retry", do_retry },
	};

	*ret_known = true;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, n->cmd->name) == 0)
			return table[i].fn(r, n, ret);
	*ret_known = false;
	return 0;
}
