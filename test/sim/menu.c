#include "sim/menu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void menu_init(void)
{
	struct menu *main_menus[] = { &menu_disk,   &menu_file,	  &menu_btrfs_fs,
				      &menu_subvol, &menu_health, &menu_user,
				      &menu_group,  &menu_keys };

	for (size_t i = 0; i < sizeof main_menus / sizeof *main_menus; i++)
		main_menus[i]->schema =
			schema_menu(main_menus[i]->path, strlen(main_menus[i]->path));
	for (unsigned i = 0; i < n_menus_sys; i++)
		menus_sys[i].schema =
			schema_menu(menus_sys[i].path, strlen(menus_sys[i].path));
}

struct menu *menu_find(const char *path)
{
	struct menu *main_menus[] = { &menu_disk,   &menu_file,	  &menu_btrfs_fs,
				      &menu_subvol, &menu_health, &menu_user,
				      &menu_group,  &menu_keys };

	for (size_t i = 0; i < sizeof main_menus / sizeof *main_menus; i++)
		if (strcmp(main_menus[i]->path, path) == 0)
			return main_menus[i];
	for (unsigned i = 0; i < n_menus_sys; i++)
		if (strcmp(menus_sys[i].path, path) == 0)
			return &menus_sys[i];
	return NULL;
}

struct value menu_get(struct run *r, const struct menu *m, void *row, int prop)
{
	if (prop == PROP_ID)
		return m->id ? v_id(&r->a, m->id(r, row)) : v_nothing();
	return m->get(r, row, m->schema->props[prop], prop);
}

void rows_add(struct run *r, struct rows *rows, void *row)
{
	if (rows->n == rows->cap) {
		unsigned cap = rows->cap * 2 + 16;
		void **p = arena_alloc(&r->a, cap * sizeof *p);

		if (rows->n)
			memcpy(p, rows->row, rows->n * sizeof *p);
		rows->row = p;
		rows->cap = cap;
	}
	rows->row[rows->n++] = row;
}

const struct value *call_get(const struct call *c, const char *name)
{
	for (unsigned i = 0; i < c->n->n_args; i++)
		if (c->n->args[i].val && strcmp(c->n->args[i].name, name) == 0)
			return &c->v[i];
	return NULL;
}

bool call_has(const struct call *c, const char *name)
{
	return call_arg(c->n, name) != NULL;
}

static const char *arg_text(struct run *r, const struct arg *a, const struct value *v)
{
	if (a->val->k == N_BARE)
		return a->val->s;
	if (v->t == V_BOOL)
		return v->b ? "yes" : "no";
	return v_tostr(&r->a, v).s;
}

const char *call_text(struct run *r, const struct call *c, const char *name)
{
	for (unsigned i = 0; i < c->n->n_args; i++)
		if (c->n->args[i].val && strcmp(c->n->args[i].name, name) == 0)
			return arg_text(r, &c->n->args[i], &c->v[i]);
	return NULL;
}

/* ---- where ---- */
/* What the other side of an equality is, if it cannot depend on the row. */
static const char *constant_text(struct run *r, const struct menu *m,
				 const struct node *n)
{
	struct value v = v_nothing();

	if (n->k == N_LIT || (n->k == N_BARE && !n->never))
		v = n->v;
	else if (n->k == N_VAR && schema_prop(m->schema, n->s, strlen(n->s), 0) < 0)
		run_lookup(r, n->s, &v);
	return v.t == V_STR && v.len ? v.s : NULL;
}

static void find_hints(struct run *r, const struct menu *m, const struct node *n,
		       struct hints *h)
{
	const struct node *x;
	const char *text;
	int prop;

