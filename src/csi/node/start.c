#include "csi/node/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fsio.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "metrics/registry.h"
#include "nvme/nvme.h"

/*   start ─▶ locking ─▶ adopting (a volume after the other) ─▶ done
 *              └─(the records are another process's)────────────▲
 *
 * Failures: another process holds the records for longer than it may take to end; out of
 * memory for the list of volumes (what was read is done). */
enum { ST_START, ST_LOCKING, ST_ADOPTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "locking", "adopting", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LOCKING) | OP_BIT(ST_DONE),
	[ST_LOCKING] = OP_BIT(ST_ADOPTING) | OP_BIT(ST_DONE),
	[ST_ADOPTING] = OP_BIT(ST_DONE),
};

/* PATIENCE_MS: a process that is told to end has main's 10 s. ONE_MS: an idle session is
 * gone within a second; a silent target would hold up everybody else, so the rest of the
 * sessions stays when BUDGET_MS are over: a stage joins them, an unstage removes them. */
enum {
	PATIENCE_MS = 15 * 1000,
	LOCK_AGAIN_MS = 200,
	ONE_MS = 10 * 1000,
	BUDGET_MS = 20 * 1000,
	SHOWN_MAX = 20,
	LIST_MAX = 16384
};

/* No volume id holds this character, so it is no volume's lock. */
#define LOCK_NAME "_plugin.lock"

/* ---- the records are ours ---- */

static void on_again(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct node_start, again)->op);
}

/* 0; 1 = to be tried again; -1 with the op failed. */
static int take_lock(struct node_start *s)
{
	struct err err = { .code = ERR_OK };
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/" LOCK_NAME, s->state_dir);
	if (fsio_lock(path, &s->lock_fd, &err) == 0)
		return 0;
	s->lock_fd = -1;
	if (err.code != ERR_ABORTED) {
		op_fail_err(&s->op, &err);
		return -1;
	}
	if (clock_now_ms(s->op.loop) < s->patience_ms)
		return 1;
	op_fail(&s->op, ERR_PRECONDITION, "another process works with the records in %s",
		s->state_dir);
	return -1;
}

/* ---- lists ---- */

/* One more row for *at, of n rows of that size: NULL for lack of memory. */
static void *add_row(void **at, size_t *n, size_t *cap, size_t size)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		void *p = more > LIST_MAX ? NULL : mem_realloc(*at, more * size);

		if (!p)
			return NULL;
		*at = p;
		*cap = more;
	}
	return (char *)*at + (*n)++ * size;
}

static bool on_record(void *arg, const char *id)
{
	struct node_start *s = arg;
	void *rows = s->ids;
	char *row;

	if (!id_is_volume(id) || kubelet_volumes_have(&s->volumes, id))
		return true;
	row = add_row(&rows, &s->n_ids, &s->cap_ids, sizeof(*s->ids));
	s->ids = rows;
	if (row)
		memcpy(row, id, strlen(id) + 1);
	return row != NULL;
}

static void know(struct node_known *k, const char *nqn)
{
	void *rows = k->at;
	char *row;

	if (!*nqn)
		return;
	row = add_row(&rows, &k->n, &k->cap, sizeof(*k->at));
	k->at = rows;
	if (row)
		memcpy(row, nqn, strlen(nqn) + 1);
}

static bool is_known(const struct node_known *k, const char *nqn)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->at[i], nqn) == 0)
			return true;
	return false;
}

static void read_lists(struct node_start *s)
{
	struct nvme *nvme = s->csi->nvme;
	struct err err = { .code = ERR_OK };

	if (kubelet_volumes_read(&s->volumes, s->kubelet_dir, s->csi->driver_name, &err))
		log_warn("node", "not all directories of the kubelet were read",
			 KS("err", err.msg));
	err.code = ERR_OK;
	if (nvme->ops->records && nvme->ops->records(nvme, on_record, s, &err))
		log_warn("node", "not all stage records were read", KS("err", err.msg));
}

/* ---- one volume after the other ---- */

static void on_adopted(struct op *op)
{
	op_unref_wake(&CONTAINER_OF(op, struct node_start, adopt.op)->op);
}

static void begin_one(struct node_start *s)
{
	struct adopt *a = &s->adopt;
	uint64_t now = clock_now_ms(s->op.loop);
	size_t i = s->at++;

	a->csi = s->csi;
	a->named = i < s->volumes.n ? &s->volumes.at[i] : NULL;
	a->may_detach = now < s->budget_ms;
	a->id = a->named ? a->named->id : s->ids[i - s->volumes.n];
	op_ref(&s->op);
	adopt_start(a, on_adopted);
	op_set_deadline(&a->op, now + ONE_MS);
}

