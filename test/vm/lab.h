#ifndef VM_LAB_H
#define VM_LAB_H
#include "e2e/vol.h"
#include "vm/kern.h"
#include "vm/track.h"

/* One simulated box that exports by the kernel's own NVMe/TCP target, and one driver with
 * the nvme back end, in one VM. In a pair of VMs a side can do without either. */
struct lab {
	struct sim sim;
	struct driver driver;
	/* Set before lab_open, where the usual does not do; all else is zero. */
	bool no_sim, no_driver, no_controller, no_node;
	const char *const *sim_args;	/* further arguments, ended by NULL */
	const char *const *driver_args; /* further flags, ended by NULL */
	const char *address;		/* where the box exports; NULL: 127.0.0.1 */
	const char *known_nodes;	/* NULL: "node-a,node-b" */
	const char *sim_argv[24];
};

/* False, a failed check, when something does not come up; lab_close then too. */
bool lab_open(struct lab *l);
/* Ends both; a session left in the kernel, or a mount, fails the test. */
void lab_close(struct lab *l);
/* As vol_init, on this box's address. */
void lab_vol(struct lab *l, struct vol *v, const char *id);

/* Steps of a volume's life, in order from the first to the last, each as vol_must; the
 * two that grow are left out. False at the first that fails. */
bool lab_steps(struct lab *l, struct vol *v, enum vol_step first, enum vol_step last);
/* VOL_CREATE … VOL_NODE_PUBLISH, and VOL_NODE_UNPUBLISH … VOL_UNPUBLISH. */
bool lab_up(struct lab *l, struct vol *v);
bool lab_down(struct lab *l, struct vol *v);

/* A value of the volume's or the publish context, "" when there is none. */
const char *lab_context(const struct vol *v, const char *key);
/* The NQN under which the volume is exported for its node now. */
const char *lab_nqn(const struct vol *v);
/* The track in the volume: a file of the file system, or the device itself from 1 MiB
 * on. lab_track is as the pod sees it; lab_data_right reads it from the box's own file,
 * which nobody may have mounted meanwhile: every block below synced is there. */
void lab_track(const struct vol *v, struct track *s);
bool lab_data_right(struct lab *l, const struct vol *v, uint64_t synced);
/* Mounts the box's own file of the volume read-only at e2e_path("box-mount"), and
 * unmounts it. */
bool lab_mount_image(struct lab *l, const struct vol *v);
bool lab_umount_image(void);
/* The session of that NQN has gone from the kernel with all that hung on it: controllers,
 * device, mounts of the paths of the volume. Each is a check. */
bool lab_is_gone(const struct vol *v, const char *nqn);
/* How often a mkfs was begun in this VM, and how often one succeeded. */
unsigned lab_mkfs_begun(void);
unsigned lab_mkfs_done(void);
#endif
