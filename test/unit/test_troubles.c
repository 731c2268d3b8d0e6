#include "support/t.h"

#include <stdio.h>

#include "csi/controller/troubles.h"

Test(troubles, each_is_there_once_and_taken_once)
{
	struct troubles t;

	troubles_init(&t);
	cr_assert(!troubles_remove(&t, "a"));
	troubles_add(&t, "a");
	troubles_add(&t, "a");
	troubles_add(&t, "b");
	cr_assert(troubles_remove(&t, "a") && !troubles_remove(&t, "a"));
	troubles_clear(&t);
	cr_assert(!troubles_remove(&t, "b"));
	troubles_add(&t, "c");
	troubles_clear(&t);
	cr_assert_eq(mem_live(), 0);
}

Test(troubles, are_bounded_and_do_without_memory)
{
	struct troubles t;
	char id[32];

	troubles_init(&t);
	for (unsigned i = 0; i < TROUBLES_MAX + 5; i++) {
		snprintf(id, sizeof(id), "v%u", i);
		troubles_add(&t, id);
	}
	cr_assert_eq(t.ids.count, TROUBLES_MAX);
	cr_assert(!troubles_remove(&t, id));
	troubles_clear(&t);
	for (long nth = 0; nth < 5; nth++) {
		mem_fail_at(nth);
		troubles_add(&t, "a");
		mem_fail_at(-1);
		troubles_clear(&t);
		cr_assert_eq(mem_live(), 0);
	}
}
