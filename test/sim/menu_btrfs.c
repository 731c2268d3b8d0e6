/* /disk/btrfs/filesystem and /disk/btrfs/subvolume. A subvolume's fs prints the label of
 * its file system, its name the last component of its path. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/menu.h"

static bool has_btrfs(const struct run *r)
{
	return !strcmp(r->box->opt.pool_fs, "btrfs") && !r->box->is_pool_away;
}

static const char fs_uuid[] = "7f0a3c52-9a11-4be4-8d0e-5c1d5b7f2e10";

/* ---- the one file system: its row is the box's options ---- */
static struct value fs_get(struct run *r, void *row, const char *prop, int index)
{
	static const char *const zero[] = { "write-errors", "read-errors", "flush-errors",
					    "corruption-errors", "generation-errors" };
	const struct box_opt *o = row;

	(void)index;
	if (!strcmp(prop, "label"))
		return v_lit(o->pool_label);
	if (!strcmp(prop, "uuid"))
		return v_lit(fs_uuid);
	if (!strcmp(prop, "total-devs"))
		return v_num(1);
	if (!strcmp(prop, "devs"))
		return v_lit(o->pool_slot);
	if (!strcmp(prop, "dev-ids"))
		return v_lit("1");
	if (!strcmp(prop, "default-subvolume"))
		return v_lit("<FS_ROOT>");
	if (!strcmp(prop, "balance-status") || !strcmp(prop, "scrub-status") ||
	    !strcmp(prop, "replace-status"))
		return v_lit("none");
	if (!strcmp(prop, "missing-devs") || !strcmp(prop, "balancing") ||
	    !strcmp(prop, "scrubbing") || !strcmp(prop, "replacing"))
		return v_bool(false);
	for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
		if (!strcmp(zero[i], prop))
			return v_num(0);
	(void)r;
	return v_nothing();
}

static const char *fs_id(struct run *r, void *row)
{
	(void)r;
	(void)row;
	return "*1";
}

static void *fs_by_id(struct run *r, const char *id)
{
	return has_btrfs(r) && !strcmp(id, "*1") ? &r->box->opt : NULL;
}

static void *fs_by_name(struct run *r, const char *name)
{
	return has_btrfs(r) && !strcmp(name, r->box->opt.pool_label) ? &r->box->opt
								     : NULL;
}

static void fs_list(struct run *r, const struct hints *h, struct rows *out)
{
	(void)h;
	if (has_btrfs(r))
		rows_add(r, out, &r->box->opt);
}

static int set_fs(struct run *r, struct call *c, void *row)
{
	const char *label = call_text(r, c, "label");
	struct box_opt *o = row;

	if (label) {
		const char *kv[] = { "prop", "label", "old", o->pool_label,
				     "new",  label,   NULL };

		r->mutations++;
		box_history(r->box, r, "fs-set", kv);
		snprintf(o->pool_label, sizeof o->pool_label, "%s", label);
	}
	return 0;
}

static int fs_set(struct run *r, struct call *c)
{
	return menu_each(r, c, set_fs);
}

/* ---- subvolumes ---- */
static struct subvol fs_root = { .id = 5, .is_root = true };

static struct value sv_flag(const struct subvol *s, const char *prop)
{
	if (!strcmp(prop, "read-only"))
		return v_bool(s->is_read_only);
	if (!strcmp(prop, "default") || !strcmp(prop, "mounted"))
		return v_bool(s->is_root);
	if (!strcmp(prop, "snapshot"))
		return v_bool(s->is_snapshot);
	if (!strcmp(prop, "dead"))
		return v_bool(s->dead_until != 0);
	return v_nothing();
}

static struct value sv_text(struct run *r, const struct subvol *s, const char *prop)
{
	const char *text = NULL;

	if (!strcmp(prop, "name"))
		text = s->is_root ? "<FS_ROOT>" : s->name;
	else if (!strcmp(prop, "fullname") || !strcmp(prop, "path"))
		text = s->is_root ? "<FS_ROOT>" : s->fullname;
	else if (!strcmp(prop, "fs"))
		text = r->box->opt.pool_label;
	else if (!strcmp(prop, "uuid"))
		text = s->is_root ? fs_uuid : s->uuid;
	else if (!strcmp(prop, "top-level"))
		text = s->is_root ? NULL : "<FS_ROOT>";
	else if (!strcmp(prop, "creation-time"))
		text = s->is_root ? NULL : s->created;
	else if (!strcmp(prop, "mountpoint") && s->is_root)
		text = r->box->opt.mount_point;
	return text ? v_lit(arena_dup(&r->a, text, strlen(text))) : v_nothing();
}

