#ifndef NVME_HELPER_VERBS_H
#define NVME_HELPER_VERBS_H
#include "core/err.h"
#include "nvme/facts.h"
#include "nvme/reply.h"

/* The verbs of the helper, one function each. argv holds the arguments after the verb,
 * counted already. 0 with members added to the reply, or -1 with err. They run in a child
 * that closes what they leave open, and may go on to another verb: nothing is told
 * from one to the next by memory but what the kernel keeps as it is, and what is
 * allocated is freed. */
typedef int helper_verb_fn(char *const *argv, struct reply *r, struct err *err);

helper_verb_fn helper_nothing;	   /* an effect that the back end has not */
helper_verb_fn helper_loop_attach; /* IMAGE ro|rw → device members */
helper_verb_fn helper_loop_detach; /* DEVICE IMAGE */
helper_verb_fn helper_loop_rescan; /* DEVICE → device members */
/* ADDRESS PORT NQN HOSTNQN HOSTID MS → refused: now, and MS later too */
helper_verb_fn helper_ask;
/* In HOSTS the host NQNs that count are joined by commas. */
helper_verb_fn helper_nvme_attach;     /* NQN HOSTNQN HOSTID HOSTS ADDRESS PORT SETTINGS
					  ro|rw new|any → device members, ns_id,
					  host; new: no session was there */
helper_verb_fn helper_nvme_detach;     /* NQN HOSTS → maybe lost, an error's text */
helper_verb_fn helper_nvme_cut;	       /* NQN HOSTS */
helper_verb_fn helper_nvme_cut_others; /* NQN BASE HOSTS */
helper_verb_fn helper_nvme_rescan;     /* DEVICE FSTYPE UUID → device members */
helper_verb_fn helper_prove;	       /* DEVICE */
helper_verb_fn helper_wipe;	       /* DEVICE */
/* DEVICE UUID → struct probe_facts' members; UUID "": all is looked for */
helper_verb_fn helper_probe;
helper_verb_fn helper_mount;	 /* DEVICE DIR FSTYPE ro|rw FLAGS DATA */
helper_verb_fn helper_bind;	 /* FROM DIR ro|rw */
helper_verb_fn helper_bind_node; /* DEVICE FILE ro|rw */
helper_verb_fn helper_unmount;	 /* PATH keep|remove */
helper_verb_fn helper_sync;	 /* PATH DEVICE FSTYPE UUID → other */
helper_verb_fn helper_stats;	 /* PATH → stats members */
/* Of track.h, with its shared memory as descriptor 3. */
helper_verb_fn helper_track_write; /* DEVICE NQN SEED WRITER; until told to end */
helper_verb_fn helper_track_read;  /* DEVICE NQN SEED */

/* Sets err from errno: "what path: text", by what the caller should do about it. */
int helper_fail(struct err *err, const char *what, const char *path);
uint64_t helper_now_ms(void); /* monotonic */
/* Whether the target has another file system than that under a mounted device, told by
 * its UUID; in out then what it has. False when uuid is "" or the target does not say. */
bool helper_is_other_fs(const char *device, const char *fs_type, const char *uuid,
			char out[NVME_UUID_MAX + 1]);
/* path, size_bytes, major, minor of an open block device. */
int helper_add_device(int fd, const char *path, struct reply *r, struct err *err);
int helper_set_readonly(int fd, const char *mode, struct err *err); /* "ro" or "rw" */
#endif
