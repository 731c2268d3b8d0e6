#include "sim/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	size_t at;
	const char *help;
} table[] = {
	{ "latency-ms", offsetof(struct fault, latency_ms),
	  "delay before each command runs" },
	{ "jitter-ms", offsetof(struct fault, jitter_ms), "random addition to it, 0..N" },
	{ "reply-ms", offsetof(struct fault, reply_ms),
	  "delay between the end of a script and its answer (output is held back)" },
	{ "statement-ms", offsetof(struct fault, statement_ms),
	  "random delay 0..N before each statement, so that scripts truly overlap" },
	{ "refuse", offsetof(struct fault, refuse), "1: close new connections at once" },
	{ "hang", offsetof(struct fault, hang),
	  "the next N execs are neither run nor answered (their connections stay)" },
	{ "hang-after", offsetof(struct fault, hang_after),
	  "the next N execs are run and not answered" },
	{ "garbage", offsetof(struct fault, garbage),
	  "the next N execs are run and answered with random bytes" },
	{ "cut-after-in", offsetof(struct fault, cut_in),
	  "cut the TCP connection after N bytes from the client" },
	{ "cut-after-out", offsetof(struct fault, cut_out),
	  "cut it after N bytes to the client" },
	{ "from", offsetof(struct fault, cut_from),
	  "count from: exec (the next exec request's arrival, default), connect (the "
	  "next "
	  "connection's first byte), now (on the connections there are)" },
	{ "times", offsetof(struct fault, cut_times),
	  "cut so many connections, default 1" },
	{ "run-on", offsetof(struct fault, run_on_s),
	  "a script whose client was cut lives on for N seconds; 0 or off: it dies at "
	  "its next "
	  "statement; on: an hour" },
	{ "no-space", offsetof(struct fault, no_space), "1: the pool has no free byte" },
	{ "pool-away", offsetof(struct fault, pool_away),
	  "1: the pool is not mounted; its files and subvolumes are not seen" },
	{ "action-timeout", offsetof(struct fault, action_timeout),
	  "the next N changes are made, and answered with 'action timed out … (13)'" },
	{ "host-key", offsetof(struct fault, other_host_key),
	  "1: new connections are shown another host key" },
	{ "slow-drip", offsetof(struct fault, drip_ms),
	  "one byte to the client every N ms; 0: off" },
	{ "die-at-statement", offsetof(struct fault, die_at),
	  "_exit hard after statement N of the next script that changes things (0: "
	  "before its "
	  "first)" },
	{ "die-after-mutation", offsetof(struct fault, die_after_mutation),
	  "_exit hard at the first statement boundary after the Nth effect" },
	{ "pause-at-statement", offsetof(struct fault, pause_at),
	  "the next script that changes things stops after statement N until the fault "
	  "is "
	  "cleared" },
	{ "script-error-at-statement", offsetof(struct fault, error_at),
	  "the next script that changes things gets a runtime error after statement N" },
	{ "export-lag", offsetof(struct fault, export_lag),
	  "a reboot's exports come back so many ms after the port, which refuses them "
	  "until then" },
	{ "interleave", offsetof(struct fault, interleave),
	  "on: concurrent scripts take turns at statement boundaries" },
};

enum {
	N_FAULTS = sizeof table / sizeof *table,
};

static int64_t *field(struct fault *f, size_t i)
{
	return (int64_t *)(void *)((char *)f + table[i].at);
}

void fault_init(struct fault *f)
{
	*f = (struct fault){ .cut_in = FAULT_OFF,
			     .cut_out = FAULT_OFF,
			     .cut_times = 1,
			     .die_at = FAULT_OFF,
			     .die_after_mutation = FAULT_OFF,
			     .pause_at = FAULT_OFF,
			     .error_at = FAULT_OFF,
			     .interleave = 1 };
}

void fault_clear(struct fault *f, const struct fault *base)
{
	*f = *base;
}

static int word_value(const char *name, const char *value, int64_t *ret)
{
	static const char *const from[] = { "exec", "connect", "now" };

	for (int i = 0; !strcmp(name, "from") && i < 3; i++)
		if (!strcmp(value, from[i])) {
			*ret = i;
			return 0;
		}
	if (!strcmp(value, "on"))
		*ret = strcmp(name, "run-on") ? 1 : 3600;
	else if (!strcmp(value, "off"))
		*ret = 0;
	else
		return -1;
	return 0;
}

int fault_set(struct fault *f, const char *name, const char *value, char *ret,
	      size_t size)
{
	uint64_t n;

	if (!strcmp(name, "match")) {
		snprintf(f->match, sizeof f->match, "%s", value);
		return 0;
	}
	for (size_t i = 0; i < N_FAULTS; i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		if (word_value(name, value, field(f, i)) == 0)
			return 0;
		if (parse_u64(value, &n) < 0 || n > INT64_MAX / 2) {
			snprintf(ret, size, "%s: not a number: %s", name, value);
			return -1;
		}
		*field(f, i) = (int64_t)n;
		return 0;
	}
	snprintf(ret, size, "unknown fault %s", name);
	return -1;
}

void fault_help(struct sb *out)
{
	for (size_t i = 0; i < N_FAULTS; i++)
		sb_printf(out, "  %-26s %s\n", table[i].name, table[i].help);
	sb_printf(
		out, "  %-26s %s\n", "match",
		"only execs whose line has this text (hang, garbage, cut from exec, die, "
		"pause, error)");
}

void fault_show(const struct fault *f, struct sb *out)
{
	sb_addc(out, '{');
	for (size_t i = 0; i < N_FAULTS; i++) {
		int64_t n;

		memcpy(&n, (const char *)f + table[i].at, sizeof n);
		sb_printf(out, "%s\"%s\":%lld", i ? "," : "", table[i].name,
			  (long long)n);
	}
	sb_adds(out, "}\n");
}

bool fault_matches(const struct fault *f, const char *line)
{
	return !f->match[0] || strstr(line, f->match);
}

bool fault_take(struct fault *f, int64_t *count, const char *line)
{
	if (*count <= 0 || !fault_matches(f, line))
		return false;
	--*count;
	return true;
}
