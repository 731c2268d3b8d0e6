#include "vm/kern.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "e2e/e2e.h"

/* The first line of a file; "" when it cannot be read. */
static void read_line(const char *path, char *out, int cap)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(out, cap, f))
		out[0] = '\0';
	if (f)
		fclose(f);
	out[strcspn(out, "\n")] = '\0';
}

int kern_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = errno;
	close(fd);
	return rc;
}

bool kern_is_multipath(void)
{
	char text[8];

	read_line("/sys/module/nvme_core/parameters/multipath", text, sizeof(text));
	return text[0] == 'Y';
}

bool kern_is(const char *version)
{
	struct utsname u;
	size_t n = strlen(version);

	return uname(&u) == 0 && strncmp(u.release, version, n) == 0 &&
	       u.release[n] == '.';
}

struct sessions {
	unsigned n, live;
	char first_state[32], first_name[64];
};

static void read_attribute(const char *controller, const char *name, char *out, int cap)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "/sys/class/nvme/%.60s/%s", controller, name);
	read_line(path, out, cap);
}

/* nqn NULL: all; is_prefix: those that begin so. */
static void look_for(const char *nqn, bool is_prefix, struct sessions *s)
{
	DIR *dir = opendir("/sys/class/nvme");
	struct dirent *e;
	char text[300];

	memset(s, 0, sizeof(*s));
	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, "nvme", 4) != 0)
			continue;
		read_attribute(e->d_name, "subsysnqn", text, sizeof(text));
		if (nqn && (is_prefix ? strncmp(nqn, text, strlen(nqn))
				      : strcmp(nqn, text)) != 0)
			continue;
		read_attribute(e->d_name, "state", text, sizeof(text));
		if (s->n++ == 0) {
			(void)snprintf(s->first_state, sizeof(s->first_state), "%.30s",
				       text);
			(void)snprintf(s->first_name, sizeof(s->first_name), "%.60s",
				       e->d_name);
		}
		s->live += strcmp(text, "live") == 0;
	}
	if (dir)
		closedir(dir);
}

void kern_end_under(const char *prefix)
{
	struct sessions s;
	char path[300];

	for (unsigned i = 0; i < 1000; i++) {
		look_for(prefix, true, &s);
		(void)snprintf(path, sizeof(path),
			       "/sys/class/nvme/%.60s/delete_controller", s.first_name);
		if (!s.n || kern_put(path, "1"))
			return;
	}
}

static void look(const char *nqn, struct sessions *s)
{
	look_for(nqn, false, s);
}

unsigned kern_sessions_under(const char *prefix)
{
	struct sessions s;

	look_for(prefix, true, &s);
	return s.n;
}

unsigned kern_sessions(const char *nqn)
{
	struct sessions s;

	look(nqn, &s);
	return s.n;
}

unsigned kern_live(const char *nqn)
{
	struct sessions s;

	look(nqn, &s);
	return s.live;
}

const char *kern_state(const char *nqn)
{
	static struct sessions s;

	look(nqn, &s);
	return s.first_state;
}

/* With multipath the device's parent is the subsystem, without the controller; both have
 * the NQN. The path devices nvmeXcYnZ are hidden. */
bool kern_device(const char *nqn, char out[KERN_NAME])
{
	DIR *dir = opendir("/sys/block");
	struct dirent *e;
	char path[300], text[300];
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		if (strncmp(e->d_name, "nvme", 4) != 0 || strchr(e->d_name, 'c'))
			continue;
		(void)snprintf(path, sizeof(path), "/sys/block/%.40s/device/subsysnqn",
			       e->d_name);
		read_line(path, text, sizeof(text));
		found = strcmp(text, nqn) == 0;
		if (found)
			(void)snprintf(out, KERN_NAME, "/dev/%.40s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool kern_is_free(const char *device)
{
	int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO;
	close(fd);
	return true;
}

long long kern_size(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	unsigned long long size = 0;
	int rc = fd < 0 ? -1 : ioctl(fd, BLKGETSIZE64, &size);

	if (fd >= 0)
		close(fd);
	return rc ? -1 : (long long)size;
}

unsigned kern_mounts_with(const char *text)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return n;
}

unsigned kern_layers(const char *mount_point)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], at[1024];
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "%*s %*s %*s %*s %1023s", at) == 1 &&
		     strcmp(at, mount_point) == 0;
	if (f)
		fclose(f);
	return n;
}

void kern_drop_caches(void)
{
	CHECK(kern_put("/proc/sys/vm/drop_caches", "3") == 0, "caches stay");
}

long kern_dirty_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[200];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "Dirty: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* /dev/kmsg gives one record at each read, "PRIORITY,NUMBER,…;TEXT", from the oldest on.
 */
static unsigned long long marked;

/* The number of the last record; whether one after the number from has the text. */
static unsigned long long read_log(unsigned long long from, const char *text, bool *ret)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned long long number = 0;
	char record[8192];
	ssize_t n = -1;

	*ret = false;
	while (fd >= 0) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue; /* overwritten meanwhile: the oldest that is left comes
				     next */
		if (n <= 0)
			break;
		record[n] = '\0';
		(void)sscanf(record, "%*[^,],%llu", &number);
		if (text && number > from && strstr(record, text))
			*ret = true;
	}
	if (fd >= 0)
		close(fd);
	return number;
}

void kern_mark(void)
{
	bool ignored;

	marked = read_log(0, NULL, &ignored);
}

bool kern_said(const char *text)
{
	bool found;

	(void)read_log(marked, text, &found);
	return found;
}

void kern_expect(const char *regex)
{
	fprintf(stderr, "vm: expect %s\n", regex);
}

bool kern_until(bool (*is_true)(const void *arg), const void *arg, unsigned timeout_ms)
{
	uint64_t end = e2e_now_ms() + timeout_ms;

	while (!is_true(arg)) {
		if (e2e_now_ms() >= end)
			return false;
		e2e_sleep_ms(5);
	}
	return true;
}

static bool is_gone(const void *nqn)
{
	return kern_sessions(nqn) == 0;
}

/* The kernel makes a disk's node before the disk can be opened; this link comes between.
 */
static bool is_live(const void *nqn)
{
	char device[KERN_NAME], bdi[KERN_NAME + 20];
	int fd = -1;

	if (kern_live(nqn) == 0 || !kern_device(nqn, device))
		return false;
	(void)snprintf(bdi, sizeof(bdi), "/sys/block/%s/bdi", device + strlen("/dev/"));
	if (access(bdi, F_OK) == 0)
		fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_lost(const void *nqn)
{
	struct sessions s;

	look(nqn, &s);
	return s.live < s.n || s.n == 0;
}

bool kern_until_gone(const char *nqn, unsigned timeout_ms)
{
	return kern_until(is_gone, nqn, timeout_ms);
}

bool kern_until_live(const char *nqn, unsigned timeout_ms)
{
	return kern_until(is_live, nqn, timeout_ms);
}

bool kern_until_lost(const char *nqn, unsigned timeout_ms)
{
	return kern_until(is_lost, nqn, timeout_ms);
}
