/* The first start on a node that another driver has used: ten file systems and ten raw
 * disks of its, staged and published; the host's own disk; a session under our prefix
 * that nobody has on record. What is the volumes' is taken over, all else is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "vm/answer.h"
#include "vm/elder.h"
#include "vm/kubelet.h"

enum { N = 20, N_FS = 10, FIRST = 8, MORE = 16, BATCH = 4, MORE_MS = 120000 };
#define PREFIX "nqn.2000-02.com.mikrotik:"
static const long long SIZE = 1LL << 30, GROWN = 1088LL << 20;

static struct lab lab;
static struct vol all[N];
static char kubelet_flag[E2E_PATH + 20];
static const char *const flags[] = { kubelet_flag, "--kubelet-registration=off",
				     "--adopt-unmarked", NULL };

/* ---- what is not the driver's */

/* The host's own disk is mounted; the other one is open in a process, without a mount.
 * Both are written without pause. */
struct outsider {
	struct hand_export e;
	char image[E2E_PATH], device[KERN_NAME], at[E2E_PATH];
	bool is_mounted;
	int number;
	struct writer w;
};
static struct outsider disk = {
	.e = { .nqn = "nqn.2019-08.org.host:own-disk", .port_id = 100, .port = 4500 },
	.is_mounted = true
};
static struct outsider stray = {
	.e = { .nqn = PREFIX "pvc-stray", .port_id = 101, .port = 4501 }
};

static bool mount_own(struct outsider *o)
{
	const char *const argv[] = { "/bin/mkfs.ext4", "-q", o->device, NULL };

	e2e_path(o->at, "own-disk");
	(void)mkdir(o->at, 0700);
	return CHECK(child_run(argv, NULL, 0) == 0 &&
			     mount(o->device, o->at, "ext4", 0, NULL) == 0,
		     "%s: %s", o->device, strerror(errno));
}

static bool connect_own(struct outsider *o)
{
	const struct hand_session s = { .nqn = o->e.nqn,
					.hostnqn = elder_hostnqn,
					.hostid = elder_hostid,
					.port = o->e.port,
					.options = "keep_alive_tmo=120" };
	struct track t = { .seed = o->e.port, .slots = 64 };

	o->e.image = e2e_path(o->image, "image-%u", o->e.port);
	o->e.size_bytes = 64 << 20;
	if (!hand_export(&o->e))
		return false;
	o->number = hand_connect(&s);
	if (!CHECK(o->number >= 0 && kern_until_live(o->e.nqn, MORE_MS) &&
			   kern_device(o->e.nqn, o->device),
		   "connect %s", o->e.nqn) ||
	    (o->is_mounted && !mount_own(o)))
		return false;
	(void)snprintf(t.path, sizeof(t.path), o->is_mounted ? "%.200s/track" : "%.200s",
		       o->is_mounted ? o->at : o->device);
	o->w.pause_ms = 50;
	return writer_start(&o->w, &t, BATCH);
}

/* The same session as at the beginning, and its writes go on. */
static void is_left_alone(struct outsider *o, const char *when)
{
	char path[100], device[KERN_NAME] = "", gone[300];

	(void)snprintf(path, sizeof(path), "/sys/class/nvme/nvme%d/subsysnqn", o->number);
	CHECK(access(path, F_OK) == 0 && kern_live(o->e.nqn) == 1 &&
		      kern_device(o->e.nqn, device) && strcmp(device, o->device) == 0,
	      "%s: %s: another session", when, o->e.nqn);
	(void)snprintf(gone, sizeof(gone), "Removing ctrl: NQN \"%s\"", o->e.nqn);
	CHECK(!kern_said(gone), "%s: %s was disconnected", when, o->e.nqn);
	CHECK(writer_advances(&o->w, BATCH, MORE_MS) && o->w.shared->errors == 0,
	      "%s: %s: %llu errors", when, o->e.nqn,
	      (unsigned long long)o->w.shared->errors);
}

static void disconnect_own(struct outsider *o)
{
	if (!o->w.shared)
		return;
	CHECK(writer_end(&o->w, MORE_MS), "the writer of %s hangs", o->e.nqn);
	e2e_note("%s: %llu blocks written meanwhile", o->e.nqn,
		 (unsigned long long)o->w.shared->synced);
	writer_free(&o->w);
	CHECK(!o->is_mounted || umount(o->at) == 0, "%s: %s", o->at, strerror(errno));
	hand_disconnect(o->number);
	CHECK(kern_until_gone(o->e.nqn, MORE_MS), "%s stays", o->e.nqn);
	hand_unexport(&o->e);
}

/* ---- what is */

static bool stage_old(unsigned i)
{
	struct vol *v = &all[i];
	struct track t;
	char id[40];

	(void)snprintf(id, sizeof(id), "pvc-elder-%02u", i);
	lab_vol(&lab, v, id);
	v->want_bytes = SIZE;
	v->is_block = i >= N_FS;
	v->fs = i % 4 == 3 ? "xfs" : NULL;
	if (!kubelet_place(v) || !elder_create(&lab.sim, v) || !elder_stage(v))
		return false;
	lab_track(v, &t);
	return CHECK(track_write(&t, 0, FIRST), "%s: not written", t.path);
}

