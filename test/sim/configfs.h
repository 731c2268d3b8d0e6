/* The kernel's NVMe target, as configfs shows it under a root such as
 * /sys/kernel/config/nvmet: one subsystem per export with one namespace, ports that
 * subsystems are linked into. Steps are idempotent: each sees what is there already, so
 * that a step cut short is simply done again. Plain blocking calls, some of which the
 * kernel lets wait for seconds: nvmet.c runs them in a child.
 *
 * Facts (kernels 6.1 and 6.12): removing the link cuts the sessions but not the writes in
 * flight; enable=0 waits for these; attr_allow_any_host=0 refuses new sessions and leaves
 * the old ones; a port listens while anything is linked into it. */
#ifndef SIM_CONFIGFS_H
#define SIM_CONFIGFS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	NVMET_NAME_MAX = 224, /* the kernel's own limit of an NQN is 223 */
};

enum nvmet_act {
	NVMET_ON,      /* made where it lacks, enabled, any host let in, linked */
	NVMET_OFF,     /* unlinked, disabled (waits for writes in flight), removed */
	NVMET_LINK,    /* the link alone */
	NVMET_UNLINK,  /* sessions are cut, the namespace stays enabled */
	NVMET_ADMIT,   /* any host may connect */
	NVMET_REFUSE,  /* no host may connect anew, sessions live on */
	NVMET_ENABLE,  /* the namespace alone */
	NVMET_DISABLE, /* as above: the barrier, sessions stay */
	NVMET_GROWN,   /* the target looks at the file's size anew and tells its hosts */
};

struct nvmet_item {
	enum nvmet_act act;
	unsigned disk_id, port;
	bool is_unlinked;	   /* ON: all but the link */
	unsigned delay_ms;	   /* before it is done */
	bool size_fixed;	   /* ON: through a loop device, which keeps its size */
	char name[NVMET_NAME_MAX]; /* the NQN */
	char file[512];		   /* ON: "" makes a subsystem without namespace */
	char uuid[37];		   /* ON */
};

/* What is done to configfs; tests put a strict imitation in its place. All return 0, or
 * -1 with errno. */
struct nvmet_fs {
	int (*mkdir)(const char *path);
	int (*rmdir)(const char *path);
	int (*write)(const char *path, const char *text);
	int (*read)(const char *path, char *ret, size_t size);
	int (*link)(const char *to, const char *path);
	int (*unlink)(const char *path);
};

extern const struct nvmet_fs configfs_real;

struct configfs {
	const struct nvmet_fs *fs;
	const char *root;
	char err[200]; /* why the last call failed: "path: reason" */
};

const char *nvmet_act_name(enum nvmet_act act);
int configfs_apply(struct configfs *c, const struct nvmet_item *item);
/* The port of this address: found, or made at the first free number from *id on. */
int configfs_port(struct configfs *c, const char *address, unsigned svcid, unsigned *id);
/* Removes the port if nothing is linked into it. */
void configfs_drop_port(struct configfs *c, unsigned id);

#endif
