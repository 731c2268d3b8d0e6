#include "e2e/vol.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef Csi__V1__VolumeCapability capability;

static const char *const names[] = {
	[VOL_CREATE] = "CreateVolume",
	[VOL_PUBLISH] = "ControllerPublishVolume",
	[VOL_STAGE] = "NodeStageVolume",
	[VOL_NODE_PUBLISH] = "NodePublishVolume",
	[VOL_EXPAND] = "ControllerExpandVolume",
	[VOL_NODE_EXPAND] = "NodeExpandVolume",
	[VOL_NODE_UNPUBLISH] = "NodeUnpublishVolume",
	[VOL_UNSTAGE] = "NodeUnstageVolume",
	[VOL_UNPUBLISH] = "ControllerUnpublishVolume",
	[VOL_DELETE] = "DeleteVolume",
};

const char *vol_step_name(enum vol_step step)
{
	return names[step];
}

void vol_init(struct vol *v, const char *id)
{
	char path[E2E_PATH];

	memset(v, 0, sizeof(*v));
	(void)snprintf(v->id, sizeof(v->id), "%s", id);
	v->want_bytes = 1LL << 30;
	(void)mkdir(e2e_path(path, "stage"), 0700);
	(void)mkdir(e2e_path(path, "pods"), 0700);
	(void)mkdir(e2e_path(v->staging, "stage/%.100s", id), 0700);
	(void)mkdir(e2e_path(path, "pods/%.100s", id), 0700);
	e2e_path(v->target, "pods/%.100s/mount", id);
}

capability *vol_capability(const struct vol *v)
{
	capability *cap = rpc_alloc(sizeof(*cap));

	csi__v1__volume_capability__init(cap);
	cap->access_mode = rpc_alloc(sizeof(*cap->access_mode));
	csi__v1__volume_capability__access_mode__init(cap->access_mode);
	cap->access_mode->mode =
		v->mode ? (Csi__V1__VolumeCapability__AccessMode__Mode)v->mode
			: CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	if (v->is_block) {
		cap->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		cap->block = rpc_alloc(sizeof(*cap->block));
		csi__v1__volume_capability__block_volume__init(cap->block);
		return cap;
	}
	cap->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	cap->mount = rpc_alloc(sizeof(*cap->mount));
	csi__v1__volume_capability__mount_volume__init(cap->mount);
	cap->mount->fs_type = rpc_text(v->fs ? v->fs : "ext4");
	return cap;
}

Csi__V1__CapacityRange *vol_range(long long required, long long limit)
{
	Csi__V1__CapacityRange *r = rpc_alloc(sizeof(*r));

	csi__v1__capacity_range__init(r);
	r->required_bytes = required;
	r->limit_bytes = limit;
	return r;
}

static void put_context(void *m, const char *field, const struct vol_context *c)
{
	rpc_map(m, field, c->pairs, c->n);
}

static void take_context(const void *m, const char *field, struct vol_context *c)
{
	const char *key, *value;

	for (c->n = 0; c->n < VOL_PAIRS && rpc_pair(m, field, c->n, &key, &value);
	     c->n++) {
		for (size_t i = 0; i < 2; i++) {
			char *text = c->text[2 * c->n + i];

			(void)snprintf(text, sizeof(c->text[0]), "%s", i ? value : key);
			c->pairs[2 * c->n + i] = text;
		}
	}
}

static char *node_of(const struct vol *v)
{
	return rpc_text(v->node ? v->node : "node-a");
}

static const void *controller_request(struct vol *v, enum vol_step step)
{
	if (step == VOL_CREATE) {
		Csi__V1__CreateVolumeRequest *m = rpc_request(names[step]);
		size_t n = 0;

		m->name = rpc_text(v->id);
		m->capacity_range = vol_range(v->want_bytes, v->limit_bytes);
		m->n_volume_capabilities = 1;
		m->volume_capabilities = rpc_alloc(sizeof(void *));
		m->volume_capabilities[0] = vol_capability(v);
		while (n < 8 && v->parameters[n])
			n++;
		rpc_map(&m->base, "parameters", v->parameters, n / 2);
		return m;
	}
	if (step == VOL_PUBLISH) {
		Csi__V1__ControllerPublishVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->node_id = node_of(v);
		m->volume_capability = vol_capability(v);
		m->readonly = v->is_readonly;
		put_context(m, "volume_context", &v->context);
		return m;
	}
	if (step == VOL_EXPAND) {
		Csi__V1__ControllerExpandVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->capacity_range = vol_range(v->want_bytes, v->limit_bytes);
		m->volume_capability = vol_capability(v);
		return m;
	}
	if (step == VOL_UNPUBLISH) {
		Csi__V1__ControllerUnpublishVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->node_id = node_of(v);
		return m;
	}
	Csi__V1__DeleteVolumeRequest *m = rpc_request(names[step]);

	m->volume_id = rpc_text(v->id);
	return m;
}

