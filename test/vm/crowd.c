#include "vm/crowd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "csi/ids.h"
#include "e2e/child.h"
#include "vm/elder.h"
#include "vm/kubelet.h"

enum { CALL_MS = 600000, TOLD = 5, LIST_CAP = 8192 };

/* ---- volumes that were in use before */

/* Superblock and its UUID: Linux, Documentation/filesystems/ext4/super.rst. */
enum { SIZE = 64 << 20, BLOCK = 4096, MAX_BLOCKS = 512, UUID_AT = 1024 + 0x68 };

/* The blocks of a file system that are not zeroes. */
struct mould {
	unsigned n;
	off_t at[MAX_BLOCKS];
	unsigned char block[MAX_BLOCKS][BLOCK];
};

static bool read_mould(struct mould *m, const char *path)
{
	static const unsigned char zeroes[BLOCK];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0;

	m->n = 0;
	for (off_t at = 0; ok && at < SIZE; at += BLOCK) {
		ok = m->n < MAX_BLOCKS && pread(fd, m->block[m->n], BLOCK, at) == BLOCK;
		m->at[m->n] = at;
		m->n += ok && memcmp(m->block[m->n], zeroes, BLOCK) != 0;
	}
	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %u blocks", path, m->n);
}

/* Without checksums, so that another UUID is 16 other bytes. */
static bool make_mould(struct mould *m)
{
	char path[E2E_PATH];
	const char *const argv[] = { "/bin/mkfs.ext4",
				     "-q",
				     "-F",
				     "-N64",
				     "-b4096",
				     "-Jsize=4",
				     "-Elazy_journal_init=1",
				     "-O^metadata_csum,^uninit_bg",
				     e2e_path(path, "mould"),
				     "64M",
				     NULL };

	return CHECK(child_run(argv, NULL, 0) == 0, "no file system") &&
	       read_mould(m, path);
}

static void uuid_of(const struct vol *v, unsigned char out[16])
{
	char text[UUID_TEXT], *p = text;

	id_fs_uuid(v->id, text);
	for (unsigned i = 0; i < 16; i++, p += 2) {
		p += *p == '-';
		(void)sscanf(p, "%2hhx", &out[i]);
	}
}

/* Not asked of the box, which would list all of its disks for each. */
static bool cast(const struct mould *m, const struct sim *box, const struct vol *v)
{
	char path[600];
	unsigned char uuid[16];
	bool ok;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/pool/metal-csi/%s.img", box->dir, v->id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok = fd >= 0;
	uuid_of(v, uuid);
	for (unsigned i = 0; ok && i < m->n; i++)
		ok = pwrite(fd, m->block[i], BLOCK, m->at[i]) == BLOCK;
	ok = ok && pwrite(fd, uuid, sizeof(uuid), UUID_AT) == sizeof(uuid);
	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: no image", v->id);
}

static bool make_one(struct lab *l, struct vol *v, const struct mould *m)
{
	v->want_bytes = SIZE;
	if (!kubelet_place(v) || !elder_create(&l->sim, v) || !cast(m, &l->sim, v))
		return false;
	elder_put(&v->context, "fsIdentity", "volume-id");
	/* Else those that are there already take the CPU, sending keep-alives. */
	elder_put(&v->context, "keepAliveTmo", "120");
	return true;
}

bool crowd_make(struct lab *l, struct vol *all, unsigned n, const char *name)
{
	struct mould *m = malloc(sizeof(*m));
	bool ok = CHECK(m, "memory") && make_mould(m);
	char id[64];

	for (unsigned i = 0; ok && i < n; i++) {
		(void)snprintf(id, sizeof(id), "%.40s-%03u", name, i);
		lab_vol(l, &all[i], id);
		ok = make_one(l, &all[i], m);
	}
	free(m);
	return ok;
}

