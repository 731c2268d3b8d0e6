/* Statements, variables and the shapes of expressions. */
#include <string.h>

#include "sim/box.h"
#include "sim/interp.h"
#include "sim/menu.h"

const struct arg *call_arg(const struct node *n, const char *name)
{
	for (unsigned i = 0; i < n->n_args; i++)
		if (strcmp(n->args[i].name, name) == 0)
			return &n->args[i];
	return NULL;
}

int call_value(struct run *r, const struct node *n, const char *name, struct value *ret)
{
	const struct arg *a = call_arg(n, name);

	*ret = v_nothing();
	return a && a->val ? eval(r, a->val, ret) : 0;
}

int eval_condition(struct run *r, const struct node *n, bool *ret)
{
	struct value v;

	if (eval(r, n, &v) < 0)
		return -1;
	if (v.t != V_BOOL)
		return run_error(r, NULL, "conditional not boolean");
	*ret = v.b;
	return 0;
}

static int before_stmt(struct run *r)
{
	if (++r->statements > RUN_MAX_STATEMENTS || r->a.over ||
	    r->out.len > RUN_MAX_OUTPUT) {
		r->ctl = CTL_FATAL;
		r->err = "interrupted";
		return -1;
	}
	if (r->hooks && !r->atomic)
		return r->hooks->statement(r);
	return 0;
}

static int late_error(struct run *r, const struct node *n)
{
	r->ctl = CTL_FATAL;
	r->err = n->late;
	r->box->stats.unknown++;
	return -1;
}

int eval_stmt(struct run *r, const struct node *n, struct value *ret)
{
	const struct node *was = r->cur;
	int rc;

	*ret = v_nothing();
	if (n->k == N_BLOCK)
		return eval_block(r, n, ret);
	if (before_stmt(r) < 0)
		return -1;
	if (n->late)
		return late_error(r, n);
	r->cur = n;
	rc = n->k == N_CALL ? eval_call(r, n, ret) : eval_cmd(r, n, ret);
	r->cur = was;
	return rc;
}

/* A block has its own variables. Its value is that of its last statement. */
int eval_block(struct run *r, const struct node *n, struct value *ret)
{
	struct scope scope = { .up = r->scope };
	int rc = 0;

	*ret = v_nothing();
	if (r->depth >= RUN_MAX_DEPTH)
		return run_error(r, NULL, "failure: nested too deep");
	r->depth++;
	r->scope = &scope;
	for (unsigned i = 0; i < n->n_kids && rc == 0; i++)
		rc = eval_stmt(r, n->kid[i], ret);
	r->scope = scope.up;
	r->depth--;
	return rc;
}

static int eval_sub(struct run *r, const struct node *n, struct value *ret)
{
	const struct node *block = n->kid[0];
	int rc;

	if (r->depth >= RUN_MAX_DEPTH)
		return run_error(r, NULL, "failure: nested too deep");
	r->depth++;
	rc = eval_stmt(r, block->kid[0], ret);
	r->depth--;
	if (rc < 0 && r->ctl == CTL_RETURN) {
		r->ctl = CTL_NONE;
		*ret = r->ret;
		rc = 0;
	}
	return rc;
}

static int eval_name(struct run *r, const struct node *n, struct value *ret)
{
	const struct menu *m = r->where_menu;
	struct node *cache = (struct node *)(uintptr_t)n;

	if (m) {
		if (n->prop_menu != m->schema) {
			cache->prop_menu = m->schema;
			cache->prop = schema_prop(m->schema, n->s, strlen(n->s),
						  r->box->opt.version);
		}
		if (n->prop >= 0) {
			*ret = menu_get(r, m, r->where_row, n->prop);
			return 0;
		}
	}
	return run_lookup(r, n->s, ret);
}

static int eval_string(struct run *r, const struct node *n, struct value *ret)
{
	struct sb text = { 0 };

	for (unsigned i = 0; i < n->n_kids; i++) {
		struct value v;

		if (eval(r, n->kid[i], &v) < 0) {
			sb_fini(&text);
			return -1;
		}
		v = v_tostr(&r->a, &v);
		sb_add(&text, v.s, v.len);
	}
	*ret = v_strn(&r->a, text.p ? text.p : "", text.len);
	sb_fini(&text);
	return 0;
}

static int eval_array(struct run *r, const struct node *n, struct value *ret)
{
	struct array *arr = array_new(&r->a, n->n_kids);
	bool keyed = false;

	for (unsigned i = 0; i < n->n_kids; i++) {
		struct value v, k = v_nothing();

		if (eval(r, n->kid[i], &v) < 0)
			return -1;
		if (n->keys[i]) {
			k = n->keys[i]->k == N_BARE ? v_lit(n->keys[i]->s) : v_nil();
			if (n->keys[i]->k != N_BARE && eval(r, n->keys[i], &k) < 0)
				return -1;
			k = v_tostr(&r->a, &k);
			keyed = true;
		}
		array_push(&r->a, arr, k.t == V_STR ? k.s : NULL, v);
	}
	if (keyed)
		array_sort(arr);
	*ret = v_array(arr);
	return 0;
}

int eval(struct run *r, const struct node *n, struct value *ret)
{
	int rc;

	switch (n->k) {
	case N_LIT:
	case N_BARE:
		*ret = n->never ? v_nothing() : n->v;
		return 0;
	case N_STR:
		return eval_string(r, n, ret);
	case N_VAR:
	case N_WORD:
		return eval_name(r, n, ret);
	case N_SUB:
		return eval_sub(r, n, ret);
	case N_BIN:
	case N_UN:
		if (r->depth >= RUN_MAX_DEPTH)
			return run_error(r, NULL, "failure: nested too deep");
		r->depth++;
		rc = n->k == N_BIN ? eval_binary(r, n, ret) : eval_unary(r, n, ret);
		r->depth--;
		return rc;
	case N_ARRAY:
		return eval_array(r, n, ret);
	case N_BLOCK:
		*ret = (struct value){ .t = V_CODE, .code = n };
		return 0;
	case N_CALL:
	case N_CMD:
		return eval_stmt(r, n, ret);
	}
	return -1;
}
