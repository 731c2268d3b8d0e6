#include "sim/export.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/interp.h"

#define KEEPER "nqn.2000-02.com.mikrotik:rds-sim-keeper"

enum {
	TICK_MS = 20,
	NVME_TCP_PORT = 4420,
};

struct exports {
	struct nvmet *nvmet; /* NULL: symlinks are all */
	struct nvmet_wait *wait;
	struct nvmet_item *batch; /* gathered for one child */
	unsigned n_batch, batch_max;
	bool is_batching;
	uint64_t keeper_due; /* when the port is to listen though nothing is exported */
	bool has_keeper;
	bool is_port_off, has_down; /* has_down: some disk's back_ms is set */
	uint64_t port_back_ms;	    /* 0: not by itself */
};

/* ---- the target ---- */
static void submit(struct box *b, const struct nvmet_item *it)
{
	struct exports *x = b->exports;

	if (!x->nvmet)
		return;
	if (!x->is_batching) {
		nvmet_submit(x->nvmet, it, 1, x->wait);
		return;
	}
	if (x->n_batch == x->batch_max) {
		x->batch_max = x->batch_max ? 2 * x->batch_max : 16;
		x->batch = xrealloc(x->batch, x->batch_max * sizeof *x->batch);
	}
	x->batch[x->n_batch++] = *it;
}

static void batch_begin(struct box *b)
{
	b->exports->is_batching = true;
	b->exports->n_batch = 0;
}

static void batch_end(struct box *b)
{
	struct exports *x = b->exports;

	x->is_batching = false;
	if (x->nvmet)
		nvmet_submit(x->nvmet, x->batch, x->n_batch, x->wait);
}

static struct nvmet_item item_of(const struct disk *d, enum nvmet_act act)
{
	struct nvmet_item it = { .act = act, .disk_id = d->id };

	snprintf(it.name, sizeof it.name, "%.*s", NVMET_NAME_MAX - 1, d->link);
	return it;
}

static int find_port(struct box *b, unsigned svcid, unsigned *ret)
{
	struct exports *x = b->exports;
	const char *err;
	int id = nvmet_port(x->nvmet, svcid, &err);

	if (id >= 0) {
		*ret = (unsigned)id;
		return 0;
	}
	fprintf(stderr, "rds-sim: nvmet port %u: %s\n", svcid, err);
	if (x->wait && !x->wait->err[0])
		snprintf(x->wait->err, sizeof x->wait->err, "nvmet port: %s", err);
	return -1;
}

static int disk_port(struct box *b, const struct disk *d, unsigned *ret)
{
	const char *text = disk_prop(d, box_prop(b, "nvme-tcp-server-port"));
	uint64_t svcid = NVME_TCP_PORT;

	if (text)
		parse_u64(text, &svcid);
	return find_port(b, (unsigned)svcid, ret);
}

static void target_on(struct box *b, const struct disk *d)
{
	struct nvmet_item it = item_of(d, NVMET_ON);

	if (!b->exports->nvmet || disk_port(b, d, &it.port) < 0)
		return;
	if (d->other_file)
		snprintf(it.file, sizeof it.file, "%s", d->other_file);
	else
		box_host_path(b, d->path, it.file, sizeof it.file);
	snprintf(it.uuid, sizeof it.uuid, "%s", d->ns_uuid);
	it.is_unlinked = b->exports->is_port_off;
	submit(b, &it);
}

static void target_off(struct box *b, const struct disk *d, enum nvmet_off how)
{
	static const enum nvmet_act acts[] = { NVMET_OFF, NVMET_UNLINK, NVMET_REFUSE };
	struct nvmet_item it = item_of(d, acts[how]);

	submit(b, &it);
	if (how != NVMET_OFF_KEEP_SESSIONS || !b->opt.nvmet.linger_ms)
		return;
	it.act = NVMET_OFF;
	it.delay_ms = b->opt.nvmet.linger_ms;
	if (b->exports->nvmet) /* nobody waits for it */
		nvmet_submit(b->exports->nvmet, &it, 1, NULL);
}

/* ---- one disk ---- */
static void link_path(const struct box *b, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/exports/%s", b->opt.dir, name);
}

static void end_export(struct box *b, struct disk *d, enum nvmet_off how)
{
	char at[1024];

	if (!d->link[0])
		return;
	link_path(b, d->link, at, sizeof at);
	unlink(at);
	target_off(b, d, how);
	d->link[0] = 0;
	d->is_down = false;
	d->back_ms = 0;
}

