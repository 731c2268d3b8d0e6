#ifndef CSI_NODE_PLAN_H
#define CSI_NODE_PLAN_H
#include "nvme/nvme.h"

/* The decisions of Stage and Publish. Pure: what is wanted, what is true, what is
 * recorded → what to do, or an error that says why not. */

struct plan_stage {
	const char *nqn, *fs_type; /* fs_type "" for block */
	const char *fs_uuid;	   /* what the file system must have; NULL = not said */
	bool is_block, readonly;
	uint64_t size_bytes; /* the least the device must have; 0 = not said */
};

enum plan_begin {
	PLAN_STAGED, /* staged already, as wanted: touch nothing */
	PLAN_ADOPT,  /* staged already, but no record says so (another driver, a lost
			disk, a kill between mount and record): write it */
	PLAN_ATTACH,
	PLAN_CUT_OTHERS, /* and attach: sessions under older names are left */
	PLAN_CLEAR,	 /* its device is gone under the staging mount (plan_off.h) */
};
/* rec NULL: there is none; else of the wanted NQN. */
int plan_stage_begin(const struct plan_stage *want, const struct nvme_view *view,
		     const struct nvme_record *rec, enum plan_begin *ret,
		     struct err *err);

/* After the attach: the device is large enough and has not shrunk. */
int plan_stage_device(const struct plan_stage *want, const struct nvme_device *dev,
		      const struct nvme_record *rec, struct err *err);

enum plan_content {
	PLAN_MOUNT,
	PLAN_CHECK,	  /* and mount */
	PLAN_FORMAT,	  /* proven blank: and mount */
	PLAN_FORMAT_ANEW, /* our own mkfs was cut short: wipe, format, mount */
};
struct plan_found {
	const struct nvme_content *content;
	uint64_t device_bytes;
	const struct nvme_record *rec; /* as it is; it exists since before the attach */
};
int plan_stage_content(const struct plan_stage *want, const struct plan_found *found,
		       enum plan_content *ret, struct err *err);
/* Whether the device has grown under its file system. */
bool plan_needs_growth(const struct nvme_content *content, uint64_t device_bytes);

struct plan_publish {
	const char *nqn;
	bool is_block, readonly, is_single_writer;
	bool is_reader; /* as it was staged, not by this request alone */
};
enum plan_target {
	PLAN_PUBLISHED,
	PLAN_BIND,
	PLAN_REPLACE, /* what is there leads nowhere: it goes first */
};
struct plan_facts {
	const struct nvme_view *staging; /* looked at the staging path */
	const struct nvme_view *target;	 /* at the target path, besides staging */
	const struct nvme_record *rec;	 /* NULL = none */
	bool has_node; /* at the target, unmounted: the volume's device as a plain node */
};
int plan_publish(const struct plan_publish *want, const struct plan_facts *facts,
		 enum plan_target *ret, struct err *err);
#endif
