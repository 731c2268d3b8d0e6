#ifndef RDS_LOOK_FACTS_H
#define RDS_LOOK_FACTS_H
#include <stdbool.h>
#include <stdint.h>

#include "core/reach.h"
#include "rds/features.h"
#include "rds/ros_site.h"
#include "rds/ssh.h"

/* What one look at the box has found, for `rds-csi check`: facts, no judgement. */
enum look_file {
	LOOK_FILE_UNSEEN, /* not looked at: a host key that is not to be checked */
	LOOK_FILE_GOOD,
	LOOK_FILE_MISSING,
	LOOK_FILE_UNREADABLE,
	LOOK_FILE_EMPTY,
	LOOK_FILE_PUBLIC,    /* a public key where the private one is wanted */
	LOOK_FILE_ENCRYPTED, /* with a passphrase */
	LOOK_FILE_WRONG,     /* no key, or none that this libssh2 can use */
};

/* The questions, in the order in which they are put; each is one exec of its own, for a
 * word that the box does not know ends its line there. */
enum look_question {
	LOOK_SYSTEM,   /* version and packages */
	LOOK_RIGHTS,   /* group and policies of our user */
	LOOK_NVME_TCP, /* the properties that exports need */
	LOOK_POOL,
	LOOK_BTRFS,
	LOOK_DIRECTORIES,
	LOOK_MOUNTS, /* disks of volumes that the box itself may mount */
	LOOK_N
};

enum look_answer {
	LOOK_UNASKED,
	LOOK_ANSWERED, /* to the sentinel */
	LOOK_REFUSED,  /* the user may not */
	LOOK_NO_WORD,  /* the box does not know a word of it */
	LOOK_BROKEN,   /* cut, late, or no sense: broken says how */
};

enum { LOOK_TEXT = 240 };

struct look_facts {
	enum look_file key, host_key;
	char file_error[LOOK_TEXT]; /* of what is UNREADABLE */
	enum reach_how ssh;	    /* the TCP connection to the SSH port */
	enum ssh_trouble trouble;   /* of the first session, once ssh is REACH_OPEN */
	char why[LOOK_TEXT];	    /* in words, of either */
	bool is_in;		    /* the user was let in */
	unsigned sessions;	    /* held at once, the first one included */
	enum look_answer answers[LOOK_N];
	char broken[LOOK_TEXT];
	struct features_seen seen;
	uint64_t pool_size, pool_free;
	char group[65], policy[256]; /* as the box lists them; "" = not told */
	unsigned exports; /* volumes that are switched on, at the port asked for */
	bool has_base[ROS_MAX_BASES];
	unsigned n_mounting, n_mounted; /* MOUNTS: may be mounted; are */
	char mounting[LOOK_TEXT];	/* the first of their slots */
	enum reach_how nvme;
};
#endif
