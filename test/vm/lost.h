#ifndef VM_LOST_H
#define VM_LOST_H
#include "vm/lab.h"
#include "vm/scan.h"

/* A node that is lost: VM A of a pair. It holds volumes and writes numbered blocks to
 * them without pause, is fenced by the other VM, tries to go on, and in the end its
 * kubelet takes all away. */
enum {
	LOST_HEAR_MS = 480000,
	LOST_WAIT_MS = 120000,
	LOST_BEGUN = 64,    /* blocks on each volume before anything happens */
	LOST_DIRTY = 18432, /* blocks, 72 MiB, that are written and never synced */
	LOST_MAX = 4,
};
#define LOST_DIRTY_FROM (UINT64_C(1) << 32) /* their numbers */

/* What becomes of a volume that it holds. */
struct lost_part {
	const char *id;	      /* NULL: the end of a list */
	const char *crippled; /* the driver that must be found out; NULL: the real one */
	bool keeps_name;      /* that one, so that the lost node gets in again */
	bool has_fs;	      /* ext4 with unwritten data, instead of a raw device */
};

struct lost_held {
	const struct lost_part *part;
	struct vol vol;
	char nqn[300];	/* as it was attached */
	struct track a; /* what is written there */
	struct writer writer;
};

/* The whole of VM A. The other one says each volume in the order of the list, hears
 * "writing", says "fenced", hears for each volume below which number all is synced, and
 * says "done". */
void lost_node(const struct lost_part *parts);
#endif
