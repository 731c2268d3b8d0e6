#include "core/backoff.h"

void backoff_init(struct backoff *b, uint32_t base_ms, uint32_t max_ms)
{
	*b = (struct backoff){ .base_ms = base_ms, .max_ms = max_ms };
}

uint32_t backoff_next_ms(struct backoff *b, uint32_t random)
{
	uint64_t step = b->base_ms;

	for (unsigned i = 0; i < b->failures && step < b->max_ms; i++)
		step *= 2;
	if (step > b->max_ms)
		step = b->max_ms;
	if (b->failures < UINT32_MAX)
		b->failures++;
	return (uint32_t)(step - random % (step / 2 + 1));
}

void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
