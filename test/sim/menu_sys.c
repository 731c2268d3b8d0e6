/* The menus that a client reads to learn what box this is. They do not change, except
 * /system/identity and /ip/ssh, whose set is taken and forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/menu.h"

/* Types: s text, n number, b bool. "@…" values are computed. */
struct cell {
	unsigned row;
	const char *prop, *val;
	char type;
};

static const struct cell resource[] = {
	{ 0, "architecture-name", "arm64", 's' },
	{ 0, "bad-blocks", "0", 'n' },
	{ 0, "board-name", "RDS2216-2XG-4S+4XS-2XQ", 's' },
	{ 0, "build-time", "2026-09-14 10:22:31", 's' },
	{ 0, "cpu", "ARM64", 's' },
	{ 0, "cpu-count", "16", 'n' },
	{ 0, "cpu-frequency", "2000", 'n' },
	{ 0, "cpu-load", "3", 'n' },
	{ 0, "factory-software", "7.19.1", 's' },
	{ 0, "free-hdd-space", "79691776", 'n' },
	{ 0, "free-memory", "32212254720", 'n' },
	{ 0, "platform", "MikroTik", 's' },
	{ 0, "total-hdd-space", "134217728", 'n' },
	{ 0, "total-memory", "34359738368", 'n' },
	{ 0, "uptime", "@uptime", 's' },
	{ 0, "version", "@version-long", 's' },
	{ 0, "write-sect-since-reboot", "1204", 'n' },
	{ 0, "write-sect-total", "91822", 'n' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell package[] = {
	{ 0, "name", "rose-storage", 's' },
	{ 0, "version", "@version", 's' },
	{ 0, "build-time", "2026-09-14 10:22:31", 's' },
	{ 0, "size", "2764800", 'n' },
	{ 0, "disabled", "@package-off", 'b' },
	{ 0, "available", "no", 'b' },
	{ 1, "name", "routeros", 's' },
	{ 1, "version", "@version", 's' },
	{ 1, "build-time", "2026-09-14 10:22:31", 's' },
	{ 1, "size", "13316096", 'n' },
	{ 1, "disabled", "no", 'b' },
	{ 1, "available", "no", 'b' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell update[] = {
	{ 0, "channel", "stable", 's' },
	{ 0, "installed-version", "@version", 's' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell identity[] = { { 0, "name", "rds-sim", 's' },
					{ 0, NULL, NULL, 0 } };

static const struct cell clock_cells[] = {
	{ 0, "date", "@date", 's' },
	{ 0, "time", "@time", 's' },
	{ 0, "time-zone-autodetect", "yes", 'b' },
	{ 0, "time-zone-name", "UTC", 's' },
	{ 0, "gmt-offset", "+00:00", 's' },
	{ 0, "dst-active", "no", 'b' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell device_mode[] = {
	{ 0, "mode", "rose", 's' },
	{ 0, "attempt-count", "0", 'n' },
	{ 0, "scheduler", "yes", 'b' },
	{ 0, "flagged", "no", 'b' },
	{ 0, "flagging-enabled", "yes", 'b' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell ip_ssh[] = {
	{ 0, "ciphers", "auto", 's' },
	{ 0, "forwarding-enabled", "no", 'b' },
	{ 0, "host-key-size", "2048", 'n' },
	{ 0, "host-key-type", "ed25519", 's' },
	{ 0, "password-authentication", "yes-if-no-key", 's' },
	{ 0, "publickey-authentication-options", "none", 's' },
	{ 0, "strong-crypto", "yes", 'b' },
	{ 0, NULL, NULL, 0 },
};

/* A live connection is a row as well, and a dynamic one. */
static const struct cell ip_service[] = {
	{ 0, "name", "ssh", 's' },	  { 0, "port", "22", 'n' },
	{ 0, "proto", "tcp", 's' },	  { 0, "disabled", "no", 'b' },
	{ 0, "dynamic", "no", 'b' },	  { 0, "invalid", "no", 'b' },
	{ 0, "max-sessions", "20", 'n' }, { 0, "vrf", "main", 's' },
	{ 1, "name", "ssh", 's' },	  { 1, "port", "22", 'n' },
	{ 1, "proto", "tcp", 's' },	  { 1, "dynamic", "yes", 'b' },
	{ 1, "connection", "yes", 'b' },  { 1, "disabled", "no", 'b' },
	{ 2, "name", "www-ssl", 's' },	  { 2, "port", "443", 'n' },
	{ 2, "proto", "tcp", 's' },	  { 2, "disabled", "yes", 'b' },
	{ 2, "dynamic", "no", 'b' },	  { 0, NULL, NULL, 0 },
};

static const struct cell ip_address[] = {
	{ 0, "address", "10.42.241.3/24", 's' },
	{ 0, "network", "10.42.241.0", 's' },
	{ 0, "interface", "bridge", 's' },
	{ 0, "disabled", "no", 'b' },
	{ 0, "dynamic", "no", 'b' },
	{ 1, "address", "10.42.68.1/24", 's' },
	{ 1, "network", "10.42.68.0", 's' },
	{ 1, "interface", "storage", 's' },
	{ 1, "disabled", "no", 'b' },
	{ 1, "dynamic", "no", 'b' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell interface_cells[] = {
	{ 0, "name", "bridge", 's' }, { 0, "type", "bridge", 's' },
	{ 0, "mtu", "1500", 'n' },    { 0, "running", "yes", 'b' },
	{ 0, "disabled", "no", 'b' }, { 1, "name", "storage", 's' },
	{ 1, "type", "vlan", 's' },   { 1, "mtu", "9000", 'n' },
	{ 1, "running", "yes", 'b' }, { 1, "disabled", "no", 'b' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell user_active[] = {
	{ 0, "name", "csi", 's' },
	{ 0, "via", "ssh", 's' },
	{ 0, "group", "csi", 's' },
	{ 0, NULL, NULL, 0 },
};

static const struct cell disk_settings[] = {
	{ 0, "auto-media-interface", "none", 's' },
	{ 0, "auto-media-sharing", "no", 'b' },
	{ 0, "auto-smb-sharing", "no", 'b' },
	{ 0, "auto-smb-user", "guest", 's' },
	{ 0, "default-mount-point-template", "[slot]", 's' },
	{ 0, NULL, NULL, 0 },
};

static const struct {
	const char *path;
	const struct cell *cells;
} tables[] = {
	{ "/system/resource", resource },
	{ "/system/package", package },
	{ "/system/package/update", update },
	{ "/system/identity", identity },
	{ "/system/clock", clock_cells },
	{ "/system/device-mode", device_mode },
	{ "/ip/ssh", ip_ssh },
	{ "/ip/service", ip_service },
	{ "/ip/address", ip_address },
	{ "/interface", interface_cells },
	{ "/user/active", user_active },
	{ "/disk/settings", disk_settings },
};

static const struct cell *cells_of(const char *path)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (strcmp(tables[i].path, path) == 0)
			return tables[i].cells;
	return NULL;
}

static const char *computed(struct run *r, const char *what)
{
	const struct box *b = r->box;
	time_t now = time(NULL);
	struct sb text = { 0 };
	const char *s;
	char when[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	if (!strcmp(what, "@package-off"))
		return strcmp(b->opt.package, "disabled") ? "no" : "yes";
	if (!strcmp(what, "@version"))
		return b->opt.version_text;
	if (!strcmp(what, "@version-long"))
		return arena_printf(&r->a, "%s (stable)", b->opt.version_text);
	if (!strcmp(what, "@uptime"))
		format_time(&text, (int64_t)(now_ms() - b->started_ms));
	else if (strftime(when, sizeof when,
			  !strcmp(what, "@date") ? "%Y-%m-%d" : "%H:%M:%S", &tm))
		sb_adds(&text, when);
	s = arena_dup(&r->a, text.p, text.len);
	sb_fini(&text);
	return s;
}

/* A row is its index plus one, as a pointer; a singleton's is NULL. */
static struct value get_from(struct run *r, const struct cell *c, void *row,
			     const char *prop)
{
	unsigned index = row ? (unsigned)((uintptr_t)row - 1) : 0;

	for (; c->prop; c++) {
		const char *val = c->val;

		if (c->row != index || strcmp(c->prop, prop) != 0)
			continue;
		if (val[0] == '@')
			val = computed(r, val);
		if (c->type == 'n')
			return v_num(atoll(val));
		return c->type == 'b' ? v_bool(!strcmp(val, "yes")) : v_lit(val);
	}
	return v_nothing();
}

static const struct menu *current(const struct run *r)
{
	const char *path = r->cur && r->cur->menu ? r->cur->menu->path : "";

	return cells_of(path) || !r->where_menu ? menu_find(path) : r->where_menu;
}

static struct value sys_get(struct run *r, void *row, const char *prop, int index)
{
	(void)index;
	return get_from(r, cells_of(current(r)->path), row, prop);
}

static void sys_list(struct run *r, const struct hints *h, struct rows *out)
{
	const struct cell *c = cells_of(current(r)->path);
	bool lacks_first = c == package && !strcmp(r->box->opt.package, "missing");
	unsigned n = 0;

	(void)h;
	for (; c->prop; c++)
		if (c->row >= n)
			n = c->row + 1;
	for (uintptr_t i = lacks_first ? 2 : 1; i <= n; i++)
		rows_add(r, out, (void *)i);
}

static const char *sys_id(struct run *r, void *row)
{
	return arena_printf(&r->a, "*%X", (unsigned)(uintptr_t)row);
}

static void *sys_by_id(struct run *r, const char *id)
{
	struct rows rows = { 0 };
	unsigned long n = strtoul(id + 1, NULL, 16);

	sys_list(r, NULL, &rows);
	return n >= 1 && n <= rows.n ? rows.row[n - 1] : NULL;
}

static void *sys_by_name(struct run *r, const char *name)
{
	struct rows rows = { 0 };
	const struct cell *c = cells_of(current(r)->path);

	sys_list(r, NULL, &rows);
	for (unsigned i = 0; i < rows.n; i++) {
		struct value v = get_from(r, c, rows.row[i], "name");

		if (v.t == V_STR && !strcmp(v.s, name))
			return rows.row[i];
	}
	return NULL;
}

static int sys_set(struct run *r, struct call *c)
{
	box_history(r->box, r, "sys-set",
		    (const char *const[]){ "path", c->m->path, NULL });
	return 0;
}

static const struct menu_cmd set_only[] = { { "set", sys_set }, { NULL, NULL } };
static const char *const by_name_summary[] = { "name", NULL };
static const char *const package_summary[] = { "name", "version", "build-time", "size",
					       NULL };
static const char *const service_summary[] = { "name", "port",	       "proto",
					       "vrf",  "max-sessions", NULL };
static const char *const address_summary[] = { "address", "network", "interface", NULL };

#define SINGLE(p)                                                                 \
	{                                                                         \
		.path = p, .is_singleton = true, .list = sys_list, .get = sys_get \
	}
#define SINGLE_SET(p)                                                              \
	{                                                                          \
		.path = p, .is_singleton = true, .list = sys_list, .get = sys_get, \
		.cmds = set_only                                                   \
	}
#define LIST(p, sum)                                                       \
	{                                                                  \
		.path = p, .list = sys_list, .get = sys_get, .id = sys_id, \
		.by_id = sys_by_id, .by_name = sys_by_name, .summary = sum \
	}

struct menu menus_sys[] = {
	SINGLE("/system/resource"),
	LIST("/system/package", package_summary),
	SINGLE("/system/package/update"),
	SINGLE_SET("/system/identity"),
	SINGLE("/system/clock"),
	SINGLE("/system/device-mode"),
	SINGLE_SET("/ip/ssh"),
	LIST("/ip/service", service_summary),
	LIST("/ip/address", address_summary),
	LIST("/interface", by_name_summary),
	LIST("/user/active", by_name_summary),
	SINGLE("/disk/settings"),
};
const unsigned n_menus_sys = sizeof menus_sys / sizeof *menus_sys;
