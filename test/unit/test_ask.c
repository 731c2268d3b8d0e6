#include <criterion/criterion.h>
#include <string.h>

#include "nvme/ask.h"

static uint8_t connect_pdu[ASK_CONNECT_SIZE];

static void make(const char *nqn)
{
	struct ask_connect c = { .nqn = nqn, .host_nqn = "nqn.2014-08.org:host" };

	memset(c.host_id, 0xa5, sizeof(c.host_id));
	ask_connect(&c, connect_pdu);
}

/* Offsets by hand from the specifications, not from the code. */
Test(ask, connect_is_a_capsule_with_its_data)
{
	make("nqn.2000-02.com.mikrotik:pvc-1");
	cr_assert_eq(connect_pdu[0], 0x04);
	cr_assert_eq(connect_pdu[2], 72);
	cr_assert_eq(connect_pdu[3], 72);
	cr_assert_eq(connect_pdu[4] | connect_pdu[5] << 8, 72 + 1024);
	cr_assert_eq(connect_pdu[8], 0x7f);
	cr_assert_eq(connect_pdu[8 + 4], 0x01);
	cr_assert_eq(connect_pdu[8 + 39], 0x01);
	cr_assert_eq(connect_pdu[72], 0xa5);
	cr_assert_eq(connect_pdu[72 + 16], 0xff);
	cr_assert_str_eq((const char *)connect_pdu + 72 + 256,
			 "nqn.2000-02.com.mikrotik:pvc-1");
	cr_assert_str_eq((const char *)connect_pdu + 72 + 512, "nqn.2014-08.org:host");
}

Test(ask, a_name_too_long_stays_in_its_field)
{
	char nqn[400];

	memset(nqn, 'x', sizeof(nqn) - 1);
	nqn[sizeof(nqn) - 1] = '\0';
	make(nqn);
	cr_assert_eq(strlen((const char *)connect_pdu + 72 + 256), 223);
}

Test(ask, init_is_answered_in_kind)
{
	uint8_t pdu[ASK_INIT_SIZE];

	ask_init(pdu);
	cr_assert(!ask_init_is_answer(pdu), "our own question");
	pdu[0] = 0x01;
	cr_assert(ask_init_is_answer(pdu));
	pdu[11] = 1;
	cr_assert(!ask_init_is_answer(pdu), "digests that we did not ask for");
	memset(pdu, 'H', sizeof(pdu));
	cr_assert(!ask_init_is_answer(pdu), "text");
}

static enum ask_answer with(unsigned status, uint32_t result)
{
	uint8_t in[ASK_ANSWER_SIZE] = { 0x05, 0, 24, 0, 24 };

	memcpy(in + 8, &result, 4); /* the tests' machines are little-endian */
	in[22] = (uint8_t)(status << 1);
	in[23] = (uint8_t)(status >> 7);
	return ask_answer(in);
}

/* 0x4182: do not retry, command specific, Connect Invalid Parameters. */
Test(ask, only_an_unknown_subsystem_is_unknown)
{
	cr_assert_eq(with(0, 0), ASK_ACCEPTED);
	cr_assert_eq(with(0x4182, 0x10100), ASK_UNKNOWN_NQN);
	cr_assert_eq(with(0x4182, 0x10010), ASK_REFUSED, "the controller id");
	cr_assert_eq(with(0x4182, 0x00100), ASK_REFUSED, "a field of the command");
	cr_assert_eq(with(0x0182, 0x10100), ASK_REFUSED, "may be retried");
	cr_assert_eq(with(0x4184, 0x10200), ASK_REFUSED, "the host is not allowed");
	cr_assert_eq(with(0x4082, 0x10100), ASK_REFUSED, "another status type");
}

Test(ask, garbage_is_garbage)
{
	uint8_t in[ASK_ANSWER_SIZE];

	memset(in, 0, sizeof(in));
	cr_assert_eq(ask_answer(in), ASK_GARBAGE);
	memset(in, 0xff, sizeof(in));
	cr_assert_eq(ask_answer(in), ASK_GARBAGE);
}
