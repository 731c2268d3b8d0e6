#include "e2e/life.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/left.h"

enum { GROWN = 1280 * 1024 * 1024, BLOCK_AT = 5 << 20, BLOCK_GROWN_AT = 1200 << 20 };

/* Counts each mkfs that begins and each that succeeds, whoever ran it; is cut short, or
 * hangs, where a file beside it says so. */
static const char wrapper[] =
	"#!/bin/sh\n"
	"echo begin >>\"$0.log\"\n"
	"for dev; do :; done\n"
	"[ ! -e \"$0.cut\" ] || { rm \"$0.cut\"; printf XFSB >\"$dev\"; "
	"kill -9 $$; }\n"
	"[ ! -e \"$0.hang\" ] || { rm \"$0.hang\"; trap '' TERM; "
	"exec sleep 60; }\n"
	"/sbin/${0##*/} \"$@\" || exit\n"
	"echo success >>\"$0.log\"\n";

static bool make_wrapper(struct life *l)
{
	char path[E2E_PATH];

	l->fs = left_growing_fs();
	(void)mkdir(e2e_path(path, "bin"), 0700);
	if (!left_write(e2e_path(path, "bin/mkfs.%s", l->fs), -1, wrapper))
		return false;
	(void)snprintf(l->env[0], sizeof(l->env[0]), "CRASH_MKFS=%s", path);
	return chmod(path, 0700) == 0;
}

/* After a success nothing may format again. */
static bool mkfs_once(struct life *l)
{
	char path[E2E_PATH], line[64];
	unsigned begun = 0, done = 0;
	FILE *f;

	if (!l->crash)
		return true; /* the plain driver runs the real one */
	f = fopen(e2e_path(path, "bin/mkfs.%s.log", l->fs), "re");
	while (f && fgets(line, sizeof(line), f)) {
		begun += strcmp(line, "begin\n") == 0;
		done += strcmp(line, "success\n") == 0;
		CHECK(strcmp(line, "begin\n") != 0 || !done,
		      "%s: mkfs began again after one had succeeded", l->vol.id);
	}
	if (f)
		fclose(f);
	(void)unlink(path);
	if (l->is_block)
		return CHECK(begun == 0, "%s: a raw block volume was formatted",
			     l->vol.id);
	return CHECK(done == 1, "%s: %u of %u mkfs succeeded", l->vol.id, done, begun);
}

static bool map_crash_file(struct life *l)
{
	char path[E2E_PATH];

	l->crash_fd = open(e2e_path(path, "crash"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (l->crash_fd < 0 || ftruncate(l->crash_fd, sizeof(*l->crash)))
		return false;
	l->crash = mmap(NULL, sizeof(*l->crash), PROT_READ | PROT_WRITE, MAP_SHARED,
			l->crash_fd, 0);
	(void)snprintf(l->env[1], sizeof(l->env[1]), "CRASH_FILE=%s", path);
	return l->crash != MAP_FAILED;
}

static const char *crash_bin(void)
{
	static char path[E2E_PATH];
	const char *bin = getenv("RDS_CSI"), *slash = bin ? strrchr(bin, '/') : NULL;

	if (slash)
		(void)snprintf(path, sizeof(path), "%.*s/test/crash/rds-csi-crash",
			       (int)(slash - bin), bin);
	return path;
}

bool life_open(struct life *l, bool with_hook)
{
	e2e_path(l->sim.dir, "box");
	if (!sim_start(&l->sim) || !CHECK(make_wrapper(l), "no wrapper for mkfs"))
		return false;
	l->env_list[0] = l->env[0];
	if (with_hook) {
		if (!CHECK(map_crash_file(l), "no file to share with the driver"))
			return false;
		l->env_list[1] = l->env[1];
		l->driver.bin = crash_bin();
	}
	l->driver.sim = &l->sim;
	l->driver.is_controller = !l->controller;
	l->driver.is_node = true;
	l->driver.env = l->env_list;
	driver_open(&l->driver);
	return driver_start(&l->driver);
}

void life_close(struct life *l)
{
	driver_close(&l->driver);
	sim_stop(&l->sim);
	if (l->crash) {
		munmap(l->crash, sizeof(*l->crash));
		close(l->crash_fd);
	}
}

struct driver *life_driver(struct life *l, enum vol_step step)
{
	return l->controller && !vol_is_node_step(step) ? l->controller : &l->driver;
}

bool life_rpc(struct life *l, unsigned index, enum vol_step step)
{
	struct driver *d = life_driver(l, step);
	enum err_code code;

	(void)index;
	if (l->want == ERR_OK)
		return vol_must(d, &l->vol, step);
	/* What an earlier attempt has left to be waited for ends before the code comes.
	 */
	for (unsigned i = 0; i < 3000; i++) {
		code = vol_do(d, &l->vol, step);
		if (!vol_may_retry(code))
			break;
		e2e_sleep_ms(10);
	}
	return CHECK(code == l->want, "%s of %s: %s", vol_step_name(step), l->vol.id,
		     rpc_message());
}

/* ---- what is true between the RPCs ---- */

static const char *told_nqn(const struct life *l)
{
	const struct vol_context *c = &l->vol.publish;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->pairs[2 * i], "nvme_nqn") == 0)
			return c->pairs[2 * i + 1];
	return l->nqn;
}

