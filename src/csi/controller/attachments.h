#ifndef CSI_CONTROLLER_ATTACHMENTS_H
#define CSI_CONTROLLER_ATTACHMENTS_H
#include <stdbool.h>
#include <stddef.h>

#include "csi/controller/nodes.h"
#include "rds/rds.h"

/* Who is a node of ours, and what the box last told of each volume. Without Kubernetes
 * known nodes are our own and those named by --known-nodes, all of them taken as healthy,
 * and the record on the box is the only source. With it the watched objects tell of the
 * nodes, and of those that hold a volume beside the record. A belief is a record with its
 * NQN, as an exec last showed it; it only ever saves a read, for the box compares the
 * nonce before it changes anything. Owned by main; used by the controller's ops. */
struct csi;
struct attachments;
struct watched;
struct migrations;
struct annotate;
struct troubles;

enum { ATTACHMENTS_MAX_BELIEFS = 20000 }; /* the least recently used one goes */

/* known_nodes: "a,b", or NULL; csi->node_id counts too. NULL for lack of memory. csi is
 * borrowed for the life of the object. */
struct attachments *attachments_new(struct csi *csi, const char *known_nodes);
void attachments_free(struct attachments *a); /* accepts NULL */
/* Ends what runs in the background, before the k8s port ends. False: nothing does. True:
 * stopped() comes later. */
bool attachments_stop(struct attachments *a, void (*stopped)(void *arg), void *arg);

/* Distinct volumes with a holder, for the gauge. False: not known, without the first
 * complete lists; then there is no such number. Never waits. */
bool attachments_gauge(struct attachments *a, size_t *ret);
/* The same without asking whether it can be known. */
size_t attachments_count(const struct attachments *a);

/* With Kubernetes, else NULL. */
struct watched *attachments_watched(const struct attachments *a);
struct migrations *attachments_migrations(const struct attachments *a);
struct annotate *attachments_annotate(const struct attachments *a);
struct troubles *attachments_troubles(struct attachments *a); /* never NULL */
/* Whether we hold the Lease; one that has just got it forgets beliefs and marks. */
bool attachments_is_leader(struct attachments *a);

/* node as CSI names it, or as a record does (a long name's UUID). "" is unknown. handle:
 * the volume that may be in use there. */
struct node_facts attachments_facts(const struct attachments *a, const char *node,
				    const char *handle);
enum node_standing attachments_standing(const struct attachments *a, const char *node);
/* The CSI name of a record's node: another one only for the UUID of a known long name. */
const char *attachments_node_name(const struct attachments *a, const char *record_node);

/* What is believed of a volume. */
struct attachments_belief {
	struct rds_record record;
	char nqn[RDS_NQN_MAX + 1];
	/* This process wrote the nonce itself and knows how that ended, so that no script
	 * which was cut off can still run under it. A nonce that was only read may be the
	 * one that such a script waits for. */
	bool is_sealed;
	/* A write since then ended nobody knows how: the box must be asked first. */
	bool is_doubtful;
};
bool attachments_recall(struct attachments *a, const char *id,
			struct attachments_belief *ret);

/* What an exec has just shown; is_written: it was that exec which wrote the record. Only
 * a record of our own cluster is believed; anything else, or lack of memory, leaves the
 * volume without a belief. Without Kubernetes a row that was only read and lacks a holder
 * that was believed in changes nothing: that holder was never unpublished here, so an old
 * script may have run on, and while record and belief disagree nobody else is admitted.
 * With it the VolumeAttachments are that memory, and better: see watched.h. */
void attachments_learn(struct attachments *a, const struct rds_volume *volume,
		       bool is_written);
/* The row is what holds, whatever was believed: what was asked for is true of it. */
void attachments_accept(struct attachments *a, const struct rds_volume *volume);
void attachments_doubt(struct attachments *a, const char *id);
void attachments_forget(struct attachments *a, const char *id);
#endif
