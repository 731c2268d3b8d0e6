#include "nvme/request.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"

/*   start ──▶ running ──▶ done
 *     └─────(no lock, no command, no memory)──▶ done
 *
 * Failures: the lock is held by a child of an earlier life of this program (ABORTED); the
 * child cannot be run, fails, or passes its deadline; it stays in the kernel (is_stuck).
 */
enum { ST_START, ST_RUNNING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "running", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_RUNNING) | OP_BIT(ST_DONE),
	[ST_RUNNING] = OP_BIT(ST_DONE),
};

/* Op-lifetime, at req->impl. */
struct request {
	struct nvme_req *req;
	struct request_host *host;
	struct proc proc;
	struct command command;
	char key[PROC_MAX_KEY];
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

static int prepare(struct request *q, struct err *err)
{
	struct nvme_req *req = q->req;
	bool is_reader = command_is_reader(req->kind);

	(void)snprintf(q->key, sizeof(q->key), "%s%s%.128s",
		       is_reader ? command_name(req->kind) : "", is_reader ? ":" : "",
		       req->id);
	q->proc = (struct proc){ .argv = q->command.argv,
				 .registry = &q->host->children,
				 .key = q->key,
				 .pass_fd = -1,
				 .timeout_ms = command_timeout_ms(req->kind) };
	if (make_command(q, err))
		return -1;
	return is_reader ? 0
			 : record_lock(&q->host->records, req->id, &q->proc.pass_fd, err);
}

/* impl carries the host until the first step. */
static void do_start(struct nvme_req *req)
{
	struct request_host *host = req->impl;
	struct err err = { .code = ERR_OK };
	struct request *q = op_failed(&req->op) ? NULL : mem_calloc(1, sizeof(*q));

	req->impl = q;
	if (!q) {
		op_fail(&req->op, ERR_EXHAUSTED, "out of memory");
		op_move(&req->op, ST_DONE);
		return;
	}
	q->req = req;
	q->host = host;
	if (prepare(q, &err)) {
		op_fail_err(&req->op, &err);
		release(q);
		op_move(&req->op, ST_DONE);
		return;
	}
	op_ref(&req->op);
	proc_start(&q->proc, on_child);
	op_set_deadline(&q->proc.op, req->op.deadline_ms);
	op_move(&req->op, ST_RUNNING);
}

static const char *text_of(const struct buf *b)
{
	return b->len ? b->data : "";
}

static void do_finish(struct nvme_req *req)
{
	struct request *q = req->impl;
	struct proc *p = &q->proc;
	struct err err = p->op.err;

	if (err.code == ERR_OK && (buf_failed(&p->out) || buf_failed(&p->err_out)))
		(void)err_nomem(&err);
	if (err.code == ERR_OK) {
		struct command_end end = { p->exit_status, p->term_signal,
					   text_of(&p->out), text_of(&p->err_out) };

		(void)command_finish(&q->command, req, &end, &err);
	}
	if (err.code != ERR_OK)
		(void)err_wrap(&err, "%s", command_name(req->kind));
	req->is_stuck = p->is_stuck;
	op_fail_err(&req->op, &err);
	release(q);
	op_move(&req->op, ST_DONE);
}

static void step(struct op *op)
{
	struct nvme_req *req = CONTAINER_OF(op, struct nvme_req, op);

	if (op->state == ST_START)
		do_start(req);
	else if (op->state == ST_RUNNING)
		do_finish(req);
}

static void interrupt(struct op *op)
{
	struct request *q = CONTAINER_OF(op, struct nvme_req, op)->impl;

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
