#ifndef NVME_LOOP_H
#define NVME_LOOP_H
#include <uv.h>

#include "nvme/nvme.h"

/* The port over loop devices, for demonstration and tests: "connect" attaches the image
 * that <exports_dir>/<nqn> links to, which exists exactly while the simulated box exports
 * it, so that a stage fails where the publish before it lied. A loop device cannot be cut
 * from its file as a fence cuts a session: what a fenced leftover still holds in its
 * cache reaches the image when it is unmounted. */
struct nvme_loop_conf {
	const char *exports_dir; /* borrowed; must exist */
	const char *state_dir;	 /* borrowed; made when missing, mode 0700 */
	const char *helper;	 /* program with helper_main; NULL = this program */
};

/* NULL with err when a directory cannot be used. Logs once that it is no real back end.
 */
struct nvme *nvme_loop_new(uv_loop_t *loop, const struct nvme_loop_conf *conf,
			   struct err *err);
/* No request may be running. Frees nvme, then calls stopped once, from the loop. */
void nvme_loop_stop(struct nvme *nvme, void (*stopped)(void *arg), void *arg);
#endif
