#include "csi/controller/create.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "csi/caps.h"
#include "csi/controller/message.h"
#include "csi/controller/sizes.h"
#include "csi/controller/tell.h"
#include "csi/controller/volume_check.h"

/* start -> creating -> done. Fails: the volume may be there or come yet; the retry with
 * the same name meets it. */
enum { ST_START = OP_START, ST_CREATING, ST_DONE, ST_N };

static const char *const names[ST_N] = { "start", "creating", "done" };
static const uint32_t next[ST_N] = {
	[ST_START] = OP_BIT(ST_CREATING) | OP_BIT(ST_DONE),
	[ST_CREATING] = OP_BIT(ST_DONE),
};

typedef Csi__V1__CreateVolumeRequest request;

static const request *req_of(const struct rpc *rpc)
{
	return (const request *)rpc->req;
}

/* Neither can be asked for: MODIFY_VOLUME, snapshots and clones are not advertised. */
static int check_extras(const request *req, struct err *err)
{
	for (size_t i = 0; i < req->n_mutable_parameters; i++) {
		const char *key = message_key(req->mutable_parameters[i]);

		if (!str_starts_with(key, "csi.storage.k8s.io/"))
			return err_set(err, ERR_INVALID,
				       "unknown mutable parameter %.64s", key);
	}
	if (req->volume_content_source)
		return err_set(err, ERR_INVALID,
			       "volume_content_source: volumes are made empty only");
	return 0;
}

int ctl_create_check(const struct rpc *rpc, struct err *err)
{
	const request *req = req_of(rpc);
	struct params params;
	uint64_t bytes;

	if (!req->name[0])
		return err_set(err, ERR_INVALID, "name is missing");
	if (caps_check_all(req->volume_capabilities, req->n_volume_capabilities, err))
		return -1;
	if (!id_is_volume(req->name))
		return err_set(err, ERR_INVALID,
			       "name: only letters, digits and dashes, 128 at most");
	if (check_extras(req, err) || sizes_pick(req->capacity_range, &bytes, err))
		return -1;
	return params_parse(req->parameters, req->n_parameters, &params, err);
}

const char *ctl_create_volume(const struct rpc *rpc)
{
	return req_of(rpc)->name;
}

/* check() has passed, so that nothing here can fail any more. */
static void start_create(struct ctl_create *c)
{
	const request *req = req_of(&c->rpc);
	struct csi *csi = c->rpc.csi;
	struct err err = { .code = ERR_OK };
	uint64_t bytes = 0;

	if (sizes_pick(req->capacity_range, &bytes, &err) ||
	    params_parse(req->parameters, req->n_parameters, &c->params, &err))
		bug_on(true);
	if (c->params.ignored)
		log_warn("csi", "StorageClass parameter has no effect",
			 KS("parameter", c->params.ignored));
	id_new_nqn(req->name, 0, c->nqn);
	c->record.kind = RDS_RECORD_OURS;
	memcpy(c->record.cluster, csi->cluster_id,
	       strnlen(csi->cluster_id, RDS_CLUSTER_MAX));
	memcpy(c->record.claim, c->params.claim, sizeof(c->record.claim));
	box_prepare(&c->box, RDS_CREATE, req->name);
	c->box.req.base = c->params.volume_path;
	c->box.req.layout = c->params.layout;
	c->box.req.size_bytes = bytes;
	c->box.req.nvme_port = c->params.nvme_port ? c->params.nvme_port : csi->nvme_port;
	c->box.req.nqn = c->nqn;
	c->box.req.record = &c->record;
	csi->capacity.is_known = false;
	op_move(&c->rpc.op, ST_CREATING);
	box_start(&c->box, csi, &c->rpc.op);
}

/* The slot may have been there before: as the same volume, or as something else. */
static int check_volume(const struct ctl_create *c, struct err *err)
{
	const struct rds_volume *v = box_volume(&c->box);
	uint32_t generation;

	if (!v)
		return err_set(err, ERR_UNAVAILABLE,
			       "the disk was gone right after it was made");
	if (volume_check_ours(v, c->rpc.csi->may_adopt_unmarked, err))
		return -1;
	if (!id_nqn_is_of(v->nqn, v->id, &generation))
		return err_set(err, ERR_PRECONDITION,
			       "disk %s bears an NQN that is not one of this volume's",
			       v->id);
	if (!sizes_fit(req_of(&c->rpc)->capacity_range, v->size_bytes))
		return err_set(err, ERR_EXISTS,
			       "the volume exists with %llu bytes, which the capacity "
			       "range does not allow",
			       (unsigned long long)v->size_bytes);
	return 0;
}

