#include "support/node_lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "csi/ids.h"
#include "nvme/loop.h"
#include "nvme/sysfs.h"

int lab_run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

void lab_open(struct node_lab *lab, struct nvme *nvme)
{
	char real[PATH_MAX];

	*lab = (struct node_lab){ .is_real = false };
	t_loop_open(&lab->loop);
	t_mkdir(lab->dir);
	cr_assert_not_null(realpath(lab->dir, real));
	snprintf(lab->dir, sizeof(lab->dir), "%.127s", real);
	snprintf(lab->exports, sizeof(lab->exports), "%s/exports", lab->dir);
	snprintf(lab->state, sizeof(lab->state), "%s/state", lab->dir);
	snprintf(lab->staging, sizeof(lab->staging), "%s/staging", lab->dir);
	snprintf(lab->target, sizeof(lab->target), "%s/target", lab->dir);
	mkdir(lab->exports, 0700);
	mkdir(lab->staging, 0700);
	lab->csi = (struct csi){ .loop = &lab->loop.uv,
				 .driver_name = "rds.csi.srvlab.io",
				 .vendor_version = "test",
				 .is_node = true,
				 .node_id = "node-a",
				 .nqn_prefix = ID_NQN_PREFIX,
				 .nvme = nvme };
	log_set_level(LOG_ERROR);
}

static const char *helper(void)
{
	static char path[PATH_MAX];

	if (!realpath(T_BUILD_DIR "/test/prog/node_helper", path))
		return NULL;
	return path;
}

void lab_open_real(struct node_lab *lab)
{
	struct nvme_loop_conf conf;
	struct err err = { .code = ERR_OK };

	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK))
		t_skip("needs root and /dev/loop-control");
	cr_assert_not_null(helper(), "test/prog/node_helper is not built");
	lab_open(lab, NULL);
	conf = (struct nvme_loop_conf){ lab->exports, lab->state, helper() };
	lab->csi.nvme = nvme_loop_new(&lab->loop.uv, &conf, &err);
	cr_assert_not_null(lab->csi.nvme, "%s", err.msg);
	lab->is_real = true;
}

void lab_reopen_real(struct node_lab *lab, const struct node_lab *of)
{
	struct nvme_loop_conf conf;
	struct err err;

	*lab = *of;
	t_loop_open(&lab->loop);
	lab->csi.loop = &lab->loop.uv;
	lab->csi.inflight = (struct map){ .n_buckets = 0 };
	conf = (struct nvme_loop_conf){ lab->exports, lab->state, helper() };
	lab->csi.nvme = nvme_loop_new(&lab->loop.uv, &conf, &err);
	if (!lab->csi.nvme)
		_exit(2);
}

unsigned lab_mounts(const char *path)
{
	char line[8192], at[4096];
	FILE *f = fopen("/proc/self/mountinfo", "r");
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1)
			n += strcmp(at, path) == 0;
	if (f)
		fclose(f);
	return n;
}

static bool loop_in(const struct node_lab *lab, const char *name)
{
	char path[512], image[4096] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(image, sizeof(image), f))
		image[0] = '\0';
	fclose(f);
	return strncmp(image, lab->dir, strlen(lab->dir)) == 0;
}

unsigned lab_loops(const struct node_lab *lab)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += loop_in(lab, e->d_name);
	if (d)
		closedir(d);
	return n;
}

void lab_clean(struct node_lab *lab)
{
	DIR *d;
	struct dirent *e;

	if (!lab->is_real)
		return;
	lab_run("for i in 1 2 3; do awk '{print $5}' /proc/self/mountinfo | grep '^%s/' "
		"| "
		"sort -r | while read m; do umount -l \"$m\"; done; done 2>/dev/null",
		lab->dir);
	d = opendir("/sys/block");
	while (d && (e = readdir(d)))
		if (loop_in(lab, e->d_name))
			lab_run("losetup -d /dev/%s 2>/dev/null", e->d_name);
	if (d)
		closedir(d);
	t_rmdir(lab->dir);
}

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

void lab_close(struct node_lab *lab)
{
	bool is_stopped = !lab->is_real;

	if (lab->is_real) {
		lab_check(lab, lab_loops(lab) == 0);
		lab_check(lab,
			  lab_run("grep -q ' %s/' /proc/self/mountinfo", lab->dir) != 0);
		nvme_loop_stop(lab->csi.nvme, on_stopped, &is_stopped);
	}
	t_rmdir(lab->dir);
	t_loop_close(&lab->loop);
	cr_assert(is_stopped);
	cr_assert_eq(mem_live(), 0);
}

void lab_image_path(const struct node_lab *lab, const char *id, char out[256])
{
	snprintf(out, 256, "%s/%s.img", lab->dir, id);
}

void lab_export(struct node_lab *lab, const char *id, const char *nqn)
{
	char image[256], link[512];

	lab_image_path(lab, id, image);
	snprintf(link, sizeof(link), "%s/%s", lab->exports, nqn);
	cr_assert_eq(symlink(image, link), 0);
}

