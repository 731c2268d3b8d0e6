#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "fakes/fake_rds.h"
#include "support/prove_lab.h"

/* The op on a box in memory. Whatever is done to it: it never says proven of what was not
 * tried to the end, it leaves neither volume nor session behind or tells their names and
 * what removes them, and it touches nothing on the box that it has not made. */

static struct t_loop l;
static struct fake_rds box;
static struct prove_lab lab;
static unsigned n_requests, at;
static enum fake_fault fault;
/* Others' volumes, one with a name of the same kind. */
static struct rds_volume others[2];

static bool is_exported(struct prove_lab *of, const char *nqn)
{
	const struct rds_volume *v = fake_rds_find(&box, of->p.id);

	return v && v->is_exported && strcmp(v->nqn, nqn) == 0;
}

static void stop_box(struct rds *r, void (*stopped)(void *arg), void *arg)
{
	cr_assert_eq(r, &box.rds);
	prove_lab_stopped(&l.uv, stopped, arg);
}

static enum fake_fault choose(struct fake_rds *f, const struct rds_req *req)
{
	(void)f;
	cr_assert_str_eq(req->id, lab.p.id);
	return n_requests++ == at ? fault : FAKE_FINE;
}

static void add_other(unsigned i, const char *id)
{
	struct rds_volume *v = fake_rds_add(&box, id, 1 << 30);

	v->record.kind = i ? RDS_RECORD_FOREIGN : RDS_RECORD_OURS;
	v->is_exported = true;
	others[i] = *v;
}

static void open_lab(void)
{
	log_open(LOG_ERROR, false);
	t_loop_open(&l);
	clock_hold(&l.uv);
	fake_rds_open(&box, &l.uv, "");
	box.choose = choose;
	n_requests = 0;
	add_other(0, "pvc-1");
	add_other(1, "prove-fence-00000000");
	prove_lab_init(&lab, &l.uv, &box.rds, stop_box);
	lab.is_exported = is_exported;
}

static void start(enum fake_fault f, unsigned nth)
{
	open_lab();
	fault = f;
	at = nth;
	prove_lab_start(&lab);
}

static void others_are_untouched(void)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct rds_volume *v = fake_rds_find(&box, others[i].id);

		cr_assert(v && memcmp(v, &others[i], sizeof(*v)) == 0, "%s",
			  others[i].id);
	}
}

/* What ran late on the box counts as left. */
static void nothing_is_left_untold(const char *when)
{
	bool is_told = strstr(lab.left, "/disk/remove [find slot=\"prove-fence-") &&
		       strstr(lab.left, lab.p.id);

	fake_rds_run_late(&box);
	cr_assert(!fake_rds_find(&box, lab.p.id) || is_told, "%s %u: \"%s\"", when, at,
		  lab.left);
	cr_assert(!lab.has_old || strstr(lab.left, lab.p.old_nqn), "%s %u", when, at);
	cr_assert(!lab.has_new || strstr(lab.left, lab.p.new_nqn), "%s %u", when, at);
	others_are_untouched();
}

static void close_lab(const char *when)
{
	nothing_is_left_untold(when);
	prove_lab_close(&lab);
	fake_rds_close(&box);
	t_loop_close(&l);
	cr_assert_eq(mem_live(), 0, "%s %u", when, at);
}

static void run(enum fake_fault f, unsigned nth)
{
	start(f, nth);
	prove_lab_run(&lab);
}

Test(prove, a_box_that_cuts_off_is_proven_and_nothing_is_left)
{
	run(FAKE_FINE, 0);
	cr_assert(prove_lab_is_proven(&lab), "%s", lab.p.op.err.msg);
	cr_assert_str_eq(lab.left, "");
	cr_assert_null(fake_rds_find(&box, lab.p.id));
	cr_assert(!lab.has_old && !lab.has_new);
	close_lab("fine");
}

