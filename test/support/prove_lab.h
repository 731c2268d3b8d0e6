#ifndef T_PROVE_LAB_H
#define T_PROVE_LAB_H
#include "check/prove.h"
#include "support/t.h"

/* The op of `rds-csi check --prove-fence` with a host whose kernel knows no NVMe: attach,
 * cut and detach are in memory, and the children that write and read the track are this
 * very program, which acts by the name of its device. Any box. The clock is held: the op
 * waits for no real second, and for children as long as they take. */
enum lab_child {
	LAB_FINE,
	LAB_LEAKS,	 /* the old session's writes are accepted to the end */
	LAB_ARRIVES,	 /* a block more at each reading */
	LAB_BLANK,	 /* the new name shows a volume that nobody has written */
	LAB_FEW,	 /* too few writes are accepted */
	LAB_ONE_IDLE,	 /* none of the last writer's */
	LAB_WRITER_DIES, /* right after it has written */
	LAB_GARBAGE,	 /* a reader that says nonsense */
	LAB_FAILS,	 /* … that fails */
	LAB_HANGS,	 /* … that never ends by itself */
	LAB_N_CHILDREN
};
enum lab_node {
	LAB_NODE_FINE,
	LAB_NODE_REFUSES, /* no attach */
	LAB_NODE_HANGS,	  /* an attach ends when it is cancelled, its session is there */
	LAB_NODE_STUCK,	  /* … and comes up once all sessions were cut */
	LAB_NODE_CUT_FAILS, /* nothing is ever cut off */
};

struct prove_lab {
	struct prove p;
	uv_loop_t *loop;
	struct check_args args;
	char version[32];
	enum lab_child child;
	enum lab_node node;
	/* Set by who has a box that can tell; NULL = any name can be attached. */
	bool (*is_exported)(struct prove_lab *lab, const char *nqn);
	bool is_real_box; /* it takes real time, so that time passes */
	/* What is there in the end. */
	bool has_old, has_new, was_stuck;
	unsigned n_done, turns;
	char left[2048]; /* what the op says of it */
	struct nvme nvme;
};

/* rds and stop_box are those of the caller. */
void prove_lab_init(struct prove_lab *lab, uv_loop_t *loop, struct rds *rds,
		    void (*stop_box)(struct rds *r, void (*stopped)(void *arg),
				     void *arg));
void prove_lab_start(struct prove_lab *lab);
/* One turn of the loop; where nothing but time is waited for, time. */
void prove_lab_turn(struct prove_lab *lab);
void prove_lab_run(struct prove_lab *lab); /* to the end, and looks at what is left */
void prove_lab_close(struct prove_lab *lab);
/* Calls stopped from the loop, for a box in memory. */
void prove_lab_stopped(uv_loop_t *loop, void (*stopped)(void *arg), void *arg);
/* It went through, and nothing has arrived. */
bool prove_lab_is_proven(const struct prove_lab *lab);
#endif
