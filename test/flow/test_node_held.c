#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csi/ids.h"
#include "nvme/sysfs.h"
#include "support/node_lab.h"

/* Somebody else has the volume's device open, but not exclusively: udev's blkid, a
 * backup, a person with dd. The kernel then keeps it attached until the last one closes
 * it. */

#define MIB (INT64_C(1024) * 1024)

struct holder {
	pid_t pid;
	char device[64]; /* "" = not attached */
};

static void find_device(const struct node_lab *lab, const char *id, struct holder *h)
{
	char image[256];
	struct nvme_device dev;
	struct err err;

	lab_image_path(lab, id, image);
	cr_assert_eq(sysfs_find_loop("/sys", image, &dev, &err), 0, "%s", err.msg);
	snprintf(h->device, sizeof(h->device), "%s", dev.path);
}

static bool is_marked(const char *device)
{
	char path[128], c = '0';
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%.32s/loop/autoclear",
		 strrchr(device, '/') + 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)!read(fd, &c, 1);
	close(fd);
	return c == '1';
}

/* In the child: tells that it has the device open, reads it once, so that the cache holds
 * what is there now, and waits. */
static void hold_in_child(const char *device, int ready, bool until_asked)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	char block[4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || pread(fd, block, sizeof(block), 0) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	while (!until_asked)
		pause();
	for (int i = 0; i < 2000 && !is_marked(device); i++)
		usleep(10000);
	if (!is_marked(device))
		_exit(2);
	usleep(300000);
	_exit(0);
}

/* until_asked: leaves 300 ms after a detach has met it, with status 0; else stays. */
static void hold(struct holder *h, bool until_asked)
{
	int fds[2];
	char c;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	h->pid = fork();
	cr_assert_geq(h->pid, 0);
	if (h->pid == 0)
		hold_in_child(h->device, fds[1], until_asked);
	close(fds[1]);
	cr_assert_eq(read(fds[0], &c, 1), 1, "%s cannot be opened", h->device);
	close(fds[0]);
}

static int leave(struct holder *h, int sig)
{
	int status = -1;

	if (sig)
		kill(h->pid, sig);
	(void)waitpid(h->pid, &status, 0);
	return status;
}

static bool has_record(struct node_lab *lab, const char *id)
{
	struct nvme_record rec;
	struct err err;

	return lab->csi.nvme->ops->record_read(lab->csi.nvme, id, &rec, &err) == 0;
}

/* As an earlier attempt left it: on record, attached, nothing more. */
static void attach_as_ours(struct node_lab *lab, const char *id)
{
	struct nvme_record rec = { .stage = NVME_ATTACHING };
	char image[256];
	struct err err;

	lab_image_path(lab, id, image);
	id_base_nqn(id, rec.nqn);
	snprintf(rec.source, sizeof(rec.source), "%s", image);
	lab_check(lab,
		  lab->csi.nvme->ops->record_write(lab->csi.nvme, id, &rec, &err) == 0);
	lab_check(lab, lab_run("losetup -f %s", image) == 0);
}

static void held_for_a_moment(const struct lab_args *a)
{
	struct node_lab lab;
	struct holder h;

	lab_open_real(&lab);
	lab_image(&lab, a->id, 16 * MIB);
	OK(&lab, lab_stage(&lab, a));
	find_device(&lab, a->id, &h);
	hold(&h, true);
	OK(&lab, lab_unstage(&lab, a));
	lab_check(&lab, leave(&h, 0) == 0, "the detach did not meet the holder");
	lab_check(&lab, lab_loops(&lab) == 0);
	lab_check(&lab, !has_record(&lab, a->id));
	lab_close(&lab);
}

Test(node_held, a_moment_is_awaited)
{
	held_for_a_moment(&(struct lab_args){ .id = "held-1", .fs_type = "ext4" });
}

Test(node_held, a_moment_is_awaited_for_block)
{
	held_for_a_moment(&(struct lab_args){ .id = "held-2" });
}

/* The holder's open device keeps in the cache what it read when all was blank: the blank
 * proof is of the device. And a refusal is final only when its attach is undone, so the
 * holder's moment must not make it a passing one. */
Test(node_held, blank_is_proven_of_the_device_and_the_refusal_is_final)
{
	struct node_lab lab;
	struct lab_args a = { .id = "held-3", .fs_type = "ext4" };
	struct holder h;
	char image[256];

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	lab_image_path(&lab, a.id, image);
	attach_as_ours(&lab, a.id);
	find_device(&lab, a.id, &h);
	hold(&h, true);
	lab_check(&lab, lab_run("printf x | dd of=%s bs=1 seek=3000 conv=notrunc 2>"
				"/dev/null",
				image) == 0);
	FAILS(&lab, ERR_PRECONDITION, lab_stage(&lab, &a));
	lab_check(&lab, leave(&h, 0) == 0, "the detach did not meet the holder");
	lab_check(&lab, lab_loops(&lab) == 0);
	lab_close(&lab);
}

Test(node_held, for_good_is_told_and_the_record_stays)
{
	struct node_lab lab;
	struct lab_args a = { .id = "held-4", .fs_type = "ext4" };
	struct holder h;

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	find_device(&lab, a.id, &h);
	hold(&h, false);
	FAILS(&lab, ERR_ABORTED, lab_unstage(&lab, &a));
	lab_check(&lab, lab_loops(&lab) == 1 && has_record(&lab, a.id));
	(void)leave(&h, SIGKILL);
	OK(&lab, lab_unstage(&lab, &a));
	lab_check(&lab, lab_loops(&lab) == 0 && !has_record(&lab, a.id));
	lab_close(&lab);
}

/* A detach that was cut off has marked the device to go with its holder. Staged again, it
 * must stay, for its number may be another volume's next. */
Test(node_held, staged_again_it_does_not_go_with_its_holder)
{
	struct node_lab lab;
	struct lab_args a = { .id = "held-5", .bytes = 8 * MIB };
	Csi__V1__NodeUnstageVolumeRequest req;
	struct holder h;
	struct rpc *rpc;

	lab_open_real(&lab);
	lab_image(&lab, a.id, 8 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	find_device(&lab, a.id, &h);
	hold(&h, false);
	csi__v1__node_unstage_volume_request__init(&req);
	req.volume_id = (char *)(uintptr_t)a.id;
	req.staging_target_path = lab.staging;
	rpc = lab_begin(&lab, "NodeUnstageVolume", &req.base);
	t_run_until(&lab.loop, is_marked(h.device));
	op_cancel(&rpc->op, ERR_CANCELLED);
	FAILS(&lab, ERR_CANCELLED, lab_end(&lab, rpc));
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, !is_marked(h.device));
	(void)leave(&h, SIGKILL);
	lab_check(&lab, lab_loops(&lab) == 1);
	OK(&lab, lab_publish(&lab, &a));
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}