static int fill_context(struct ctl_create *c, Csi__V1__Volume *vol)
{
	struct arena *a = &c->rpc.arena;
	const struct params *p = &c->params;
	const struct rds_volume *v = &c->box.req.volume;
	const char *rds = p->rds_address ? p->rds_address : c->rpc.csi->rds_address;
	char nqn[ID_NQN];
	struct message_pair pairs[] = {
		{ "rdsAddress", rds },
		{ "nvmeAddress", p->nvme_address ? p->nvme_address : rds },
		{ "nvmePort", arena_printf(a, "%u", v->port) },
		/* The base, whatever the disk bears: the same at every call, and not to
		 * be staged by a node plugin that could not disconnect it (create.h). */
		{ "nqn", nqn },
		{ "volumePath", v->path },
		{ "ctrlLossTmo", arena_printf(a, "%d", p->ctrl_loss_tmo) },
		{ "reconnectDelay", arena_printf(a, "%d", p->reconnect_delay) },
		{ "keepAliveTmo", arena_printf(a, "%d", p->keep_alive_tmo) },
		{ "migrationTimeoutSeconds",
		  arena_printf(a, "%u", p->migration_timeout_s) },
		/* The nine above are those that existing volumes have. The file system
		 * gets the volume id's own UUID, and the node may insist on it. */
		{ "fsIdentity", "volume-id" },
		{ "nrIoQueues", p->nr_io_queues },
		{ "queueSize", p->queue_size },
		{ "fastIoFailTmo", p->fast_io_fail_tmo },
	};

	id_base_nqn(c->box.req.id, nqn);
	for (size_t i = 0; i < 9; i++)
		if (!pairs[i].value)
			return -1;
	vol->volume_context =
		message_map(a, &csi__v1__volume__volume_context_entry__descriptor, pairs,
			    sizeof(pairs) / sizeof(pairs[0]), &vol->n_volume_context);
	return vol->volume_context ? 0 : -1;
}

static void answer(struct ctl_create *c)
{
	struct arena *a = &c->rpc.arena;
	Csi__V1__CreateVolumeResponse *resp = message_new(a, c->rpc.method->response);
	Csi__V1__Volume *vol = message_new(a, &csi__v1__volume__descriptor);
	char *id = arena_strdup(a, c->box.req.id);

	if (!resp || !vol || !id || fill_context(c, vol)) {
		op_fail(&c->rpc.op, ERR_EXHAUSTED, "out of memory");
		return;
	}
	vol->volume_id = id;
	vol->capacity_bytes = (int64_t)c->box.req.volume.size_bytes;
	resp->volume = vol;
	c->rpc.resp = &resp->base;
}

static void do_created(struct ctl_create *c)
{
	struct op *op = &c->rpc.op;
	struct err err = { .code = ERR_OK };

	op_fail_err(op, &c->box.req.op.err);
	if (!op_failed(op) && check_volume(c, &err))
		op_fail_err(op, &err);
	if (!op_failed(op))
		answer(c);
}

static void step(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);
	struct ctl_create *c = CONTAINER_OF(rpc, struct ctl_create, rpc);

	switch (op->state) {
	case ST_START:
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		start_create(c);
		return;
	case ST_CREATING:
		do_created(c);
		if (op_failed(op))
			tell_claim(rpc->csi, c->params.claim, TELL_PROVISIONING,
				   op->err.msg);
		op_move(op, ST_DONE);
		return;
	default:
		return;
	}
}

static void interrupt(struct op *op)
{
	struct rpc *rpc = CONTAINER_OF(op, struct rpc, op);

	box_cancel(&CONTAINER_OF(rpc, struct ctl_create, rpc)->box);
}

const struct op_type ctl_create_type = {
	.name = "create",
	.states = names,
	.next = next,
	.n_states = ST_N,
	.step = step,
	.interrupt = interrupt,
};
