#ifndef CSI_GRPC_WIRE_H
#define CSI_GRPC_WIRE_H
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

/* The gRPC part of the wire (grpc/doc/PROTOCOL-HTTP2.md), pure: the grpc-timeout header,
 * the percent-encoding of grpc-message and the 5-byte prefix before each message. */
enum {
	WIRE_PREFIX = 5,
	WIRE_TIMEOUT_MAX_MS = 600 * 1000, /* longer ones are cut to this */
	WIRE_TIMEOUT_TEXT = 10,		  /* 8 digits, unit, NUL */
	WIRE_STATUS_TEXT_MAX = 2048	  /* grpc-go is going to take 8 KiB of headers */
};

/* 1 to 8 digits and one of H M S m u n. Rounded up to milliseconds, so that only a zero
 * gives 0. 0, or -1 when malformed. */
int wire_parse_timeout(const char *s, uint64_t *ret_ms);
void wire_format_timeout(uint64_t ms, char out[WIRE_TIMEOUT_TEXT]);

/* Bytes outside 0x20..0x7e and '%' become %XX. What does not fit into size - 1 bytes is
 * cut, never inside an escape or a UTF-8 character. Returns the length. */
size_t wire_encode_text(const char *s, char *out, size_t size);
/* The reverse; a malformed escape is kept as it stands. Cut at size - 1 bytes. */
size_t wire_decode_text(const char *s, char *out, size_t size);

void wire_put_prefix(uint8_t out[WIRE_PREFIX], uint32_t len);

/* Takes the body of a unary message, in pieces of any size. */
struct wire_frame {
	struct buf message; /* owned */
	uint8_t prefix[WIRE_PREFIX];
	unsigned n_prefix;
	uint32_t len;	 /* of the message, once the prefix is there */
	bool is_encoded; /* set by the caller: grpc-encoding is not identity */
};

void wire_frame_init(struct wire_frame *f, bool is_encoded);
void wire_frame_fini(struct wire_frame *f); /* accepts a zeroed struct */
/* -1: RESOURCE_EXHAUSTED when larger than GRPC_MAX_MESSAGE, known from the prefix alone;
 * UNIMPLEMENTED when compressed; INTERNAL for a wrong flag or bytes behind the message,
 * as grpc-go. Must not be fed again after an error. */
int wire_frame_feed(struct wire_frame *f, const uint8_t *p, size_t n, struct err *err);
/* The body is over: 0 when it held exactly one message, else INTERNAL. */
int wire_frame_end(const struct wire_frame *f, struct err *err);
#endif
