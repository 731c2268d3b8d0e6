/* Expressions, arrays, [ ] and the values of arguments. */
#include <ctype.h>
#include <string.h>

#include "sim/parse.h"

struct op_def {
	const char *text;
	enum op op;
	int level; /* 1 binds loosest */
};

/* Longer ones before their own beginnings. */
static const struct op_def ops[] = {
	{ "||", OP_OR, 2 },  { "&&", OP_AND, 3 },    { "<=", OP_LE, 5 },
	{ ">=", OP_GE, 5 },  { "!=", OP_NE, 5 },     { "<<", OP_SHL, 7 },
	{ ">>", OP_SHR, 7 }, { "->", OP_ARROW, 13 }, { ",", OP_COMMA, 1 },
	{ "<", OP_LT, 5 },   { ">", OP_GT, 5 },	     { "=", OP_EQ, 5 },
	{ "~", OP_RE, 5 },   { ".", OP_DOT, 6 },     { "|", OP_BOR, 8 },
	{ "^", OP_XOR, 9 },  { "&", OP_BAND, 10 },   { "+", OP_ADD, 11 },
	{ "-", OP_SUB, 11 }, { "*", OP_MUL, 12 },    { "/", OP_DIV, 12 },
	{ "%", OP_MOD, 12 }, { "or", OP_OR, 2 },     { "and", OP_AND, 3 },
	{ "in", OP_IN, 4 },
};

enum {
	LEVEL_CMP = 5,
	LEVEL_MAX = 13,
};

static const struct op_def *peek_op(struct parser *p)
{
	p_blanks(p);
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		size_t n = strlen(ops[i].text);

		if (p->pos + n > p->len || memcmp(p->s + p->pos, ops[i].text, n) != 0)
			continue;
		if (isalpha((unsigned char)ops[i].text[0]) &&
		    (p_is_bare(p_at(p, n)) && p_at(p, n) != '.'))
			continue;
		return &ops[i];
	}
	return NULL;
}

/* [A-Za-z][A-Za-z0-9-]*: a property or a variable; ".id" is a property too. */
static struct node *word(struct parser *p)
{
	struct node *n = p_node(p, N_WORD, p->pos);
	size_t from = p->pos++;

	while (p->pos < p->len && (isalnum((unsigned char)p->s[p->pos]) ||
				   (p->s[p->pos] == '-' && isalnum(p_at(p, 1)))))
		p->pos++;
	n->s = arena_dup(p->a, p->s + from, p->pos - from);
	if (!strcmp(n->s, "true") || !strcmp(n->s, "yes"))
		return p_lit(p, v_bool(true), from);
	if (!strcmp(n->s, "false") || !strcmp(n->s, "no"))
		return p_lit(p, v_bool(false), from);
	if (!strcmp(n->s, "and") || !strcmp(n->s, "or") || !strcmp(n->s, "in"))
		return p_fail(p, "syntax error", from);
	return n;
}

static struct node *primary(struct parser *p)
{
	int c;

	p_blanks(p);
	c = p_peek(p);
	switch (c) {
	case '"':
		return p_string(p);
	case '$':
		return p_var(p);
	case '[':
		return p_sub(p);
	case '(':
		return p_paren(p);
	case '{':
		return p_array(p);
	default:
		break;
	}
	if (isdigit(c) || (c == '*' && isxdigit(p_at(p, 1))))
		return p_number(p);
	if (isalpha(c) || (c == '.' && isalpha(p_at(p, 1))))
		return word(p);
	return p_fail(p, "syntax error", p->pos);
}

static bool is_any(const struct parser *p)
{
	return p->pos + 4 < p->len && memcmp(p->s + p->pos, "any", 3) == 0 &&
	       strchr(" $(", p_at(p, 3));
}

static struct node *prefixed(struct parser *p)
{
	struct node *n, *x;
	enum op op;
	size_t pos, width = 1;
	int c;

	p_blanks(p);
	pos = p->pos;
	c = p_peek(p);
	if (c == '!') {
		op = OP_NOT;
	} else if (c == '~') {
		op = OP_INV;
	} else if (c == '-') {
		op = OP_NEG;
	} else if (is_any(p)) {
		op = OP_ANY;
		width = 3;
	} else {
		return primary(p);
	}
	p->pos += width;
	if (!p_enter(p))
		return NULL;
	x = prefixed(p);
	p->depth--;
	if (!x)
		return NULL;
	n = p_node(p, N_UN, pos);
	n->op = op;
	p_kid(p, n, x);
	return n;
}

