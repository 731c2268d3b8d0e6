#include "sim/disk_cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/export.h"

static const char *onoff(bool on)
{
	return on ? "yes" : "no";
}

static void log_prop(struct run *r, const struct disk *d, const char *prop,
		     const char *old, const char *now)
{
	const char *kv[] = { "slot",	     d->slot, "prop",	      prop, "old",
			     old ? old : "", "new",   now ? now : "", NULL };

	r->mutations++;
	box_history(r->box, r, "set", kv);
}

/* A file system that the box recognises is mounted by the box itself unless told not to:
 * the second writer that mount-filesystem=no is there to prevent. */
static void update_mounted(struct run *r, struct disk *d)
{
	const char *mf = disk_prop(d, box_prop(r->box, "mount-filesystem"));
	bool want =
		(!mf || !strcmp(mf, "yes")) && d->path && box_file_fs(r->box, d->path);

	if (!d->path || want == d->is_mounted)
		return;
	d->is_mounted = want;
	r->box->n_mounted_files += want ? 1u : -1u;
	log_prop(r, d, "mounted", onoff(!want), onoff(want));
}

static int set_export(struct run *r, struct disk *d, const char *text)
{
	bool on = !strcmp(text, "yes");

	if (on == d->is_exported)
		return 0;
	if (on && box_nqn_holder(r->box, d->nqn, d))
		return run_error(r, NULL, "failure: nqn already in use");
	d->is_exported = on;
	box_export_sync(r->box, d);
	log_prop(r, d, "nvme-tcp-export", onoff(!on), onoff(on));
	return 0;
}

static int set_nqn(struct run *r, struct disk *d, const char *text)
{
	struct box *b = r->box;
	char *old = arena_dup(&r->a, d->nqn ? d->nqn : "", d->nqn ? strlen(d->nqn) : 0);

	if (b->opt.nqn_needs_export && !d->is_exported)
		return 0;
	if (d->is_exported && box_nqn_holder(b, text, d))
		return run_error(r, NULL, "failure: nqn already in use");
	box_disk_set_prop(b, d, box_prop(b, "nvme-tcp-server-nqn"), text);
	box_export_sync(b, d);
	log_prop(r, d, "nvme-tcp-server-nqn", old, text);
	return 0;
}

static int set_file_size(struct run *r, struct disk *d, const char *text)
{
	struct box *b = r->box;
	char old[24], now[24];
	uint64_t bytes;

	if (!strcmp(text, "auto"))
		return 0;
	parse_size(text, &bytes);
	if (!d->path)
		return run_error(r, NULL, "failure: not a file disk");
	if (bytes < d->file_size) {
		b->stats.shrinks++;
		return run_error(r, NULL, "failure: can not shrink file");
	}
	if (bytes == d->file_size)
		return 0;
	if (bytes - d->file_size > box_free(b))
		return run_error(r, NULL, "failure: not enough space");
	if (box_file_grow(b, d->path, bytes) < 0)
		return run_error(r, NULL, "failure: %s", strerror(errno));
	snprintf(old, sizeof old, "%llu", (unsigned long long)d->file_size);
	snprintf(now, sizeof now, "%llu", (unsigned long long)bytes);
	d->file_size = bytes;
	if (!b->opt.grow_is_lazy || !d->is_exported)
		d->size = bytes;
	box_export_grown(b, d);
	log_prop(r, d, "file-size", old, now);
	return 0;
}

static int set_slot(struct run *r, struct disk *d, const char *text)
{
	struct disk *other = box_disk_by_slot(r->box, text);
	char *old = arena_dup(&r->a, d->slot, strlen(d->slot));

	if (other && other != d)
		return run_error(r, NULL, "failure: already have disk with such slot");
	if (!*text)
		return run_error(r, "slot", "invalid value for argument slot");
	box_disk_index(r->box, d, false);
	free(d->slot);
	d->slot = xstrdup(text);
	box_disk_index(r->box, d, true);
	box_export_sync(r->box, d);
	log_prop(r, d, "slot", old, text);
	return 0;
}

static int set_plain(struct run *r, struct disk *d, const char *prop, const char *text)
{
	int index = box_prop(r->box, prop);
	const char *old = index >= 0 ? disk_prop(d, index) : NULL;

	if (!strcmp(prop, "comment") && text && strlen(text) > r->box->opt.comment_max)
		return run_error(r, "comment", "failure: comment too long");
	if (index < 0)
		return 0;
	old = old ? arena_dup(&r->a, old, strlen(old)) : NULL;
	box_disk_set_prop(r->box, d, index, text);
	log_prop(r, d, prop, old, text);
	return 0;
}

/* One property. A set of several is not all or nothing: what came before the one that
 * fails stays. */
