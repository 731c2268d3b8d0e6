/* Key files that are exchanged, and a box that takes other keys, under sessions at work.
 */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "rds/pool.h"
#include "support/box.h"
#include "support/capture.h"
#include "support/secret.h"

static struct t_box b;
static struct secret secret;
static char old_key[200], new_key[200], new_pub[240], old_pub[240], host2[200];

static void copy(const char *from, const char *to)
{
	char line[600];

	snprintf(line, sizeof(line), "cat %s > %s.x && mv %s.x %s", from, to, to, to);
	cr_assert_eq(system(line), 0);
}

/* What the box takes from now on. */
static void box_takes(const char *pub)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/client_key.pub", b.dir);
	copy(pub, path);
}

static void swap(const char *key, const char *host_key)
{
	cr_assert_eq(secret_swap(&secret, key, host_key), 0);
}

static void open_box(unsigned max_sessions)
{
	char dir[200];

	t_box_open(&b, NULL);
	snprintf(old_key, sizeof(old_key), "%s/client_key", b.dir);
	snprintf(new_key, sizeof(new_key), "%s/new_key", b.dir);
	snprintf(new_pub, sizeof(new_pub), "%s.pub", new_key);
	snprintf(old_pub, sizeof(old_pub), "%s/old.pub", b.dir);
	snprintf(host2, sizeof(host2), "%s/host_key2.pub", b.dir);
	cr_assert_eq(secret_keygen(new_key, "ed25519"), 0);
	snprintf(dir, sizeof(dir), "%s/client_key.pub", b.dir);
	copy(dir, old_pub);
	snprintf(dir, sizeof(dir), "%s/secret", b.dir);
	cr_assert_eq(secret_open(&secret, dir, old_key, b.host_key), 0);
	b.conf.key_file = secret.key;
	b.conf.host_key_file = secret.host_key;
	b.conf.max_sessions = max_sessions;
	clock_hold(&b.l.uv);
	t_box_connect(&b);
}

static enum err_code get(void)
{
	struct t_req q;

	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	return q.err.code;
}

static struct ros_stats stats(void)
{
	struct ros_stats s;

	ros_stats(b.rds, &s);
	return s;
}

/* Past the moment from which the files are looked at, and some requests for that. */
static void notice(void)
{
	clock_advance(&b.l.uv, POOL_LOOK_MS);
	cr_assert_eq(get(), ERR_OK);
}

/* And past every back-off. */
static void notice_later(void)
{
	clock_advance(&b.l.uv, POOL_BACKOFF_MAX_MS);
	notice();
}

/* Connections whose key the box takes no more: it cuts them. */
static long cut(void)
{
	return strtol(t_box_control(&b, "POST /keys/cut", NULL), NULL, 10);
}

static void rotate(unsigned max_sessions)
{
	const char *lines;

	open_box(max_sessions);
	cr_assert_eq(get(), ERR_OK);
	box_takes(
		new_pub); /* the old one is taken off at once: nothing is opened by it */
	t_capture();
	swap(new_key, b.host_key);
	notice();
	t_run_until(&b.l, !stats().is_key_pending);
	lines = t_captured(NULL);
	cr_assert_not_null(strstr(lines, "ssh_keys_renewed"), "%s", lines);
	cr_assert_null(strstr(lines, "ssh_connection_failure"), "%s", lines);
	cr_assert_null(strstr(lines, "ssh_auth_failure"), "%s", lines);
	cr_assert_geq(stats().sessions, 1);
	cr_assert_leq(stats().sessions, max_sessions);
	t_run_until(&b.l, t_box_stat(&b, "connections_now") == stats().sessions);
	cr_assert_eq(cut(), 0, "one was left that the old key had opened");
	cr_assert_eq(get(), ERR_OK);
	t_box_close(&b);
}

Test(rds_rotate, sessions_are_opened_anew_with_a_new_key)
{
	rotate(4);
}

Test(rds_rotate, the_only_session_serves_until_the_next_is_there)
{
	rotate(1);
}

