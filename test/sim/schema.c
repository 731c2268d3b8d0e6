#include "sim/schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/schema_data.h"
#include "sim/util.h"

static struct menu_schema *menus;
static unsigned n_menus;
static json_t *root; /* keeps the strings alive */

unsigned schema_version(const char *text)
{
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(text, "%u.%u.%u", &major, &minor, &patch) < 2 || major > 99 ||
	    minor > 99 || patch > 99)
		return 0;
	return major * 10000 + minor * 100 + patch;
}

/* 7.20 in the file means "7.20 or earlier", so it bounds nothing. */
static unsigned since_of(const json_t *o)
{
	const char *s = json_string_value(json_object_get(o, "since"));
	unsigned v = s ? schema_version(s) : 0;

	return v <= 72000 ? 0 : v;
}

static unsigned until_of(const json_t *o)
{
	const char *s = json_string_value(json_object_get(o, "until"));

	return s ? schema_version(s) : 0;
}

static const char **load_words(const json_t *v, unsigned *ret_n)
{
	const char *ref = json_string_value(v), **w;

	*ret_n = 0;
	if (ref && ref[0] == '@')
		v = json_object_get(json_object_get(root, "_shared"), ref + 1);
	if (!json_is_array(v))
		return NULL;
	w = xmalloc((json_array_size(v) + 1) * sizeof *w);
	for (size_t i = 0; i < json_array_size(v); i++)
		w[(*ret_n)++] = json_string_value(json_array_get(v, i));
	return w;
}

static int by_arg_name(const void *a, const void *b)
{
	return strcmp(((const struct arg_schema *)a)->name,
		      ((const struct arg_schema *)b)->name);
}

static void load_cmd(struct cmd_schema *c, const char *name, json_t *o)
{
	json_t *args = json_object_get(o, "args"), *av;
	const char *an;

	c->name = name;
	c->since = since_of(o);
	c->until = until_of(o);
	c->required = load_words(json_object_get(o, "required"), &c->n_required);
	c->args = xmalloc((json_object_size(args) + 1) * sizeof *c->args);
	json_object_foreach(args, an, av)
	{
		struct arg_schema *a = &c->args[c->n_args++];
		const char *kind = json_string_value(json_object_get(av, "kind"));

		a->name = an;
		a->kind = kind ? kind : "";
		a->since = since_of(av);
		a->until = until_of(av);
		a->is_sensitive = json_is_true(json_object_get(av, "sensitive"));
		a->values = load_words(json_object_get(av, "values"), &a->n_values);
		for (unsigned i = 0; i < a->n_values; i++)
			a->is_open |= a->values[i][0] == '<';
	}
	qsort(c->args, c->n_args, sizeof *c->args, by_arg_name);
}

static int by_word(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A property is as old as the argument of the same name, where there is one. */
static void load_props(struct menu_schema *m)
{
	const struct cmd_schema *get = schema_cmd(m, "get", 3, 99999);
	const struct cmd_schema *add = schema_cmd(m, "add", 3, 99999);
	const struct arg_schema *names = NULL;

	if (get)
		names = schema_arg(get, "value-name", 10, 99999);
	if (!names || !names->values)
		return;
	m->n_props = names->n_values;
	m->props = xmalloc(m->n_props * sizeof *m->props);
	memcpy(m->props, names->values, m->n_props * sizeof *m->props);
	qsort(m->props, m->n_props, sizeof *m->props, by_word);
	m->prop_since = xmalloc(m->n_props * sizeof *m->prop_since);
	m->prop_until = xmalloc(m->n_props * sizeof *m->prop_until);
	for (unsigned i = 0; add && i < m->n_props; i++) {
		const char *p = m->props[i];
		const struct arg_schema *a = schema_arg(add, p, strlen(p), 0);

		m->prop_since[i] = a ? a->since : 0;
		m->prop_until[i] = a ? a->until : 0;
	}
}

/* What a release older than the file's first one lacks (release notes 7.17, 7.18). */
static unsigned menu_since(const char *path)
{
	if (strncmp(path, "/disk/btrfs/filesystem", 22) == 0)
		return 71700;
	return strncmp(path, "/disk/btrfs", 11) == 0 ? 71800 : 0;
}

static void load_menu(struct menu_schema *m, const char *path, json_t *o)
{
	const char *name;
	json_t *cv;

	m->path = path;
	m->cmds = xmalloc((json_object_size(o) + 1) * sizeof *m->cmds);
	json_object_foreach(o, name, cv)
	{
		struct cmd_schema *c = &m->cmds[m->n_cmds++];

		load_cmd(c, name, cv);
		if (c->since < menu_since(path))
			c->since = menu_since(path);
	}
	load_props(m);
}

int schema_load(const char *path)
{
	json_error_t e;
	const char *key;
	json_t *val;

	if (root)
		return 0;
	if (path)
		root = json_load_file(path, 0, &e);
	else
		root = json_loadb(sim_schema_data,
				  (size_t)(sim_schema_end - sim_schema_data), 0, &e);
	if (!root) {
		fprintf(stderr, "rds-sim: schema: %s (line %d)\n", e.text, e.line);
		return -1;
	}
	menus = xmalloc(json_object_size(root) * sizeof *menus);
	json_object_foreach(root, key, val)
	{
		if (key[0] == '/' || key[0] == ':')
			load_menu(&menus[n_menus++], key, val);
	}
	return 0;
}

static bool is_same(const char *s, const char *name, size_t n)
{
	return strncmp(s, name, n) == 0 && s[n] == 0;
}

const struct menu_schema *schema_menu(const char *path, size_t n)
{
	for (unsigned i = 0; i < n_menus; i++)
		if (is_same(menus[i].path, path, n))
			return &menus[i];
	return NULL;
}

bool schema_is_path(const char *path, size_t n)
{
	for (unsigned i = 0; i < n_menus; i++)
		if (strncmp(menus[i].path, path, n) == 0 &&
		    (menus[i].path[n] == 0 || menus[i].path[n] == '/'))
			return true;
	return false;
}

/* version 0 asks for any. */
static bool is_alive(unsigned since, unsigned until, unsigned version)
{
	return !version || (version >= since && (!until || version < until));
}

const struct cmd_schema *schema_cmd(const struct menu_schema *m, const char *name,
				    size_t n, unsigned version)
{
	for (unsigned i = 0; m && i < m->n_cmds; i++)
		if (is_same(m->cmds[i].name, name, n) &&
		    is_alive(m->cmds[i].since, m->cmds[i].until, version))
			return &m->cmds[i];
	return NULL;
}

const struct arg_schema *schema_arg(const struct cmd_schema *c, const char *name,
				    size_t n, unsigned version)
{
	for (unsigned i = 0; i < c->n_args; i++)
		if (is_same(c->args[i].name, name, n) &&
		    is_alive(c->args[i].since, c->args[i].until, version))
			return &c->args[i];
	return NULL;
}

int schema_prop(const struct menu_schema *m, const char *name, size_t n, unsigned version)
{
	unsigned lo = 0, hi = m->n_props;

	if (n == 3 && memcmp(name, ".id", 3) == 0)
		return PROP_ID;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int c = strncmp(m->props[mid], name, n);

		if (c == 0 && m->props[mid][n])
			c = 1;
		if (c == 0)
			return is_alive(m->prop_since[mid], m->prop_until[mid], version)
				       ? (int)mid
				       : -1;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}
