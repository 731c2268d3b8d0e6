#ifndef CSI_NODE_PLAN_OFF_H
#define CSI_NODE_PLAN_OFF_H
#include "nvme/nvme.h"

/* How a volume comes off a node, one step after each look. Pure: what is true and what
 * was done last → what is next, or an error that says why not. */
enum plan_off {
	PLAN_OFF_BEGIN,	  /* as the last: nothing was done yet */
	PLAN_OFF_ASK,	  /* whether the target refuses the session's name for good */
	PLAN_OFF_SYNC,	  /* syncfs; its error is told and goes no further */
	PLAN_OFF_UNMOUNT, /* every layer at the staging path */
	PLAN_OFF_TARGET,  /* the dead mount elsewhere that the view names */
	PLAN_OFF_PROVE,
	PLAN_OFF_DETACH,
	PLAN_OFF_CUT,
	PLAN_OFF_DONE, /* as the next: nothing of it is left, the record may go */
};

struct plan_off_facts {
	const struct nvme_view *view; /* at the staging path, after last */
	enum plan_off last;
	bool is_refused;       /* what ASK answered, valid when last is ASK */
	bool is_other;	       /* SYNC found another file system and did nothing */
	const char *last_path; /* of TARGET */
};

/* A session of the volume, usable or not. */
static inline bool plan_has_session(const struct nvme_view *view)
{
	return view->state != NVME_ABSENT || view->device.path[0];
}

/* Unstage: syncfs, unmount, O_EXCL, delete, each proven before the next. A device that is
 * busy is never deleted, unless its target refuses it for good. A target that only does
 * not answer must come back first: then nothing that was written is lost. */
int plan_unstage(const struct plan_off_facts *f, enum plan_off *ret, struct err *err);
/* What Stage finds of an earlier name of the volume, or with its device gone: deleted
 * first, for an unmount with unwritten data hangs until then; then every layer. */
int plan_clear(const struct plan_off_facts *f, enum plan_off *ret, struct err *err);

/* Whether Stage may clear what the record tells of away for the name that it wants: not
 * when that is of no newer generation and the recorded one works, for then the call may
 * be late. Two volumes made one after the other under one id are of one generation; what
 * is no name of the volume is of none.
 */
int plan_may_clear(const char *id, const char *wanted_nqn, const struct nvme_view *view,
		   const struct nvme_record *rec, struct err *err);
#endif