bool life_same_name(struct life *l)
{
	json_t *d = sim_disk(&l->sim, l->vol.id);
	char nqn[300] = "";
	size_t n = strlen(l->vol.id);

	if (d)
		(void)snprintf(nqn, sizeof(nqn), "%s",
			       sim_text(d, "nvme-tcp-server-nqn"));
	json_decref(d);
	if (nqn[0] && !l->nqn[0])
		memcpy(l->nqn, nqn, sizeof(nqn));
	return !nqn[0] ||
	       (CHECK(strlen(nqn) > n && strcmp(nqn + strlen(nqn) - n, l->vol.id) != 0,
		      "%s is the base", nqn) &&
		CHECK(strcmp(nqn, l->nqn) == 0, "%s, now %s", l->nqn, nqn) &&
		CHECK(strcmp(nqn, told_nqn(l)) == 0, "%s, but %s was told", nqn,
		      told_nqn(l)));
}

bool life_one_volume(struct life *l)
{
	json_t *all = sim_get(&l->sim, "/disks"), *d;
	unsigned n = 0;
	size_t i;

	json_array_foreach(all, i, d) n += strcmp(sim_text(d, "slot"), l->vol.id) == 0;
	json_decref(all);
	return life_same_name(l) && CHECK(n == 1, "%u disks %s", n, l->vol.id) &&
	       CHECK(sim_files(&l->sim, l->vol.id) == 1, "%u files of %s",
		     sim_files(&l->sim, l->vol.id), l->vol.id) &&
	       CHECK(sim_image(&l->sim, l->vol.id, l->image, sizeof(l->image)),
		     "no image of %s", l->vol.id);
}

static bool put(struct life *l, const char *name, long at)
{
	char path[E2E_PATH + 16];

	if (l->is_block)
		return CHECK(left_write(l->vol.target, at, l->marker), "write at %ld",
			     at);
	(void)snprintf(path, sizeof(path), "%s/%s", l->vol.target, name);
	return CHECK(left_write(path, -1, l->marker), "write %s", path);
}

static bool is_there(struct life *l, const char *name, long at)
{
	char path[E2E_PATH + 16], text[64] = "";
	size_t n = strlen(l->marker);

	(void)snprintf(path, sizeof(path), "%s%s%s", l->vol.target,
		       l->is_block ? "" : "/", l->is_block ? "" : name);
	return CHECK(left_read(path, l->is_block ? at : 0, text, n) &&
			     memcmp(text, l->marker, n) == 0,
		     "%s: %s is not what was written, but '%.60s'", l->vol.id, name,
		     text);
}

static bool in_image(struct life *l, const char *name, long at)
{
	char path[64], text[4096] = "";
	size_t n = strlen(l->marker);

	(void)snprintf(path, sizeof(path), "/%s", name);
	if (l->is_block)
		(void)left_read(l->image, at, text, n);
	else if (strcmp(l->fs, "ext4") == 0)
		(void)left_read_ext4(l->image, path, text, sizeof(text));
	else
		(void)left_read_mounted(l->image, l->fs, path, text, sizeof(text));
	return CHECK(memcmp(text, l->marker, n) == 0,
		     "%s: the box's own file lacks %s, has '%.60s'", l->vol.id, name,
		     text);
}

bool life_write(struct life *l)
{
	return put(l, "first", BLOCK_AT);
}

bool life_read(struct life *l)
{
	return is_there(l, "first", BLOCK_AT);
}

bool life_on_box(struct life *l)
{
	return life_one_volume(l) && in_image(l, "first", BLOCK_AT);
}

static bool write_second(struct life *l)
{
	return put(l, "second", BLOCK_GROWN_AT) && life_read(l);
}

