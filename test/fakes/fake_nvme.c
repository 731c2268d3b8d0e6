#include "fakes/fake_nvme_look.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum { ST_START, ST_WAITING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "waiting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
	[ST_WAITING] = OP_BIT(ST_DONE),
};

struct request {
	struct nvme_req *req;
	struct fake_nvme *fake;
	struct clock_timer timer;
};

unsigned fake_nvme_mounts_at(const struct fake_nvme *f, const char *path)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_mounts; i++)
		n += strcmp(f->mounts[i].path, path) == 0;
	return n;
}

static unsigned n_live_mounts(const struct fake_nvme *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_mounts; i++)
		n += !f->mounts[i].is_dead;
	return n;
}

void fake_nvme_lose(struct fake_nvme *f, enum nvme_state state)
{
	for (unsigned i = 0; i < f->n_mounts; i++)
		f->mounts[i].is_dead = true;
	f->state = state;
	f->is_attached = state != NVME_ABSENT;
}

/* What the kernel makes of it: a child that nothing but a cut frees. */
static void check_answers(const struct fake_nvme *f)
{
	cr_assert(f->state != NVME_RECOVERING, "this would hang");
}

/* Writes back what is left, unless another mount keeps the file system. */
static bool is_last_of_fs(const struct fake_nvme *f, const char *path)
{
	unsigned n_here = 0, n_elsewhere = 0;

	for (unsigned i = 0; i < f->n_mounts; i++) {
		const struct fake_mount *m = &f->mounts[i];

		if (m->is_dead || m->is_node)
			continue;
		if (strcmp(m->path, path) == 0)
			n_here++;
		else
			n_elsewhere++;
	}
	return n_here && !n_elsewhere;
}

static void add_mount(struct fake_nvme *f, const struct nvme_req *req, bool is_node)
{
	struct fake_mount *m = &f->mounts[f->n_mounts];

	cr_assert_lt(f->n_mounts, FAKE_MAX_MOUNTS);
	cr_assert_eq(fake_nvme_mounts_at(f, req->path), 0, "a mount on a mount");
	snprintf(m->path, sizeof(m->path), "%s", req->path);
	m->is_readonly = req->readonly;
	m->is_node = is_node;
	m->is_dead = false;
	f->n_mounts++;
}

static void remove_mounts(struct fake_nvme *f, const char *path)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_mounts; i++)
		if (strcmp(f->mounts[i].path, path) != 0)
			f->mounts[n++] = f->mounts[i];
	f->n_mounts = n;
}

static void do_format(struct fake_nvme *f, const struct nvme_req *req)
{
	cr_assert_eq(f->content.kind, NVME_BLANK, "format of what is not blank");
	cr_assert(f->has_record && f->record.stage == NVME_FORMATTING,
		  "format without a record of it");
	f->content.kind = NVME_FS;
	snprintf(f->content.fs_type, sizeof(f->content.fs_type), "%s", req->fs_type);
	snprintf(f->content.fs_uuid, sizeof(f->content.fs_uuid), "%s", req->fs_uuid);
	f->content.fs_size_bytes = f->size_bytes;
}

static void do_attach(struct fake_nvme *f, struct nvme_req *req)
{
	cr_assert(f->has_record, "attach without a record of it");
	cr_assert_eq(f->n_others, 0, "attach beside older sessions");
	if (f->has_sessions) {
		cr_assert(req->target && req->target->address && req->target->port,
			  "attach to nowhere");
		snprintf(f->session, sizeof(f->session), "%s", req->nqn);
		f->state = NVME_LIVE;
	}
	f->is_attached = true;
	snprintf(req->ns_id, sizeof(req->ns_id), "%s", f->ns_id);
	snprintf(req->source_now, sizeof(req->source_now), "%s",
		 f->is_quick ? FAKE_SOURCE_NOW : "");
	fake_nvme_fill_device(f, &req->device);
}

static void end_session(struct fake_nvme *f)
{
	f->is_attached = false;
	f->state = NVME_ABSENT;
	f->session[0] = '\0';
}

static void do_ask(struct fake_nvme *f, struct nvme_req *req)
{
	if (f->is_silent)
		op_fail(&req->op, ERR_UNAVAILABLE, "no answer");
	req->is_refused = f->is_refused;
	if (f->is_back)
		f->state = NVME_LIVE;
}

