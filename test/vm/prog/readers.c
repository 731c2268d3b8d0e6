/* Read-only-many: what a reader finds is never repaired, replayed or formatted for it,
 * and nobody writes beside it, also not through a second PV of the same volume.
 * "Untouched" is what the box's own file says: not written since. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csi.pb-c.h"
#include "vm/answer.h"
#include "vm/lab.h"

enum {
	READ_MANY = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY,
	BLOCKS = 100,
};

static struct lab lab;

/* ---- parts ---- */

static void make(struct vol *v, const char *name, const char *fs)
{
	char id[64];

	(void)snprintf(id, sizeof(id), "pvc-%s-%s", name, fs ? fs : "raw");
	lab_vol(&lab, v, id);
	v->fs = fs;
	v->is_block = !fs;
}

static bool must(struct vol *v, enum vol_step first, enum vol_step last)
{
	return lab_steps(&lab, v, first, last);
}

static bool is_refused(struct vol *v, enum vol_step step, enum err_code code,
		       const char *word)
{
	return answer_is(&lab.driver, v, step, code, word);
}

struct mark {
	struct timespec written;
	long long blocks;
	unsigned begun;
};

static bool mark(const struct vol *v, struct mark *m)
{
	char image[300];
	struct stat st;
	int fd = -1;
	bool ok = sim_image(&lab.sim, v->id, image, sizeof(image)) &&
		  (fd = open(image, O_RDONLY | O_CLOEXEC)) >= 0 &&
		  /* What is still to be written back may take a block more then. */
		  fsync(fd) == 0 && fstat(fd, &st) == 0;

	if (fd >= 0)
		close(fd);
	if (!CHECK(ok, "no image of %s", v->id))
		return false;
	*m = (struct mark){ st.st_mtim, st.st_blocks, lab_mkfs_begun() };
	return true;
}

static bool is_untouched(const struct vol *v, const struct mark *m)
{
	struct mark now;

	return mark(v, &now) &&
	       CHECK(now.written.tv_sec == m->written.tv_sec &&
			     now.written.tv_nsec == m->written.tv_nsec &&
			     now.blocks == m->blocks,
		     "%s was written to", v->id) &&
	       CHECK(now.begun == m->begun, "%s: a mkfs was begun", v->id);
}

/* A reader's stage is refused, leaves nothing on the node and nothing in the volume. */
static bool stays_out(struct vol *v, const char *why)
{
	struct mark m;

	return must(v, VOL_PUBLISH, VOL_PUBLISH) && mark(v, &m) &&
	       is_refused(v, VOL_STAGE, ERR_PRECONDITION, why) && is_untouched(v, &m) &&
	       lab_is_gone(v, lab_nqn(v)) &&
	       CHECK(!answer_is_recorded(&lab.driver, v), "%s is recorded", v->id) &&
	       must(v, VOL_UNPUBLISH, VOL_UNPUBLISH);
}

static bool write_blocks(const struct vol *v)
{
	struct track t;

	lab_track(v, &t);
	return CHECK(track_write(&t, 0, BLOCKS), "%s: not written", t.path);
}

static bool blocks_are_right(const struct vol *v)
{
	struct track t;

	lab_track(v, &t);
	kern_drop_caches();
	return track_check(&t, BLOCKS);
}

/* Neither through the target nor past the file system. */
static bool cannot_write(const struct vol *v)
{
	char device[KERN_NAME] = "";
	struct track t;
	int fd, is_ro = 0;

	lab_track(v, &t);
	t.seed++;
	if (!CHECK(kern_device(lab_nqn(v), device), "%s has no device", v->id) ||
	    !CHECK(!track_write(&t, 0, 1), "%s: written by a reader", t.path))
		return false;
	fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)ioctl(fd, BLKROGET, &is_ro);
		close(fd);
	}
	return CHECK(is_ro, "%s can be written", device);
}

static bool down(struct vol *v)
{
	char nqn[300];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(v));
	return lab_down(&lab, v) && lab_is_gone(v, nqn) &&
	       lab_data_right(&lab, v, BLOCKS);
}

/* Reads, twice staged, while nothing is written; and down again. */
static bool reads(struct vol *v)
{
	struct mark m;

	return mark(v, &m) && must(v, VOL_PUBLISH, VOL_NODE_PUBLISH) &&
	       must(v, VOL_STAGE, VOL_NODE_PUBLISH) && blocks_are_right(v) &&
	       cannot_write(v) && down(v) && is_untouched(v, &m);
}

/* ---- a dirty journal ---- */

/* The session ends under the mount: the journal has what was fsync'd, and nobody closes
 * it. The same was written and committed before, so that btrfs has no commit due in
 * between and no room to find, for which it would commit instead. */
static bool lose(struct vol *v)
{
	char nqn[300];
	int fd;

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(v));
	if (!write_blocks(v))
		return false;
	fd = open(v->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) || close(fd))
		return CHECK(false, "%s: %s", v->target, strerror(errno));
	if (!write_blocks(v))
		return false;
	kern_end_under(nqn);
	return must(v, VOL_NODE_UNPUBLISH, VOL_UNPUBLISH) && lab_is_gone(v, nqn);
}

/* A writer's stage replays it, and then readers come in. */
static bool dirty_life(const char *fs)
{
	struct vol v;

	make(&v, "journal", fs);
	if (!lab_up(&lab, &v) || !lose(&v))
		return false;
	v.mode = READ_MANY;
	if (!stays_out(&v, "cleanly"))
		return false;
	v.mode = 0;
	if (!must(&v, VOL_PUBLISH, VOL_NODE_PUBLISH) || !blocks_are_right(&v) ||
	    !down(&v))
		return false;
	v.mode = READ_MANY;
	return reads(&v) && must(&v, VOL_DELETE, VOL_DELETE);
}

