#include "k8s/client.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "k8s/client_impl.h"

/* start -> running -> closing -> done
 *   running dispatches each time it is woken: a job came, a connection is idle or gone.
 *   Jobs fail alone (no memory for a connection); the client ends only by stop. */
enum { ST_START, ST_RUNNING, ST_CLOSING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "running", "closing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RUNNING) | OP_BIT(ST_DONE),
	[ST_RUNNING] = OP_BIT(ST_CLOSING),
	[ST_CLOSING] = OP_BIT(ST_DONE),
};

struct k8s_client {
	struct op op;
	struct k8s_conf conf;
	char user_agent[128];
	struct list queue, conns;
	unsigned n_queued, n_shared, n_long;
	uint64_t serial; /* of the last job */
	/* Dispatching never happens within the step of a connection or an exchange. */
	uv_idle_t turn;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static struct k8s_client *client_of(struct op *op)
{
	return CONTAINER_OF(op, struct k8s_client, op);
}

static void on_turn(uv_idle_t *turn)
{
	(void)uv_idle_stop(turn);
	op_wake(turn->data);
}

static void kick(struct k8s_client *c)
{
	if (c->op.state == ST_RUNNING)
		(void)uv_idle_start(&c->turn, on_turn);
}

static void on_conn_done(struct op *op)
{
	struct conn *conn = CONTAINER_OF(op, struct conn, op);
	struct k8s_client *c = conn->ctx;

	list_remove(&conn->node);
	if (conn->is_own)
		c->n_long--;
	else
		c->n_shared--;
	mem_free(conn);
	op_unref_wake(&c->op);
}

static void on_conn_idle(struct conn *conn)
{
	kick(conn->ctx);
}

static void take_off(struct k8s_client *c, struct conn_job *j)
{
	list_remove(&j->node);
	c->n_queued--;
}

static void open_conn(struct k8s_client *c, struct conn_job *j)
{
	struct conn *conn = mem_calloc(1, sizeof(*conn));

	take_off(c, j);
	if (!conn) {
		(void)err_nomem(&j->err);
		op_unref_wake(j->op);
		return;
	}
	conn->ctx = c;
	conn->idle = on_conn_idle;
	conn->is_own = j->is_long;
	if (j->is_long)
		c->n_long++;
	else
		c->n_shared++;
	list_append(&c->conns, &conn->node);
	op_ref(&c->op);
	conn_start(conn, c->op.loop, &c->conf, j, on_conn_done);
}

/* The one idle for the shortest time, so that those in excess grow old. */
static struct conn *find_idle(struct k8s_client *c)
{
	struct conn *best = NULL;

