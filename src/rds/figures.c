#include "rds/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rds/ros_text.h"
#include "rds/row.h"

#define FIGURE_LIMIT 1e18

static const double unknown = (double)NAN;

/* ---- numbers ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits, one point, digits: not the hexadecimal, "inf" and exponents of strtod. Returns
 * what follows, or NULL. */
static const char *take_decimal(const char *s, double *ret)
{
	const char *end = s;

	while (is_digit(*end))
		end++;
	if (end == s)
		return NULL;
	if (*end == '.' && is_digit(end[1]))
		for (end++; is_digit(*end); end++)
			;
	*ret = strtod(s, NULL);
	return end;
}

/* [Nw][Nd]hh:mm:ss[.frac] as :serialize writes a time (manual, Scripting). */
static double clock_ms(const char *s)
{
	double total = 0, n, parts[3];

	for (const char *p; (p = take_decimal(s, &n)) && (*p == 'w' || *p == 'd');
	     s = p + 1)
		total += n * (*p == 'w' ? 7 : 1) * 86400;
	for (int i = 0; i < 3; i++) {
		s = take_decimal(s, &parts[i]);
		if (!s || *s != (i < 2 ? ':' : '\0'))
			return unknown;
		s += i < 2;
	}
	return (total + parts[0] * 3600 + parts[1] * 60 + parts[2]) * 1000;
}

static const struct {
	enum figures_unit unit;
	const char *suffix;
	double factor;
} units[] = {
	{ FIGURES_PLAIN, "", 1 },	 { FIGURES_SIGNED, "", 1 },
	{ FIGURES_RATE, "", 0.125 },	 { FIGURES_RATE, "bps", 0.125 },
	{ FIGURES_RATE, "kbps", 125 },	 { FIGURES_RATE, "Mbps", 125e3 },
	{ FIGURES_RATE, "Gbps", 125e6 }, { FIGURES_RATE, "Tbps", 125e9 },
	{ FIGURES_TIME, "", 1 },	 { FIGURES_TIME, "us", 0.001 },
	{ FIGURES_TIME, "ms", 1 },	 { FIGURES_TIME, "s", 1000 },
	{ FIGURES_TEMPERATURE, "", 1 },	 { FIGURES_TEMPERATURE, "C", 1 },
	{ FIGURES_PERCENT, "", 1 },	 { FIGURES_PERCENT, "%", 1 },
};

double figures_number(const char *text, enum figures_unit unit)
{
	bool may_be_negative = unit == FIGURES_SIGNED || unit == FIGURES_TEMPERATURE;
	double n, sign = 1;
	const char *rest;

	if (unit == FIGURES_TIME && strchr(text, ':')) {
		n = clock_ms(text);
		return n <= FIGURE_LIMIT ? n : unknown;
	}
	if (*text == '-' && may_be_negative) {
		sign = -1;
		text++;
	}
	rest = take_decimal(text, &n);
	if (!rest)
		return unknown;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == unit && strcmp(units[i].suffix, rest) == 0)
			return n <= FIGURE_LIMIT ? sign * n * units[i].factor : unknown;
	return unknown;
}

/* ---- rows ---- */

static const struct row_field *find(const struct row *row, const char *key)
{
	for (unsigned i = 0; i < row->n; i++)
		if (row->fields[i].key_len == strlen(key) &&
		    memcmp(row->fields[i].key, key, strlen(key)) == 0)
			return &row->fields[i];
	return NULL;
}

/* A text or a number as text; "" when it is neither or too long. */
static void text_of(const struct row *row, const char *key, char *out, size_t size)
{
	const struct row_field *f = find(row, key);

	out[0] = '\0';
	if (f && f->type == ROW_TEXT && row_text(row, key, out, size))
		out[0] = '\0';
	if (f && f->type == ROW_NUMBER && f->value_len < size) {
		memcpy(out, f->value, f->value_len);
		out[f->value_len] = '\0';
	}
}

static double number_of(const struct row *row, const char *key, enum figures_unit unit)
{
	char text[32];

	text_of(row, key, text, sizeof(text));
	return figures_number(text, unit);
}

/* A flag as 0 or 1, or NAN when it is not there or no flag. */
static double flag_of(const struct row *row, const char *key)
{
	bool is_on;

	if (!row_has(row, key) || row_flag(row, key, &is_on))
		return unknown;
	return is_on;
}

/* A list of words: 1 when there is one. RouterOS gives several values as an array. */
static double any_of(const struct row *row, const char *key)
{
	const struct row_field *f = find(row, key);

	if (!f || (f->type != ROW_TEXT && f->type != ROW_OTHER))
		return unknown;
	if (f->type == ROW_TEXT)
		return f->value_len > 0;
	for (size_t i = 1; i + 1 < f->value_len; i++)
		if (f->value[i] != ' ')
			return 1;
	return 0;
}

/* What becomes a label is a word of plain characters. */
static bool is_word(const char *s)
{
	return *s && ros_is(ROS_SLOT, s);
}

/* Of a Btrfs over several disks each shows the mount point; the first one is taken, as
 * everywhere. */
