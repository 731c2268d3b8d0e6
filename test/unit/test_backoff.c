#include "support/t.h"

#include "core/backoff.h"

Test(backoff, doubles_up_to_its_maximum_and_starts_again)
{
	static const uint32_t top[] = { 200, 400, 800, 1600, 3000, 3000, 3000 };
	struct backoff b;

	backoff_init(&b, 200, 3000);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(top) / sizeof(top[0]); i++)
			cr_assert_eq(backoff_next_ms(&b, 0), top[i]);
		backoff_reset(&b);
	}
}

Test(backoff, jitter_stays_in_the_upper_half)
{
	struct backoff b;

	for (uint64_t r = 0; r <= UINT32_MAX; r += 65521 * 97) {
		backoff_init(&b, 1000, 60000);
		uint32_t ms = backoff_next_ms(&b, (uint32_t)r);

		cr_assert(ms >= 500 && ms <= 1000, "%u", ms);
	}
}

Test(backoff, counts_for_ever_without_overflow)
{
	struct backoff b = { .base_ms = 1, .max_ms = UINT32_MAX, .failures = UINT32_MAX };

	cr_assert_eq(backoff_next_ms(&b, 0), UINT32_MAX);
	cr_assert_eq(backoff_next_ms(&b, 0), UINT32_MAX);
}
