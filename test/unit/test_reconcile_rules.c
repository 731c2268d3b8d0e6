#include "support/t.h"

#include <string.h>

#include "csi/controller/reconcile_rules.h"
#include "csi/controller/reconcile_seen.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* A volume and what is known of it, in letters: the disk's B bound, R released, H held,
 * S of these one without a VolumeAttachment, f fencing, E exported, m may be mounted by
 * the box, M is mounted by it, n no volume's shape, F foreign, 0 no record, s a
 * snapshot's name; of the cluster P a PV, V a VolumeAttachment, U unclear, W witnessed, K
 * exports are kept, O orphans are not looked for. */
static enum reconcile_action judge(const char *what, bool *ret_is_alarming)
{
	static struct rds_volume v;
	struct reconcile_view view = { .volume = &v,
				       .is_orphan_hunted = true,
				       .stale_holder = -1 };

	v = (struct rds_volume){ .id = "pvc-1",
				 .is_file_disk = true,
				 .layout = RDS_LAYOUT_FILE,
				 .record = { .kind = RDS_RECORD_OURS } };
	for (; *what; what++) {
		v.record.is_bound |= strchr("BRD", *what) != NULL;
		v.record.is_deletable |= strchr("DR", *what) != NULL;
		v.record.is_released |= *what == 'R';
		v.record.is_fencing |= *what == 'f';
		v.record.n_holders |= strchr("HS", *what) != NULL;
		v.is_exported |= *what == 'E';
		v.mount_filesystem |= *what == 'm';
		v.is_mounted |= *what == 'M';
		if (*what == 'n')
			v.layout = RDS_LAYOUT_AUTO;
		if (*what == 'F')
			v.record.kind = RDS_RECORD_FOREIGN;
		if (*what == '0')
			v.record.kind = RDS_RECORD_NONE;
		if (*what == 's')
			strcpy(v.id, "snap-1");
		if (*what == 'S')
			view.stale_holder = 0;
		view.has_pv |= *what == 'P';
		view.has_va |= *what == 'V';
		view.is_unclear |= *what == 'U';
		view.is_witnessed |= *what == 'W';
		view.is_retained |= *what == 'r';
		view.is_word_enough |= *what == 'T';
		view.is_export_kept |= *what == 'K';
		view.is_orphan_hunted &= *what != 'O';
	}
	if (ret_is_alarming)
		*ret_is_alarming = reconcile_is_alarming(&view);
	return reconcile_judge(&view);
}

static const struct {
	const char *what;
	enum reconcile_action action;
} table[] = {
	/* Attachments. */
	{ "BHP", RECONCILE_NOTHING },
	{ "BHVP", RECONCILE_NOTHING },
	{ "BSP", RECONCILE_GIVE_WAY },
	{ "BS", RECONCILE_GIVE_WAY },
	{ "BSE", RECONCILE_GIVE_WAY },
	{ "BSVE", RECONCILE_GIVE_WAY }, /* of another node */
	{ "BSU", RECONCILE_NOTHING },
	{ "BSF", RECONCILE_NOTHING },
	{ "BSn", RECONCILE_NOTHING },
	/* Exports. */
	{ "BEP", RECONCILE_SWITCH_OFF },
	{ "BE", RECONCILE_SWITCH_OFF },
	{ "E", RECONCILE_SWITCH_OFF },
	{ "BEPV", RECONCILE_NOTHING },
	{ "BEPH", RECONCILE_NOTHING },
	{ "BEPU", RECONCILE_NOTHING },
	{ "BEPf", RECONCILE_NOTHING },
	{ "BEPK", RECONCILE_NOTHING },
	{ "BEPF", RECONCILE_NOTHING },
	{ "BEP0", RECONCILE_NOTHING },
	{ "BEPn", RECONCILE_NOTHING },
	/* Orphans. */
	{ "R", RECONCILE_REMOVE },
	{ "RK", RECONCILE_REMOVE },
	{ "REK", RECONCILE_REMOVE },
	{ "RE", RECONCILE_SWITCH_OFF },
	{ "RP", RECONCILE_UNRELEASE },
	{ "RPV", RECONCILE_UNRELEASE },
	{ "RV", RECONCILE_NOTHING },
	{ "RU", RECONCILE_NOTHING },
	{ "Rf", RECONCILE_NOTHING },
	{ "RH", RECONCILE_NOTHING },
	{ "RO", RECONCILE_NOTHING },
	{ "RF", RECONCILE_NOTHING },
	{ "R0", RECONCILE_NOTHING },
	{ "Rn", RECONCILE_NOTHING },
	{ "Rs", RECONCILE_REPORT },
	{ "BW", RECONCILE_RELEASE },
	{ "BWP", RECONCILE_NOTHING },
	{ "BWV", RECONCILE_NOTHING },
	{ "BWs", RECONCILE_REPORT },
	{ "DT", RECONCILE_RELEASE }, /* by the policy that the record tells */
	{ "D", RECONCILE_REPORT },
	{ "BT", RECONCILE_REPORT },
	{ "DW", RECONCILE_RELEASE },
	{ "DPT", RECONCILE_NOTHING },
	{ "DVT", RECONCILE_NOTHING },
	{ "DUT", RECONCILE_NOTHING },
	{ "DHT", RECONCILE_NOTHING },
	{ "DsT", RECONCILE_REPORT },
	{ "DE", RECONCILE_SWITCH_OFF },
	{ "DrP", RECONCILE_KEEP }, /* which is Delete no more */
	{ "DrPV", RECONCILE_KEEP },
	{ "DrT", RECONCILE_KEEP },
	{ "DrHP", RECONCILE_NOTHING }, /* a held one's record is left alone */
	{ "Rr", RECONCILE_KEEP },
	{ "RrP", RECONCILE_KEEP },
	{ "BrP", RECONCILE_NOTHING },
	{ "W", RECONCILE_REPORT }, /* no PV of it was ever seen */
	{ "B", RECONCILE_REPORT }, /* its PV may have had Retain */
	{ "", RECONCILE_REPORT },
	{ "F", RECONCILE_NOTHING },
	/* mount-filesystem. */
	{ "Bm", RECONCILE_NO_MOUNT },
	{ "BmHVP", RECONCILE_NO_MOUNT },
	{ "BmF", RECONCILE_NOTHING },
	{ "Bmn", RECONCILE_NOTHING },
	{ "BmMP", RECONCILE_UNMOUNT },
	{ "BMP", RECONCILE_UNMOUNT },
	{ "BmMHP", RECONCILE_NOTHING },
	{ "BmMVP", RECONCILE_NOTHING },
	{ "BmMUP", RECONCILE_NOTHING },
	{ "BmMfP", RECONCILE_NOTHING },
	{ "RmMV", RECONCILE_NOTHING },
};