static int set_one(struct run *r, struct disk *d, const char *prop, const char *text)
{
	if (!text) {
		if (!strcmp(prop, "nvme-tcp-export"))
			return set_export(r, d, "no");
		return set_plain(r, d, prop, NULL);
	}
	if (!strcmp(prop, "nvme-tcp-export"))
		return set_export(r, d, text);
	if (!strcmp(prop, "nvme-tcp-server-nqn"))
		return set_nqn(r, d, text);
	if (!strcmp(prop, "file-size"))
		return set_file_size(r, d, text);
	if (!strcmp(prop, "slot"))
		return set_slot(r, d, text);
	if (!strcmp(prop, "file-path") || !strcmp(prop, "type"))
		return run_error(r, NULL, "failure: can not change %s", prop);
	return set_plain(r, d, prop, text);
}

/* The quirk some box may have: any set applies the export anew, which cuts its hosts. */
static void reexport(struct run *r, struct disk *d)
{
	if (!r->box->opt.set_reexports || !d->is_exported)
		return;
	d->is_exported = false;
	box_export_sync(r->box, d);
	d->is_exported = true;
	box_export_sync(r->box, d);
	log_prop(r, d, "re-export", "", d->nqn);
}

static int set_disk(struct run *r, struct call *c, void *row)
{
	struct disk *d = row;
	int rc = 0;

	for (unsigned i = 0; i < c->n->n_args && rc == 0; i++) {
		const struct arg *a = &c->n->args[i];

		if (a->is_unset)
			rc = set_one(r, d, a->name, NULL);
		else if (strcmp(a->name, "numbers") != 0)
			rc = set_one(r, d, a->name, call_text(r, c, a->name));
	}
	reexport(r, d);
	update_mounted(r, d);
	box_save_disk(r->box, d);
	return rc;
}

int disk_set(struct run *r, struct call *c)
{
	struct nvmet_wait wait;

	if (run_sleep(r, r->box->opt.op_set_ms) < 0)
		return -1;
	export_begin(r->box, &wait);
	return export_end(r, &wait, menu_each(r, c, set_disk));
}

int disk_unset(struct run *r, struct call *c)
{
	const char *name = call_text(r, c, "value-name");
	struct rows rows = { 0 };
	struct nvmet_wait wait;
	int rc = 0;

	if (menu_targets(r, c, &rows) < 0)
		return -1;
	if (!name || box_prop(r->box, name) < 0)
		return run_error(r, "value-name",
				 "input does not match any value of value-name");
	export_begin(r->box, &wait);
	for (unsigned i = 0; i < rows.n && rc == 0; i++) {
		rc = set_one(r, rows.row[i], name, NULL);
		if (rc == 0)
			box_save_disk(r->box, rows.row[i]);
	}
	return export_end(r, &wait, rc);
}

static int remove_disk(struct run *r, struct call *c, void *row)
{
	struct disk *d = row;
	const char *kv[] = { "slot", d->slot, "path", d->path, NULL };

	(void)c;
	if (!d->path) {
		box_history(r->box, r, "remove-refused", kv);
		return run_error(r, NULL, "failure: device is busy");
	}
	if (d->is_exported && set_export(r, d, "no") < 0)
		return -1;
	r->mutations++;
	box_history(r->box, r, "remove", kv);
	box_save_gone(r->box, "d", d->id);
	box_disk_free(r->box, d);
	return 0;
}

int disk_remove(struct run *r, struct call *c)
{
	struct nvmet_wait wait;

	if (run_sleep(r, r->box->opt.op_remove_ms) < 0)
		return -1;
	export_begin(r->box, &wait);
	return export_end(r, &wait, menu_each(r, c, remove_disk));
}

/* ---- add ---- */
struct adding {
	const char *slot, *path, *size_text;
	uint64_t bytes;
	struct disk *source; /* copy-from */
};

/* "file-" and the path, with "/" as "-", when no slot is given. */
static const char *default_slot(struct run *r, const char *path)
{
	char *s = arena_printf(&r->a, "file-%s", *path == '/' ? path + 1 : path);

	for (char *c = s; *c; c++)
		if (*c == '/')
			*c = '-';
	return s;
}

static int read_source(struct run *r, struct call *c, struct adding *a)
{
	const struct value *v = call_get(c, "copy-from");
	struct value id;

	if (!v)
		return 0;
	if (v->t == V_ARRAY && v->a->n != 1)
		return run_error(r, "copy-from", "no such item");
	id = v->t == V_ARRAY ? v->a->e[0].v : *v;
	id = v_tostr(&r->a, &id);
	a->source = id.s[0] == '*' ? c->m->by_id(r, id.s) : c->m->by_name(r, id.s);
	if (!a->source)
		return run_error(r, "copy-from", "no such item");
	if (!a->size_text && a->source->path)
		a->size_text = arena_printf(&r->a, "%llu",
					    (unsigned long long)a->source->file_size);
	return 0;
}