static struct value sv_get(struct run *r, void *row, const char *prop, int index)
{
	const struct subvol *s = row;
	struct value v = sv_flag(s, prop);

	(void)index;
	if (v.t == V_NOTHING)
		v = sv_text(r, s, prop);
	if (v.t != V_NOTHING)
		return v;
	if (!strcmp(prop, "subvolume-id"))
		return v_num(s->id);
	if (!strcmp(prop, "generation"))
		return v_num(s->id + 7);
	if (!strcmp(prop, "parent") && s->is_snapshot)
		for (const struct subvol *p = r->box->sv_first; p; p = p->next)
			if (!strcmp(p->uuid, s->parent_uuid))
				return v_lit(arena_dup(&r->a, p->name, strlen(p->name)));
	if (!strcmp(prop, "snapshots")) {
		struct array *a = array_new(&r->a, 2);

		for (const struct subvol *p = r->box->sv_first; p; p = p->next)
			if (p->is_snapshot && !strcmp(p->parent_uuid, s->uuid))
				array_push(&r->a, a, NULL, v_str(&r->a, p->name));
		return v_array(a);
	}
	return v_nothing();
}

static const char *sv_id(struct run *r, void *row)
{
	return arena_printf(&r->a, "*%X", ((const struct subvol *)row)->id);
}

static void *sv_by_id(struct run *r, const char *id)
{
	unsigned n = (unsigned)strtoul(id + 1, NULL, 16);

	return n == 5 ? &fs_root : box_subvol_by_id(r->box, n);
}

/* While nothing is nested a name is a full name too. */
static bool is_indexed(const struct run *r, int prop)
{
	const char *name = prop == PROP_ID ? "" : menu_subvol.schema->props[prop];

	return !r->box->opt.dead_ms && (!strcmp(name, "fullname") ||
					(!strcmp(name, "name") && !r->box->n_nested));
}

static void sv_list(struct run *r, const struct hints *h, struct rows *out)
{
	struct subvol *s;

	if (!has_btrfs(r))
		return;
	for (unsigned i = 0; i < h->n; i++) {
		if (!is_indexed(r, h->eq[i].prop))
			continue;
		s = box_subvol_by_name(r->box, h->eq[i].text);
		if (s)
			rows_add(r, out, s);
		if (!strcmp(h->eq[i].text, "<FS_ROOT>"))
			rows_add(r, out, &fs_root);
		return;
	}
	rows_add(r, out, &fs_root);
	for (s = r->box->sv_first; s; s = s->next)
		rows_add(r, out, s);
}

/* A reference by name: exactly one match, or the box's two refusals. */
static int find_parent(struct run *r, const char *name, struct subvol **ret)
{
	unsigned n = 0;

	for (struct subvol *s = r->box->sv_first; s; s = s->next)
		if (!s->dead_until &&
		    (!strcmp(s->name, name) || !strcmp(s->fullname, name))) {
			*ret = s;
			n++;
		}
	if (n == 1)
		return 0;
	if (n > 1 || !*name)
		return run_error(
			r, "parent",
			"ambiguous value of parent, more than one possible value "
			"matches input");
	return run_error(r, "parent", "input does not match any value of parent");
}

static int check_fs(struct run *r, const char *fs)
{
	if (!fs)
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) fs");
	if (!*fs)
		return run_error(r, "fs",
				 "ambiguous value of fs, more than one possible value "
				 "matches input");
	if (!has_btrfs(r) || strcmp(fs, r->box->opt.pool_label) != 0)
		return run_error(r, "fs", "input does not match any value of fs");
	return 0;
}

