#include "k8s/event_rules.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "core/str.h"
#include "k8s/stamp.h"

/* A claim that changes hands as fast as it can makes two a second for a while; a fault
 * that comes again and again is told once a minute. All together: 1,000 volumes attached
 * at once are told within a minute and a half, without a flood on the API server. */
const struct event_rate event_rate_claim = { .burst = 20, .every_ms = 60 * 1000 };
const struct event_rate event_rate_all = { .burst = 100, .every_ms = 100 };

enum { NS_MAX = 63, CLAIM_MAX = 253 };
enum { KEY_MAX = NS_MAX + CLAIM_MAX + EVENT_REASON_MAX + EVENT_MESSAGE_MAX + 3 };

bool event_take(struct event_bucket *b, const struct event_rate *rate, uint64_t now_ms)
{
	if (event_wait_ms(b, rate, now_ms))
		return false;
	b->full_ms = (b->full_ms > now_ms ? b->full_ms : now_ms) + rate->every_ms;
	return true;
}

uint64_t event_wait_ms(const struct event_bucket *b, const struct event_rate *rate,
		       uint64_t now_ms)
{
	uint64_t full_ms = b->full_ms > now_ms ? b->full_ms : now_ms;
	uint64_t missing_ms = full_ms - now_ms;
	uint64_t holds_ms = (uint64_t)(rate->burst - 1) * rate->every_ms;

	return missing_ms > holds_ms ? missing_ms - holds_ms : 0;
}

/* ---- the book -----------------------------------------------------------------------
 */

static struct event_entry *entry_of(struct map_node *n)
{
	return n ? CONTAINER_OF(n, struct event_entry, node) : NULL;
}

void event_book_init(struct event_book *b)
{
	*b = (struct event_book){ .n_entries = 0 };
	map_init(&b->entries);
	list_init(&b->ages);
	list_init(&b->queue);
}

static void forget(struct event_book *b, struct event_entry *e)
{
	b->n_entries--;
	list_remove(&e->turn);
	list_remove(&e->age);
	map_remove(&b->entries, &e->node);
	mem_free(e);
}

void event_book_fini(struct event_book *b)
{
	if (!b->ages.next)
		return;
	LIST_FOREACH (it, &b->ages)
		forget(b, CONTAINER_OF(it, struct event_entry, age));
	map_fini(&b->entries);
}

static struct event_bucket *bucket_of(struct event_book *b, const char *ns,
				      const char *claim)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (const char *s = ns; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	h = (h ^ '/') * 16777619u;
	for (const char *s = claim; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return &b->claims[h % EVENT_CLAIMS];
}

/* What is no longer compared goes; and for a new one, the oldest that is at rest. */
static void make_room(struct event_book *b, uint64_t now_ms)
{
	LIST_FOREACH (it, &b->ages) {
		struct event_entry *e = CONTAINER_OF(it, struct event_entry, age);
		bool is_old = now_ms - e->heard_ms >= EVENT_WINDOW_MS;

		if (!is_old && b->n_entries < EVENT_KEPT_MAX)
			return;
		if (!list_is_linked(&e->turn) && !e->is_sending)
			forget(b, e);
	}
}

/* Not beyond max bytes, never within a character, and nothing that is no UTF-8: texts of
 * others may stand in it. Returns the end. */
static char *put_text(char *out, const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n > max)
		for (n = max; n && ((uint8_t)text[n] & 0xc0) == 0x80;)
			n--;
	memcpy(out, text, n);
	if (!str_is_utf8(out, n))
		for (size_t i = 0; i < n; i++)
			out[i] = (char)((uint8_t)out[i] < 0x80 ? out[i] : '?');
	out[n] = '\0';
	return out + n;
}

static void put_key(char key[KEY_MAX + 1], const struct k8s_event *e)
{
	char *p = put_text(key, e->ns, NS_MAX);

	*p++ = '/';
	p = put_text(p, e->claim, CLAIM_MAX);
	*p++ = '\n';
	p = put_text(p, e->reason, EVENT_REASON_MAX);
	*p++ = '\n';
	(void)put_text(p, e->message, EVENT_MESSAGE_MAX);
}

/* The key is kept twice: whole, and cut into its texts. */
static struct event_entry *new_entry(const char *key, const struct k8s_event *e)
{
	size_t n = strlen(key) + 1;
	struct event_entry *ret = mem_calloc(1, sizeof(*ret) + 2 * n);
	char *p;

	if (!ret)
		return NULL;
	memcpy(ret + 1, key, n);
	p = (char *)(ret + 1) + n;
	memcpy(p, key, n);
	ret->ns = p;
	p += strcspn(p, "/");
	*p++ = '\0';
	ret->claim = p;
	p += strcspn(p, "\n");
	*p++ = '\0';
	ret->reason = p;
	p += strcspn(p, "\n");
	*p++ = '\0';
	ret->message = p;
	ret->is_warning = e->is_warning;
	(void)put_text(ret->uid, e->uid ? e->uid : "", EVENT_UID_MAX);
	return ret;
}

static void wait_turn(struct event_book *b, struct event_entry *e)
{
	list_append(&b->queue, &e->turn);
	b->n_waiting++;
}

static void hear(struct event_book *b, struct event_entry *e, uint64_t now_ms,
		 uint64_t wall_us)
{
	e->count += e->count < INT32_MAX;
	e->heard_ms = now_ms;
	e->last_us = wall_us;
	list_remove(&e->age);
	list_append(&b->ages, &e->age);
}

