/* Operators. Both sides of && and || are always evaluated, as on the box. */
#include <string.h>

#include "sim/interp.h"

static const char *type_word(const struct value *v)
{
	switch (v->t) {
	case V_NUM:
		return "integer number";
	case V_STR:
		return "string";
	case V_BOOL:
		return "boolean";
	default:
		return v_typeof(v);
	}
}

static bool is_nil(const struct value *v)
{
	return v->t == V_NIL || v->t == V_NOTHING;
}

/* nil adds as 0; text is never silently a number in arithmetic. */
static bool as_int(const struct value *v, int64_t *ret)
{
	*ret = v->t == V_NUM || v->t == V_TIME ? v->n : 0;
	return v->t == V_NUM || v->t == V_TIME || is_nil(v);
}

static int wrong_types(struct run *r, const char *verb, const struct value *v)
{
	return run_error(r, NULL, "Script Error: cannot %s %s and %s", verb,
			 type_word(&v[0]), type_word(&v[1]));
}

static int shift(enum op op, uint64_t x, uint64_t n, uint64_t *ret)
{
	if (n > 63)
		*ret = 0;
	else
		*ret = op == OP_SHL ? x << n : x >> n;
	return 0;
}

static int divide(struct run *r, enum op op, int64_t x, int64_t y, struct value *ret)
{
	if (y == 0)
		return run_error(r, NULL, "Script Error: division by zero");
	if (y == -1)
		*ret = v_num(op == OP_DIV ? (int64_t)(0 - (uint64_t)x) : 0);
	else
		*ret = v_num(op == OP_DIV ? x / y : x % y);
	return 0;
}

static int arithmetic(struct run *r, enum op op, const struct value *v, struct value *ret)
{
	int64_t x, y;
	uint64_t a, b, c = 0;

	if (!as_int(&v[0], &x) || !as_int(&v[1], &y))
		return wrong_types(r, "calculate with", v);
	a = (uint64_t)x;
	b = (uint64_t)y;
	switch (op) {
	case OP_ADD:
		c = a + b;
		break;
	case OP_SUB:
		c = a - b;
		break;
	case OP_MUL:
		c = a * b;
		break;
	case OP_BOR:
		c = a | b;
		break;
	case OP_XOR:
		c = a ^ b;
		break;
	case OP_BAND:
		c = a & b;
		break;
	case OP_SHL:
	case OP_SHR:
		shift(op, a, b, &c);
		break;
	default:
		return divide(r, op, x, y, ret);
	}
	*ret = v_num((int64_t)c);
	if (v[0].t == V_TIME)
		ret->t = V_TIME;
	return 0;
}

static int compare(struct run *r, enum op op, const struct value *v, struct value *ret)
{
	bool numbers = v[0].t == V_NUM && v[1].t == V_NUM;
	bool times = v[0].t == V_TIME && v[1].t == V_TIME;
	int64_t x, y;

	/* Inside where an unset property is neither smaller nor larger than anything. */
	if (r->where_menu && (is_nil(&v[0]) || is_nil(&v[1]))) {
		*ret = v_bool(false);
		return 0;
	}
	if (!numbers && !times)
		return wrong_types(r, "compare", v);
	x = v[0].n;
	y = v[1].n;
	*ret = v_bool(op == OP_LT   ? x < y
		      : op == OP_GT ? x > y
		      : op == OP_LE ? x <= y
				    : x >= y);
	return 0;
}

static int match(struct run *r, const struct value *v, struct value *ret)
{
	struct value text = v_tostr(&r->a, &v[0]), pattern = v_tostr(&r->a, &v[1]);
	int rc = run_regex(r, text.s, pattern.s);

	if (rc < 0)
		return -1;
	*ret = v_bool(rc == 1);
	return 0;
}

static struct value join(struct run *r, const struct value *x, const struct value *y)
{
	struct value a = v_tostr(&r->a, x), b = v_tostr(&r->a, y);
	char *p = arena_alloc(&r->a, (size_t)a.len + b.len + 1);

	memcpy(p, a.s, a.len);
	memcpy(p + a.len, b.s, b.len);
	return (struct value){ .t = V_STR, .len = a.len + b.len, .s = p };
}

