#ifndef CSI_CONTROLLER_HOLDERS_H
#define CSI_CONTROLLER_HOLDERS_H
#include "csi/controller/attach_rules.h"
#include "csi/controller/node_check.h"
#include "csi/csi.h"

/* All who hold a volume, from both sources: those of the record, and those that only a
 * VolumeAttachment names, each with what is known of its node. Without Kubernetes the
 * record alone. An empty comment says nothing: then the VolumeAttachments are all there
 * is, and the PV's access modes tell the use. */
struct holders {
	struct rds_record record;
	struct attach_facts facts[RDS_MAX_HOLDERS];
	bool has_stale; /* one of them gives way, or did */
};

struct holders_ask {
	const char *id;	  /* the volume */
	const char *node; /* the question's, by its record's name; "" = every node */
	bool is_publish;  /* by node: then only the others are of interest */
	const struct node_check *live; /* what was asked in this call; may be empty */
};

/* -1: more holders than a record has room for, or an object that must be known is not. */
int holders_gather(struct holders *h, struct csi *csi, const struct holders_ask *ask,
		   const struct rds_record *record, struct err *err);
#endif
