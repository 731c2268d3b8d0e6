#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "core/proc.h"
#include "core/str.h"
#include "nvme/helper_verbs.h"
#include "nvme/sysfs.h"
#include "nvme/track.h"

enum { AFTER_ERROR_MS = 20 };

static uint64_t block[TRACK_BLOCK / 8] __attribute__((aligned(TRACK_BLOCK)));

static struct track_shared *map(struct err *err)
{
	void *p = mmap(NULL, sizeof(struct track_shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED, PROC_FD, 0);

	if (p != MAP_FAILED)
		return p;
	(void)helper_fail(err, "map", "the shared memory");
	return NULL;
}

/* While it is open no other device can come under its number: what sysfs says of that is
 * said of this one, and a device that has just come under the name is not written to. */
static bool is_of(int fd, const char *nqn)
{
	char now[NVME_NQN_MAX + 1];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) &&
	       sysfs_attr(now, sizeof(now), "/sys/dev/block/%u:%u/device/subsysnqn",
			  major(st.st_rdev), minor(st.st_rdev)) == 0 &&
	       strcmp(now, nqn) == 0;
}

static int open_track(const char *device, const char *nqn, int how, struct err *err)
{
	int fd = open(device, how | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		return helper_fail(err, "open", device);
	if (is_of(fd, nqn))
		return fd;
	(void)close(fd);
	return err_set(err, ERR_PRECONDITION, "%.64s is no device of %.150s", device,
		       nqn);
}

static void write_on(int fd, struct track_shared *s, uint64_t seed, unsigned writer)
{
	const struct timespec pause = { .tv_nsec = AFTER_ERROR_MS * 1000000 };
	struct track_writer *w = &s->writers[writer];
	uint64_t n = 0;

	while (!atomic_load(&s->must_end)) {
		track_fill(block, seed, writer, n);
		if (pwrite(fd, block, sizeof(block), (off_t)track_offset(writer, n)) ==
		    (ssize_t)sizeof(block)) {
			atomic_store(&w->accepted_ms, helper_now_ms());
			atomic_store(&w->accepted, ++n);
			continue;
		}
		atomic_fetch_add(&w->errors, 1);
		(void)nanosleep(&pause, NULL);
	}
}

/* Each write waits for the one before it, as those of a database do; what a dead path
 * refuses is tried again, as long as it takes. */
int helper_track_write(char *const *argv, struct reply *r, struct err *err)
{
	struct track_shared *s = map(err);
	uint64_t seed, writer;
	int fd;

	(void)r;
	if (!s)
		return -1;
	if (str_to_u64(argv[2], &seed) || str_to_u64(argv[3], &writer) ||
	    writer >= TRACK_WRITERS)
		return err_set(err, ERR_INTERNAL, "no such writer");
	fd = open_track(argv[0], argv[1], O_WRONLY, err);
	if (fd < 0)
		return -1;
	write_on(fd, s, seed, (unsigned)writer);
	(void)close(fd);
	return 0;
}

int helper_track_read(char *const *argv, struct reply *r, struct err *err)
{
	struct track_shared *s = map(err);
	uint64_t seed;
	int fd;

	(void)r;
	if (!s)
		return -1;
	if (str_to_u64(argv[2], &seed))
		return err_set(err, ERR_INTERNAL, "no such track");
	fd = open_track(argv[0], argv[1], O_RDONLY, err);
	if (fd < 0)
		return -1;
	for (unsigned i = 0; i < TRACK_WRITERS * TRACK_SLOTS; i++) {
		unsigned writer = i / TRACK_SLOTS, slot = i % TRACK_SLOTS;

		if (pread(fd, block, sizeof(block), (off_t)track_offset(writer, slot)) !=
		    (ssize_t)sizeof(block))
			return helper_fail(err, "read", argv[0]);
		s->seen[writer][slot] = track_number(block, seed, writer);
	}
	(void)close(fd);
	return 0;
}
