/* One script in execution. The evaluator is plain recursive code; where the world must be
 * able to go on meanwhile (between statements, in a delay) it calls a hook, which may
 * switch to another script and come back, or say that this one is dead.
 *
 * Functions return 0, or -1 with run->ctl telling why: an error that :onerror catches,
 * one that nothing catches, :return, :quit, or the script's death. */
#ifndef SIM_INTERP_H
#define SIM_INTERP_H

#include <regex.h>

#include "sim/ast.h"

enum ctl {
	CTL_NONE,
	CTL_ERROR,
	CTL_FATAL, /* bad command name, bad parameter: ends the line whatever surrounds it
		    */
	CTL_RETURN,
	CTL_QUIT,
	CTL_DEAD,
};

enum {
	RUN_MAX_DEPTH = 96,
	RUN_MAX_STATEMENTS = 2000000,
	RUN_MAX_OUTPUT = 64 << 20,
	RUN_MAX_ARENA = 256 << 20,
	RUN_REGEXES = 8,
};

struct run;
struct menu;
struct box;

struct run_hooks {
	/* Before each statement. -1: the script must die (run->ctl is set). */
	int (*statement)(struct run *r);
	/* -1 as above. */
	int (*sleep)(struct run *r, uint64_t ms);
};

struct scope {
	struct scope *up;
	struct var {
		struct var *next;
		const char *name;
		struct value v;
		bool is_global; /* v is in the box's table */
	} * vars;
};

struct run {
	struct box *box;
	const char *policy;	       /* what the user may; NULL: all */
	const struct run_hooks *hooks; /* NULL: never interrupted, delays take no time */
	void *hook_data;
	struct arena a;
	struct sb out;
	struct scope *scope;
	enum ctl ctl;
	const char *err;	/* text of the error, with its suffix */
	struct value ret;	/* of :return */
	const struct node *cur; /* command in execution, for error suffixes */
	unsigned depth, exec_id, statements, mutations;
	unsigned atomic;	       /* > 0: no hook may be called (inside where) */
	const struct menu *where_menu; /* whose properties are variables now */
	void *where_row;
	struct {
		char *pattern;
		regex_t re;
	} regexes[RUN_REGEXES];
	unsigned n_regexes;
};

void run_init(struct run *r, struct box *box);
void run_fini(struct run *r);
/* Parses and runs a line. Output, and the error text if any, are in r->out. 0: no error.
 */
int run_line(struct run *r, const char *line, size_t len);

/* Sets the error with the suffix of the version: "text (/disk/add (slot); line 1)"; arg
 * may be NULL. Always -1. */
int run_error(struct run *r, const char *arg, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

int eval_block(struct run *r, const struct node *n, struct value *ret);
int eval_stmt(struct run *r, const struct node *n, struct value *ret);
int eval(struct run *r, const struct node *n, struct value *ret);
int eval_binary(struct run *r, const struct node *n, struct value *ret);
int eval_unary(struct run *r, const struct node *n, struct value *ret);
int eval_call(struct run *r, const struct node *n, struct value *ret);
int eval_flow(struct run *r, const struct node *n, struct value *ret, bool *ret_known);
int eval_cmd(struct run *r, const struct node *n, struct value *ret);
/* Argument by name, NULL if absent. */
const struct arg *call_arg(const struct node *n, const char *name);
/* Value of an argument; nothing if absent. */
int call_value(struct run *r, const struct node *n, const char *name, struct value *ret);
/* :if ("x") is an error, not true. */
int eval_condition(struct run *r, const struct node *n, bool *ret);

struct var *run_var(struct run *r, const char *name);
void run_set_local(struct run *r, const char *name, struct value v);
/* Assigns to a visible variable; -1 with an error if there is none. */
int run_assign(struct run *r, const char *name, struct value v);
int run_declare_global(struct run *r, const char *name, const struct value *v);
int run_lookup(struct run *r, const char *name, struct value *ret);
int run_sleep(struct run *r, uint64_t ms);
void run_put(struct run *r, const char *text, size_t n); /* a line, with CRLF */

/* 1 match, 0 none, -1 error. */
int run_regex(struct run *r, const char *text, const char *pattern);

/* :serialize to=json. */
void json_write(struct sb *out, const struct value *v, bool convert_strings);

#endif
