#include "vm/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 * TRACK_BLOCK };

static uint64_t ms_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_nsec / 1000000;
}

uint64_t scan_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return ms_of(&now);
}

static void take_piece(struct scan *s, const char *piece, ssize_t n, uint64_t at,
		       uint64_t seed)
{
	uint64_t number;

	for (ssize_t i = 0; i + TRACK_BLOCK <= n; i += TRACK_BLOCK)
		if (track_is_block(piece + i, seed, &number)) {
			s->numbers[(at + (uint64_t)i) / TRACK_BLOCK] = number + 1;
			s->found++;
		}
}

/* From one stretch of data to the next. */
static bool read_data(struct scan *s, int fd, uint64_t seed)
{
	static _Alignas(TRACK_BLOCK) char piece[PIECE];
	off_t at = 0, end;
	ssize_t n;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		at -= at % TRACK_BLOCK;
		end = lseek(fd, at, SEEK_HOLE);
		for (; at < end; at += n) {
			n = pread(fd, piece, sizeof(piece), at);
			if (n <= 0)
				return false;
			take_piece(s, piece, n, (uint64_t)at, seed);
		}
	}
	return errno == ENXIO;
}

bool scan_take(struct scan *s, const char *path, uint64_t seed)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok = false;

	memset(s, 0, sizeof(*s));
	if (fd >= 0 && fstat(fd, &st) == 0) {
		s->n = (uint64_t)st.st_size / TRACK_BLOCK;
		s->numbers = calloc(s->n + 1, sizeof(*s->numbers));
		ok = s->numbers && read_data(s, fd, seed) && fstat(fd, &st) == 0;
		s->written_ms = ms_of(&st.st_mtim);
	}
	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %s", path, strerror(errno));
}

void scan_free(struct scan *s)
{
	free(s->numbers);
	s->numbers = NULL;
}

uint64_t scan_arrived(const struct scan *early, const struct scan *later)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < early->n && i < later->n; i++)
		n += later->numbers[i] != 0 && later->numbers[i] != early->numbers[i];
	return n;
}

uint64_t scan_lost(const struct scan *s, const struct track *t, uint64_t synced)
{
	uint64_t n = 0;

	for (uint32_t slot = 0; slot < t->slots; slot++)
		n += s->numbers[t->base / TRACK_BLOCK + slot] <
		     track_least(t, slot, synced);
	return n;
}
