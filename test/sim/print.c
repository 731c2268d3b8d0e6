/* print: as data (as-value), as a count, and as the screen forms. The screen forms follow
 * transcripts of an RDS2216 (7.24): a legend line whatever is listed, an index, flag
 * letters, wrapping at 80 columns in the middle of a token that is too long, digits in
 * groups of three, file sizes rounded to one decimal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/menu.h"

enum {
	WIDTH = 80,
	COLUMNS_MAX = 16,
};

struct plist {
	int prop[256];
	unsigned n;
	bool is_detail;
};

static int prop_index(const struct run *r, const struct menu *m, const char *name)
{
	return schema_prop(m->schema, name, strlen(name), r->box->opt.version);
}

static void plist_add(struct plist *p, int prop)
{
	if (prop >= 0 && p->n < 256)
		p->prop[p->n++] = prop;
}

static int plist_parse(struct run *r, const struct menu *m, char *names, struct plist *p)
{
	char *save = NULL;

	for (char *s = strtok_r(names, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		int prop = prop_index(r, m, s);

		if (prop < 0)
			return run_error(r, "proplist",
					 "input does not match any value of value-name");
		if (prop != PROP_ID)
			plist_add(p, prop);
	}
	return 0;
}

static bool is_sensitive(const struct menu *m, const char *prop)
{
	const struct cmd_schema *add = schema_cmd(m->schema, "add", 3, 0);
	const struct arg_schema *as = add ? schema_arg(add, prop, strlen(prop), 0) : NULL;

	return as && as->is_sensitive;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Which properties, in alphabetical order (the schema's own). */
static int choose(struct run *r, struct call *c, struct plist *p)
{
	const struct menu *m = c->m;
	const char *names = call_text(r, c, "proplist");

	p->is_detail = call_has(c, "detail") || m->is_singleton;
	if (names) {
		if (plist_parse(r, m, arena_dup(&r->a, names, strlen(names)), p) < 0)
			return -1;
	} else if (p->is_detail) {
		for (unsigned i = 0; i < m->schema->n_props; i++)
			if (call_has(c, "show-sensitive") ||
			    !is_sensitive(m, m->schema->props[i]))
				plist_add(p, (int)i);
	} else {
		for (const char *const *s = m->summary; s && *s; s++)
			plist_add(p, prop_index(r, m, *s));
		for (const struct menu_flag *f = m->flags; f && f->letter; f++)
			plist_add(p, prop_index(r, m, f->prop));
	}
	qsort(p->prop, p->n, sizeof *p->prop, by_number);
	return 0;
}

static struct array *row_as_value(struct run *r, const struct menu *m, void *row,
				  const struct plist *p)
{
	struct array *a = array_new(&r->a, p->n + 1);

	if (m->id)
		array_push(&r->a, a, ".id", menu_get(r, m, row, PROP_ID));
	for (unsigned i = 0; i < p->n; i++) {
		struct value v = menu_get(r, m, row, p->prop[i]);

		if (v.t != V_NOTHING && (!i || p->prop[i] != p->prop[i - 1]))
			array_push(&r->a, a, m->schema->props[p->prop[i]], v);
	}
	return a;
}

static void print_as_value(struct run *r, struct call *c, const struct rows *rows,
			   const struct plist *p)
{
	struct array *list;

	if (c->m->is_singleton) {
		c->ret = v_array(row_as_value(r, c->m, NULL, p));
		return;
	}
	list = array_new(&r->a, rows->n);
	for (unsigned i = 0; i < rows->n; i++)
		array_push(&r->a, list, NULL,
			   v_array(row_as_value(r, c->m, rows->row[i], p)));
	c->ret = v_array(list);
}

/* ---- text of one value on the screen ---- */
static void group_digits(struct sb *out, int64_t n)
{
	char digits[32];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)n);

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			sb_addc(out, ' ');
		sb_addc(out, digits[i]);
	}
}

/* 53687091200 is 50.0GiB; a gibibyte alone is 1024.0MiB, as on the box. */
static void human_size(struct sb *out, int64_t n)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	double x = (double)n / 1024;
	int i = 0;

	if (n < 1024) {
		sb_printf(out, "%lld", (long long)n);
		return;
	}
	for (; x > 1024 && i < 3; i++)
		x /= 1024;
	sb_printf(out, "%.1f%s", x, unit[i]);
}

