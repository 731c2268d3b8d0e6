#ifndef API_SIM_IMPL_H
#define API_SIM_IMPL_H
#include <jansson.h>

#include "core/clock.h"
#include "support/api_sim.h"

/* Inside the API server of the tests: api_sim_data.c has the objects, api_sim_ask.c
 * answers, api_sim_watch.c has the watches, api_sim.c the connections. */
struct sim_object {
	unsigned refs;
	uint64_t version;
	size_t len;
	char *key; /* "ns/name" */
	char text[];
};

struct sim_event {
	const char *type;
	unsigned kind;
	uint64_t version, at_ms;
	struct sim_object *o;
};

struct sim_kind {
	const char *root, *name, *kind, *api;
	bool has_ns, has_status;
};
extern const struct sim_kind sim_kinds[SIM_KINDS];

unsigned sim_kind_of(const char *name); /* fails the test when there is none */
struct sim_object *sim_ref(struct sim_object *o);
void sim_unref(struct sim_object *o);
struct sim_object *sim_find(const struct api_sim *s, unsigned kind, const char *key);
/* Takes value: as the new state of the key, with a new version and, if it has none, a
 * uid. The object as stored. */
struct sim_object *sim_store_take(struct api_sim *s, unsigned kind, const char *key,
				  json_t *value);
void sim_delete(struct api_sim *s, unsigned kind, const char *key);
json_t *sim_merge(json_t *target, const json_t *patch); /* RFC 7386; a new value */
void sim_data_close(struct api_sim *s);
void sim_fan_out(struct api_sim *s); /* events to the watches */

/* What a request asks for, taken apart. */
struct sim_target {
	unsigned kind;
	char ns[64], name[256], sub[32];
	unsigned limit, timeout_s;
	char next[64], field[128];
	char version[32];
	bool is_watch, wants_bookmarks, has_version;
};

/* The answer of the methods that change one object: status, and the body to free(). */
struct sim_reply {
	unsigned status;
	char *body;
};
void sim_change(struct api_sim *s, const char *method, const struct sim_target *t,
		json_t *body, struct sim_reply *r);
char *sim_status_body(unsigned status, const char *reason, const char *message);
/* One page; r as above. */
void sim_list(struct api_sim *s, const struct sim_target *t, struct sim_reply *r);
/* 0, or the status to answer with. */
unsigned sim_parse_target(const char *target, struct sim_target *t);
/* One connection. Output is queued in out and written in pieces; allow is how many bytes
 * more may be sent before the connection is closed. */
struct sim_conn {
	struct sim_conn *next;
	struct api_sim *s;
	uv_tcp_t tcp;
	uv_write_t write;
	char *in, *out, *writing;
	size_t n_in, n_out, allow;
	bool is_writing, is_ending, is_closing, hangs;
	/* A watch. */
	bool is_watch, wants_bookmarks;
	unsigned kind;
	uint64_t sent, end_ms; /* up to this version all is sent; its end, or 0 */
	char agent[32];	       /* who watches: User-Agent */
	struct clock_timer end, bookmark, delayed;
};

void sim_drop(struct sim_conn *c);
void sim_serve(struct sim_conn *c); /* what was asked and is not answered yet */
void sim_flush(struct sim_conn *c);
void sim_put_head(struct sim_conn *c, unsigned status, const char *more);
void sim_put_chunk(struct sim_conn *c, const char *p, size_t n);
void sim_answer_status(struct sim_conn *c, unsigned status, const char *reason,
		       unsigned retry_after_s);
void sim_begin_watch(struct sim_conn *c, const struct sim_target *t);
#endif
