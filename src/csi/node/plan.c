#include "csi/node/plan.h"

#include <string.h>

/* ---- stage */

static int check_same(const struct plan_stage *want, const struct nvme_record *rec,
		      struct err *err)
{
	if (want->is_block != rec->is_block)
		return err_set(err, ERR_EXISTS, "the volume is staged as %s",
			       rec->is_block ? "block" : "a file system");
	/* A disk found read-only may have been staged for a writer, and published so. */
	if (rec->is_adopted && rec->is_block && !want->readonly)
		return 0;
	if (want->readonly != rec->is_readonly)
		return err_set(err, ERR_EXISTS, "the volume is staged %s",
			       rec->is_readonly ? "read-only" : "writable");
	return 0;
}

static int check_mounted(const struct plan_stage *want, const struct nvme_view *view,
			 const struct nvme_record *rec, struct err *err)
{
	if (view->n_foreign_layers)
		return err_set(err, ERR_PRECONDITION,
			       "something else is mounted at the staging path");
	if (want->is_block || view->is_node)
		return err_set(err, ERR_EXISTS, "the volume is staged as a file system");
	if (strcmp(view->fs_type, want->fs_type) != 0)
		return err_set(err, ERR_EXISTS,
			       "the volume is staged as %s, %s is wanted", view->fs_type,
			       want->fs_type);
	if (rec && rec->stage == NVME_STAGED)
		return check_same(want, rec, err);
	if (view->is_readonly != want->readonly)
		return err_set(err, ERR_EXISTS, "the volume is staged %s",
			       view->is_readonly ? "read-only" : "writable");
	return 0;
}

/* Not a final code: the kubelet would forget that something is mounted here. */
static int plan_dead(const struct nvme_view *view, enum plan_begin *ret, struct err *err)
{
	*ret = PLAN_CLEAR;
	return view->n_elsewhere
		       ? err_set(err, ERR_ABORTED,
				 "the device is gone, and the volume is still published "
				 "at %u paths: its pods must end first",
				 view->n_elsewhere)
		       : 0;
}

/* Dead mounts elsewhere hold nothing that an attach could touch. A raw disk may be
 * published already, with its record lost; but nobody writes under a file system that is
 * mounted, staged for another claim of the same handle. */
static int plan_attach(const struct plan_stage *want, const struct nvme_view *view,
		       enum plan_begin *ret, struct err *err)
{
	if (view->n_elsewhere > view->n_dead && !want->is_block)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is in use at %u other paths",
			       view->n_elsewhere - view->n_dead);
	if (want->is_block && view->n_fs_elsewhere)
		return err_set(err, ERR_PRECONDITION,
			       "the file system on the volume is mounted at %u paths",
			       view->n_fs_elsewhere);
	*ret = view->n_other_sessions ? PLAN_CUT_OTHERS : PLAN_ATTACH;
	return 0;
}

int plan_stage_begin(const struct plan_stage *want, const struct nvme_view *view,
		     const struct nvme_record *rec, enum plan_begin *ret, struct err *err)
{
	bool is_recorded = rec && rec->stage == NVME_STAGED && rec->is_this_boot;

	if (view->n_layers > view->n_foreign_layers && view->is_dead)
		return plan_dead(view, ret, err);
	if (view->n_layers) {
		if (check_mounted(want, view, rec, err))
			return -1;
		*ret = is_recorded ? PLAN_STAGED : PLAN_ADOPT;
		return 0;
	}
	if (view->device.path[0] && is_recorded && rec->is_block) {
		if (check_same(want, rec, err))
			return -1;
		*ret = PLAN_STAGED;
		return 0;
	}
	return plan_attach(want, view, ret, err);
}

int plan_stage_device(const struct plan_stage *want, const struct nvme_device *dev,
		      const struct nvme_record *rec, struct err *err)
{
	uint64_t least =
		want->size_bytes > rec->size_bytes ? want->size_bytes : rec->size_bytes;

	if (dev->size_bytes == 0 || dev->size_bytes < least)
		return err_set(err, ERR_PRECONDITION,
			       "the device has %llu bytes, the volume has %llu",
			       (unsigned long long)dev->size_bytes,
			       (unsigned long long)least);
	return 0;
}

/* Our own mkfs, begun under this very record on a device of this size, and nothing was
 * mounted since: not here. Another node may have used the volume in between, so what it
 * left must look like it too. */
static bool was_cut_short(const struct plan_found *found)
{
	const struct nvme_record *rec = found->rec;

	return rec->stage == NVME_FORMATTING && !rec->was_mounted &&
	       rec->size_bytes == found->device_bytes;
}

static int plan_blank(const struct plan_stage *want, const struct nvme_record *rec,
		      enum plan_content *ret, struct err *err)
{
	if (want->readonly)
		return err_set(
			err, ERR_PRECONDITION,
			"the device is blank, and a read-only stage never formats");
	if (rec->was_mounted)
		return err_set(err, ERR_PRECONDITION,
			       "the volume held a file system and is blank now: not "
			       "formatted");
	*ret = PLAN_FORMAT;
	return 0;
}

static int check_fs(const struct plan_stage *want, const struct nvme_content *content,
		    const struct nvme_record *rec, struct err *err)
{
	if (strcmp(content->fs_type, want->fs_type) != 0)
		return err_set(err, ERR_PRECONDITION,
			       "the device holds %s, %s is wanted: not formatted",
			       content->fs_type, want->fs_type);
	if (want->fs_uuid && strcmp(content->fs_uuid, want->fs_uuid) != 0)
		return err_set(err, ERR_PRECONDITION,
			       "the file system is %s, this volume's is %s",
			       content->fs_uuid, want->fs_uuid);
	if (rec->fs_uuid[0] && strcmp(content->fs_uuid, rec->fs_uuid) != 0)
		return err_set(err, ERR_PRECONDITION,
			       "the file system is %s, this volume's was %s",
			       content->fs_uuid, rec->fs_uuid);
	if (want->readonly && content->is_dirty)
		return err_set(err, ERR_PRECONDITION,
			       "the file system was not cleanly unmounted: it must be "
			       "mounted writable once");
	return 0;
}

