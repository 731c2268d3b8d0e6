/* Bytes, strings, variables, bare words. */
#include <ctype.h>
#include <string.h>

#include "sim/parse.h"

int p_at(const struct parser *p, size_t ahead)
{
	return p->pos + ahead < p->len ? (unsigned char)p->s[p->pos + ahead] : -1;
}

int p_peek(const struct parser *p)
{
	return p_at(p, 0);
}

void p_blanks(struct parser *p)
{
	while (p_peek(p) == ' ' || p_peek(p) == '\t')
		p->pos++;
}

bool p_done(const struct parser *p)
{
	int c = p_peek(p);

	return c < 0 || c == ';' || c == ']' || c == '}' || c == ')';
}

void *p_fail(struct parser *p, const char *what, size_t pos)
{
	if (!p->err)
		p->err = arena_printf(p->a, "%s (line 1 column %zu)", what, pos + 1);
	return NULL;
}

bool p_enter(struct parser *p)
{
	if (++p->depth <= PARSE_MAX_DEPTH)
		return true;
	p_fail(p, "syntax error", p->pos);
	return false;
}

struct node *p_node(struct parser *p, enum nkind k, size_t pos)
{
	struct node *n = arena_alloc(p->a, sizeof *n);

	n->k = k;
	n->col = (unsigned)pos + 1;
	n->menu = p->menu;
	return n;
}

void p_kid(struct parser *p, struct node *n, struct node *kid)
{
	if ((n->n_kids & (n->n_kids - 1)) == 0) {
		unsigned cap = n->n_kids ? n->n_kids * 2 : 1;
		struct node **k = arena_alloc(p->a, cap * sizeof *k);

		if (n->n_kids)
			memcpy(k, n->kid, n->n_kids * sizeof *k);
		n->kid = k;
	}
	n->kid[n->n_kids++] = kid;
}

struct node *p_lit(struct parser *p, struct value v, size_t pos)
{
	struct node *n = p_node(p, N_LIT, pos);

	n->v = v;
	return n;
}

bool p_is_bare(int c)
{
	return c > 0 && (isalnum(c) || c == '.' || c == '_' || c == '-');
}

static int hex_upper(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* At the byte after a backslash. -1: no such escape. Adds what it stands for. */
static int string_escape(struct parser *p, struct sb *text)
{
	static const char from[] = "\"\\nrt$_?abfv", to[] = "\"\\\n\r\t$ ?\a\b\f\v";
	int c = p_peek(p);
	const char *at = c > 0 ? strchr(from, c) : NULL;

	if (at) {
		sb_addc(text, to[at - from]);
		p->pos++;
		return 0;
	}
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
		p->pos += c == '\r' && p_at(p, 1) == '\n' ? 2 : 1;
		return 0;
	}
	if (hex_upper(c) >= 0 && hex_upper(p_at(p, 1)) >= 0) {
		sb_addc(text, (char)(hex_upper(c) * 16 + hex_upper(p_at(p, 1))));
		p->pos += 2;
		return 0;
	}
	return -1;
}

static struct node *string_dollar(struct parser *p)
{
	size_t start = p->pos++;
	int c = p_peek(p);
	struct node *n;
	size_t from = p->pos;

	if (c == '[')
		return p_sub(p);
	if (c == '(')
		return p_paren(p);
	while (p->pos < p->len && isalnum((unsigned char)p->s[p->pos]))
		p->pos++;
	if (p->pos == from)
		return p_fail(p, "syntax error", start);
	n = p_node(p, N_VAR, start);
	n->s = arena_dup(p->a, p->s + from, p->pos - from);
	return n;
}

static void string_flush(struct parser *p, struct node *str, struct sb *text, size_t pos)
{
	if (text->len)
		p_kid(p, str, p_lit(p, v_strn(p->a, text->p, text->len), pos));
	text->len = 0;
}

