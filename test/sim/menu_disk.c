/* /disk: the rows, their properties, and how they are found. What changes them is in
 * disk_cmd.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/disk_cmd.h"
#include "sim/figures.h"
#include "sim/menu.h"

static const struct menu_flag flags[] = {
	{ 'X', "disabled", "DISABLED" },
	{ 'E', "empty", "EMPTY" },
	{ 'B', "block-device", "BLOCK-DEVICE" },
	{ 'M', "mounted", "MOUNTED" },
	{ 'F', "formatting", "FORMATTING" },
	{ 'r', "raid-member", "RAID-MEMBER" },
	{ 't', "nvme-tcp-export", "NVME-TCP-EXPORT" },
	{ 0, NULL, NULL },
};

static const char *const summary[] = { "slot", "model", "serial", "interface", "size",
				       "free", "use",	"fs",	  NULL };

/* Order seen on an RDS2216, 7.24. */
static const char *const detail_order[] = { "type",
					    "slot",
					    "slot-default",
					    "parent",
					    "fs",
					    "fs-label",
					    "fs-uuid",
					    "model",
					    "size",
					    "free",
					    "use",
					    "mount-point",
					    "mount-filesystem",
					    "mount-read-only",
					    "compress",
					    "sector-size",
					    "raid-master",
					    "raid-type",
					    "raid-device-count",
					    "state",
					    "nvme-tcp-export",
					    "nvme-tcp-server-port",
					    "nvme-tcp-server-nqn",
					    "nvme-tcp-server-allow-host-name",
					    "iscsi-export",
					    "nfs-sharing",
					    "smb-sharing",
					    "media-sharing",
					    "media-interface",
					    "swap",
					    "file-path",
					    "file-size",
					    "file-offset",
					    NULL };

/* Settable properties that are shown although nobody set them. */
static const struct {
	const char *prop, *val;
	bool file_only;
} defaults[] = {
	{ "mount-filesystem", "yes", false },
	{ "mount-read-only", "no", false },
	{ "compress", "no", false },
	{ "raid-master", "none", false },
	{ "iscsi-export", "no", false },
	{ "nfs-sharing", "no", false },
	{ "smb-sharing", "no", false },
	{ "media-sharing", "no", false },
	{ "media-interface", "none", false },
	{ "swap", "no", false },
	{ "nvme-tcp-server-port", "4420", true },
	{ "file-offset", "0", true },
	{ "disabled", "no", false },
	{ "nvme-tcp-server-allow-host-name", "", true },
	{ "parent", "", false },
};

static bool is_yesno(const char *prop)
{
	static struct {
		const char *prop; /* the schema's own string, so its address will do */
		bool yes;
	} known[256];
	unsigned at = (unsigned)((uintptr_t)prop >> 3) % 256;
	const struct cmd_schema *set;
	const struct arg_schema *as;

	if (known[at].prop == prop)
		return known[at].yes;
	set = schema_cmd(menu_disk.schema, "set", 3, 0);
	as = schema_arg(set, prop, strlen(prop), 0);
	known[at].prop = prop;
	known[at].yes = as && as->n_values == 2 && !strcmp(as->values[0], "no") &&
			!strcmp(as->values[1], "yes");
	return known[at].yes;
}

/* Stored text as the type that get gives. */
static struct value stored(const char *prop, const char *text)
{
	static const char *const numbers[] = {
		"nvme-tcp-server-port", "file-offset",	     "iscsi-port",
		"iscsi-server-port",	"raid-device-count", "partition-number"
	};
	uint64_t n;

	if (is_yesno(prop))
		return v_bool(!strcmp(text, "yes"));
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strcmp(numbers[i], prop) && !parse_u64(text, &n))
			return v_num((int64_t)n);
	return v_lit(text);
}

static struct value get_pool(struct run *r, const char *prop)
{
	const struct box *b = r->box;
	bool is_btrfs = !strcmp(b->opt.pool_fs, "btrfs");
	uint64_t free_bytes = box_free(b), size = b->opt.pool_bytes;

	if (!strcmp(prop, "size"))
		return v_num((int64_t)size);
	if (!strcmp(prop, "free"))
		return v_num((int64_t)free_bytes);
	if (!strcmp(prop, "use"))
		return v_num(
			(int64_t)((size - free_bytes) / (size / 100 ? size / 100 : 1)));
	if (!strcmp(prop, "fs"))
		return v_lit(b->opt.pool_fs);
	if (!strcmp(prop, "fs-label"))
		return is_btrfs ? v_lit(b->opt.pool_label) : v_lit("");
	if (!strcmp(prop, "fs-uuid"))
		return v_lit("7f0a3c52-9a11-4be4-8d0e-5c1d5b7f2e10");
	if (!strcmp(prop, "mount-point"))
		return v_lit(b->opt.mount_point);
	if (!strcmp(prop, "model"))
		return v_lit("RAID6 2-parity-disks");
	if (!strcmp(prop, "raid-type"))
		return v_lit("6");
	if (!strcmp(prop, "raid-device-count"))
		return v_num(4);
	if (!strcmp(prop, "state"))
		return v_lit("clean");
	return v_nothing();
}

static struct value get_file(struct run *r, const struct disk *d, const char *prop)
{
	const char *fs;

	if (!strcmp(prop, "file-path") || !strcmp(prop, "model"))
		return v_lit(arena_printf(&r->a, "/%s", d->path));
	if (!strcmp(prop, "file-size"))
		return v_num((int64_t)d->file_size);
	if (!strcmp(prop, "nvme-tcp-server-nqn"))
		return v_lit(arena_dup(&r->a, d->nqn, strlen(d->nqn)));
	if (!strcmp(prop, "fs")) {
		fs = d->is_mounted ? box_file_fs(r->box, d->path) : NULL;
		return v_lit(fs ? fs : "-");
	}
	if (!strcmp(prop, "mount-point") && d->is_mounted)
		return v_lit(arena_dup(&r->a, d->slot, strlen(d->slot)));
	return v_nothing();
}