static const void *node_request(struct vol *v, enum vol_step step)
{
	if (step == VOL_STAGE) {
		Csi__V1__NodeStageVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->staging_target_path = rpc_text(v->staging);
		m->volume_capability = vol_capability(v);
		put_context(m, "volume_context", &v->context);
		put_context(m, "publish_context", &v->publish);
		return m;
	}
	if (step == VOL_NODE_PUBLISH) {
		Csi__V1__NodePublishVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->staging_target_path = rpc_text(v->staging);
		m->target_path = rpc_text(v->target);
		m->volume_capability = vol_capability(v);
		m->readonly = v->is_readonly;
		put_context(m, "volume_context", &v->context);
		put_context(m, "publish_context", &v->publish);
		return m;
	}
	if (step == VOL_NODE_EXPAND) {
		Csi__V1__NodeExpandVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->volume_path = rpc_text(v->target);
		m->staging_target_path = rpc_text(v->staging);
		m->capacity_range = vol_range(v->want_bytes, v->limit_bytes);
		m->volume_capability = vol_capability(v);
		return m;
	}
	if (step == VOL_NODE_UNPUBLISH) {
		Csi__V1__NodeUnpublishVolumeRequest *m = rpc_request(names[step]);

		m->volume_id = rpc_text(v->id);
		m->target_path = rpc_text(v->target);
		return m;
	}
	Csi__V1__NodeUnstageVolumeRequest *m = rpc_request(names[step]);

	m->volume_id = rpc_text(v->id);
	m->staging_target_path = rpc_text(v->staging);
	return m;
}

bool vol_is_node_step(enum vol_step step)
{
	return step == VOL_STAGE || step == VOL_NODE_PUBLISH || step == VOL_NODE_EXPAND ||
	       step == VOL_NODE_UNPUBLISH || step == VOL_UNSTAGE;
}

void vol_start(struct driver *d, struct vol *v, enum vol_step step, struct rpc_call *c)
{
	rpc_start(d, c, names[step],
		  vol_is_node_step(step) ? node_request(v, step)
					 : controller_request(v, step),
		  0);
	rpc_reset();
}

static void take_answer(struct vol *v, enum vol_step step, const ProtobufCMessage *m)
{
	if (step == VOL_CREATE) {
		const Csi__V1__CreateVolumeResponse *r = (const void *)m;

		if (!CHECK(r->volume && strcmp(r->volume->volume_id, v->id) == 0,
			   "no volume or another in the answer"))
			return;
		v->size_bytes = r->volume->capacity_bytes;
		take_context(r->volume, "volume_context", &v->context);
	}
	if (step == VOL_PUBLISH)
		take_context(m, "publish_context", &v->publish);
	if (step == VOL_EXPAND) {
		const Csi__V1__ControllerExpandVolumeResponse *r = (const void *)m;

		v->size_bytes = r->capacity_bytes;
		v->must_grow_node = r->node_expansion_required;
	}
}

enum err_code vol_end(struct driver *d, struct vol *v, enum vol_step step,
		      struct rpc_call *c)
{
	enum err_code code = rpc_wait(d, c);

	if (code == ERR_OK && c->answer)
		take_answer(v, step, c->answer);
	rpc_free(c);
	return code;
}

enum err_code vol_do(struct driver *d, struct vol *v, enum vol_step step)
{
	struct rpc_call c;

	vol_start(d, v, step, &c);
	return vol_end(d, v, step, &c);
}

bool vol_may_retry(enum err_code code)
{
	return code == ERR_UNAVAILABLE || code == ERR_ABORTED || code == ERR_DEADLINE ||
	       code == ERR_CANCELLED;
}

bool vol_must(struct driver *d, struct vol *v, enum vol_step step)
{
	uint64_t end = e2e_now_ms() + 120000;
	enum err_code code;

	while (vol_may_retry(code = vol_do(d, v, step)) && e2e_now_ms() < end)
		e2e_sleep_ms(10);
	return CHECK(code == ERR_OK, "%s of %s: %s", names[step], v->id, rpc_message());
}

int vol_listed(struct driver *d, const char *id)
{
	struct rpc_call c;
	int n = -1;

	rpc_start(d, &c, "ListVolumes", rpc_request("ListVolumes"), 0);
	if (rpc_wait(d, &c) == ERR_OK) {
		const Csi__V1__ListVolumesResponse *r = (const void *)c.answer;

		n = 0;
		for (size_t i = 0; i < r->n_entries; i++)
			n += strcmp(r->entries[i]->volume->volume_id, id) == 0;
	}
	rpc_free(&c);
	rpc_reset();
	return n;
}
