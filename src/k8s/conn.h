#ifndef K8S_CONN_H
#define K8S_CONN_H
#include <uv.h>

#include "core/buf.h"
#include "core/http1.h"
#include "core/list.h"
#include "core/op.h"
#include "core/stream.h"
#include "k8s/conf.h"
#include "k8s/tls.h"

/* One connection to the API server, from name resolution to close: made for a first job,
 * kept for more, one at a time. The op ends when the connection does; the client owns it.
 * An idle connection listens for the server's end, so that few jobs meet a closed one. */
enum {
	CONN_OPEN_MS = 10 * 1000, /* resolution, connect and handshake */
	CONN_HEAD_MS = 30 * 1000, /* from the request to the end of the header */
	CONN_IDLE_MS = 60 * 1000, /* below the API server's own 90 s */
	CONN_USER_TIMEOUT_MS = 30 * 1000,
	CONN_KEEPALIVE_S = 30,
};

struct conn;

/* One request and what came of it; embedded in its exchange. While it waits in the
 * client's queue or a connection has it, it holds one reference of the exchange's op. */
struct conn_job {
	struct list node;   /* in the client's queue */
	uint64_t serial;    /* its place there: of its exchange's start */
	struct op *op;	    /* the exchange's: woken when conn or node lets go of it */
	struct conn *conn;  /* that has it now */
	struct buf request; /* whole, with the token in it: wiped when freed */
	int (*on_head)(struct conn_job *j, const struct http1 *h);
	int (*on_body)(struct conn_job *j, const char *p, size_t n);
	bool is_long;	  /* never shares a connection */
	bool wants_fresh; /* no connection that was kept */
	/* Results. */
	struct err err; /* of the connection; ERR_OK with is_answered */
	bool is_answered;
	bool is_sent;  /* bytes of the request have left */
	bool is_begun; /* bytes of an answer have come */
	bool was_kept; /* the connection had carried a job before */
};

struct conn {
	struct op op;
	struct list node; /* the client's */
	const struct k8s_conf *conf;
	void (*idle)(struct conn *c); /* may take another job */
	void *ctx;		      /* the client's */
	struct conn_job *job;
	unsigned generation; /* of the trust it was made with */
	unsigned n_answers;
	bool is_own;   /* of a long job */
	bool is_spent; /* not fit for another job, although this one may end well */
	struct clock_timer patience;
	uv_getaddrinfo_t resolve;
	const struct addrinfo *at; /* the address dialled now, in the list */
	struct tls tls;
	struct http1 http;
	struct stream stream;
};

/* The memory is zeroed but for idle and ctx. done: as of each op. */
void conn_start(struct conn *c, uv_loop_t *loop, const struct k8s_conf *conf,
		struct conn_job *first, void (*done)(struct op *op));
bool conn_is_idle(const struct conn *c);
/* c must be idle. Not from within a step of c. */
void conn_ask(struct conn *c, struct conn_job *j);
/* The job's op was cancelled: the connection lets go of it and ends. */
void conn_drop(struct conn_job *j);
#endif