/* One step inside the quotes; -1 at an error. */
static int string_step(struct parser *p, struct node *str, struct sb *text)
{
	size_t pos = p->pos;
	int c = p_peek(p);

	if (c < 0) {
		p_fail(p, "syntax error", p->len);
		return -1;
	}
	if (c == '$') {
		struct node *part;

		string_flush(p, str, text, pos);
		part = string_dollar(p);
		if (part)
			p_kid(p, str, part);
		return part ? 0 : -1;
	}
	p->pos++;
	if (c == '\\') {
		if (string_escape(p, text) == 0)
			return 0;
		p_fail(p, "syntax error", p->pos);
		return -1;
	}
	if (c == '\t')
		sb_adds(text, "    ");
	else
		sb_addc(text, (char)c);
	return 0;
}

struct node *p_string(struct parser *p)
{
	struct node *str = p_node(p, N_STR, p->pos);
	size_t start = p->pos++;
	struct sb text = { 0 };

	while (p_peek(p) != '"')
		if (string_step(p, str, &text) < 0) {
			sb_fini(&text);
			return NULL;
		}
	p->pos++;
	if (str->n_kids == 0) {
		str->k = N_LIT;
		str->v = v_strn(p->a, text.p ? text.p : "", text.len);
	} else {
		string_flush(p, str, &text, start);
	}
	sb_fini(&text);
	return str;
}

struct node *p_var(struct parser *p)
{
	struct node *n = p_node(p, N_VAR, p->pos);
	size_t from, start = p->pos++;

	if (p_peek(p) == '"') {
		struct node *q = p_string(p);

		if (!q || q->k != N_LIT || q->v.len == 0)
			return p_fail(p, "syntax error", start);
		n->s = q->v.s;
		return n;
	}
	from = p->pos;
	while (p->pos < p->len && isalnum((unsigned char)p->s[p->pos]))
		p->pos++;
	if (p->pos == from)
		return p_fail(p, "syntax error", start);
	n->s = arena_dup(p->a, p->s + from, p->pos - from);
	return n;
}

/* A colon belongs to the word only inside a clock time such as 01:30:00. */
static bool is_clock_colon(const struct parser *p, size_t from)
{
	if (p_peek(p) != ':' || p->pos == from || !isdigit(p_at(p, 1)))
		return false;
	for (size_t i = from; i < p->pos; i++)
		if (!isdigit((unsigned char)p->s[i]) && p->s[i] != ':')
			return false;
	return true;
}

/* A slash belongs to the word only in an address prefix such as 10.0.0.0/8. */
static bool is_prefix_slash(const struct parser *p, size_t from)
{
	if (p_peek(p) != '/' || p->pos == from || !isdigit(p_at(p, 1)))
		return false;
	for (size_t i = from; i < p->pos; i++)
		if (!isdigit((unsigned char)p->s[i]) && p->s[i] != '.')
			return false;
	return true;
}

/* A literal in an expression ends where an operator begins: "5-3", "1->". */
struct node *p_number(struct parser *p)
{
	size_t from = p->pos;
	struct node *n = p_node(p, N_LIT, from);

	if (p_peek(p) == '*')
		p->pos++;
	while (isalnum(p_peek(p)) || p_peek(p) == '.' || is_clock_colon(p, from) ||
	       is_prefix_slash(p, from))
		p->pos++;
	n->v = v_typed(p->a, p->s + from, p->pos - from);
	return n;
}

struct node *p_bare(struct parser *p, const char *extra)
{
	size_t from = p->pos;
	struct node *n = p_node(p, N_BARE, from);
	int c = p_peek(p);

	if (c == '*' && isxdigit(p_at(p, 1)))
		p->pos++;
	while ((c = p_peek(p)) > 0 &&
	       (p_is_bare(c) || strchr(extra, c) || is_clock_colon(p, from) ||
		is_prefix_slash(p, from)))
		p->pos++;
	if (p->pos == from)
		return p_fail(p, "syntax error", from);
	n->s = arena_dup(p->a, p->s + from, p->pos - from);
	n->v = v_typed(p->a, n->s, p->pos - from);
	return n;
}
