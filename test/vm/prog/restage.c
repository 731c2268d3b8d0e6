/* A volume that is staged already: the same call again changes nothing; other arguments
 * are refused; another NQN says that it was fenced meanwhile, and what is left of it
 * here, dirty as it is, is cleaned away and staged anew, without a reboot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/answer.h"
#include "vm/lab.h"

enum { FIRST = 64, MIB = 1 << 20, DIRTY_MIB = 64, CLEAN_MS = 30000 };
static struct lab lab;

static bool up(struct vol *v, const char *id)
{
	bool is_block = v->is_block;
	struct track t;

	lab_vol(&lab, v, id);
	v->is_block = is_block;
	if (!lab_up(&lab, v))
		return false;
	lab_track(v, &t);
	return CHECK(track_write(&t, 0, FIRST), "%s: not written", t.path);
}

static void down(struct vol *v)
{
	char nqn[300];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(v));
	if (lab_down(&lab, v) && lab_is_gone(v, nqn)) {
		lab_data_right(&lab, v, FIRST);
		lab_steps(&lab, v, VOL_DELETE, VOL_DELETE);
	}
}

/* A descriptor that is open all the while shows that the mount is the same one. */
static void again(void)
{
	char path[E2E_PATH + 20], device[KERN_NAME] = "", now[KERN_NAME] = "";
	unsigned begun;
	struct vol v = { .is_block = false };
	int fd;

	lab = (struct lab){ 0 };
	if (!lab_open(&lab) || !up(&v, "pvc-again"))
		goto out;
	begun = lab_mkfs_begun();
	(void)kern_device(lab_nqn(&v), device);
	(void)snprintf(path, sizeof(path), "%s/held", v.target);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	for (int i = 0; i < 20; i++) {
		CHECK(vol_do(&lab.driver, &v, VOL_STAGE) == ERR_OK, "%s", rpc_message());
		CHECK(vol_do(&lab.driver, &v, VOL_NODE_PUBLISH) == ERR_OK, "%s",
		      rpc_message());
	}
	CHECK(kern_layers(v.staging) == 1 && kern_layers(v.target) == 1,
	      "%u mounts at the staging path, %u at the target", kern_layers(v.staging),
	      kern_layers(v.target));
	CHECK(kern_device(lab_nqn(&v), now) && strcmp(device, now) == 0, "%s was %s", now,
	      device);
	CHECK(kern_sessions(lab_nqn(&v)) == 1, "%u sessions", kern_sessions(lab_nqn(&v)));
	CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
	CHECK(write(fd, "x", 1) == 1 && fsync(fd) == 0, "%s: %s", path, strerror(errno));
	close(fd);
	down(&v);
out:
	lab_close(&lab);
}

static bool post_is_exists(struct vol *v, const char *what)
{
	bool ok = answer_is(&lab.driver, v, VOL_STAGE, ERR_EXISTS, NULL);

	e2e_note("%s: %s", what, rpc_message());
	return ok &&
	       CHECK(kern_layers(v->staging) == 1, "%u mounts", kern_layers(v->staging));
}

static void otherwise(void)
{
	struct vol v = { .is_block = false }, other;
	struct track t;

	lab = (struct lab){ 0 };
	if (!lab_open(&lab) || !up(&v, "pvc-otherwise"))
		goto out;
	other = v;
	other.fs = "xfs";
	post_is_exists(&other, "another file system");
	other = v;
	other.is_block = true;
	post_is_exists(&other, "block");
	other = v;
	other.mode =
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY;
	post_is_exists(&other, "read-only");
	lab_track(&v, &t);
	track_check(&t, FIRST);
	CHECK(vol_do(&lab.driver, &v, VOL_STAGE) == ERR_OK, "%s", rpc_message());
	down(&v);
out:
	lab_close(&lab);
}

/* Written, and nothing of it on its way to the disk. The descriptor of a block device
 * stays open, or closing it would write it all: so does a virtual machine that runs. */
