#ifndef CSI_CONTROLLER_VMI_TURN_H
#define CSI_CONTROLLER_VMI_TURN_H
#include "core/arena.h"
#include "csi/controller/vmi.h"
#include "k8s/k8s.h"

/* Op: finds the virtual machine that a volume belongs to and waits for its turn in that
 * machine's queue, first come first served. The way to the machine: the volume's PV names
 * a claim; a pod of the claim's namespace mounts it; the pod, or the pod that owns it
 * (hot-plug), is owned by a VirtualMachineInstance. Where that leads nowhere, or the API
 * server fails, there is no turn and nothing is waited for. Embedded in publish and
 * unpublish; texts are borrowed while it is in use. */
struct vmi_turn {
	struct op op;
	/* Arguments, the rest zeroed. */
	const char *volume; /* handle */
	const char *node;   /* as CSI names it; NULL or "" when any may be meant */
	struct vmi *vmi;
	struct op *parent;
	struct vmi_place place;
	char key[VMI_KEY];
	/* Of the search. */
	char ns[64], claim[254], owner_pod[254], query[320];
	bool is_used; /* a pod mounts the claim */
	struct k8s_request req;
	struct clock_timer nudge;
};

/* Takes a reference on the parent, and its deadline, and wakes it. Fails only when it is
 * cancelled or the deadline passes. */
void vmi_turn_enter(struct vmi_turn *t, struct vmi *v, struct op *parent);
/* The same of one made in the arena, for who rarely needs one. NULL: nothing is waited
 * for (v is NULL, or no memory). */
struct vmi_turn *vmi_turn_begin(struct vmi *v, struct arena *a, const char *volume,
				const char *node, struct op *parent);
/* For the parent's interrupt. */
void vmi_turn_cancel(struct vmi_turn *t);
/* When the work is done: the next one goes on. Harmless when there was no turn, when the
 * op failed (it is in no queue then), when it was never entered, and for NULL. */
void vmi_turn_leave(struct vmi_turn *t);
#endif
