#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "k8s/event_rules.h"

static struct k8s_event event_of(const char *claim, const char *reason,
				 const char *message)
{
	return (struct k8s_event){ .ns = "ns",
				   .claim = claim,
				   .uid = "u1",
				   .reason = reason,
				   .message = message };
}

static bool add(struct event_book *b, const char *claim, const char *message,
		uint64_t now_ms)
{
	struct k8s_event e = event_of(claim, "Attached", message);

	return event_book_add(b, &e, now_ms, now_ms * 1000);
}

static void close_book(struct event_book *b)
{
	event_book_fini(b);
	cr_assert_eq(mem_live(), 0);
}

Test(event_rules, a_bucket_holds_its_burst_and_fills_with_time)
{
	static const struct event_rate rate = { .burst = 3, .every_ms = 100 };
	struct event_bucket b = { .full_ms = 0 };
	uint64_t now = 5000;

	for (int i = 0; i < 3; i++)
		cr_assert(event_take(&b, &rate, now));
	cr_assert(!event_take(&b, &rate, now));
	cr_assert_eq(event_wait_ms(&b, &rate, now), 100);
	cr_assert(!event_take(&b, &rate, now + 99));
	cr_assert(event_take(&b, &rate, now + 100));
	cr_assert(!event_take(&b, &rate, now + 100));
	/* However long it rests, not more than the burst. */
	now += 1000000;
	for (int i = 0; i < 3; i++)
		cr_assert(event_take(&b, &rate, now));
	cr_assert(!event_take(&b, &rate, now));
}

Test(event_rules, what_comes_again_is_one)
{
	struct event_book b;
	struct event_entry *e;

	event_book_init(&b);
	cr_assert_eq(event_book_wait_ms(&b, 0), UINT64_MAX);
	for (int i = 0; i < 5; i++)
		cr_assert(add(&b, "c", "m", 1000));
	cr_assert_eq(b.n_waiting, 1);
	cr_assert_eq(event_book_wait_ms(&b, 1000), 0);
	e = event_book_next(&b, 1000);
	cr_assert(e && e->count == 5 && !event_book_next(&b, 1000));
	/* While it is sent, it comes twice more: told afterwards, as one. */
	e->n_sent = e->count;
	cr_assert(add(&b, "c", "m", 2000) && add(&b, "c", "m", 3000));
	cr_assert_eq(b.n_waiting, 0);
	event_book_sent(&b, e, EVENT_POSTED, 3000);
	cr_assert_eq(event_book_next(&b, 3000), e);
	cr_assert_eq(e->count, 7);
	cr_assert(e->first_us == 1000000 && e->last_us == 3000000);
	e->n_sent = e->count;
	event_book_sent(&b, e, EVENT_POSTED, 3000);
	cr_assert_null(event_book_next(&b, 3000));
	/* Another text, another reason, another claim: others. */
	cr_assert(add(&b, "c", "m2", 3000) && add(&b, "c2", "m", 3000));
	cr_assert_eq(b.n_waiting, 2);
	/* After the window it is another too. */
	cr_assert(add(&b, "c", "m", 3000 + EVENT_WINDOW_MS));
	e = event_book_next(&b, 3000 + EVENT_WINDOW_MS);
	cr_assert_str_eq(e->message, "m2");
	e = event_book_next(&b, 3000 + EVENT_WINDOW_MS);
	cr_assert_str_eq(e->claim, "c2");
	e = event_book_next(&b, 3000 + EVENT_WINDOW_MS);
	cr_assert_str_eq(e->message, "m");
	cr_assert_eq(e->count, 1);
	close_book(&b);
}

Test(event_rules, a_failed_one_begins_anew_and_a_failed_patch_goes_on)
{
	struct event_book b;
	struct event_entry *e;

	event_book_init(&b);
	add(&b, "c", "m", 0);
	e = event_book_next(&b, 0);
	event_book_sent(&b, e, EVENT_FAILED, 0);
	cr_assert_eq(b.n_entries, 0);
	add(&b, "c", "m", 0);
	e = event_book_next(&b, 0);
	cr_assert_eq(e->count, 1);
	e->n_sent = 1;
	event_book_sent(&b, e, EVENT_POSTED, 0);
	add(&b, "c", "m", 0);
	cr_assert_eq(event_book_next(&b, 0), e);
	event_book_sent(&b, e, EVENT_UNKNOWN, 0);
	cr_assert_null(event_book_next(&b, 0));
	add(&b, "c", "m", 0);
	cr_assert_eq(event_book_next(&b, 0), e);
	cr_assert_eq(e->count, 3);
	close_book(&b);
}

