#include "nvme/request.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/audit.h"
#include "core/log.h"
#include "core/mem.h"
#include "metrics/registry.h"
#include "nvme/helper.h"
#include "nvme/reply.h"

/*   start ──▶ running ──▶ done
 *     │ ▲         ▲ └──────▶ wakes the first that is queued
 *     │ └─ queued ┘ (an attach whose turn has not come)
 *     └─────(cancelled, no lock, no command, no memory)──▶ done
 *
 * Failures: the lock is held by a child of an earlier life of this program (ABORTED); the
 * child cannot be run, fails, or passes its deadline; it stays in the kernel (is_stuck);
 * the deadline passes before the turn comes.
 */
enum { ST_START, ST_QUEUED, ST_RUNNING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "queued", "running", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_QUEUED) | OP_BIT(ST_RUNNING) | OP_BIT(ST_DONE),
	[ST_QUEUED] = OP_BIT(ST_RUNNING) | OP_BIT(ST_DONE),
	[ST_RUNNING] = OP_BIT(ST_DONE),
};

/* Op-lifetime, at req->impl. */
struct request {
	struct nvme_req *req;
	struct request_host *host;
	struct list node; /* in the host's queue while it waits */
	struct proc proc;
	struct command command;
	char key[PROC_MAX_KEY];
	uint64_t started_us;
};

static void on_child(struct op *op)
{
	struct request *q = CONTAINER_OF(op, struct request, proc.op);

	op_unref_wake(&q->req->op);
}

static int make_command(struct request *q, struct err *err)
{
	switch (q->req->kind) {
	case NVME_ATTACH:
	case NVME_RESCAN:
	case NVME_CUT:
	case NVME_CUT_OTHERS:
	case NVME_ASK:
	case NVME_DETACH:
		return q->host->command(q->host, q->req, &q->command, err);
	default:
		return command_make(&q->command, q->req, q->host->helper, err);
	}
}

static void release(struct request *q)
{
	if (q->proc.pass_fd >= 0)
		(void)close(q->proc.pass_fd);
	proc_fini(&q->proc);
	command_fini(&q->command);
	q->req->impl = NULL;
	mem_free(q);
}

/* Its key is the id, or for what runs beside others "kind:id". */
static const char *key_of(enum nvme_kind kind, const char *id, char out[PROC_MAX_KEY])
{
	bool is_reader = command_is_reader(kind);

	(void)snprintf(out, PROC_MAX_KEY, "%s%s%.128s",
		       is_reader ? command_name(kind) : "", is_reader ? ":" : "", id);
	return out;
}

/* What is mounted keeps its device as it is. */
static int check_device(const struct request *q, struct err *err)
{
	switch (q->req->kind) {
	case NVME_RESCAN:
	case NVME_PROVE:
	case NVME_PROBE:
	case NVME_WIPE:
	case NVME_FORMAT:
	case NVME_CHECK:
	case NVME_MOUNT:
	case NVME_GROW:
		break;
	case NVME_BIND:
		if (!q->req->from)
			break;
		return 0;
	default:
		return 0;
	}
	return q->host->check_device ? q->host->check_device(q->host, q->req, err) : 0;
}

static int prepare(struct request *q, struct err *err)
{
	struct nvme_req *req = q->req;
	bool is_reader = command_is_reader(req->kind);

	q->proc = (struct proc){ .argv = q->command.argv,
				 .registry = &q->host->children,
				 .key = key_of(req->kind, req->id, q->key),
				 .what = command_name(req->kind),
				 .pass_fd = -1,
				 .timeout_ms = command_timeout_ms(req->kind) };
	if (make_command(q, err) || check_device(q, err))
		return -1;
	if (q->host->is_self && q->command.is_helper)
		q->proc.entry = helper_answer;
	return is_reader ? 0
			 : record_lock(&q->host->records, req->id, &q->proc.pass_fd, err);
}

/* ---- whose turn it is ---- */

static bool is_limited(const struct request *q)
{
	return q->req->kind == NVME_ATTACH && q->host->max_attaches;
}

static bool is_full(const struct request_host *host)
{
	return host->n_attaches >= host->max_attaches;
}

/* A turn has become free: the first that waits is woken, and takes it. */
static void call_next(struct request_host *host)
{
	if (is_full(host) || list_is_empty(&host->queue))
		return;
	op_wake(&CONTAINER_OF(host->queue.next, struct request, node)->req->op);
}

/* ---- the states ---- */

static void end_early(struct request *q, const struct err *err)
{
	struct nvme_req *req = q->req;

	op_fail_err(&req->op, err);
	release(q);
	op_move(&req->op, ST_DONE);
}

static void do_run(struct request *q)
{
	struct nvme_req *req = q->req;
	struct err err = { .code = ERR_OK };

	if (prepare(q, &err)) {
		struct request_host *host = q->host;

		end_early(q, &err);
		call_next(host);
		return;
	}
	q->host->n_attaches += is_limited(q);
	q->started_us = uv_hrtime() / 1000;
	op_ref(&req->op);
	proc_start(&q->proc, on_child);
	op_set_deadline(&q->proc.op, req->op.deadline_ms);
	op_move(&req->op, ST_RUNNING);
	call_next(q->host);
}

/* impl carries the host until the first step. */
static void do_start(struct nvme_req *req)
{
	struct request_host *host = req->impl;
	struct request *q = op_failed(&req->op) ? NULL : mem_calloc(1, sizeof(*q));

	req->impl = q;
	if (!q) {
		op_fail(&req->op, ERR_EXHAUSTED, "out of memory");
		op_move(&req->op, ST_DONE);
		return;
	}
	q->req = req;
	q->host = host;
	q->proc.pass_fd = -1;
	if (!is_limited(q) || (!is_full(host) && list_is_empty(&host->queue))) {
		do_run(q);
		return;
	}
	list_append(&host->queue, &q->node);
	op_move(&req->op, ST_QUEUED);
}