static void count_one(struct node_start *s)
{
	const struct adopt *a = &s->adopt;
	bool has_failed = op_failed(&a->op);

	know(&s->known, a->nqn);
	if (has_failed) {
		s->n_failed++;
		log_warn("node", "left as it is", KS("volume", a->id),
			 KS("err", a->op.err.msg));
		return;
	}
	s->n_adopted += a->outcome == ADOPT_RECORD;
	s->n_detached += a->outcome == ADOPT_DETACH;
	if (a->outcome == ADOPT_DETACH)
		metric_count(METRIC_ORPHANS_CLEANED, 0, 0);
	s->n_forgotten += a->outcome == ADOPT_FORGET;
}

static bool on_session(void *arg, const char *nqn)
{
	struct node_start *s = arg;

	if (!str_starts_with(nqn, s->csi->nqn_prefix) || is_known(&s->known, nqn))
		return true;
	if (s->n_unowned++ < SHOWN_MAX)
		log_warn("node", "a session that no record names is left alone",
			 KS("nqn", nqn));
	return true;
}

static void summarise(struct node_start *s)
{
	struct nvme *nvme = s->csi->nvme;
	struct err err = { .code = ERR_OK };

	if (nvme->ops->sessions && nvme->ops->sessions(nvme, on_session, s, &err))
		log_warn("node", "the sessions could not be read", KS("err", err.msg));
	log_info("node", "looked at what is on this node",
		 KU("directories", s->volumes.n), KU("records", s->known.n),
		 KU("adopted", s->n_adopted), KU("detached", s->n_detached),
		 KU("forgotten", s->n_forgotten), KU("failed", s->n_failed),
		 KU("unowned_sessions", s->n_unowned));
}

/* ---- the op ---- */

static void free_lists(struct node_start *s)
{
	kubelet_volumes_fini(&s->volumes);
	mem_free(s->ids);
	mem_free(s->known.at);
	s->ids = NULL;
	s->known.at = NULL;
	s->n_ids = s->cap_ids = s->known.n = s->known.cap = 0;
}

static void do_start(struct node_start *s)
{
	s->patience_ms = clock_now_ms(s->op.loop) + PATIENCE_MS;
	op_move(&s->op, op_failed(&s->op) ? ST_DONE : ST_LOCKING);
}

/* True when it must wait. */
static bool do_locking(struct node_start *s)
{
	static struct log_rate rate;
	int rc = op_failed(&s->op) ? -1 : take_lock(s);

	if (rc > 0) {
		if (log_may(&rate, clock_now_ms(s->op.loop), PATIENCE_MS))
			log_info("node", "waiting for an earlier process to end",
				 KS("records", s->state_dir),
				 KU("skipped", rate.skipped));
		clock_timer_start(s->op.loop, &s->again, LOCK_AGAIN_MS, on_again);
		return true;
	}
	if (rc == 0) {
		s->budget_ms = clock_now_ms(s->op.loop) + BUDGET_MS;
		read_lists(s);
	}
	op_move(&s->op, rc ? ST_DONE : ST_ADOPTING);
	return false;
}

/* True when it must wait. */
static bool do_adopting(struct node_start *s)
{
	if (s->op.refs)
		return true;
	if (s->at)
		count_one(s);
	if (!op_failed(&s->op) && s->at < s->volumes.n + s->n_ids) {
		begin_one(s);
		return true;
	}
	if (!op_failed(&s->op))
		summarise(s);
	free_lists(s);
	op_move(&s->op, ST_DONE);
	return false;
}

static void step(struct op *op)
{
	struct node_start *s = CONTAINER_OF(op, struct node_start, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			do_start(s);
			break;
		case ST_LOCKING:
			if (do_locking(s))
				return;
			break;
		case ST_ADOPTING:
			if (do_adopting(s))
				return;
			break;
		default:
			return;
		}
	}
}

static void interrupt(struct op *op)
{
	struct node_start *s = CONTAINER_OF(op, struct node_start, op);

	if (op->state == ST_LOCKING)
		clock_timer_start(op->loop, &s->again, 0, on_again);
	else if (op->refs)
		op_cancel(&s->adopt.op, op->err.code);
}

static const struct op_type start_type = {
	.name = "node start",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

void node_start_start(struct node_start *s, void (*done)(struct op *op))
{
	*s = (struct node_start){ .csi = s->csi,
				  .kubelet_dir = s->kubelet_dir,
				  .state_dir = s->state_dir,
				  .lock_fd = -1 };
	op_start(&s->op, &start_type, s->csi->loop, done);
}

void node_start_fini(struct node_start *s)
{
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	s->lock_fd = -1;
}