Test(rds_rotate, a_busy_session_is_closed_when_its_script_has_ended)
{
	struct t_req q;

	open_box(2);
	cr_assert_eq(get(), ERR_OK);
	t_box_fault(&b, "latency-ms=300");
	t_req_init(&q, RDS_GET, "pvc-2");
	t_req_start(&b, &q);
	t_run_until(&b.l, t_box_stat(&b, "execs_now") == 1);
	t_box_fault(&b, "clear");
	box_takes(new_pub);
	swap(new_key, b.host_key);
	notice();
	t_req_wait(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	t_run_until(&b.l, !stats().is_key_pending);
	cr_assert_eq(get(), ERR_OK);
	t_run_until(&b.l, t_box_stat(&b, "connections_now") == stats().sessions);
	cr_assert_eq(cut(), 0);
	t_box_close(&b);
}

Test(rds_rotate, a_key_that_the_box_does_not_know_yet_costs_nothing)
{
	open_box(4);
	cr_assert_eq(get(), ERR_OK);
	swap(new_key, b.host_key);
	for (unsigned i = 0; i < 5; i++) {
		notice();
		cr_assert(stats().is_key_pending);
		clock_advance(&b.l.uv, POOL_BACKOFF_MAX_MS);
	}
	cr_assert_eq(stats().sessions, stats().connects, "none was lost");
	box_takes(new_pub);
	t_run_until(&b.l, (notice_later(), !stats().is_key_pending));
	t_box_close(&b);
}

static void swap_while_it_proves(const struct op *op, unsigned from, unsigned to)
{
	(void)from;
	if (strcmp(op->type->name, "ssh") == 0 &&
	    strcmp(op->type->states[to], "proving") == 0) {
		op_trace = NULL;
		swap(new_key, b.host_key);
	}
}

Test(rds_rotate, a_refused_key_is_read_again_before_it_fails)
{
	const char *lines;

	open_box(4);
	box_takes(new_pub);
	op_trace = swap_while_it_proves;
	t_capture();
	cr_assert_eq(get(), ERR_OK);
	lines = t_captured(NULL);
	cr_assert_null(op_trace);
	cr_assert_null(strstr(lines, "failure"), "%s", lines);
	t_box_close(&b);
}

Test(rds_rotate, a_refused_key_that_stays_is_a_refusal)
{
	open_box(4);
	box_takes(new_pub);
	cr_assert_eq(get(), ERR_UNAVAILABLE);
	swap(new_key, b.host_key);
	clock_advance(&b.l.uv, POOL_BACKOFF_MAX_MS);
	cr_assert_eq(get(), ERR_OK, "the next one reads it");
	t_box_close(&b);
}

Test(rds_rotate, a_spoilt_file_does_not_keep_sessions_from_coming)
{
	open_box(4);
	cr_assert_eq(get(), ERR_OK);
	cr_assert_eq(secret_spoil(&secret, "-----BEGIN OPENSSH PRIV"), 0);
	notice();
	cr_assert(stats().is_key_pending);
	t_box_fault(&b, "reboot=1");
	t_run_until(&b.l, stats().sessions == 0);
	t_run_until(&b.l, get() == ERR_OK);
	cr_assert_geq(stats().connects, 2, "the key of before has opened it");
	cr_assert(stats().is_key_pending);
	swap(old_key, b.host_key);
	notice();
	cr_assert_not(stats().is_key_pending);
	t_box_close(&b);
}

Test(rds_rotate, the_box_changes_its_host_key_between_two_that_are_pinned)
{
	char both[240];

	open_box(4);
	cr_assert_eq(get(), ERR_OK);
	snprintf(both, sizeof(both), "%s/both.pub", b.dir);
	copy(b.host_key, both);
	snprintf(both, sizeof(both), "cat %s >>%s/both.pub", host2, b.dir);
	cr_assert_eq(system(both), 0);
	snprintf(both, sizeof(both), "%s/both.pub", b.dir);
	swap(old_key, both);
	notice();
	t_run_until(&b.l, !stats().is_key_pending);
	t_box_fault(&b, "host-key=1&reboot=1");
	t_run_until(&b.l, stats().sessions == 0);
	t_run_until(&b.l, get() == ERR_OK);
	swap(old_key, host2);
	notice();
	t_run_until(&b.l, !stats().is_key_pending);
	t_box_fault(&b, "host-key=0&reboot=1");
	t_run_until(&b.l, stats().sessions == 0);
	clock_advance(&b.l.uv, POOL_BACKOFF_MAX_MS);
	cr_assert_eq(get(), ERR_UNAVAILABLE, "the old one is not pinned any more");
	t_box_close(&b);
}
