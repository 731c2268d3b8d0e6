#include "vm/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/left.h"

enum { BLOCK_AT = 1 << 20, SLOTS = 256 };
static const char prefix[] = "nqn.2000-02.com.mikrotik:";
static const char mkfs_log[] = "/tmp/mkfs.log"; /* test/vm/mkfs writes it */

static void sim_arguments(struct lab *l)
{
	const size_t cap = sizeof(l->sim_argv) / sizeof(l->sim_argv[0]);
	const char *const *more = l->sim_args;
	size_t n = 0;

	l->sim_argv[n++] = "--export";
	l->sim_argv[n++] = "nvmet";
	l->sim_argv[n++] = "--nvmet-address";
	l->sim_argv[n++] = l->address ? l->address : "127.0.0.1";
	while (more && *more && n < cap - 1)
		l->sim_argv[n++] = *more++;
	l->sim_argv[n] = NULL;
	l->sim.args = l->sim_argv;
}

bool lab_open(struct lab *l)
{
	struct driver *d = &l->driver;

	kern_mark();
	e2e_path(l->sim.dir, "box");
	sim_arguments(l);
	d->sim = l->no_sim ? NULL : &l->sim;
	d->is_controller = !l->no_controller;
	d->is_node = !l->no_node;
	d->is_nvme = true;
	d->known_nodes = l->known_nodes ? l->known_nodes : "node-a,node-b";
	d->args = l->driver_args;
	if (!l->no_driver)
		driver_open(d);
	if (!l->no_sim && !sim_start(&l->sim))
		return false;
	return l->no_driver || driver_start(d);
}

void lab_close(struct lab *l)
{
	if (!l->no_driver)
		driver_close(&l->driver);
	CHECK(kern_sessions_under(prefix) == 0, "a session is left");
	CHECK(left_mounts(e2e_dir()) == 0, "a mount is left");
	/* What a failed test left goes while its target is there: without it an unmount
	 * would never end. */
	left_clean(e2e_dir());
	kern_end_under(prefix);
	if (!l->no_sim)
		sim_stop(&l->sim);
}

void lab_vol(struct lab *l, struct vol *v, const char *id)
{
	vol_init(v, id);
	if (!l->address)
		return;
	v->parameters[0] = "nvmeAddress";
	v->parameters[1] = l->address;
}

bool lab_steps(struct lab *l, struct vol *v, enum vol_step first, enum vol_step last)
{
	for (enum vol_step s = first; s <= last; s++)
		if (s != VOL_EXPAND && s != VOL_NODE_EXPAND &&
		    !vol_must(&l->driver, v, s))
			return false;
	return true;
}

bool lab_up(struct lab *l, struct vol *v)
{
	return lab_steps(l, v, VOL_CREATE, VOL_NODE_PUBLISH);
}

bool lab_down(struct lab *l, struct vol *v)
{
	return lab_steps(l, v, VOL_NODE_UNPUBLISH, VOL_UNPUBLISH);
}

static const char *find(const struct vol_context *c, const char *key)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->pairs[2 * i], key) == 0)
			return c->pairs[2 * i + 1];
	return NULL;
}

const char *lab_context(const struct vol *v, const char *key)
{
	const char *value = find(&v->publish, key);

	if (!value)
		value = find(&v->context, key);
	return value ? value : "";
}

const char *lab_nqn(const struct vol *v)
{
	const char *published = find(&v->publish, "nvme_nqn");

	return published ? published : lab_context(v, "nqn");
}

/* Of the id alone: blocks of an earlier life would be told as right, look before you
 * write. */
static uint64_t seed_of(const struct vol *v)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const char *p = v->id; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	return h;
}

void lab_track(const struct vol *v, struct track *s)
{
	*s = (struct track){ .seed = seed_of(v), .slots = SLOTS };
	s->base = v->is_block ? BLOCK_AT : 0;
	(void)snprintf(s->path, sizeof(s->path), v->is_block ? "%.240s" : "%.240s/track",
		       v->target);
}

bool lab_mount_image(struct lab *l, const struct vol *v)
{
	char image[300], at[E2E_PATH];
	const char *const argv[] = { "/bin/mount", "-t",      v->fs ? v->fs : "ext4",
				     "-o",	   "loop,ro", image,
				     at,	   NULL };

	if (!CHECK(sim_image(&l->sim, v->id, image, sizeof(image)), "no image of %s",
		   v->id))
		return false;
	e2e_path(at, "box-mount");
	(void)mkdir(at, 0700);
	return CHECK(child_run(argv, NULL, 0) == 0, "the box's file of %s has no %s",
		     v->id, argv[2]);
}

bool lab_umount_image(void)
{
	char at[E2E_PATH];
	const char *const argv[] = { "/bin/umount", e2e_path(at, "box-mount"), NULL };

	return CHECK(child_run(argv, NULL, 0) == 0, "%s stays mounted", at);
}

bool lab_data_right(struct lab *l, const struct vol *v, uint64_t synced)
{
	struct track s;
	bool ok;

	lab_track(v, &s);
	kern_drop_caches();
	if (v->is_block)
		return CHECK(sim_image(&l->sim, v->id, s.path, sizeof(s.path)),
			     "no image of %s", v->id) &&
		       track_check(&s, synced);
	if (!lab_mount_image(l, v))
		return false;
	ok = track_check((e2e_path(s.path, "box-mount/track"), &s), synced);
	return lab_umount_image() && ok;
}

bool lab_is_gone(const struct vol *v, const char *nqn)
{
	char device[KERN_NAME];

	return CHECK(kern_sessions(nqn) == 0, "%u controllers of %s are left",
		     kern_sessions(nqn), nqn) &&
	       CHECK(!kern_device(nqn, device), "%s of %s is left", device, nqn) &&
	       CHECK(kern_mounts_with(v->staging) == 0, "%s is in mountinfo",
		     v->staging) &&
	       CHECK(kern_mounts_with(v->target) == 0, "%s is in mountinfo", v->target) &&
	       CHECK(access(v->target, F_OK) != 0, "%s is left", v->target);
}

static unsigned count_lines(const char *text)
{
	FILE *f = fopen(mkfs_log, "re");
	char line[300];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strncmp(line, text, strlen(text)) == 0;
	if (f)
		fclose(f);
	return n;
}

unsigned lab_mkfs_begun(void)
{
	return count_lines("begin ");
}

unsigned lab_mkfs_done(void)
{
	return count_lines("success ");
}