static int sv_add(struct run *r, struct call *c)
{
	const char *name = call_text(r, c, "name"), *parent = call_text(r, c, "parent");
	const char *ro = call_text(r, c, "read-only");
	struct subvol *from = NULL, *s;

	if (run_sleep(r, r->box->opt.op_set_ms) < 0 ||
	    check_fs(r, call_text(r, c, "fs")) < 0)
		return -1;
	if (!name || !*name || name[0] == '/' || strstr(name, ".."))
		return run_error(r, "name", "failure: invalid name");
	if (parent && find_parent(r, parent, &from) < 0)
		return -1;
	s = box_subvol_add(r->box, name, from, ro && !strcmp(ro, "yes"));
	if (!s && errno == EEXIST)
		return run_error(r, NULL,
				 "failure: already have subvolume with such name");
	if (!s)
		return run_error(r, NULL, "failure: %s", strerror(errno));
	r->mutations++;
	box_history(r->box, r, "subvol-add",
		    (const char *const[]){ "path", s->fullname, "from",
					   from ? from->fullname : NULL, NULL });
	c->ret = v_id(&r->a, sv_id(r, s));
	return 0;
}

static bool holds_disk(struct run *r, const struct subvol *s)
{
	char prefix[512];
	size_t n;

	snprintf(prefix, sizeof prefix, "%s/%s/", r->box->opt.mount_point, s->fullname);
	n = strlen(prefix);
	for (const struct disk *d = r->box->first; d; d = d->next)
		if (d->path && strncmp(d->path, prefix, n) == 0)
			return true;
	return false;
}

static int remove_sv(struct run *r, struct call *c, void *row)
{
	struct subvol *s = row;
	const char *name;

	(void)c;
	if (s->is_root || s->dead_until || holds_disk(r, s))
		return run_error(r, NULL, "failure: subvolume is in use");
	name = arena_dup(&r->a, s->fullname, strlen(s->fullname));
	if (box_subvol_remove(r->box, s) < 0)
		return run_error(r, NULL, "failure: %s", strerror(errno));
	r->mutations++;
	box_history(r->box, r, "subvol-remove",
		    (const char *const[]){ "path", name, NULL });
	return 0;
}

static int sv_remove(struct run *r, struct call *c)
{
	return run_sleep(r, r->box->opt.op_remove_ms) < 0 ? -1
							  : menu_each(r, c, remove_sv);
}

static int set_sv(struct run *r, struct call *c, void *row)
{
	const char *ro = call_text(r, c, "read-only");
	struct subvol *s = row;

	if (call_has(c, "name") || call_has(c, "fs") || call_has(c, "parent") ||
	    s->is_root)
		return run_error(r, NULL, "failure: can not change");
	if (ro)
		s->is_read_only = !strcmp(ro, "yes");
	box_save_subvol(r->box, s);
	return 0;
}

static int sv_set(struct run *r, struct call *c)
{
	return menu_each(r, c, set_sv);
}

static const struct menu_cmd fs_cmds[] = { { "set", fs_set }, { NULL, NULL } };
static const struct menu_cmd sv_cmds[] = {
	{ "add", sv_add }, { "remove", sv_remove }, { "set", sv_set }, { NULL, NULL }
};

static const char *const fs_summary[] = { "label", "devs", "default-subvolume", NULL };
static const char *const sv_summary[] = { "fs", "name", "fullname", "read-only", NULL };

static const struct menu_flag fs_flags[] = { { 'I', "missing-devs", "MISSING-DEVS" },
					     { 'b', "balancing", "BALANCING" },
					     { 'r', "replacing", "REPLACING" },
					     { 's', "scrubbing", "SCRUBBING" },
					     { 0, NULL, NULL } };
static const struct menu_flag sv_flags[] = {
	{ '*', "default", "DEFAULT" },	   { 'S', "snapshot", "SNAPSHOT" },
	{ 'r', "read-only", "READ-ONLY" }, { 'D', "dead", "DEAD" },
	{ 'M', "mounted", "MOUNTED" },	   { 0, NULL, NULL }
};

struct menu menu_btrfs_fs = {
	.path = "/disk/btrfs/filesystem",
	.summary = fs_summary,
	.flags = fs_flags,
	.list = fs_list,
	.get = fs_get,
	.id = fs_id,
	.by_id = fs_by_id,
	.by_name = fs_by_name,
	.cmds = fs_cmds,
};

struct menu menu_subvol = {
	.path = "/disk/btrfs/subvolume",
	.summary = sv_summary,
	.flags = sv_flags,
	.list = sv_list,
	.get = sv_get,
	.id = sv_id,
	.by_id = sv_by_id,
	.cmds = sv_cmds,
};
