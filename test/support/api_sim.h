#ifndef API_SIM_H
#define API_SIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* An API server in the test's own loop: plain HTTP/1.1 on 127.0.0.1, objects as raw JSON,
 * resourceVersions, lists in pages with snapshots, watches with bookmarks, merge patches,
 * preconditions, and faults. Knows nothing of src/k8s, and is stricter than the real one:
 * an unknown query parameter, a body without its content type, a PUT without a version
 * are refused. Its timers are those of core/clock, so that a test may hold the time.
 * Bookmarks come when the test says so, or each bookmark_ms. */
enum api_sim_what {
	SIM_NONE,
	SIM_STATUS, /* answered with status, nothing done */
	SIM_LOSE,   /* done, then the connection is closed without an answer */
	SIM_CLOSE,  /* closed without an answer, nothing done */
	SIM_HANG,   /* never answered, nothing done */
	SIM_CUT,    /* closed after at bytes of the answer, head included */
	SIM_LINE,   /* a watch: a 200 with an ERROR line of status, then its end */
};

/* For requests whose method and target fit (NULL = any; match: a part of the target). */
struct api_sim_fault {
	enum api_sim_what what;
	const char *method, *match;
	unsigned skip, times; /* after so many others; 0 times = one */
	unsigned status, retry_after_s;
	size_t at;
};

struct sim_kind; /* one of the collections it serves */
struct sim_conn;
struct sim_object;

enum { SIM_KINDS = 9, SIM_FAULTS = 8, SIM_SNAPSHOTS = 64 };

struct api_sim {
	uv_loop_t *loop;
	int port;
	const char *token; /* demanded; NULL = none */
	size_t piece;	   /* bytes of each write; 0 = as many as there are */
	uint64_t bookmark_ms;
	struct api_sim_fault faults[SIM_FAULTS];
	/* Counters. */
	unsigned n_requests, n_lists, n_watches, n_conns, n_open;
	uint64_t n_bytes_out;
	/* The last requests, as "METHOD target". */
	char *log[1024];
	/* Called for every request that is about to be served. */
	void (*on_request)(struct api_sim *s, const char *method, const char *target);
	/* NULL: delays are those of api_sim_delay. Else asked for each watch, by the
	 * User-Agent of who watches: how long after it happened an event is sent. */
	uint64_t (*delay_of)(const struct api_sim *s, const char *agent,
			     const char *kind);
	void *arg;
	/* Private. */
	struct {
		struct sim_object **objects; /* by name, sorted */
		size_t n, room;
		bool is_held;
		uint64_t delay_ms;
	} data[SIM_KINDS];
	struct sim_event *events; /* the history, oldest first */
	size_t n_events, room;
	uint64_t version, compacted; /* nothing at or before it can be watched from */
	struct sim_snapshot {
		struct sim_object **objects;
		size_t n;
		uint64_t version;
		unsigned id;
		bool is_expired;
	} snapshots[SIM_SNAPSHOTS];
	unsigned last_snapshot, last_uid;
	bool is_frozen, is_down;
	uv_tcp_t listener;
	struct sim_conn *conns;
};

void api_sim_open(struct api_sim *s, uv_loop_t *loop);
/* Closes all; the loop must turn once more. Then nothing is left. */
void api_sim_close(struct api_sim *s);
/* From now on this token (static) is demanded, and stands in <path>.token. */
void api_sim_token(struct api_sim *s, const char *path, const char *token);
/* Writes a kubeconfig for it, which names the token's file if one is set. */
void api_sim_kubeconfig(const struct api_sim *s, const char *path);

/* kind: "nodes", "volumeattachments" … json: the object; metadata.name is needed, uid and
 * resourceVersion are made. A name that is there already is changed. */
void api_sim_put(struct api_sim *s, const char *kind, const char *json);
void api_sim_remove(struct api_sim *s, const char *kind, const char *ns,
		    const char *name);
/* The object's text, or NULL; valid until it changes. */
const char *api_sim_find(const struct api_sim *s, const char *kind, const char *ns,
			 const char *name);
size_t api_sim_count(const struct api_sim *s, const char *kind);

/* Short forms, for the driver rds.csi.srvlab.io. */
void api_sim_va(struct api_sim *s, const char *name, const char *node, const char *pv,
		bool is_attached);
void api_sim_pv(struct api_sim *s, const char *name, const char *handle);
void api_sim_node(struct api_sim *s, const char *name, bool is_ready);

/* The watches of the kind are sent nothing until it is released; or each event so long
 * after it happened. */
void api_sim_hold(struct api_sim *s, const char *kind, bool is_held);
void api_sim_delay(struct api_sim *s, const char *kind, uint64_t delay_ms);
void api_sim_bookmark(struct api_sim *s); /* to every watch that wants them */
/* Forgets the history: a watch from an older version and the next page of a list that
 * began before get 410. */
void api_sim_compact(struct api_sim *s);
void api_sim_end_watches(struct api_sim *s); /* as at timeoutSeconds */
/* Every watch is cut when so many more bytes of it have been sent. */
void api_sim_cut_watches(struct api_sim *s, size_t after);
void api_sim_cut_all(struct api_sim *s);
/* Neither reads nor writes, as when stopped by SIGSTOP; what was asked meanwhile is
 * answered afterwards. */
void api_sim_freeze(struct api_sim *s, bool is_frozen);
/* Down: cuts all, and refuses connections. Up again with the same objects, and no
 * history. */
void api_sim_down(struct api_sim *s, bool is_down);
void api_sim_fault(struct api_sim *s, struct api_sim_fault fault);
#endif
