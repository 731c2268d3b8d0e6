#ifndef NVME_BACKEND_H
#define NVME_BACKEND_H
#include "nvme/request.h"

/* What the implementations of the port share: each embeds a struct backend as its first
 * member and fills in start, look and its own commands. The rest of a struct nvme_ops
 * are the functions below. */
struct backend {
	struct nvme nvme;
	struct request_host host;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static inline struct backend *backend_of(struct nvme *nvme)
{
	return CONTAINER_OF(nvme, struct backend, nvme);
}

void backend_start(struct nvme *nvme, struct nvme_req *req, void (*done)(struct op *op));
int backend_record_read(struct nvme *nvme, const char *id, struct nvme_record *ret,
			struct err *err);
int backend_record_write(struct nvme *nvme, const char *id, const struct nvme_record *rec,
			 struct err *err);
int backend_record_forget(struct nvme *nvme, const char *id, struct err *err);
int backend_check_options(const char *const *options, struct err *err);
unsigned backend_n_stuck(struct nvme *nvme);
const char *backend_stuck(struct nvme *nvme, const char *id);
int backend_records(struct nvme *nvme, bool (*each)(void *arg, const char *id), void *arg,
		    struct err *err);

/* Frees the implementation, whose first member it is, then calls stopped, from the loop.
 */
void backend_stop(struct backend *b, void (*stopped)(void *arg), void *arg);
#endif
