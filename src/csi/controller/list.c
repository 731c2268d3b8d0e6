#include "csi/controller/list.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "csi.pb-c.h"
#include "csi/controller/attachments.h"
#include "csi/controller/message.h"
#include "csi/controller/migrations.h"
#include "csi/controller/query.h"
#include "csi/ids.h"

/* start -> listing -> done. Fails: nothing was changed. */
enum { ST_START = OP_START, ST_LISTING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "listing", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_LISTING) | OP_BIT(ST_DONE),
	[ST_LISTING] = OP_BIT(ST_DONE),
};

enum {
	MAX_ROWS_BYTES = 32 * 1024 * 1024,
	MAX_PAGE_BYTES = 3 * 1024 * 1024,
	MAX_PAGE_ENTRIES = 10000,
};

/* A volume id bears no colon, so that one cannot be mistaken for a token. */
#define TOKEN "after:"

typedef Csi__V1__ListVolumesRequest request;
typedef Csi__V1__ListVolumesResponse response;
typedef Csi__V1__ListVolumesResponse__Entry entry;

static const request *req_of(const struct rpc *rpc)
{
	return (const request *)rpc->req;
}

/* ABORTED: the caller is to start over without a token (spec.md, ListVolumes errors). */
int ctl_list_check(const struct rpc *rpc, struct err *err)
{
	const request *req = req_of(rpc);

	if (req->max_entries < 0)
		return err_set(err, ERR_INVALID, "max_entries is negative");
	if (req->starting_token[0] &&
	    (!str_starts_with(req->starting_token, TOKEN) ||
	     !id_is_volume(req->starting_token + strlen(TOKEN))))
		return err_set(err, ERR_ABORTED, "starting_token is none of ours");
	return 0;
}

/* One row, packed: the id first, that it may be sorted by; then size and holders. */
static void on_row(struct rds_req *req, const struct rds_volume *row)
{
	struct box *box = CONTAINER_OF(req, struct box, req);
	struct ctl_list *l = CONTAINER_OF(box, struct ctl_list, box);
	const char *nodes[RDS_MAX_HOLDERS];
	uint8_t n = (uint8_t)query_nodes(&row->record, nodes);

	if (strcmp(row->id, l->after) <= 0)
		return;
	(void)buf_append(&l->rows, row->id, strlen(row->id) + 1);
	(void)buf_append(&l->rows, &row->size_bytes, sizeof(row->size_bytes));
	(void)buf_append(&l->rows, &n, 1);
	for (unsigned i = 0; i < n; i++)
		(void)buf_append(&l->rows, nodes[i], strlen(nodes[i]) + 1);
	l->n_rows++;
}

static const char *skip(const char *row)
{
	const char *s = row + strlen(row) + 1 + sizeof(uint64_t);
	unsigned n = (unsigned char)*s++;

	for (; n; n--)
		s += strlen(s) + 1;
	return s;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_rows(struct ctl_list *l)
{
	const char *s = l->rows.data;
	size_t kept = 0;

	if (buf_failed(&l->rows))
		return -1;
	if (l->n_rows == 0)
		return 0;
	l->sorted = mem_alloc(l->n_rows * sizeof(*l->sorted));
	if (!l->sorted)
		return -1;
	for (size_t i = 0; i < l->n_rows; i++) {
		l->sorted[i] = s;
		s = skip(s);
	}
	qsort(l->sorted, l->n_rows, sizeof(*l->sorted), by_id);
	/* A long list comes in several reads, between which a disk may move. */
	for (size_t i = 1, n = l->n_rows; i < n; i++)
		if (strcmp(l->sorted[i], l->sorted[kept]) == 0)
			l->n_rows--;
		else
			l->sorted[++kept] = l->sorted[i];
	return 0;
}

static int fill_holders(struct ctl_list *l, const char *s,
			Csi__V1__ListVolumesResponse__VolumeStatus *status)
{
	struct arena *a = &l->rpc.arena;
	unsigned n = (unsigned char)*s++;

	if (n == 0)
		return 0;
	status->published_node_ids =
		arena_alloc(a, n * sizeof(*status->published_node_ids));
	if (!status->published_node_ids)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		status->published_node_ids[i] = arena_strdup(
			a, attachments_node_name(l->rpc.csi->attachments, s));
		if (!status->published_node_ids[i])
			return -1;
		s += strlen(s) + 1;
	}
	status->n_published_node_ids = n;
	return 0;
}

