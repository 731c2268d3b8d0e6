#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H
#include <stdint.h>

/* Exponential back-off with jitter. Pure: the caller supplies the random number. */
struct backoff {
	uint32_t base_ms, max_ms;
	unsigned failures; /* in a row */
};

void backoff_init(struct backoff *b, uint32_t base_ms, uint32_t max_ms);
/* One failure more: the time to wait before the next try. The step doubles from base_ms
 * up to max_ms; the wait lies in its upper half, so that many clients spread out and
 * none hammers. random is any 32-bit number. */
uint32_t backoff_next_ms(struct backoff *b, uint32_t random);
void backoff_reset(struct backoff *b);
#endif
