/* Growth of each file system and of a raw block volume: under a writer, at once, late and
 * twice; while nobody has it; at a target that fixes the size when it exports; of a file
 * system that came from a smaller volume. Node expansion is asked for as the kubelet
 * does: when the controller says so. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "vm/answer.h"
#include "vm/lab.h"

static const long long MIB = 1LL << 20;
enum { FIRST = 1024, STEP = 256 }; /* MiB: what a volume begins with, and grows by */
enum { BATCH = 4, MORE = 2 * BATCH, PAUSE_MS = 50, SOON_MS = 120000 };

static const char *const kinds[] = { "ext4", "xfs", "btrfs", NULL };
enum { N = sizeof(kinds) / sizeof(kinds[0]) };

static struct lab lab;
static struct one {
	struct vol v;
	struct writer w;
	uint64_t synced;
} all[N];

/* ---- parts ---- */

static bool each(bool (*part)(struct one *o))
{
	for (unsigned i = 0; i < N; i++)
		if (!part(&all[i])) {
			e2e_note("%s ended early", all[i].v.id);
			return false;
		}
	return true;
}

static void open_all(const char *const *sim_args, const char *name)
{
	char id[64];

	memset(all, 0, sizeof(all));
	lab = (struct lab){ .sim_args = sim_args };
	for (unsigned i = 0; i < N; i++) {
		const char *fs = kinds[i];

		(void)snprintf(id, sizeof(id), "pvc-%s-%s", name, fs ? fs : "raw");
		lab_vol(&lab, &all[i].v, id);
		all[i].v.fs = fs;
		all[i].v.is_block = !fs;
		all[i].v.want_bytes = FIRST * MIB;
		all[i].w.pause_ms = PAUSE_MS;
	}
}

static void close_all(void)
{
	for (unsigned i = 0; i < N; i++)
		if (all[i].w.shared)
			writer_free(&all[i].w);
	lab_close(&lab);
}

static bool do_step(struct one *o, enum vol_step step)
{
	return vol_must(&lab.driver, &o->v, step);
}

static long long mib(const struct one *o)
{
	return o->v.want_bytes / MIB;
}

/* The pod sees that size and, of a file system, no less than nine tenths of it: less than
 * STEP are missing. */
static bool has(const struct one *o, long long want)
{
	struct statvfs st = { 0 };
	long long size;

	if (o->v.is_block) {
		size = kern_size(o->v.target);
		return CHECK(size == want * MIB, "%s: %lld bytes, not %lld MiB", o->v.id,
			     size, want);
	}
	if (statvfs(o->v.target, &st))
		return CHECK(false, "%s: %s", o->v.target, strerror(errno));
	size = (long long)(st.f_blocks * st.f_frsize);
	return CHECK(size > want * MIB / 10 * 9 && size <= want * MIB,
		     "%s: %lld bytes, not %lld MiB", o->v.id, size, want);
}

/* What was added can be used: a file that would not have fitted; the last block. */
static bool use_room(const struct one *o)
{
	static const char text[4096] __attribute__((aligned(4096))) = "the end";
	static char got[4096] __attribute__((aligned(4096)));
	char path[E2E_PATH + 8];
	off_t size = (off_t)((mib(o) - STEP + STEP / 4) * MIB);
	int fd, rc;

	if (o->v.is_block) {
		off_t at = (off_t)(o->v.want_bytes - (long long)sizeof(text));

		fd = open(o->v.target, O_RDWR | O_DIRECT | O_CLOEXEC);
		rc = fd < 0 || pwrite(fd, text, sizeof(text), at) != sizeof(text) ||
		     pread(fd, got, sizeof(got), at) != sizeof(got) ||
		     memcmp(text, got, sizeof(text)) != 0;
	} else {
		(void)snprintf(path, sizeof(path), "%s/room", o->v.target);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		rc = fd < 0 ? errno : posix_fallocate(fd, 0, size);
		(void)unlink(path);
	}
	if (fd >= 0)
		close(fd);
	return CHECK(rc == 0, "%s: the new room is of no use (%d)", o->v.id, rc);
}

