#include "csi/controller/annotate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "csi/controller/attachments.h"
#include "csi/controller/watched.h"
#include "csi/csi.h"
#include "csi/ids.h"
#include "k8s/k8s.h"

/* start -> patching -> patching … -> done
 *   patching: fails: that PV's word is dropped, the next one goes on. The op runs while
 *   there is something to write, and is started again by the next word. */
enum { ST_START = OP_START, ST_PATCHING, ST_DONE, ST_N };

enum { BODY_MAX = 1024, DEADLINE_MS = 10 * 1000, LOG_EVERY_MS = 60 * 1000 };

static const char *const names[ST_N] = { "start", "patching", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_PATCHING) | OP_BIT(ST_DONE),
	[ST_PATCHING] = OP_BIT(ST_PATCHING) | OP_BIT(ST_DONE),
};

struct word {
	struct list link;
	const char *pv; /* in text */
	char body[BODY_MAX];
	char text[];
};

struct annotate {
	struct op op;
	struct csi *csi;
	struct list words; /* oldest first; owned */
	unsigned n;
	struct word *under_way; /* owned */
	struct k8s_request req;
	bool is_running; /* op was started and its done() has not come */
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static const struct op_type annotate_type;

struct annotate *annotate_new(struct csi *csi)
{
	struct annotate *a = mem_calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->csi = csi;
	list_init(&a->words);
	return a;
}

static void drop_words(struct annotate *a)
{
	LIST_FOREACH (it, &a->words) {
		list_remove(it);
		mem_free(CONTAINER_OF(it, struct word, link));
	}
	a->n = 0;
}

void annotate_free(struct annotate *a)
{
	if (!a)
		return;
	bug_on(a->is_running);
	drop_words(a);
	mem_free(a);
}

static void on_patched(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct annotate, req)->op);
}

static void settle(struct annotate *a)
{
	static struct log_rate rate;
	const struct err *err = &a->req.op.err;

	if (err->code != ERR_OK && err->code != ERR_NOT_FOUND && !op_failed(&a->op) &&
	    log_may(&rate, clock_now_ms(a->csi->loop), LOG_EVERY_MS))
		log_warn("csi", "a PV's annotations could not be written",
			 KS("pv", a->under_way->pv), KS("error", err->msg),
			 KU("skipped", rate.skipped));
	k8s_object_free(a->req.object);
	a->req.object = NULL;
	mem_free(a->under_way);
	a->under_way = NULL;
}

static void patch(struct annotate *a)
{
	if (op_failed(&a->op) || list_is_empty(&a->words)) {
		op_move(&a->op, ST_DONE);
		return;
	}
	a->under_way = CONTAINER_OF(a->words.next, struct word, link);
	list_remove(&a->under_way->link);
	a->n--;
	a->req = (struct k8s_request){ .verb = K8S_PATCH,
				       .kind = K8S_PV,
				       .name = a->under_way->pv,
				       .body = a->under_way->body };
	op_move(&a->op, ST_PATCHING);
	op_ref(&a->op);
	k8s_request_start(a->csi->k8s, &a->req, on_patched);
	op_set_deadline(&a->req.op, clock_now_ms(a->csi->loop) + DEADLINE_MS);
}

static void step(struct op *op)
{
	struct annotate *a = CONTAINER_OF(op, struct annotate, op);

	if (op->state == ST_PATCHING)
		settle(a);
	patch(a);
}

static void interrupt(struct op *op)
{
	struct annotate *a = CONTAINER_OF(op, struct annotate, op);

	if (op->state == ST_PATCHING)
		op_cancel(&a->req.op, op->err.code);
}

static const struct op_type annotate_type = {
	.name = "annotate",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void run(struct annotate *a);

static void on_done(struct op *op)
{
	struct annotate *a = CONTAINER_OF(op, struct annotate, op);

	a->is_running = false;
	if (a->stopped)
		a->stopped(a->stopped_arg);
	else if (!list_is_empty(&a->words))
		run(a); /* a word that came with the last one's end */
}

static void run(struct annotate *a)
{
	if (a->is_running)
		return;
	a->is_running = true;
	op_start(&a->op, &annotate_type, a->csi->loop, on_done);
}

bool annotate_stop(struct annotate *a, void (*stopped)(void *arg), void *arg)
{
	drop_words(a);
	a->stopped = stopped;
	a->stopped_arg = arg;
	if (a->is_running)
		op_cancel(&a->op, ERR_CANCELLED);
	return a->is_running;
}

/* RFC 3339 with microseconds, as older drivers wrote it. */
static void write_body(struct word *w, const char *driver, const char *node)
{
	struct timespec now = { .tv_sec = 0 };
	struct tm tm = { .tm_year = 0 };
	char at[32] = "";

	if (!node) {
		(void)snprintf(
			w->body, sizeof(w->body),
			"{\"metadata\":{\"annotations\":{\"%s/attached-node\":null,"
			"\"%s/attached-at\":null}}}",
			driver, driver);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(w->body, sizeof(w->body),
		       "{\"metadata\":{\"annotations\":{\"%s/attached-node\":\"%s\","
		       "\"%s/attached-at\":\"%s.%06ldZ\"}}}",
		       driver, node, driver, at, now.tv_nsec / 1000);
}

static struct word *find(struct annotate *a, const char *pv)
{
	LIST_FOREACH (it, &a->words) {
		struct word *w = CONTAINER_OF(it, struct word, link);

		if (strcmp(w->pv, pv) == 0)
			return w;
	}
	return NULL;
}

static struct word *add(struct annotate *a, const char *pv)
{
	size_t n = strlen(pv) + 1;
	struct word *w = a->n < ANNOTATE_MAX ? mem_calloc(1, sizeof(*w) + n) : NULL;

	if (!w)
		return NULL;
	memcpy(w->text, pv, n);
	w->pv = w->text;
	list_append(&a->words, &w->link);
	a->n++;
	return w;
}

void annotate_set(struct annotate *a, const char *id, const char *node)
{
	const struct k8s_pv *pv =
		watched_pv(attachments_watched(a->csi->attachments), id);
	struct word *w;

	if (!pv || a->stopped || (node && !id_is_node(node)))
		return;
	w = find(a, pv->o.name);
	if (!w)
		w = add(a, pv->o.name);
	if (!w)
		return;
	write_body(w, a->csi->driver_name, node);
	run(a);
}