/* xfs and btrfs replay their logs at mount and have no preening checker. */
static bool has_check(const char *fs_type)
{
	return strcmp(fs_type, "ext4") == 0 || strcmp(fs_type, "ext3") == 0;
}

int plan_stage_content(const struct plan_stage *want, const struct plan_found *found,
		       enum plan_content *ret, struct err *err)
{
	const struct nvme_content *content = found->content;

	switch (content->kind) {
	case NVME_BLANK:
		return plan_blank(want, found->rec, ret, err);
	case NVME_FS:
		/* mkfs writes its primary superblock last: one that can be read was
		 * finished, or is another node's work since. Never formatted again. */
		if (check_fs(want, content, found->rec, err))
			return -1;
		*ret = content->is_dirty && has_check(content->fs_type) ? PLAN_CHECK
									: PLAN_MOUNT;
		return 0;
	default:
		if (!was_cut_short(found) || !content->is_remains || want->readonly)
			return err_set(err, ERR_PRECONDITION,
				       "never formatted, for the device holds %s",
				       content->found);
		*ret = PLAN_FORMAT_ANEW;
		return 0;
	}
}

/* Volumes are whole MiB; what mkfs leaves at the end is less. */
bool plan_needs_growth(const struct nvme_content *content, uint64_t device_bytes)
{
	enum { MIB = 1024 * 1024 };

	return content->fs_size_bytes && device_bytes > content->fs_size_bytes &&
	       device_bytes - content->fs_size_bytes >= MIB;
}

/* ---- publish */

/* One volume is staged once on a node, whichever claim asks: a writer beside readers
 * comes as another PV with the same handle. */
static int check_mode(const struct plan_publish *want, const struct nvme_record *rec,
		      struct err *err)
{
	if (!rec || rec->is_adopted)
		return 0; /* staged under other rules */
	if (rec->is_readonly && !want->is_reader)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is staged for readers only: no writer");
	if (!rec->is_readonly && want->is_reader)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is staged for a writer: no readers of many "
			       "nodes beside it");
	return 0;
}

static int check_staged(const struct plan_publish *want, const struct plan_facts *f,
			struct err *err)
{
	if (f->rec && strcmp(f->rec->nqn, want->nqn) != 0)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is staged under another NQN: it was fenced "
			       "and must be unstaged first");
	if (f->staging->is_dead)
		return err_set(err, ERR_PRECONDITION,
			       "the device is gone under the staging mount: the volume "
			       "must be unstaged first");
	if (!want->is_block && f->staging->top != NVME_TOP_OURS)
		return err_set(err, ERR_PRECONDITION, "the volume is not staged");
	if (want->is_block && (!f->staging->device.path[0] || f->staging->n_layers ||
			       (f->rec && !f->rec->is_block)))
		return err_set(err, ERR_PRECONDITION,
			       "the volume is not staged as block");
	return check_mode(want, f->rec, err);
}

/* Dead ones use nothing. Beside a target that is published already the kubelet has bound
 * what a pod names by subPath, and asks again when it starts anew. */
static int check_others(const struct plan_publish *want, const struct nvme_view *target,
			struct err *err)
{
	unsigned n_readonly = target->n_elsewhere - target->n_elsewhere_writable;
	bool is_published = target->top == NVME_TOP_OURS && !target->is_dead;
	unsigned n_own = is_published ? target->n_parts_elsewhere : 0;

	if (want->is_single_writer && target->n_elsewhere > target->n_dead + n_own)
		return err_set(err, ERR_PRECONDITION,
			       "the volume is published at another path already, and its "
			       "access mode allows one");
	/* A block device is read-only as a whole or not at all. */
	if (want->is_block && want->readonly && target->n_elsewhere_writable)
		return err_set(err, ERR_PRECONDITION,
			       "the block volume is published writable elsewhere");
	if (want->is_block && !want->readonly && n_readonly)
		return err_set(err, ERR_PRECONDITION,
			       "the block volume is published read-only elsewhere");
	return 0;
}

/* A plain node of the right device is the earlier driver's way and serves, except that it
 * cannot be made read-only. */
static enum plan_target plan_unmounted(const struct plan_publish *want,
				       const struct plan_facts *f)
{
	return want->is_block && f->has_node && !want->readonly ? PLAN_PUBLISHED
								: PLAN_BIND;
}

int plan_publish(const struct plan_publish *want, const struct plan_facts *f,
		 enum plan_target *ret, struct err *err)
{
	bool is_ro = want->readonly || (!want->is_block && f->staging->is_readonly);

	if (check_staged(want, f, err) || check_others(want, f->target, err))
		return -1;
	if (f->target->n_foreign_layers)
		return err_set(err, ERR_PRECONDITION,
			       "something else is mounted at the target path");
	if (f->target->top == NVME_TOP_NONE) {
		*ret = plan_unmounted(want, f);
		return 0;
	}
	if (f->target->is_dead) {
		*ret = PLAN_REPLACE;
		return 0;
	}
	if (f->target->is_node != want->is_block || f->target->is_readonly != is_ro)
		return err_set(err, ERR_EXISTS,
			       "the volume is published there with other arguments");
	*ret = PLAN_PUBLISHED;
	return 0;
}
