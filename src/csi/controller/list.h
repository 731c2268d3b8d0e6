#ifndef CSI_CONTROLLER_LIST_H
#define CSI_CONTROLLER_LIST_H
#include "core/buf.h"
#include "csi.pb-c.h"
#include "csi/controller/box.h"
#include "csi/dispatch.h"

/* ListVolumes. Each page is read from the box anew and sorted by id; a token names the
 * last id of its page, so that pages stay right while volumes come and go. A page is cut
 * at 3 MiB, because no sidecar receives more than 4. */
struct ctl_list {
	struct rpc rpc;
	struct box box;
	const char *after;   /* ids up to this one were on earlier pages; "" = none */
	struct buf rows;     /* packed; freed by ctl_list_fini */
	const char **sorted; /* into rows; freed by ctl_list_fini */
	size_t n_rows;
	Csi__V1__VolumeCondition *well; /* in the arena; NULL until needed */
};

extern const struct op_type ctl_list_type;
int ctl_list_check(const struct rpc *rpc, struct err *err);
void ctl_list_fini(struct rpc *rpc);
#endif
