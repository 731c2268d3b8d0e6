/* What survives a kill: state.log, one JSON object per line and change, the last one of
 * an item counts. It is written anew, short, at each start. And what a judge reads: the
 * history of effects, in memory, of bounded length. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/box.h"
#include "sim/export.h"
#include "sim/interp.h"

static void log_path(const struct box *b, const char *suffix, char *ret, size_t size)
{
	snprintf(ret, size, "%s/state.log%s", b->opt.dir, suffix);
}

/* JSON holds no raw bytes: a byte beyond ASCII is stored as the character of that number.
 */
static json_t *to_json(const char *s)
{
	struct sb text = { 0 };
	json_t *v;

	if (!s)
		return json_null();
	sb_add(&text, "", 0);
	for (; *s; s++) {
		unsigned c = (unsigned char)*s;

		if (c >= 0x80) {
			sb_addc(&text, (char)(0xc0 | c >> 6));
			c = 0x80 | (c & 0x3f);
		}
		sb_addc(&text, (char)c);
	}
	v = json_string(text.p);
	sb_fini(&text);
	return v;
}

static char *from_json(const json_t *v)
{
	const char *s = json_string_value(v);
	char *text = xstrdup(s ? s : ""), *to = text;

	for (const char *c = text; *c; c++) {
		unsigned u = (unsigned char)*c;

		if (u >= 0xc0 && c[1]) {
			u = (u & 3) << 6 | ((unsigned char)c[1] & 0x3f);
			c++;
		}
		*to++ = (char)u;
	}
	*to = 0;
	return text;
}

static void write_line(struct box *b, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);
	size_t n = strlen(text);
	struct sb line = { 0 };

	sb_add(&line, text, n);
	sb_addc(&line, '\n');
	if (b->log_fd >= 0 && write(b->log_fd, line.p, line.len) != (ssize_t)line.len)
		fprintf(stderr, "rds-sim: state.log: %s\n", strerror(errno));
	sb_fini(&line);
	free(text);
	json_decref(o);
}

void box_save_disk(struct box *b, const struct disk *d)
{
	json_t *props = json_object();

	for (const struct prop *p = d->props; p; p = p->next)
		json_object_set_new(props, b->disk_schema->props[p->index],
				    to_json(p->val));
	write_line(b,
		   json_pack("{s:i,s:o,s:s,s:o,s:I,s:I,s:b,s:b,s:s,s:o}", "d", (int)d->id,
			     "slot", to_json(d->slot), "type", d->type, "path",
			     to_json(d->path), "size", (json_int_t)d->size, "file",
			     (json_int_t)d->file_size, "export", d->is_exported,
			     "mounted", d->is_mounted, "ns", d->ns_uuid, "p", props));
}

void box_save_subvol(struct box *b, const struct subvol *s)
{
	write_line(b, json_pack("{s:i,s:o,s:s,s:s,s:s,s:b,s:b}", "v", (int)s->id, "name",
				to_json(s->fullname), "uuid", s->uuid, "parent",
				s->parent_uuid, "at", s->created, "ro", s->is_read_only,
				"snap", s->is_snapshot));
}