static void do_unmount(struct fake_nvme *f, struct nvme_req *req)
{
	if (f->stuck[0] || (f->is_busy && req->is_target && n_live_mounts(f))) {
		op_fail(&req->op, ERR_ABORTED, f->stuck[0] ? "locked" : "busy");
		return;
	}
	if (is_last_of_fs(f, req->path))
		check_answers(f);
	remove_mounts(f, req->path);
}

static bool is_replaced(const struct fake_nvme *f, const struct nvme_req *req)
{
	return req->fs_uuid && req->fs_uuid[0] &&
	       strcmp(req->fs_uuid, f->content.fs_uuid) != 0;
}

static void take_effect(struct fake_nvme *f, struct nvme_req *req)
{
	switch (req->kind) {
	case NVME_ATTACH:
		if (!f->exported[0] || strcmp(f->exported, req->nqn) != 0) {
			op_fail(&req->op, ERR_PRECONDITION, "not exported");
			return;
		}
		do_attach(f, req);
		return;
	case NVME_RESCAN:
		if (is_replaced(f, req))
			op_fail(&req->op, ERR_PRECONDITION, "another file system");
		else
			fake_nvme_fill_device(f, &req->device);
		return;
	case NVME_DETACH:
		cr_assert_eq(n_live_mounts(f), 0, "detach under a mount");
		check_answers(f);
		end_session(f);
		return;
	case NVME_CUT:
		if (!f->has_sessions)
			return;
		cr_assert(f->is_attached, "cut of nothing");
		fake_nvme_lose(f, NVME_ABSENT);
		end_session(f);
		f->stuck = "";
		return;
	case NVME_CUT_OTHERS:
		f->n_others = 0;
		return;
	case NVME_ASK:
		do_ask(f, req);
		return;
	case NVME_SYNC:
		check_answers(f);
		if (is_replaced(f, req))
			snprintf(req->other, sizeof(req->other), "%s",
				 f->content.fs_uuid);
		return;
	case NVME_PROVE:
		check_answers(f);
		return;
	case NVME_PROBE:
		req->content = f->content;
		return;
	case NVME_WIPE:
		cr_assert_eq(f->record.stage, NVME_FORMATTING,
			     "wipe of what is not ours");
		f->content = (struct nvme_content){ .kind = NVME_BLANK };
		return;
	case NVME_FORMAT:
		do_format(f, req);
		return;
	case NVME_CHECK:
		cr_assert_eq(f->n_mounts, 0, "check under a mount");
		f->content.is_dirty = false;
		return;
	case NVME_MOUNT:
		cr_assert(f->is_attached && f->content.kind == NVME_FS);
		add_mount(f, req, false);
		return;
	case NVME_BIND:
		add_mount(f, req, !req->from);
		return;
	case NVME_UNMOUNT:
		do_unmount(f, req);
		return;
	case NVME_GROW:
		f->content.fs_size_bytes = f->size_bytes;
		return;
	case NVME_STATS:
		req->stats = (struct nvme_stats){ .total_bytes = f->size_bytes };
		return;
	default:
		return;
	}
}

static void on_timer(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct request, timer)->req->op);
}

static void do_wait(struct nvme_req *req)
{
	struct fake_nvme *f = req->impl;
	struct request *q = op_failed(&req->op) ? NULL : mem_calloc(1, sizeof(*q));

	req->impl = q;
	if (!q) {
		op_fail(&req->op, ERR_EXHAUSTED, "out of memory");
		op_move(&req->op, ST_DONE);
		return;
	}
	q->req = req;
	q->fake = f;
	clock_timer_start(req->op.loop, &q->timer, 0, on_timer);
	op_move(&req->op, ST_WAITING);
}

static void do_end(struct nvme_req *req)
{
	struct request *q = req->impl;
	struct fake_nvme *f = q->fake;
	bool fails = f->fail_at == 0;

	clock_timer_stop(&q->timer);
	if (f->fail_at >= 0)
		f->fail_at--;
	/* A child that is cut off may have done its work all the same. */
	if ((!fails && !op_failed(&req->op)) || f->fails_after)
		take_effect(f, req);
	if (fails)
		op_fail(&req->op, f->fail_code, "as told");
	mem_free(q);
	req->impl = NULL;
	op_move(&req->op, ST_DONE);
}