void lab_unexport(struct node_lab *lab, const char *nqn)
{
	char link[512];

	snprintf(link, sizeof(link), "%s/%s", lab->exports, nqn);
	cr_assert_eq(unlink(link), 0);
}

void lab_image(struct node_lab *lab, const char *id, uint64_t bytes)
{
	char image[256], nqn[ID_NQN];
	int fd;

	lab_image_path(lab, id, image);
	fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
	id_base_nqn(id, nqn);
	lab_export(lab, id, nqn);
}

/* ---- calls ---- */

static const struct rpc_method *find(const char *method)
{
	for (const struct rpc_method *m = node_methods; m->path; m++)
		if (strcmp(strrchr(m->path, '/') + 1, method) == 0)
			return m;
	cr_assert_fail("no method %s", method);
	return NULL;
}

static struct node_lab *running;

static void on_done(struct op *op)
{
	(void)op;
	running->n_done++;
}

struct rpc *lab_begin(struct node_lab *lab, const char *method,
		      const ProtobufCMessage *req)
{
	const struct rpc_method *m = find(method);
	struct rpc *rpc = mem_calloc(1, m->size);
	struct err err = { .code = ERR_OK };

	if (!rpc)
		return NULL;
	running = lab;
	rpc->method = m;
	rpc->csi = &lab->csi;
	rpc->req = req;
	arena_init(&rpc->arena, RPC_ARENA_MAX);
	lab->n_done = 0;
	if (m->check(rpc, &err)) {
		op_start(&rpc->op, m->work, &lab->loop.uv, on_done);
		op_fail_err(&rpc->op, &err);
	} else {
		op_start(&rpc->op, m->work, &lab->loop.uv, on_done);
		op_set_deadline(&rpc->op, clock_now_ms(&lab->loop.uv) + 600000);
	}
	return rpc;
}

struct err lab_end(struct node_lab *lab, struct rpc *rpc)
{
	struct err err;

	if (!rpc)
		return (struct err){ .code = ERR_EXHAUSTED };
	t_run_until(&lab->loop, lab->n_done);
	err = rpc->op.err;
	cr_assert(err.code != ERR_OK || rpc->resp, "success without an answer");
	arena_fini(&rpc->arena);
	mem_free(rpc);
	return err;
}

static Csi__V1__VolumeCapability *capability(const struct lab_args *a)
{
	static Csi__V1__VolumeCapability cap;
	static Csi__V1__VolumeCapability__AccessMode mode;
	static Csi__V1__VolumeCapability__BlockVolume block;
	static Csi__V1__VolumeCapability__MountVolume mount;
	static char fs[32], flag[256], *flags[1] = { flag };

	csi__v1__volume_capability__init(&cap);
	csi__v1__volume_capability__access_mode__init(&mode);
	mode.mode =
		a->mode ? a->mode
			: CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	cap.access_mode = &mode;
	if (!a->fs_type) {
		csi__v1__volume_capability__block_volume__init(&block);
		cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		cap.block = &block;
		return &cap;
	}
	csi__v1__volume_capability__mount_volume__init(&mount);
	snprintf(fs, sizeof(fs), "%s", a->fs_type);
	snprintf(flag, sizeof(flag), "%s", a->flag ? a->flag : "");
	mount.fs_type = fs;
	mount.mount_flags = flags;
	mount.n_mount_flags = a->flag ? 1 : 0;
	cap.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	cap.mount = &mount;
	return &cap;
}

struct pairs {
	char key[8][32], value[8][ID_NQN];
};

static struct pairs contexts(const struct lab_args *a)
{
	struct pairs p;
	char nqn[ID_NQN];

	id_base_nqn(a->id, nqn);
	strcpy(p.key[0], "nvme_nqn");
	strcpy(p.key[1], "size_bytes");
	strcpy(p.key[2], "rds_csi_ctx");
	strcpy(p.key[3], "nvme_address");
	strcpy(p.key[4], "nvme_port");
	strcpy(p.key[5], "readonly");
	strcpy(p.key[6], "nqn");
	strcpy(p.key[7], "fsIdentity");
	snprintf(p.value[0], ID_NQN, "%s", a->nqn ? a->nqn : nqn);
	snprintf(p.value[1], ID_NQN, "%lld", (long long)a->bytes);
	strcpy(p.value[2], a->is_old_context ? "1" : "2");
	strcpy(p.value[3], "127.0.0.1");
	strcpy(p.value[4], "4420");
	strcpy(p.value[5], a->is_reader ? "true" : "false");
	snprintf(p.value[6], ID_NQN, "%s", nqn);
	strcpy(p.value[7], "volume-id");
	return p;
}

#define FILL_CONTEXTS(req, Type)                                     \
	do {                                                         \
		static Type##__PublishContextEntry pub[6], *pubs[6]; \
		static Type##__VolumeContextEntry vol[2], *vols[2];  \
		static struct pairs p;                               \
		p = contexts(a);                                     \
		for (int i = 0; i < 6; i++) {                        \
			pub[i].key = p.key[i];                       \
			pub[i].value = p.value[i];                   \
			pubs[i] = &pub[i];                           \
		}                                                    \
		for (int i = 0; i < 2; i++) {                        \
			vol[i].key = p.key[6 + i];                   \
			vol[i].value = p.value[6 + i];               \
			vols[i] = &vol[i];                           \
		}                                                    \
		(req)->publish_context = pubs;                       \
		(req)->n_publish_context = 6;                        \
		(req)->volume_context = vols;                        \
		(req)->n_volume_context = a->has_identity ? 2 : 1;   \
	} while (0)

