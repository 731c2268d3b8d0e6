#ifndef CSI_CONTROLLER_ATTACH_RULES_H
#define CSI_CONTROLLER_ATTACH_RULES_H
#include "csi/controller/attachments.h"
#include "rds/rds.h"

/* Who may hold a volume. Pure: a record, a question, and what is known of the nodes in;
 * the next record, or a refusal that names the holder, out.
 *
 * One node for a writer; two for shared raw block; many for readers, never beside a
 * writer. A holder that is not known to be healthy is cut off by its Unpublish and by
 * nothing else, and while it is in the record nobody new is admitted. */
struct attach_view {
	const struct rds_record *record;
	bool is_exported;
	bool is_nonce_new; /* this very call wrote it */
	bool is_sealed;	   /* no script that was cut off can run under this nonce */
	bool has_own_nqn;  /* the NQN is the base of the id or a fenced form of it */
	uint32_t nqn_generation;
	bool may_adopt; /* a volume without a record may become ours */
	const char *cluster_id;
	enum node_standing standing[RDS_MAX_HOLDERS]; /* of the record's holders */
};

struct attach_ask {
	const char *node;     /* as a record names it; Unpublish: "" = every node */
	bool is_node_healthy; /* Unpublish: what standing says of node */
	char use;	      /* Publish: 'w', 'x' or 'r' */
	bool is_one_node;     /* Publish: the access mode is a SINGLE_NODE one */
};

enum attach_verdict {
	ATTACH_REFUSED, /* with an error */
	ATTACH_DONE,	/* the box shows it already */
	ATTACH_WRITE,	/* publish or unpublish with plan.record */
	ATTACH_FENCE,	/* fence with plan.record, then ask again */
};

struct attach_plan {
	struct rds_record record;
	bool switch_off; /* ATTACH_WRITE of an Unpublish: nobody is left */
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