static bool open_all(void)
{
	char path[E2E_PATH];

	lab = (struct lab){ .no_driver = true, .driver_args = flags };
	(void)snprintf(kubelet_flag, sizeof(kubelet_flag), "--kubelet-dir=%s",
		       kubelet_dir(path));
	if (!lab_open(&lab) || !connect_own(&disk) || !connect_own(&stray))
		return false;
	for (unsigned i = 0; i < N; i++)
		if (!stage_old(i))
			return false;
	return true;
}

/* Mounts, nodes and sessions are those that the other driver made. */
static void is_untouched(const char *when)
{
	CHECK(!kern_said("Removing ctrl") && !kern_said("new ctrl"),
	      "%s: a session came or went", when);
	for (unsigned i = 0; i < N; i++) {
		const struct vol *v = &all[i];

		CHECK(kern_live(lab_context(v, "nqn")) == 1, "%s: %s is not live", when,
		      v->id);
		CHECK(v->is_block ? access(v->target, F_OK) == 0
				  : kern_layers(v->staging) == 1 &&
					    kern_layers(v->target) == 1,
		      "%s: %s: its mounts", when, v->id);
		CHECK(answer_is_recorded(&lab.driver, v), "%s: %s is not adopted", when,
		      v->id);
	}
	is_left_alone(&disk, when);
	is_left_alone(&stray, when);
}

static void has_stats(const struct vol *v)
{
	struct health h;

	health_get(&lab.driver, v, &h);
	CHECK(h.code == ERR_OK && h.has_condition && !h.is_abnormal,
	      "%s: stats: %s, abnormal %d", v->id, h.message, h.is_abnormal);
	CHECK(h.total_bytes <= v->size_bytes && h.total_bytes > v->size_bytes * 8 / 10,
	      "%s: %lld bytes of %lld", v->id, h.total_bytes, v->size_bytes);
}

/* Stats; a kubelet that begins anew; another pod. */
static void is_served(struct vol *v)
{
	struct vol other = *v;
	struct track t;

	has_stats(v);
	lab_steps(&lab, v, VOL_STAGE, VOL_NODE_PUBLISH);
	if (!kubelet_second_target(v, other.target) ||
	    !vol_must(&lab.driver, &other, VOL_NODE_PUBLISH))
		return;
	lab_track(&other, &t);
	track_check(&t, FIRST);
	vol_must(&lab.driver, &other, VOL_NODE_UNPUBLISH);
	CHECK(access(other.target, F_OK) != 0, "%s is left", other.target);
}

static void grows(struct vol *v)
{
	struct track t;

	v->want_bytes = GROWN;
	if (!vol_must(&lab.driver, v, VOL_EXPAND) ||
	    !vol_must(&lab.driver, v, VOL_NODE_EXPAND))
		return;
	CHECK(v->size_bytes == GROWN, "%s: %lld bytes", v->id, v->size_bytes);
	CHECK(!v->is_block || kern_size(v->target) == GROWN, "%s: %lld bytes", v->target,
	      kern_size(v->target));
	has_stats(v);
	lab_track(v, &t);
	CHECK(track_write(&t, FIRST, MORE - FIRST), "%s: not written", t.path);
	track_check(&t, MORE);
}

static bool comes_off(struct vol *v)
{
	char nqn[300], device[KERN_NAME];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(v));
	if (!CHECK(kern_device(nqn, device), "%s has no device", nqn) ||
	    !lab_steps(&lab, v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) || !lab_is_gone(v, nqn))
		return false;
	CHECK(kern_is_free(device), "%s is held", device);
	CHECK(!answer_is_recorded(&lab.driver, v), "%s is still on record", v->id);
	return lab_data_right(&lab, v, MORE);
}

/* From now on as any other volume; under its old NQN, and its file system keeps the UUID
 * that the other driver's mkfs gave it. */
static bool lives_on(struct vol *v)
{
	struct track t;

	if (!lab_steps(&lab, v, VOL_PUBLISH, VOL_NODE_PUBLISH))
		return false;
	lab_track(v, &t);
	track_check(&t, MORE);
	has_stats(v);
	return comes_off(v);
}

static void take_over(void)
{
	for (unsigned i = 0; i < N; i++)
		is_served(&all[i]);
	is_untouched("served");
	for (unsigned i = 0; i < N; i++)
		grows(&all[i]);
	is_untouched("grown");
	for (unsigned i = 0; i < N; i++)
		if (comes_off(&all[i]) && (i % 5 != 3 || lives_on(&all[i])))
			lab_steps(&lab, &all[i], VOL_UNPUBLISH, VOL_DELETE);
}

static void adopted(void)
{
	unsigned begun;

	if (!open_all())
		goto out;
	begun = lab_mkfs_begun();
	kern_mark();
	lab.no_driver = false;
	driver_open(&lab.driver);
	if (!driver_start(&lab.driver))
		goto out;
	is_untouched("started");
	CHECK(driver_said(&lab.driver, "\"adopted\":20") &&
		      driver_said(&lab.driver, "\"unowned_sessions\":1"),
	      "the start told of something else");
	driver_kill(&lab.driver);
	if (!driver_start(&lab.driver))
		goto out;
	is_untouched("started anew");
	take_over();
	is_left_alone(&disk, "at the end");
	is_left_alone(&stray, "at the end");
	CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
out:
	disconnect_own(&disk);
	disconnect_own(&stray);
	lab_close(&lab);
}

static const struct e2e_test tests[] = { { "adopted", adopted, true }, { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