static bool is_grown(struct life *l)
{
	struct stat st;

	return CHECK(stat(l->image, &st) == 0 && st.st_size == GROWN, "%s: not grown",
		     l->vol.id);
}

static bool check_box(struct life *l)
{
	char state[E2E_PATH];

	e2e_path(state, "driver.state");
	return CHECK(!l->nothing_left || l->nothing_left(l), "%s: something is left",
		     l->vol.id) &&
	       CHECK(left_loops(e2e_dir()) == 0, "%s: a loop device is left",
		     l->vol.id) &&
	       CHECK(left_mounts(e2e_dir()) == 0, "%s: a mount is left", l->vol.id) &&
	       in_image(l, "first", BLOCK_AT) && in_image(l, "second", BLOCK_GROWN_AT) &&
	       life_one_volume(l);
}

static bool check_read(struct life *l)
{
	return life_read(l) && is_there(l, "second", BLOCK_GROWN_AT);
}

static bool is_off(struct life *l)
{
	json_t *d = sim_disk(&l->sim, l->vol.id);
	bool on = sim_is_on(d, "nvme-tcp-export");

	json_decref(d);
	return CHECK(!on, "%s is exported while nobody holds it", l->vol.id);
}

bool life_is_deleted(struct life *l)
{
	json_t *d = sim_disk(&l->sim, l->vol.id);
	char path[E2E_PATH + 200];
	bool gone = d == NULL;

	json_decref(d);
	(void)snprintf(path, sizeof(path), "%s/pool/vol-%s", l->sim.dir, l->vol.id);
	(void)rmdir(l->vol.staging);
	return CHECK(gone, "%s is still on the box", l->vol.id) &&
	       CHECK(sim_files(&l->sim, l->vol.id) == 0, "a file of %s is left",
		     l->vol.id) &&
	       CHECK(access(path, F_OK) != 0, "the subvolume of %s is left", l->vol.id);
}

bool life_is_gone(struct life *l)
{
	return life_is_deleted(l) && mkfs_once(l);
}
#define DO LIFE_DO
#define SEE LIFE_SEE

static const struct life_item whole_life[] = {
	DO(VOL_CREATE),
	SEE(life_one_volume),
	DO(VOL_PUBLISH),
	SEE(life_one_volume),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(life_write),
	DO(VOL_EXPAND),
	SEE(is_grown),
	DO(VOL_NODE_EXPAND),
	SEE(write_second),
	DO(VOL_NODE_UNPUBLISH),
	DO(VOL_UNSTAGE),
	SEE(check_box),
	DO(VOL_UNPUBLISH),
	SEE(is_off),
	DO(VOL_PUBLISH),
	DO(VOL_STAGE),
	DO(VOL_NODE_PUBLISH),
	SEE(check_read),
	DO(VOL_NODE_UNPUBLISH),
	DO(VOL_UNSTAGE),
	SEE(check_box),
	DO(VOL_UNPUBLISH),
	SEE(is_off),
	DO(VOL_DELETE),
	SEE(life_is_gone),
	{ 0 },
};
_Static_assert(sizeof(whole_life) / sizeof(whole_life[0]) <= (size_t)LIFE_MAX,
	       "a longer life");

static bool is_end(const struct life_item *item)
{
	return item->step == VOL_CREATE && !item->check;
}

static bool live(struct life *l, unsigned i, const struct life_item *item)
{
	if (item->check)
		return item->check(l);
	if (item->step == VOL_EXPAND)
		l->vol.want_bytes = GROWN;
	l->want = item->want;
	return (l->rpc ? l->rpc : life_rpc)(l, i, item->step);
}

bool life_run(struct life *l)
{
	const struct life_item *items = l->items ? l->items : whole_life;
	char id[64];

	(void)snprintf(id, sizeof(id), "pvc-life-%c-%u", l->is_block ? 'b' : 'm', l->n++);
	vol_init(&l->vol, id);
	l->nqn[0] = '\0';
	l->vol.is_block = l->is_block;
	l->vol.fs = l->fs;
	for (unsigned i = 0; l->parameters && i < 8 && l->parameters[i]; i++)
		l->vol.parameters[i] = l->parameters[i];
	(void)snprintf(l->marker, sizeof(l->marker), "%.30s %016llx\n", id,
		       (unsigned long long)e2e_random());
	for (unsigned i = 0; i == 0 || !is_end(&items[i]); i++)
		if (!live(l, i, &items[i])) {
			e2e_note("%s: the life ended at item %u (%s)", id, i,
				 items[i].check ? "a check"
						: vol_step_name(items[i].step));
			return false;
		}
	return true;
}
