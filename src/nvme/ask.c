#include "nvme/ask.h"

#include <string.h>

/* PDU types, and offsets in the common header of 8 bytes. */
enum { PDU_ICREQ = 0, PDU_ICRESP = 1, PDU_COMMAND = 4, PDU_RESPONSE = 5 };
enum { AT_TYPE = 0, AT_HEADER_LENGTH = 2, AT_DATA_OFFSET = 3, AT_LENGTH = 4 };
/* Offsets in ICResp. */
enum { AT_FORMAT = 8, AT_DIGESTS = 11 };
/* Offsets in the submission queue entry, which follows the common header. */
enum { AT_SQE = 8, OPCODE_FABRICS = 0x7f, TYPE_CONNECT = 1, SGL_IN_CAPSULE = 0x01 };
enum { DATA = 72, DATA_SIZE = 1024, AT_CNTLID = 16, AT_NQN = 256, AT_HOST = 512 };
/* Offsets in CapsuleResp: the completion queue entry follows the common header. */
enum { AT_RESULT = 8, AT_STATUS = 22 };
/* Status: phase bit, code, type, …, do not retry. */
enum { SC_INVALID_PARAMETERS = 0x82, SCT_COMMAND = 1, QUEUE_ENTRIES = 32 };
enum { NQN_MAX = 223 };

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

static unsigned get16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static void head(uint8_t *p, unsigned type, unsigned header_length, uint32_t length)
{
	p[AT_TYPE] = (uint8_t)type;
	p[AT_HEADER_LENGTH] = (uint8_t)header_length;
	put32(p + AT_LENGTH, length);
}

void ask_init(uint8_t out[ASK_INIT_SIZE])
{
	memset(out, 0, ASK_INIT_SIZE);
	head(out, PDU_ICREQ, ASK_INIT_SIZE, ASK_INIT_SIZE);
}

bool ask_init_is_answer(const uint8_t in[ASK_INIT_SIZE])
{
	return in[AT_TYPE] == PDU_ICRESP && in[AT_HEADER_LENGTH] == ASK_INIT_SIZE &&
	       get32(in + AT_LENGTH) == ASK_INIT_SIZE && get16(in + AT_FORMAT) == 0 &&
	       in[AT_DIGESTS] == 0;
}

/* The name's field has 256 bytes and is zeroed. */
static void put_name(uint8_t *p, const char *name)
{
	size_t n = strnlen(name, NQN_MAX);

	memcpy(p, name, n);
}

/* An admin queue that asks for any controller, without a keep-alive. */
void ask_connect(const struct ask_connect *c, uint8_t out[ASK_CONNECT_SIZE])
{
	uint8_t *sqe = out + AT_SQE, *data = out + DATA;

	memset(out, 0, ASK_CONNECT_SIZE);
	head(out, PDU_COMMAND, DATA, ASK_CONNECT_SIZE);
	out[AT_DATA_OFFSET] = DATA;
	sqe[0] = OPCODE_FABRICS;
	sqe[1] = 0x40; /* PSDT: an SGL */
	sqe[4] = TYPE_CONNECT;
	put32(sqe + 32, DATA_SIZE);
	sqe[39] = SGL_IN_CAPSULE;
	put16(sqe + 44, QUEUE_ENTRIES - 1);
	memcpy(data, c->host_id, ASK_ID_SIZE);
	put16(data + AT_CNTLID, 0xffff);
	put_name(data + AT_NQN, c->nqn);
	put_name(data + AT_HOST, c->host_nqn);
}

enum ask_answer ask_answer(const uint8_t in[ASK_ANSWER_SIZE])
{
	unsigned status = get16(in + AT_STATUS) >> 1;
	unsigned code = status & 0xff, type = status >> 8 & 7;
	bool is_final = status >> 14 & 1;

	if (in[AT_TYPE] != PDU_RESPONSE || in[AT_HEADER_LENGTH] != ASK_ANSWER_SIZE ||
	    get32(in + AT_LENGTH) != ASK_ANSWER_SIZE)
		return ASK_GARBAGE;
	if (code == 0 && type == 0)
		return ASK_ACCEPTED;
	/* The result says which field: bit 16 = of the data, and its offset. */
	if (type == SCT_COMMAND && code == SC_INVALID_PARAMETERS && is_final &&
	    get32(in + AT_RESULT) == (1u << 16 | AT_NQN))
		return ASK_UNKNOWN_NQN;
	return ASK_REFUSED;
}
