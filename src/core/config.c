#include "core/config.h"

#include <stdio.h>
#include <string.h>

#include "core/config_flags.h"
#include "core/str.h"

#define NQN_PREFIX "nqn.2000-02.com.mikrotik:"

enum { NQN_MAX = 223 }; /* NVMe base specification, 4.5 */

struct parser {
	struct config *config;
	char *const *argv;
	int argc, at;
	struct err *err;
};

static void *field(struct config *c, const struct flag *f)
{
	return (char *)c + f->offset;
}

/* A value from the command line is shown cut, and a newline in it must not make two lines
 * of one. */
static int bad_value(const struct flag *f, const char *value, struct err *err,
		     const char *want)
{
	char shown[49];

	(void)snprintf(shown, sizeof(shown), "%s", value);
	for (char *p = shown; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return err_set(err, ERR_INVALID, "--%s=%s: %s", f->name, shown, want);
}

/* The words of Go's strconv.ParseBool. */
static int to_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*ret = strcmp(s, yes[i]) == 0;
			return 0;
		}
	}
	return -1;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static int set_str(const struct flag *f, struct config *c, const char *v, struct err *err)
{
	if (strlen(v) > f->max)
		return bad_value(f, v, err, "too long");
	if (has_control(v) || (f->chars && v[strspn(v, f->chars)]))
		return bad_value(f, v, err, "holds a character that is not allowed");
	*(const char **)field(c, f) = v;
	return 0;
}

static int set_bool(const struct flag *f, struct config *c, const char *v,
		    struct err *err)
{
	if (to_bool(v, field(c, f)))
		return bad_value(f, v, err, "must be true or false");
	return 0;
}

static int set_number(const struct flag *f, struct config *c, const char *v,
		      struct err *err)
{
	bool is_ms = f->kind == FLAG_MS;
	char want[64];
	uint64_t n;
	int rc = is_ms ? str_to_duration_ms(v, &n) : str_to_u64(v, &n);

	if (rc == 0 && n >= f->min && n <= f->max) {
		*(uint64_t *)field(c, f) = n;
		return 0;
	}
	(void)snprintf(want, sizeof(want),
		       is_ms ? "must be a duration of %llu to %llu ms"
			     : "must be a number from %llu to %llu",
		       (unsigned long long)f->min, (unsigned long long)f->max);
	return bad_value(f, v, err, want);
}

static int set_choice(const struct flag *f, struct config *c, const char *v,
		      struct err *err)
{
	size_t len = strlen(v);
	unsigned i = 0;
	char want[64];

	for (const char *word = f->choices; word; i++) {
		size_t n = strcspn(word, "|");

		if (n == len && n && strncmp(word, v, n) == 0) {
			memcpy(field(c, f), &i, sizeof(i));
			return 0;
		}
		word = word[n] ? word + n + 1 : NULL;
	}
	(void)snprintf(want, sizeof(want), "must be one of %s",
		       f->choices + (*f->choices == '|'));
	return bad_value(f, v, err, want);
}

/* Levels of the Go driver: 2 outcomes, 4 diagnostics, 5 trace. */
static int set_klog_v(const struct flag *f, struct config *c, const char *v,
		      struct err *err)
{
	uint64_t n;

	if (str_to_u64(v, &n) || n > f->max)
		return bad_value(f, v, err, "must be a number from 0 to 100");
	c->log_level = n < 4 ? LOG_INFO : LOG_DEBUG;
	return 0;
}

static bool is_neutral(const struct flag *f, const char *v)
{
	uint64_t n, want_n;
	bool b, want_b;

	switch (f->kind) {
	case FLAG_LATER_BOOL:
		return to_bool(v, &b) == 0 && to_bool(f->def, &want_b) == 0 &&
		       b == want_b;
	case FLAG_LATER_UINT:
		return str_to_u64(v, &n) == 0 && str_to_u64(f->def, &want_n) == 0 &&
		       n == want_n;
	case FLAG_LATER_MS:
		return str_to_duration_ms(v, &n) == 0 &&
		       str_to_duration_ms(f->def, &want_n) == 0 && n == want_n;
	default:
		return strcmp(v, f->def) == 0;
	}
}

static int set_flag(const struct flag *f, struct config *c, const char *v,
		    struct err *err)
{
	char want[80];

	switch (f->kind) {
	case FLAG_STR:
		return set_str(f, c, v, err);
	case FLAG_BOOL:
		return set_bool(f, c, v, err);
	case FLAG_UINT:
	case FLAG_MS:
		return set_number(f, c, v, err);
	case FLAG_CHOICE:
		return set_choice(f, c, v, err);
	case FLAG_KLOG_V:
		return set_klog_v(f, c, v, err);
	case FLAG_ACTION:
		c->action = (enum config_action)f->max;
		return 0;
	default:
		if (is_neutral(f, v))
			return 0;
		(void)snprintf(want, sizeof(want),
			       "not in this version; only %s is accepted",
			       *f->def ? f->def : "an empty value");
		return bad_value(f, v, err, want);
	}
}

