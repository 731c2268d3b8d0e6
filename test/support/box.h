#ifndef T_BOX_H
#define T_BOX_H
#include "rds/rds.h"
#include "rds/disk_record.h"
#include "rds/ros.h"
#include "support/prog.h"
#include "support/t.h"

/* The RouterOS implementation of the port against a simulator of its own, over SSH. */
struct t_box {
	char dir[128], key[160], host_key[160], addr[32];
	struct prog sim;
	unsigned ssh_port, control_port;
	struct t_loop l;
	struct ros_conf conf;
	struct rds *rds; /* NULL until t_box_connect */
	bool is_stopped;
};

/* A request, its texts and how it ended. */
struct t_req {
	struct rds_req req;
	struct rds_record record;
	char id[RDS_ID_MAX + 1], nqn[RDS_NQN_MAX + 1], nonce[RDS_NONCE + 1];
	int dones;
	unsigned rows;
	struct err err;
};

/* opts: more words for rds-sim, parted by blanks; NULL = none. */
void t_box_open(struct t_box *b, const char *opts);
void t_box_connect(struct t_box *b); /* ros_new with b->conf */
/* Stops the implementation (checks that no byte is left), then the simulator. */
void t_box_close(struct t_box *b);
void t_box_stop_rds(struct t_box *b);
void t_box_kill_sim(struct t_box *b);
void t_box_start_sim(struct t_box *b, const char *opts); /* again, on the same port */

/* An HTTP request to the control server: its body, static memory. */
const char *t_box_control(struct t_box *b, const char *method_and_path, const char *body);
void t_box_fault(struct t_box *b, const char *query);
long t_box_stat(struct t_box *b, const char *name);
/* Runs a script on the box, past our code: its output. */
const char *t_box_script(struct t_box *b, const char *script);

void t_req_init(struct t_req *q, enum rds_kind kind, const char *id);
void t_req_start(struct t_box *b, struct t_req *q);
void t_req_wait(struct t_box *b, struct t_req *q);
void t_req_run(struct t_box *b, struct t_req *q); /* both */
/* Shorthands that must succeed. */
void t_box_create(struct t_box *b, const char *id);
/* Publishes to node-a when the last known nonce is that of q; returns the new one in q.
 */
void t_req_change(struct t_req *q, enum rds_kind kind, const struct rds_volume *from);
/* Looks at the disk and makes the DELETE of what was seen, or of no disk. */
void t_req_delete(struct t_box *b, struct t_req *q, const char *id);
#endif