void box_export_sync(struct box *b, struct disk *d)
{
	char name[256], at[1024], host[1024];
	struct nvmet *n = b->exports->nvmet;

	if (!d->is_exported || !d->path || b->exports_down_until) {
		end_export(b, d,
			   b->exports_down_until ? NVMET_OFF_FULL : b->opt.nvmet.off);
		return;
	}
	snprintf(name, sizeof name, "%s", d->nqn);
	for (char *c = name; *c; c++)
		if (*c == '/')
			*c = '_';
	if (strcmp(name, d->link) == 0)
		return;
	end_export(b, d, b->opt.nvmet.off);
	box_host_path(b, d->path, host, sizeof host);
	link_path(b, name, at, sizeof at);
	unlink(at);
	if (symlink(host, at) < 0) {
		fprintf(stderr, "rds-sim: symlink %s: %s\n", at, strerror(errno));
		return;
	}
	snprintf(d->link, sizeof d->link, "%s", name);
	d->export_count++;
	d->size = d->file_size;
	/* A namespace that outlived its export is still the same one. */
	if (b->opt.ns_uuid_random && !(n && nvmet_has(n, name)))
		box_uuid(d->ns_uuid);
	target_on(b, d);
}

void box_export_drop(struct box *b, struct disk *d)
{
	d->is_exported = false;
	if (!b->exports)
		return;
	end_export(b, d, NVMET_OFF_FULL);
	if (b->exports->nvmet)
		nvmet_drop_disk(b->exports->nvmet, d->id, b->exports->wait);
}

void box_export_grown(struct box *b, struct disk *d)
{
	struct nvmet_item it = item_of(d, NVMET_GROWN);

	if (b->opt.nvmet.tells_growth && d->link[0])
		submit(b, &it);
}

/* ---- all of them ---- */
static void keeper(struct box *b, enum nvmet_act act)
{
	struct nvmet_item it = { .act = act, .name = KEEPER };

	if (!b->exports->nvmet || find_port(b, NVME_TCP_PORT, &it.port) < 0)
		return;
	b->exports->has_keeper = act == NVMET_ON;
	submit(b, &it);
}

void box_exports_down(struct box *b, uint64_t ms, uint64_t lag_ms)
{
	struct exports *x = b->exports;

	b->exports_down_until = now_ms() + (ms + lag_ms ? ms + lag_ms : 1);
	x->keeper_due = lag_ms ? now_ms() + ms : 0;
	for (struct disk *d = b->first; d; d = d->next) {
		box_export_sync(b, d);
		if (x->nvmet)
			nvmet_drop_disk(x->nvmet, d->id, x->wait);
	}
	b->started_ms = now_ms();
}

/* With them a port that nothing else keeps open goes on listening: the keeper is last. */
static void come_back(struct box *b)
{
	b->exports_down_until = 0;
	batch_begin(b);
	for (struct disk *d = b->first; d; d = d->next)
		box_export_sync(b, d);
	if (b->exports->has_keeper)
		keeper(b, NVMET_OFF);
	batch_end(b);
}

/* ---- what tests do ---- */
static enum nvmet_act undoing(enum nvmet_act act)
{
	switch (act) {
	case NVMET_OFF:
		return NVMET_ON;
	case NVMET_UNLINK:
		return NVMET_LINK;
	case NVMET_REFUSE:
		return NVMET_ADMIT;
	case NVMET_DISABLE:
		return NVMET_ENABLE;
	default:
		return act;
	}
}

static void act_on(struct box *b, struct disk *d, enum nvmet_act act)
{
	struct nvmet_item it = item_of(d, act);

	d->is_down = undoing(act) != act;
	d->back = undoing(act);
	d->back_ms = 0;
	if (act == NVMET_ON)
		target_on(b, d);
	else if (act != NVMET_LINK || disk_port(b, d, &it.port) == 0)
		submit(b, &it);
}

static int set_uuid(struct disk *d, const char *uuid, const char **ret_err)
{
	if (!strcmp(uuid, "new")) {
		box_uuid(d->ns_uuid);
	} else if (strlen(uuid) == sizeof d->ns_uuid - 1) {
		memcpy(d->ns_uuid, uuid, sizeof d->ns_uuid);
	} else if (strcmp(uuid, "same") != 0) {
		*ret_err = "uuid: neither same, new nor a uuid";
		return -1;
	}
	return 0;
}

int box_export_verb(struct box *b, const struct export_verb *v, const char **ret_err)
{
	struct disk *d = box_disk_by_slot(b, v->slot);

	*ret_err = "no such disk, or it is not exported";
	if (!d || !d->link[0])
		return -1;
	if (v->uuid && set_uuid(d, v->uuid, ret_err) < 0)
		return -1;
	if (v->file) {
		free(d->other_file);
		d->other_file = *v->file ? xstrdup(v->file) : NULL;
	}
	batch_begin(b);
	act_on(b, d, v->is_recreate ? NVMET_OFF : v->act);
	if (v->is_recreate && !v->back_ms)
		act_on(b, d, NVMET_ON);
	batch_end(b);
	if (d->is_down && v->back_ms) {
		d->back_ms = now_ms() + v->back_ms;
		b->exports->has_down = true;
	}
	return 0;
}

