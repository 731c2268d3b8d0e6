#include "check/prove_report.h"

#include <string.h>

#include "nvme/track.h"
#include "support/t.h"

static struct prove_facts facts;

static const char *report(void)
{
	static char text[4096];
	struct buf b;

	buf_init(&b, sizeof(text));
	cr_assert_eq(prove_report(&facts, &b), 0);
	snprintf(text, sizeof(text), "%s", b.data);
	buf_fini(&b);
	return text;
}

static void has(const char *text)
{
	cr_assert_not_null(strstr(report(), text), "%s: %s", text, report());
}

static void fill(void)
{
	facts = (struct prove_facts){
		.routeros = "7.24",
		.kernel = "6.1.0",
		.driver = "1.0",
		.settle_ms = 2000,
		.watched_ms = 12000,
		.off_ms = 10000,
		.renamed_ms = 12000,
		.accepted = 500,
		.accepted_ms = 9990,
	};
	for (unsigned w = 0; w < TRACK_WRITERS; w++)
		for (unsigned i = 0; i < TRACK_SLOTS; i++)
			facts.early[w][i] = facts.late[w][i] = i + 1;
}

Test(check_prove, nothing_arrived_is_proven)
{
	fill();
	has("PROVEN in this run");
	has("accepted 10 ms before");
	has("\"proven\":true,\"routeros\":\"7.24\"");
	has("\"last_accepted_after_off_ms\":-10,");
	cr_assert_null(strstr(report(), "NOT"));
}

Test(check_prove, writes_within_the_settle_time_are_no_leak)
{
	fill();
	facts.accepted_ms = 11500;
	has("PROVEN in this run");
	has("accepted 1500 ms after");
	has("\"proven\":true");
}

Test(check_prove, one_block_that_changed_is_a_leak)
{
	fill();
	facts.late[TRACK_WRITERS - 1][TRACK_SLOTS - 1]++;
	has("NOT PROVEN");
	has("1 blocks changed");
	has("\"proven\":false");
	has("\"arrived_after\":1");
}

Test(check_prove, one_write_accepted_after_the_new_name_is_a_leak)
{
	fill();
	facts.accepted_ms = 12001;
	has("NOT PROVEN");
	has("accepted 1 ms after the new name");
	has("did not end the session");
	has("\"accepted_after\":true");
}

Test(check_prove, a_block_is_known_by_track_writer_and_number_and_only_whole)
{
	static uint64_t block[TRACK_BLOCK / 8];

	track_fill(block, 7, 2, 1000);
	cr_assert_eq(track_number(block, 7, 2), 1001);
	cr_assert_eq(track_number(block, 8, 2), 0);
	cr_assert_eq(track_number(block, 7, 1), 0);
	for (unsigned i = 0; i < TRACK_BLOCK / 8; i += 37) {
		block[i] ^= 1;
		cr_assert_eq(track_number(block, 7, 2), 0, "%u", i);
		block[i] ^= 1;
	}
	for (unsigned w = 0; w < TRACK_WRITERS; w++)
		for (unsigned n = 0; n < TRACK_SLOTS; n++)
			cr_assert_eq(track_offset(w, n + TRACK_SLOTS),
				     TRACK_BASE + (w * TRACK_SLOTS + n) * TRACK_BLOCK);
}

/* A volume that shows less than was written is another, or has lost it. */
Test(check_prove, a_first_reading_must_show_what_was_written_before)
{
	uint64_t begun[TRACK_WRITERS];

	fill();
	for (unsigned w = 0; w < TRACK_WRITERS; w++)
		begun[w] = TRACK_SLOTS;
	cr_assert(prove_is_written(&facts, begun));
	facts.early[1][3] = 0; /* torn */
	cr_assert(prove_is_written(&facts, begun));
	begun[2]++;
	cr_assert_not(prove_is_written(&facts, begun));
	begun[2] = 0;
	cr_assert_not(prove_is_written(&facts, begun));
}
