#ifndef K8S_FETCH_H
#define K8S_FETCH_H
#include "k8s/exchange.h"
#include "k8s/line.h"
#include "k8s/split.h"

/* One exchange and what its answer means: an object, one page of a list, or a Status. No
 * retries: who starts it judges by status, is_sent and retry_after_ms. */
enum k8s_wanted { K8S_WANT_NOTHING, K8S_WANT_OBJECT, K8S_WANT_PAGE };

struct k8s_fetch {
	struct op op;
	/* Arguments, borrowed until done(). */
	struct k8s_client *client;
	const char *driver; /* for decoding */
	enum k8s_kind kind;
	enum k8s_wanted wanted;
	const char *method, *target, *content_type, *body;
	/* PAGE: each item as it comes; d->object is the receiver's to free or to keep.
	 * Returning -1 with err set ends the exchange. The page counts only when the
	 * whole of it was well: op.err. */
	int (*on_item)(struct k8s_fetch *f, struct k8s_decoded *d, struct err *err);
	void *ctx; /* the starter's */
	/* Results. */
	unsigned status;
	uint32_t retry_after_ms;
	bool is_sent;
	bool is_unreadable;	   /* it came, but is not what it should be */
	bool is_foreign;	   /* OBJECT: it came, and is another driver's */
	struct k8s_object *object; /* OBJECT: the caller's to free */
	struct k8s_list_meta meta; /* PAGE */
	/* Private. */
	struct k8s_exchange x;
	struct k8s_list_split split;
	struct buf in;
};

/* op.err: as k8s.h says for each status; what the exchange says; UNAVAILABLE for an
 * answer that cannot be read; NOT_FOUND for another driver's object. op_set_deadline
 * after the start: it has none of its own beside the exchange's. */
void k8s_fetch_start(struct k8s_fetch *f, uv_loop_t *loop, void (*done)(struct op *op));

/* Pure: the error for a status that is no 2xx. */
enum err_code k8s_status_code(unsigned status, const char *reason);
#endif