/* One claim's flood is cut, and the others are told all the same. */
Test(event_rules, one_claim_has_its_share)
{
	struct event_book b;
	char text[32];
	unsigned n = 0;

	event_book_init(&b);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "m%d", i);
		n += add(&b, "noisy", text, 0);
	}
	cr_assert_eq(n, event_rate_claim.burst);
	cr_assert_eq(b.n_dropped, 100 - n);
	cr_assert(add(&b, "quiet", "m", 0));
	cr_assert(add(&b, "noisy", "m0", 0)); /* only counted */
	cr_assert(!add(&b, "noisy", "new", event_rate_claim.every_ms - 1));
	cr_assert(add(&b, "noisy", "new", event_rate_claim.every_ms));
	close_book(&b);
}

/* Repetitions that may not be told now are in the number told later. */
Test(event_rules, a_repetition_is_counted_when_it_is_not_told)
{
	struct event_book b;
	struct event_entry *e;
	unsigned n_sent = 0;

	event_book_init(&b);
	for (unsigned i = 1; i <= 500; i++) {
		cr_assert(add(&b, "c", "m", i));
		while ((e = event_book_next(&b, i))) {
			e->n_sent = e->count;
			event_book_sent(&b, e, EVENT_POSTED, i);
			n_sent++;
		}
	}
	cr_assert_eq(n_sent, event_rate_claim.burst);
	cr_assert(add(&b, "c", "m", event_rate_claim.every_ms + 500));
	e = event_book_next(&b, event_rate_claim.every_ms + 500);
	cr_assert(e && e->count == 501);
	close_book(&b);
}

Test(event_rules, all_together_wait_for_their_rate)
{
	struct event_book b;
	char claim[32];
	unsigned n = 0;

	event_book_init(&b);
	for (unsigned i = 0; i < EVENT_WAITING_MAX + 10; i++) {
		snprintf(claim, sizeof(claim), "c%u", i);
		cr_assert_eq(add(&b, claim, "m", 0), i < EVENT_WAITING_MAX, "%u", i);
	}
	cr_assert_eq(b.n_dropped, 10);
	while (event_book_next(&b, 0))
		n++;
	cr_assert_eq(n, event_rate_all.burst);
	cr_assert_eq(event_book_wait_ms(&b, 0), event_rate_all.every_ms);
	cr_assert_eq(event_book_wait_ms(&b, 1), event_rate_all.every_ms - 1);
	cr_assert_null(event_book_next(&b, event_rate_all.every_ms - 1));
	cr_assert_not_null(event_book_next(&b, event_rate_all.every_ms));
	close_book(&b);
}

/* What is posted is remembered, but not without end. */
Test(event_rules, memory_is_bounded)
{
	struct event_book b;
	char claim[32];

	event_book_init(&b);
	for (unsigned i = 0; i < 4 * EVENT_KEPT_MAX; i++) {
		struct event_entry *e;

		snprintf(claim, sizeof(claim), "c%u", i);
		cr_assert(add(&b, claim, "m", i * 100), "%u", i);
		e = event_book_next(&b, i * 100);
		cr_assert_str_eq(e->claim, claim);
		e->n_sent = e->count;
		event_book_sent(&b, e, EVENT_POSTED, i * 100);
		cr_assert_leq(b.n_entries, EVENT_KEPT_MAX);
	}
	cr_assert_eq(b.n_entries, EVENT_KEPT_MAX);
	add(&b, "last", "m", 100 * 1000 * 1000);
	cr_assert_eq(b.n_entries, 1);
	close_book(&b);
}

static json_t *parse(const struct buf *b)
{
	struct err err;
	json_t *v = json_parse(b->data, b->len, &err);

	cr_assert_not_null(v, "%s", b->data);
	return v;
}

static void check_texts(const json_t *v, const char *const (*want)[2])
{
	for (; (*want)[0]; want++)
		cr_assert_str_eq(json_get_str(v, (*want)[0]), (*want)[1]);
}

