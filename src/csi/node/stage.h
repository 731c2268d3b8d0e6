#ifndef CSI_NODE_STAGE_H
#define CSI_NODE_STAGE_H
#include "csi/node/contexts.h"
#include "csi/node/plan.h"
#include "csi/node/plan_off.h"
#include "csi/node/work.h"

/* NodeStageVolume: attach, prove what the device holds, format only what is proven blank,
 * mount. A retry of what is done touches nothing. A failing call undoes what it did and
 * proves that before it returns a final code; else it returns ABORTED. */
struct node_stage {
	struct node_work w;
	struct plan_stage want;
	struct node_target target; /* texts are the request's */
	char own_uuid[NVME_UUID_MAX + 1];
	const char *const *options; /* from the arena, ended by NULL */
	struct nvme_content content;
	bool is_joined; /* a fact: the session was there before and is not by our record
			 */
};

extern const struct op_type node_stage_op;

/* stage_args.c: the request's side. */
int node_stage_check(const struct rpc *rpc, struct err *err);
const char *node_stage_volume(const struct rpc *rpc);
/* Fills in want, options and the path, and reads the record. */
int node_stage_prepare(struct node_stage *s, struct err *err);
/* Tells the record what is wanted and what the volume's image is. */
void node_stage_describe(struct node_stage *s);
#endif
