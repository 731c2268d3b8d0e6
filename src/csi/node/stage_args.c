#include "csi/node/stage.h"

#include <stdio.h>
#include <string.h>

#include "csi/caps.h"
#include "csi/ids.h"

/* The request's side of Stage: what is asked for, and how the record tells it. */

static const Csi__V1__NodeStageVolumeRequest *request(const struct rpc *rpc)
{
	return (const void *)rpc->req;
}

const char *node_stage_volume(const struct rpc *rpc)
{
	return request(rpc)->volume_id;
}

int node_stage_check(const struct rpc *rpc, struct err *err)
{
	const Csi__V1__NodeStageVolumeRequest *req = request(rpc);

	if (!req->volume_id[0])
		return err_set(err, ERR_INVALID, "volume_id is missing");
	if (!req->staging_target_path[0])
		return err_set(err, ERR_INVALID, "staging_target_path is missing");
	if (caps_check(req->volume_capability, err))
		return -1;
	return node_path_check(req->staging_target_path, "staging_target_path", err);
}

static int read_target(struct node_stage *s, struct err *err)
{
	const Csi__V1__NodeStageVolumeRequest *req = request(&s->w.rpc);
	struct node_contexts c = { .values = { NULL } };

	for (size_t i = 0; i < req->n_publish_context; i++)
		node_contexts_publish(&c, req->publish_context[i]->key,
				      req->publish_context[i]->value);
	for (size_t i = 0; i < req->n_volume_context; i++)
		node_contexts_volume(&c, req->volume_context[i]->key,
				     req->volume_context[i]->value);
	if (node_contexts_target(&c, s->w.rpc.csi->nqn_prefix, &s->target, err))
		return -1;
	s->want.nqn = s->target.nqn;
	s->want.size_bytes = s->target.size_bytes;
	s->want.readonly |= s->target.is_readonly;
	if (s->target.has_own_fs)
		s->want.fs_uuid = s->own_uuid;
	return 0;
}

static int read_options(struct node_stage *s, struct err *err)
{
	const Csi__V1__VolumeCapability *cap = request(&s->w.rpc)->volume_capability;
	size_t n = caps_is_block(cap) ? 0 : cap->mount->n_mount_flags;
	const char **list = arena_alloc(&s->w.rpc.arena, (n + 1) * sizeof(*list));

	if (!list)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		list[i] = cap->mount->mount_flags[i];
	list[n] = NULL;
	s->options = list;
	return s->w.rpc.csi->nvme->ops->check_options(list, err);
}

int node_stage_prepare(struct node_stage *s, struct err *err)
{
	const Csi__V1__NodeStageVolumeRequest *req = request(&s->w.rpc);
	struct rpc *rpc = &s->w.rpc;

	if (!id_is_volume(req->volume_id))
		return err_set(err, ERR_NOT_FOUND, "there is no such volume");
	s->want.is_block = caps_is_block(req->volume_capability);
	s->want.fs_type = caps_fs_type(req->volume_capability);
	s->want.readonly = caps_use(req->volume_capability, false) == CAPS_READER;
	id_fs_uuid(req->volume_id, s->own_uuid);
	node_path_canonical(req->staging_target_path, s->w.path);
	rpc->resp = rpc_new_response(rpc);
	if (!rpc->resp)
		return err_nomem(err);
	if (read_target(s, err) || read_options(s, err))
		return -1;
	return node_work_read_record(&s->w, req->volume_id, err);
}

void node_stage_describe(struct node_stage *s)
{
	struct nvme_record *rec = &s->w.record;

	rec->is_block = s->want.is_block;
	rec->is_readonly = s->want.readonly;
	(void)snprintf(rec->nqn, sizeof(rec->nqn), "%s", s->want.nqn);
	(void)snprintf(rec->source, sizeof(rec->source), "%s", s->w.view.source);
	(void)snprintf(rec->fs_type, sizeof(rec->fs_type), "%s", s->want.fs_type);
	memcpy(rec->staging, s->w.path, sizeof(rec->staging));
}
