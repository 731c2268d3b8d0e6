/* Arguments of menu commands (checked against the schema of the version) and of global
 * commands. */
#include <ctype.h>
#include <string.h>

#include "sim/parse.h"

/* What the unnamed arguments of a global command are. A name in capitals is a bare word
 * that names a variable; one that begins with "{" is a block of statements. */
static const struct {
	const char *cmd, *place[3];
} global_places[] = {
	{ "put", { "message" } },
	{ "error", { "message" } },
	{ "return", { "value" } },
	{ "local", { "NAME", "value" } },
	{ "global", { "NAME", "value" } },
	{ "set", { "NAME", "value" } },
	{ "len", { "value" } },
	{ "tostr", { "value" } },
	{ "tonum", { "value" } },
	{ "tobool", { "value" } },
	{ "toid", { "value" } },
	{ "totime", { "value" } },
	{ "toip", { "value" } },
	{ "toarray", { "value" } },
	{ "typeof", { "value" } },
	{ "delay", { "delay-time" } },
	{ "pick", { "counter", "begin", "end" } },
	{ "find", { "in", "key", "from" } },
	{ "if", { "condition" } },
	{ "while", { "condition" } },
	{ "foreach", { "COUNTER" } },
	{ "for", { "COUNTER" } },
	{ "do", { "{command" } },
	{ "onerror", { "ERROR" } },
	{ "serialize", { "value" } },
	{ "deserialize", { "value" } },
	{ "retry", { "{command" } },
	{ "parse", { "value" } },
	{ "execute", { "script" } },
};

static void add_arg(struct parser *p, struct node *n, struct arg a)
{
	for (unsigned i = 0; i < n->n_args; i++)
		if (strcmp(n->args[i].name, a.name) == 0) {
			p_fail(p, "expected end of command", a.col - 1);
			return;
		}
	if ((n->n_args & (n->n_args - 1)) == 0) {
		unsigned cap = n->n_args ? n->n_args * 2 : 1;
		struct arg *args = arena_alloc(p->a, cap * sizeof *args);

		if (n->n_args)
			memcpy(args, n->args, n->n_args * sizeof *args);
		n->args = args;
	}
	n->args[n->n_args++] = a;
}

/* Length of a word [a-z][a-z0-9-]* here, 0 if there is none. */
static size_t word_len(const struct parser *p)
{
	size_t n = 0;

	if (!isalpha(p_peek(p)))
		return 0;
	while (p_at(p, n) > 0 && (p_is_bare(p_at(p, n))))
		n++;
	return n;
}

/* To 7.22 an unknown argument is an error of the line; from 7.23 it is bound when the
 * command is about to run, and the statements before it have run. */
static void unknown_arg(struct parser *p, struct node *n, size_t wlen)
{
	char name[64];

	if (p->version < 72300) {
		p_fail(p, "expected end of command", p->pos);
		return;
	}
	if (wlen >= sizeof name)
		wlen = sizeof name - 1;
	memcpy(name, p->s + p->pos, wlen);
	name[wlen] = 0;
	if (!n->late)
		n->late = arena_printf(p->a, "bad parameter %s (line 1 column %zu)", name,
				       p->pos + wlen + 1);
}

/* A bare value is read by the argument's type: text and paths may hold "/" and ":",
 * lists of names commas. */
static const char *extra_bytes(const struct arg_schema *as)
{
	if (!as)
		return "";
	if (!strcmp(as->kind, "str") || !strcmp(as->kind, "file") || !*as->kind)
		if (!as->values)
			return "/:";
	if (!strcmp(as->name, "proplist") || !strcmp(as->name, "numbers"))
		return ",";
	return "";
}

static bool is_list_of_names(const struct arg_schema *as)
{
	return !strcmp(as->name, "proplist") || !strcmp(as->name, "value-name") ||
	       !strcmp(as->name, "group-by") || !strcmp(as->name, "order-by") ||
	       !strcmp(as->name, "options");
}

static bool is_legal_bare(const struct arg_schema *as, const char *s)
{
	if (!as || !as->values || as->is_open || is_list_of_names(as))
		return true;
	for (unsigned i = 0; i < as->n_values; i++)
		if (strcmp(as->values[i], s) == 0)
			return true;
	return false;
}

static bool ends_value(const struct parser *p)
{
	return p_done(p) || p_peek(p) == ' ' || p_peek(p) == '\t';
}

