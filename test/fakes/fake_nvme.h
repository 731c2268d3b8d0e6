#ifndef FAKE_NVME_H
#define FAKE_NVME_H
#include "nvme/nvme.h"

/* The node's port in memory: one volume, a few mounts, one record. It applies what a
 * child would have done, counts, and fails or hangs on command. What a good caller never
 * asks for ends the test: a format of what is not blank, a detach under a mount, a second
 * mount on a mount, and what would hang in the kernel. */
enum { FAKE_MAX_MOUNTS = 8 };
#define FAKE_SOURCE_NOW "as attach says"

struct fake_mount {
	char path[256];
	bool is_readonly, is_node, is_dead;
};

struct fake_nvme {
	struct nvme nvme;
	uv_loop_t *loop;
	/* The world. */
	char exported[NVME_NQN_MAX + 1]; /* "" = nothing is exported */
	bool is_attached;
	uint64_t size_bytes;
	struct nvme_content content;
	struct fake_mount mounts[FAKE_MAX_MOUNTS];
	unsigned n_mounts;
	struct nvme_record record;
	bool has_record;
	/* With sessions, as over a network; without, as over loop devices. */
	bool has_sessions;
	char session[NVME_NQN_MAX + 1]; /* of the one that is_attached tells of */
	enum nvme_state state;
	char ns_id[NVME_UUID_MAX + 1];
	unsigned n_others; /* sessions under other names, nothing of them in use */
	bool is_joined;	   /* it was there before the driver came */
	bool is_refused;   /* the target knows the session's name no more */
	bool is_silent;	   /* and does not even say so */
	bool is_back;	   /* the session is live again once the target was asked */
	bool is_busy;	   /* a process holds the targets until the session ends */
	/* Commands. */
	int fail_at;	  /* the nth request from now fails; -1 none */
	bool fails_after; /* … but has done its work */
	enum err_code fail_code;
	int fail_write_at;	/* the nth record write from now fails; -1 none */
	unsigned n_may_be_lost; /* records written that a power cut may take */
	int fail_look_at;	/* the nth look from now fails; -1 none */
	bool is_offline_only;	/* file systems grow only unmounted */
	bool is_quick;		/* attach and is_mounted tell what a look would */
	bool hides_mounts;	/* … but is_mounted does not */
	const char *stuck;	/* what a stuck child was to do, "" = none */
	/* Counts. */
	unsigned n_requests[NVME_N_KINDS], n_all, n_looks;
};

void fake_nvme_init(struct fake_nvme *f, uv_loop_t *loop, const char *nqn,
		    uint64_t size_bytes);
/* The kernel has given the device up under its mounts; the session stays as state says.
 */
void fake_nvme_lose(struct fake_nvme *f, enum nvme_state state);
unsigned fake_nvme_mounts_at(const struct fake_nvme *f, const char *path);
#endif
