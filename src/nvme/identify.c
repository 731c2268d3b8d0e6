#include "nvme/identify.h"

#include <stddef.h>
#include <stdio.h>

enum {
	FLBAS = 26,
	LBAF = 128,
	N_LBAF = 64,
	MIN_SHIFT = 9,
	MAX_SHIFT = 30,
	HEAD = 4, /* of a descriptor: type, length, two reserved */
	TYPE_NGUID = 2,
	TYPE_UUID = 3,
	ID_SIZE = 16,
};

static uint64_t le64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

uint64_t identify_size(const uint8_t data[IDENTIFY_SIZE])
{
	/* Bits 3:0, and above them bits 6:5. */
	unsigned format = (data[FLBAS] & 15u) | (data[FLBAS] >> 5 & 3u) << 4;
	unsigned shift = data[LBAF + 4 * format + 2];
	uint64_t n = le64(data);

	if (shift < MIN_SHIFT || shift > MAX_SHIFT || n > UINT64_MAX >> shift)
		return 0;
	return n << shift;
}

uint32_t identify_first_nsid(const uint8_t data[IDENTIFY_SIZE])
{
	return (uint32_t)le64(data);
}

static bool is_set(const uint8_t id[ID_SIZE])
{
	for (unsigned i = 0; i < ID_SIZE; i++)
		if (id[i])
			return true;
	return false;
}

static void print(const uint8_t id[ID_SIZE], bool has_dashes, char *out)
{
	for (unsigned i = 0; i < ID_SIZE; i++) {
		if (has_dashes && (i == 4 || i == 6 || i == 8 || i == 10))
			*out++ = '-';
		(void)snprintf(out, 3, "%02x", id[i]);
		out += 2;
	}
}

void identify_ns_id(const uint8_t data[IDENTIFY_SIZE], char out[NVME_UUID_MAX + 1])
{
	const uint8_t *nguid = NULL;
	size_t at = 0;

	out[0] = '\0';
	while (at + HEAD + ID_SIZE <= IDENTIFY_SIZE && data[at + 1]) {
		const uint8_t *d = data + at;
		bool has_id = d[1] == ID_SIZE && is_set(d + HEAD);

		if (d[0] == TYPE_UUID && has_id) {
			print(d + HEAD, true, out);
			return;
		}
		if (d[0] == TYPE_NGUID && has_id)
			nguid = d + HEAD;
		at += HEAD + d[1];
	}
	if (nguid)
		print(nguid, false, out);
}