void box_save_gone(struct box *b, const char *kind, unsigned id)
{
	char key[8];

	snprintf(key, sizeof key, "%s-", kind);
	write_line(b, json_pack("{s:i}", key, (int)id));
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const char *type_of(const char *text)
{
	const struct menu_schema *m = schema_menu("/disk", 5);
	const struct arg_schema *as =
		schema_arg(schema_cmd(m, "add", 3, 0), "type", 4, 0);

	for (unsigned i = 0; i < as->n_values; i++)
		if (strcmp(as->values[i], text) == 0)
			return as->values[i];
	return "file";
}

static void load_disk(struct box *b, const json_t *o, unsigned id)
{
	struct disk *d = box_disk_by_id(b, id);
	char *slot = from_json(json_object_get(o, "slot"));
	const char *key;
	json_t *val;

	if (d)
		box_disk_free(b, d);
	b->next_id = id;
	d = box_disk_new(b, slot, type_of(text_of(o, "type")));
	free(slot);
	if (*text_of(o, "path"))
		d->path = from_json(json_object_get(o, "path"));
	d->is_pool = !strcmp(d->slot, b->opt.pool_slot) && !strcmp(d->type, "raid");
	d->size = (uint64_t)json_integer_value(json_object_get(o, "size"));
	d->file_size = (uint64_t)json_integer_value(json_object_get(o, "file"));
	d->is_exported = json_is_true(json_object_get(o, "export"));
	d->is_mounted = json_is_true(json_object_get(o, "mounted"));
	if (d->is_mounted && d->path)
		b->n_mounted_files++;
	snprintf(d->ns_uuid, sizeof d->ns_uuid, "%s", text_of(o, "ns"));
	json_object_foreach(json_object_get(o, "p"), key, val)
	{
		int i = schema_prop(b->disk_schema, key, strlen(key), 0);

		if (i >= 0) {
			char *text = from_json(val);

			box_disk_set_prop(b, d, i, text);
			free(text);
		}
	}
	box_disk_index(b, d, true);
}

static void load_subvol(struct box *b, const json_t *o, unsigned id)
{
	char *name = from_json(json_object_get(o, "name"));
	struct subvol *s = box_subvol_link(b, id, name);

	free(name);
	snprintf(s->uuid, sizeof s->uuid, "%s", text_of(o, "uuid"));
	snprintf(s->parent_uuid, sizeof s->parent_uuid, "%s", text_of(o, "parent"));
	snprintf(s->created, sizeof s->created, "%s", text_of(o, "at"));
	s->is_read_only = json_is_true(json_object_get(o, "ro"));
	s->is_snapshot = json_is_true(json_object_get(o, "snap"));
}

static void load_line(struct box *b, const json_t *o, unsigned *max_id)
{
	json_t *v;
	unsigned id;

	if ((v = json_object_get(o, "d"))) {
		id = (unsigned)json_integer_value(v);
		if (id > *max_id)
			*max_id = id;
		load_disk(b, o, id);
	} else if ((v = json_object_get(o, "d-"))) {
		struct disk *d = box_disk_by_id(b, (unsigned)json_integer_value(v));

		if (d)
			box_disk_free(b, d);
	} else if ((v = json_object_get(o, "v"))) {
		load_subvol(b, o, (unsigned)json_integer_value(v));
	} else if ((v = json_object_get(o, "v-"))) {
		struct subvol *s = box_subvol_by_id(b, (unsigned)json_integer_value(v));

		if (s)
			box_subvol_unlink(b, s);
	} else if ((v = json_object_get(o, "next"))) {
		id = (unsigned)json_integer_value(v);
		if (id && id - 1 > *max_id)
			*max_id = id - 1;
	}
}

static int read_log(struct box *b, unsigned *max_id)
{
	char path[1024], *line = NULL;
	size_t cap = 0;
	FILE *f;

	log_path(b, "", path, sizeof path);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : -1;
	while (getline(&line, &cap, f) > 0) {
		/* The last line may be cut short by the kill. */
		json_t *o = json_loads(line, 0, NULL);

		if (o)
			load_line(b, o, max_id);
		json_decref(o);
	}
	free(line);
	fclose(f);
	return 0;
}

/* A subvolume whose directory is gone was being removed when the box died. */
static void drop_lost_subvols(struct box *b)
{
	struct subvol *next;
	char host[1024];

	for (struct subvol *s = b->sv_first; s; s = next) {
		next = s->next;
		snprintf(host, sizeof host, "%s/pool/%s", b->opt.dir, s->fullname);
		if (access(host, F_OK) < 0)
			box_subvol_unlink(b, s);
	}
}

static int by_id(const void *x, const void *y)
{
	const struct disk *a = *(struct disk *const *)x, *c = *(struct disk *const *)y;

	return a->id < c->id ? -1 : 1;
}

/* Loading puts a disk where its last change stood; items are listed by id. */
static void sort_disks(struct box *b)
{
	struct disk **all = xmalloc((b->n_disks + 1) * sizeof(struct disk *)), *d;
	unsigned n = 0;

	for (d = b->first; d; d = d->next)
		all[n++] = d;
	qsort(all, n, sizeof(struct disk *), by_id);
	for (unsigned i = 0; i < n; i++) {
		all[i]->prev = i ? all[i - 1] : NULL;
		all[i]->next = i + 1 < n ? all[i + 1] : NULL;
	}
	b->first = n ? all[0] : NULL;
	b->last = n ? all[n - 1] : NULL;
	free(all);
}

int box_load(struct box *b)
{
	char path[1024], fresh[1024];
	unsigned max_id = b->next_id - 1;

	if (read_log(b, &max_id) < 0)
		return -1;
	b->next_id = max_id + 1;
	drop_lost_subvols(b);
	sort_disks(b);
	log_path(b, "", path, sizeof path);
	log_path(b, ".new", fresh, sizeof fresh);
	b->log_fd =
		open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (b->log_fd < 0) {
		fprintf(stderr, "rds-sim: %s: %s\n", fresh, strerror(errno));
		return -1;
	}
	write_line(b, json_pack("{s:i}", "next", (int)b->next_id));
	for (struct disk *d = b->first; d; d = d->next) {
		box_save_disk(b, d);
		box_export_sync(b, d);
	}
	for (struct subvol *s = b->sv_first; s; s = s->next)
		box_save_subvol(b, s);
	return rename(fresh, path);
}

/* ---- history ---- */
static void add_member(struct sb *out, const char *key, const char *val)
{
	json_t *v;
	char *text;

	if (!val)
		return;
	v = to_json(val);
	text = json_dumps(v, JSON_ENCODE_ANY);
	sb_printf(out, ",\"%s\":%s", key, text);
	free(text);
	json_decref(v);
}

void box_history(struct box *b, const struct run *r, const char *op,
		 const char *const *kv)
{
	struct event *e = &b->history[b->n_events++ % BOX_HISTORY_MAX];
	struct sb text = { 0 };

	sb_printf(&text, "\"op\":\"%s\"", op);
	for (; kv && kv[0]; kv += 2)
		add_member(&text, kv[0], kv[1]);
	free(e->text);
	e->text = text.p;
	e->t_ms = now_ms();
	e->exec = r ? r->exec_id : 0;
	e->stmt = r ? r->statements : 0;
}

void box_history_write(const struct box *b, struct sb *out, uint64_t from)
{
	if (b->n_events > BOX_HISTORY_MAX && from < b->n_events - BOX_HISTORY_MAX)
		from = b->n_events - BOX_HISTORY_MAX;
	for (uint64_t i = from; i < b->n_events; i++) {
		const struct event *e = &b->history[i % BOX_HISTORY_MAX];

		sb_printf(out, "{\"n\":%llu,\"t\":%llu,\"exec\":%u,\"stmt\":%u,%s}\n",
			  (unsigned long long)i, (unsigned long long)e->t_ms, e->exec,
			  e->stmt, e->text);
	}
}
