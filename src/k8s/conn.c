#include "k8s/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/mem.h"

/* start -> resolving -> dialing -> shaking -> busy <-> idle -> closing -> done
 *   start goes straight to dialing when the host is an address; dialing goes through
 *   redialing to the next address of the name; plain HTTP goes from dialing to busy.
 *   Any state goes to closing when it fails: no address, refused, silent for too long,
 *   certificate, handshake, cut, not HTTP, header too large, a callback's no, cancel,
 *   the server's end. What an answer is, is said before the connection closes. */
enum {
	ST_START,
	ST_RESOLVING,
	ST_DIALING,
	ST_REDIALING, /* the socket that failed is being closed */
	ST_SHAKING,
	ST_BUSY,
	ST_IDLE,
	ST_CLOSING,
	ST_DONE,
	ST_N
};

static const char *const names[ST_N] = {
	"start", "resolving", "dialing", "redialing", "shaking",
	"busy",	 "idle",      "closing", "done",
};
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RESOLVING) | OP_BIT(ST_DIALING) | OP_BIT(ST_CLOSING),
	[ST_RESOLVING] = OP_BIT(ST_DIALING) | OP_BIT(ST_CLOSING),
	[ST_DIALING] = OP_BIT(ST_REDIALING) | OP_BIT(ST_SHAKING) | OP_BIT(ST_BUSY) |
		       OP_BIT(ST_CLOSING),
	[ST_REDIALING] = OP_BIT(ST_DIALING) | OP_BIT(ST_CLOSING),
	[ST_SHAKING] = OP_BIT(ST_BUSY) | OP_BIT(ST_CLOSING),
	[ST_BUSY] = OP_BIT(ST_IDLE) | OP_BIT(ST_CLOSING),
	[ST_IDLE] = OP_BIT(ST_BUSY) | OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

static struct conn *conn_of(struct op *op)
{
	return CONTAINER_OF(op, struct conn, op);
}

static void on_impatient(struct clock_timer *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, patience);

	op_fail(&c->op, ERR_UNAVAILABLE,
		"the API server was silent for too long while %s", names[c->op.state]);
	op_wake(&c->op);
}

static void be_patient(struct conn *c, uint64_t ms)
{
	clock_timer_start(c->op.loop, &c->patience, ms, on_impatient);
}

/* The last touch of a job: its op may be over after this. */
static void give_back(struct conn *c)
{
	struct conn_job *j = c->job;

	if (!j)
		return;
	c->job = NULL;
	j->conn = NULL;
	if (!j->is_answered)
		j->err = c->op.err;
	op_unref_wake(j->op);
}

static void fail_err(struct conn *c, const struct err *err)
{
	/* What is no HTTP is the connection's failure and not our caller's. */
	op_fail(&c->op, err->code == ERR_INVALID ? ERR_UNAVAILABLE : err->code, "%s",
		err->msg);
}

/* ---- the socket */