static struct node *arg_value(struct parser *p, const struct arg_schema *as)
{
	size_t pos = p->pos;
	struct node *v;

	if (ends_value(p))
		return p_fail(p, "expected input value", pos);
	v = p_value(p, extra_bytes(as));
	if (!v)
		return NULL;
	if (!ends_value(p))
		return p_fail(p, "expected end of command", p->pos);
	if (v->k == N_BARE && !is_legal_bare(as, v->s))
		return p_fail(p, "syntax error", pos);
	return v;
}

static void where_arg(struct parser *p, struct node *n, size_t pos)
{
	struct arg a = { .name = "where", .col = (unsigned)pos + 1 };
	bool was = p->in_where;

	p_blanks(p);
	if (p_done(p)) {
		p_fail(p, "missing value for where", p->pos);
		return;
	}
	p->in_where = true;
	a.val = p_expr(p);
	p->in_where = was;
	if (a.val)
		add_arg(p, n, a);
}

static bool is_word(const struct parser *p, size_t n, const char *w)
{
	return strlen(w) == n && memcmp(p->s + p->pos, w, n) == 0;
}

static void named_arg(struct parser *p, struct node *n, size_t wlen)
{
	struct arg a = { .name = arena_dup(p->a, p->s + p->pos, wlen),
			 .col = (unsigned)p->pos + 1 };

	if (n->cmd)
		a.as = schema_arg(n->cmd, a.name, wlen, p->version);
	if (n->cmd && !a.as)
		unknown_arg(p, n, wlen);
	if (p->err)
		return;
	p->pos += wlen;
	if (a.as && !strcmp(a.as->kind, "flag")) {
		p_fail(p, "expected end of command", p->pos);
		return;
	}
	p->pos++;
	a.val = n->cmd && !a.as ? p_value(p, "/:,") : arg_value(p, a.as);
	if (a.val)
		add_arg(p, n, a);
}

/* Unnamed: a selector, then a property name; nothing else has a place. */
static void placed_arg(struct parser *p, struct node *n)
{
	static const char *const places[] = { "numbers", "number", "value-name" };
	struct arg a = { .col = (unsigned)p->pos + 1 };
	size_t wlen = word_len(p);

	for (size_t i = 0; n->cmd && i < 3 && !a.as; i++) {
		bool taken = false;

		for (unsigned j = 0; j < n->n_args; j++)
			taken |= strcmp(n->args[j].name, places[i]) == 0;
		if (!taken)
			a.as = schema_arg(n->cmd, places[i], strlen(places[i]),
					  p->version);
	}
	if (n->cmd && !a.as) {
		if (wlen)
			unknown_arg(p, n, wlen);
		else
			p_fail(p, "expected end of command", p->pos);
		p->pos += wlen;
		return;
	}
	a.name = a.as ? a.as->name : arena_printf(p->a, "#%u", n->n_args);
	a.val = arg_value(p, a.as);
	if (a.val)
		add_arg(p, n, a);
}

static void unset_arg(struct parser *p, struct node *n)
{
	struct arg a = { .col = (unsigned)p->pos + 1, .is_unset = true };
	size_t wlen;

	p->pos++;
	wlen = word_len(p);
	a.name = arena_dup(p->a, p->s + p->pos, wlen);
	if (n->cmd)
		a.as = schema_arg(n->cmd, a.name, wlen, p->version);
	if (!a.as || strcmp(n->cmd->name, "set") != 0) {
		p_fail(p, "expected end of command", p->pos - 1);
		return;
	}
	p->pos += wlen;
	add_arg(p, n, a);
}

static void one_menu_arg(struct parser *p, struct node *n)
{
	size_t wlen = word_len(p), pos = p->pos;
	const struct arg_schema *as = NULL;

	if (p_peek(p) == '!') {
		unset_arg(p, n);
		return;
	}
	if (wlen && p_at(p, wlen) == '=') {
		named_arg(p, n, wlen);
		return;
	}
	if (wlen && n->cmd)
		as = schema_arg(n->cmd, p->s + pos, wlen, p->version);
	if (as && is_word(p, wlen, "where")) {
		p->pos += wlen;
		where_arg(p, n, pos);
		return;
	}
	if (as && !strcmp(as->kind, "flag")) {
		p->pos += wlen;
		add_arg(p, n,
			(struct arg){
				.name = as->name, .as = as, .col = (unsigned)pos + 1 });
		return;
	}
	placed_arg(p, n);
}