static char id_text[300], target_text[4200];

static char *id_of(const struct lab_args *a)
{
	snprintf(id_text, sizeof(id_text), "%s", a->id);
	return id_text;
}

static char *target_of(const struct node_lab *lab, const struct lab_args *a)
{
	snprintf(target_text, sizeof(target_text), "%s",
		 a->target ? a->target : lab->target);
	return target_text;
}

const ProtobufCMessage *lab_stage_request(struct node_lab *lab, const struct lab_args *a)
{
	static Csi__V1__NodeStageVolumeRequest req;

	csi__v1__node_stage_volume_request__init(&req);
	req.volume_id = id_of(a);
	req.staging_target_path = lab->staging;
	req.volume_capability = capability(a);
	FILL_CONTEXTS(&req, Csi__V1__NodeStageVolumeRequest);
	return &req.base;
}

const ProtobufCMessage *lab_publish_request(struct node_lab *lab,
					    const struct lab_args *a)
{
	static Csi__V1__NodePublishVolumeRequest req;

	csi__v1__node_publish_volume_request__init(&req);
	req.volume_id = id_of(a);
	req.staging_target_path = lab->staging;
	req.target_path = target_of(lab, a);
	req.volume_capability = capability(a);
	req.readonly = a->readonly;
	FILL_CONTEXTS(&req, Csi__V1__NodePublishVolumeRequest);
	return &req.base;
}

struct err lab_stage(struct node_lab *lab, const struct lab_args *a)
{
	return lab_end(lab, lab_begin(lab, "NodeStageVolume", lab_stage_request(lab, a)));
}

struct err lab_publish(struct node_lab *lab, const struct lab_args *a)
{
	return lab_end(lab,
		       lab_begin(lab, "NodePublishVolume", lab_publish_request(lab, a)));
}

struct err lab_unstage(struct node_lab *lab, const struct lab_args *a)
{
	Csi__V1__NodeUnstageVolumeRequest req;

	csi__v1__node_unstage_volume_request__init(&req);
	req.volume_id = id_of(a);
	req.staging_target_path = lab->staging;
	return lab_end(lab, lab_begin(lab, "NodeUnstageVolume", &req.base));
}

struct err lab_unpublish(struct node_lab *lab, const struct lab_args *a)
{
	Csi__V1__NodeUnpublishVolumeRequest req;

	csi__v1__node_unpublish_volume_request__init(&req);
	req.volume_id = id_of(a);
	req.target_path = target_of(lab, a);
	return lab_end(lab, lab_begin(lab, "NodeUnpublishVolume", &req.base));
}

struct err lab_expand(struct node_lab *lab, const struct lab_args *a, int64_t *ret_bytes)
{
	Csi__V1__NodeExpandVolumeRequest req;
	Csi__V1__CapacityRange range;
	struct rpc *rpc;

	csi__v1__node_expand_volume_request__init(&req);
	csi__v1__capacity_range__init(&range);
	range.required_bytes = a->bytes;
	req.volume_id = id_of(a);
	req.volume_path = target_of(lab, a);
	req.capacity_range = &range;
	rpc = lab_begin(lab, "NodeExpandVolume", &req.base);
	if (rpc) {
		t_run_until(&lab->loop, lab->n_done);
		if (rpc->op.err.code == ERR_OK)
			*ret_bytes = ((Csi__V1__NodeExpandVolumeResponse *)rpc->resp)
					     ->capacity_bytes;
	}
	return lab_end(lab, rpc);
}

struct err lab_stats(struct node_lab *lab, const struct lab_args *a,
		     Csi__V1__VolumeUsage ret[2])
{
	Csi__V1__NodeGetVolumeStatsRequest req;
	struct rpc *rpc;

	csi__v1__node_get_volume_stats_request__init(&req);
	req.volume_id = id_of(a);
	req.volume_path = target_of(lab, a);
	rpc = lab_begin(lab, "NodeGetVolumeStats", &req.base);
	if (rpc) {
		Csi__V1__NodeGetVolumeStatsResponse *resp;

		t_run_until(&lab->loop, lab->n_done);
		resp = (void *)rpc->resp;
		if (rpc->op.err.code == ERR_OK) {
			cr_assert_not_null(resp->volume_condition);
			lab->is_abnormal = resp->volume_condition->abnormal;
			snprintf(lab->condition, sizeof(lab->condition), "%s",
				 resp->volume_condition->message);
			lab->n_usage = (unsigned)resp->n_usage;
		}
		for (size_t i = 0; rpc->op.err.code == ERR_OK && i < resp->n_usage; i++)
			ret[i] = *resp->usage[i];
	}
	return lab_end(lab, rpc);
}