/* One message serves all that are well. */
static int fill_condition(struct ctl_list *l, const char *id,
			  Csi__V1__ListVolumesResponse__VolumeStatus *status)
{
	const struct migrations *m = attachments_migrations(l->rpc.csi->attachments);
	bool is_late = m && migrations_is_late(m, id);

	if (!l->well)
		l->well = query_condition(&l->rpc, NULL);
	status->volume_condition = is_late ? query_condition(&l->rpc, id) : l->well;
	return status->volume_condition ? 0 : -1;
}

/* Always with a status: an entry without one reads as "detached" to the attacher. */
static entry *make_entry(struct ctl_list *l, const char *row)
{
	struct arena *a = &l->rpc.arena;
	entry *e = message_new(a, &csi__v1__list_volumes_response__entry__descriptor);
	const char *s = row + strlen(row) + 1;
	uint64_t size;

	memcpy(&size, s, sizeof(size));
	s += sizeof(size);
	if (!e)
		return NULL;
	e->volume = message_new(a, &csi__v1__volume__descriptor);
	e->status = message_new(
		a, &csi__v1__list_volumes_response__volume_status__descriptor);
	if (!e->volume || !e->status || fill_holders(l, s, e->status) ||
	    fill_condition(l, row, e->status))
		return NULL;
	e->volume->volume_id = arena_strdup(a, row);
	e->volume->capacity_bytes = (int64_t)size;
	return e->volume->volume_id ? e : NULL;
}

/* A page that the arena cannot hold is a shorter page. */
static int fill_page(struct ctl_list *l, response *resp, size_t max)
{
	size_t bytes = 0, n = 0;

	resp->entries = arena_alloc(&l->rpc.arena, (max + 1) * sizeof(*resp->entries));
	if (!resp->entries)
		return -1;
	while (n < max && bytes < MAX_PAGE_BYTES) {
		entry *e = make_entry(l, l->sorted[n]);

		if (!e)
			break;
		resp->entries[n++] = e;
		bytes += protobuf_c_message_get_packed_size(&e->base) + 8;
	}
	resp->n_entries = n;
	return n == 0 && max > 0 ? -1 : 0;
}

static int answer(struct ctl_list *l)
{
	size_t max = (size_t)req_of(&l->rpc)->max_entries;
	response *resp = message_new(&l->rpc.arena, l->rpc.method->response);

	if (!resp || sort_rows(l))
		return -1;
	if (max == 0 || max > MAX_PAGE_ENTRIES)
		max = MAX_PAGE_ENTRIES;
	if (max > l->n_rows)
		max = l->n_rows;
	/* The token comes first: there must be room for it behind a full page. */
	resp->next_token = arena_alloc(&l->rpc.arena, sizeof(TOKEN) + ID_VOLUME);
	if (!resp->next_token || fill_page(l, resp, max))
		return -1;
	if (resp->n_entries < l->n_rows) {
		const char *last = l->sorted[resp->n_entries - 1];

		memcpy(resp->next_token, TOKEN, strlen(TOKEN));
		memcpy(resp->next_token + strlen(TOKEN), last, strlen(last) + 1);
	}
	l->rpc.resp = &resp->base;
	return 0;
}

void ctl_list_fini(struct rpc *rpc)
{
	struct ctl_list *l = CONTAINER_OF(rpc, struct ctl_list, rpc);

	buf_fini(&l->rows);
	mem_free(l->sorted);
	l->sorted = NULL;
}

static void start_list(struct ctl_list *l)
{
	const char *token = req_of(&l->rpc)->starting_token;

	l->after = *token ? token + strlen(TOKEN) : "";
	buf_init(&l->rows, MAX_ROWS_BYTES);
	box_prepare(&l->box, RDS_LIST, NULL);
	l->box.req.on_row = on_row;
	op_move(&l->rpc.op, ST_LISTING);
	box_start(&l->box, l->rpc.csi, &l->rpc.op);
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_list *l = CONTAINER_OF(rpc, struct ctl_list, rpc);

	switch (op->state) {
	case ST_START:
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		start_list(l);
		return;
	case ST_LISTING:
		op_fail_err(op, &l->box.req.op.err);
		if (!op_failed(op) && answer(l))
			op_fail(op, ERR_EXHAUSTED, "out of memory");
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);

	box_cancel(&CONTAINER_OF(rpc, struct ctl_list, rpc)->box);
}

const struct op_type ctl_list_type = {
	.name = "list_volumes",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
