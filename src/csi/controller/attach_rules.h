#ifndef CSI_CONTROLLER_ATTACH_RULES_H
#define CSI_CONTROLLER_ATTACH_RULES_H
#include "csi/controller/nodes.h"
#include "rds/rds.h"

/* Who may hold a volume. Pure: the holders, a question, and what is known of the nodes
 * in; the next record, or a refusal that names the holder, out.
 *
 * One node for a writer; two for shared raw block; many for readers, never beside a
 * writer. Without Kubernetes a holder that is not known is cut off by its Unpublish and
 * by nothing else, and while it is in the record nobody new is admitted. With Kubernetes
 * the holders are those of the record and those that only VolumeAttachments name; a node
 * that is gone or out of service is also cut off when another one asks, unless somebody
 * healthy has the volume too. */
struct attach_facts {
	struct node_facts node;
	bool is_live;	/* asked of the API server in this very call */
	bool is_object; /* a VolumeAttachment names it, the record does not */
	/* The record names it; it had no VolumeAttachment, twice, an interval apart. */
	bool gives_way;
};

struct attach_view {
	const struct rds_record *record; /* with the holders that only objects name */
	struct attach_facts facts[RDS_MAX_HOLDERS]; /* of the record's holders */
	struct node_facts asker;		    /* Unpublish of one node: of it */
	bool is_asker_live;
	bool has_objects; /* with Kubernetes */
	bool is_exported;
	bool is_export_kept; /* --export-policy=always: a clean end leaves it on */
	bool is_nonce_new;   /* this very call wrote it */
	bool is_sealed;	     /* no script that was cut off can run under this nonce */
	bool has_own_nqn;    /* the NQN is the base of the id or a fenced form of it */
	uint32_t nqn_generation;
	bool may_adopt; /* a volume without a record may become ours */
	const char *cluster_id;
};

struct attach_ask {
	const char *node; /* as a record names it; Unpublish: "" = every node */
	char use;	  /* Publish: 'w', 'x' or 'r' */
	bool is_one_node; /* Publish: the access mode is a SINGLE_NODE one */
	/* Unpublish, in the background: an object that the record does not bear out, of a
	 * node that is well and does not use the volume, protects nobody who is lost. */
	bool is_sweep;
};

enum {
	ATTACH_UNFENCED = 'u', /* use of a holder that was let go without being cut off */
};

enum attach_verdict {
	ATTACH_REFUSED, /* with an error */
	ATTACH_DONE,	/* the box shows it already */
	ATTACH_WRITE,	/* publish or unpublish with plan.record */
	ATTACH_FENCE,	/* fence with plan.record, then ask again */
	ATTACH_CHECK, /* ask the API server about nodes that look lost, then ask again */
};

/* Why a Publish was refused, for those who count and tell. */
enum attach_why {
	ATTACH_WHY_OTHER,
	ATTACH_WHY_CONFLICT, /* another node holds it */
	ATTACH_WHY_DISAGREE, /* the record and the objects do */
	ATTACH_WHY_PENDING,  /* a lost node could not be cut off yet */
	ATTACH_WHY_PLUGIN,   /* the node's plugin is an older driver's */
};

struct attach_plan {
	struct rds_record record;
	bool switch_off; /* ATTACH_WRITE of an Unpublish: nobody is left */
	/* Unpublish: the node stays in the record as not cut off, for others are well. */
	bool is_pending;
	bool is_clean; /* Unpublish, ATTACH_WRITE: all that left were proven to let go */
	enum attach_why why;
	char holder[RDS_NODE_MAX + 1]; /* that stands in the way; "" = none */
};

typedef enum attach_verdict attach_fn(const struct attach_view *view,
				      const struct attach_ask *ask,
				      struct attach_plan *ret, struct err *err);
attach_fn attach_publish, attach_unpublish;

/* The first holder other than node that was believed and that the box no longer shows;
 * NULL = none. Then a script that was cut off may have run on over its record. */
const char *attach_missing(const struct rds_record *believed,
			   const struct rds_record *found, const char *node);
#endif