	LIST_FOREACH (it, &c->conns) {
		struct conn *conn = CONTAINER_OF(it, struct conn, node);

		if (!conn_is_idle(conn))
			continue;
		if (!best || conn->patience.due_ms > best->patience.due_ms)
			best = conn;
	}
	return best;
}

/* Whether the job has found its connection. */
static bool place_job(struct k8s_client *c, struct conn_job *j)
{
	struct conn *idle = j->is_long ? NULL : find_idle(c);

	if (idle && !j->wants_fresh) {
		take_off(c, j);
		conn_ask(idle, j);
		return true;
	}
	if (j->is_long ? c->n_long < CLIENT_LONG_MAX : c->n_shared < CLIENT_SHARED_MAX) {
		open_conn(c, j);
		return true;
	}
	if (idle) /* it makes room for a fresh one */
		op_cancel(&idle->op, ERR_CANCELLED);
	return false;
}

/* Those made with another trust serve no more. */
static void close_old(struct k8s_client *c)
{
	LIST_FOREACH (it, &c->conns) {
		struct conn *conn = CONTAINER_OF(it, struct conn, node);

		if (conn_is_idle(conn) && conn->generation != c->conf.generation)
			op_cancel(&conn->op, ERR_CANCELLED);
	}
}

static void dispatch(struct k8s_client *c)
{
	bool is_full = false; /* of the ordinary ones: nobody overtakes */

	close_old(c);
	LIST_FOREACH (it, &c->queue) {
		struct conn_job *j = CONTAINER_OF(it, struct conn_job, node);

		if (j->is_long)
			(void)place_job(c, j);
		else if (!is_full)
			is_full = !place_job(c, j);
	}
}

static void do_close(struct k8s_client *c)
{
	op_move(&c->op, ST_CLOSING);
	bug_on(!list_is_empty(&c->queue));
	LIST_FOREACH (it, &c->conns)
		op_cancel(&CONTAINER_OF(it, struct conn, node)->op, ERR_CANCELLED);
	op_close_handle(&c->op, (uv_handle_t *)&c->turn);
}

static void step(struct op *op)
{
	struct k8s_client *c = client_of(op);

	switch (op->state) {
	case ST_START:
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		(void)uv_idle_init(op->loop, &c->turn);
		c->turn.data = op;
		op_ref(op);
		op_move(op, ST_RUNNING);
		dispatch(c);
		return;
	case ST_RUNNING:
		if (op_failed(op))
			do_close(c);
		else
			dispatch(c);
		return;
	case ST_CLOSING:
		if (!op->refs)
			op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static const struct op_type client_type = {
	.name = "k8s-client",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = op_wake,
};

static void free_client(struct k8s_client *c)
{
	k8s_conf_fini(&c->conf);
	mem_free(c);
}

static void on_done(struct op *op)
{
	struct k8s_client *c = client_of(op);
	void (*stopped)(void *arg) = c->stopped;
	void *arg = c->stopped_arg;

	free_client(c);
	stopped(arg);
}

struct k8s_client *k8s_client_new(uv_loop_t *loop, const struct k8s_client_conf *conf,
				  struct err *err)
{
	struct k8s_client *c = mem_calloc(1, sizeof(*c));

	if (!c) {
		(void)err_nomem(err);
		return NULL;
	}
	if (k8s_conf_open(&c->conf, conf, clock_now_ms(loop), err)) {
		(void)err_wrap(err, "Kubernetes");
		free_client(c);
		return NULL;
	}
	(void)snprintf(c->user_agent, sizeof(c->user_agent), "%s",
		       conf->user_agent ? conf->user_agent : "rds-csi");
	list_init(&c->queue);
	list_init(&c->conns);
	op_start(&c->op, &client_type, loop, on_done);
	return c;
}

void k8s_client_distrust_token(struct k8s_client *c)
{
	c->conf.is_distrusted = true;
}

const char *k8s_client_namespace(const struct k8s_client *c)
{
	return c->conf.ns;
}

void k8s_client_stop(struct k8s_client *c, void (*stopped)(void *arg), void *arg)
{
	c->stopped = stopped;
	c->stopped_arg = arg;
	op_cancel(&c->op, ERR_CANCELLED);
}

uv_loop_t *client_loop(const struct k8s_client *c)
{
	return c->op.loop;
}

const char *client_prefix(const struct k8s_client *c)
{
	return c->conf.place.prefix;
}

size_t client_prepare(struct k8s_client *c)
{
	k8s_conf_refresh(&c->conf, clock_now_ms(c->op.loop));
	return 128 + strlen(c->conf.place.authority) + strlen(c->user_agent) +
	       c->conf.token.text.len;
}

int client_write_head(const struct k8s_client *c, struct buf *head)
{
	(void)buf_printf(head,
			 "Host: %s\r\nUser-Agent: %s\r\nAccept: application/json\r\n",
			 c->conf.place.authority, c->user_agent);
	return k8s_conf_authorize(&c->conf, head);
}

uint64_t client_serial(struct k8s_client *c)
{
	return ++c->serial;
}

static void put_in_order(struct list *queue, struct conn_job *j)
{
	struct list *pos = queue;

	while (pos->prev != queue &&
	       CONTAINER_OF(pos->prev, struct conn_job, node)->serial > j->serial)
		pos = pos->prev;
	list_insert(pos, &j->node);
}

int client_ask(struct k8s_client *c, struct conn_job *j, struct err *err)
{
	if (op_failed(&c->op))
		return err_set(err, ERR_UNAVAILABLE, "the API client is being closed");
	if (c->n_queued >= CLIENT_QUEUE_MAX)
		return err_set(err, ERR_EXHAUSTED, "too many API requests wait");
	put_in_order(&c->queue, j);
	c->n_queued++;
	op_ref(j->op);
	kick(c);
	return 0;
}

void client_cancel(struct k8s_client *c, struct conn_job *j)
{
	if (list_is_linked(&j->node)) {
		take_off(c, j);
		op_unref_wake(j->op);
	} else if (j->conn) {
		conn_drop(j);
	}
}
