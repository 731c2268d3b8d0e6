/* Devices that hold something which is no file system of ours, or that cannot be read:
 * none is ever formatted, the answer names what was found, and what the failed stage
 * attached is gone again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/child.h"
#include "vm/answer.h"
#include "vm/image.h"
#include "vm/lab.h"
#include "vm/store.h"

enum { GIB = 1 << 30, MIB = 1 << 20 };
static struct lab lab;

static bool write_random(const char *image, long long at, size_t n)
{
	unsigned char *bytes = malloc(n);
	bool ok;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)e2e_below(256);
	ok = image_write(image, at, bytes, n);
	free(bytes);
	return ok;
}

/* Known by its magic, and not to be believed: its checksum is wrong. */
static bool flip_checksum(const char *image)
{
	unsigned char sum[4];

	if (!image_read(image, 1024 + 0x3fc, sum, sizeof(sum)))
		return false;
	for (size_t i = 0; i < sizeof(sum); i++)
		sum[i] ^= 0xff;
	return image_write(image, 1024 + 0x3fc, sum, sizeof(sum));
}

static bool foreign_broken(const char *image)
{
	return image_format(image, "0b0e0c00-1111-4222-8333-0123456789ab") &&
	       flip_checksum(image);
}

static bool lost_magic(const char *image)
{
	return image_format(image, "0b0e0c01-1111-4222-8333-0123456789ab") &&
	       image_write(image, 1024 + 0x38, "\0", 2);
}

static bool partition_table(const char *image)
{
	unsigned char mbr[512] = { 0 };

	memcpy(mbr + 446, "\0\x20\x21\0\x83\xfe\xff\xff\0\x08\0\0\0\0\x10\0", 16);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	return image_write(image, 0, mbr, sizeof(mbr));
}

static bool random_inside(const char *image)
{
	return write_random(image, GIB / 100 * 37LL, MIB);
}

static bool unknown_signature(const char *image)
{
	return image_write(image, 0, "NOTAFILESYSTEM01", 16);
}

/* Another file system than the one that is asked for is nobody's to replace. */
static bool other_fs(const char *image)
{
	const char *const argv[] = { "/bin/real/mkfs.xfs", "-q", "-f", image, NULL };

	return CHECK(child_run(argv, NULL, 0) == 0, "mkfs.xfs failed");
}

static const struct content {
	const char *id, *word;
	bool (*put)(const char *image);
	bool had_a_life;
} contents[] = {
	{ "pvc-own", "damaged", flip_checksum, true },
	{ "pvc-broken", "0b0e0c00", foreign_broken, false },
	{ "pvc-no-magic", "at byte 1026", lost_magic, false },
	{ "pvc-partitions", "dos", partition_table, false },
	{ "pvc-inside", "at byte 3974", random_inside, false },
	{ "pvc-unknown", "at byte 0", unknown_signature, false },
	{ "pvc-xfs", "xfs", other_fs, false },
};

/* The stage is refused, and leaves nothing. */
static void refused(struct vol *v, const char *word)
{
	unsigned begun = lab_mkfs_begun();

	answer_is(&lab.driver, v, VOL_STAGE, ERR_PRECONDITION, word);
	e2e_note("%s: %s", v->id, rpc_message());
	lab_is_gone(v, lab_nqn(v));
	CHECK(!answer_is_recorded(&lab.driver, v), "%s: a record is left", v->id);
	CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
}

static void one(const struct content *c)
{
	char image[300];
	struct vol v;
	uint64_t before;

	lab_vol(&lab, &v, c->id);
	if (!lab_steps(&lab, &v, VOL_CREATE, VOL_PUBLISH) ||
	    (c->had_a_life && !lab_steps(&lab, &v, VOL_STAGE, VOL_STAGE)) ||
	    (c->had_a_life && !lab_steps(&lab, &v, VOL_UNSTAGE, VOL_UNSTAGE)) ||
	    !CHECK(sim_image(&lab.sim, v.id, image, sizeof(image)), "no image") ||
	    !c->put(image))
		return;
	before = image_hash(image);
	refused(&v, c->word);
	if (c->had_a_life)
		refused(&v, c->word); /* nor by a call after the first */
	CHECK(before && image_hash(image) == before, "%s was changed", image);
	lab_steps(&lab, &v, VOL_UNPUBLISH, VOL_DELETE);
}

static void unknown(void)
{
	lab = (struct lab){ 0 };
	if (lab_open(&lab))
		for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
			one(&contents[i]);
	lab_close(&lab);
}

static bool begin(struct vol *v, const char *id)
{
	lab = (struct lab){ 0 };
	if (!lab_open(&lab))
		return false;
	lab_vol(&lab, v, id);
	return lab_steps(&lab, v, VOL_CREATE, VOL_PUBLISH);
}

static void end(struct vol *v)
{
	store_serve(&lab.sim, v->id, "same", "");
	lab_steps(&lab, v, VOL_UNPUBLISH, VOL_DELETE);
	lab_close(&lab);
}

static void unreadable(void)
{
	struct store store = { .name = "headless" };
	char image[300];
	struct vol v;

	if (!begin(&v, "pvc-unreadable"))
		return;
	if (sim_image(&lab.sim, v.id, image, sizeof(image)) &&
	    store_open(&store, image, 4096) &&
	    store_serve(&lab.sim, v.id, "same", store.device))
		refused(&v, "read error");
	store_serve(&lab.sim, v.id, "same", "");
	store_close(&store);
	end(&v);
}

static void empty(void)
{
	char nothing[E2E_PATH];
	struct vol v;

	if (!begin(&v, "pvc-empty"))
		return;
	if (image_make(e2e_path(nothing, "nothing"), 0) &&
	    store_serve(&lab.sim, v.id, "same", nothing))
		refused(&v, "size 0");
	end(&v);
}

static const struct e2e_test tests[] = { { "unknown", unknown, true },
					 { "unreadable", unreadable, true },
					 { "empty", empty, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