static void never_proven_by(enum lab_child child, const char *why)
{
	open_lab();
	at = 0;
	fault = FAKE_FINE;
	lab.child = child;
	prove_lab_start(&lab);
	prove_lab_run(&lab);
	cr_assert(!prove_lab_is_proven(&lab), "%s", why);
	if (why)
		cr_assert(strstr(lab.p.op.err.msg, why), "%s", lab.p.op.err.msg);
	else
		cr_assert_eq(lab.p.op.err.code, ERR_OK, "%s", lab.p.op.err.msg);
	cr_assert_str_eq(lab.left, "");
	close_lab("children");
}

Test(prove, writes_that_are_accepted_or_arrive_later_are_a_leak)
{
	never_proven_by(LAB_LEAKS, NULL);
	never_proven_by(LAB_ARRIVES, NULL);
}

Test(prove, children_that_do_not_do_their_part_prove_nothing)
{
	never_proven_by(LAB_BLANK, "has not what was written to it");
	never_proven_by(LAB_FEW, "too few");
	never_proven_by(LAB_ONE_IDLE, "not by each writer");
	never_proven_by(LAB_WRITER_DIES, "1 of 4 writers ended too early");
	never_proven_by(LAB_GARBAGE, "reading failed");
	never_proven_by(LAB_FAILS, "reading failed");
}

Test(prove, a_writer_that_begins_late_is_waited_for)
{
	open_lab();
	fault = FAKE_FINE;
	lab.child = LAB_ONE_IDLE;
	prove_lab_start(&lab);
	while (lab.p.n_waits < 2)
		prove_lab_turn(&lab);
	atomic_store(&lab.p.shared->writers[TRACK_WRITERS - 1].accepted, TRACK_SLOTS);
	prove_lab_run(&lab);
	cr_assert(prove_lab_is_proven(&lab), "%s", lab.p.op.err.msg);
	close_lab("late");
}

/* How many requests a whole run makes of the box. */
static unsigned n_all(void)
{
	run(FAKE_FINE, 0);
	close_lab("count");
	return n_requests;
}

static void each_request(enum fake_fault f, const char *name)
{
	unsigned n = n_all();

	for (unsigned nth = 0; nth < n; nth++) {
		run(f, nth);
		/* What is asked for by the lower half is no part of the proof. */
		cr_assert(!prove_lab_is_proven(&lab) || nth >= n - 3, "%s %u", name, nth);
		close_lab(name);
	}
}

Test(prove, answers_that_are_lost_leave_nothing_untold)
{
	each_request(FAKE_LOSE, "lost");
	each_request(FAKE_DROP, "dropped");
}

Test(prove, commands_that_run_late_leave_nothing_untold)
{
	each_request(FAKE_LATE, "late");
	each_request(FAKE_TORN, "torn");
}

Test(prove, a_box_that_refuses_leaves_nothing_untold)
{
	each_request(FAKE_REFUSE, "refused");
}

static void run_cancelled_after(unsigned n_turns)
{
	open_lab();
	fault = FAKE_FINE;
	prove_lab_start(&lab);
	while (!lab.n_done && lab.turns < n_turns)
		prove_lab_turn(&lab);
	prove_stop(&lab.p);
	prove_lab_run(&lab);
}

/* Whatever was cut off, all is cleared away. */
static void is_clear(unsigned n)
{
	if (!prove_lab_is_proven(&lab))
		cr_assert_eq(lab.p.op.err.code, ERR_CANCELLED, "%s", lab.p.op.err.msg);
	cr_assert_str_eq(lab.left, "", "%u: %s", n, lab.left);
	at = n;
	close_lab("cancelled");
}

Test(prove, cancel_after_any_number_of_turns)
{
	unsigned n_proven = 0;

	for (unsigned n = 0; n_proven < 4; n++) {
		run_cancelled_after(n);
		n_proven += prove_lab_is_proven(&lab);
		is_clear(n);
	}
}

static const char *state_now(void)
{
	return lab.p.op.type->states[lab.p.op.state];
}