/* It says more than its object does: told when nothing of it is under way, its claim's
 * rate allows it and the queue has room. */
static void tell_again(struct event_book *b, struct event_entry *e, uint64_t now_ms)
{
	if (e->count == e->n_sent || e->is_sending || list_is_linked(&e->turn) ||
	    b->n_waiting >= EVENT_WAITING_MAX ||
	    !event_take(bucket_of(b, e->ns, e->claim), &event_rate_claim, now_ms))
		return;
	wait_turn(b, e);
}

static bool add_new(struct event_book *b, const char *key, const struct k8s_event *ev,
		    const uint64_t at[2])
{
	struct event_entry *e;

	if (b->n_waiting >= EVENT_WAITING_MAX || b->n_entries >= EVENT_KEPT_MAX ||
	    !event_take(bucket_of(b, ev->ns, ev->claim), &event_rate_claim, at[0]))
		return false;
	e = new_entry(key, ev);
	if (!e || map_add(&b->entries, &e->node, (const char *)(e + 1))) {
		mem_free(e);
		return false;
	}
	b->n_entries++;
	list_append(&b->ages, &e->age);
	e->first_us = at[1];
	hear(b, e, at[0], at[1]);
	wait_turn(b, e);
	return true;
}

bool event_book_add(struct event_book *b, const struct k8s_event *e, uint64_t now_ms,
		    uint64_t wall_us)
{
	struct event_entry *known;
	char key[KEY_MAX + 1];

	put_key(key, e);
	make_room(b, now_ms);
	known = entry_of(map_find(&b->entries, key));
	if (known) {
		hear(b, known, now_ms, wall_us);
		tell_again(b, known, now_ms);
		return true;
	}
	if (add_new(b, key, e, (const uint64_t[2]){ now_ms, wall_us }))
		return true;
	b->n_dropped++;
	return false;
}

uint64_t event_book_wait_ms(const struct event_book *b, uint64_t now_ms)
{
	if (list_is_empty(&b->queue))
		return UINT64_MAX;
	return event_wait_ms(&b->all, &event_rate_all, now_ms);
}

struct event_entry *event_book_next(struct event_book *b, uint64_t now_ms)
{
	struct event_entry *e;

	if (list_is_empty(&b->queue) || !event_take(&b->all, &event_rate_all, now_ms))
		return NULL;
	e = CONTAINER_OF(b->queue.next, struct event_entry, turn);
	list_remove(&e->turn);
	b->n_waiting--;
	e->is_sending = true;
	return e;
}

void event_entry_found(struct event_entry *e, const char *uid)
{
	(void)put_text(e->uid, uid, EVENT_UID_MAX);
}

void event_book_sent(struct event_book *b, struct event_entry *e, enum event_outcome out,
		     uint64_t now_ms)
{
	e->is_sending = false;
	if (out == EVENT_FAILED)
		forget(b, e);
	else if (out == EVENT_POSTED)
		tell_again(b, e, now_ms);
}

/* ---- as JSON ------------------------------------------------------------------------
 */

/* As client-go names them: "<object>.<nanoseconds in hex>", unique to a microsecond and,
 * within it, to the entry's place in memory. */
static void name_it(struct event_entry *e)
{
	uint64_t ns = e->last_us * 1000 + ((uintptr_t)e >> 4) % 1000;
	int n = (int)strnlen(e->claim, EVENT_NAME_MAX - 17);

	/* A name that was cut must not end a label with what may not end one. */
	while (n && (e->claim[n - 1] == '.' || e->claim[n - 1] == '-'))
		n--;
	(void)snprintf(e->name, sizeof(e->name), "%.*s.%llx", n, e->claim,
		       (unsigned long long)ns);
}

static json_t *involved(const struct event_entry *e)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s}", "apiVersion", "v1", "kind",
			 "PersistentVolumeClaim", "namespace", e->ns, "name", e->claim,
			 "uid", e->uid);
}

int event_body_new(struct event_entry *e, const struct event_source *by, struct buf *ret)
{
	char first[K8S_STAMP], last[K8S_STAMP];

	json_use_mem();
	buf_reset(ret);
	name_it(e);
	e->n_sent = e->count;
	k8s_stamp(e->first_us, first);
	k8s_stamp(e->last_us, last);
	return json_print_take(
		json_pack("{s:s,s:s,s:{s:s,s:s},s:o,s:s,s:s,s:s,s:s,s:s,s:I,s:{s:s},"
			  "s:s,s:s}",
			  "apiVersion", "v1", "kind", "Event", "metadata", "name",
			  e->name, "namespace", e->ns, "involvedObject", involved(e),
			  "reason", e->reason, "message", e->message, "type",
			  e->is_warning ? "Warning" : "Normal", "firstTimestamp", first,
			  "lastTimestamp", last, "count", (json_int_t)e->count, "source",
			  "component", by->component, "reportingComponent", by->component,
			  "reportingInstance", by->instance),
		ret);
}

int event_body_count(struct event_entry *e, struct buf *ret)
{
	char last[K8S_STAMP];

	json_use_mem();
	buf_reset(ret);
	e->n_sent = e->count;
	k8s_stamp(e->last_us, last);
	return json_print_take(json_pack("{s:I,s:s}", "count", (json_int_t)e->count,
					 "lastTimestamp", last),
			       ret);
}