static void step(struct op *op)
{
	struct nvme_req *req = CONTAINER_OF(op, struct nvme_req, op);

	if (op->state == ST_START)
		do_wait(req);
	else if (op->state == ST_WAITING)
		do_end(req);
}

static void interrupt(struct op *op)
{
	struct request *q = CONTAINER_OF(op, struct nvme_req, op)->impl;

	clock_timer_start(op->loop, &q->timer, 0, on_timer);
}

static const struct op_type type = { .name = "fake request",
				     .states = names,
				     .next = next,
				     .n_states = ST_N,
				     .step = step,
				     .interrupt = interrupt };

static void start(struct nvme *nvme, struct nvme_req *req, void (*done)(struct op *op))
{
	struct fake_nvme *f = fake_nvme_of(nvme);

	f->n_requests[req->kind]++;
	f->n_all++;
	req->impl = f;
	op_start(&req->op, &type, f->loop, done);
}

static int record_read(struct nvme *nvme, const char *id, struct nvme_record *ret,
		       struct err *err)
{
	struct fake_nvme *f = fake_nvme_of(nvme);

	(void)id;
	if (!f->has_record)
		return err_set(err, ERR_NOT_FOUND, "none");
	*ret = f->record;
	return 0;
}

static int record_write(struct nvme *nvme, const char *id, const struct nvme_record *rec,
			struct err *err)
{
	struct fake_nvme *f = fake_nvme_of(nvme);

	(void)id;
	if (f->fail_write_at >= 0 && f->fail_write_at-- == 0)
		return err_set(err, ERR_UNAVAILABLE, "write as told");
	cr_assert(!rec->may_be_lost ||
			  (rec->stage != NVME_FORMATTING &&
			   !(f->has_record && f->record.stage == NVME_FORMATTING)),
		  "a power cut could bring back that it was being formatted");
	f->n_may_be_lost += rec->may_be_lost;
	f->record = *rec;
	f->record.may_be_lost = false;
	f->record.is_this_boot = true;
	f->has_record = true;
	return 0;
}

static int record_forget(struct nvme *nvme, const char *id, struct err *err)
{
	struct fake_nvme *f = fake_nvme_of(nvme);

	(void)id;
	(void)err;
	cr_assert(!f->is_attached || f->is_joined, "a record forgotten under its device");
	f->has_record = false;
	return 0;
}

static int check_options(const char *const *options, struct err *err)
{
	for (; options && *options; options++)
		if (strcmp(*options, "bind") == 0)
			return err_set(err, ERR_INVALID, "mount option bind is refused");
	return 0;
}

static bool online(const char *fs_type)
{
	(void)fs_type;
	return true;
}

static bool offline(const char *fs_type)
{
	(void)fs_type;
	return false;
}

static unsigned n_stuck(struct nvme *nvme)
{
	(void)nvme;
	return 0;
}

static const char *stuck(struct nvme *nvme, const char *id)
{
	(void)id;
	return fake_nvme_of(nvme)->stuck;
}

#define OPS(grow)                                                                       \
	{                                                                               \
		.start = start, .look = fake_nvme_look, .record_read = record_read,     \
		.record_write = record_write, .record_forget = record_forget,           \
		.check_options = check_options, .may_grow_online = grow,                \
		.n_stuck = n_stuck, .stuck = stuck, .is_mounted = fake_nvme_is_mounted, \
	}

static const struct nvme_ops online_ops = OPS(online), offline_ops = OPS(offline);

void fake_nvme_init(struct fake_nvme *f, uv_loop_t *loop, const char *nqn,
		    uint64_t size_bytes)
{
	bool is_offline = f->is_offline_only;

	*f = (struct fake_nvme){ .loop = loop,
				 .size_bytes = size_bytes,
				 .fail_at = -1,
				 .fail_write_at = -1,
				 .fail_look_at = -1,
				 .fail_code = ERR_PRECONDITION,
				 .is_offline_only = is_offline,
				 .stuck = "" };
	f->nvme.ops = is_offline ? &offline_ops : &online_ops;
	snprintf(f->exported, sizeof(f->exported), "%s", nqn);
}