/* ext4 makes the number of the two halves of its UUID. */
bool crowd_is_staged(const struct vol *v)
{
	unsigned char uuid[16];
	uint64_t half[2], seen;
	struct statfs st;

	uuid_of(v, uuid);
	memcpy(half, uuid, sizeof(half));
	half[0] ^= half[1];
	if (!CHECK(statfs(v->staging, &st) == 0, "%s", v->staging))
		return false;
	memcpy(&seen, &st.f_fsid, sizeof(seen));
	return CHECK(seen == half[0], "%s: not its own file system", v->staging);
}

/* ---- all at once */

static int64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t crowd_do(struct driver *d, struct vol *all, unsigned n, enum vol_step step)
{
	struct rpc_call *calls = calloc(n, sizeof(*calls));
	unsigned call_ms = d->call_ms, n_failed = 0;
	int64_t began = now_us();

	if (!CHECK(calls, "memory"))
		return -1;
	d->call_ms = CALL_MS;
	for (unsigned i = 0; i < n; i++)
		vol_start(d, &all[i], step, &calls[i]);
	for (unsigned i = 0; i < n; i++) {
		enum err_code code = vol_end(d, &all[i], step, &calls[i]);

		if (code != ERR_OK && n_failed++ < TOLD)
			CHECK(false, "%s of %s: %s", vol_step_name(step), all[i].id,
			      rpc_message());
	}
	d->call_ms = call_ms;
	free(calls);
	return CHECK(!n_failed, "%s: %u of %u failed", vol_step_name(step), n_failed, n)
		       ? now_us() - began
		       : -1;
}

/* ---- how many connects at a time */

static bool is_connecting(const char *pid)
{
	char path[64], link[300], to[64];
	bool found = false;
	struct dirent *e;
	ssize_t n;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		(void)snprintf(link, sizeof(link), "%s/%.200s", path, e->d_name);
		n = readlink(link, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		found = strcmp(to, "/dev/nvme-fabrics") == 0;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Children of the process that have begun to connect: the kernel lets one after the
 * other do it, so most of them wait in there. */
static unsigned count_connecting(pid_t of)
{
	static char list[LIST_CAP];
	char path[64], *save = NULL;
	unsigned count = 0;
	int fd;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)of, (int)of);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, list, sizeof(list) - 1) : 0;
	if (fd >= 0)
		close(fd);
	list[n > 0 ? n : 0] = '\0';
	for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save))
		count += is_connecting(t);
	return count;
}

static void read_log(struct crowd_connects *c, int log)
{
	char record[8192];
	ssize_t n;

	while ((n = read(log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[n > 0 ? n : 0] = '\0';
		c->lost += n < 0;
		c->n += strstr(record, "new ctrl: NQN") != NULL;
		errno = 0;
	}
}

static void watch(struct crowd_connects *c, pid_t of, int log)
{
	unsigned now;

	for (;;) {
		read_log(c, log);
		now = count_connecting(of);
		if (now > c->most)
			c->most = now;
		e2e_sleep_ms(20);
	}
}

bool crowd_watch_start(struct crowd_watch *w, const struct driver *d)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	w->seen = mmap(NULL, sizeof(*w->seen), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(w->seen != MAP_FAILED && log >= 0 && lseek(log, 0, SEEK_END) >= 0,
		   "no watcher"))
		return false;
	w->pid = fork();
	if (w->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		watch(w->seen, d->pid, log);
	}
	close(log);
	return CHECK(w->pid > 0, "no process");
}

struct wanted {
	const struct crowd_connects *seen;
	unsigned n;
};

static bool is_all(const void *arg)
{
	const struct wanted *w = arg;

	return w->seen->n >= w->n;
}

struct crowd_connects crowd_watch_end(struct crowd_watch *w, unsigned n)
{
	struct wanted wanted = { w->seen, n };
	struct crowd_connects seen;

	kern_until(is_all, &wanted, 60000);
	CHECK(child_end(w->pid, SIGKILL, 60000) != -1, "the watcher does not end");
	seen = *w->seen;
	munmap(w->seen, sizeof(*w->seen));
	return seen;
}