static bool start_writer(struct one *o)
{
	struct track t;

	lab_track(&o->v, &t);
	return writer_start(&o->w, &t, BATCH);
}

static bool writes_on(struct one *o)
{
	return CHECK(writer_advances(&o->w, MORE, SOON_MS) && o->w.shared->errors == 0,
		     "%s: the writer was disturbed (%d)", o->v.id,
		     o->w.shared->last_errno);
}

static bool end_writer(struct one *o)
{
	if (!writes_on(o) || !CHECK(writer_end(&o->w, SOON_MS), "the writer hangs"))
		return false;
	o->synced = o->w.shared->synced;
	writer_free(&o->w);
	e2e_note("%s: %llu blocks synced", o->v.id, (unsigned long long)o->synced);
	return true;
}

static bool begin(struct one *o)
{
	return lab_up(&lab, &o->v) && has(o, FIRST) && start_writer(o);
}

static bool expand(struct one *o)
{
	o->v.want_bytes += STEP * MIB;
	return do_step(o, VOL_EXPAND) &&
	       CHECK(o->v.must_grow_node, "%s: nobody would tell the node", o->v.id);
}

static bool node_expand(struct one *o)
{
	return do_step(o, VOL_NODE_EXPAND) && has(o, mib(o));
}

static bool down(struct one *o)
{
	char nqn[300];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(&o->v));
	return lab_down(&lab, &o->v) && lab_is_gone(&o->v, nqn) &&
	       lab_data_right(&lab, &o->v, o->synced);
}

/* Stage alone has made it as large as it is to be, and nothing was written anew. */
static bool up_again(struct one *o)
{
	unsigned begun = lab_mkfs_begun();
	struct track t;

	lab_track(&o->v, &t);
	return lab_steps(&lab, &o->v, VOL_PUBLISH, VOL_NODE_PUBLISH) && has(o, mib(o)) &&
	       use_room(o) && track_check(&t, o->synced) &&
	       CHECK(lab_mkfs_begun() == begun, "%s: a mkfs was begun", o->v.id);
}

static bool end(struct one *o)
{
	return down(o) && do_step(o, VOL_DELETE);
}

/* ---- under a writer, late, twice, detached ---- */

static bool grow_mounted(struct one *o)
{
	return expand(o) && node_expand(o) && use_room(o) && writes_on(o) &&
	       do_step(o, VOL_EXPAND) && node_expand(o);
}

static bool grow_late(struct one *o)
{
	return node_expand(o) && use_room(o) && end_writer(o) && down(o);
}

/* The kubelet asks for the node's part even where stage has done it. */
static bool come_back(struct one *o)
{
	return up_again(o) && node_expand(o) && end(o);
}

static void online(void)
{
	open_all(NULL, "online");
	if (!lab_open(&lab) || !each(begin) || !each(grow_mounted) || !each(expand))
		goto out;
	driver_stop(&lab.driver);
	if (driver_start(&lab.driver) && each(writes_on) && each(grow_late) &&
	    each(expand))
		(void)each(come_back);
out:
	close_all();
}

/* ---- a target that fixes the size at enable ---- */

/* It says when it happens, and harms nobody. */
static bool is_put_off(struct one *o)
{
	return answer_is(&lab.driver, &o->v, VOL_NODE_EXPAND, ERR_PRECONDITION,
			 "next stage after a detach") &&
	       has(o, FIRST);
}

static bool put_off(struct one *o)
{
	return expand(o) && is_put_off(o) && is_put_off(o) && end_writer(o);
}

/* While it stays exported there is no more to have, and it can be used. */
static bool stage_again(struct one *o)
{
	struct track t;

	lab_track(&o->v, &t);
	return lab_steps(&lab, &o->v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) &&
	       lab_steps(&lab, &o->v, VOL_STAGE, VOL_NODE_PUBLISH) && is_put_off(o) &&
	       track_check(&t, o->synced);
}

