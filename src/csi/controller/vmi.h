#ifndef CSI_CONTROLLER_VMI_H
#define CSI_CONTROLLER_VMI_H
#include "core/list.h"
#include "core/map.h"

struct k8s;

/* The queues of virtual machines (--enable-vmi-serialization): publish and unpublish of
 * the volumes of one machine go one after the other, because KubeVirt pauses machines
 * into which several volumes are plugged at once. Who is in which queue, and which volume
 * belongs to which machine as far as that was found out; finding out and waiting are
 * vmi_turn's. A key is "<namespace>/<VirtualMachineInstance>". Pure; owned by whoever
 * owns struct csi. */
enum {
	VMI_KEY = 64 + 254,
	VMI_KNOWN_MAX = 4096,  /* answers remembered; the oldest give way */
	VMI_QUEUED_MAX = 1024, /* in all queues; more go without a turn */
};

struct vmi {
	struct k8s *k8s;
	uint64_t ttl_ms;   /* --vmi-cache-ttl: how long an answer counts */
	struct map known;  /* of volumes */
	struct list ages;  /* the same, the oldest answer first */
	struct map queues; /* of machines somebody is at work for */
	unsigned n_known, n_queued;
	uint64_t n_turns, n_without; /* since the start */
};

/* For the metrics. */
struct vmi_stats {
	uint64_t turns;	   /* calls that were serialised, since the start */
	uint64_t without;  /* calls that went without a turn */
	unsigned machines; /* with a call at work now */
	unsigned waiting;  /* calls behind those, in all queues */
};

void vmi_init(struct vmi *v, struct k8s *k8s, uint64_t ttl_ms);
void vmi_fini(struct vmi *v); /* nobody may be in a queue; accepts a zeroed one */

/* What was found out of the volume: false when nothing, or longer ago than the TTL; but
 * even then key is the machine it was last seen with. "": no machine. */
bool vmi_recall(const struct vmi *v, const char *volume, uint64_t now_ms,
		char ret_key[VMI_KEY]);
/* Counts for ttl_ms, at most the TTL. Without memory it is not remembered. */
void vmi_remember(struct vmi *v, const char *volume, const char *key, uint64_t now_ms,
		  uint64_t ttl_ms);

/* A place in a machine's queue. Zeroed: in none. */
struct vmi_place {
	struct list node;
	struct vmi_queue *queue;
};
/* At the end. -1: too many, or no memory. */
int vmi_join(struct vmi *v, struct vmi_place *p, const char *key);
bool vmi_is_first(const struct vmi_place *p);
void vmi_stats(const struct vmi *v, struct vmi_stats *ret);
/* Accepts one that is in none. Returns who has become the first by it, or NULL. */
struct vmi_place *vmi_quit(struct vmi *v, struct vmi_place *p);
#endif