Test(prove, cancel_in_each_state)
{
	static const char *const upper[] = { "creating",     "publishing", "attaching",
					     "writing",	     "fencing",	   "giving",
					     "joining",	     "reading",	   "watching",
					     "reading-again" };

	for (unsigned i = 0; i < sizeof(upper) / sizeof(upper[0]); i++) {
		start(FAKE_FINE, 0);
		while (strcmp(state_now(), upper[i]) != 0)
			prove_lab_turn(&lab);
		prove_stop(&lab.p);
		cr_assert_not_null(strstr(lab.p.op.err.msg, upper[i]));
		prove_lab_run(&lab);
		cr_assert(!prove_lab_is_proven(&lab));
		is_clear(i);
	}
}

/* A signal while the answer to the first command is lost. */
Test(prove, a_create_that_is_cancelled_and_runs_late_is_told_or_cleared_away)
{
	for (unsigned late_by = 0; late_by < 7; late_by++) {
		start(FAKE_LATE, 0);
		while (!n_requests)
			prove_lab_turn(&lab);
		prove_stop(&lab.p);
		while (!lab.n_done && lab.p.n_looks <= late_by)
			prove_lab_turn(&lab);
		if (late_by < 6)
			fake_rds_run_late(&box);
		prove_lab_run(&lab);
		cr_assert(!prove_lab_is_proven(&lab));
		if (late_by < 6)
			cr_assert_str_eq(lab.left, "", "%u: %s", late_by, lab.left);
		else
			cr_assert(strstr(lab.left, "it may come yet"), "%s", lab.left);
		close_lab("late");
	}
}

/* Before the box was ever reached nothing has been sent, and nobody waits for it. */
Test(prove, a_signal_before_the_box_answers_ends_at_once)
{
	start(FAKE_HANG, 0);
	box.features.is_known = false;
	while (!n_requests)
		prove_lab_turn(&lab);
	prove_lab_turn(&lab);
	prove_stop(&lab.p);
	prove_lab_run(&lab);
	cr_assert_eq(lab.p.op.err.code, ERR_CANCELLED);
	close_lab("unreached");
}

Test(prove, every_allocation_fails)
{
	long n;

	mem_fail_at(-1);
	run(FAKE_FINE, 0);
	n = mem_count();
	close_lab("count");
	cr_assert_gt(n, 20);
	for (long i = 0; i < n; i++) {
		open_lab();
		mem_fail_at(i);
		prove_lab_start(&lab);
		prove_lab_run(&lab);
		mem_fail_at(-1);
		at = (unsigned)i;
		cr_assert(prove_lab_is_proven(&lab) || *lab.left || op_failed(&lab.p.op),
			  "%ld", i);
		close_lab("memory");
	}
}

/* ---- others on the box ---- */

static enum { DELETED, REPLACED, RENAMED, HELD } change;

/* Right before the nth request somebody else works on the volume. */
static enum fake_fault choose_changed(struct fake_rds *f, const struct rds_req *req)
{
	struct rds_volume *v = fake_rds_find(f, req->id);

	if (n_requests++ != at || !v)
		return FAKE_FINE;
	switch (change) {
	case DELETED:
		map_remove(&f->volumes, &CONTAINER_OF(v, struct fake_volume, v)->node);
		mem_free(CONTAINER_OF(v, struct fake_volume, v));
		break;
	case REPLACED:
		v->record.kind = RDS_RECORD_FOREIGN;
		snprintf(v->record.nonce, sizeof(v->record.nonce), "ffffffff");
		break;
	case RENAMED:
		snprintf(v->nqn, sizeof(v->nqn),
			 "nqn.2000-02.com.mikrotik:%s.g0-0badcafe", v->id);
		break;
	case HELD:
		v->record.n_holders = 1;
		v->record.holders[0] = (struct rds_holder){ "node-a", 'w' };
		snprintf(v->record.nonce, sizeof(v->record.nonce), "eeeeeeee");
		break;
	}
	return FAKE_FINE;
}

