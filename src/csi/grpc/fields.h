#ifndef CSI_GRPC_FIELDS_H
#define CSI_GRPC_FIELDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

/* The header fields of one HTTP message, kept as text and judged by RFC 9113 section 8.
 * Pure. nghttp2's own judge stays off because it refuses (seen with 1.52) :authority
 * values that older clients send on unix sockets: the socket's path, or nothing; the
 * kubelet did before Kubernetes 1.26. */
enum { FIELDS_MAX = 16 * 1024, FIELDS_OVERHEAD = 32 /* RFC 9113 6.5.2, each field */ };

enum fields_kind { FIELDS_REQUEST, FIELDS_RESPONSE, FIELDS_TRAILERS };

struct fields {
	struct buf text; /* owned: lengths, name NUL value NUL, … */
	size_t size;	 /* by the rule of SETTINGS_MAX_HEADER_LIST_SIZE */
	enum fields_kind kind;
	unsigned seen;	       /* pseudo-header fields of this section, bit by index */
	bool has_regular;      /* a pseudo-header may not follow any more */
	bool is_malformed;     /* RFC 9113 8.1.1: to be treated as a stream error */
	bool is_too_large;     /* more than FIELDS_MAX; the rest was dropped */
	bool is_connect;       /* :method CONNECT has mandatory fields of its own */
	bool has_length;       /* content-length was there */
	uint64_t length_bytes; /* its value */
};

struct field {
	const char *name, *value;
	size_t name_len, value_len;
};

void fields_init(struct fields *f);
void fields_fini(struct fields *f); /* accepts a zeroed struct */
/* A section starts: the headers, later perhaps the trailers. Fields of both are kept. */
void fields_begin(struct fields *f, enum fields_kind kind);
/* 0, or -1 when memory is short. What is wrong with the field is noted in f. */
int fields_add(struct fields *f, const struct field *field);
/* The section is over: notes when a mandatory pseudo-header field is missing. */
void fields_end(struct fields *f);
/* The first field of that name, or NULL. */
const char *fields_find(const struct fields *f, const char *name);
unsigned fields_count(const struct fields *f, const char *name);
#endif