static void journal(void)
{
	static const char *const kinds[] = { "ext4", "xfs", "btrfs" };

	lab = (struct lab){ 0 };
	if (lab_open(&lab))
		for (unsigned i = 0; i < 3; i++)
			if (!dirty_life(kinds[i]))
				e2e_note("%s ended early", kinds[i]);
	lab_close(&lab);
}

/* ---- a blank volume ---- */

/* A reader by the access mode, and by a PV that is read-only whatever its mode; twice. */
static void blank(void)
{
	struct vol v;

	lab = (struct lab){ 0 };
	if (lab_open(&lab)) {
		make(&v, "blank", "ext4");
		v.mode = READ_MANY;
		if (must(&v, VOL_CREATE, VOL_CREATE) && stays_out(&v, "blank")) {
			v.mode = 0;
			v.is_readonly = true;
			if (stays_out(&v, "blank") && stays_out(&v, "blank"))
				must(&v, VOL_DELETE, VOL_DELETE);
		}
	}
	lab_close(&lab);
}

/* ---- a second PV ---- */

/* Another claim on the same volume: another pod's path, and where is_apart, as kubelets
 * before 1.24 had it, a staging path of its own. */
static void second_pv(const struct vol *v, struct vol *ret, bool is_apart)
{
	*ret = *v;
	for (size_t i = 0; i < v->context.n * 2; i++)
		ret->context.pairs[i] = ret->context.text[i];
	for (size_t i = 0; i < v->publish.n * 2; i++)
		ret->publish.pairs[i] = ret->publish.text[i];
	(void)snprintf(ret->target, sizeof(ret->target), "%.200s-2", v->target);
	if (!is_apart)
		return;
	(void)snprintf(ret->staging, sizeof(ret->staging), "%.200s-2", v->staging);
	(void)mkdir(ret->staging, 0700);
}

/* As if the controller had let it in. */
static void grant(struct vol *w, int mode, bool is_readonly)
{
	struct vol_context *c = &w->publish;

	w->mode = mode;
	w->is_readonly = is_readonly;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->pairs[2 * i], "readonly") == 0)
			c->pairs[2 * i + 1] =
				mode == READ_MANY || is_readonly ? "true" : "false";
}

/* Wherever the second PV is tried it is refused: by the controller on this node and on
 * another one, and by the node even if the controller had granted it. */
static bool keeps_out(const struct vol *v, int mode, bool is_readonly)
{
	struct vol w;

	second_pv(v, &w, false);
	grant(&w, mode, is_readonly);
	if (!is_refused(&w, VOL_PUBLISH, ERR_EXISTS, "published to this node") ||
	    !is_refused(&w, VOL_STAGE, ERR_EXISTS, "staged") ||
	    !is_refused(&w, VOL_NODE_PUBLISH, ERR_PRECONDITION, "staged for"))
		return false;
	w.node = "node-b";
	if (!is_refused(&w, VOL_PUBLISH, ERR_PRECONDITION, "node-a holds it"))
		return false;
	second_pv(v, &w, true);
	grant(&w, mode, is_readonly);
	return is_refused(&w, VOL_STAGE, v->is_block ? ERR_EXISTS : ERR_PRECONDITION,
			  NULL) &&
	       CHECK(kern_mounts_with(w.target) == 0, "%s is mounted", w.target) &&
	       CHECK(kern_layers(w.staging) == 0, "%s is mounted", w.staging) &&
	       CHECK(kern_sessions(lab_nqn(v)) == 1, "%u sessions",
		     kern_sessions(lab_nqn(v)));
}

/* One reader more is welcome where it reads only. */
static bool lets_readers_in(const struct vol *v)
{
	struct vol w;

	second_pv(v, &w, false);
	if (!must(&w, VOL_NODE_PUBLISH, VOL_NODE_PUBLISH) || !blocks_are_right(&w) ||
	    !must(&w, VOL_NODE_UNPUBLISH, VOL_NODE_UNPUBLISH))
		return false;
	w.node = "node-b";
	return must(&w, VOL_PUBLISH, VOL_PUBLISH) &&
	       must(&w, VOL_UNPUBLISH, VOL_UNPUBLISH);
}

static bool second_life(const char *fs)
{
	struct vol v;
	struct mark m;

	make(&v, "second", fs);
	if (!lab_up(&lab, &v) || !write_blocks(&v) || !keeps_out(&v, READ_MANY, false) ||
	    !keeps_out(&v, 0, true) || !blocks_are_right(&v) || !down(&v))
		return false;
	v.mode = READ_MANY;
	return mark(&v, &m) && must(&v, VOL_PUBLISH, VOL_NODE_PUBLISH) &&
	       keeps_out(&v, 0, false) && lets_readers_in(&v) && blocks_are_right(&v) &&
	       cannot_write(&v) && down(&v) && is_untouched(&v, &m) &&
	       must(&v, VOL_DELETE, VOL_DELETE);
}

static void second(void)
{
	lab = (struct lab){ 0 };
	if (lab_open(&lab)) {
		if (!second_life("ext4"))
			e2e_note("ext4 ended early");
		if (!second_life(NULL))
			e2e_note("raw ended early");
	}
	lab_close(&lab);
}

static const struct e2e_test tests[] = { { "journal", journal, true },
					 { "blank", blank, true },
					 { "second", second, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
