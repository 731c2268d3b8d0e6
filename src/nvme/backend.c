#include "nvme/backend.h"

#include "core/mem.h"
#include "nvme/mount_opts.h"

void backend_start(struct nvme *nvme, struct nvme_req *req, void (*done)(struct op *op))
{
	request_start(&backend_of(nvme)->host, req, done);
}

int backend_record_read(struct nvme *nvme, const char *id, struct nvme_record *ret,
			struct err *err)
{
	return record_read(&backend_of(nvme)->host.records, id, ret, err);
}

int backend_record_write(struct nvme *nvme, const char *id, const struct nvme_record *rec,
			 struct err *err)
{
	return record_write(&backend_of(nvme)->host.records, id, rec, err);
}

int backend_record_forget(struct nvme *nvme, const char *id, struct err *err)
{
	return record_forget(&backend_of(nvme)->host.records, id, err);
}

int backend_check_options(const char *const *options, struct err *err)
{
	struct mount_opts *o = mem_alloc(sizeof(*o));
	int rc;

	if (!o)
		return err_nomem(err);
	rc = mount_opts_parse(options, o, err);
	mem_free(o);
	return rc;
}

unsigned backend_n_stuck(struct nvme *nvme)
{
	return backend_of(nvme)->host.children.n_stuck;
}

const char *backend_stuck(struct nvme *nvme, const char *id)
{
	return request_stuck(&backend_of(nvme)->host, id);
}

int backend_records(struct nvme *nvme, bool (*each)(void *arg, const char *id), void *arg,
		    struct err *err)
{
	return record_each(&backend_of(nvme)->host.records, each, arg, err);
}

static void on_stopped(void *arg)
{
	struct backend *b = arg;
	void (*stopped)(void *) = b->stopped;
	void *stopped_arg = b->stopped_arg;

	mem_free(b);
	stopped(stopped_arg);
}

void backend_stop(struct backend *b, void (*stopped)(void *arg), void *arg)
{
	b->stopped = stopped;
	b->stopped_arg = arg;
	proc_registry_stop(&b->host.children, on_stopped, b);
}
