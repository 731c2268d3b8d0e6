/* A menu: rows with properties and the commands over them. The generic commands (find,
 * get, print) and everything about selectors live in menu.c and print.c; a menu_*.c file
 * gives the rows, the properties and the commands that change things. */
#ifndef SIM_MENU_H
#define SIM_MENU_H

#include "sim/box.h"
#include "sim/interp.h"

enum {
	HINTS_MAX = 4,
};

/* Equalities that every wanted row must fulfil; rows() may use them to look up rather
 * than list. The full condition is evaluated on what it returns all the same. */
struct hints {
	unsigned n;
	struct {
		int prop;
		const char *text;
	} eq[HINTS_MAX];
};

struct rows {
	void **row;
	unsigned n, cap;
};

/* A command being run: its node and its values (parallel to node->args). */
struct call {
	const struct menu *m;
	const struct node *n;
	struct value *v;
	struct value ret;
};

struct menu_flag {
	char letter;
	const char *prop, *legend;
};

struct menu {
	const char *path;
	bool is_singleton;
	const char *const *summary;	 /* properties of a print without detail */
	const struct menu_flag *flags;	 /* ends with letter 0 */
	const char *const *detail_order; /* first of these in detail, the rest after */
	void (*list)(struct run *r, const struct hints *h, struct rows *out);
	/* nothing: the property is not set */
	struct value (*get)(struct run *r, void *row, const char *prop, int index);
	const char *(*id)(struct run *r, void *row);
	void *(*by_id)(struct run *r, const char *id);
	void *(*by_name)(struct run *r, const char *name);
	const struct menu_cmd {
		const char *name;
		int (*fn)(struct run *r, struct call *c);
	} * cmds;			  /* ends with name NULL */
	const struct menu_schema *schema; /* filled by menu_init */
};

void menu_init(void);
struct menu *menu_find(const char *path);
struct value menu_get(struct run *r, const struct menu *m, void *row, int prop);

void rows_add(struct run *r, struct rows *rows, void *row);
/* Rows that meet the where of the command; without one, all. */
int menu_select(struct run *r, struct call *c, struct rows *out);
/* Rows that the unnamed selector names: ids, names, arrays, comma lists. is_set tells
 * whether the selector was there at all. */
int menu_targets(struct run *r, struct call *c, struct rows *out);
/* one() for each of them, until one refuses. */
int menu_each(struct run *r, struct call *c,
	      int (*one)(struct run *r, struct call *c, void *row));

const struct value *call_get(const struct call *c, const char *name); /* NULL: absent */
bool call_has(const struct call *c, const char *name);
/* Text of an argument as written (bare "yes" stays "yes"); NULL if absent. */
const char *call_text(struct run *r, const struct call *c, const char *name);

int menu_print(struct run *r, struct call *c);
/* rights.c: whether the user may, and whether the menu is there at all. -1: an error. */
int rights_check(struct run *r, const struct node *n);
int rights_package(struct run *r, const struct node *n);
/* Checks a value against the kind and the values of its argument. */
int arg_check(struct run *r, const struct arg *a, const struct value *v,
	      const char *text);

extern struct menu menu_disk, menu_file, menu_btrfs_fs, menu_subvol, menu_health;
extern struct menu menu_user, menu_group, menu_keys;
extern struct menu menus_sys[];
extern const unsigned n_menus_sys;

#endif
