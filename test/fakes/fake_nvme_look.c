#include "fakes/fake_nvme_look.h"

#include <stdio.h>
#include <string.h>

enum { FAKE_MAJOR = 300 };

void fake_nvme_fill_device(const struct fake_nvme *f, struct nvme_device *dev)
{
	*dev = (struct nvme_device){ .path = "/dev/fake0",
				     .major = FAKE_MAJOR,
				     .size_bytes = f->size_bytes };
}

/* A device that is gone is the volume's by the mount at the recorded staging path, or by
 * the target path itself where its node is bound there. */
static bool is_dead_ours(const struct fake_nvme *f, const struct fake_mount *m,
			 const struct nvme_query *q)
{
	if (m->is_node)
		return !q->is_staging && strcmp(m->path, q->path) == 0;
	for (unsigned i = 0; q->recorded && i < f->n_mounts; i++)
		if (f->mounts[i].is_dead && strcmp(f->mounts[i].path, q->recorded) == 0)
			return true;
	return false;
}

static void see_mount(const struct fake_mount *m, const struct nvme_query *q,
		      bool is_ours, struct nvme_view *ret)
{
	if (strcmp(m->path, q->path) == 0) {
		ret->n_layers++;
		ret->n_foreign_layers += !is_ours;
		ret->n_dead += is_ours && m->is_dead;
		ret->is_dead = is_ours && m->is_dead;
		ret->top = is_ours ? NVME_TOP_OURS : NVME_TOP_FOREIGN;
		ret->is_readonly = m->is_readonly;
		ret->is_node = m->is_node;
	} else if (is_ours && (!q->besides || strcmp(m->path, q->besides) != 0)) {
		ret->n_elsewhere++;
		ret->n_elsewhere_writable += !m->is_readonly;
		ret->n_fs_elsewhere += !m->is_node && !m->is_dead;
		ret->n_dead += m->is_dead;
		if (m->is_dead)
			snprintf(ret->dead_path, sizeof(ret->dead_path), "%s", m->path);
	}
}

/* Whether the session is the one that is asked for. */
static bool see_session(const struct fake_nvme *f, const struct nvme_query *q,
			struct nvme_view *ret)
{
	bool is_ours = f->is_attached;

	ret->n_other_sessions = f->n_others;
	if (f->has_sessions && f->is_attached) {
		is_ours = !q->nqn[0] || strcmp(q->nqn, f->session) == 0;
		ret->n_other_sessions += !is_ours;
	}
	if (!is_ours)
		return false;
	ret->state = f->state;
	snprintf(ret->nqn, sizeof(ret->nqn), "%s", f->session);
	if (f->state != NVME_EMPTY)
		fake_nvme_fill_device(f, &ret->device);
	return true;
}

int fake_nvme_look(struct nvme *nvme, const struct nvme_query *q, struct nvme_view *ret,
		   struct err *err)
{
	struct fake_nvme *f = fake_nvme_of(nvme);
	bool is_ours;

	f->n_looks++;
	if (f->fail_look_at >= 0 && f->fail_look_at-- == 0)
		return err_set(err, ERR_UNAVAILABLE, "look as told");
	*ret = (struct nvme_view){ .is_exported = f->exported[0] &&
						  strcmp(f->exported, q->nqn) == 0 };
	snprintf(ret->source, sizeof(ret->source), "image");
	is_ours = see_session(f, q, ret);
	for (unsigned i = 0; i < f->n_mounts; i++) {
		const struct fake_mount *m = &f->mounts[i];

		see_mount(m, q, m->is_dead ? is_dead_ours(f, m, q) : is_ours, ret);
	}
	if (ret->n_layers)
		snprintf(ret->fs_type, sizeof(ret->fs_type), "%s", f->content.fs_type);
	return 0;
}

bool fake_nvme_is_mounted(struct nvme *nvme, const char *path,
			  const struct nvme_device *dev, const char *nqn)
{
	const struct fake_nvme *f = fake_nvme_of(nvme);

	if (!f->is_quick || f->hides_mounts || strcmp(f->session, nqn) != 0 ||
	    dev->major != FAKE_MAJOR)
		return false;
	for (unsigned i = 0; i < f->n_mounts; i++)
		if (strcmp(f->mounts[i].path, path) == 0)
			return !f->mounts[i].is_dead && !f->mounts[i].is_node;
	return false;
}