static bool make_dirty(const struct vol *v, int *ret_fd)
{
	char path[E2E_PATH + 20];
	char *bytes = calloc(1, MIB);
	long before;
	bool ok;

	sync(); /* or what others wrote before becomes less meanwhile */
	before = kern_dirty_kib();
	(void)snprintf(path, sizeof(path), v->is_block ? "%s" : "%s/dirty", v->target);
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ok = bytes && *ret_fd >= 0;
	for (int i = 8; ok && i < 8 + DIRTY_MIB; i++) {
		memset(bytes, i, MIB);
		ok = pwrite(*ret_fd, bytes, MIB, (off_t)i * MIB) == MIB;
	}
	free(bytes);
	if (!v->is_block && *ret_fd >= 0) {
		close(*ret_fd);
		*ret_fd = -1;
	}
	return CHECK(ok, "%s: %s", path, strerror(errno)) &&
	       CHECK(kern_dirty_kib() - before > DIRTY_MIB * 1000, "%ld KiB are dirty",
		     kern_dirty_kib() - before);
}

enum holds { HOLDS_NOTHING, HOLDS_TARGET, HOLDS_BLOCK };

/* Stages under the new name; whatever held the old one, nothing of it may be left. */
static bool stage_anew(struct vol *v, const char *old)
{
	unsigned begun = lab_mkfs_begun();
	uint64_t at = e2e_now_ms();

	if (!vol_must(&lab.driver, v, VOL_STAGE))
		return false;
	at = e2e_now_ms() - at;
	e2e_note("%s: cleaned and staged in %llu ms", v->id, (unsigned long long)at);
	CHECK(at < CLEAN_MS, "%s: not within 30 s", v->id);
	CHECK(kern_sessions(old) == 0, "the old session is left");
	CHECK(kern_layers(v->staging) == !v->is_block, "%u mounts at the staging path",
	      kern_layers(v->staging));
	CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
	return true;
}

static void fence(const char *id, enum holds holds)
{
	struct vol v = { .is_block = holds == HOLDS_BLOCK };
	char old[300];
	struct track t;
	int fd = -1;

	if (!up(&v, id))
		return;
	(void)snprintf(old, sizeof(old), "%s", lab_nqn(&v));
	if (!make_dirty(&v, &fd) || !answer_fence(&lab.sim, &v) ||
	    !vol_must(&lab.driver, &v, VOL_PUBLISH) ||
	    !CHECK(strcmp(old, lab_nqn(&v)) != 0, "the NQN is the same"))
		goto out;
	if (holds == HOLDS_NOTHING)
		lab_steps(&lab, &v, VOL_NODE_UNPUBLISH, VOL_NODE_UNPUBLISH);
	else
		answer_is(&lab.driver, &v, VOL_NODE_PUBLISH, ERR_PRECONDITION, "fenced");
	if (!stage_anew(&v, old))
		goto out;
	if (fd >= 0)
		close(fd); /* what runs there ends */
	fd = -1;
	if (!lab_steps(&lab, &v, VOL_NODE_PUBLISH, VOL_NODE_PUBLISH))
		goto out;
	lab_track(&v, &t);
	track_check(&t, FIRST);
	CHECK(kern_layers(v.target) == 1, "%u mounts at the target",
	      kern_layers(v.target));
	down(&v);
out:
	if (fd >= 0)
		close(fd);
}

/* So that nothing is written before its time. */
static void write_back(const char *centisecs, const char *background_percent)
{
	kern_put("/proc/sys/vm/dirty_writeback_centisecs", centisecs);
	kern_put("/proc/sys/vm/dirty_background_ratio", background_percent);
}

static void fenced(void)
{
	lab = (struct lab){ 0 };
	/* What is not on the disk when its device goes is lost, and the kernel says so.
	 */
	kern_expect("lost async page write|I/O error");
	write_back("0", "70");
	if (lab_open(&lab)) {
		fence("pvc-fenced", HOLDS_NOTHING);
		fence("pvc-fenced-held", HOLDS_TARGET);
		fence("pvc-fenced-block", HOLDS_BLOCK);
		CHECK(driver_said(&lab.driver, "\"event\":\"FencedLeftover\""),
		      "no event");
	}
	write_back("500", "10");
	lab_close(&lab);
}

static const struct e2e_test tests[] = { { "again", again, true },
					 { "otherwise", otherwise, true },
					 { "fenced", fenced, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
