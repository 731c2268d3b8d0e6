/* The tree that the parser makes of one line and the evaluator walks. Nodes live in the
 * arena of their script. Columns count bytes from 1, as RouterOS counts them. */
#ifndef SIM_AST_H
#define SIM_AST_H

#include "sim/schema.h"
#include "sim/value.h"

enum nkind {
	N_LIT,	 /* v */
	N_BARE,	 /* unquoted argument: s as written, v as typed by itself */
	N_STR,	 /* kids are joined */
	N_VAR,	 /* $name */
	N_WORD,	 /* bare word in an expression: property, else variable */
	N_SUB,	 /* [ statement ]: kid 0 is a block */
	N_BIN,	 /* op, kids 0 and 1 */
	N_UN,	 /* op, kid 0 */
	N_ARRAY, /* kids, keys[i] may be NULL */
	N_BLOCK, /* kids are statements */
	N_CALL,	 /* global command: cmd, args */
	N_CMD,	 /* menu command: menu, cmd, args */
};

enum op {
	OP_COMMA,
	OP_OR,
	OP_AND,
	OP_IN,
	OP_LT,
	OP_GT,
	OP_EQ,
	OP_LE,
	OP_GE,
	OP_NE,
	OP_RE,
	OP_DOT,
	OP_SHL,
	OP_SHR,
	OP_BOR,
	OP_XOR,
	OP_BAND,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_ARROW,
	OP_NOT,
	OP_ANY,
	OP_INV,
	OP_NEG,
};

struct arg {
	const char *name; /* positional ones bear the name of their place */
	const struct arg_schema *as;
	struct node *val; /* NULL: a flag word */
	unsigned col;
	bool is_unset; /* !name */
};

struct node {
	enum nkind k;
	unsigned col;
	struct value v;
	const char *s;
	enum op op;
	bool never; /* unquoted with "/" or ":": equal to nothing */
	struct node **kid, **keys;
	unsigned n_kids;

	const struct menu_schema *menu;
	const struct cmd_schema *cmd;
	struct arg *args;
	unsigned n_args;
	bool is_mutating; /* this command, or for a block anything in it, changes things
			   */
	const char *late; /* error found while parsing that the box reports when run */

	/* N_VAR, N_WORD: property index in prop_menu, looked up once */
	const struct menu_schema *prop_menu;
	int prop;
};

#endif
