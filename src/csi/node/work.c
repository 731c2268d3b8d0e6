#include "csi/node/work.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "csi/ids.h"
#include "csi/node/event.h"

int node_work_read_record(struct node_work *w, const char *id, struct err *err)
{
	struct nvme *nvme = w->rpc.csi->nvme;
	struct err e = { .code = ERR_OK };

	w->has_record = nvme->ops->record_read(nvme, id, &w->record, &e) == 0;
	if (w->has_record || e.code == ERR_NOT_FOUND)
		return 0;
	*err = e;
	return -1;
}

int node_work_write_record(struct node_work *w, const char *id, struct err *err)
{
	struct nvme *nvme = w->rpc.csi->nvme;

	if (nvme->ops->record_write(nvme, id, &w->record, err))
		return -1;
	w->record.is_this_boot = true;
	w->has_record = true;
	return 0;
}

int node_work_look(struct node_work *w, const struct node_place *at, struct err *err)
{
	struct nvme *nvme = w->rpc.csi->nvme;
	bool is_recent = w->has_record && w->record.is_this_boot;
	struct nvme_query q = { .id = at->id,
				.nqn = at->nqn,
				.base_nqn = w->base_nqn,
				.source = "",
				.path = at->path,
				.besides = at->besides,
				.is_staging = at->is_staging };

	if (!q.nqn)
		q.nqn = w->has_record ? w->record.nqn : "";
	if (is_recent && w->record.staging[0])
		q.recorded = w->record.staging;
	id_base_nqn(at->id, w->base_nqn);
	if (w->has_record && strcmp(q.nqn, w->record.nqn) == 0)
		q.source = w->record.source;
	return nvme->ops->look(nvme, &q, &w->view, err);
}

int node_work_check_stuck(const struct node_work *w, const char *id, struct err *err)
{
	struct nvme *nvme = w->rpc.csi->nvme;
	const char *what = nvme->ops->stuck(nvme, id);

	return what[0] ? err_set(err, ERR_ABORTED,
				 "stuck: a child does not come back from the kernel "
				 "(%.60s)",
				 what)
		       : 0;
}

struct nvme_req *node_work_prepare(struct node_work *w, enum nvme_kind kind,
				   const char *id)
{
	w->req = (struct nvme_req){
		.kind = kind,
		.id = id,
		.nqn = w->view.nqn[0] ? w->view.nqn : w->record.nqn,
		.base_nqn = w->base_nqn,
		.source = w->view.source,
		.device = w->view.device,
	};
	return &w->req;
}

void node_work_expect_content(struct node_work *w)
{
	if (!w->has_record || w->record.is_block || !w->record.was_mounted)
		return;
	w->req.fs_type = w->record.fs_type;
	w->req.fs_uuid = w->record.fs_uuid;
}

static void on_request(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct node_work, req.op)->rpc.op);
}

void node_work_go(struct node_work *w)
{
	op_ref(&w->rpc.op);
	nvme_start(w->rpc.csi->nvme, &w->req, on_request);
	if (!op_failed(&w->rpc.op))
		op_set_deadline(&w->req.op, w->rpc.op.deadline_ms);
}

bool node_work_failed(struct node_work *w)
{
	struct err err = w->req.op.err;

	if (err.code != ERR_OK && w->req.is_stuck) {
		(void)err_wrap(&err, "stuck");
		node_event(w->req.id, NODE_EVENT_STUCK, err.msg);
	}
	op_fail_err(&w->rpc.op, &err);
	return op_failed(&w->rpc.op);
}

void node_work_abort(struct node_work *w, const struct err *why)
{
	struct err *err = &w->rpc.op.err;

	(void)err_wrap(err, "not undone (%.60s)", why->msg);
	err->code = ERR_ABORTED;
}

void node_work_interrupt(struct op *op)
{
	op_cancel(&node_work_of(op)->req.op, op->err.code);
}

enum node_file node_file_at(const char *path, const struct nvme_device *dev)
{
	struct stat st;

	if (lstat(path, &st) || !S_ISBLK(st.st_mode))
		return NODE_FILE_NONE;
	return dev->path[0] && st.st_rdev == makedev(dev->major, dev->minor)
		       ? NODE_FILE_SAME
		       : NODE_FILE_OTHER;
}

/* ---- request fields ---- */

static bool is_dots(const char *component, size_t n)
{
	return (n == 1 && component[0] == '.') ||
	       (n == 2 && component[0] == '.' && component[1] == '.');
}

int node_path_check(const char *path, const char *field, struct err *err)
{
	if (path[0] != '/' || strlen(path) > NVME_PATH_MAX)
		return err_set(err, ERR_INVALID, "%s must be absolute and below %d bytes",
			       field, NVME_PATH_MAX + 1);
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return err_set(err, ERR_INVALID, "%s holds a control character",
				       field);
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (is_dots(p, n))
			return err_set(err, ERR_INVALID,
				       "%s holds a \".\" or \"..\" component", field);
		p += n + (p[n] == '/');
	}
	if (path[strspn(path, "/")] == '\0')
		return err_set(err, ERR_INVALID, "%s is the root directory", field);
	return 0;
}

/* out keeps room for the terminating NUL; a result that would be too long is given up. */
static bool join(const char *parent, const char *name, char out[NVME_PATH_MAX + 1])
{
	size_t n = strcmp(parent, "/") == 0 ? 0 : strlen(parent), m = strlen(name);

	if (n + 1 + m > NVME_PATH_MAX)
		return false;
	memcpy(out, parent, n);
	out[n] = '/';
	memcpy(out + n + 1, name, m + 1);
	return true;
}

void node_path_canonical(const char *path, char out[NVME_PATH_MAX + 1])
{
	char copy[NVME_PATH_MAX + 1], parent[PATH_MAX];
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		n--;
	memcpy(copy, path, n);
	copy[n] = '\0';
	memcpy(out, copy, n + 1);
	slash = strrchr(copy, '/');
	*slash = '\0';
	if (realpath(copy[0] ? copy : "/", parent))
		(void)join(parent, slash + 1, out);
}
