#include "check/prove_report.h"

#include <inttypes.h>

unsigned prove_arrived(const struct prove_facts *f)
{
	unsigned n = 0;

	for (unsigned w = 0; w < TRACK_WRITERS; w++)
		for (unsigned i = 0; i < TRACK_SLOTS; i++)
			n += f->early[w][i] != f->late[w][i];
	return n;
}

bool prove_is_accepted_late(const struct prove_facts *f)
{
	return f->accepted_ms > f->renamed_ms;
}

/* A block that was on its way when the fence came may be torn, and its ring has others.
 */
bool prove_is_written(const struct prove_facts *f, const uint64_t begun[TRACK_WRITERS])
{
	for (unsigned w = 0; w < TRACK_WRITERS; w++) {
		uint64_t last = 0;

		for (unsigned i = 0; i < TRACK_SLOTS; i++)
			if (f->early[w][i] > last)
				last = f->early[w][i];
		if (!begun[w] || last < begun[w])
			return false;
	}
	return true;
}

static int64_t after_off(const struct prove_facts *f)
{
	return (int64_t)f->accepted_ms - (int64_t)f->off_ms;
}

static void say_drain(const struct prove_facts *f, struct buf *out)
{
	int64_t ms = after_off(f);

	if (prove_is_accepted_late(f))
		(void)buf_puts(out,
			       "Switching the export off did not end the session.\n");
	else if (ms <= 0)
		(void)buf_printf(out,
				 "The last write was accepted %" PRId64
				 " ms before the export was read back as off: sessions "
				 "end with it.\n",
				 -ms);
	else
		(void)buf_printf(out,
				 "The last write was accepted %" PRId64
				 " ms after the export was read back as off: "
				 "--fence-settle must be longer than that.\n",
				 ms);
}

static void say_verdict(const struct prove_facts *f, struct buf *out)
{
	unsigned n = prove_arrived(f);

	if (!n && !prove_is_accepted_late(f)) {
		(void)buf_printf(out,
				 "PROVEN in this run: once the fence was done, nothing "
				 "that the old session wrote arrived within %" PRIu64
				 " s (%" PRIu64 " of its writes were refused, the others "
				 "hung).\n",
				 f->watched_ms / 1000, f->errors);
		return;
	}
	(void)buf_puts(out, "NOT PROVEN: the fence leaks.");
	if (n)
		(void)buf_printf(out, " %u blocks changed on the volume after the fence.",
				 n);
	if (prove_is_accepted_late(f))
		(void)buf_printf(out,
				 " The old session's writes were still accepted %" PRIu64
				 " ms after the new name.",
				 f->accepted_ms - f->renamed_ms);
	(void)buf_puts(out, " Do not rely on fencing with this box: a lost node must be "
			    "switched off before its volumes go to another.\n");
}

int prove_report(const struct prove_facts *f, struct buf *out)
{
	bool leaks = prove_arrived(f) || prove_is_accepted_late(f);

	(void)buf_printf(out, "RouterOS %s, kernel %s of this host, rds-csi %s\n",
			 f->routeros, f->kernel, f->driver);
	say_drain(f, out);
	say_verdict(f, out);
	(void)buf_printf(
		out,
		"{\"prove_fence\":1,\"proven\":%s,\"routeros\":\"%s\",\"kernel\":\"%s\","
		"\"driver\":\"%s\",\"settle_ms\":%" PRIu64 ",\"accepted\":%" PRIu64
		",\"last_accepted_after_off_ms\":%" PRId64 ",\"fence_ms\":%" PRIu64
		",\"arrived_after\":%u,\"accepted_after\":%s,\"watched_ms\":%" PRIu64
		"}\n",
		leaks ? "false" : "true", f->routeros, f->kernel, f->driver, f->settle_ms,
		f->accepted, after_off(f), f->renamed_ms - f->off_ms, prove_arrived(f),
		prove_is_accepted_late(f) ? "true" : "false", f->watched_ms);
	return buf_failed(out) ? -1 : 0;
}
