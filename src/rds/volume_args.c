#include "rds/volume_args.h"

#include <string.h>

#include "core/rand.h"
#include "rds/ros_text.h"
#include "rds/volume.h"

enum ros_step volume_args_step(enum rds_kind kind)
{
	static const enum ros_step steps[] = {
		[RDS_GET] = ROS_GET,
		[RDS_LIST] = ROS_LIST,
		[RDS_CAPACITY] = ROS_CAPACITY,
		[RDS_CREATE] = ROS_CREATE,
		[RDS_DELETE] = ROS_DELETE,
		[RDS_GROW] = ROS_GROW,
		[RDS_NO_MOUNT] = ROS_NO_MOUNT,
		[RDS_PUBLISH] = ROS_PUBLISH,
		[RDS_UNPUBLISH] = ROS_UNPUBLISH,
		[RDS_FENCE_BEGIN] = ROS_FENCE_BEGIN,
		[RDS_FENCE_FINISH] = ROS_FENCE_FINISH,
		[RDS_EXPORT] = ROS_EXPORT,
	};

	return steps[kind];
}

enum lane volume_args_lane(enum rds_kind kind, enum ros_step step)
{
	if (step == ROS_GET)
		return LANE_FAST;
	switch (kind) {
	case RDS_LIST:
	case RDS_CAPACITY:
		return LANE_READ;
	case RDS_CREATE:
	case RDS_DELETE:
	case RDS_GROW:
	case RDS_NO_MOUNT:
		return LANE_BULK;
	default:
		return LANE_FAST;
	}
}

uint64_t volume_args_allowance(const struct rds_req *req)
{
	if (!judge_is_mutation(req->kind))
		return VOLUME_READ_MS;
	if (req->kind != RDS_CREATE && req->kind != RDS_GROW)
		return VOLUME_CHANGE_MS;
	return VOLUME_CHANGE_MS + (req->size_bytes >> 30) * VOLUME_MS_PER_GIB;
}

static bool writes_record(enum rds_kind kind)
{
	return kind == RDS_CREATE || kind >= RDS_PUBLISH;
}

static int fill_record(struct ros_args *a, struct volume_texts *t,
		       const struct rds_req *req, const struct ros_site *site,
		       struct err *err)
{
	struct rds_record r;

	if (!req->record)
		return err_set(err, ERR_INVALID, "no record to write");
	r = *req->record;
	rand_hex(t->nonce, RDS_NONCE);
	memcpy(r.nonce, t->nonce, sizeof(r.nonce));
	(void)memset(r.cluster, 0, sizeof(r.cluster));
	memcpy(r.cluster, site->cluster_id, strnlen(site->cluster_id, RDS_CLUSTER_MAX));
	a->record = t->record;
	a->nonce = t->nonce;
	return disk_record_format(t->record, &r, err);
}

static int fill_place(struct ros_args *a, const struct rds_req *req,
		      const struct ros_site *site, struct err *err)
{
	int base = req->base ? ros_site_base(site, req->base) : 0;

	if (base < 0)
		return err_set(err, ERR_INVALID,
			       "%.100s is none of the directories for volumes",
			       req->base);
	if (req->layout == RDS_LAYOUT_SUBVOLUME && !site->label[0])
		return err_set(err, ERR_PRECONDITION,
			       "layout subvolume needs a pool of Btrfs, labelled and "
			       "mounted at its root; this one is not");
	a->base = (unsigned)base;
	a->layout = req->layout;
	if (a->layout == RDS_LAYOUT_AUTO)
		a->layout = site->label[0] ? RDS_LAYOUT_SUBVOLUME : RDS_LAYOUT_FILE;
	return 0;
}

static bool needs_nqn(enum rds_kind kind)
{
	return kind == RDS_CREATE || kind == RDS_PUBLISH || kind == RDS_FENCE_FINISH ||
	       kind == RDS_EXPORT;
}

static int check(const struct rds_req *req, const struct ros_site *site, struct err *err)
{
	if (req->kind == RDS_LIST || req->kind == RDS_CAPACITY)
		return 0;
	if (!ros_is(ROS_ID, req->id))
		return err_set(err, ERR_INVALID, "not a volume id");
	if (needs_nqn(req->kind) && !ros_is(ROS_NQN, req->nqn))
		return err_set(err, ERR_INVALID, "not an NQN");
	if (req->expect_nonce && !disk_record_is_nonce(req->expect_nonce))
		return err_set(err, ERR_INVALID, "not a nonce");
	if (req->kind >= RDS_PUBLISH && !req->expect_nonce && !site->adopt_unmarked)
		return err_set(err, ERR_PRECONDITION,
			       "the disk bears no record, and unmarked ones are not "
			       "adopted");
	if (req->kind == RDS_DELETE && req->base &&
	    ros_site_layout(site, req->id, req->base) == RDS_LAYOUT_AUTO)
		return err_set(err, ERR_PRECONDITION,
			       "%.150s is no place for this volume's file", req->base);
	return 0;
}

int volume_args_fill(struct ros_args *a, struct volume_texts *t,
		     const struct rds_req *req, const struct ros_site *site,
		     struct err *err)
{
	*a = (struct ros_args){
		.id = req->id,
		.size_bytes = req->size_bytes,
		.port = req->nvme_port,
		.nqn = req->nqn,
		.expect_nonce = req->expect_nonce,
		.switch_off = req->switch_off,
		.may_unmount = req->may_unmount,
	};
	if (check(req, site, err))
		return -1;
	if (req->kind == RDS_CREATE && fill_place(a, req, site, err))
		return -1;
	return writes_record(req->kind) ? fill_record(a, t, req, site, err) : 0;
}

void volume_args_upon_own(struct ros_args *a, struct volume_texts *t)
{
	memcpy(t->own_nonce, t->nonce, sizeof(t->own_nonce));
	a->expect_nonce = t->own_nonce;
	rand_hex(t->nonce, RDS_NONCE);
	/* The nonce's place in the line is fixed. */
	memcpy(t->record + strlen(RDS_RECORD_MARK), t->nonce, RDS_NONCE);
}

void volume_args_capacity(struct rds_req *req, struct judge_answer *a,
			  const struct ros_site *site, const struct ros_event *ev)
{
	uint64_t size = 0, available = 0, reserve;
	struct err err;
	struct row row;

	if (a->has_row || row_parse(&row, ev->text, ev->len, &err) ||
	    !row_has(&row, "size") || row_u64(&row, "size", &size) ||
	    !row_has(&row, "free") || row_u64(&row, "free", &available))
		a->is_nonsense = true;
	a->has_row = true;
	reserve = size / 100 * site->reserve_percent;
	req->total_bytes = size - reserve;
	req->free_bytes = available > reserve ? available - reserve : 0;
}
