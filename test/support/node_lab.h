#ifndef NODE_LAB_H
#define NODE_LAB_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "csi.pb-c.h"
#include "csi/dispatch.h"
#include "nvme/nvme.h"
#include "support/t.h"

/* A node plugin without its socket: the methods' checks and works on a real loop, over
 * loop devices and sparse images in a directory of its own, or over any other port. */
struct node_lab {
	struct t_loop loop;
	struct csi csi;
	char dir[128], exports[160], state[160], staging[160], target[160];
	bool is_real; /* made by lab_open_real: owns mounts and loop devices */
	unsigned n_done;
	/* Of the last stats that went well. */
	bool is_abnormal;
	char condition[200];
	unsigned n_usage;
};

/* With loop devices: needs root, loop-control and the helper program, else the test is
 * skipped. */
void lab_open_real(struct node_lab *lab);
/* Another driver over the same directory, for a process of its own that ends by _exit or
 * by a signal: nothing is made, nothing is to be closed. */
void lab_reopen_real(struct node_lab *lab, const struct node_lab *of);
/* Over a port of the caller's. */
void lab_open(struct node_lab *lab, struct nvme *nvme);
/* Checks that no mount and no loop device of the lab is left, then removes all. */
void lab_close(struct node_lab *lab);
/* For a failed test: takes down what is left without a word. Called by lab_check. */
void lab_clean(struct node_lab *lab);

/* cr_assert that cleans up first, for a failing test must leave nothing behind. */
#define lab_check(lab, cond, ...)                                                  \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			lab_clean(lab);                                            \
			cr_assert_fail(" " __VA_ARGS__);                           \
		}                                                                  \
	} while (0)

#define OK(lab, call)                                            \
	do {                                                     \
		struct err e_ = (call);                          \
		lab_check(lab, e_.code == ERR_OK, "%s", e_.msg); \
	} while (0)
#define FAILS(lab, want, call)                                                          \
	do {                                                                            \
		struct err e_ = (call);                                                 \
		lab_check(lab, e_.code == (want), "%s: %s", err_name(e_.code), e_.msg); \
	} while (0)

/* A sparse image <dir>/<id>.img of that size, exported under the base NQN. */
void lab_image(struct node_lab *lab, const char *id, uint64_t bytes);
void lab_export(struct node_lab *lab, const char *id, const char *nqn);
void lab_unexport(struct node_lab *lab, const char *nqn);
void lab_image_path(const struct node_lab *lab, const char *id, char out[256]);
int lab_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
unsigned lab_mounts(const char *path);		/* layers at exactly that path */
unsigned lab_loops(const struct node_lab *lab); /* loop devices on images in dir */

struct lab_args {
	const char *id, *fs_type;			  /* fs_type NULL: block */
	const char *nqn;				  /* NULL: the base NQN of id */
	const char *target;				  /* NULL: lab->target */
	const char *flag;				  /* a mount flag */
	Csi__V1__VolumeCapability__AccessMode__Mode mode; /* 0: single node writer */
	bool readonly;
	int64_t bytes;	/* expand: required; stage: size_bytes of the publish context */
	bool is_reader; /* granted so by the controller, whatever the mode */
	bool is_old_context; /* no rds_csi_ctx=2: volume_context decides */
	bool has_identity;   /* fsIdentity, as of every volume that the driver created */
};

/* Each runs one call to its end and returns its status. */
struct err lab_stage(struct node_lab *lab, const struct lab_args *a);
struct err lab_unstage(struct node_lab *lab, const struct lab_args *a);
struct err lab_publish(struct node_lab *lab, const struct lab_args *a);
struct err lab_unpublish(struct node_lab *lab, const struct lab_args *a);
struct err lab_expand(struct node_lab *lab, const struct lab_args *a, int64_t *ret_bytes);
struct err lab_stats(struct node_lab *lab, const struct lab_args *a,
		     Csi__V1__VolumeUsage ret[2]);

/* The same in two halves: start a call, and free it once n_done tells its end. */
struct rpc *lab_begin(struct node_lab *lab, const char *method,
		      const ProtobufCMessage *req);
struct err lab_end(struct node_lab *lab, struct rpc *rpc);
/* The request of Stage, valid until the next call. */
const ProtobufCMessage *lab_stage_request(struct node_lab *lab, const struct lab_args *a);
const ProtobufCMessage *lab_publish_request(struct node_lab *lab,
					    const struct lab_args *a);
#endif