static void note_pool(struct figures *f, const struct row *row)
{
	double size = number_of(row, "size", FIGURES_PLAIN);
	double left = number_of(row, "free", FIGURES_PLAIN);
	char slot[sizeof(f->pool_slot)];

	text_of(row, "slot", slot, sizeof(slot));
	if (f->pool_slot[0] || !is_word(slot))
		return;
	memcpy(f->pool_slot, slot, sizeof(slot));
	if (!(size > 0) || !(left <= size))
		return;
	f->pool_size = size;
	f->pool_used = size - left;
}

static void note_disk(struct figures *f, const struct row *row)
{
	struct figures_disk *d = &f->disks[f->n_disks];
	bool is_member = false;

	if (f->n_disks == FIGURES_DISKS)
		return;
	text_of(row, "slot", d->slot, sizeof(d->slot));
	text_of(row, "state", d->state, sizeof(d->state));
	if (!is_word(d->slot))
		return;
	if (!is_word(d->state))
		d->state[0] = '\0';
	d->v[FIGURES_CELSIUS] = number_of(row, "temperature", FIGURES_TEMPERATURE);
	d->v[FIGURES_USED_PERCENT] = number_of(row, "percentage-used", FIGURES_PERCENT);
	d->v[FIGURES_SPARE_PERCENT] = number_of(row, "available-spare", FIGURES_PERCENT);
	d->v[FIGURES_IO_ERRORS] = number_of(row, "io-errors", FIGURES_PLAIN);
	d->v[FIGURES_INTEGRITY_ERRORS] =
		number_of(row, "unrecovered-integrity-errors", FIGURES_PLAIN);
	d->v[FIGURES_WARNING] = any_of(row, "critical-warning");
	if (row_flag(row, "raid-member", &is_member) == 0 && is_member)
		d->v[FIGURES_FAILED] = flag_of(row, "raid-member-failed");
	f->n_disks++;
}

static void note_sensor(struct figures *f, const struct row *row)
{
	struct figures_sensor *s = &f->sensors[f->n_sensors];
	char value[sizeof(s->state)];

	if (f->n_sensors == FIGURES_SENSORS)
		return;
	text_of(row, "name", s->name, sizeof(s->name));
	text_of(row, "type", s->unit, sizeof(s->unit));
	text_of(row, "value", value, sizeof(value));
	if (!is_word(s->name))
		return;
	if (!is_word(s->unit))
		s->unit[0] = '\0';
	s->value = figures_number(value, FIGURES_SIGNED);
	s->state[0] = '\0';
	if (isnan(s->value) && is_word(value))
		memcpy(s->state, value, sizeof(value));
	f->n_sensors += !isnan(s->value) || s->state[0];
}

static void note_traffic(struct figures *f, const struct row *row)
{
	static const struct {
		const char *key;
		enum figures_unit unit;
	} props[FIGURES_TRAFFIC_N] = {
		[FIGURES_READ_OPS] = { "read-ops-per-second", FIGURES_PLAIN },
		[FIGURES_WRITE_OPS] = { "write-ops-per-second", FIGURES_PLAIN },
		[FIGURES_READ_BYTES] = { "read-rate", FIGURES_RATE },
		[FIGURES_WRITE_BYTES] = { "write-rate", FIGURES_RATE },
		[FIGURES_READ_MS] = { "read-time", FIGURES_TIME },
		[FIGURES_WRITE_MS] = { "write-time", FIGURES_TIME },
		[FIGURES_WAIT_MS] = { "wait-time", FIGURES_TIME },
		[FIGURES_IN_FLIGHT] = { "in-flight-ops", FIGURES_PLAIN },
		[FIGURES_ACTIVE_MS] = { "active-time", FIGURES_TIME },
	};

	for (unsigned i = 0; i < FIGURES_TRAFFIC_N; i++)
		f->traffic[i] = number_of(row, props[i].key, props[i].unit);
}

void figures_init(struct figures *f)
{
	*f = (struct figures){ .pool_size = unknown, .pool_used = unknown };
	for (unsigned i = 0; i < FIGURES_TRAFFIC_N; i++)
		f->traffic[i] = unknown;
	for (unsigned i = 0; i < FIGURES_DISKS; i++)
		for (unsigned k = 0; k < FIGURES_DRIVE_N; k++)
			f->disks[i].v[k] = unknown;
}

void figures_note(struct figures *f, const struct ros_event *ev)
{
	struct err err;
	struct row row;

	if (ev->word != ROS_SAID_ROW || row_parse(&row, ev->text, ev->len, &err))
		return;
	if (ev->tag == 'c')
		note_pool(f, &row);
	else if (ev->tag == 'e')
		note_disk(f, &row);
	else if (ev->tag == 'f')
		note_sensor(f, &row);
	else if (ev->tag == 'g')
		note_traffic(f, &row);
}

double figures_sensor(const struct figures *f, const char *name)
{
	for (unsigned i = 0; i < f->n_sensors; i++)
		if (strcmp(f->sensors[i].name, name) == 0)
			return f->sensors[i].value;
	return unknown;
}
