#ifndef NVME_ASK_H
#define NVME_ASK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One question to an NVMe/TCP target, without the kernel: does it know this NQN? The
 * kernel's own connect says plain EIO for that and for any other refusal (kernel 6.1,
 * 6.12), and a success would join a second path to a device in use. So the helper opens a
 * connection of its own, sends Fabrics Connect, reads the answer and closes.
 * Pure: bytes out, bytes in. Sources: NVMe/TCP Transport Specification 1.0, 3.6 (ICReq,
 * ICResp, CapsuleCmd, CapsuleResp); NVMe over Fabrics 1.1, 3.3 (Connect). */
enum {
	ASK_INIT_SIZE = 128,	      /* ICReq and ICResp */
	ASK_CONNECT_SIZE = 72 + 1024, /* CapsuleCmd with the data of Connect in it */
	ASK_ANSWER_SIZE = 24,	      /* CapsuleResp */
	ASK_ID_SIZE = 16,
};

void ask_init(uint8_t out[ASK_INIT_SIZE]);
/* Whether it is an ICResp of our format, without digests. */
bool ask_init_is_answer(const uint8_t in[ASK_INIT_SIZE]);

struct ask_connect {
	const char *nqn, *host_nqn; /* at most 223 bytes */
	uint8_t host_id[ASK_ID_SIZE];
};
void ask_connect(const struct ask_connect *c, uint8_t out[ASK_CONNECT_SIZE]);

/* For how long a name must be refused at least before that counts as for good. */
enum { ASK_SETTLE_MAX_MS = 60000 };

enum ask_answer {
	ASK_GARBAGE,
	ASK_ACCEPTED,
	ASK_UNKNOWN_NQN, /* no such subsystem here, and never retry */
	ASK_REFUSED,	 /* for another reason, such as the host's name */
};
enum ask_answer ask_answer(const uint8_t in[ASK_ANSWER_SIZE]);
#endif
