#ifndef K8S_LEASE_RULES_H
#define K8S_LEASE_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "k8s/object.h"

/* Who leads, decided from what one candidate has read and written of the Lease. Pure.
 *
 * The rules are client-go's (tools/leaderelection): a Lease is taken over only when it
 * did not change for its duration by the taker's own clock; the times that stand in it
 * are for people, no two machines' clocks are compared. Every write names the version it
 * replaces, so that of two takers one is refused. The holder for its part counts its term
 * from the begin of its last renewal that succeeded: the API server had the renewal
 * later than that, and others saw it later still. What keeps two from leading is thus
 * only that deadline (holder) and duration (taker) are counted by clocks whose speeds
 * differ by less than their ratio.
 *
 * A Lease that somebody deletes is nobody's proof of anything: who has ever seen one
 * waits its duration before making another, and once more before he leads by it. A
 * candidate that has seen none makes one at once; so deleting the Lease while a candidate
 * starts can make two leaders until the old one's next renewal (renew_ms), and nothing
 * but that can.
 *
 * All times are of clock_boot_ms, wall_us of clock_wall_us. */
struct lease_terms {
	uint32_t duration_ms; /* written into the Lease, whole seconds */
	uint32_t deadline_ms; /* a term ends so long after the renewal's begin … */
	uint32_t margin_ms;   /* … less this: time for a mutation that has begun */
	uint32_t retry_ms;    /* between two looks at another's */
	uint32_t renew_ms;    /* between two renewals */
};
/* Two seconds longer than client-go's 15 s and renewed each 7 s, not each 2 s: a renewal
 * costs 0.4 ms of the processor, most of what an idle controller takes. A renewal that
 * fails has 4 s of the term for the next tries, a dead leader is replaced within 19 s. */
extern const struct lease_terms lease_usual_terms;

struct lease_self {
	const char *identity; /* borrowed, as all texts; unique to this process */
	const char *ns, *name;
	struct lease_terms terms;
	const struct k8s_lease *seen; /* borrowed; NULL: none there, or never looked */
	uint64_t seen_ms;	      /* since when it is as it is, by our clock */
	uint32_t last_ms; /* duration of the last Lease seen; 0 = never saw one */
	bool has_looked, is_doubtful;
	bool has_renewed; /* nobody else's was seen since we wrote it, begun at: */
	uint64_t renewed_ms;
	uint64_t waits_until_ms; /* though it is ours, another's term may still run */
	uint64_t acquired_us;	 /* of the take-over */
};

/* A look showed this; NULL: there is none. It replaces self->seen, which is not looked at
 * again. */
void lease_saw(struct lease_self *self, const struct k8s_lease *lease, uint64_t now_ms);
/* A CREATE or UPDATE of ours, begun at began_ms, succeeded and answered with this. */
void lease_wrote(struct lease_self *self, const struct k8s_lease *lease,
		 uint64_t began_ms, uint64_t now_ms);
/* A write failed: maybe carried out, maybe refused because another was faster. */
void lease_doubt(struct lease_self *self);

bool lease_is_own(const struct lease_self *self); /* as last seen it names us */
/* When our term ends; 0 when it does not run at now_ms. */
uint64_t lease_end_ms(const struct lease_self *self, uint64_t now_ms);

enum lease_act { LEASE_REST, LEASE_LOOK, LEASE_CREATE, LEASE_WRITE };
/* Rest is over: renew what is ours, else look. */
enum lease_act lease_after_rest(const struct lease_self *self);
/* Right after a look: rest, or write. */
enum lease_act lease_after_look(const struct lease_self *self, uint64_t now_ms);
/* How long to rest. has_failed: what was tried last. random: any number. */
uint32_t lease_rest_ms(const struct lease_self *self, uint64_t now_ms, bool has_failed,
		       uint32_t random);

enum lease_text { LEASE_HOLD, LEASE_RELEASE };
/* The whole object to be created, or to replace the one seen. 0, or -1: no memory. */
int lease_body(struct lease_self *self, enum lease_text what, uint64_t wall_us,
	       struct buf *ret_body);
enum { LEASE_NAME_MAX = 253, LEASE_BODY_MAX = 4096 };
/* "<driver name>-controller" in the form of an object's name: other than the Leases of
 * the stock sidecars, which live in the same namespace under names made of the driver's.
 */
void lease_name(const char *driver_name, char ret[LEASE_NAME_MAX + 1]);
#endif
