#include "csi/node/adopt_rules.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"

static bool has_session(const struct nvme_view *v)
{
	return v->state != NVME_ABSENT || v->device.path[0];
}

static bool is_mounted(const struct nvme_view *v)
{
	return v->n_layers > v->n_foreign_layers;
}

/* The loop back end knows a name only while it is exported. "": the device is gone, and
 * nobody can tell its NQN any more. */
static const char *nqn_of(const struct adopt_facts *f)
{
	if (f->view->nqn[0])
		return f->view->nqn;
	return f->view->device.path[0] ? f->base_nqn : "";
}

/* This boot's record, by this driver. */
static enum adopt_do of_this_boot(const struct adopt_facts *f)
{
	const struct nvme_view *v = f->view;

	if (f->rec->stage == NVME_STAGED)
		return ADOPT_NOTHING;
	/* Mounted, but not yet recorded so: the kubelet stages again, or unstages. */
	if (v->n_layers || v->n_elsewhere || v->n_dead || f->rec->is_adopted)
		return ADOPT_NOTHING;
	return has_session(v) ? ADOPT_DETACH : ADOPT_NOTHING;
}

/* No record, or one of an earlier boot: what is there now decides. */
static enum adopt_do of_the_facts(const struct adopt_facts *f, const char **ret_why)
{
	const struct nvme_view *v = f->view;
	const char *nqn = nqn_of(f);

	if (v->n_foreign_layers) {
		*ret_why = "what is mounted at its staging path is not this volume";
		return ADOPT_NOTHING;
	}
	if (!is_mounted(v) && !(f->is_block && has_session(v))) {
		if (has_session(v))
			*ret_why = "its session is there, but nothing is mounted";
		return ADOPT_NOTHING;
	}
	if (nqn[0] && !str_starts_with(nqn, f->nqn_prefix)) {
		*ret_why = "its NQN lacks the managed prefix";
		return ADOPT_NOTHING;
	}
	return ADOPT_RECORD;
}

enum adopt_do adopt_decide(const struct adopt_facts *f, const char **ret_why)
{
	const struct nvme_view *v = f->view;

	*ret_why = "";
	if (f->rec && f->rec->is_this_boot)
		return of_this_boot(f);
	if (f->is_named)
		return of_the_facts(f, ret_why);
	/* The kubelet knows nothing of it: whoever mounted or connected it is asked
	 * nothing. */
	if (f->rec && adopt_forgets(f->rec) && !has_session(v) && !v->n_layers &&
	    !v->n_elsewhere)
		return ADOPT_FORGET;
	return ADOPT_NOTHING;
}

/* What an earlier boot knew of the same NQN still holds: size and content only grow. */
static void keep_hints(const struct nvme_record *old, struct nvme_record *rec)
{
	if (!old || strcmp(old->nqn, rec->nqn) != 0)
		return;
	if (old->size_bytes > rec->size_bytes)
		rec->size_bytes = old->size_bytes;
	(void)snprintf(rec->ns_id, sizeof(rec->ns_id), "%s", old->ns_id);
	if (strcmp(old->fs_type, rec->fs_type) == 0)
		(void)snprintf(rec->fs_uuid, sizeof(rec->fs_uuid), "%s", old->fs_uuid);
}

void adopt_record(const struct adopt_facts *f, struct nvme_record *ret)
{
	const struct nvme_view *v = f->view;

	*ret = (struct nvme_record){ .stage = NVME_STAGED,
				     .is_block = f->is_block,
				     .is_readonly = f->is_block ? v->device.is_readonly
								: v->is_readonly,
				     .was_mounted = !f->is_block,
				     .is_adopted = true,
				     .size_bytes = v->device.size_bytes };
	(void)snprintf(ret->nqn, sizeof(ret->nqn), "%s", nqn_of(f));
	(void)snprintf(ret->source, sizeof(ret->source), "%s", v->source);
	(void)snprintf(ret->staging, sizeof(ret->staging), "%s", f->staging);
	if (!f->is_block)
		(void)snprintf(ret->fs_type, sizeof(ret->fs_type), "%s", v->fs_type);
	keep_hints(f->rec, ret);
}

bool adopt_forgets(const struct nvme_record *rec)
{
	return rec->stage != NVME_FORMATTING;
}
