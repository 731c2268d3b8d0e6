#ifndef K8S_EVENT_RULES_H
#define K8S_EVENT_RULES_H
#include "core/buf.h"
#include "core/list.h"
#include "core/map.h"
#include "k8s/k8s.h"

/* What becomes of the Events that the driver wants posted: which are one, which are too
 * many, which is next, and how each is written. Pure; times are passed in (now_ms of
 * clock_now_ms, wall_us of clock_wall_us).
 *
 * They are core/v1 Events, as `kubectl describe pvc` finds them (by name, namespace, kind
 * and uid of involvedObject): one object for the same claim, reason and message as long
 * as it comes again within EVENT_WINDOW_MS, its count raised by a patch. */
enum {
	EVENT_WINDOW_MS = 10 * 60 * 1000,
	EVENT_WAITING_MAX = 256, /* more are dropped */
	EVENT_KEPT_MAX = 512,	 /* waiting, or posted and remembered */
	EVENT_UID_MAX = 128,
	EVENT_REASON_MAX = 128,
	EVENT_MESSAGE_MAX = 1024,
	EVENT_NAME_MAX = 253, /* RFC 1123 subdomain */
	EVENT_BODY_MAX = 16 * 1024,
	EVENT_CLAIMS = 1024,
};

/* A token bucket that holds `burst` and gets one more each every_ms. Zeroed it is full.
 */
struct event_rate {
	uint32_t burst, every_ms;
};
struct event_bucket {
	uint64_t full_ms; /* when it will be full again, if nothing is taken */
};
extern const struct event_rate event_rate_claim, event_rate_all;
bool event_take(struct event_bucket *b, const struct event_rate *rate, uint64_t now_ms);
uint64_t event_wait_ms(const struct event_bucket *b, const struct event_rate *rate,
		       uint64_t now_ms);

/* One Event: a heap block with its texts behind it. */
struct event_entry {
	struct map_node node; /* by "ns/claim\nreason\nmessage" */
	struct list age;      /* all, the one heard of last at the end */
	struct list turn;     /* in the queue; zeroed = not waiting */
	bool is_sending;      /* taken from the queue: stays until event_book_sent */
	bool is_warning;
	const char *ns, *claim, *reason, *message;
	char uid[EVENT_UID_MAX + 1];   /* of the claim; "" = to be looked up */
	char name[EVENT_NAME_MAX + 1]; /* of the object; "" = not posted */
	uint32_t count, n_sent;	       /* so often it came; as the object says */
	uint64_t heard_ms, first_us, last_us;
};

struct event_book {
	struct map entries;
	struct list ages, queue;
	unsigned n_entries, n_waiting;
	struct event_bucket all;
	/* By a hash of namespace and claim: two claims in 1,024 that share one share its
	 * rate too. */
	struct event_bucket claims[EVENT_CLAIMS];
	uint64_t n_dropped; /* too many, or no memory */
};

void event_book_init(struct event_book *b);
void event_book_fini(struct event_book *b); /* accepts a zeroed one */
/* False: dropped. A repetition that its claim's rate does not let through now is counted,
 * and told with the next that is. */
bool event_book_add(struct event_book *b, const struct k8s_event *e, uint64_t now_ms,
		    uint64_t wall_us);
/* How long until event_book_next gives one; UINT64_MAX: nothing waits. */
uint64_t event_book_wait_ms(const struct event_book *b, uint64_t now_ms);
/* The longest waiting, now being sent, or NULL. */
struct event_entry *event_book_next(struct event_book *b, uint64_t now_ms);
/* The claim's uid was looked up. */
void event_entry_found(struct event_entry *e, const char *uid);
enum event_outcome {
	EVENT_POSTED,
	EVENT_UNKNOWN, /* a patch failed: the object is there, or was */
	EVENT_FAILED,  /* the next of its kind begins anew */
};
void event_book_sent(struct event_book *b, struct event_entry *e, enum event_outcome out,
		     uint64_t now_ms);

/* What reports: "rds-csi-controller", and which one of them. */
struct event_source {
	const char *component, *instance;
};
/* The object, under a new name made of the claim's and of the time, as client-go does; or
 * the merge patch of one that is posted. 0, or -1: no memory, or nothing that JSON can
 * hold. */
int event_body_new(struct event_entry *e, const struct event_source *by, struct buf *ret);
int event_body_count(struct event_entry *e, struct buf *ret);
#endif
