/* A volume's whole life, and another one over the same id, as each file system and as a
 * raw block device, while a neighbour on the same port is written without pause. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "vm/lab.h"

static const long long GROWN = 1280LL << 20;
enum {
	FIRST = 100,
	ALL = 300
}; /* blocks: the second writing goes over the end of the ring */

static bool is_blank(const struct vol *v)
{
	struct track_seen seen;
	struct track t;

	lab_track(v, &t);
	if (!v->is_block)
		return CHECK(access(t.path, F_OK) != 0, "%s: an earlier life's file",
			     v->id);
	return CHECK(track_read(&t, 0, &seen) && seen.right + seen.damaged == 0,
		     "%s: an earlier life's data", v->id);
}

static bool write_blocks(const struct vol *v, uint64_t from, uint64_t to)
{
	struct track t;

	lab_track(v, &t);
	return CHECK(track_write(&t, from, to - from), "%s: not written", t.path) &&
	       track_check(&t, to);
}

static bool read_again(const struct vol *v, uint64_t synced)
{
	struct track t;

	lab_track(v, &t);
	kern_drop_caches();
	return track_check(&t, synced);
}

static bool has_grown(const struct vol *v)
{
	struct statvfs st = { 0 };

	if (v->is_block)
		return CHECK(kern_size(v->target) == GROWN, "%s: %lld bytes", v->target,
			     kern_size(v->target));
	return CHECK(statvfs(v->target, &st) == 0 &&
			     (long long)(st.f_blocks * st.f_frsize) > GROWN * 9 / 10,
		     "%s: %lld bytes", v->target, (long long)(st.f_blocks * st.f_frsize));
}

static bool grow(struct lab *l, struct vol *v)
{
	v->want_bytes = GROWN;
	return vol_must(&l->driver, v, VOL_EXPAND) &&
	       vol_must(&l->driver, v, VOL_NODE_EXPAND) && has_grown(v);
}

/* Down to the unstaged node: nothing is there any more, and the box has the data. */
static bool unstage(struct lab *l, struct vol *v, uint64_t synced)
{
	char device[KERN_NAME] = "", nqn[300];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(v));
	return CHECK(kern_device(nqn, device), "%s has no device", nqn) &&
	       CHECK(!kern_is_free(device) || v->is_block, "%s is not held", device) &&
	       lab_steps(l, v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) && lab_is_gone(v, nqn) &&
	       CHECK(kern_is_free(device), "%s is held", device) &&
	       lab_data_right(l, v, synced) && vol_must(&l->driver, v, VOL_UNPUBLISH);
}

static bool live(struct lab *l, struct vol *v)
{
	unsigned begun = lab_mkfs_begun(), want = v->is_block ? 0 : 1;

	v->want_bytes = 1LL << 30;
	return lab_up(l, v) && is_blank(v) && write_blocks(v, 0, FIRST) && grow(l, v) &&
	       write_blocks(v, FIRST, ALL) && unstage(l, v, ALL) &&
	       lab_steps(l, v, VOL_PUBLISH, VOL_NODE_PUBLISH) && read_again(v, ALL) &&
	       has_grown(v) && unstage(l, v, ALL) &&
	       CHECK(lab_mkfs_begun() - begun == want &&
			     lab_mkfs_begun() == lab_mkfs_done(),
		     "%u mkfs begun", lab_mkfs_begun() - begun) &&
	       vol_must(&l->driver, v, VOL_DELETE);
}

static void two_lives(struct lab *l, const char *fs)
{
	char id[64];
	struct vol v;

	(void)snprintf(id, sizeof(id), "pvc-life-%s", fs ? fs : "raw");
	for (int i = 0; i < 2; i++) {
		lab_vol(l, &v, id);
		v.fs = fs;
		v.is_block = !fs;
		if (!live(l, &v)) {
			e2e_note("%s: life %d ended early", id, i + 1);
			return;
		}
	}
}

/* The neighbour's writes meet no error and are all there at the end. */
static void beside(const char *fs)
{
	struct lab lab = { 0 };
	struct writer writer = { .pause_ms = 20 };
	struct track track;
	struct vol v;

	if (lab_open(&lab)) {
		lab_vol(&lab, &v, "pvc-neighbour");
		v.is_block = true;
		lab_track(&v, &track);
		if (lab_up(&lab, &v) && writer_start(&writer, &track, 4)) {
			two_lives(&lab, fs);
			CHECK(writer_advances(&writer, 8, 60000) &&
				      writer_end(&writer, 60000) &&
				      writer.shared->errors == 0,
			      "the neighbour was disturbed");
			e2e_note("the neighbour wrote %llu blocks",
				 (unsigned long long)writer.shared->synced);
			if (lab_down(&lab, &v) &&
			    lab_data_right(&lab, &v, writer.shared->synced))
				vol_must(&lab.driver, &v, VOL_DELETE);
		}
		writer_free(&writer);
	}
	lab_close(&lab);
}

static void ext4(void)
{
	beside("ext4");
}

static void xfs(void)
{
	beside("xfs");
}

static void btrfs(void)
{
	beside("btrfs");
}

static void raw(void)
{
	beside(NULL);
}

static const struct e2e_test tests[] = { { "ext4", ext4, true },
					 { "xfs", xfs, true },
					 { "btrfs", btrfs, true },
					 { "raw", raw, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