	if (n->k != N_BIN || h->n == HINTS_MAX)
		return;
	if (n->op == OP_AND) {
		find_hints(r, m, n->kid[0], h);
		find_hints(r, m, n->kid[1], h);
		return;
	}
	x = n->kid[0];
	if (n->op != OP_EQ || (x->k != N_WORD && x->k != N_VAR) || h->n == HINTS_MAX)
		return;
	prop = schema_prop(m->schema, x->s, strlen(x->s), r->box->opt.version);
	text = prop >= 0 ? constant_text(r, m, n->kid[1]) : NULL;
	if (!text)
		return;
	h->eq[h->n].prop = prop;
	h->eq[h->n++].text = text;
}

static int row_matches(struct run *r, const struct menu *m, void *row,
		       const struct node *n)
{
	const struct menu *was = r->where_menu;
	void *was_row = r->where_row;
	struct value v;
	int rc;

	r->where_menu = m;
	r->where_row = row;
	r->atomic++;
	rc = eval(r, n, &v);
	r->atomic--;
	r->where_menu = was;
	r->where_row = was_row;
	if (rc < 0)
		return -1;
	return v.t == V_BOOL ? v.b : !v_is_empty(&v);
}

int menu_select(struct run *r, struct call *c, struct rows *out)
{
	const struct arg *where = call_arg(c->n, "where");
	struct hints h = { 0 };
	struct rows all = { 0 };

	if (where)
		find_hints(r, c->m, where->val, &h);
	c->m->list(r, &h, &all);
	if (!where) {
		*out = all;
		return 0;
	}
	for (unsigned i = 0; i < all.n; i++) {
		int rc = row_matches(r, c->m, all.row[i], where->val);

		if (rc < 0)
			return -1;
		if (rc)
			rows_add(r, out, all.row[i]);
	}
	return 0;
}

/* ---- selectors ---- */
static int add_target(struct run *r, const struct menu *m, const char *text,
		      struct rows *out)
{
	void *row = NULL;

	if (text[0] == '*')
		row = m->by_id ? m->by_id(r, text) : NULL;
	else if (m->by_name)
		row = m->by_name(r, text);
	if (!row)
		return run_error(r, NULL,
				 text[0] == '*' ? "no such item (4)" : "no such item");
	rows_add(r, out, row);
	return 0;
}

static int add_targets(struct run *r, const struct menu *m, const struct value *v,
		       struct rows *out)
{
	const char *s, *comma;
	struct value text;

	if (v->t == V_ARRAY) {
		for (unsigned i = 0; i < v->a->n; i++)
			if (add_targets(r, m, &v->a->e[i].v, out) < 0)
				return -1;
		return 0;
	}
	text = v_tostr(&r->a, v);
	if (v->t == V_ID)
		return add_target(r, m, text.s, out);
	for (s = text.s; (comma = strchr(s, ',')); s = comma + 1)
		if (add_target(r, m, arena_dup(&r->a, s, (size_t)(comma - s)), out) < 0)
			return -1;
	return add_target(r, m, s, out);
}

int menu_targets(struct run *r, struct call *c, struct rows *out)
{
	const char *place = call_arg(c->n, "numbers") ? "numbers" : "number";
	const struct value *v = call_get(c, place);

	if (!v || v->t == V_NOTHING || v->t == V_NIL)
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) %s",
				 place);
	return add_targets(r, c->m, v, out);
}

int menu_each(struct run *r, struct call *c,
	      int (*one)(struct run *r, struct call *c, void *row))
{
	struct rows rows = { 0 };
	int rc = menu_targets(r, c, &rows);

	for (unsigned i = 0; i < rows.n && rc == 0; i++)
		rc = one(r, c, rows.row[i]);
	return rc;
}

/* ---- values of arguments ---- */
static int check_enum(struct run *r, const struct arg_schema *as, const char *text)
{
	struct sb list = { 0 };
	int rc;

	for (unsigned i = 0; i < as->n_values; i++)
		if (strcmp(as->values[i], text) == 0)
			return 0;
	if (as->n_values == 2) {
		sb_printf(&list, "must be either %s or %s", as->values[1], as->values[0]);
	} else {
		sb_adds(&list, "must be one of ");
		for (unsigned i = 0; i < as->n_values; i++)
			sb_printf(&list, "%s%s", i ? ", " : "", as->values[i]);
	}
	rc = run_error(r, as->name, "invalid value of %s, %s", as->name, list.p);
	sb_fini(&list);
	return rc;
}

