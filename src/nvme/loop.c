#include "nvme/loop.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fsio.h"
#include "core/log.h"
#include "core/mem.h"
#include "nvme/backend.h"
#include "nvme/mountinfo.h"
#include "nvme/sysfs.h"
#include "nvme/sysfs_nvme.h"
#include "nvme/traffic.h"

struct nvme_loop {
	struct backend base;
	const char *exports_dir;
};

static struct nvme_loop *loop_of(struct nvme *nvme)
{
	return CONTAINER_OF(nvme, struct nvme_loop, base.nvme);
}

/* ---- what an NQN leads to -------------------------------------------------------------
 */

/* An NQN is a file name here, so none may climb. */
static bool is_file_name(const char *nqn)
{
	return nqn[0] && nqn[0] != '.' && !strchr(nqn, '/');
}

/* 0 and the image's real path, or "" when the NQN is not exported. */
static int resolve(const struct nvme_loop *l, const char *nqn, char *out, size_t size,
		   struct err *err)
{
	char link[PATH_MAX], real[PATH_MAX];
	int n;

	out[0] = '\0';
	if (!is_file_name(nqn))
		return 0;
	n = snprintf(link, sizeof(link), "%s/%s", l->exports_dir, nqn);
	if (n < 0 || (size_t)n >= sizeof(link))
		return err_set(err, ERR_INVALID, "path too long");
	if (!realpath(link, real)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", link, strerror(errno));
	}
	if (strlen(real) >= size)
		return err_set(err, ERR_PRECONDITION, "the image's path is too long");
	memcpy(out, real, strlen(real) + 1);
	return 0;
}

/* ---- looking ---- */

/* Without a record and without an NQN that leads anywhere: the device under the staging
 * mount, when its image bears the volume's name. */
static int find_under(const char *text, const struct nvme_query *q,
		      struct nvme_view *view, struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	struct nvme_device dev;
	int rc;

	if (!e)
		return err_nomem(err);
	rc = mountinfo_top(text, q->path, e, err);
	if (rc > 0 &&
	    sysfs_loop_image("/sys", e->major, e->minor, view->source,
			     sizeof(view->source)) == 0 &&
	    sysfs_is_image_of(view->source, q->id)) {
		rc = sysfs_find_loop("/sys", view->source, &dev, err);
		if (!rc)
			view->device = dev;
	}
	mem_free(e);
	return rc < 0 ? -1 : 0;
}

/* The name under which the volume is exported, or "". */
static void find_name(const struct nvme_loop *l, const char *base,
		      char ret[NVME_NQN_MAX + 1])
{
	DIR *dir = opendir(l->exports_dir);
	struct dirent *e;

	ret[0] = '\0';
	while (dir && !ret[0] && (e = readdir(dir)))
		if (nvme_is_name_of(e->d_name, base) && strlen(e->d_name) <= NVME_NQN_MAX)
			memcpy(ret, e->d_name, strlen(e->d_name) + 1);
	if (dir)
		closedir(dir);
}

static int find_device(const struct nvme_loop *l, const struct nvme_query *q,
		       struct nvme_view *view, struct err *err)
{
	char found[NVME_NQN_MAX + 1] = "";

	if (!q->nqn[0])
		find_name(l, q->base_nqn, found);
	if (resolve(l, q->nqn[0] ? q->nqn : found, view->source, sizeof(view->source),
		    err))
		return -1;
	view->is_exported = view->source[0] != '\0';
	if (!view->is_exported)
		(void)strncat(view->source, q->source, NVME_SOURCE_MAX);
	if (!view->source[0])
		return 0;
	if (sysfs_find_loop("/sys", view->source, &view->device, err))
		return -1;
	if (view->device.path[0])
		memcpy(view->nqn, found, sizeof(view->nqn));
	return 0;
}

static int loop_look(struct nvme *nvme, const struct nvme_query *q, struct nvme_view *ret,
		     struct err *err)
{
	struct buf text;
	int rc;

