#include "sim/parse.h"

#include <ctype.h>
#include <string.h>

static size_t cmd_word_len(const struct parser *p)
{
	size_t n = 0;

	while (islower(p_at(p, n)) || isdigit(p_at(p, n)) || (n && p_at(p, n) == '-'))
		n++;
	return n;
}

static bool changes_things(const char *cmd)
{
	static const char *const reading[] = { "find", "get", "print", "monitor-traffic",
					       "monitor" };

	for (size_t i = 0; i < sizeof reading / sizeof *reading; i++)
		if (strcmp(reading[i], cmd) == 0)
			return false;
	return true;
}

/* At a word that is to be a command of menu m (NULL: of the root, which has none here).
 */
static struct node *menu_command(struct parser *p, const struct menu_schema *m)
{
	size_t pos = p->pos, wlen = cmd_word_len(p);
	struct node *n = p_node(p, N_CMD, pos);
	const struct menu_schema *was = p->menu;

	if (!wlen)
		return p_fail(p, "expected command name", pos);
	n->menu = m;
	n->s = arena_dup(p->a, p->s + pos, wlen);
	n->cmd = schema_cmd(m, p->s + pos, wlen, p->version);
	p->pos += wlen;
	if (!n->cmd)
		n->late = arena_printf(p->a, "bad command name %s (line 1 column %zu)",
				       n->s, pos + 1);
	if (!p_done(p) && p_peek(p) != ' ' && p_peek(p) != '\t')
		return p_fail(
			p, isupper(p_peek(p)) ? "expected command name" : "syntax error",
			p->pos);
	p->menu = m;
	p_menu_args(p, n);
	p->menu = was;
	n->is_mutating = n->cmd && changes_things(n->s);
	p->is_mutating |= n->is_mutating;
	return p->err ? NULL : n;
}

/* "/disk/btrfs/subvolume/add" or with blanks: words extend the path while they are menus,
 * the next one is the command. */
static struct node *path_command(struct parser *p)
{
	char path[128] = "";
	size_t n = 0;

	p->pos++;
	for (;;) {
		size_t wlen = cmd_word_len(p);
		bool slash;

		if (!wlen || isupper(p_at(p, wlen)))
			return p_fail(p, "expected command name", p->pos);
		if (n + wlen + 2 > sizeof path)
			return p_fail(p, "syntax error", p->pos);
		path[n] = '/';
		memcpy(path + n + 1, p->s + p->pos, wlen);
		if (!schema_is_path(path, n + 1 + wlen)) {
			if (p_at(p, wlen) == '/')
				return p_fail(p, "syntax error", p->pos + wlen);
			return menu_command(p, schema_menu(path, n));
		}
		n += wlen + 1;
		p->pos += wlen;
		slash = p_peek(p) == '/';
		if (slash)
			p->pos++;
		else
			p_blanks(p);
		if (!islower(p_peek(p)))
			return p_fail(p, "expected command name", p->pos);
	}
}

static struct node *global_command(struct parser *p)
{
	size_t pos = ++p->pos, wlen = cmd_word_len(p);
	struct node *n = p_node(p, N_CALL, pos);
	const struct menu_schema *globals = schema_menu(":", 1);

	if (!wlen)
		return p_fail(p, "expected command name", pos);
	n->s = arena_dup(p->a, p->s + pos, wlen);
	n->cmd = schema_cmd(globals, n->s, wlen, p->version);
	p->pos += wlen;
	if (!n->cmd) {
		n->k = N_CMD;
		n->menu = NULL;
		n->late = arena_printf(p->a, "bad command name %s (line 1 column %zu)",
				       n->s, pos + 1);
		p_menu_args(p, n);
		return p->err ? NULL : n;
	}
	if (!p_done(p) && p_peek(p) != ' ' && p_peek(p) != '\t')
		return p_fail(p, "syntax error", p->pos);
	p_global_args(p, n);
	return p->err ? NULL : n;
}

static struct node *statement(struct parser *p)
{
	int c = p_peek(p);

	if (c == ':')
		return global_command(p);
	if (c == '/')
		return path_command(p);
	if (c == '{')
		return p_code(p);
	if (islower(c))
		return menu_command(p, p->menu);
	return p_fail(p, isupper(c) ? "expected command name" : "syntax error", p->pos);
}

struct node *p_block(struct parser *p, int end)
{
	struct node *block = p_node(p, N_BLOCK, p->pos), *st;
	bool outer = p->is_mutating;

	p->is_mutating = false;
	for (;;) {
		while (p_blanks(p), p_peek(p) == ';')
			p->pos++;
		if (p_peek(p) == '#')
			p->pos = p->len;
		if (p_peek(p) == end)
			break;
		if (p_peek(p) < 0)
			return p_fail(
				p, end == '}' ? "expected closing brace" : "syntax error",
				p->pos);
		st = statement(p);
		if (!st)
			return NULL;
		p_kid(p, block, st);
		p_blanks(p);
		if (p_peek(p) != ';' && p_peek(p) != end && p_peek(p) >= 0)
			return p_fail(p,
				      st->k == N_BLOCK ? "syntax error"
						       : "expected end of command",
				      p->pos);
	}
	block->is_mutating = p->is_mutating;
	p->is_mutating |= outer;
	return block;
}

struct node *p_code(struct parser *p)
{
	struct node *block;
	const struct menu_schema *was = p->menu;

	p->pos++;
	if (!p_enter(p))
		return NULL;
	p->menu = NULL;
	block = p_block(p, '}');
	p->menu = was;
	p->depth--;
	if (block)
		p->pos++;
	return block;
}

struct node *parse_line(struct arena *a, const char *line, size_t len, unsigned version,
			const char **ret_err)
{
	struct parser p = { .s = line, .len = len, .a = a, .version = version };
	struct node *n = NULL;

	if (len > LINE_MAX_BYTES)
		p_fail(&p, "syntax error", LINE_MAX_BYTES);
	/* Bytes beyond ASCII are mangled on their way in, and a line break ends the line
	 * in the middle of whatever it was. */
	for (size_t i = 0; i < len && !p.err; i++)
		if ((unsigned char)line[i] >= 0x80 || line[i] == '\n' || line[i] == '\r')
			p_fail(&p, "syntax error", i);
	if (!p.err)
		n = p_block(&p, -1);
	*ret_err = p.err;
	return p.err ? NULL : n;
}
