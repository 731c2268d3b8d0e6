#include "nvme/track.h"

enum { WORDS = TRACK_BLOCK / 8, LAST = WORDS - 1 };

/* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators). */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t sum(const uint64_t *block)
{
	uint64_t s = 0;

	for (unsigned i = 0; i < LAST; i++)
		s = mix(s ^ block[i]);
	return s;
}

void track_fill(uint64_t *block, uint64_t seed, unsigned writer, uint64_t number)
{
	block[0] = seed;
	block[1] = writer;
	block[2] = number;
	for (unsigned i = 3; i < LAST; i++)
		block[i] = mix(seed ^ (number << 16) ^ i);
	block[LAST] = sum(block);
}

uint64_t track_number(const uint64_t *block, uint64_t seed, unsigned writer)
{
	if (block[0] != seed || block[1] != writer || block[LAST] != sum(block))
		return 0;
	return block[2] + 1;
}

uint64_t track_offset(unsigned writer, uint64_t number)
{
	return TRACK_BASE +
	       ((uint64_t)writer * TRACK_SLOTS + number % TRACK_SLOTS) * TRACK_BLOCK;
}
