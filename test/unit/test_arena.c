#include "support/t.h"

#include <stdalign.h>
#include <string.h>

#include "core/arena.h"

Test(arena, gives_aligned_zeroed_memory_that_does_not_overlap)
{
	static unsigned char *p[500];
	struct arena a;

	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < 500; i++) {
		p[i] = arena_alloc(&a, i);
		cr_assert_not_null(p[i]);
		cr_assert_eq((uintptr_t)p[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < i; k++)
			cr_assert_eq(p[i][k], 0);
		memset(p[i], (int)i, i);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t k = 0; k < i; k++)
			cr_assert_eq(p[i][k], (unsigned char)i);
	arena_fini(&a);
	cr_assert_eq(mem_live(), 0);
}

Test(arena, stops_at_its_maximum)
{
	struct arena a;

	arena_init(&a, 1000);
	cr_assert_null(arena_alloc(&a, 1001));
	cr_assert_null(arena_alloc(&a, SIZE_MAX));
	cr_assert_null(arena_alloc(&a, SIZE_MAX - 8));
	cr_assert_not_null(arena_alloc(&a, 900));
	cr_assert_null(arena_alloc(&a, 101));
	cr_assert_not_null(arena_alloc(&a, 16));
	arena_fini(&a);
	arena_fini(&a);
	cr_assert_eq(mem_live(), 0);
}

Test(arena, takes_few_chunks_for_many_objects)
{
	struct arena a;

	arena_init(&a, 16 << 20);
	for (int i = 0; i < 10000; i++)
		cr_assert_not_null(arena_alloc(&a, 100));
	cr_assert_lt(mem_live(), 30);
	arena_fini(&a);
}

Test(arena, copies_text)
{
	struct arena a;

	arena_init(&a, 1000);
	cr_assert_str_eq(arena_strdup(&a, "abc"), "abc");
	cr_assert_str_eq(arena_strndup(&a, "abc", 2), "ab");
	cr_assert_str_eq(arena_strndup(&a, "abc", 9), "abc");
	cr_assert_str_eq(arena_printf(&a, "%s=%d", "k", 5), "k=5");
	cr_assert_null(arena_printf(&a, "%01000d", 1));
	arena_fini(&a);
}

Test(arena, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS({
		struct arena a;
		unsigned n = 0;

		arena_init(&a, 1 << 20);
		for (int i = 0; i < 100; i++)
			n += arena_alloc(&a, 1000) != NULL;
		cr_assert_geq(n, 1);
		arena_fini(&a);
		cr_assert_eq(mem_live(), 0);
	});
}
