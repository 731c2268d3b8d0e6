#include "support/t.h"

#include <string.h>

#include "csi/inflight.h"

Test(inflight, the_second_one_is_told_what_runs)
{
	struct inflight a = { .map = NULL }, b = { .map = NULL }, c = { .map = NULL };
	struct map m;
	struct err e = { .code = ERR_OK };

	map_init(&m);
	cr_assert_eq(inflight_enter(&m, &a, "pvc-1", "CreateVolume", &e), 0);
	cr_assert_eq(inflight_enter(&m, &b, "pvc-1", "DeleteVolume", &e), -1);
	cr_assert_eq(e.code, ERR_ABORTED);
	cr_assert_str_eq(e.msg, "CreateVolume of this volume is still running");
	cr_assert_eq(inflight_enter(&m, &c, "pvc-2", "DeleteVolume", &e), 0);
	inflight_leave(&b); /* never entered: the first keeps its place */
	cr_assert_eq(inflight_enter(&m, &b, "pvc-1", "DeleteVolume", &e), -1);
	inflight_leave(&a);
	inflight_leave(&a);
	cr_assert_eq(inflight_enter(&m, &b, "pvc-1", "DeleteVolume", &e), 0);
	inflight_leave(&b);
	inflight_leave(&c);
	cr_assert_eq(m.count, 0);
	map_fini(&m);
}

Test(inflight, lack_of_memory_is_no_conflict)
{
	struct inflight a = { .map = NULL };
	struct map m;
	struct err e = { .code = ERR_OK };

	map_init(&m);
	mem_fail_at(0);
	cr_assert_eq(inflight_enter(&m, &a, "pvc-1", "CreateVolume", &e), -1);
	mem_fail_at(-1);
	cr_assert_eq(e.code, ERR_EXHAUSTED);
	inflight_leave(&a);
	cr_assert_eq(inflight_enter(&m, &a, "pvc-1", "CreateVolume", &e), 0);
	inflight_leave(&a);
	map_fini(&m);
	cr_assert_eq(mem_live(), 0);
}
