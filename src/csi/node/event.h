#ifndef CSI_NODE_EVENT_H
#define CSI_NODE_EVENT_H

/* What the user of a volume must be told and no answer of a call says: a log line with
 * volume= and event=, the reason in CamelCase as Kubernetes Events have it. is_bad: data
 * may be lost or somebody must act (error), else we coped (warn). */
enum node_event_kind {
	NODE_EVENT_SYNC_FAILED, /* bad: what was written last may be lost */
	NODE_EVENT_DEVICE_GONE, /* bad: under a mount */
	NODE_EVENT_FENCED,	/* a fenced leftover is cleaned away */
	NODE_EVENT_STUCK,	/* bad: a child does not come back from the kernel */
	NODE_EVENT_IDENTITY,	/* the namespace's UUID differs from the recorded */
	NODE_EVENT_REPLACED,	/* bad: the target has another file system there */
	NODE_EVENT_NOT_GROWN,	/* served at its old size */
	NODE_EVENT_N
};
/* text: what happened, for people; borrowed during the call. */
void node_event(const char *volume, enum node_event_kind kind, const char *text);
#endif
