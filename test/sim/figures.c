#include "sim/figures.h"

#include <stdio.h>
#include <string.h>

/* Names and units of the sensors are those of other MikroTik boards with two fans and two
 * power supplies; nobody has shown a list of an RDS2216. */
static const struct {
	const char *name, *value, *type;
} sensors[] = {
	{ "cpu-temperature", "52", "C" },  { "board-temperature1", "41", "C" },
	{ "fan1-speed", "5400", "RPM" },   { "fan2-speed", "5460", "RPM" },
	{ "psu1-power", "61", "W" },	   { "psu2-power", "58", "W" },
	{ "psu1-temperature", "39", "C" }, { "psu2-temperature", "40", "C" },
	{ "psu1-state", "ok", "" },	   { "psu2-state", "ok", "" },
	{ "fan-state", "ok", "" },
};

/* kind: n number, r rate in bits per second, t milliseconds. */
static const struct {
	const char *prop, *value, *screen;
	char kind;
} traffic[] = {
	{ "read-ops-per-second", "0", "0", 'n' },
	{ "write-ops-per-second", "76", "76", 'n' },
	{ "read-rate", "0", "0bps", 'r' },
	{ "write-rate", "12800000", "12.8Mbps", 'r' },
	{ "read-time", "0", "0ms", 't' },
	{ "write-time", "12", "12ms", 't' },
	{ "in-flight-ops", "0", "0", 'n' },
	{ "active-time", "8", "8ms", 't' },
	{ "wait-time", "12", "12ms", 't' },
};

static const struct {
	const char *prop, *value;
} drive[] = {
	{ "temperature", "38" },
	{ "percentage-used", "3" },
	{ "available-spare", "100" },
	{ "io-errors", "0" },
	{ "unrecovered-integrity-errors", "0" },
};

int figures_set(struct box *b, const char *name, const char *value)
{
	struct figure *f = b->figures;
	unsigned i = 0;

	while (i < b->n_figures && strcmp(f[i].name, name) != 0)
		i++;
	if (i == BOX_FIGURES || strlen(name) >= sizeof f->name ||
	    strlen(value) >= sizeof f->value)
		return -1;
	snprintf(f[i].name, sizeof f->name, "%s", name);
	snprintf(f[i].value, sizeof f->value, "%s", value);
	b->n_figures += i == b->n_figures;
	return 0;
}

/* NULL: no test has set it. */
static const char *figure(struct run *r, const char *name)
{
	const struct box *b = r->box;

	for (unsigned i = 0; i < b->n_figures; i++)
		if (!strcmp(b->figures[i].name, name) && strcmp(b->figures[i].value, "-"))
			return arena_dup(&r->a, b->figures[i].value,
					 strlen(b->figures[i].value));
	return NULL;
}

static struct value text_or_number(const char *s)
{
	uint64_t n;

	if (!*s)
		return v_nothing();
	return parse_u64(s, &n) == 0 ? v_num((int64_t)n) : v_lit(s);
}

struct value figures_disk(struct run *r, const struct disk *d, const char *prop)
{
	const char *set = figure(r, arena_printf(&r->a, "%s.%s", d->slot, prop));

	if (set && (!strcmp(set, "yes") || !strcmp(set, "no")))
		return v_bool(!strcmp(set, "yes"));
	if (set)
		return text_or_number(set);
	if (strcmp(d->type, "hardware") != 0)
		return v_nothing();
	if (!strcmp(prop, "critical-warning"))
		return v_array(array_new(&r->a, 1));
	for (size_t i = 0; i < sizeof drive / sizeof *drive; i++)
		if (!strcmp(drive[i].prop, prop))
			return text_or_number(drive[i].value);
	return v_nothing();
}

/* ---- /system/health ---- */
static const char *sensor_value(struct run *r, size_t i)
{
	const char *set = figure(r, sensors[i].name);

	return set ? set : sensors[i].value;
}

