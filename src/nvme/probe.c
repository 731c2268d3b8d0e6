#include "nvme/probe.h"

#include <stdio.h>
#include <string.h>

#include "nvme/fs.h"

bool probe_stretch(uint64_t size, unsigned i, uint64_t *ret_offset, size_t *ret_n)
{
	uint64_t edge = size < PROBE_EDGE ? size : PROBE_EDGE;

	if (i == 0 || i == 1) {
		*ret_offset = i ? size - edge : 0;
		*ret_n = (size_t)edge;
		return true;
	}
	i -= 2;
	if (i >= PROBE_N_SAMPLES)
		return false;
	*ret_offset = size / PROBE_N_SAMPLES * i;
	*ret_n = PROBE_SAMPLE;
	if (*ret_n > size - *ret_offset)
		*ret_n = (size_t)(size - *ret_offset);
	return true;
}

size_t probe_first_set(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i])
		return i;
	/* Zero so far: the rest is, too, when each byte equals the one before it. */
	if (n < 2 || memcmp(p, p + 1, n - 1) == 0)
		return n;
	while (!p[i])
		i++;
	return i;
}

static void other(struct nvme_content *c, const char *what, uint64_t at)
{
	c->kind = NVME_OTHER;
	(void)snprintf(c->found, sizeof(c->found), "%s %llu", what,
		       (unsigned long long)at);
}

static void other_text(struct nvme_content *c, const char *what, const char *name)
{
	c->kind = NVME_OTHER;
	(void)snprintf(c->found, sizeof(c->found), "%s%s", what, name);
}

static void remains(struct nvme_content *c, uint64_t at)
{
	other(c, "no known signature, but data at byte", at);
	c->is_remains = true;
}

static void found(const struct probe_facts *f, struct nvme_content *c)
{
	if (!f->type[0]) {
		other_text(c, "a partition table: ", f->table);
		return;
	}
	if (strcmp(f->usage, "filesystem") != 0 || !fs_is_known(f->type)) {
		other_text(c, "a signature: ", f->type);
		return;
	}
	if (f->is_unfinished) {
		other_text(c, "an unfinished file system: ", f->type);
		c->is_remains = true;
		return;
	}
	c->kind = NVME_FS;
	(void)snprintf(c->fs_type, sizeof(c->fs_type), "%.*s", NVME_FS_MAX, f->type);
	(void)snprintf(c->fs_uuid, sizeof(c->fs_uuid), "%.*s", NVME_UUID_MAX, f->uuid);
	c->fs_size_bytes = f->fs_size_bytes;
	c->is_dirty = f->is_dirty;
}

void probe_classify(const struct probe_facts *f, struct nvme_content *c)
{
	*c = (struct nvme_content){ .kind = NVME_OTHER };
	if (f->size_bytes == 0)
		other_text(c, "a device of unknown size", "");
	else if (f->has_read_error)
		other(c, "a read error at byte", f->read_error_at);
	else if (f->blkid == PROBE_BLKID_ERROR)
		other_text(c, "a device that libblkid cannot probe", "");
	else if (f->blkid == PROBE_BLKID_AMBIVALENT)
		other_text(c, "more than one signature", "");
	else if (f->blkid == PROBE_BLKID_FOUND)
		found(f, c);
	else if (f->has_set_byte)
		remains(c, f->set_byte_at);
	else
		c->kind = NVME_BLANK;
}
