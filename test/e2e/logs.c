#include "e2e/logs.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "e2e/e2e.h"

enum { LINE = 8192, PIECE = 24, PIECES = 64 };

/* The lines of the key's body, which no text of ours resembles. */
struct pieces {
	unsigned n;
	char text[PIECES][PIECE + 1];
};

static void read_key(struct pieces *p, const struct driver *d)
{
	char path[LINE], line[LINE];
	FILE *f;

	p->n = 0;
	if (!d->sim)
		return;
	(void)snprintf(path, sizeof(path), "%.4000s/client_key", d->sim->dir);
	f = fopen(path, "re");
	while (f && p->n < PIECES && fgets(line, sizeof(line), f)) {
		if (line[0] == '-' || strlen(line) < PIECE + 1)
			continue;
		(void)snprintf(p->text[p->n++], PIECE + 1, "%s", line);
	}
	if (f)
		fclose(f);
}

static bool has_text(json_t *v, const char *key)
{
	const char *text = json_string_value(json_object_get(v, key));

	return text && *text;
}

static bool is_record(const char *line)
{
	json_t *v = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	bool is_ok = has_text(v, "time") && has_text(v, "level") && has_text(v, "mod") &&
		     has_text(v, "msg");

	json_decref(v);
	return is_ok;
}

void logs_check(const struct driver *d)
{
	char log[E2E_PATH], line[LINE];
	FILE *f = fopen(e2e_path(log, "%s.log", d->name), "re");
	static struct pieces key;

	read_key(&key, d);
	CHECK(!d->sim || key.n > 0, "no key to look for");
	while (f && fgets(line, sizeof(line), f)) {
		/* What a start that fails says before it knows how to log. */
		if (strncmp(line, "rds-csi: ", 9) != 0)
			CHECK(is_record(line), "no log line: %.300s", line);
		for (unsigned i = 0; i < key.n; i++)
			CHECK(!strstr(line, key.text[i]), "a piece of the key: %.300s",
			      line);
	}
	if (f)
		fclose(f);
}
