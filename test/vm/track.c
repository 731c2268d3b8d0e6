#include "vm/track.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/child.h"

enum { WORDS = TRACK_BLOCK / 8, BATCH_MAX = 64 };
static const uint64_t magic = UINT64_C(0x7264732d76626c6b);

/* A block is: magic, seed, number, words that follow from both, and their checksum. */
static uint64_t checksum(const uint64_t *w)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (unsigned i = 0; i < WORDS - 1; i++)
		h = (h ^ w[i]) * UINT64_C(1099511628211);
	return h;
}

static void fill(uint64_t *w, uint64_t seed, uint64_t number)
{
	uint64_t x = seed ^ (number * UINT64_C(0x9e3779b97f4a7c15));

	w[0] = magic;
	w[1] = seed;
	w[2] = number;
	for (unsigned i = 3; i < WORDS - 1; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		w[i] = x;
	}
	w[WORDS - 1] = checksum(w);
}

static off_t place(const struct track *s, uint64_t number)
{
	return (off_t)(s->base + number % s->slots * TRACK_BLOCK);
}

static int open_for_writing(const struct track *s)
{
	return open(s->path,
		    O_WRONLY | O_CLOEXEC | O_CREAT | (s->is_direct ? O_DIRECT : 0), 0600);
}

static int write_blocks(int fd, const struct track *s, uint64_t from, uint64_t n)
{
	_Alignas(TRACK_BLOCK) uint64_t w[WORDS];
	ssize_t done;

	for (uint64_t i = from; i < from + n; i++) {
		fill(w, s->seed, i);
		done = pwrite(fd, w, sizeof(w), place(s, i));
		if (done != (ssize_t)sizeof(w))
			return done < 0 ? errno : EIO;
	}
	return 0;
}

static int sync_blocks(int fd, const struct track *s, uint64_t from, uint64_t n)
{
	int rc = write_blocks(fd, s, from, n);

	return rc == 0 && fsync(fd) ? errno : rc;
}

typedef int write_fn(int fd, const struct track *s, uint64_t from, uint64_t n);

static bool write_by(write_fn *fn, const struct track *s, uint64_t from, uint64_t n)
{
	int fd = open_for_writing(s), rc;

	if (fd < 0)
		return false;
	rc = fn(fd, s, from, n);
	close(fd);
	errno = rc;
	return rc == 0;
}

bool track_write(const struct track *s, uint64_t from, uint64_t n)
{
	return write_by(sync_blocks, s, from, n);
}

bool track_dirty(const struct track *s, uint64_t from, uint64_t n)
{
	return write_by(write_blocks, s, from, n);
}

static bool is_zero(const uint64_t *w)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (w[i])
			return false;
	return true;
}

uint64_t track_least(const struct track *s, uint32_t slot, uint64_t synced)
{
	if (synced <= slot)
		return 0;
	return (synced - 1 - slot) / s->slots * s->slots + slot + 1;
}

bool track_is_block(const void *block, uint64_t seed, uint64_t *ret_number)
{
	const uint64_t *w = block;

	*ret_number = w[2];
	return w[0] == magic && w[1] == seed && w[WORDS - 1] == checksum(w);
}

static void judge(const struct track *s, const uint64_t *w, uint32_t slot, uint64_t least,
		  struct track_seen *seen)
{
	uint64_t number;
	bool is_ours = track_is_block(w, s->seed, &number) && number % s->slots == slot;

	if (is_ours) {
		seen->right++;
		if (w[2] + 1 > seen->next)
			seen->next = w[2] + 1;
		seen->lost += w[2] + 1 < least;
		return;
	}
	seen->lost += least != 0;
	if (w[0] == magic && w[WORDS - 1] == checksum(w))
		seen->foreign++;
	else if (!is_zero(w))
		seen->damaged++;
}

bool track_read(const struct track *s, uint64_t synced, struct track_seen *ret)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | (s->is_direct ? O_DIRECT : 0));
	_Alignas(TRACK_BLOCK) uint64_t w[WORDS];
	bool ok = fd >= 0;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t slot = 0; ok && slot < s->slots; slot++) {
		ssize_t n = pread(fd, w, sizeof(w), place(s, slot));

		if (n == 0) /* a file that was not written so far */
			memset(w, 0, sizeof(w));
		ok = n == 0 || n == (ssize_t)sizeof(w);
		if (ok)
			judge(s, w, slot, track_least(s, slot, synced), ret);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

bool track_check(const struct track *s, uint64_t synced)
{
	struct track_seen seen;

	if (!CHECK(track_read(s, synced, &seen), "%s: %s", s->path, strerror(errno)))
		return false;
	return CHECK(seen.lost == 0 && seen.damaged == 0 && seen.foreign == 0,
		     "%s: %llu blocks lost, %llu damaged, %llu of another track; %llu "
		     "right, next %llu, synced %llu",
		     s->path, (unsigned long long)seen.lost,
		     (unsigned long long)seen.damaged, (unsigned long long)seen.foreign,
		     (unsigned long long)seen.right, (unsigned long long)seen.next,
		     (unsigned long long)synced);
}

/* ---- the writer ---- */

static void write_on(const struct track *s, uint32_t batch, const struct writer *w)
{
	struct writer_shared *sh = w->shared;
	int fd = open_for_writing(s);

	while (!sh->must_end) {
		uint64_t from = sh->synced, began = e2e_now_ms(), took;
		int rc = EIO;

		if (fd < 0)
			fd = open_for_writing(s);
		sh->next = from + batch;
		rc = fd < 0 ? errno : sync_blocks(fd, s, from, batch);
		if (rc == 0) {
			took = e2e_now_ms() - began;
			if (took > sh->longest_ms)
				sh->longest_ms = took;
			sh->synced = from + batch;
			e2e_sleep_ms(w->pause_ms);
			continue;
		}
		sh->last_errno = rc;
		sh->errors++;
		e2e_sleep_ms(20);
	}
}

bool writer_start(struct writer *w, const struct track *s, uint32_t batch)
{
	w->shared = mmap(NULL, sizeof(*w->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(w->shared != MAP_FAILED && batch <= BATCH_MAX, "no writer"))
		return false;
	w->pid = fork();
	if (w->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_on(s, batch, w);
		_exit(0);
	}
	return CHECK(w->pid > 0, "no process");
}

bool writer_advances(struct writer *w, uint64_t blocks, unsigned timeout_ms)
{
	uint64_t goal = w->shared->synced + blocks, end = e2e_now_ms() + timeout_ms;

	while (w->shared->synced < goal) {
		if (e2e_now_ms() >= end)
			return false;
		e2e_sleep_ms(5);
	}
	return true;
}

bool writer_end(struct writer *w, unsigned timeout_ms)
{
	if (w->pid <= 0)
		return true;
	w->shared->must_end = true;
	if (child_wait(w->pid, timeout_ms) == -1)
		return false;
	w->pid = 0;
	return true;
}

void writer_free(struct writer *w)
{
	if (w->pid > 0)
		CHECK(child_end(w->pid, SIGKILL, 60000) != -1,
		      "the writer hangs in the kernel");
	w->pid = 0;
	if (w->shared)
		munmap(w->shared, sizeof(*w->shared));
	w->shared = NULL;
}