static bool is_in(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static void screen_value(struct run *r, const struct menu *m, const char *prop,
			 struct value v, struct sb *out)
{
	static const char *const plain[] = { "nvme-tcp-server-port", "sector-size",
					     "file-offset",	     "subvolume-id",
					     "generation",	     NULL };
	static const char *const quoted[] = { "slot",
					      "slot-default",
					      "parent",
					      "model",
					      "serial",
					      "interface",
					      "mount-point",
					      "mount-point-template",
					      "nvme-tcp-server-nqn",
					      "fs-label",
					      "fs-uuid",
					      "state",
					      "nvme-tcp-server-allow-host-name",
					      "label",
					      NULL };
	bool is_file = !strcmp(m->path, "/file");

	if (v.t == V_BOOL) {
		sb_adds(out, v.b ? "yes" : "no");
	} else if (v.t == V_NUM &&
		   (!strcmp(prop, "file-size") || (is_file && !strcmp(prop, "size")))) {
		human_size(out, v.n);
	} else if (v.t == V_NUM && !strcmp(prop, "use")) {
		sb_printf(out, "%lld%%", (long long)v.n);
	} else if (v.t == V_NUM && !is_in(prop, plain)) {
		group_digits(out, v.n);
	} else {
		bool q = !is_file && is_in(prop, quoted) && v.t == V_STR;

		v = v_tostr(&r->a, &v);
		sb_printf(out, q ? "\"%s\"" : "%s", v.s);
	}
}

/* ---- flags ---- */
static void flags_of(struct run *r, const struct menu *m, void *row, char *ret)
{
	for (const struct menu_flag *f = m->flags; f && f->letter; f++) {
		struct value v = m->get(r, row, f->prop, prop_index(r, m, f->prop));

		if (v.t == V_BOOL && v.b)
			*ret++ = f->letter;
	}
	*ret = 0;
}

/* Only flags that occur, except that an empty list shows them all. */
static void print_legend(struct run *r, const struct menu *m, const struct rows *rows)
{
	struct sb line = { 0 };
	bool seen[128] = { false };
	char letters[32];

	if (!m->flags)
		return;
	for (unsigned i = 0; i < rows->n; i++) {
		flags_of(r, m, rows->row[i], letters);
		for (const char *c = letters; *c; c++)
			seen[(unsigned char)*c & 127] = true;
	}
	for (const struct menu_flag *f = m->flags; f->letter; f++)
		if (rows->n == 0 || seen[(unsigned char)f->letter & 127])
			sb_printf(&line, "%s%c - %s",
				  line.len ? "; " : "Flags: ", f->letter, f->legend);
	if (line.p)
		run_put(r, line.p, line.len);
	sb_fini(&line);
}

/* ---- detail ---- */
struct wrap {
	struct run *r;
	struct sb line;
	size_t indent;
	bool no_wrap;
};

static void wrap_break(struct wrap *w)
{
	run_put(w->r, w->line.p, w->line.len);
	w->line.len = 0;
	for (size_t i = 0; i < w->indent; i++)
		sb_addc(&w->line, ' ');
}

static void wrap_token(struct wrap *w, const char *s, size_t n)
{
	size_t room;

	if (!w->no_wrap && w->line.len > w->indent && w->line.len + n + 1 > WIDTH)
		wrap_break(w);
	if (w->line.len > w->indent && w->line.p[w->line.len - 1] != ' ')
		sb_addc(&w->line, ' ');
	while (!w->no_wrap && w->line.len + n > WIDTH) {
		room = w->line.len < WIDTH ? WIDTH - w->line.len : 0;
		sb_add(&w->line, s, room);
		s += room;
		n -= room;
		wrap_break(w);
	}
	sb_add(&w->line, s, n);
}

static void wrap_prop(struct wrap *w, const struct menu *m, void *row, const char *name)
{
	struct value v = m->get(w->r, row, name, prop_index(w->r, m, name));
	struct sb token = { 0 };

	if (v.t == V_NOTHING)
		return;
	sb_printf(&token, "%s=", name);
	screen_value(w->r, m, name, v, &token);
	wrap_token(w, token.p, token.len);
	sb_fini(&token);
}

static void print_comment(struct run *r, const struct menu *m, void *row)
{
	int prop = prop_index(r, m, "comment");
	struct value v = prop >= 0 ? menu_get(r, m, row, prop) : v_nothing();
	char *line;

	if (v_is_empty(&v))
		return;
	line = arena_printf(&r->a, " ;;; %s", v_tostr(&r->a, &v).s);
	run_put(r, line, strlen(line));
}

static void print_detail(struct run *r, struct call *c, const struct rows *rows,
			 const struct plist *p)
{
	const struct menu *m = c->m;
	char letters[32];

	for (unsigned i = 0; i < rows->n; i++) {
		struct wrap w = { .r = r, .indent = m->flags ? 6 : 5 };

		w.no_wrap = call_has(c, "terse");
		print_comment(r, m, rows->row[i]);
		flags_of(r, m, rows->row[i], letters);
		sb_printf(&w.line, "%2u %-*s ", i, (int)w.indent - 4, letters);
		if (call_has(c, "proplist") || !m->detail_order)
			for (unsigned k = 0; k < p->n; k++)
				wrap_prop(&w, m, rows->row[i],
					  m->schema->props[p->prop[k]]);
		else
			for (const char *const *s = m->detail_order; *s; s++)
				wrap_prop(&w, m, rows->row[i], *s);
		run_put(r, w.line.p, w.line.len);
		if (!w.no_wrap)
			run_put(r, "", 0);
		sb_fini(&w.line);
	}
}

/* ---- table ---- */
struct table {
	const char *name[COLUMNS_MAX];
	size_t width[COLUMNS_MAX];
	unsigned n;
};

static const char *cell(struct run *r, const struct menu *m, void *row, const char *prop)
{
	struct value v = m->get(r, row, prop, prop_index(r, m, prop));
	struct sb text = { 0 };
	const char *s;

	if (v.t != V_NOTHING && v.t != V_STR)
		screen_value(r, m, prop, v, &text);
	else if (v.t == V_STR)
		sb_adds(&text, v.s);
	s = arena_dup(&r->a, text.p ? text.p : "", text.len);
	sb_fini(&text);
	return s;
}

static void table_head(struct run *r, struct table *t, size_t flag_width)
{
	struct sb line = { 0 }, cols = { 0 };

	sb_printf(&line, "#%*s", (int)flag_width, "");
	for (unsigned k = 0; k < t->n; k++) {
		char upper[64];
		size_t i;

		for (i = 0; t->name[k][i] && i < 63; i++)
			upper[i] = t->name[k][i] >= 'a' && t->name[k][i] <= 'z'
					   ? (char)(t->name[k][i] - 32)
					   : t->name[k][i];
		upper[i] = 0;
		sb_printf(&cols, "%s%s", k ? ", " : "Columns: ", upper);
		sb_printf(&line, " %-*s", (int)t->width[k] + 1, upper);
	}
	if (cols.p)
		run_put(r, cols.p, cols.len);
	run_put(r, line.p, line.len);
	sb_fini(&line);
	sb_fini(&cols);
}

static void print_table(struct run *r, struct call *c, const struct rows *rows)
{
	const struct menu *m = c->m;
	struct table t = { 0 };
	size_t flag_width = m->flags ? 3 : 0;
	char letters[32];

	for (const char *const *s = m->summary; *s && t.n < COLUMNS_MAX; s++) {
		t.name[t.n] = *s;
		t.width[t.n] = strlen(*s);
		for (unsigned i = 0; i < rows->n; i++) {
			size_t n = strlen(cell(r, m, rows->row[i], *s));

			if (n > t.width[t.n])
				t.width[t.n] = n;
		}
		t.n++;
	}
	if (rows->n)
		table_head(r, &t, flag_width);
	for (unsigned i = 0; i < rows->n; i++) {
		struct sb line = { 0 };

		print_comment(r, m, rows->row[i]);
		flags_of(r, m, rows->row[i], letters);
		sb_printf(&line, "%u%s%-*s", i, flag_width ? " " : "",
			  flag_width ? (int)flag_width - 1 : 0, letters);
		for (unsigned k = 0; k < t.n; k++)
			sb_printf(&line, " %-*s", (int)t.width[k] + 1,
				  cell(r, m, rows->row[i], t.name[k]));
		run_put(r, line.p, line.len);
		sb_fini(&line);
	}
}

/* A singleton: names right-aligned, and an empty line at the end. */
static void print_singleton(struct run *r, const struct menu *m, const struct plist *p)
{
	int width = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (menu_get(r, m, NULL, p->prop[i]).t != V_NOTHING) {
			int n = (int)strlen(m->schema->props[p->prop[i]]);

			width = n > width ? n : width;
		}
	for (unsigned i = 0; i < p->n; i++) {
		struct value v = menu_get(r, m, NULL, p->prop[i]);
		struct sb line = { 0 };

		if (v.t == V_NOTHING)
			continue;
		sb_printf(&line, "  %*s: ", width, m->schema->props[p->prop[i]]);
		screen_value(r, m, m->schema->props[p->prop[i]], v, &line);
		run_put(r, line.p, line.len);
		sb_fini(&line);
	}
	run_put(r, "", 0);
}

int menu_print(struct run *r, struct call *c)
{
	struct rows rows = { 0 };
	struct plist p = { 0 };
	char count[16];

	if (run_sleep(r, r->box->opt.op_print_ms) < 0)
		return -1;
	if (choose(r, c, &p) < 0 || menu_select(r, c, &rows) < 0)
		return -1;
	c->ret = v_nothing();
	if (call_has(c, "count-only")) {
		/* The number goes to the output even inside [ ]. */
		snprintf(count, sizeof count, "%u", rows.n);
		if (!call_has(c, "as-value"))
			run_put(r, count, strlen(count));
		c->ret = v_num(rows.n);
	} else if (call_has(c, "as-value")) {
		print_as_value(r, c, &rows, &p);
	} else if (c->m->is_singleton) {
		print_singleton(r, c->m, &p);
	} else {
		print_legend(r, c->m, &rows);
		if (call_has(c, "detail") || call_has(c, "terse"))
			print_detail(r, c, &rows, &p);
		else
			print_table(r, c, &rows);
	}
	return 0;
}