static struct value get_hardware(struct run *r, const struct disk *d, const char *prop)
{
	if (!strcmp(prop, "model"))
		return v_lit("SAMSUNG MZQL23T8HCLS-00A07");
	if (!strcmp(prop, "serial"))
		return v_lit(arena_printf(&r->a, "S64HNE0T1%05u", d->id));
	if (!strcmp(prop, "interface"))
		return v_lit("PCIe 3.0 x4");
	if (!strcmp(prop, "raid-member"))
		return v_bool(true);
	return v_nothing();
}

static struct value get_flag(struct run *r, const struct disk *d, const char *prop)
{
	static const char *const off[] = {
		"acquired",	      "empty",	   "formatting",	   "raid-member",
		"raid-member-failed", "encrypted", "guid-partition-table", "partition"
	};

	if (!strcmp(prop, "nvme-tcp-export"))
		return v_bool(d->is_exported);
	if (!strcmp(prop, "mounted"))
		return v_bool(d->is_mounted && !(d->is_pool && r->box->is_pool_away));
	if (!strcmp(prop, "block-device"))
		return v_bool(true);
	for (size_t i = 0; i < sizeof off / sizeof *off; i++)
		if (!strcmp(off[i], prop))
			return v_bool(false);
	return v_nothing();
}

static struct value get_common(struct run *r, const struct disk *d, const char *prop)
{
	if (!strcmp(prop, "slot"))
		return v_lit(arena_dup(&r->a, d->slot, strlen(d->slot)));
	if (!strcmp(prop, "type"))
		return v_lit(d->type);
	if (!strcmp(prop, "size"))
		return v_num((int64_t)d->size);
	if (!strcmp(prop, "slot-default"))
		return v_lit("");
	if (!strcmp(prop, "sector-size"))
		return v_num(512);
	if (!strcmp(prop, "fs"))
		return v_lit("-");
	return v_nothing();
}

static struct value disk_get(struct run *r, void *row, const char *prop, int index)
{
	const struct disk *d = row;
	const char *text = disk_prop(d, index);
	struct value v = v_nothing();

	if (text && strcmp(prop, "nvme-tcp-server-nqn") != 0)
		return stored(prop, arena_dup(&r->a, text, strlen(text)));
	if (!d->path)
		v = figures_disk(r, d, prop);
	if (v.t == V_NOTHING && d->is_pool)
		v = get_pool(r, prop);
	else if (v.t == V_NOTHING && d->path)
		v = get_file(r, d, prop);
	else if (v.t == V_NOTHING && !strcmp(d->type, "hardware"))
		v = get_hardware(r, d, prop);
	if (v.t == V_NOTHING)
		v = get_common(r, d, prop);
	if (v.t == V_NOTHING)
		v = get_flag(r, d, prop);
	for (size_t i = 0; v.t == V_NOTHING && i < sizeof defaults / sizeof *defaults;
	     i++)
		if (!strcmp(defaults[i].prop, prop) &&
		    (d->path || !defaults[i].file_only))
			v = stored(prop, defaults[i].val);
	return v;
}

static const char *disk_id(struct run *r, void *row)
{
	return arena_printf(&r->a, "*%X", ((const struct disk *)row)->id);
}

static void *disk_by_id(struct run *r, const char *id)
{
	char *end;
	unsigned long n = strtoul(id + 1, &end, 16);

	return *end || end == id + 1 ? NULL : box_disk_by_id(r->box, (unsigned)n);
}

static void *disk_by_name(struct run *r, const char *name)
{
	return box_disk_by_slot(r->box, name);
}

static void list_mounted(struct run *r, struct rows *out)
{
	unsigned left = r->box->n_mounted_files + 1;

	for (struct disk *d = r->box->first; d && left; d = d->next)
		if (d->is_mounted) {
			rows_add(r, out, d);
			left--;
		}
}

/* The names that scripts look disks up by have an index; all else walks the list. */
static void disk_list(struct run *r, const struct hints *h, struct rows *out)
{
	struct box *b = r->box;
	struct disk *d;

	for (unsigned i = 0; i < h->n; i++) {
		const char *prop = h->eq[i].prop == PROP_ID
					   ? ".id"
					   : menu_disk.schema->props[h->eq[i].prop];

		if (!strcmp(prop, "slot")) {
			d = box_disk_by_slot(b, h->eq[i].text);
			if (d)
				rows_add(r, out, d);
			return;
		}
		if (!strcmp(prop, "nvme-tcp-server-nqn")) {
			for (d = b->nqns[hash_str(h->eq[i].text) % BOX_HASH]; d;
			     d = d->nqn_next)
				if (!strcmp(d->nqn, h->eq[i].text))
					rows_add(r, out, d);
			return;
		}
		if (!strcmp(prop, "mount-point")) {
			list_mounted(r, out);
			return;
		}
	}
	for (d = b->first; d; d = d->next)
		rows_add(r, out, d);
}

static const struct menu_cmd cmds[] = {
	{ "add", disk_add },
	{ "set", disk_set },
	{ "unset", disk_unset },
	{ "comment", disk_set },
	{ "remove", disk_remove },
	{ "monitor-traffic", figures_monitor },
	{ NULL, NULL },
};

struct menu menu_disk = {
	.path = "/disk",
	.summary = summary,
	.flags = flags,
	.detail_order = detail_order,
	.list = disk_list,
	.get = disk_get,
	.id = disk_id,
	.by_id = disk_by_id,
	.by_name = disk_by_name,
	.cmds = cmds,
};