/* "x".{1;2} is {"x1";"x2"}. */
static void concat(struct run *r, const struct value *v, struct value *ret)
{
	int side = v[0].t == V_ARRAY ? 0 : 1;
	const struct array *from = v[side].a;
	struct array *to;

	if (v[side].t != V_ARRAY) {
		*ret = join(r, &v[0], &v[1]);
		return;
	}
	to = array_new(&r->a, from->n);
	for (unsigned i = 0; i < from->n; i++) {
		struct value pair[2] = { v[0], v[1] }, x;

		pair[side] = from->e[i].v;
		concat(r, pair, &x);
		array_push(&r->a, to, from->e[i].key, x);
	}
	*ret = v_array(to);
}

static void append(struct run *r, struct array *to, const struct value *v)
{
	if (v->t != V_ARRAY) {
		array_push(&r->a, to, NULL, *v);
		return;
	}
	for (unsigned i = 0; i < v->a->n; i++)
		array_push(&r->a, to, v->a->e[i].key, v->a->e[i].v);
}

static void comma(struct run *r, const struct value *v, struct value *ret)
{
	struct array *to = array_new(&r->a, 8);

	append(r, to, &v[0]);
	append(r, to, &v[1]);
	array_sort(to);
	*ret = v_array(to);
}

static void arrow(struct run *r, const struct value *v, struct value *ret)
{
	const struct value *x = NULL;
	struct value key;

	*ret = v_nothing();
	if (v[0].t != V_ARRAY)
		return;
	if (v[1].t == V_NUM) {
		if (v[1].n >= 0 && v[1].n < v[0].a->n)
			x = &v[0].a->e[v[1].n].v;
	} else {
		key = v_tostr(&r->a, &v[1]);
		x = array_get(v[0].a, key.s);
	}
	if (x)
		*ret = *x;
}

static int in(struct run *r, const struct value *v, struct value *ret)
{
	if (v[1].t != V_ARRAY)
		return wrong_types(r, "look for", v);
	*ret = v_bool(false);
	for (unsigned i = 0; i < v[1].a->n; i++)
		if (v_equal(&r->a, &v[0], &v[1].a->e[i].v))
			*ret = v_bool(true);
	return 0;
}

/* A bare property in where means "is set". */
static int truth(struct run *r, const struct value *v, bool *ret)
{
	if (v->t != V_BOOL && !r->where_menu)
		return run_error(r, NULL, "Script Error: cannot apply logic to %s",
				 type_word(v));
	*ret = v->t == V_BOOL ? v->b : !v_is_empty(v);
	return 0;
}

static int logic(struct run *r, enum op op, const struct value *v, struct value *ret)
{
	bool x, y;

	if (truth(r, &v[0], &x) < 0 || truth(r, &v[1], &y) < 0)
		return -1;
	*ret = v_bool(op == OP_AND ? x && y : x || y);
	return 0;
}

int eval_binary(struct run *r, const struct node *n, struct value *ret)
{
	struct value v[2];
	bool never = n->kid[0]->never || n->kid[1]->never;

	if (eval(r, n->kid[0], &v[0]) < 0 || eval(r, n->kid[1], &v[1]) < 0)
		return -1;
	switch (n->op) {
	case OP_EQ:
		*ret = v_bool(!never && v_equal(&r->a, &v[0], &v[1]));
		return 0;
	case OP_NE:
		*ret = v_bool(!never && !v_equal(&r->a, &v[0], &v[1]));
		return 0;
	case OP_OR:
	case OP_AND:
		return logic(r, n->op, v, ret);
	case OP_LT:
	case OP_GT:
	case OP_LE:
	case OP_GE:
		return compare(r, n->op, v, ret);
	case OP_RE:
		return match(r, v, ret);
	case OP_DOT:
		concat(r, v, ret);
		return 0;
	case OP_COMMA:
		comma(r, v, ret);
		return 0;
	case OP_ARROW:
		arrow(r, v, ret);
		return 0;
	case OP_IN:
		return in(r, v, ret);
	default:
		return arithmetic(r, n->op, v, ret);
	}
}

int eval_unary(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;
	bool x;
	int64_t i;

	if (eval(r, n->kid[0], &v) < 0)
		return -1;
	switch (n->op) {
	case OP_NOT:
		if (v.t != V_BOOL && !r->where_menu)
			return run_error(r, NULL, "Script Error: cannot invert %s",
					 type_word(&v));
		truth(r, &v, &x);
		*ret = v_bool(!x);
		return 0;
	case OP_ANY:
		*ret = v_bool(!is_nil(&v));
		return 0;
	default:
		if (!as_int(&v, &i))
			return run_error(r, NULL, "Script Error: cannot negate %s",
					 type_word(&v));
		*ret = v_num(n->op == OP_NEG ? (int64_t)(0 - (uint64_t)i) : ~i);
		return 0;
	}
}
