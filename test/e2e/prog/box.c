/* Exact sizes; what is not a volume of ours is never touched; a thousand volumes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "e2e/e2e.h"
#include "e2e/fds.h"
#include "e2e/left.h"
#include "e2e/vol.h"

#define MIB (1LL << 20)
#define GIB (1LL << 30)
#define TIB (1LL << 40)

static struct sim sim;
static struct driver driver;
enum { SESSIONS = 4 }; /* --rds-sessions, by default */

static bool open_box(const char *const *driver_args)
{
	memset(&sim, 0, sizeof(sim));
	memset(&driver, 0, sizeof(driver));
	e2e_path(sim.dir, "box");
	driver.sim = &sim;
	driver.is_controller = true;
	driver.known_nodes = "node-a,node-b";
	driver.args = driver_args;
	if (!sim_start(&sim))
		return false;
	driver_open(&driver);
	return driver_start(&driver);
}

static void close_box(void)
{
	driver_close(&driver);
	sim_stop(&sim);
}

/* ---- sizes ---- */

static const struct {
	long long want, limit, size; /* size 0: OUT_OF_RANGE */
} sizes[] = {
	{ 0, 0, GIB },
	{ 1, 0, GIB },
	{ GIB - 1, 0, GIB },
	{ GIB, GIB, GIB },
	{ 3 * GIB / 2 + 1, 0, 3 * GIB / 2 + MIB },
	{ 2500 * MIB, 0, 2500 * MIB },
	{ 2500 * MIB, 2500 * MIB, 2500 * MIB },
	{ 16 * TIB, 0, 16 * TIB },
	{ 16 * TIB - 1, 0, 16 * TIB },
	{ 16 * TIB + 1, 0, 0 },
	{ 1, GIB - 1, 0 },
	{ GIB + 1, GIB + 1, 0 },
	{ GIB + 1, GIB + MIB, GIB + MIB },
	{ INT64_MAX, 0, 0 },
};

static bool size_on_box(const struct vol *v, long long size)
{
	json_t *d = sim_disk(&sim, v->id);
	char image[300];
	struct stat st = { 0 };
	long long told = (long long)json_integer_value(json_object_get(d, "size"));

	json_decref(d);
	(void)(sim_image(&sim, v->id, image, sizeof(image)) && stat(image, &st));
	return CHECK(told == size && st.st_size == size,
		     "%s: disk %lld, file %lld, not %lld", v->id, told,
		     (long long)st.st_size, size);
}

static void one_size(unsigned i, const char *layout)
{
	struct vol v;
	char id[64];
	enum err_code code;

	(void)snprintf(id, sizeof(id), "pvc-size-%u-%s", i, layout);
	vol_init(&v, id);
	v.want_bytes = sizes[i].want;
	v.limit_bytes = sizes[i].limit;
	v.parameters[0] = "layout";
	v.parameters[1] = layout;
	code = vol_do(&driver, &v, VOL_CREATE);
	if (!sizes[i].size) {
		CHECK(code == ERR_RANGE, "row %u: %s", i, rpc_message());
		CHECK(sim_files(&sim, id) == 0, "row %u left a file", i);
		return;
	}
	if (!CHECK(code == ERR_OK, "row %u: %s", i, rpc_message()))
		return;
	CHECK(v.size_bytes == sizes[i].size, "row %u: the answer says %lld", i,
	      v.size_bytes);
	size_on_box(&v, sizes[i].size);
	if (sizes[i].size < 16 * TIB) {
		v.want_bytes = sizes[i].size + 1;
		v.limit_bytes = 0;
		CHECK(vol_do(&driver, &v, VOL_EXPAND) == ERR_OK, "row %u: %s", i,
		      rpc_message());
		CHECK(v.size_bytes == sizes[i].size + MIB, "row %u: grown to %lld", i,
		      v.size_bytes);
		size_on_box(&v, sizes[i].size + MIB);
		v.want_bytes = GIB; /* never smaller */
		CHECK(vol_do(&driver, &v, VOL_EXPAND) == ERR_OK, "row %u: %s", i,
		      rpc_message());
		size_on_box(&v, sizes[i].size + MIB);
	}
	vol_must(&driver, &v, VOL_DELETE);
}

/* The pool lies on tmpfs: ext4 cannot hold a file of 16 TiB. */
static void exact_sizes(void)
{
	char dir[E2E_PATH];

	(void)mkdir(e2e_path(dir, "box"), 0700);
	if (!CHECK(mount("e2e", dir, "tmpfs", 0, "size=64m") == 0, "tmpfs: %s",
		   strerror(errno)))
		return;
	if (open_box(NULL)) {
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			one_size(i, "file");
			one_size(i, "subvolume");
		}
		close_box();
	}
	CHECK(umount(dir) == 0, "umount: %s", strerror(errno));
}

/* ---- what is not ours ---- */

