/* Which menus, commands, arguments and property names exist in which RouterOS version.
 * Read once from the copy of test/data/routeros-schema.json that the program carries (or
 * from --schema FILE); never freed. Versions are compared as numbers: 7.21.5 is 72105. */
#ifndef SIM_SCHEMA_H
#define SIM_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

struct arg_schema {
	const char *name, *kind;    /* kind "" where the console describes none */
	unsigned since, until;	    /* until 0: still there */
	bool is_sensitive, is_open; /* is_open: a <word> in values stands for any */
	const char **values;	    /* NULL: no list */
	unsigned n_values;
};

struct cmd_schema {
	const char *name;
	unsigned since, until;
	const char **required;
	unsigned n_required;
	struct arg_schema *args; /* sorted by name */
	unsigned n_args;
};

struct menu_schema {
	const char *path; /* "/disk"; ":" holds the global commands */
	struct cmd_schema *cmds;
	unsigned n_cmds;
	const char **props; /* sorted; what get accepts as value-name */
	unsigned *prop_since, *prop_until;
	unsigned n_props;
};

enum {
	PROP_ID = 1000, /* the pseudo property ".id" */
};

/* 0, or -1 with a line on stderr. path NULL: the built-in copy. */
int schema_load(const char *path);

unsigned schema_version(const char *text); /* 0: not a version */
const struct menu_schema *schema_menu(const char *path, size_t n);
/* Some menu has this path, or lies under it. */
bool schema_is_path(const char *path, size_t n);
const struct cmd_schema *schema_cmd(const struct menu_schema *m, const char *name,
				    size_t n, unsigned version);
const struct arg_schema *schema_arg(const struct cmd_schema *c, const char *name,
				    size_t n, unsigned version);
/* Index of the property, PROP_ID for ".id", -1: no such name in this version. */
int schema_prop(const struct menu_schema *m, const char *name, size_t n,
		unsigned version);

#endif