static const struct flag *find_flag(const char *name, size_t n)
{
	for (const struct flag *f = config_flags; f->name || f->def; f++)
		if (f->name && strlen(f->name) == n && strncmp(f->name, name, n) == 0)
			return f;
	if (n == 1 && *name == 'h')
		return find_flag("help", 4);
	return NULL;
}

static bool takes_no_value(const struct flag *f)
{
	return f->kind == FLAG_BOOL || f->kind == FLAG_LATER_BOOL ||
	       f->kind == FLAG_ACTION;
}

/* -x, --x, -x=v, --x=v, -x v, --x v; a bool takes its value only after '='. */
static int parse_one(struct parser *p)
{
	const char *arg = p->argv[p->at++], *name = arg, *value;
	const struct flag *f;
	size_t n;

	if (arg[0] != '-' || !arg[1])
		return err_set(p->err, ERR_INVALID, "unexpected argument: %.60s", arg);
	name += arg[1] == '-' ? 2 : 1;
	n = strcspn(name, "=");
	f = find_flag(name, n);
	if (!f)
		return err_set(p->err, ERR_INVALID, "--%.*s: no such flag; see --help",
			       n < 60 ? (int)n : 60, name);
	if (name[n] == '=')
		value = name + n + 1;
	else if (takes_no_value(f))
		value = "true";
	else if (p->at < p->argc)
		value = p->argv[p->at++];
	else
		return err_set(p->err, ERR_INVALID, "--%s: needs a value", f->name);
	return set_flag(f, p->config, value, p->err);
}

static int set_defaults(struct config *c, struct err *err)
{
	for (const struct flag *f = config_flags; f->name || f->def; f++) {
		if (!f->name || f->kind >= FLAG_LATER_STR || f->kind == FLAG_ACTION)
			continue;
		if (f->kind == FLAG_STR)
			*(const char **)field(c, f) = "";
		if (f->def && set_flag(f, c, f->def, err))
			return -1;
	}
	return 0;
}

static int read_env(struct config *c, char *(*get_env)(const char *name), struct err *err)
{
	static const char name[] = "CSI_MANAGED_NQN_PREFIX";
	const char *v = get_env(name);

	c->nqn_prefix = v ? v : NQN_PREFIX;
	if (!str_starts_with(c->nqn_prefix, "nqn.") || !strchr(c->nqn_prefix, ':') ||
	    strlen(c->nqn_prefix) > NQN_MAX || has_control(c->nqn_prefix))
		return err_set(err, ERR_INVALID,
			       "%s: must begin with \"nqn.\", hold a colon and be at "
			       "most %d bytes long",
			       name, NQN_MAX);
	return 0;
}

int config_parse(struct config *c, int argc, char *const *argv,
		 char *(*get_env)(const char *name), struct err *err)
{
	struct parser p = { c, argv, argc, 1, err };

	*c = (struct config){ .action = CONFIG_RUN };
	if (set_defaults(c, err))
		return -1;
	while (p.at < argc && c->action == CONFIG_RUN)
		if (parse_one(&p))
			return -1;
	if (c->action != CONFIG_RUN)
		return 0;
	return read_env(c, get_env, err) || config_check(c, err) ? -1 : 0;
}

int config_help(struct buf *out)
{
	(void)buf_puts(out,
		       "rds-csi --controller|--node [--FLAG=VALUE …]\n"
		       "rds-csi call METHOD [JSON]        see rds-csi call --help\n"
		       "rds-csi check [--FLAG=VALUE …]    see rds-csi check --help\n"
		       "rds-csi export-all [--yes]        see rds-csi export-all --help\n"
		       "\nEach flag may be written -x or --x. Environment: "
		       "CSI_MANAGED_NQN_PREFIX (default\n" NQN_PREFIX
		       "): the NQNs that the node takes for its own.\n");
	for (const struct flag *f = config_flags; f->name || f->def; f++) {
		if (!f->name) {
			(void)buf_printf(out, "\n%s:\n", f->def);
			continue;
		}
		(void)buf_printf(out, "  --%s", f->name);
		if (f->choices)
			(void)buf_printf(out, "=%s", f->choices + (*f->choices == '|'));
		if (f->def)
			(void)buf_printf(out, " (%s)", *f->def ? f->def : "empty");
		(void)buf_printf(out, *f->help ? "\n        %s\n" : "%s\n", f->help);
	}
	return buf_failed(out) ? -1 : 0;
}