#define DISK(slot, path, comment)                                                       \
	"/disk/add type=\"file\" slot=\"" slot "\" file-path=\"/storage-pool/" path     \
	"\" file-size=\"1073741824\" mount-filesystem=\"no\" nvme-tcp-server-nqn=\"nqn" \
	".2000-02.com.mikrotik:" slot "\" comment=\"" comment "\""
#define OURS "rds-csi:1 0123abcd c=e2e g=0 s=ok h=- b=0 q=-"

static const char *const foreign[] = {
	DISK("pvc-comment", "metal-csi/pvc-comment.img", "the cellar camera"),
	DISK("pvc-other", "metal-csi/pvc-other.img",
	     "rds-csi:1 0123abcd c=other g=0 s=ok h=- b=0 q=-"),
	DISK("pvc-version", "metal-csi/pvc-version.img",
	     "rds-csi:9 0123abcd c=e2e g=0 s=ok h=- b=0 q=-"),
	DISK("pvc-torn", "metal-csi/pvc-torn.img", "rds-csi:1 0123abcd c=e2e g=0"),
	DISK("pvc-bare", "metal-csi/pvc-bare.img", ""),
	DISK("pvc-outside", "pvc-outside.img", OURS),
	DISK("pvc-elsewhere", "metal-csi/another.img", OURS),
	DISK("pvc-volname", "metal-csi/vol-pvc-volname", OURS),
	NULL,
};
static const char *const handles[] = {
	"raid1",	 "nvme1",	"pvc-comment", "pvc-other",
	"pvc-version",	 "pvc-torn",	"pvc-bare",    "pvc-outside",
	"pvc-elsewhere", "pvc-volname", NULL,
};

static bool refused(const char *id, enum vol_step step)
{
	struct vol v;
	char nqn[300];
	enum err_code code;

	vol_init(&v, id);
	v.node = "node-a";
	v.want_bytes = 2 * GIB;
	(void)snprintf(nqn, sizeof(nqn), "nqn.2000-02.com.mikrotik:%s", id);
	v.context.pairs[0] = "nqn";
	v.context.pairs[1] = nqn;
	v.context.n = 1;
	code = vol_do(&driver, &v, step);
	if (step == VOL_CREATE)
		return CHECK(code == ERR_EXISTS || code == ERR_PRECONDITION, "%s %s: %s",
			     vol_step_name(step), id, rpc_message());
	return CHECK(code == ERR_PRECONDITION, "%s %s: %s", vol_step_name(step), id,
		     rpc_message());
}

