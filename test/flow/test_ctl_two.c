#include "fakes/ctl_two_fake.h"

#include "fakes/ctl_two.h"
#include "fakes/ctl_two_peace.h"

Test(ctl_two, never_two_writers_and_nothing_stuck)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		open_world(seed);
		run(2500);
		cr_assert_str_eq(w->violation, "", "seed %llu, call %u: %s",
				 (unsigned long long)seed, w->n_calls, w->violation);
		/* It must not hold in an empty world only. */
		cr_assert_gt(w->n_grants, 200);
		cr_assert_gt(w->n_kills, 50);
		cr_assert_gt(w->n_fences, 30);
		cr_assert_gt(w->n_forced, 10);
		cr_assert_gt(w->n_moves, 30);
		expect_nothing_stuck();
		cr_assert_str_eq(w->violation, "", "seed %llu: %s",
				 (unsigned long long)seed, w->violation);
		close_world();
	}
}
