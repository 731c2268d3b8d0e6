#include "csi/controller/node_check.h"

#include <string.h>

/* start -> asking -> asking … -> done. Fails: the first node that cannot be read ends it.
 */
enum { ST_START = OP_START, ST_ASKING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "asking", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
	[ST_ASKING] = OP_BIT(ST_ASKING) | OP_BIT(ST_DONE),
};

const struct node_facts *node_check_find(const struct node_check *c, const char *node)
{
	for (unsigned i = 0; i < c->at; i++)
		if (strcmp(c->nodes[i], node) == 0)
			return &c->facts[i];
	return NULL;
}

void node_check_add(struct node_check *c, const char *node)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->nodes[i], node) == 0)
			return;
	if (c->n < NODE_CHECK_MAX)
		id_record_node(node, c->nodes[c->n++]);
}

static void on_read(struct op *op)
{
	struct k8s_request *req = CONTAINER_OF(op, struct k8s_request, op);

	op_unref_wake(&CONTAINER_OF(req, struct node_check, req)->op);
}

static void ask(struct node_check *c)
{
	const char *object;

	if (op_failed(&c->op) || c->at == c->n) {
		op_move(&c->op, ST_DONE);
		return;
	}
	object = nodes_object_name(c->csi->k8s, c->nodes[c->at]);
	memset(c->object, 0, sizeof(c->object));
	memcpy(c->object, object, strnlen(object, sizeof(c->object) - 1));
	c->req = (struct k8s_request){ .verb = K8S_GET,
				       .kind = K8S_NODE,
				       .name = c->object };
	op_move(&c->op, ST_ASKING);
	op_ref(&c->op);
	k8s_request_start(c->csi->k8s, &c->req, on_read);
	op_set_deadline(&c->req.op, c->op.deadline_ms);
}

static void take(struct node_check *c)
{
	const struct err *err = &c->req.op.err;

	if (err->code != ERR_OK && err->code != ERR_NOT_FOUND)
		op_fail(&c->op, ERR_UNAVAILABLE, "node %.64s cannot be read: %.120s",
			c->object, err->msg);
	else
		c->facts[c->at++] = nodes_judge(c->req.object, c->handle);
	k8s_object_free(c->req.object);
	c->req.object = NULL;
}

static void step(struct op *op)
{
	struct node_check *c = CONTAINER_OF(op, struct node_check, op);

	if (op->state == ST_ASKING)
		take(c);
	ask(c);
}

static void interrupt(struct op *op)
{
	struct node_check *c = CONTAINER_OF(op, struct node_check, op);

	if (op->state == ST_ASKING)
		op_cancel(&c->req.op, op->err.code);
}

static const struct op_type node_check_type = {
	.name = "node_check",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};

static void on_checked(struct op *op)
{
	op_unref_wake(CONTAINER_OF(op, struct node_check, op)->parent);
}

void node_check_start(struct node_check *c, struct csi *csi, struct op *parent)
{
	c->csi = csi;
	c->parent = parent;
	c->at = 0;
	op_ref(parent);
	op_start(&c->op, &node_check_type, csi->loop, on_checked);
	op_set_deadline(&c->op, parent->deadline_ms);
}

void node_check_cancel(struct node_check *c)
{
	op_cancel(&c->op, c->parent->err.code);
}