/* On arm64 a list of items whose values are texts; on x86 it would be a plain list. */
static int health_print(struct run *r, struct call *c)
{
	struct array *list = array_new(&r->a, 16);
	const char *line, *value;

	for (size_t i = 0; i < sizeof sensors / sizeof *sensors; i++) {
		struct array *item = array_new(&r->a, 4);

		value = sensor_value(r, i);
		if (!*value)
			continue;
		if (!call_has(c, "as-value")) {
			line = arena_printf(&r->a, "%2zu %-20s %8s %s", i,
					    sensors[i].name, value, sensors[i].type);
			run_put(r, line, strlen(line));
			continue;
		}
		array_push(&r->a, item, ".id",
			   v_id(&r->a, arena_printf(&r->a, "*%zX", i + 1)));
		array_push(&r->a, item, "name", v_lit(sensors[i].name));
		array_push(&r->a, item, "type", v_lit(sensors[i].type));
		array_push(&r->a, item, "value", v_lit(value));
		array_push(&r->a, list, NULL, v_array(item));
	}
	c->ret = call_has(c, "as-value") ? v_array(list) : v_nothing();
	return 0;
}

static const struct menu_cmd health_cmds[] = { { "print", health_print },
					       { NULL, NULL } };

struct menu menu_health = {
	.path = "/system/health",
	.cmds = health_cmds,
};

/* ---- /disk monitor-traffic ---- */
static struct value traffic_value(struct run *r, size_t i)
{
	const char *set = figure(r, traffic[i].prop);
	struct value v = text_or_number(set ? set : traffic[i].value);

	if (traffic[i].kind == 't' && v.t == V_NUM)
		v.t = V_TIME;
	return v;
}

static bool is_wanted(const char *proplist, const char *prop)
{
	size_t n = strlen(prop);

	for (const char *p = proplist; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, prop, n) && (!p[n] || p[n] == ','))
			return true;
	}
	return !proplist;
}

static int check_proplist(struct run *r, const struct menu *m, const char *names)
{
	for (size_t n; names && *names; names += n + (names[n] == ',')) {
		n = strcspn(names, ",");
		if (schema_prop(m->schema, names, n, r->box->opt.version) < 0)
			return run_error(r, "proplist",
					 "input does not match any value of value-name");
	}
	return 0;
}

/* As other monitor commands give it: for one item its keyed values, no list around. */
static struct value as_value(struct run *r, const char *slot, const char *names)
{
	struct array *row = array_new(&r->a, 10);

	for (size_t i = 0; i < sizeof traffic / sizeof *traffic; i++) {
		struct value v = traffic_value(r, i);

		if (v.t != V_NOTHING && is_wanted(names, traffic[i].prop))
			array_push(&r->a, row, traffic[i].prop, v);
	}
	if (is_wanted(names, "slot"))
		array_push(&r->a, row, "slot", v_lit(slot));
	array_sort(row);
	return v_array(row);
}

static void screen(struct run *r, const char *slot)
{
	const char *line = arena_printf(&r->a, "%22s: %s", "slot", slot), *set;

	run_put(r, line, strlen(line));
	for (size_t i = 0; i < sizeof traffic / sizeof *traffic; i++) {
		set = figure(r, traffic[i].prop);
		line = arena_printf(&r->a, "%22s: %s", traffic[i].prop,
				    set ? set : traffic[i].screen);
		run_put(r, line, strlen(line));
	}
	run_put(r, "", 0);
}

int figures_monitor(struct run *r, struct call *c)
{
	const char *name = call_text(r, c, "numbers");
	const char *names = call_text(r, c, "proplist");
	struct rows rows = { 0 };

	/* The pool answers to the name of its mount point as well: the other driver asks
	 * for "storage-pool" whatever the pool's slot is. */
	if (name && !strcmp(name, r->box->opt.mount_point) && !c->m->by_name(r, name))
		rows_add(r, &rows, r->box->first);
	else if (menu_targets(r, c, &rows) < 0)
		return -1;
	if (check_proplist(r, c->m, names) < 0)
		return -1;
	/* Without once it is a view that goes on until somebody ends it. */
	if (!call_has(c, "once"))
		return run_sleep(r, UINT64_C(1) << 40);
	if (call_has(c, "as-value") && rows.n == 1)
		c->ret = as_value(r, ((const struct disk *)rows.row[0])->slot, names);
	for (unsigned i = 0; i < rows.n && !call_has(c, "as-value"); i++) {
		const struct disk *d = rows.row[i];

		screen(r, name && !i ? name : d->slot);
	}
	return 0;
}
