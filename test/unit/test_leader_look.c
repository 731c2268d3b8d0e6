#include "csi/controller/leader_look.h"

#include <string.h>

#include "core/log.h"
#include "fakes/fake_k8s.h"
#include "support/t.h"

static struct t_loop l;
static struct fake_k8s api;
static struct leader_look look;
static unsigned n_done;

static void on_done(struct op *op)
{
	(void)op;
	n_done++;
}

static void put_lease(const char *holder, const char *renewed)
{
	struct k8s_lease lease = {
		.o = { .kind = K8S_LEASE, .name = "lease", .ns = "ns" },
		.holder = holder,
		.renew_time = renewed,
		.duration_s = 17,
	};

	lease.o.uid = lease.o.version = "";
	fake_k8s_put(&api, &lease.o);
}

static void open_api(void)
{
	log_open(LOG_ERROR, true);
	n_done = 0;
	t_loop_open(&l);
	clock_hold(&l.uv);
	fake_k8s_open(&api, &l.uv, "rds.csi.srvlab.io");
	look = (struct leader_look){ .k8s = &api.k8s, .ns = "ns", .name = "lease" };
}

static void close_api(void)
{
	cr_assert_eq(n_done, 1);
	fake_k8s_close(&api);
	t_loop_close(&l);
	cr_assert_eq(mem_live(), 0);
}

static bool is_resting(void)
{
	return strcmp(look.op.type->states[look.op.state], "resting") == 0;
}

/* Time goes on in steps of a second until it has ended: how many. */
static unsigned seconds_until_done(unsigned renewed_each)
{
	char renewed[16];
	unsigned s = 0;

	for (; s < 60; s++) {
		t_run_until(&l, n_done || is_resting());
		if (n_done)
			break;
		if (renewed_each && (s + 1) % renewed_each == 0) {
			snprintf(renewed, sizeof(renewed), "t%u", s);
			put_lease("controller-1", renewed);
		}
		clock_advance(&l.uv, 1000);
	}
	cr_assert_eq(n_done, 1, "never ended");
	return s;
}

Test(leader_look, no_lease_or_one_given_back_is_nobodys)
{
	open_api();
	leader_look_start(&look, on_done);
	cr_assert_eq(seconds_until_done(0), 0);
	cr_assert(!look.is_led && look.op.err.code == ERR_OK);
	close_api();
	open_api();
	put_lease("", "t");
	leader_look_start(&look, on_done);
	cr_assert_eq(seconds_until_done(0), 0);
	cr_assert(!look.is_led && look.op.err.code == ERR_OK);
	close_api();
}

Test(leader_look, one_that_is_renewed_is_somebodys)
{
	for (unsigned each = 1; each < 17; each++) {
		open_api();
		put_lease("controller-1", "t");
		leader_look_start(&look, on_done);
		cr_assert_leq(seconds_until_done(each), each + 2);
		cr_assert(look.is_led, "renewed each %u s", each);
		cr_assert_str_eq(look.holder, "controller-1");
		close_api();
	}
}

Test(leader_look, one_that_stands_for_longer_than_a_term_is_a_dead_ones)
{
	unsigned s;

	open_api();
	put_lease("controller-1", "t");
	leader_look_start(&look, on_done);
	s = seconds_until_done(0);
	cr_assert(s > 18 && s < 22, "%u", s);
	cr_assert(!look.is_led && look.op.err.code == ERR_OK);
	close_api();
}

Test(leader_look, fails_where_the_api_server_does_not_answer)
{
	open_api();
	api.fault = (struct fake_k8s_fault){ .what = FAKE_K8S_REFUSE };
	leader_look_start(&look, on_done);
	t_run_until(&l, n_done == 1);
	cr_assert_eq(look.op.err.code, ERR_UNAVAILABLE);
	close_api();
}

Test(leader_look, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 16; turns++) {
		open_api();
		put_lease("controller-1", "t");
		leader_look_start(&look, on_done);
		for (int i = 0; i < turns; i++)
			uv_run(&l.uv, UV_RUN_NOWAIT);
		op_cancel(&look.op, ERR_CANCELLED);
		t_run_until(&l, n_done == 1);
		cr_assert_eq(look.op.err.code, ERR_CANCELLED);
		close_api();
	}
}

Test(leader_look, every_allocation_fails)
{
	for (long nth = 0; nth < 6; nth++) {
		open_api();
		put_lease("", "t");
		mem_fail_at(nth);
		leader_look_start(&look, on_done);
		t_run_until(&l, n_done == 1);
		mem_fail_at(-1);
		cr_assert(!look.is_led);
		close_api();
	}
	T_LSAN();
}
