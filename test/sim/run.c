/* A script's life: variables, errors, output, the regular expressions it compiled. */
#include "sim/interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/box.h"
#include "sim/parse.h"

void run_init(struct run *r, struct box *box)
{
	*r = (struct run){ .box = box };
	arena_init(&r->a, RUN_MAX_ARENA);
}

void run_fini(struct run *r)
{
	for (unsigned i = 0; i < r->n_regexes; i++) {
		regfree(&r->regexes[i].re);
		free(r->regexes[i].pattern);
	}
	r->n_regexes = 0;
	arena_fini(&r->a);
	sb_fini(&r->out);
}

int run_error(struct run *r, const char *arg, const char *fmt, ...)
{
	char text[1024], path[160] = "";
	const struct node *n = r->cur;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n && n->cmd && n->k == N_CALL)
		snprintf(path, sizeof path, ":%s", n->cmd->name);
	else if (n && n->cmd)
		snprintf(path, sizeof path, "%s/%s", n->menu->path, n->cmd->name);
	r->ctl = CTL_ERROR;
	if (!path[0] || r->box->opt.version < 72100)
		r->err = arena_printf(&r->a, "%s", text);
	else if (arg)
		r->err = arena_printf(&r->a, "%s (%s (%s); line 1)", text, path, arg);
	else
		r->err = arena_printf(&r->a, "%s (%s; line 1)", text, path);
	return -1;
}

void run_put(struct run *r, const char *text, size_t n)
{
	if (r->out.len + n > RUN_MAX_OUTPUT)
		return;
	sb_add(&r->out, text, n);
	sb_add(&r->out, "\r\n", 2);
}

int run_sleep(struct run *r, uint64_t ms)
{
	if (!ms || !r->hooks || r->atomic)
		return 0;
	return r->hooks->sleep(r, ms);
}

struct var *run_var(struct run *r, const char *name)
{
	for (struct scope *s = r->scope; s; s = s->up)
		for (struct var *v = s->vars; v; v = v->next)
			if (strcmp(v->name, name) == 0)
				return v;
	return NULL;
}

static struct var *scope_var(struct run *r, const char *name)
{
	struct var *v;

	for (v = r->scope->vars; v; v = v->next)
		if (strcmp(v->name, name) == 0)
			return v;
	v = arena_alloc(&r->a, sizeof *v);
	v->name = name;
	v->next = r->scope->vars;
	r->scope->vars = v;
	return v;
}

void run_set_local(struct run *r, const char *name, struct value v)
{
	struct var *var = scope_var(r, name);

	var->v = v;
	var->is_global = false;
}

int run_declare_global(struct run *r, const char *name, const struct value *v)
{
	struct var *var = scope_var(r, name);

	var->is_global = true;
	if (v)
		box_set_global(r->box, name, v);
	return 0;
}

int run_assign(struct run *r, const char *name, struct value v)
{
	struct var *var = run_var(r, name);

	if (!var)
		return run_error(r, NULL, "no such variable %s", name);
	if (var->is_global)
		box_set_global(r->box, name, &v);
	else
		var->v = v;
	return 0;
}

/* Inside where every property name is a variable and hides the script's own ones. */
int run_lookup(struct run *r, const char *name, struct value *ret)
{
	const struct var *var = run_var(r, name);

	*ret = v_nothing();
	if (!var)
		return 0;
	*ret = var->is_global ? box_get_global(r->box, name) : var->v;
	return 0;
}

int run_regex(struct run *r, const char *text, const char *pattern)
{
	unsigned i;

	for (i = 0; i < r->n_regexes; i++)
		if (strcmp(r->regexes[i].pattern, pattern) == 0)
			break;
	if (i == r->n_regexes && i == RUN_REGEXES) {
		i = r->statements % RUN_REGEXES;
		regfree(&r->regexes[i].re);
		free(r->regexes[i].pattern);
		r->regexes[i] = r->regexes[--r->n_regexes];
		i = r->n_regexes;
	}
	if (i == r->n_regexes) {
		if (regcomp(&r->regexes[i].re, pattern, REG_EXTENDED | REG_NOSUB))
			return run_error(r, NULL, "Script Error: bad regular expression");
		r->regexes[i].pattern = xstrdup(pattern);
		r->n_regexes++;
	}
	return regexec(&r->regexes[i].re, text, 0, NULL, 0) == 0;
}

int run_line(struct run *r, const char *line, size_t len)
{
	struct scope top = { 0 };
	struct value v;
	const char *err = NULL;
	struct node *n = parse_line(&r->a, line, len, r->box->opt.version, &err);
	int rc;

	if (!n) {
		run_put(r, err, strlen(err));
		return -1;
	}
	r->scope = &top;
	rc = eval_block(r, n, &v);
	r->scope = NULL;
	if (rc == 0 || r->ctl == CTL_RETURN || r->ctl == CTL_QUIT)
		return 0;
	if (r->ctl != CTL_DEAD)
		run_put(r, r->err, strlen(r->err));
	return -1;
}
