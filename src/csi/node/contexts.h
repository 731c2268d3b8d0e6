#ifndef CSI_NODE_CONTEXTS_H
#define CSI_NODE_CONTEXTS_H
#include "core/err.h"
#include "nvme/nvme.h"

/* What the publish_context and the volume_context of a request say of the volume. Pure;
 * texts are borrowed from the request. Unknown keys are other people's and pass. */
enum {
	/* Of the publish_context, as the controller of this driver writes it. */
	NODE_CTX_MARKER,
	NODE_CTX_PUBLISH_NQN,
	NODE_CTX_PUBLISH_SIZE,
	NODE_CTX_PUBLISH_ADDRESS,
	NODE_CTX_PUBLISH_PORT,
	NODE_CTX_PUBLISH_READONLY,
	NODE_CTX_N_PUBLISH,
	/* Of the volume_context, fixed when the volume was made. */
	NODE_CTX_NQN = NODE_CTX_N_PUBLISH,
	NODE_CTX_NVME_ADDRESS,
	NODE_CTX_RDS_ADDRESS,
	NODE_CTX_PORT,
	NODE_CTX_IDENTITY,
	NODE_CTX_CTRL_LOSS,
	NODE_CTX_RECONNECT,
	NODE_CTX_KEEP_ALIVE,
	NODE_CTX_IO_QUEUES,
	NODE_CTX_QUEUE_SIZE,
	NODE_CTX_FAST_FAIL,
	NODE_CTX_N
};

struct node_contexts {
	const char *values[NODE_CTX_N]; /* NULL = not there */
};

/* The maps' entries are offered one by one, for each request has its own entry type. */
void node_contexts_publish(struct node_contexts *c, const char *key, const char *value);
void node_contexts_volume(struct node_contexts *c, const char *key, const char *value);

struct node_target {
	const char *nqn;
	uint64_t size_bytes;   /* 0 = not said */
	struct nvme_target at; /* address NULL, port 0 = not said */
	bool has_own_fs;       /* its file system bears the volume id's own UUID */
	bool is_readonly;      /* granted to a reader, whatever the access mode says */
};
/* publish_context is used only when it carries rds_csi_ctx=2; then it wins. An older
 * driver's is often wrong. 0; INVALID_ARGUMENT naming the key (no NQN, an address that is
 * no literal, a number out of its range); FAILED_PRECONDITION when the NQN lacks the
 * managed prefix, for Unstage would not disconnect it. */
int node_contexts_target(const struct node_contexts *c, const char *prefix,
			 struct node_target *ret, struct err *err);
#endif
