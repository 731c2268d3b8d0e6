#include <stdio.h>
#include <string.h>

#include "support/box.h"
#include "support/prove_lab.h"

/* `rds-csi check --prove-fence` against a box over SSH that fails at each statement: what
 * is left of the scratch volume is told, and what is told to remove it does. */

static struct t_box b;
static struct prove_lab lab;

static void open_run(void)
{
	clock_hold(&b.l.uv);
	prove_lab_init(&lab, &b.l.uv, NULL, ros_stop);
	b.conf.cluster_id = lab.p.cluster;
	t_box_connect(&b);
	lab.p.csi.rds = b.rds;
	lab.is_real_box = true;
	prove_lab_start(&lab);
}

/* Disk, file or subvolume of that name. */
static bool is_left(void)
{
	char script[400];

	snprintf(script, sizeof(script),
		 ":put ([:len [/disk find where slot=\"%s\"]] + "
		 "[:len [/file find where name~\"%s\"]] + "
		 "[:len [/disk/btrfs/subvolume find where name~\"%s\"]])",
		 lab.p.id, lab.p.id, lab.p.id);
	return strtol(t_box_script(&b, script), NULL, 10) != 0;
}

/* As a person would. */
static void do_as_told(void)
{
	char *save = NULL;

	for (char *line = strtok_r(lab.left, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "  /", 3) == 0)
			(void)t_box_script(&b, line + 2);
	cr_assert(!is_left(), "the commands leave something");
}

/* True when it had to be told. */
static bool close_run(const char *when, unsigned at)
{
	bool is_told, was_left;

	prove_lab_run(&lab);
	b.rds = NULL;
	t_box_fault(&b, "clear");
	is_told = strstr(lab.left, lab.p.id) != NULL;
	was_left = is_left();
	cr_assert(is_told || !was_left, "%s %u: left and not told: %s", when, at,
		  lab.p.op.err.msg);
	cr_assert(!lab.has_old && !lab.has_new);
	if (is_told)
		do_as_told();
	prove_lab_close(&lab);
	return was_left;
}

static bool run(const char *fault, unsigned at, const char *more)
{
	char query[128];

	snprintf(query, sizeof(query), "%s=%u%s", fault, at, more);
	t_box_fault(&b, query);
	open_run();
	return close_run(fault, at);
}

static void end(long disks)
{
	cr_assert_eq(t_box_stat(&b, "disks"), disks);
	cr_assert_eq(t_box_stat(&b, "files"), disks);
	t_box_close(&b);
}

Test(prove_box, a_whole_run_leaves_nothing)
{
	t_box_open(&b, NULL);
	open_run();
	cr_assert(!close_run("fine", 0));
	cr_assert(prove_lab_is_proven(&lab), "%s", lab.p.op.err.msg);
	cr_assert_str_eq(lab.left, "");
	end(0);
}

Test(prove_box, a_create_that_fails_at_any_statement_leaves_nothing_untold)
{
	unsigned n_failed = 0;

	t_box_open(&b, NULL);
	for (unsigned at = 0; at < 24; at++) {
		/* A subvolume or a file that was made already is cleared away. */
		cr_assert(!run("script-error-at-statement", at, "&match=disk/add"),
			  "%u: %s", at, lab.p.op.err.msg);
		n_failed += op_failed(&lab.p.op);
	}
	cr_assert_gt(n_failed, 4);
	end(0);
}

Test(prove_box, a_connection_that_is_cut_leaves_nothing_untold)
{
	t_box_open(&b, "--run-on-after-cut 2");
	for (unsigned at = 1; at < 900; at += 90)
		(void)run("cut-after-out", at, "");
	for (unsigned at = 1; at < 2000; at += 230)
		(void)run("cut-after-in", at, "");
	end(0);
}

Test(prove_box, garbage_and_a_full_pool)
{
	t_box_open(&b, NULL);
	(void)run("garbage", 1, "");
	(void)run("garbage", 3, "");
	(void)run("no-space", 1, "");
	cr_assert(op_failed(&lab.p.op));
	cr_assert_str_eq(lab.left, "", "%s", lab.left);
	end(0);
}

/* At each stage the box goes away for good: what is told removes it once it is back. */
Test(prove_box, a_box_that_goes_away_leaves_what_is_told)
{
	static const char *const states[] = { "publishing", "writing", "fencing",
					      "joining", "looking" };
	unsigned n_left = 0;

	t_box_open(&b, NULL);
	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		open_run();
		while (strcmp(lab.p.op.type->states[lab.p.op.state], states[i]) != 0)
			prove_lab_turn(&lab);
		t_box_kill_sim(&b);
		while (!lab.n_done)
			prove_lab_turn(&lab);
		t_box_start_sim(&b, NULL);
		n_left += close_run(states[i], i);
		cr_assert_not_null(strstr(lab.left, "rds-csi check"), "%s", states[i]);
	}
	cr_assert_eq(n_left, sizeof(states) / sizeof(states[0]));
	end(0);
}