Test(event_rules, bodies)
{
	static const struct event_source by = { "rds-csi-controller", "pod-1" };
	static const char *const top[][2] = {
		{ "apiVersion", "v1" },
		{ "kind", "Event" },
		{ "reason", "NodeFenced" },
		{ "message", "it \"was\"\n" },
		{ "type", "Warning" },
		{ "firstTimestamp", "2026-01-02T03:04:05Z" },
		{ "lastTimestamp", "2026-01-02T03:04:06Z" },
		{ "reportingComponent", "rds-csi-controller" },
		{ "reportingInstance", "pod-1" },
		{ NULL, NULL },
	};
	static const char *const object[][2] = { { "kind", "PersistentVolumeClaim" },
						 { "apiVersion", "v1" },
						 { "namespace", "ns" },
						 { "name", "c" },
						 { "uid", "u1" },
						 { NULL, NULL } };
	struct k8s_event ev = event_of("c", "NodeFenced", "it \"was\"\n");
	struct event_entry *e;
	struct event_book b;
	struct buf body;
	json_t *v, *meta;

	ev.is_warning = true;
	event_book_init(&b);
	buf_init(&body, EVENT_BODY_MAX);
	event_book_add(&b, &ev, 0, UINT64_C(1767323045678901));
	event_book_add(&b, &ev, 0, UINT64_C(1767323046678901));
	e = event_book_next(&b, 0);
	cr_assert_eq(event_body_new(e, &by, &body), 0);
	v = parse(&body);
	check_texts(v, top);
	check_texts(json_object_get(v, "involvedObject"), object);
	cr_assert_eq(json_integer_value(json_object_get(v, "count")), 2);
	cr_assert_str_eq(json_get_str(json_object_get(v, "source"), "component"),
			 "rds-csi-controller");
	meta = json_object_get(v, "metadata");
	cr_assert_str_eq(json_get_str(meta, "namespace"), "ns");
	cr_assert_str_eq(json_get_str(meta, "name"), e->name);
	cr_assert(strncmp(e->name, "c.", 2) == 0 && strlen(e->name) == 2 + 16, "%s",
		  e->name);
	json_decref(v);
	event_book_sent(&b, e, EVENT_POSTED, 0);
	event_book_add(&b, &ev, 0, UINT64_C(1767323047000000));
	cr_assert_eq(event_book_next(&b, 0), e);
	cr_assert_eq(event_body_count(e, &body), 0);
	cr_assert_str_eq(body.data,
			 "{\"count\":3,\"lastTimestamp\":\"2026-01-02T03:04:07Z\"}");
	buf_fini(&body);
	close_book(&b);
}

/* Of any length and any bytes: cut at a character, and always something that JSON and the
 * API take. */
Test(event_rules, texts_are_cut)
{
	static const struct event_source by = { "c", "i" };
	static char claim[300], message[3000];
	struct k8s_event ev = event_of(claim, "R", message);
	struct event_entry *e;
	struct event_book b;
	struct buf body;

	memset(claim, 'a', sizeof(claim) - 1);
	claim[235] = '.';
	memset(message, 'x', sizeof(message) - 1);
	memcpy(message + EVENT_MESSAGE_MAX - 1, "\xc3\xa4", 2);
	event_book_init(&b);
	buf_init(&body, EVENT_BODY_MAX);
	event_book_add(&b, &ev, 0, UINT64_C(1767323045678901));
	e = event_book_next(&b, 0);
	cr_assert_eq(strlen(e->message), EVENT_MESSAGE_MAX - 1);
	cr_assert_eq(event_body_new(e, &by, &body), 0);
	cr_assert_eq(strlen(e->claim), 253);
	cr_assert_eq(strlen(e->name), 235 + 17);
	cr_assert_eq(strncmp(e->name + 230, "aaaaa.18", 8), 0, "%s", e->name + 230);
	event_book_sent(&b, e, EVENT_POSTED, 0);
	ev.message = "bad \xff byte";
	event_book_add(&b, &ev, 0, 1);
	e = event_book_next(&b, 0);
	cr_assert_str_eq(e->message, "bad ? byte");
	cr_assert_eq(event_body_new(e, &by, &body), 0);
	buf_fini(&body);
	close_book(&b);
}

static void fill_book(void)
{
	static const struct event_source by = { "c", "i" };
	struct event_book b;
	struct event_entry *e;
	struct buf body;

	event_book_init(&b);
	buf_init(&body, EVENT_BODY_MAX);
	(void)add(&b, "c1", "m", 0);
	(void)add(&b, "c2", "m", 0);
	while ((e = event_book_next(&b, 0))) {
		int rc = event_body_new(e, &by, &body);

		event_book_sent(&b, e, rc ? EVENT_FAILED : EVENT_POSTED, 0);
	}
	buf_fini(&body);
	close_book(&b);
}

Test(event_rules, without_memory_one_is_dropped)
{
	T_EACH_ALLOC_FAILS(fill_book());
}
