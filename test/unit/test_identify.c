#include "nvme/identify.h"

#include <string.h>

#include "core/rand.h"
#include "support/t.h"

static uint8_t data[IDENTIFY_SIZE];
static char id[NVME_UUID_MAX + 1];

Test(identify, the_size_is_blocks_by_the_format_in_use)
{
	data[0] = 0x10; /* 0x10010 blocks */
	data[2] = 1;
	data[128 + 2] = 9;
	data[128 + 4 + 2] = 12;
	cr_assert_eq(identify_size(data), UINT64_C(0x10010) * 512);
	data[26] = 1;
	cr_assert_eq(identify_size(data), UINT64_C(0x10010) * 4096);
	data[26] = 1 | 1 << 4;
	cr_assert_eq(identify_size(data), UINT64_C(0x10010) * 4096, "bit 4 is another's");
	data[26] = 1 | 1 << 5;
	data[128 + 4 * 17 + 2] = 10;
	cr_assert_eq(identify_size(data), UINT64_C(0x10010) * 1024);
}

Test(identify, what_makes_no_sense_has_no_size)
{
	cr_assert_eq(identify_size(data), 0, "not active");
	data[0] = 1;
	cr_assert_eq(identify_size(data), 0, "blocks of one byte");
	data[128 + 2] = 8;
	cr_assert_eq(identify_size(data), 0);
	data[128 + 2] = 255;
	cr_assert_eq(identify_size(data), 0);
	data[128 + 2] = 12;
	data[7] = 0x10;
	cr_assert_eq(identify_size(data), 0, "more bytes than can be counted");
}

static size_t put(size_t at, uint8_t type, uint8_t n, uint8_t first)
{
	data[at] = type;
	data[at + 1] = n;
	for (unsigned i = 0; i < n; i++)
		data[at + 4 + i] = (uint8_t)(first ? first + i : 0);
	return at + 4 + n;
}

Test(identify, the_uuid_wins)
{
	size_t at = put(0, 1, 8, 0x40); /* EUI64 */

	at = put(at, 2, 16, 0xa0);
	identify_ns_id(data, id);
	cr_assert_str_eq(id, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
	put(at, 3, 16, 0x10);
	identify_ns_id(data, id);
	cr_assert_str_eq(id, "10111213-1415-1617-1819-1a1b1c1d1e1f");
}

Test(identify, zeroes_and_odd_lengths_are_no_id)
{
	identify_ns_id(data, id);
	cr_assert_str_eq(id, "");
	put(put(0, 3, 16, 0), 3, 15, 7);
	identify_ns_id(data, id);
	cr_assert_str_eq(id, "");
}

Test(identify, any_bytes_end)
{
	for (unsigned round = 0; round < 2000; round++) {
		rand_bytes(data, sizeof(data));
		for (unsigned i = 0; i < 400; i++)
			data[i * 10 + 1] %= 32;
		identify_ns_id(data, id);
		cr_assert_leq(strlen(id), NVME_UUID_MAX);
		(void)identify_size(data);
	}
	/* An id that would end behind the data. */
	memset(data, 0, sizeof(data));
	for (size_t at = 0; at + 20 <= IDENTIFY_SIZE;)
		at = put(at, 9, 16, 1);
	data[IDENTIFY_SIZE - 16] = 3;
	data[IDENTIFY_SIZE - 15] = 16;
	identify_ns_id(data, id);
	cr_assert_str_eq(id, "");
}

Test(identify, the_first_of_the_active_namespaces)
{
	memcpy(data, (const uint8_t[]){ 0x02, 0x01, 0, 0x80, 7 }, 5);
	cr_assert_eq(identify_first_nsid(data), 0x80000102);
	memset(data, 0, sizeof(data));
	cr_assert_eq(identify_first_nsid(data), 0);
}