static int check_number(struct run *r, const struct arg_schema *as, const char *text)
{
	bool is_port = !strcmp(as->kind, "port");
	uint64_t n;

	if (parse_u64(text, &n) < 0)
		return run_error(r, as->name, "invalid value for argument %s", as->name);
	if (is_port && (n < 1 || n > 65535))
		return run_error(r, as->name, "value of %s out of range (1..65535)",
				 as->name);
	return 0;
}

/* "policy" of a group: several words, each with or without '!'. */
static int check_list(struct run *r, const struct arg_schema *as, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		bool is_not = *text == '!';

		if (check_enum(r, as, arena_dup(&r->a, text + is_not, n - is_not)) < 0)
			return -1;
		text += n + (text[n] == ',');
	}
	return 0;
}

int arg_check(struct run *r, const struct arg *a, const struct value *v, const char *text)
{
	const struct arg_schema *as = a->as;
	uint64_t n;

	if (!as || !strcmp(as->kind, "items") || !strcmp(as->kind, "item") ||
	    !strcmp(as->name, "value-name") || !strcmp(as->name, "proplist"))
		return 0;
	if (v->t == V_ARRAY && strcmp(as->name, "copy-from") != 0)
		return run_error(r, as->name, "invalid value for argument %s", as->name);
	if (!strcmp(as->name, "policy"))
		return check_list(r, as, text);
	if (as->values && !as->is_open)
		return check_enum(r, as, text);
	for (unsigned i = 0; i < as->n_values; i++)
		if (strcmp(as->values[i], text) == 0)
			return 0;
	if (!strcmp(as->kind, "num") || !strcmp(as->kind, "port"))
		return check_number(r, as, text);
	if (!strcmp(as->kind, "size") && parse_size(text, &n) < 0)
		return run_error(r, as->name, "invalid value for argument %s", as->name);
	return 0;
}

/* ---- the commands every menu has ---- */
static int do_find(struct run *r, struct call *c)
{
	struct rows rows = { 0 };
	struct array *ids;

	if (menu_select(r, c, &rows) < 0)
		return -1;
	ids = array_new(&r->a, rows.n);
	for (unsigned i = 0; i < rows.n; i++)
		array_push(&r->a, ids, NULL, v_id(&r->a, c->m->id(r, rows.row[i])));
	c->ret = v_array(ids);
	return 0;
}

static int get_all(struct run *r, struct call *c, void *row)
{
	struct array *all = array_new(&r->a, 16);

	for (unsigned i = 0; i < c->m->schema->n_props; i++) {
		struct value v = menu_get(r, c->m, row, (int)i);

		if (v.t != V_NOTHING)
			array_push(&r->a, all, c->m->schema->props[i], v);
	}
	c->ret = v_array(all);
	return 0;
}

static int do_get(struct run *r, struct call *c)
{
	const char *name = call_text(r, c, "value-name");
	struct rows rows = { 0 };
	int prop;

	if (c->m->is_singleton) {
		rows_add(r, &rows, NULL);
	} else {
		if (menu_targets(r, c, &rows) < 0)
			return -1;
		if (rows.n != 1)
			return run_error(r, NULL, "invalid internal item number");
	}
	if (!name)
		return get_all(r, c, rows.row[0]);
	prop = schema_prop(c->m->schema, name, strlen(name), r->box->opt.version);
	if (prop < 0 || prop == PROP_ID)
		return run_error(r, "value-name",
				 "input does not match any value of value-name");
	c->ret = menu_get(r, c->m, rows.row[0], prop);
	/* An unset property is nil, so that it adds as 0 and joins as "". */
	if (c->ret.t == V_NOTHING)
		c->ret = v_nil();
	return 0;
}