/* After a comparison in a where, an unquoted word is a value, not a property. */
static struct node *where_operand(struct parser *p)
{
	struct node *n;
	int c;

	p_blanks(p);
	c = p_peek(p);
	if (!p->in_where || !(isalnum(c) || c == '/'))
		return NULL;
	n = p_bare(p, "/:");
	if (!n)
		return NULL;
	n->never = n->v.t == V_STR && strpbrk(n->s, "/:");
	return n;
}

static struct node *binary(struct parser *p, int level)
{
	struct node *left, *right, *n;
	const struct op_def *op;

	if (level > LEVEL_MAX)
		return prefixed(p);
	left = binary(p, level + 1);
	while (left && (op = peek_op(p)) && op->level == level) {
		size_t pos = p->pos;

		p->pos += strlen(op->text);
		right = level == LEVEL_CMP ? where_operand(p) : NULL;
		if (!right && !p->err)
			right = binary(p, level + 1);
		if (!right)
			return NULL;
		n = p_node(p, N_BIN, pos);
		n->op = op->op;
		p_kid(p, n, left);
		p_kid(p, n, right);
		left = n;
	}
	return left;
}

struct node *p_expr(struct parser *p)
{
	return binary(p, 1);
}

struct node *p_paren(struct parser *p)
{
	struct node *n;

	p->pos++;
	if (!p_enter(p))
		return NULL;
	n = p_expr(p);
	p->depth--;
	if (!n)
		return NULL;
	p_blanks(p);
	if (p_peek(p) != ')')
		return p_fail(p, "syntax error", p->pos);
	p->pos++;
	return n;
}

static struct node *array_item(struct parser *p)
{
	p_blanks(p);
	if (p_is_bare(p_peek(p)) || p_peek(p) == '*')
		return p_bare(p, "");
	return p_expr(p);
}

/* "a";"b";k="v": an item that is followed by "=" was a key. */
struct node *p_array(struct parser *p)
{
	struct node *arr = p_node(p, N_ARRAY, p->pos), *keys = p_node(p, N_ARRAY, 0);
	size_t open = p->pos++;

	if (!p_enter(p))
		return NULL;
	for (;;) {
		struct node *key = NULL, *item;
		bool quoted;

		p_blanks(p);
		quoted = p_peek(p) == '"';
		item = quoted ? p_string(p) : array_item(p);
		if (!item)
			return NULL;
		if (p_peek(p) == '=' && (quoted || item->k == N_BARE)) {
			p->pos++;
			key = item;
			item = array_item(p);
		}
		if (!item)
			return NULL;
		p_kid(p, arr, item);
		p_kid(p, keys, key);
		p_blanks(p);
		if (p_peek(p) == '}')
			break;
		if (p_peek(p) != ';')
			return p_fail(p,
				      p_peek(p) < 0 ? "expected closing brace"
						    : "syntax error",
				      p_peek(p) < 0 ? open : p->pos);
		p->pos++;
	}
	p->pos++;
	p->depth--;
	arr->keys = keys->kid;
	return arr;
}

struct node *p_sub(struct parser *p)
{
	struct node *n = p_node(p, N_SUB, p->pos), *block;
	bool was_where = p->in_where;

	p->pos++;
	if (!p_enter(p))
		return NULL;
	p->in_where = false;
	block = p_block(p, ']');
	p->in_where = was_where;
	p->depth--;
	if (!block)
		return NULL;
	if (block->n_kids != 1 || p_peek(p) != ']')
		return p_fail(p, "syntax error", p->pos);
	p->pos++;
	p_kid(p, n, block);
	return n;
}

struct node *p_value(struct parser *p, const char *extra)
{
	switch (p_peek(p)) {
	case '"':
		return p_string(p);
	case '$':
		return p_var(p);
	case '[':
		return p_sub(p);
	case '(':
		return p_paren(p);
	case '{':
		return p_array(p);
	default:
		return p_bare(p, extra);
	}
}
