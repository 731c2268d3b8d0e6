#ifndef CSI_CONTROLLER_PARAMS_H
#define CSI_CONTROLLER_PARAMS_H
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "rds/rds.h"

/* StorageClass parameters. Pure. Names and defaults are those that existing classes use;
 * an unknown name is an error, for a typo must not be ignored. csi.storage.k8s.io/… is
 * the sidecars' and passes. */
enum {
	PARAMS_LOSS_FOREVER = -1, /* of ctrlLossTmo: reconnect for ever */
	PARAMS_MIGRATION_MIN_S = 30,
	PARAMS_MIGRATION_MAX_S = 3600,
};

struct params {
	/* Borrowed from the request; NULL = not given. */
	const char *volume_path, *nvme_address, *rds_address;
	const char *nr_io_queues, *queue_size, *fast_io_fail_tmo; /* checked numbers */
	uint16_t nvme_port;					  /* 0 = not given */
	int32_t ctrl_loss_tmo, reconnect_delay, keep_alive_tmo;	  /* s */
	uint32_t migration_timeout_s;
	enum rds_layout layout;
	const char *ignored;	       /* a name taken for its history only, or NULL */
	char claim[RDS_CLAIM_MAX + 1]; /* "" or <namespace>/<claim> */
};

/* entries: a map<string, string> field, n of them. INVALID_ARGUMENT names the
 * parameter, never its value. */
int params_parse(const void *entries, size_t n, struct params *ret, struct err *err);
#endif
