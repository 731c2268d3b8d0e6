#ifndef K8S_LEASE_H
#define K8S_LEASE_H
#include "k8s/k8s.h"
#include "k8s/lease_rules.h"

/* Leader election by a coordination.k8s.io/v1 Lease: a long-lived op, by the rules of
 * lease_rules.h. Makes the Lease when there is none, takes it over when it has run out,
 * renews it, and at lease_stop gives it back so that the next one takes it at once. It
 * asks for nothing but get, create and update of that one Lease. */
struct lease;

struct lease_conf {
	struct k8s *k8s;
	const char *ns;		  /* where the Lease lives: our own namespace */
	const char *name;	  /* lease_name() */
	const char *identity;	  /* lease_identity() */
	struct lease_terms terms; /* lease_usual_terms */
	/* Gained or lost, each told once and in turn, from the loop. Lost is told at the
	 * end of the term, or as soon as another holder is seen; after a pause of this
	 * process lease_is_leader says it before this can. May be NULL. */
	void (*changed)(struct lease *l, bool is_leader);
	void *ctx; /* the caller's */
};

enum { LEASE_IDENTITY_MAX = 128 };

struct lease {
	struct op op;
	struct lease_conf conf; /* set before the start; texts borrowed until done() */
	struct lease_self self;
	struct k8s_object *seen; /* owned: self.seen */
	struct k8s_request req;
	struct buf body;
	struct clock_timer rest; /* until the next try */
	struct clock_timer term; /* until the end of our term, to tell it */
	uint64_t began_ms;	 /* of the write under way, clock_boot_ms */
	unsigned n_tries;	 /* since the last rest */
	bool is_told;		 /* what changed() was told last */
	/* Since the start; transitions: as the Lease says. */
	uint64_t n_gained, n_lost, n_failed;
	uint32_t transitions;
};

/* The pod's name (or the host's) and a random part: no two processes share it. */
void lease_identity(const char *pod, char ret[LEASE_IDENTITY_MAX]);
/* conf must be set and the rest zeroed. done() comes after lease_stop alone. */
void lease_start(struct lease *l, void (*done)(struct op *op));
/* From here on no leader; the Lease is given back, within LEASE_STOP_MS or not at all, so
 * whatever the leader alone may do must have ended before. */
void lease_stop(struct lease *l);
enum { LEASE_STOP_MS = 2000 };
/* By the clock, at each call: also right after a suspend or a SIGSTOP, before anything
 * else has run. What begins now has at least duration - deadline + margin (6 s) before
 * another can lead. */
bool lease_is_leader(const struct lease *l);

/* For the metrics; counted since the start. */
struct lease_stats {
	uint64_t gained, lost;
	uint64_t failed; /* tries that the API server did not answer, or refused */
};
void lease_stats(const struct lease *l, struct lease_stats *ret);
#endif
