/* The parser: one line to one tree, by the grammar of RouterOS scripts as far as it is
 * known from the manual and from parse captures of 7.20 to 7.24. What is not in that
 * grammar is an error, never a guess. */
#ifndef SIM_PARSE_H
#define SIM_PARSE_H

#include "sim/ast.h"

enum {
	LINE_MAX_BYTES = 65536,
	PARSE_MAX_DEPTH = 48,
};

/* A block node, or NULL with the box's error text in *ret_err (same arena). */
struct node *parse_line(struct arena *a, const char *line, size_t len, unsigned version,
			const char **ret_err);

/* ---- shared by the parse_*.c files only ---- */
struct parser {
	const char *s;
	size_t len, pos;
	struct arena *a;
	unsigned version, depth;
	const struct menu_schema
		*menu; /* what a bare command word means; NULL: nothing */
	bool in_where, is_mutating;
	const char *err;
};

int p_peek(const struct parser *p); /* -1 at the end */
int p_at(const struct parser *p, size_t ahead);
void p_blanks(struct parser *p);
bool p_done(const struct parser *p);			      /* at ; ] } ) or the end */
void *p_fail(struct parser *p, const char *what, size_t pos); /* NULL */
struct node *p_node(struct parser *p, enum nkind k, size_t pos);
void p_kid(struct parser *p, struct node *n, struct node *kid);
struct node *p_lit(struct parser *p, struct value v, size_t pos);
bool p_enter(struct parser *p); /* false, with an error, when nested too deep */

struct node *p_string(struct parser *p);
struct node *p_var(struct parser *p);
struct node *p_expr(struct parser *p); /* whole expression, loosest operators first */
struct node *p_paren(struct parser *p);
struct node *p_array(struct parser *p);
struct node *p_sub(struct parser *p);			  /* [ … ] */
struct node *p_bare(struct parser *p, const char *extra); /* extra: further legal bytes */
struct node *p_number(struct parser *p);
struct node *p_value(struct parser *p, const char *extra);
struct node *p_block(struct parser *p, int end); /* statements up to end, not eaten */
struct node *p_code(struct parser *p);		 /* { statements } */
/* Arguments; cmd NULL takes any. */
void p_menu_args(struct parser *p, struct node *n);
void p_global_args(struct parser *p, struct node *n);
bool p_is_bare(int c);

#endif