void p_menu_args(struct parser *p, struct node *n)
{
	bool is_find = n->cmd && !strcmp(n->cmd->name, "find");

	for (p_blanks(p); !p_done(p) && !p->err; p_blanks(p)) {
		size_t pos = p->pos, wlen = word_len(p);

		if (!is_find) {
			one_menu_arg(p, n);
			continue;
		}
		/* "find where E" and "find E" are the same. */
		if (is_word(p, wlen, "where"))
			p->pos += wlen;
		where_arg(p, n, pos);
		if (!p->err && (p_blanks(p), !p_done(p)))
			p_fail(p, "expected end of command", p->pos);
	}
}

/* ---- global commands ---- */
static const char *place_of(const char *cmd, unsigned nth)
{
	for (size_t i = 0; i < sizeof global_places / sizeof *global_places; i++)
		if (strcmp(global_places[i].cmd, cmd) == 0)
			return nth < 3 ? global_places[i].place[nth] : NULL;
	return NULL;
}

static bool is_code_arg(const char *cmd, const char *name)
{
	return !strcmp(name, "do") || !strcmp(name, "else") ||
	       !strcmp(name, "on-error") || !strcmp(name, "command") ||
	       (!strcmp(cmd, "onerror") && !strcmp(name, "in"));
}

/* The name of a variable: letters and digits, or anything in quotes. */
static struct node *var_name(struct parser *p, bool allow_pair)
{
	size_t from = p->pos;
	struct node *n = p_node(p, N_BARE, from);

	if (p_peek(p) == '"') {
		struct node *q = p_string(p);

		if (!q || q->k != N_LIT || !q->v.len)
			return p_fail(p, "syntax error", from);
		n->s = q->v.s;
		return n;
	}
	while (isalnum(p_peek(p)) || (allow_pair && p_peek(p) == ',' && p->pos > from))
		p->pos++;
	if (p->pos == from || !ends_value(p))
		return p_fail(p, "syntax error", p->pos);
	n->s = arena_dup(p->a, p->s + from, p->pos - from);
	if (!strcmp(n->s, "and") || !strcmp(n->s, "or") || !strcmp(n->s, "in"))
		return p_fail(p, "syntax error", from);
	return n;
}

static struct node *global_value(struct parser *p, const struct node *n, struct arg *a)
{
	if (is_code_arg(n->cmd->name, a->name) && p_peek(p) == '{')
		return p_code(p);
	return arg_value(p, a->as);
}

static void global_placed(struct parser *p, struct node *n, unsigned nth)
{
	const char *place = place_of(n->cmd->name, nth);
	struct arg a = { .col = (unsigned)p->pos + 1 };

	if (!place) {
		p_fail(p, "expected end of command", p->pos);
		return;
	}
	if (place[0] == '{') {
		a.name = "command";
		a.val = p_peek(p) == '{' ? p_code(p) : p_fail(p, "syntax error", p->pos);
	} else if (isupper((unsigned char)place[0])) {
		a.name = "name";
		a.val = p_peek(p) == '(' && !strcmp(n->cmd->name, "set")
				? p_paren(p)
				: var_name(p, !strcmp(n->cmd->name, "foreach"));
	} else {
		a.name = place;
		a.as = schema_arg(n->cmd, place, strlen(place), p->version);
		a.val = global_value(p, n, &a);
	}
	if (a.val)
		add_arg(p, n, a);
}

void p_global_args(struct parser *p, struct node *n)
{
	unsigned nth = 0;

	for (p_blanks(p); !p_done(p) && !p->err; p_blanks(p)) {
		size_t wlen = word_len(p);
		struct arg a = { .col = (unsigned)p->pos + 1 };

		if (!wlen || p_at(p, wlen) != '=') {
			global_placed(p, n, nth++);
			continue;
		}
		a.as = schema_arg(n->cmd, p->s + p->pos, wlen, p->version);
		if (!a.as) {
			p_fail(p, "expected end of command", p->pos);
			return;
		}
		a.name = a.as->name;
		p->pos += wlen + 1;
		a.val = global_value(p, n, &a);
		if (a.val)
			add_arg(p, n, a);
	}
}
