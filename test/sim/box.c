#include "sim/box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/export.h"
#include "sim/interp.h"
#include "sim/users.h"

struct global {
	struct global *next;
	char *name;
	struct arena a; /* of v */
	struct value v;
};

static struct disk **bucket(struct disk **table, const char *key)
{
	return &table[hash_str(key) % BOX_HASH];
}

int box_prop(const struct box *b, const char *name)
{
	return schema_prop(b->disk_schema, name, strlen(name), 0);
}

struct disk *box_disk_by_slot(struct box *b, const char *slot)
{
	struct disk *d;

	for (d = *bucket(b->slots, slot); d; d = d->slot_next)
		if (strcmp(d->slot, slot) == 0)
			return d;
	return NULL;
}

struct disk *box_disk_by_id(struct box *b, unsigned id)
{
	struct disk *d;

	for (d = b->ids[id % BOX_HASH]; d; d = d->id_next)
		if (d->id == id)
			return d;
	return NULL;
}

struct disk *box_disk_by_path(struct box *b, const char *path)
{
	struct disk *d;

	for (d = *bucket(b->paths, path); d; d = d->path_next)
		if (strcmp(d->path, path) == 0)
			return d;
	return NULL;
}

struct disk *box_nqn_holder(struct box *b, const char *nqn, const struct disk *except)
{
	struct disk *d;

	for (d = *bucket(b->nqns, nqn); d; d = d->nqn_next)
		if (d != except && d->is_exported && strcmp(d->nqn, nqn) == 0)
			return d;
	return NULL;
}

static void unchain(struct disk **at, struct disk *d, size_t link)
{
	while (*at && *at != d)
		at = (struct disk **)(void *)((char *)*at + link);
	if (*at)
		*at = *(struct disk **)(void *)((char *)d + link);
}

static void chain(struct disk **at, struct disk *d, size_t link)
{
	/* At the end, so that equal keys keep the order of their making. */
	while (*at)
		at = (struct disk **)(void *)((char *)*at + link);
	*(struct disk **)(void *)((char *)d + link) = NULL;
	*at = d;
}

static void index_one(struct disk **table, struct disk *d, const char *key, size_t link,
		      bool add)
{
	if (!key)
		return;
	if (add)
		chain(bucket(table, key), d, link);
	else
		unchain(bucket(table, key), d, link);
}

static char *nqn_of(const struct box *b, const struct disk *d)
{
	const char *set = disk_prop(d, box_prop(b, "nvme-tcp-server-nqn"));

	return xstrdup(set && *set ? set : d->slot);
}

void box_disk_index(struct box *b, struct disk *d, bool add)
{
	if (add) {
		free(d->nqn);
		d->nqn = nqn_of(b, d);
	}
	index_one(b->slots, d, d->slot, offsetof(struct disk, slot_next), add);
	index_one(b->nqns, d, d->nqn, offsetof(struct disk, nqn_next), add);
	index_one(b->paths, d, d->path, offsetof(struct disk, path_next), add);
}

struct disk *box_disk_new(struct box *b, const char *slot, const char *type)
{
	struct disk *d = xmalloc(sizeof *d);

	d->id = b->next_id++;
	d->id_next = b->ids[d->id % BOX_HASH];
	b->ids[d->id % BOX_HASH] = d;
	d->slot = xstrdup(slot);
	d->type = type;
	d->prev = b->last;
	if (b->last)
		b->last->next = d;
	else
		b->first = d;
	b->last = d;
	b->n_disks++;
	box_uuid(d->ns_uuid);
	return d;
}

void box_disk_free(struct box *b, struct disk *d)
{
	box_export_drop(b, d);
	box_disk_index(b, d, false);
	unchain(&b->ids[d->id % BOX_HASH], d, offsetof(struct disk, id_next));
	if (d->prev)
		d->prev->next = d->next;
	else
		b->first = d->next;
	if (d->next)
		d->next->prev = d->prev;
	else
		b->last = d->prev;
	b->n_disks--;
	if (d->is_mounted && d->path)
		b->n_mounted_files--;
	while (d->props) {
		struct prop *p = d->props;

		d->props = p->next;
		free(p->val);
		free(p);
	}
	free(d->slot);
	free(d->path);
	free(d->other_file);
	free(d->nqn);
	free(d);
}

const char *disk_prop(const struct disk *d, int index)
{
	for (const struct prop *p = d->props; p; p = p->next)
		if (p->index == index)
			return p->val;
	return NULL;
}

static void set_prop(struct disk *d, int index, const char *val)
{
	struct prop **at = &d->props, *p;

	while (*at && (*at)->index != index)
		at = &(*at)->next;
	p = *at;
	if (p && !val) {
		*at = p->next;
		free(p->val);
		free(p);
		return;
	}
	if (!val)
		return;
	if (!p) {
		p = *at = xmalloc(sizeof *p);
		p->index = index;
	}
	free(p->val);
	p->val = xstrdup(val);
}

void box_disk_set_prop(struct box *b, struct disk *d, int index, const char *val)
{
	bool is_key = index == box_prop(b, "nvme-tcp-server-nqn");

	if (is_key && d->nqn)
		box_disk_index(b, d, false);
	set_prop(d, index, val);
	if (is_key && d->nqn)
		box_disk_index(b, d, true);
}

bool box_take_timeout(struct box *b)
{
	if (!b->timeouts || *b->timeouts <= 0)
		return false;
	--*b->timeouts;
	return true;
}

