/* The global commands that compute: :len, :tostr, :pick, :serialize and their like. */
#include <string.h>

#include "sim/box.h"
#include "sim/interp.h"

typedef int builtin_fn(struct run *r, const struct node *n, struct value *ret);

static int need(struct run *r, const struct node *n, const char *name, struct value *ret)
{
	if (!call_arg(n, name))
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) %s",
				 name);
	return call_value(r, n, name, ret);
}

static int do_put(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (need(r, n, "message", &v) < 0)
		return -1;
	v = v_tostr(&r->a, &v);
	run_put(r, v.s, v.len);
	*ret = v;
	return 0;
}

static int do_error(struct run *r, const struct node *n, struct value *ret)
{
	(void)ret;
	if (need(r, n, "message", ret) < 0)
		return -1;
	*ret = v_tostr(&r->a, ret);
	return run_error(r, NULL, "%s", ret->s);
}

static int do_return(struct run *r, const struct node *n, struct value *ret)
{
	if (need(r, n, "value", ret) < 0)
		return -1;
	r->ret = *ret;
	r->ctl = CTL_RETURN;
	return -1;
}

static int do_quit(struct run *r, const struct node *n, struct value *ret)
{
	(void)n;
	(void)ret;
	r->ctl = CTL_QUIT;
	return -1;
}

static int do_local(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *name = call_arg(n, "name"), *code = call_arg(n, "do");
	bool global = !strcmp(n->cmd->name, "global");
	struct value v;

	*ret = v_nothing();
	if (!name)
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) name");
	if (call_value(r, n, code ? "do" : "value", &v) < 0)
		return -1;
	if (global)
		return run_declare_global(r, name->val->s,
					  code || call_arg(n, "value") ? &v : NULL);
	run_set_local(r, name->val->s, v);
	return 0;
}

/* :set ($a->"k") v changes one element: the array is copied, as values never change. */
static int set_element(struct run *r, const struct node *target, struct value v)
{
	struct array *to;
	struct value base, key;
	const char *name = target->kid[0]->s;

	if (target->op != OP_ARROW || target->kid[0]->k != N_VAR)
		return run_error(r, NULL, "Script Error: cannot set this");
	if (eval(r, target->kid[0], &base) < 0 || eval(r, target->kid[1], &key) < 0)
		return -1;
	to = array_new(&r->a, 8);
	for (unsigned i = 0; base.t == V_ARRAY && i < base.a->n; i++)
		array_push(&r->a, to, base.a->e[i].key, base.a->e[i].v);
	if (key.t == V_NUM && key.n >= 0 && key.n < to->n) {
		to->e[key.n].v = v;
	} else {
		key = v_tostr(&r->a, &key);
		array_push(&r->a, to, key.s, v);
		array_sort(to);
	}
	return run_assign(r, name, v_array(to));
}

static int do_set(struct run *r, const struct node *n, struct value *ret)
{
	const struct arg *name = call_arg(n, "name");
	struct value v;

	*ret = v_nothing();
	if (!name)
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) name");
	if (call_value(r, n, "value", &v) < 0)
		return -1;
	if (name->val->k == N_BIN)
		return set_element(r, name->val, v);
	return run_assign(r, name->val->s, v);
}

static int do_len(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (need(r, n, "value", &v) < 0)
		return -1;
	if (v.t == V_ARRAY) {
		*ret = v_num(v.a->n);
		return 0;
	}
	v = v_tostr(&r->a, &v);
	*ret = v_num(v.len);
	return 0;
}

static int do_tostr(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (need(r, n, "value", &v) < 0)
		return -1;
	*ret = v_tostr(&r->a, &v);
	return 0;
}

static int do_tonum(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (need(r, n, "value", &v) < 0)
		return -1;
	*ret = v_tonum(&v);
	return 0;
}

static int do_tobool(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (need(r, n, "value", &v) < 0)
		return -1;
	*ret = v_nil();
	if (v.t == V_BOOL)
		*ret = v;
	else if (v.t == V_NUM)
		*ret = v_bool(v.n != 0);
	else if (v.t == V_STR && (!strcmp(v.s, "true") || !strcmp(v.s, "false")))
		*ret = v_bool(v.s[0] == 't');
	return 0;
}

/* :toid, :toip, :totime: text that reads as that type, else nil. */
static int do_totype(struct run *r, const struct node *n, struct value *ret)
{
	enum vtype want = !strcmp(n->cmd->name, "toid")	  ? V_ID
			  : !strcmp(n->cmd->name, "toip") ? V_IP
							  : V_TIME;
	struct value v;

	if (need(r, n, "value", &v) < 0)
		return -1;
	if (v.t == V_STR)
		v = v_typed(&r->a, v.s, v.len);
	if (want == V_TIME && v.t == V_NUM)
		v = (struct value){ .t = V_TIME, .n = v.n * 1000 };
	*ret = v.t == want ? v : v_nil();
	return 0;
}

static int do_typeof(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (call_value(r, n, "value", &v) < 0)
		return -1;
	*ret = v_lit(v_typeof(&v));
	return 0;
}

static int do_toarray(struct run *r, const struct node *n, struct value *ret)
{
	struct array *to = array_new(&r->a, 4);
	struct value v, delim;
	const char *s, *d, *next;

	if (need(r, n, "value", &v) < 0 || call_value(r, n, "delimiter", &delim) < 0)
		return -1;
	*ret = v;
	if (v.t == V_ARRAY)
		return 0;
	d = delim.t == V_STR && delim.len ? delim.s : ",";
	if (v.t == V_STR && v.len) {
		for (s = v.s; (next = strstr(s, d)); s = next + strlen(d))
			array_push(&r->a, to, NULL,
				   v_typed(&r->a, s, (size_t)(next - s)));
		array_push(&r->a, to, NULL, v_typed(&r->a, s, strlen(s)));
	} else if (!v_is_empty(&v)) {
		array_push(&r->a, to, NULL, v);
	}
	*ret = v_array(to);
	return 0;
}

