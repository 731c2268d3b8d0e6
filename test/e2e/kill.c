#include "e2e/kill.h"

#include "e2e/child.h"

void kill_arm(struct life *l, enum crash_how how)
{
	l->crash->fired = 0;
	__atomic_store_n(&l->crash->how, (uint32_t)how, __ATOMIC_RELEASE);
}

/* Whether it has come to the kill, which then happens if it has not yet. */
static bool disarm(struct life *l)
{
	return __atomic_exchange_n(&l->crash->how, (uint32_t)CRASH_OFF,
				   __ATOMIC_ACQ_REL) == CRASH_OFF;
}

static uint32_t has_fired(struct life *l)
{
	return __atomic_load_n(&l->crash->fired, __ATOMIC_ACQUIRE);
}

/* The stopped driver's helpers end and the box answers, then it is killed: the effect has
 * happened, its answer was never read. */
static void let_happen_and_kill(struct life *l)
{
	uint64_t end = e2e_now_ms() + 10000;

	while (!child_is_stopped(l->driver.pid) && e2e_now_ms() < end)
		e2e_sleep_ms(1);
	while (child_has_running(l->driver.pid) && e2e_now_ms() < end)
		e2e_sleep_ms(1);
	while (sim_stat(&l->sim, "execs_now") > 0 && e2e_now_ms() < end)
		e2e_sleep_ms(1);
	driver_kill(&l->driver);
}

/* The hook lets the driver live no longer once it has decided, but tells how a little
 * later. */
static bool is_stop(struct life *l)
{
	uint32_t how;

	while (!(how = has_fired(l)))
		e2e_sleep_ms(1);
	return how == CRASH_STOP || how == CRASH_STOP_SPAWNED;
}

bool kill_run(struct life *l, enum vol_step step, enum err_code *ret_code)
{
	struct rpc_call call;
	bool is_hit;

	vol_start(&l->driver, &l->vol, step, &call);
	while (!call.is_done && !has_fired(l))
		rpc_turn(&l->driver, 5);
	/* Some moves come when the call is answered already. */
	for (unsigned i = 0; i < 10 && !has_fired(l); i++)
		rpc_turn(&l->driver, 2);
	is_hit = disarm(l);
	if (is_hit && is_stop(l))
		let_happen_and_kill(l);
	if (is_hit)
		CHECK(driver_is_gone(&l->driver, 60000), "the driver did not die");
	*ret_code = vol_end(&l->driver, &l->vol, step, &call);
	return is_hit;
}

bool kill_come_back(struct life *l)
{
	if (e2e_below(2) && !CHECK(child_wait_orphans(60000), "a helper never ends"))
		return false;
	return driver_start(&l->driver);
}
