#ifndef CORE_ERR_H
#define CORE_ERR_H

/* An error is a value: fixed size, no heap, so that it can report the lack of memory too.
 * Codes are the gRPC status codes (grpc.io, statuscodes.md): the CSI layer needs no
 * table. */
enum err_code {
	ERR_OK = 0,
	ERR_CANCELLED = 1,
	ERR_UNKNOWN = 2,
	ERR_INVALID = 3,
	ERR_DEADLINE = 4,
	ERR_NOT_FOUND = 5,
	ERR_EXISTS = 6,
	ERR_PERMISSION = 7,
	ERR_EXHAUSTED = 8,
	ERR_PRECONDITION = 9,
	ERR_ABORTED = 10,
	ERR_RANGE = 11,
	ERR_UNIMPLEMENTED = 12,
	ERR_INTERNAL = 13,
	ERR_UNAVAILABLE = 14,
	ERR_DATA_LOSS = 15,
	ERR_UNAUTHENTICATED = 16,
	ERR_N_CODES
};

struct err {
	enum err_code code;
	char msg[240];
};

/* Returns -1, so that a failing function can end with "return err_set(...)". */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts "prefix: " before the message and keeps the code. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ERR_EXHAUSTED, "out of memory". Returns -1. */
int err_nomem(struct err *e);
/* The names in gRPC's spelling, such as "NOT_FOUND" (grpc/doc/statuscodes.md). */
extern const char *const err_names[ERR_N_CODES];
/* "UNKNOWN" for a number outside the enum. */
const char *err_name(enum err_code code);
#endif