static void run_changed(unsigned nth)
{
	open_lab();
	at = nth;
	box.choose = choose_changed;
	prove_lab_start(&lab);
	prove_lab_run(&lab);
}

Test(prove, a_volume_that_is_deleted_or_changed_meanwhile)
{
	unsigned n = n_all();

	for (unsigned nth = 1; nth < n; nth++) {
		change = DELETED;
		run_changed(nth);
		cr_assert_str_eq(lab.left, "", "%s", lab.left);
		cr_assert(!prove_lab_is_proven(&lab) || nth >= n - 3);
		close_lab("deleted");
		change = HELD;
		run_changed(nth);
		cr_assert_str_eq(lab.left, "", "%s", lab.left);
		close_lab("held");
	}
}

Test(prove, a_volume_that_has_become_another_s_is_left_as_it_is)
{
	unsigned n = n_all();

	for (unsigned nth = 1; nth < n - 2; nth++) {
		const struct rds_volume *v;

		for (change = REPLACED; change <= RENAMED; change++) {
			run_changed(nth);
			v = fake_rds_find(&box, lab.p.id);
			if (change == REPLACED)
				cr_assert(!prove_lab_is_proven(&lab) || nth >= n - 3);
			if (change == REPLACED || nth == 1) {
				cr_assert_not_null(v, "%u", nth);
				cr_assert(strstr(lab.left, "has not made"), "%s",
					  lab.left);
				cr_assert_null(strstr(lab.left, "/disk/remove"));
			}
			snprintf(lab.left, sizeof(lab.left),
				 "/disk/remove [find "
				 "slot=\"prove-fence-%s %s %s",
				 lab.p.id, lab.p.old_nqn, lab.p.new_nqn);
			close_lab("another's");
		}
	}
}

/* Never made by this run: the name was taken. */
Test(prove, a_disk_that_had_the_name_before_is_left_as_it_is)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rds_volume *v, before;

		open_lab();
		at = 99;
		v = fake_rds_add(&box, lab.p.id, 1 << 30);
		v->record.kind = i ? RDS_RECORD_FOREIGN : RDS_RECORD_OURS;
		before = *v;
		prove_lab_start(&lab);
		prove_lab_run(&lab);
		cr_assert_eq(lab.p.op.err.code, ERR_EXISTS, "%s", lab.p.op.err.msg);
		cr_assert(memcmp(v, &before, sizeof(before)) == 0);
		snprintf(lab.left, sizeof(lab.left),
			 "/disk/remove [find slot=\"prove-fence- %s", lab.p.id);
		close_lab("taken");
	}
}

/* ---- this host ---- */

Test(prove, a_host_that_cannot_attach_or_cut_leaves_no_session_untold)
{
	for (enum lab_node node = LAB_NODE_REFUSES; node <= LAB_NODE_CUT_FAILS; node++) {
		for (unsigned turns = 1; turns < 60; turns += 3) {
			open_lab();
			at = 99;
			lab.node = node;
			prove_lab_start(&lab);
			while (!lab.n_done && lab.turns < turns)
				prove_lab_turn(&lab);
			if (node != LAB_NODE_REFUSES)
				prove_stop(&lab.p);
			prove_lab_run(&lab);
			cr_assert(!prove_lab_is_proven(&lab));
			if (lab.was_stuck)
				lab.has_old = true;
			at = turns;
			close_lab("host");
		}
	}
}

Test(prove, a_reader_that_hangs_is_ended_with_the_run)
{
	open_lab();
	at = 99;
	lab.child = LAB_HANGS;
	prove_lab_start(&lab);
	while (strcmp(state_now(), "reading") != 0)
		prove_lab_turn(&lab);
	for (unsigned i = 0; i < 20; i++)
		prove_lab_turn(&lab);
	prove_stop(&lab.p);
	prove_lab_run(&lab);
	cr_assert_eq(lab.p.op.err.code, ERR_CANCELLED);
	cr_assert_str_eq(lab.left, "");
	close_lab("hangs");
}
