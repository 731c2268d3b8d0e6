#ifndef RECONCILE_LAB_H
#define RECONCILE_LAB_H
#include "csi/controller/reconcile.h"
#include "fakes/ctl_drive.h"
#include "fakes/fake_k8s.h"

/* The reconcilers over the fake box and the fake cluster, with the clock held. The test
 * file includes fakes/call_seam.h once. Nodes node-a, node-b and node-c are there, Ready;
 * others are not. */
#define RLAB_INTERVAL_MS UINT64_C(300000)
#define RLAB_DAY_MS (UINT64_C(24) * 3600 * 1000)

struct rlab {
	struct ctl c;
	struct fake_k8s *f; /* of c */
	struct reconcile r;
	struct reconcile_conf conf; /* may be changed before rlab_start */
	bool is_running;
	uv_prepare_t turn; /* fires what is due now, at each turn of the loop */
};

/* Orphans are hunted and nothing is a dry run. */
void rlab_open(struct rlab *l);
void rlab_close(struct rlab *l); /* stops it first, and checks that nothing is left */
void rlab_start(struct rlab *l);
void rlab_stop(struct rlab *l);
/* Another process: nothing is in mind any more. */
void rlab_restart(struct rlab *l);

/* Time passes; what is due then runs to its end. */
void rlab_pass(struct rlab *l, uint64_t ms);
/* One interval, and so one round; n of them. */
void rlab_rounds(struct rlab *l, unsigned n);

/* A volume with our record, bound, with a PV of the same name. */
struct rds_volume *rlab_volume(struct rlab *l, const char *id);
/* The same, and node holds it and its export is on. */
struct rds_volume *rlab_held(struct rlab *l, const char *id, const char *node);
struct rds_volume *rlab_find(struct rlab *l, const char *id); /* NULL = gone */
/* A PV by name of a handle, with the reclaim policy. */
void rlab_pv(struct rlab *l, const char *name, const char *handle, bool is_retained);
/* Scripts that changed something. */
unsigned rlab_changes(const struct rlab *l);
uint64_t rlab_done(const struct rlab *l, enum reconcile_action action);
uint64_t rlab_counted(const char *action, enum metric_outcome outcome);
uint64_t rlab_skipped(void); /* of every action */
#endif
