#include "e2e/fds.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

enum { LISTENS = 0x10000 }; /* __SO_ACCEPTCON among the flags of /proc/net/unix */

/* Whether a socket is a connection that was accepted: it bears the name that the one that
 * listens was bound to (not its path of now, for it was renamed into place). A child's
 * pipes have none. */
static bool is_call(unsigned long inode)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512], name[300];
	unsigned long n;
	unsigned flags;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %*s %*s %x %*s %*s %lu %299s", &flags, &n,
			       name) == 3 &&
			n == inode && !(flags & LISTENS);
	if (f)
		fclose(f);
	return found;
}

static bool is_box(const struct driver *d, unsigned long inode)
{
	FILE *f = fopen("/proc/net/tcp", "re");
	char line[512];
	unsigned long n;
	unsigned port;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %*s %*x:%x %*s %*s %*s %*s %*s %*s %lu", &port,
			       &n) == 2 &&
			n == inode && port == d->sim->ssh_port;
	if (f)
		fclose(f);
	return found;
}

bool fds_of(const struct driver *d, struct fds *ret)
{
	char path[64], text[64];
	unsigned long inode;
	struct dirent *e;
	DIR *dir;

	*ret = (struct fds){ 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)d->pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, text, sizeof(text) - 1);

		if (n < 0) /* . and .., or closed just now */
			continue;
		text[n] = '\0';
		if (sscanf(text, "socket:[%lu]", &inode) != 1)
			ret->own++;
		else if (is_call(inode))
			ret->calls++;
		else if (is_box(d, inode))
			ret->box++;
		else
			ret->own++;
	}
	closedir(dir);
	return true;
}

bool fds_settle(const struct driver *d, unsigned wanted, struct fds *ret)
{
	uint64_t end = e2e_now_ms() + 60000;
	bool is_there, is_so;

	do {
		is_there = fds_of(d, ret);
		is_so = is_there && !ret->calls && (!wanted || ret->own == wanted);
		if (!is_so)
			e2e_sleep_ms(5);
	} while (is_there && !is_so && e2e_now_ms() < end);
	return CHECK(is_so, "%u descriptors and %u accepted connections, %u wanted",
		     ret->own, ret->calls, wanted);
}