static void disks_back(struct box *b, uint64_t now)
{
	b->exports->has_down = false;
	for (struct disk *d = b->first; d; d = d->next) {
		if (d->back_ms && now >= d->back_ms)
			act_on(b, d, d->back);
		b->exports->has_down |= d->back_ms != 0;
	}
}

void box_port_off(struct box *b, uint64_t back_ms)
{
	struct exports *x = b->exports;

	x->is_port_off = true;
	x->port_back_ms = back_ms ? now_ms() + back_ms : 0;
	batch_begin(b);
	for (const struct disk *d = b->first; d; d = d->next) {
		struct nvmet_item it = item_of(d, NVMET_UNLINK);

		if (d->link[0])
			submit(b, &it);
	}
	batch_end(b);
}

/* In one go: a host whose own export is not linked yet must not find the port open for
 * longer than it takes. */
void box_port_on(struct box *b)
{
	struct exports *x = b->exports;

	x->is_port_off = false;
	x->port_back_ms = 0;
	batch_begin(b);
	for (const struct disk *d = b->first; d; d = d->next) {
		struct nvmet_item it = item_of(d, NVMET_LINK);

		if (!d->link[0] ||
		    (d->is_down && (d->back == NVMET_ON || d->back == NVMET_LINK)))
			continue;
		if (disk_port(b, d, &it.port) == 0)
			submit(b, &it);
	}
	batch_end(b);
}

void box_exports_tick(struct box *b)
{
	struct exports *x = b->exports;
	uint64_t now = now_ms();

	if (x->keeper_due && now >= x->keeper_due) {
		x->keeper_due = 0;
		keeper(b, NVMET_ON);
	}
	if (b->exports_down_until && now >= b->exports_down_until)
		come_back(b);
	if (x->port_back_ms && now >= x->port_back_ms)
		box_port_on(b);
	if (x->has_down && !x->is_port_off)
		disks_back(b, now);
	if (x->nvmet)
		nvmet_step(x->nvmet);
}

int box_exports_timeout(const struct box *b)
{
	const struct exports *x = b->exports;

	return b->exports_down_until || x->port_back_ms || x->has_down ? TICK_MS : -1;
}

unsigned box_exports_poll(const struct box *b, struct pollfd *fds)
{
	return b->exports->nvmet ? nvmet_poll(b->exports->nvmet, fds) : 0;
}

/* ---- who waits ---- */
void export_begin(struct box *b, struct nvmet_wait *wait)
{
	*wait = (struct nvmet_wait){ 0 };
	b->exports->wait = wait;
}

void export_over(struct box *b)
{
	b->exports->wait = NULL;
}

void export_forget(struct box *b, const struct nvmet_wait *wait)
{
	if (b->exports->nvmet)
		nvmet_forget(b->exports->nvmet, wait);
}

int export_end(struct run *r, struct nvmet_wait *wait, int rc)
{
	struct nvmet *n = r->box->exports->nvmet;

	export_over(r->box);
	if (wait->pending && (!r->hooks || r->atomic))
		nvmet_finish(n, wait);
	while (wait->pending)
		if (run_sleep(r, 2) < 0) {
			nvmet_forget(n, wait);
			return -1;
		}
	if (rc == 0 && wait->err[0])
		return run_error(r, NULL, "failure: %s", wait->err);
	return rc;
}

/* ---- start and end ---- */
static void on_item(void *data, const struct nvmet_item *it, const char *err)
{
	struct box *b = data;
	const struct disk *d = box_disk_by_id(b, it->disk_id);

	box_history(b, NULL, "nvmet",
		    (const char *const[]){ "act", nvmet_act_name(it->act), "nqn",
					   it->name, "slot", d ? d->slot : "",
					   err ? "error" : NULL, err, NULL });
}

/* Links that a killed simulator left; the loaded state makes its own. */
static void clear_links(const struct box *b)
{
	char path[1024], at[2048];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof path, "%s/exports", b->opt.dir);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		snprintf(at, sizeof at, "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			unlink(at);
	}
	if (dir)
		closedir(dir);
}

int box_exports_open(struct box *b)
{
	b->exports = xmalloc(sizeof *b->exports);
	clear_links(b);
	if (!b->opt.nvmet.is_on)
		return 0;
	b->exports->nvmet = nvmet_open(&b->opt.nvmet, b->opt.dir, on_item, b);
	return b->exports->nvmet ? 0 : -1;
}

void box_exports_ready(struct box *b)
{
	if (b->exports->nvmet)
		nvmet_finish_all(b->exports->nvmet);
}

void box_exports_close(struct box *b)
{
	if (!b->exports)
		return;
	nvmet_close(b->exports->nvmet);
	free(b->exports->batch);
	free(b->exports);
	b->exports = NULL;
}
