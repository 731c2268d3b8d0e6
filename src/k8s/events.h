#ifndef K8S_EVENTS_H
#define K8S_EVENTS_H
#include "k8s/event_rules.h"

/* Posts Events on claims, one after the other, best effort: a long-lived op with a
 * bounded queue, by the rules of event_rules.h. Whoever emits one never waits for it and
 * never hears of it again. What the API server refuses or does not answer is dropped,
 * counted and logged once in a while. It asks for nothing but to get claims, and to
 * create and patch Events in their namespaces. */
struct events_conf {
	struct k8s *k8s;
	struct event_source source; /* texts borrowed until done() */
	/* The API server took one: for whoever counts them. May be NULL. */
	void (*posted)(const char *reason);
};

/* For the metrics; counted since the start. */
struct events_stats {
	uint64_t failed;  /* refused or not answered: dropped */
	uint64_t dropped; /* too many at once, or no memory: never tried */
};

struct events {
	struct op op;
	struct events_conf conf; /* set before the start */
	struct event_book book;
	struct event_entry *current; /* the book's: being sent */
	struct k8s_request req;
	struct buf body;
	struct clock_timer pace;
	uint64_t n_failed;
};

/* conf must be set and the rest zeroed. done() comes after events_stop alone. */
void events_start(struct events *e, void (*done)(struct op *op));
/* What waits is dropped. */
void events_stop(struct events *e);
/* Texts are copied. Before the start and after the stop: dropped. */
void events_emit(struct events *e, const struct k8s_event *ev);
void events_stats(const struct events *e, struct events_stats *ret);
#endif
