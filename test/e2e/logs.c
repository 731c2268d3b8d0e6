#include "e2e/logs.h"

#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "e2e/e2e.h"

enum { LINE = 8192, PIECE = 24, PIECES = 128 };

/* The lines of the keys' bodies, which no text of ours resembles. */
struct pieces {
	unsigned n;
	char text[PIECES][PIECE + 1];
};

static void add_key(struct pieces *p, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[LINE];

	while (f && p->n < PIECES && fgets(line, sizeof(line), f)) {
		if (line[0] == '-' || strlen(line) < PIECE + 1)
			continue;
		(void)snprintf(p->text[p->n++], PIECE + 1, "%s", line);
	}
	if (f)
		fclose(f);
}

static void add_keys(struct pieces *p, const char *dir)
{
	char pattern[E2E_PATH];
	glob_t g;

	(void)snprintf(pattern, sizeof(pattern), "%s/*/client_key", dir);
	if (glob(pattern, 0, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		add_key(p, g.gl_pathv[i]);
	globfree(&g);
	CHECK(p->n > 0, "no key to look for");
}

static bool is_word(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

/* In the order in which they are written. */
static bool has_fixed_keys(json_t *v)
{
	static const char *const fixed[] = { "time", "level", "mod", "msg" };
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(v, key, value)
	{
		const char *text = json_string_value(value);

		if (n < 4 && (strcmp(key, fixed[n]) != 0 || !text || !*text))
			return false;
		if (!is_word(key) || json_is_object(value) || json_is_array(value))
			return false;
		n++;
	}
	return n >= 4;
}

static bool is_record(const char *line)
{
	json_t *v = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	bool is_ok = has_fixed_keys(v);

	json_decref(v);
	return is_ok;
}

/* No value can hold an unescaped quote, so that this begins another line. */
static const char *next_record(const char *line)
{
	return strstr(line + 1, "{\"time\":\"");
}

static bool is_line(const char *line)
{
	/* What a start that fails says before it knows how to log. */
	if (strncmp(line, "rds-csi: ", 9) == 0)
		return true;
	/* Several drivers in turn may have been killed within a line. */
	for (const char *next = line; next; next = next_record(line))
		line = next;
	return is_record(line);
}

static void check_log(const char *path, const struct pieces *keys)
{
	const char *name = strrchr(path, '/') + 1;
	FILE *f = fopen(path, "re");
	char line[LINE];

	while (f && fgets(line, sizeof(line), f)) {
		/* One that a kill cut is the last. */
		CHECK(!strchr(line, '\n') || is_line(line), "%s: no log line: %.300s",
		      name, line);
		CHECK(!strstr(line, LOGS_SECRET), "%s: a secret: %.300s", name, line);
		for (unsigned i = 0; i < keys->n; i++)
			CHECK(!strstr(line, keys->text[i]),
			      "%s: a piece of the key: %.300s", name, line);
	}
	if (f)
		fclose(f);
}

void logs_check(const char *dir)
{
	static struct pieces keys;
	char pattern[E2E_PATH];
	glob_t g;

	keys.n = 0;
	add_keys(&keys, dir);
	(void)snprintf(pattern, sizeof(pattern), "%s/*.log", dir);
	if (glob(pattern, 0, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (!strstr(g.gl_pathv[i], "/sim.log"))
			check_log(g.gl_pathv[i], &keys);
	globfree(&g);
}