static void foreign_untouched(void)
{
	static const enum vol_step steps[] = { VOL_PUBLISH,   VOL_EXPAND, VOL_DELETE,
					       VOL_UNPUBLISH, VOL_CREATE, VOL_DELETE };
	char pool[300], image[300], *before, *after;
	unsigned long long hash;

	if (!open_box(NULL))
		return;
	for (unsigned i = 0; foreign[i]; i++) {
		char *out = sim_exec(&sim, foreign[i]);

		CHECK(out && !strstr(out, "failure") && !strstr(out, "error"), "%s: %s",
		      foreign[i], out ? out : "?");
		free(out);
	}
	for (unsigned i = 2; handles[i]; i++)
		CHECK(sim_image(&sim, handles[i], image, sizeof(image)) &&
			      left_write(image, 4096, "somebody's data"),
		      "%s has no image", handles[i]);
	(void)snprintf(pool, sizeof(pool), "%s/pool", sim.dir);
	before = sim_get_text(&sim, "/disks");
	hash = left_hash_tree(pool);
	for (unsigned s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
		for (unsigned i = 0; handles[i]; i++)
			refused(handles[i], steps[s]);
	after = sim_get_text(&sim, "/disks");
	CHECK(before && after && strcmp(before, after) == 0, "the box has changed");
	CHECK(left_hash_tree(pool) == hash, "a file on the box has changed");
	for (unsigned i = 0; strncmp(handles[i], "pvc-outside", 11) != 0; i++)
		CHECK(vol_listed(&driver, handles[i]) == 0, "%s is listed", handles[i]);
	free(before);
	free(after);
	close_box();
}

/* The same for a file that lies there without a disk: a delete of such an id may remove
 * only what has a volume's exact place; a directory is none. */
static void shape_of_files(void)
{
	char path[400];

	if (!open_box(NULL))
		return;
	(void)snprintf(path, sizeof(path), "%s/pool/metal-csi/notes.txt", sim.dir);
	CHECK(left_write(path, -1, "keep"), "no file");
	refused("raid1", VOL_DELETE);
	for (const char *const *id =
		     (const char *const[]){ "notes.txt", "notes", "..", ".", "metal-csi",
					    "../raid1", NULL };
	     *id; id++) {
		struct vol v;

		vol_init(&v, *id);
		CHECK(vol_do(&driver, &v, VOL_DELETE) == ERR_OK, "%s: %s", *id,
		      rpc_message());
	}
	CHECK(sim_files(&sim, NULL) == 1, "a file was removed or made");
	close_box();
}

/* ---- a thousand volumes ---- */

enum { MANY = 1000, AT_ONCE = 16, PAGE = 97 };
static struct vol many[MANY];

static bool each(enum vol_step step, unsigned n)
{
	static struct rpc_call calls[AT_ONCE];
	bool ok = true;

	for (unsigned i = 0; i < n; i += AT_ONCE) {
		for (unsigned k = 0; k < AT_ONCE && i + k < n; k++)
			vol_start(&driver, &many[i + k], step, &calls[k]);
		for (unsigned k = 0; k < AT_ONCE && i + k < n; k++) {
			enum err_code code =
				vol_end(&driver, &many[i + k], step, &calls[k]);

			ok &= CHECK(code == ERR_OK, "%s %s: %s", vol_step_name(step),
				    many[i + k].id, rpc_message());
		}
	}
	return ok;
}

/* Follows the tokens; every volume must come exactly once. */
static void list_pages(unsigned n)
{
	static unsigned char seen[MANY];
	char token[300] = "";
	unsigned total = 0, pages = 0;

	memset(seen, 0, sizeof(seen));
	do {
		Csi__V1__ListVolumesRequest *req = rpc_request("ListVolumes");
		const Csi__V1__ListVolumesResponse *r;
		struct rpc_call c;

		req->max_entries = PAGE;
		req->starting_token = rpc_text(token);
		rpc_start(&driver, &c, "ListVolumes", req, 0);
		token[0] = '\0';
		if (CHECK(rpc_wait(&driver, &c) == ERR_OK, "%s", rpc_message())) {
			r = (const void *)c.answer;
			CHECK(r->n_entries <= PAGE, "%zu entries", r->n_entries);
			for (size_t i = 0; i < r->n_entries; i++) {
				const Csi__V1__Volume *v = r->entries[i]->volume;
				unsigned k = MANY;

				(void)sscanf(v->volume_id, "pvc-many-%u", &k);
				if (CHECK(k < n, "%s is listed", v->volume_id)) {
					CHECK(!seen[k], "%s comes twice", v->volume_id);
					CHECK(v->capacity_bytes == many[k].size_bytes,
					      "%s: %lld", v->volume_id,
					      (long long)v->capacity_bytes);
					seen[k] = 1;
					total++;
				}
			}
			(void)snprintf(token, sizeof(token), "%s", r->next_token);
		}
		rpc_free(&c);
		rpc_reset();
	} while (token[0] && ++pages < 1000);
	CHECK(total == n, "%u of %u are listed", total, n);
}

static void make_list_delete(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "pvc-many-%u", i);
		memset(&many[i], 0, sizeof(many[i]));
		(void)snprintf(many[i].id, sizeof(many[i].id), "%s", id);
		many[i].want_bytes = GIB + (long long)(i % 7) * MIB;
	}
	if (!each(VOL_CREATE, n))
		return;
	for (unsigned i = 0; i < n; i++)
		CHECK(many[i].size_bytes == GIB + (long long)(i % 7) * MIB, "%s: %lld",
		      many[i].id, many[i].size_bytes);
	CHECK(sim_stat(&sim, "disks") == (long)n && sim_files(&sim, NULL) == n,
	      "%ld disks, %u files", sim_stat(&sim, "disks"), sim_files(&sim, NULL));
	list_pages(n);
	each(VOL_DELETE, n);
	CHECK(sim_stat(&sim, "disks") == 0 && sim_files(&sim, NULL) == 0,
	      "%ld disks, %u files are left", sim_stat(&sim, "disks"),
	      sim_files(&sim, NULL));
	CHECK(vol_listed(&driver, "pvc-many-0") == 0, "still listed");
}

/* A first small round opens the sessions and fills the caches of malloc and the
 * libraries. */
static void thousand_volumes(void)
{
	struct fds before, after;
	long rss, more;

	if (!open_box(NULL))
		return;
	make_list_delete(AT_ONCE * 2);
	rss = driver_rss_kib(&driver);
	fds_settle(&driver, 0, &before);
	make_list_delete(MANY);
	fds_settle(&driver, before.own, &after);
	e2e_note("RSS %ld KiB before, %ld after; fds %u and %u to the box, then %u and "
		 "%u; %ld execs, %ld at once",
		 rss, driver_rss_kib(&driver), before.own, before.box, after.own,
		 after.box, sim_stat(&sim, "execs"), sim_stat(&sim, "execs_peak"));
	more = driver_rss_kib(&driver) - rss;
	CHECK(more <= 1024, "%ld KiB more", more);
	CHECK(after.box <= SESSIONS, "%u connections with the box", after.box);
	close_box();
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "exact_sizes", exact_sizes, true },
		{ "foreign_untouched", foreign_untouched, false },
		{ "shape_of_files", shape_of_files, false },
		{ "thousand_volumes", thousand_volumes, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