static int read_adding(struct run *r, struct call *c, struct adding *a)
{
	const char *type = call_text(r, c, "type");

	if (type && strcmp(type, "file") != 0) {
		r->box->stats.unknown++;
		return run_error(r, NULL, "failure: type %s is not simulated", type);
	}
	if (r->box->opt.version < 71700)
		return run_error(r, "type", "input does not match any value of type");
	a->path = call_text(r, c, "file-path");
	if (!a->path || !*a->path)
		return run_error(r, NULL, "failure: file-path not specified");
	a->slot = call_text(r, c, "slot");
	if (!a->slot)
		a->slot = default_slot(r, a->path);
	if (!*a->slot)
		return run_error(r, "slot", "invalid value for argument slot");
	a->size_text = call_text(r, c, "file-size");
	if (a->size_text && !strcmp(a->size_text, "auto"))
		a->size_text = NULL;
	return read_source(r, c, a);
}

static const char *nqn_of(struct run *r, struct call *c, const struct adding *a)
{
	const char *nqn = call_text(r, c, "nvme-tcp-server-nqn");

	return nqn && *nqn ? nqn : a->slot;
}

/* Everything that can be refused without having touched a file. */
static int check_adding(struct run *r, struct call *c, struct adding *a)
{
	const char *exp = call_text(r, c, "nvme-tcp-export");
	const char *comment = call_text(r, c, "comment");
	struct box *b = r->box;

	if (box_disk_by_slot(b, a->slot))
		return run_error(r, NULL, "failure: already have disk with such slot");
	a->path = box_pool_path(b, a->path);
	if (!a->path)
		return run_error(r, "file-path", "failure: invalid path");
	if (box_disk_by_path(b, a->path))
		return run_error(r, NULL, "failure: file already in use by another disk");
	if (exp && !strcmp(exp, "yes") && box_nqn_holder(b, nqn_of(r, c, a), NULL))
		return run_error(r, NULL, "failure: nqn already in use");
	if (comment && strlen(comment) > b->opt.comment_max)
		return run_error(r, "comment", "failure: comment too long");
	return 0;
}

/* With a size a new file is made; without, an existing one is adopted. */
static int make_file(struct run *r, struct adding *a)
{
	struct box *b = r->box;
	char host[1024];
	struct stat st;

	if (!a->size_text) {
		box_host_path(b, a->path, host, sizeof host);
		if (stat(host, &st) < 0 || !S_ISREG(st.st_mode))
			return run_error(r, NULL, "failure: file does not exist");
		a->bytes = (uint64_t)st.st_size;
		box_image_charge(b, a->path, a->bytes);
		return 0;
	}
	if (a->bytes == 0)
		return run_error(r, "file-size", "invalid value for argument file-size");
	if (a->bytes > box_free(b))
		return run_error(r, NULL, "failure: not enough space");
	if (box_file_create(b, a->path, a->bytes) == 0)
		return 0;
	if (errno == EEXIST)
		return run_error(r, NULL, "failure: file already exists");
	return run_error(r, NULL, "failure: %s",
			 errno == ENOENT ? "no such directory" : strerror(errno));
}

static void copy_props(struct box *b, struct disk *to, const struct disk *from)
{
	for (const struct prop *p = from->props; p; p = p->next)
		if (p->index != box_prop(b, "nvme-tcp-server-nqn"))
			box_disk_set_prop(b, to, p->index, p->val);
}

static int apply_args(struct run *r, struct call *c, struct disk *d)
{
	static const char *const done[] = { "type",	 "slot",      "file-path",
					    "file-size", "copy-from", "nvme-tcp-export" };
	const char *exp = call_text(r, c, "nvme-tcp-export");

	for (unsigned i = 0; i < c->n->n_args; i++) {
		const char *name = c->n->args[i].name;
		bool skip = false;

		for (size_t k = 0; k < sizeof done / sizeof *done; k++)
			skip |= !strcmp(done[k], name);
		if (!skip && set_one(r, d, name, call_text(r, c, name)) < 0)
			return -1;
	}
	return exp ? set_export(r, d, exp) : 0;
}

int disk_add(struct run *r, struct call *c)
{
	struct adding a = { 0 };
	struct box *b = r->box;
	struct nvmet_wait wait;
	char size[24];
	struct disk *d;
	int rc;

	if (read_adding(r, c, &a) < 0)
		return -1;
	if (a.size_text)
		parse_size(a.size_text, &a.bytes);
	if (run_sleep(r, b->opt.op_add_ms + b->opt.op_per_gib_ms * (a.bytes >> 30)) < 0)
		return -1;
	if (check_adding(r, c, &a) < 0 || make_file(r, &a) < 0)
		return -1;
	d = box_disk_new(b, a.slot, "file");
	d->path = xstrdup(a.path);
	d->size = d->file_size = a.bytes;
	if (a.source)
		copy_props(b, d, a.source);
	box_disk_index(b, d, true);
	snprintf(size, sizeof size, "%llu", (unsigned long long)a.bytes);
	r->mutations++;
	box_history(b, r, "add",
		    (const char *const[]){ "slot", d->slot, "path", d->path, "size", size,
					   "made", a.size_text ? "yes" : "no", NULL });
	export_begin(b, &wait);
	rc = apply_args(r, c, d);
	if (rc == 0)
		update_mounted(r, d);
	box_save_disk(b, d);
	if (rc == 0)
		c->ret = v_id(&r->a, c->m->id(r, d));
	return export_end(r, &wait, rc);
}