static int do_pick(struct run *r, const struct node *n, struct value *ret)
{
	struct value v, b, e;
	int64_t from, to, len;

	if (need(r, n, "counter", &v) < 0 || need(r, n, "begin", &b) < 0 ||
	    call_value(r, n, "end", &e) < 0)
		return -1;
	b = v_tonum(&b);
	e = v_tonum(&e);
	if (v.t != V_ARRAY)
		v = v_tostr(&r->a, &v);
	len = v.t == V_ARRAY ? v.a->n : v.len;
	from = b.t == V_NUM && b.n > 0 ? b.n : 0;
	to = e.t == V_NUM ? e.n : from + 1;
	if (to > len)
		to = len;
	*ret = v_nil();
	if (v.t == V_ARRAY && e.t != V_NUM && from < len)
		*ret = v.a->e[from].v;
	else if (v.t == V_STR)
		*ret = from < to ? v_strn(&r->a, v.s + from, (size_t)(to - from))
				 : v_lit("");
	if (v.t == V_ARRAY && e.t == V_NUM) {
		struct array *arr = array_new(&r->a, 4);

		for (int64_t i = from; i < to; i++)
			array_push(&r->a, arr, v.a->e[i].key, v.a->e[i].v);
		*ret = v_array(arr);
	}
	return 0;
}

static int do_find(struct run *r, const struct node *n, struct value *ret)
{
	struct value in, key, from;
	int64_t start;

	if (need(r, n, "in", &in) < 0 || need(r, n, "key", &key) < 0 ||
	    call_value(r, n, "from", &from) < 0)
		return -1;
	/* from is the place before the first one looked at; absent: look at all. */
	start = from.t == V_NUM && from.n >= 0 ? from.n + 1 : 0;
	*ret = v_nil();
	if (in.t == V_ARRAY) {
		for (int64_t i = start; i < in.a->n; i++)
			if (v_equal(&r->a, &in.a->e[i].v, &key)) {
				*ret = v_num(i);
				return 0;
			}
		return 0;
	}
	in = v_tostr(&r->a, &in);
	key = v_tostr(&r->a, &key);
	if (start <= in.len) {
		const char *at = strstr(in.s + start, key.s);

		if (at)
			*ret = v_num(at - in.s);
	}
	return 0;
}

static int do_serialize(struct run *r, const struct node *n, struct value *ret)
{
	struct value v, to, opt;
	struct sb out = { 0 };

	if (need(r, n, "value", &v) < 0 || need(r, n, "to", &to) < 0 ||
	    call_value(r, n, "options", &opt) < 0)
		return -1;
	to = v_tostr(&r->a, &to);
	opt = v_tostr(&r->a, &opt);
	if (strcmp(to.s, "json") != 0)
		return run_error(r, "to", "failure: only json is simulated");
	if (opt.len && strcmp(opt.s, "json.no-string-conversion") != 0)
		return run_error(r, "options",
				 "input does not match any value of options");
	json_write(&out, &v, opt.len == 0);
	*ret = v_strn(&r->a, out.p ? out.p : "", out.len);
	sb_fini(&out);
	return 0;
}

static int do_delay(struct run *r, const struct node *n, struct value *ret)
{
	struct value v;

	if (need(r, n, "delay-time", &v) < 0)
		return -1;
	*ret = v_nothing();
	if (v.t == V_STR)
		v = v_typed(&r->a, v.s, v.len);
	if (v.t == V_NUM)
		v = (struct value){ .t = V_TIME, .n = v.n * 1000 };
	if (v.t != V_TIME)
		return run_error(r, "delay-time",
				 "invalid value for argument delay-time");
	return run_sleep(r, v.n > 0 ? (uint64_t)v.n : 0);
}

static int do_nothing(struct run *r, const struct node *n, struct value *ret)
{
	(void)r;
	(void)n;
	*ret = v_nothing();
	return 0;
}

static const struct {
	const char *name;
	builtin_fn *fn;
} builtins[] = {
	{ "put", do_put },	   { "error", do_error },
	{ "return", do_return },   { "quit", do_quit },
	{ "exit", do_quit },	   { "local", do_local },
	{ "global", do_local },	   { "set", do_set },
	{ "len", do_len },	   { "tostr", do_tostr },
	{ "tonum", do_tonum },	   { "tobool", do_tobool },
	{ "toid", do_totype },	   { "toip", do_totype },
	{ "totime", do_totype },   { "typeof", do_typeof },
	{ "toarray", do_toarray }, { "pick", do_pick },
	{ "find", do_find },	   { "serialize", do_serialize },
	{ "delay", do_delay },	   { "nothing", do_nothing },
};

int eval_call(struct run *r, const struct node *n, struct value *ret)
{
	bool known;
	int rc = eval_flow(r, n, ret, &known);

	if (known)
		return rc;
	for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
		if (strcmp(builtins[i].name, n->cmd->name) == 0)
			return builtins[i].fn(r, n, ret);
	/* It exists on the box and not here: loud, and counted. */
	r->box->stats.unknown++;
	return run_error(r, NULL, "failure: :%s is not simulated", n->cmd->name);
}