static int eval_args(struct run *r, struct call *c)
{
	const struct node *n = c->n;

	c->v = arena_alloc(&r->a, (n->n_args + 1) * sizeof *c->v);
	for (unsigned i = 0; i < n->n_args; i++) {
		const struct arg *a = &n->args[i];

		if (!a->val || !strcmp(a->name, "where") || a->val->k == N_BLOCK)
			continue;
		if (eval(r, a->val, &c->v[i]) < 0)
			return -1;
	}
	for (unsigned i = 0; i < n->n_args; i++) {
		const struct arg *a = &n->args[i];

		if (!a->val || !strcmp(a->name, "where") || a->val->k == N_BLOCK)
			continue;
		if (arg_check(r, a, &c->v[i], arg_text(r, a, &c->v[i])) < 0)
			return -1;
	}
	return 0;
}

static int check_required(struct run *r, const struct call *c)
{
	struct sb names = { 0 };
	int rc = 0;

	for (unsigned i = 0; i < c->n->cmd->n_required; i++)
		if (!call_has(c, c->n->cmd->required[i]) && !call_has(c, "copy-from"))
			sb_printf(&names, "%s%s", names.len ? ", " : "",
				  c->n->cmd->required[i]);
	if (names.len)
		rc = run_error(r, NULL,
			       "Script Error: missing value(s) of argument(s) %s",
			       names.p);
	sb_fini(&names);
	return rc;
}

/* Flags that the box knows and this program does not play: refused, not ignored. */
static int check_played(struct run *r, const struct node *n)
{
	static const char *const absent[] = {
		"append",
		"comments",
		"file",
		"follow",
		"follow-only",
		"from",
		"group-by",
		"interval",
		"oid",
		"on-event",
		"stats",
		"do",
		"stats-detail",
		"value-list",
		"order-by",
		"duration",
		"relative",
		"recursive",
		"path",
		"freeze-frame-interval",
		"list",
		"as-string",
		"as-string-value",
	};

	for (unsigned i = 0; i < n->n_args; i++)
		for (size_t k = 0; k < sizeof absent / sizeof *absent; k++)
			if (strcmp(n->args[i].name, absent[k]) == 0) {
				r->box->stats.unknown++;
				return run_error(r, absent[k],
						 "failure: %s is not simulated",
						 absent[k]);
			}
	return 0;
}

int eval_cmd(struct run *r, const struct node *n, struct value *ret)
{
	struct call c = { .m = menu_find(n->menu->path), .n = n };
	const struct menu_cmd *cmd = c.m ? c.m->cmds : NULL;
	int (*fn)(struct run *, struct call *) = NULL;
	int rc;

	for (; cmd && cmd->name; cmd++)
		if (strcmp(cmd->name, n->cmd->name) == 0)
			fn = cmd->fn;
	if (c.m && !fn && !strcmp(n->cmd->name, "find"))
		fn = do_find;
	if (c.m && !fn && !strcmp(n->cmd->name, "get"))
		fn = do_get;
	if (c.m && !fn && !strcmp(n->cmd->name, "print"))
		fn = menu_print;
	if (rights_package(r, n) < 0)
		return -1;
	if (!fn) {
		r->box->stats.unknown++;
		return run_error(r, NULL, "failure: %s %s is not simulated",
				 n->menu->path, n->cmd->name);
	}
	if (rights_check(r, n) < 0 || check_played(r, n) < 0 || eval_args(r, &c) < 0 ||
	    check_required(r, &c) < 0)
		return -1;
	rc = fn(r, &c);
	*ret = c.ret;
	if (rc == 0 && n->is_mutating && box_take_timeout(r->box))
		rc = run_error(r, NULL,
			       "action timed out - try again, if error continues contact "
			       "MikroTik support and send a supout file (13)");
	return rc;
}