	*ret = (struct nvme_view){ .is_exported = false };
	if (find_device(loop_of(nvme), q, ret, err))
		return -1;
	buf_init(&text, MOUNTINFO_MAX);
	rc = fsio_read("/proc/self/mountinfo", &text, err);
	if (!rc && !ret->source[0] && q->is_staging)
		rc = find_under(text.data, q, ret, err);
	if (!rc)
		rc = mountinfo_view(text.data, q, NULL, ret, err);
	buf_fini(&text);
	return rc;
}

/* ---- the rest of the port ---- */

static int loop_command(struct request_host *host, struct nvme_req *req,
			struct command *c, struct err *err)
{
	switch (req->kind) {
	case NVME_ATTACH:
		if (!req->source[0])
			return err_set(err, ERR_PRECONDITION, "%s is not exported",
				       req->nqn);
		command_helper(c, host->helper, "loop-attach", req->source,
			       req->readonly ? "ro" : "rw");
		return 0;
	case NVME_CUT: /* no session but the device itself */
	case NVME_CUT_OTHERS:
	case NVME_ASK: /* nor a target that could refuse it */
		command_helper(c, host->helper, "nothing", NULL, NULL);
		return 0;
	case NVME_DETACH:
		command_helper(c, host->helper, "loop-detach", req->device.path,
			       req->source);
		return 0;
	default:
		command_helper(c, host->helper, "loop-rescan", req->device.path, NULL);
		return 0;
	}
}

static bool tell_traffic(const struct nvme_loop *l, const char *nqn,
			 bool (*each)(void *arg, const struct nvme_traffic *t), void *arg)
{
	struct nvme_traffic t = { .nqn = nqn, .state = NVME_LIVE };
	struct nvme_device dev = { .path = "" };
	char image[NVME_SOURCE_MAX + 1];
	struct err ignored;

	if (resolve(l, nqn, image, sizeof(image), &ignored) || !image[0] ||
	    sysfs_find_loop("/sys", image, &dev, &ignored) || !dev.path[0])
		return true;
	t.has_device = traffic_read("/sys", strrchr(dev.path, '/') + 1, &t) == 0;
	return each(arg, &t);
}

/* An exported image with a loop device is as good as a session. */
static int loop_traffic(struct nvme *nvme,
			bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
			struct err *err)
{
	const struct nvme_loop *l = loop_of(nvme);
	DIR *dir = opendir(l->exports_dir);
	struct dirent *e;

	if (!dir)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", l->exports_dir,
			       strerror(errno));
	while ((e = readdir(dir)))
		if (!tell_traffic(l, e->d_name, each, arg))
			break;
	(void)closedir(dir);
	return 0;
}

static const struct nvme_ops loop_ops = {
	.start = backend_start,
	.look = loop_look,
	.record_read = backend_record_read,
	.record_write = backend_record_write,
	.record_forget = backend_record_forget,
	.check_options = backend_check_options,
	.may_grow_online = request_may_grow_online,
	.n_stuck = backend_n_stuck,
	.stuck = backend_stuck,
	.records = backend_records,
	.traffic = loop_traffic,
};

struct nvme *nvme_loop_new(uv_loop_t *loop, const struct nvme_loop_conf *conf,
			   struct err *err)
{
	struct nvme_loop *l;

	if (access(conf->exports_dir, R_OK | X_OK)) {
		(void)err_set(err, ERR_PRECONDITION, "exports directory %s: %s",
			      conf->exports_dir, strerror(errno));
		return NULL;
	}
	l = mem_calloc(1, sizeof(*l));
	if (!l) {
		(void)err_nomem(err);
		return NULL;
	}
	l->base.nvme.ops = &loop_ops;
	l->exports_dir = conf->exports_dir;
	l->base.host.helper = conf->helper ? conf->helper : "/proc/self/exe";
	l->base.host.is_self = !conf->helper;
	l->base.host.command = loop_command;
	if (request_host_init(&l->base.host, loop, conf->state_dir, err)) {
		mem_free(l);
		return NULL;
	}
	log_warn("node", "loop devices instead of NVMe: for demonstration and tests only",
		 KS("exports", conf->exports_dir));
	return &l->base.nvme;
}

void nvme_loop_stop(struct nvme *nvme, void (*stopped)(void *arg), void *arg)
{
	backend_stop(backend_of(nvme), stopped, arg);
}