Test(reconcile_rules, one_action_for_each_view)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cr_assert_eq(judge(table[i].what, NULL), table[i].action, "%s: %s",
			     table[i].what, reconcile_name(judge(table[i].what, NULL)));
}

/* Every combination: what somebody may hold or want is never removed nor switched off. */
Test(reconcile_rules, what_is_wanted_is_never_taken_away)
{
	static const char letters[] = "BRHSfEmMnF0sPVUWKO";
	const unsigned n = sizeof(letters) - 1;

	for (unsigned bits = 0; bits < 1u << n; bits++) {
		char what[sizeof(letters)] = "";
		enum reconcile_action action;
		bool is_held, is_ours, is_alarming;

		for (unsigned i = 0, k = 0; i < n; i++)
			if (bits & (1u << i))
				what[k++] = letters[i];
		action = judge(what, &is_alarming);
		is_held = strpbrk(what, "HSVUf") != NULL;
		is_ours = strpbrk(what, "F0n") == NULL;
		if (!is_ours || is_held)
			cr_assert(action != RECONCILE_SWITCH_OFF &&
					  action != RECONCILE_RELEASE &&
					  action != RECONCILE_REMOVE &&
					  action != RECONCILE_UNMOUNT,
				  "%s: %s", what, reconcile_name(action));
		if (action == RECONCILE_REMOVE)
			cr_assert(strchr(what, 'R') && !strpbrk(what, "PsOM"), "%s",
				  what);
		if (!is_ours)
			cr_assert(action == RECONCILE_NOTHING && !is_alarming, "%s",
				  what);
		else
			cr_assert_eq(is_alarming, is_held && strchr(what, 'M'), "%s",
				     what);
	}
}

Test(reconcile_rules, nothing_that_hurts_is_done_at_the_first_sight)
{
	const struct reconcile_times t = { .interval_ms = 300000, .grace_ms = 1 };
	const struct reconcile_times none = { .interval_ms = 0 };
	struct reconcile_times since = { .interval_ms = 300000, .released_ms = DAY_MS };

	cr_assert(reconcile_is_ripe(RECONCILE_NO_MOUNT, 0, &t));
	cr_assert(reconcile_is_ripe(RECONCILE_UNMOUNT, 0, &t));
	cr_assert(reconcile_is_ripe(RECONCILE_UNRELEASE, 0, &t));
	for (enum reconcile_action a = 0; a < RECONCILE_N_ACTIONS; a++)
		if (a == RECONCILE_GIVE_WAY || a == RECONCILE_SWITCH_OFF ||
		    a == RECONCILE_RELEASE) {
			cr_assert(!reconcile_is_ripe(a, 0, &none));
			cr_assert(!reconcile_is_ripe(a, 299999, &t));
			cr_assert(reconcile_is_ripe(a, 300000, &t));
		}
	cr_assert(!reconcile_is_ripe(RECONCILE_REMOVE, DAY_MS - 1, &t));
	cr_assert(reconcile_is_ripe(RECONCILE_REMOVE, DAY_MS, &t));
	/* Or by the record, after two sightings. */
	cr_assert(reconcile_is_ripe(RECONCILE_REMOVE, 300000, &since));
	cr_assert(!reconcile_is_ripe(RECONCILE_REMOVE, 299999, &since));
	cr_assert(!reconcile_is_ripe(RECONCILE_REPORT, 300000, &since));
	since.released_ms--;
	cr_assert(!reconcile_is_ripe(RECONCILE_REMOVE, 300000, &since));
	cr_assert(!reconcile_is_ripe(RECONCILE_NOTHING, 10 * DAY_MS, &t));
	cr_assert(
		!reconcile_is_ripe(RECONCILE_REMOVE, DAY_MS,
				   &(struct reconcile_times){ .grace_ms = 2 * DAY_MS }));
}

