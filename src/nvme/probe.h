#ifndef NVME_PROBE_H
#define NVME_PROBE_H
#include <stddef.h>

#include "nvme/nvme.h"

/* The blank proof, as pure judgement over facts that the helper collected. A device is
 * blank only when its size is known, libblkid found nothing and made no error, and the
 * first and last MiB and 4 KiB at each 1/4096 of the device were read and are zero.
 * blkid(8) is no help here: it says "nothing found" for a device that cannot be read too
 * (seen with util-linux 2.38.1). */
enum { PROBE_EDGE = 1024 * 1024, PROBE_SAMPLE = 4096, PROBE_N_SAMPLES = 4096 };

/* What libblkid's safe probe returned. */
enum probe_blkid {
	PROBE_BLKID_FOUND,
	PROBE_BLKID_NOTHING,
	PROBE_BLKID_AMBIVALENT,
	PROBE_BLKID_ERROR,
};

struct probe_facts {
	uint64_t size_bytes;
	enum probe_blkid blkid;
	char type[32], usage[32], uuid[NVME_UUID_MAX + 1], table[32];
	bool is_unfinished; /* the superblock's own word */
	uint64_t fs_size_bytes;
	bool is_dirty;
	bool has_read_error, has_set_byte;
	uint64_t read_error_at, set_byte_at; /* offsets; where several, the first met */
};

void probe_classify(const struct probe_facts *f, struct nvme_content *ret);

/* The i-th stretch to read, in the order of reading. False when there is no more. */
bool probe_stretch(uint64_t size_bytes, unsigned i, uint64_t *ret_offset, size_t *ret_n);
/* Offset of the first byte that is not zero, or n. */
size_t probe_first_set(const unsigned char *p, size_t n);
#endif
