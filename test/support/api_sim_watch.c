#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/api_sim_impl.h"

static void send_event(struct sim_conn *c, const struct sim_event *e)
{
	size_t n = strlen(e->type) + e->o->len + 32;
	char *line = malloc(n);
	int len = snprintf(line, n, "{\"type\":\"%s\",\"object\":%s}\n", e->type,
			   e->o->text);

	sim_put_chunk(c, line, (size_t)len);
	free(line);
	c->sent = e->version;
}

static void on_delayed(struct clock_timer *t);

static uint64_t delay_of(const struct sim_conn *c)
{
	const struct api_sim *s = c->s;

	return s->delay_of ? s->delay_of(s, c->agent, sim_kinds[c->kind].name)
			   : s->data[c->kind].delay_ms;
}

/* The first event after the version; n_events when there is none. */
static size_t first_after(const struct api_sim *s, uint64_t version)
{
	size_t low = 0, high = s->n_events;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->events[mid].version <= version)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* What has happened since, as far as its delay is over. */
static void catch_up(struct sim_conn *c)
{
	struct api_sim *s = c->s;
	uint64_t now = clock_now_ms(s->loop), delay = delay_of(c);

	for (size_t i = first_after(s, c->sent); i < s->n_events; i++) {
		const struct sim_event *e = &s->events[i];

		if (e->kind != c->kind) {
			c->sent = e->version; /* nothing of its own is older */
			continue;
		}
		if (s->data[c->kind].is_held)
			break;
		if (e->at_ms + delay > now) {
			clock_timer_start(s->loop, &c->delayed, e->at_ms + delay - now,
					  on_delayed);
			break;
		}
		send_event(c, e);
	}
	sim_flush(c);
}

static void on_delayed(struct clock_timer *t)
{
	catch_up(CONTAINER_OF(t, struct sim_conn, delayed));
}

void sim_fan_out(struct api_sim *s)
{
	for (struct sim_conn *c = s->conns; c; c = c->next)
		if (c->is_watch && !c->is_closing && !c->is_ending)
			catch_up(c);
}

static void bookmark(struct sim_conn *c)
{
	const struct sim_kind *k = &sim_kinds[c->kind];
	char line[256];
	int n;

	if (!c->wants_bookmarks || c->is_ending || c->s->data[c->kind].is_held)
		return;
	/* Only when nothing is on its way that is older. */
	for (size_t i = first_after(c->s, c->sent); i < c->s->n_events; i++)
		if (c->s->events[i].kind == c->kind)
			return;
	n = snprintf(line, sizeof(line),
		     "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":"
		     "\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\","
		     "\"creationTimestamp\":null}}}\n",
		     k->kind, k->api, (unsigned long long)c->s->version);
	sim_put_chunk(c, line, (size_t)n);
	sim_flush(c);
}

static void arm_bookmark(struct sim_conn *c);

static void on_bookmark(struct clock_timer *t)
{
	struct sim_conn *c = CONTAINER_OF(t, struct sim_conn, bookmark);

	bookmark(c);
	arm_bookmark(c);
}

/* As the real one does it (its watch cache): each minute, and 2 s before the end. */
static void arm_bookmark(struct sim_conn *c)
{
	uint64_t now = clock_now_ms(c->s->loop), at = now + c->s->bookmark_ms;

	if (c->end_ms && c->end_ms > now + 2000 && c->end_ms - 2000 < at)
		at = c->end_ms - 2000;
	clock_timer_start(c->s->loop, &c->bookmark, at - now, on_bookmark);
}

static void end_watch(struct sim_conn *c)
{
	sim_put_chunk(c, "", 0);
	c->is_watch = false;
	clock_timer_stop(&c->end);
	clock_timer_stop(&c->bookmark);
	clock_timer_stop(&c->delayed);
	sim_flush(c);
	sim_serve(c);
}

static void on_end(struct clock_timer *t)
{
	end_watch(CONTAINER_OF(t, struct sim_conn, end));
}

void sim_begin_watch(struct sim_conn *c, const struct sim_target *t)
{
	struct api_sim *s = c->s;
	unsigned long long from;

	s->n_watches++;
	if (!t->has_version || sscanf(t->version, "%llu", &from) != 1) {
		sim_answer_status(c, 400, "BadRequest", 0);
		return;
	}
	if (from < s->compacted) {
		sim_answer_status(c, 410, "Expired", 0);
		return;
	}
	sim_put_head(c, 200, "Transfer-Encoding: chunked\r\n");
	c->is_watch = true;
	c->wants_bookmarks = t->wants_bookmarks;
	c->kind = t->kind;
	c->sent = from;
	c->end_ms =
		t->timeout_s ? clock_now_ms(s->loop) + t->timeout_s * UINT64_C(1000) : 0;
	if (t->timeout_s)
		clock_timer_start(s->loop, &c->end, t->timeout_s * UINT64_C(1000),
				  on_end);
	if (s->bookmark_ms)
		arm_bookmark(c);
	catch_up(c);
}

void api_sim_hold(struct api_sim *s, const char *kind, bool is_held)
{
	s->data[sim_kind_of(kind)].is_held = is_held;
	sim_fan_out(s);
}

void api_sim_delay(struct api_sim *s, const char *kind, uint64_t delay_ms)
{
	s->data[sim_kind_of(kind)].delay_ms = delay_ms;
	sim_fan_out(s);
}

void api_sim_bookmark(struct api_sim *s)
{
	for (struct sim_conn *c = s->conns; c; c = c->next)
		if (c->is_watch && !c->is_closing)
			bookmark(c);
}

void api_sim_end_watches(struct api_sim *s)
{
	for (struct sim_conn *c = s->conns; c; c = c->next)
		if (c->is_watch && !c->is_closing)
			end_watch(c);
}

void api_sim_cut_watches(struct api_sim *s, size_t after)
{
	for (struct sim_conn *c = s->conns; c; c = c->next)
		if (c->is_watch && !c->is_closing) {
			c->allow = after;
			if (!after)
				sim_drop(c);
		}
}