static void fixed(void)
{
	static const char *const args[] = { "--nvmet-size-fixed", NULL };

	open_all(args, "fixed");
	if (lab_open(&lab) && each(begin) && each(put_off) && each(stage_again) &&
	    each(down))
		(void)each(come_back);
	close_all();
}

/* ---- restored ---- */

static bool copy_data(int from, int to)
{
	static char data[1 << 16];
	off_t at = 0;
	ssize_t n;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		n = pread(from, data, sizeof(data), at);
		if (n <= 0 || pwrite(to, data, (size_t)n, at) != n)
			return false;
		at += n;
	}
	return errno == ENXIO && fsync(to) == 0;
}

static bool copy_image(const char *from_id, const char *to_id)
{
	char from[300], to[300];
	int in, out;
	bool ok;

	if (!CHECK(sim_image(&lab.sim, from_id, from, sizeof(from)) &&
			   sim_image(&lab.sim, to_id, to, sizeof(to)),
		   "no image of %s or %s", from_id, to_id))
		return false;
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CLOEXEC);
	ok = in >= 0 && out >= 0 && copy_data(in, out);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return CHECK(ok, "%s is not copied: %s", from, strerror(errno));
}

/* A volume without the driver's own word on whose file system it holds. */
static void forget_identity(struct vol *v)
{
	struct vol_context *c = &v->context;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->pairs[2 * i], "fsIdentity") == 0)
			c->pairs[2 * i] = "unknownToTheDriver";
}

/* The source's blocks, wherever the copy of it is to be read. */
static bool has_blocks(const struct one *from, const char *path)
{
	struct track t;

	lab_track(&from->v, &t);
	(void)snprintf(t.path, sizeof(t.path), "%.200s/track", path);
	return track_check(&t, from->synced);
}

static bool make_source(struct one *o)
{
	struct track t;

	lab_track(&o->v, &t);
	o->synced = t.slots;
	return lab_up(&lab, &o->v) &&
	       CHECK(track_write(&t, 0, t.slots), "%s: not written", t.path) && down(o);
}

static bool make_copy(const struct one *from, struct one *ret)
{
	char id[64];

	(void)snprintf(id, sizeof(id), "%.40s-copy", from->v.id);
	memset(ret, 0, sizeof(*ret));
	lab_vol(&lab, &ret->v, id);
	ret->v.fs = from->v.fs;
	ret->v.want_bytes = (FIRST + STEP) * MIB;
	if (!do_step(ret, VOL_CREATE) || !copy_image(from->v.id, id))
		return false;
	forget_identity(&ret->v);
	return true;
}

/* The file system fills its new volume once that is staged, and keeps its data. */
static bool restore(struct one *o)
{
	static struct one copy;
	char path[E2E_PATH];
	unsigned begun;

	if (o->v.is_block)
		return true;
	if (!make_source(o) || !make_copy(o, &copy))
		return false;
	begun = lab_mkfs_begun();
	if (!lab_steps(&lab, &copy.v, VOL_PUBLISH, VOL_NODE_PUBLISH) ||
	    !has(&copy, FIRST + STEP) || !use_room(&copy) ||
	    !has_blocks(o, copy.v.target) || !lab_down(&lab, &copy.v) ||
	    !lab_mount_image(&lab, &copy.v))
		return false;
	(void)has_blocks(o, e2e_path(path, "box-mount"));
	return lab_umount_image() &&
	       CHECK(lab_mkfs_begun() == begun, "%s: a mkfs was begun", copy.v.id) &&
	       do_step(&copy, VOL_DELETE) && do_step(o, VOL_DELETE);
}

static void restored(void)
{
	open_all(NULL, "restored");
	if (lab_open(&lab))
		(void)each(restore);
	close_all();
}

static const struct e2e_test tests[] = { { "online", online, true },
					 { "fixed", fixed, true },
					 { "restored", restored, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