static void set_options(struct conn *c)
{
	int on = 1, s = CONN_KEEPALIVE_S, probes = 3;
	unsigned unacked_ms = CONN_USER_TIMEOUT_MS;
	uv_os_fd_t fd;

	if (uv_fileno(&c->stream.u.handle, &fd))
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &s, sizeof(s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &s, sizeof(s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms,
			 sizeof(unacked_ms));
}

static void dial(struct conn *c, const struct sockaddr *to)
{
	op_move(&c->op, ST_DIALING);
	stream_connect(&c->stream, &c->op, to);
	set_options(c);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct conn *c = CONTAINER_OF(req, struct conn, resolve);

	c->at = res;
	if (status)
		op_fail(&c->op, ERR_UNAVAILABLE, "no address for %.120s: %s",
			c->conf->place.host, uv_strerror(status));
	op_unref_wake(&c->op);
}

static bool do_start(struct conn *c)
{
	const struct k8s_place *p = &c->conf->place;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	int port = (int)strtoul(p->port, NULL, 10);
	struct sockaddr_storage to;

	if (op_failed(&c->op))
		return true;
	be_patient(c, CONN_OPEN_MS);
	if (uv_ip4_addr(p->host, port, (struct sockaddr_in *)&to) == 0 ||
	    uv_ip6_addr(p->host, port, (struct sockaddr_in6 *)&to) == 0) {
		dial(c, (struct sockaddr *)&to);
		return true;
	}
	op_move(&c->op, ST_RESOLVING);
	if (uv_getaddrinfo(c->op.loop, &c->resolve, on_resolved, p->host, p->port,
			   &hints))
		op_fail(&c->op, ERR_UNAVAILABLE, "no address for %.120s", p->host);
	else
		op_ref(&c->op);
	return op_failed(&c->op);
}

static bool do_resolving(struct conn *c)
{
	if (!op_failed(&c->op))
		dial(c, c->at->ai_addr);
	return true;
}

/* ---- bytes */

static int on_head(struct http1 *h)
{
	struct conn *c = h->ctx;

	clock_timer_stop(&c->patience);
	return c->job->on_head(c->job, h);
}

static int on_body(struct http1 *h, const char *p, size_t n)
{
	struct conn *c = h->ctx;

	/* The owner may have cancelled the exchange from within. */
	return c->job->on_body(c->job, p, n) || op_failed(c->job->op) ? -1 : 0;
}

/* Plain bytes of the server's. Beyond the answer there must be none. */
static int hand_on(struct conn *c, const char *p, size_t n)
{
	struct err err;
	size_t used = 0;

	if (c->op.state != ST_BUSY) {
		op_fail(&c->op, ERR_UNAVAILABLE, "the server speaks out of turn");
		return -1;
	}
	c->job->is_begun |= n > 0;
	if (http1_feed(&c->http, p, n, &used, &err)) {
		fail_err(c, &err);
		return -1;
	}
	c->is_spent |= used < n;
	return 0;
}

/* All that was fed must be read, or it would pile up. */
static int decrypt(struct conn *c)
{
	struct err err;
	char plain[8192];
	ssize_t n = 0;

	if (tls_feed(&c->tls, c->stream.in, c->stream.in_len, &err) ||
	    tls_shake(&c->tls, &err))
		goto fail;
	stream_consume(&c->stream, c->stream.in_len);
	while (c->tls.is_up && (n = tls_read(&c->tls, plain, sizeof(plain), &err)) > 0)
		if (hand_on(c, plain, (size_t)n))
			return -1;
	if (n == 0)
		return 0;
fail:
	fail_err(c, &err);
	return -1;
}

/* Moves what came to where it belongs, and what is to be said onto its way. */
static void pump(struct conn *c)
{
	struct stream *s = &c->stream;
	struct err err;
	int rc = 0;

	if (c->tls.ssl)
		rc = decrypt(c);
	else if (s->in_len)
		rc = hand_on(c, s->in, s->in_len);
	if (!c->tls.ssl)
		stream_consume(s, s->in_len);
	if (c->tls.ssl && rc == 0 && tls_take(&c->tls, &s->out, &err))
		fail_err(c, &err);
	stream_flush(s);
	stream_read(s);
}

/* Whether the server's side is over, and in good order. */
static bool has_ended(const struct conn *c, bool *ret_in_order)
{
	*ret_in_order = c->tls.ssl ? c->tls.is_ended : c->stream.status == UV_EOF;
	return c->tls.is_ended || c->stream.status;
}

static void fail_end(struct conn *c)
{
	int why = c->stream.status;

	op_fail(&c->op, ERR_UNAVAILABLE, "the API server %s while %s",
		why == 0 || why == UV_EOF ? "closed the connection" : uv_strerror(why),
		names[c->op.state]);
}

/* ---- the states */

static void ask(struct conn *c)
{
	struct conn_job *j = c->job;
	struct err err = { .code = ERR_OK };

	op_move(&c->op, ST_BUSY);
	http1_init(&c->http, HTTP_RESPONSE);
	c->http.on_head = on_head;
	c->http.on_body = on_body;
	c->http.ctx = c;
	j->was_kept = c->n_answers > 0;
	j->is_sent = true;
	be_patient(c, CONN_HEAD_MS);
	if (!c->tls.ssl && buf_append(&c->stream.out, j->request.data, j->request.len))
		op_fail(&c->op, ERR_EXHAUSTED, "out of memory");
	if (c->tls.ssl && tls_write(&c->tls, j->request.data, j->request.len, &err))
		fail_err(c, &err);
}

static bool do_dialing(struct conn *c)
{
	struct err err;

	if (!c->stream.is_connected && !c->stream.status && !op_failed(&c->op))
		return false;
	if (op_failed(&c->op))
		return true;
	if (c->stream.status && c->at && c->at->ai_next) {
		op_move(&c->op, ST_REDIALING);
		stream_close(&c->stream);
		return true;
	}
	if (c->stream.status)
		op_fail(&c->op, ERR_UNAVAILABLE, "connect to %.120s: %s",
			c->conf->place.authority, uv_strerror(c->stream.status));
	else if (c->conf->place.is_plain)
		ask(c);
	else if (tls_init(&c->tls, c->conf->tls, c->conf->server_name, &err))
		fail_err(c, &err);
	else
		op_move(&c->op, ST_SHAKING);
	return true;
}

static bool do_redialing(struct conn *c)
{
	if (op_failed(&c->op))
		return true;
	if (c->op.refs)
		return false;
	stream_fini(&c->stream);
	stream_init(&c->stream);
	c->at = c->at->ai_next;
	dial(c, c->at->ai_addr);
	return true;
}

static bool do_shaking(struct conn *c)
{
	bool in_order;

	if (!op_failed(&c->op))
		pump(c);
	if (op_failed(&c->op))
		return true;
	if (c->tls.is_up)
		ask(c);
	else if (has_ended(c, &in_order))
		fail_end(c);
	else
		return false;
	return true;
}

/* The answer is whole. */
static bool do_answered(struct conn *c)
{
	bool in_order;

	c->n_answers++;
	c->job->is_answered = true;
	if (op_failed(&c->op) || !c->http.keeps_alive || c->is_spent || c->job->is_long ||
	    stream_queued(&c->stream) || has_ended(c, &in_order)) {
		op_fail(&c->op, ERR_CANCELLED, "not kept");
		return true;
	}
	http1_fini(&c->http);
	op_move(&c->op, ST_IDLE);
	be_patient(c, CONN_IDLE_MS);
	give_back(c);
	c->idle(c);
	return true;
}

static bool do_busy(struct conn *c)
{
	bool in_order;
	struct err err;

	if (!op_failed(&c->op))
		pump(c);
	if (op_failed(&c->op) && !c->http.is_done)
		return true;
	if (!c->http.is_done && has_ended(c, &in_order)) {
		if (in_order && c->http.is_until_end && http1_finish(&c->http, &err))
			fail_err(c, &err);
		else if (!c->http.is_done)
			fail_end(c);
	}
	if (c->http.is_done)
		return do_answered(c);
	return op_failed(&c->op);
}

static bool do_idle(struct conn *c)
{
	bool in_order;

	if (c->job && !op_failed(&c->op)) {
		ask(c);
		return true;
	}
	if (!op_failed(&c->op))
		pump(c);
	if (!op_failed(&c->op) && has_ended(c, &in_order))
		fail_end(c);
	return op_failed(&c->op);
}

static void do_close(struct conn *c)
{
	struct err ignored;

	if (c->op.state == ST_RESOLVING)
		(void)uv_cancel((uv_req_t *)&c->resolve);
	op_move(&c->op, ST_CLOSING);
	clock_timer_stop(&c->patience);
	if (c->tls.ssl) {
		tls_bye(&c->tls);
		(void)tls_take(&c->tls, &c->stream.out, &ignored);
		stream_flush(&c->stream);
	}
	stream_close(&c->stream);
	give_back(c);
}

static bool do_closing(struct conn *c)
{
	if (c->op.refs)
		return false;
	uv_freeaddrinfo(c->resolve.addrinfo);
	stream_fini(&c->stream);
	tls_fini(&c->tls);
	http1_fini(&c->http);
	op_move(&c->op, ST_DONE);
	return false;
}

static bool advance(struct conn *c)
{
	switch (c->op.state) {
	case ST_START:
		return do_start(c);
	case ST_RESOLVING:
		return do_resolving(c);
	case ST_DIALING:
		return do_dialing(c);
	case ST_REDIALING:
		return do_redialing(c);
	case ST_SHAKING:
		return do_shaking(c);
	case ST_BUSY:
		return do_busy(c);
	case ST_IDLE:
		return do_idle(c);
	case ST_CLOSING:
		return do_closing(c);
	default:
		return false;
	}
}

static void step(struct op *op)
{
	struct conn *c = conn_of(op);

	while (advance(c))
		if (op_failed(op) && op->state < ST_CLOSING)
			do_close(c);
}

static const struct op_type conn_type = {
	.name = "k8s-conn",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = op_wake,
};

void conn_start(struct conn *c, uv_loop_t *loop, const struct k8s_conf *conf,
		struct conn_job *first, void (*done)(struct op *op))
{
	c->conf = conf;
	c->generation = conf->generation;
	c->job = first;
	first->conn = c;
	stream_init(&c->stream);
	op_start(&c->op, &conn_type, loop, done);
}

bool conn_is_idle(const struct conn *c)
{
	return c->op.state == ST_IDLE && !op_failed(&c->op) && !c->job;
}

void conn_ask(struct conn *c, struct conn_job *j)
{
	bug_on(!conn_is_idle(c));
	c->job = j;
	j->conn = c;
	op_wake(&c->op);
}

void conn_drop(struct conn_job *j)
{
	struct conn *c = j->conn;

	/* Within on_body: the connection looks for itself when that returns. */
	if (c->op.stepping)
		return;
	c->job = NULL;
	j->conn = NULL;
	op_cancel(&c->op, ERR_CANCELLED);
	op_unref_wake(j->op);
}