Test(reconcile_rules, few_at_a_time_and_none_when_too_many_are_gone)
{
	struct reconcile_tally t = {
		.volumes = 100, .without_pv = 20, .held = 50, .stale_holders = 20
	};

	cr_assert_eq(reconcile_allowance(RECONCILE_REMOVE, &t), 5);
	t.volumes = 40;
	cr_assert_eq(reconcile_allowance(RECONCILE_REMOVE, &t), 4);
	t.volumes = 39;
	cr_assert_eq(reconcile_allowance(RECONCILE_REMOVE, &t), 0);
	cr_assert_eq(reconcile_allowance(RECONCILE_RELEASE, &t), 0);
	cr_assert_eq(reconcile_allowance(RECONCILE_SWITCH_OFF, &t), 32);
	t = (struct reconcile_tally){ .volumes = 3, .without_pv = 3 };
	cr_assert_eq(reconcile_allowance(RECONCILE_REMOVE, &t), 1);
	t = (struct reconcile_tally){ .volumes = 50, .held = 50, .stale_holders = 25 };
	cr_assert_eq(reconcile_allowance(RECONCILE_GIVE_WAY, &t), 8);
	t.stale_holders = 26;
	cr_assert_eq(reconcile_allowance(RECONCILE_GIVE_WAY, &t), 0);
	cr_assert_eq(reconcile_allowance(RECONCILE_REPORT, &t), 0);
	cr_assert_eq(reconcile_allowance(RECONCILE_NOTHING, &t), 0);
}

#define LOOK(s, now) reconcile_seen_begin(s, now, 1000)

Test(reconcile_rules, seen_is_what_every_look_showed)
{
	struct reconcile_seen s;

	reconcile_seen_init(&s);
	for (unsigned i = 0; i < 3; i++) {
		LOOK(&s, 100 + 10 * i);
		cr_assert_eq(reconcile_seen_mark(&s, "a"), 10 * i);
		if (i != 1)
			cr_assert_eq(reconcile_seen_mark(&s, "b"), 0);
		reconcile_seen_end(&s);
	}
	/* A look that was begun and broke off is none. */
	LOOK(&s, 190);
	LOOK(&s, 200);
	cr_assert_eq(reconcile_seen_mark(&s, "a"), 100);
	reconcile_seen_end(&s);
	reconcile_seen_clear(&s);
	LOOK(&s, 300);
	cr_assert_eq(reconcile_seen_mark(&s, "a"), 0);
	reconcile_seen_end(&s);
	/* Two looks with too long a gap between them are not a row. */
	LOOK(&s, 1300);
	cr_assert_eq(reconcile_seen_mark(&s, "a"), 1000);
	reconcile_seen_end(&s);
	LOOK(&s, 2301);
	cr_assert_eq(reconcile_seen_mark(&s, "a"), 0);
	reconcile_seen_clear(&s);
	cr_assert_eq(mem_live(), 0);
}

Test(reconcile_rules, without_memory_nothing_was_seen)
{
	struct reconcile_seen s;

	reconcile_seen_init(&s);
	for (int i = 0; i < 4; i++) {
		mem_fail_at(i < 2 ? i : -1);
		LOOK(&s, 100 + i);
		cr_assert_eq(reconcile_seen_mark(&s, "a"), i < 3 ? 0 : 1);
		reconcile_seen_end(&s);
	}
	reconcile_seen_clear(&s);
	cr_assert_eq(mem_live(), 0);
}

Test(reconcile_rules, there_is_a_limit_to_what_is_kept_in_mind)
{
	struct reconcile_seen s;
	char key[16];

	reconcile_seen_init(&s);
	LOOK(&s, 1);
	for (unsigned i = 0; i < RECONCILE_SEEN_MAX + 10; i++) {
		snprintf(key, sizeof(key), "%u", i);
		(void)reconcile_seen_mark(&s, key);
	}
	cr_assert_eq(s.map.count, RECONCILE_SEEN_MAX);
	reconcile_seen_clear(&s);
	cr_assert_eq(mem_live(), 0);
}
