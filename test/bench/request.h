#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H
#include "bench/driver.h"

/* The CSI messages of the measurements, as external-provisioner and external-attacher
 * fill them in. */
const char *request_path(enum driver_rpc rpc);
/* Sets path and msg of a zeroed call; number is the volume's. */
void request_make(enum driver_rpc rpc, size_t number, struct h2_call *call);
void request_make_list(const char *token, struct h2_call *call);
void request_free(struct h2_call *call); /* the message */
/* The entries of a page and its next token; -1 when it cannot be decoded. */
long request_read_list(const struct h2_call *call, char *ret_token, size_t size);
#endif