static void do_queued(struct nvme_req *req)
{
	struct request *q = req->impl;
	struct request_host *host = q->host;
	bool is_first = host->queue.next == &q->node;

	if (op_failed(&req->op)) {
		list_remove(&q->node);
		end_early(q, &req->op.err);
		call_next(host);
	} else if (is_first && !is_full(host)) {
		list_remove(&q->node);
		do_run(q);
	}
}

static const char *text_of(const struct buf *b)
{
	return b->len ? b->data : "";
}

/* What a detach could not write back is gone whatever comes. */
static void tell_lost(const struct nvme_req *req, const char *line)
{
	char lost[128];

	if (req->kind == NVME_DETACH &&
	    reply_get_str(line, "lost", lost, sizeof(lost)) == 0)
		log_error("node", "writes did not reach the target before the detach",
			  KS("event", "DataLost"), KS("volume", req->id),
			  KS("error", lost));
}

static void audit(const struct nvme_req *req, const struct err *err)
{
	const char *nqn = req->nqn ? req->nqn : "";

	if (req->kind == NVME_ATTACH && err->code == ERR_OK)
		log_audit(AUDIT_NVME_CONNECTED, "node", "connected to a volume",
			  KS("volume", req->id), KS("nqn", nqn));
	else if (req->kind == NVME_ATTACH)
		log_audit(AUDIT_NVME_FAILED, "node", "no connection to a volume",
			  KS("volume", req->id), KS("nqn", nqn), KS("error", err->msg));
	else if (req->kind == NVME_DETACH && err->code == ERR_OK)
		log_audit(AUDIT_NVME_DISCONNECTED, "node", "disconnected from a volume",
			  KS("volume", req->id), KS("nqn", nqn));
}

static void count(const struct request *q, const struct err *err)
{
	audit(q->req, err);
	enum metric_status status = err->code == ERR_OK ? METRIC_SUCCESS : METRIC_FAILURE;

	switch (q->req->kind) {
	case NVME_ATTACH:
		metric_count(METRIC_CONNECTS, status, 0);
		if (status == METRIC_SUCCESS)
			metric_observe(METRIC_CONNECT_SECONDS, 0,
				       uv_hrtime() / 1000 - q->started_us);
		return;
	case NVME_MOUNT:
	case NVME_BIND:
		metric_count(METRIC_MOUNTS, METRIC_MOUNT, status);
		return;
	case NVME_UNMOUNT:
		metric_count(METRIC_MOUNTS, METRIC_UNMOUNT, status);
		return;
	default:
		return;
	}
}

static void do_finish(struct nvme_req *req)
{
	struct request *q = req->impl;
	struct request_host *host = q->host;
	struct proc *p = &q->proc;
	struct err err = p->op.err;

	if (err.code == ERR_OK && (buf_failed(&p->out) || buf_failed(&p->err_out)))
		(void)err_nomem(&err);
	if (err.code == ERR_OK) {
		struct command_end end = { p->exit_status, p->term_signal,
					   text_of(&p->out), text_of(&p->err_out) };

		(void)command_finish(&q->command, req, &end, &err);
	}
	count(q, &err);
	if (err.code != ERR_OK)
		(void)err_wrap(&err, "%s", command_name(req->kind));
	else
		tell_lost(req, text_of(&p->out));
	req->is_stuck = p->is_stuck;
	host->n_attaches -= is_limited(q);
	op_fail_err(&req->op, &err);
	release(q);
	op_move(&req->op, ST_DONE);
	call_next(host);
}

static void step(struct op *op)
{
	struct nvme_req *req = CONTAINER_OF(op, struct nvme_req, op);

	if (op->state == ST_START)
		do_start(req);
	else if (op->state == ST_QUEUED)
		do_queued(req);
	else if (op->state == ST_RUNNING)
		do_finish(req);
}

static void interrupt(struct op *op)
{
	struct request *q = CONTAINER_OF(op, struct nvme_req, op)->impl;

	if (op->state == ST_QUEUED)
		op_wake(op);
	else
		op_cancel(&q->proc.op, op->err.code);
}

static const struct op_type request_type = {
	.name = "node request",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

int request_host_init(struct request_host *host, uv_loop_t *loop, const char *state_dir,
		      struct err *err)
{
	proc_registry_init(&host->children, loop);
	list_init(&host->queue);
	if (host->is_self)
		proc_registry_prepare(&host->children, helper_answer);
	return record_open(&host->records, state_dir, err);
}

const char *request_stuck(struct request_host *host, const char *id)
{
	char key[PROC_MAX_KEY];
	const char *what = NULL;

	if (!host->children.n_stuck)
		return "";
	for (int kind = 0; !what && kind < NVME_N_KINDS; kind++)
		what = proc_registry_stuck(&host->children,
					   key_of((enum nvme_kind)kind, id, key));
	return what ? what : "";
}

void request_start(struct request_host *host, struct nvme_req *req,
		   void (*done)(struct op *op))
{
	req->impl = host;
	req->is_stuck = false;
	op_start(&req->op, &request_type, host->children.loop, done);
}

bool request_may_grow_online(const char *fs_type)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (!fs_needs_resource_cap(fs_type))
		return true;
	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &
		CAP_TO_MASK(CAP_SYS_RESOURCE));
}
