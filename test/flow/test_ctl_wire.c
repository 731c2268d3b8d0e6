#include "fakes/ctl_two_wire.h"

#include "fakes/ctl_two.h"
#include "fakes/ctl_two_peace.h"

/* The world of test_ctl_two over real connections: lists in pages, watches with bookmarks
 * and ends, requests that cross. Some hundred steps as a rule; with E2E_FULL=1 the whole
 * ten thousand. CTL_SEED=N makes the same choices again, at full length; which turn an
 * answer comes in is the kernel's part. */
static unsigned long number_of(const char *name, unsigned long without)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 10) : without;
}

Test(ctl_wire, never_two_writers_and_nothing_stuck)
{
	bool is_full = number_of("E2E_FULL", 0) == 1;
	unsigned long first = number_of("CTL_SEED", 1);
	unsigned long last = getenv("CTL_SEED") ? first : is_full ? 4 : 2;
	unsigned steps = is_full || getenv("CTL_SEED") ? 2500 : 600;

	for (unsigned long seed = first; seed <= last; seed++) {
		open_world(seed);
		run(steps);
		cr_assert_str_eq(w->violation, "", "CTL_SEED=%lu, call %u: %s", seed,
				 w->n_calls, w->violation);
		fprintf(stderr,
			"seed %lu: %u calls, %u grants, %u kills, %u fences, %u forced, "
			"%u moves, %u requests, %u watches\n",
			seed, w->n_calls, w->n_grants, w->n_kills, w->n_fences,
			w->n_forced, w->n_moves, w->cluster.sim.n_requests,
			w->cluster.sim.n_watches);
		/* It must not hold in an empty world only. */
		cr_assert_gt(w->n_grants, steps / 20);
		cr_assert_gt(w->n_kills, steps / 60);
		cr_assert_gt(w->n_fences, steps / 100);
		cr_assert_gt(w->n_moves, steps / 100);
		expect_nothing_stuck();
		cr_assert_str_eq(w->violation, "", "CTL_SEED=%lu: %s", seed,
				 w->violation);
		close_world();
	}
}

/* The model can fail: with a box that does not compare the nonce it does. */
Test(ctl_wire, without_the_nonce_it_breaks)
{
	bool is_broken = false;

	for (unsigned long seed = 2; seed <= 7 && !is_broken; seed++) {
		open_world(seed);
		w->box.ignores_nonce = true;
		run(2500);
		is_broken = *w->violation != '\0';
		close_world();
	}
	cr_assert(is_broken);
}