void box_tick(struct box *b)
{
	uint64_t now = now_ms();
	struct subvol *next;

	box_exports_tick(b);
	for (struct subvol *s = b->opt.dead_ms ? b->sv_first : NULL; s; s = next) {
		next = s->next;
		if (s->dead_until && now >= s->dead_until)
			box_subvol_unlink(b, s);
	}
}

/* ---- globals ---- */
static struct value deep_copy(struct arena *a, const struct value *v)
{
	struct value c = *v;

	if (v->t == V_STR || v->t == V_ID || v->t == V_IP || v->t == V_PREFIX) {
		c.s = arena_dup(a, v->s, v->len);
	} else if (v->t == V_ARRAY) {
		struct array *arr = array_new(a, v->a->n);

		for (unsigned i = 0; i < v->a->n; i++) {
			const char *k = v->a->e[i].key;

			array_push(a, arr, k ? arena_dup(a, k, strlen(k)) : NULL,
				   deep_copy(a, &v->a->e[i].v));
		}
		c.a = arr;
	} else if (v->t == V_CODE) {
		c = v_nothing();
	}
	return c;
}

void box_set_global(struct box *b, const char *name, const struct value *v)
{
	struct global *g;
	struct arena fresh;

	for (g = b->globals; g; g = g->next)
		if (strcmp(g->name, name) == 0)
			break;
	if (!g) {
		g = xmalloc(sizeof *g);
		g->name = xstrdup(name);
		g->next = b->globals;
		b->globals = g;
	}
	arena_init(&fresh, RUN_MAX_ARENA);
	g->v = deep_copy(&fresh, v);
	arena_fini(&g->a);
	g->a = fresh;
}

struct value box_get_global(struct box *b, const char *name)
{
	for (struct global *g = b->globals; g; g = g->next)
		if (strcmp(g->name, name) == 0)
			return g->v;
	return v_nothing();
}

static void globals_free(struct box *b)
{
	while (b->globals) {
		struct global *g = b->globals;

		b->globals = g->next;
		arena_fini(&g->a);
		free(g->name);
		free(g);
	}
}

void box_uuid(char *ret)
{
	uint64_t x = rand_u64(), y = rand_u64();

	snprintf(ret, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(x >> 32),
		 (unsigned)(x >> 16) & 0xffff, (unsigned)x & 0xfff,
		 ((unsigned)(y >> 48) & 0x3fff) | 0x8000,
		 (unsigned long long)(y & 0xffffffffffffu));
}

/* ---- opening ---- */
static int make_dir(const struct box *b, const char *sub)
{
	char path[1024];

	snprintf(path, sizeof path, "%s%s%s", b->opt.dir, *sub ? "/" : "", sub);
	for (char *c = path + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		mkdir(path, 0755);
		*c = '/';
	}
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	fprintf(stderr, "rds-sim: mkdir %s: %s\n", path, strerror(errno));
	return -1;
}

static void add_hardware(struct box *b)
{
	struct disk *pool = box_disk_new(b, b->opt.pool_slot, "raid");
	char slot[16];

	pool->is_pool = pool->is_mounted = true;
	box_disk_index(b, pool, true);
	for (int i = 1; i <= 4; i++) {
		struct disk *d;

		snprintf(slot, sizeof slot, "nvme%d", i);
		d = box_disk_new(b, slot, "hardware");
		box_disk_set_prop(b, d, box_prop(b, "raid-master"), b->opt.pool_slot);
		d->size = d->file_size = b->opt.pool_bytes / 2;
		box_disk_index(b, d, true);
	}
}

struct box *box_open(const struct box_opt *opt)
{
	struct box *b = xmalloc(sizeof *b);
	char pool[1024], sub[256];

	b->opt = *opt;
	b->log_fd = -1;
	b->next_id = 1;
	b->next_subvol = 256;
	b->started_ms = now_ms();
	b->disk_schema = schema_menu("/disk", 5);
	b->users = xmalloc(sizeof *b->users);
	users_init(b->users, opt->csi_policy);
	b->history = xmalloc(BOX_HISTORY_MAX * sizeof *b->history);
	snprintf(sub, sizeof sub, "pool/%s", opt->base);
	if (make_dir(b, "") < 0 || make_dir(b, "pool") < 0 || make_dir(b, sub) < 0 ||
	    make_dir(b, "exports") < 0) {
		box_close(b);
		return NULL;
	}
	snprintf(pool, sizeof pool, "%s/pool", opt->dir);
	b->real_btrfs = !strcmp(opt->pool_fs, "btrfs") && box_is_btrfs(pool);
	add_hardware(b);
	if (box_exports_open(b) < 0 || box_load(b) < 0) {
		box_close(b);
		return NULL;
	}
	box_exports_ready(b);
	box_image_scan(b);
	return b;
}

void box_close(struct box *b)
{
	if (!b)
		return;
	free(b->users);
	while (b->first)
		box_disk_free(b, b->first);
	box_exports_close(b);
	while (b->sv_first)
		box_subvol_unlink(b, b->sv_first);
	for (unsigned i = 0; i < BOX_HASH; i++)
		while (b->images[i])
			box_image_forget(b, b->images[i]->path);
	globals_free(b);
	for (uint64_t i = 0; i < b->n_events && i < BOX_HISTORY_MAX; i++)
		free(b->history[i].text);
	free(b->history);
	if (b->log_fd >= 0)
		close(b->log_fd);
	free(b);
}
