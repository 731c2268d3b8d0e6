#include "nvme/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "nvme/helper_verbs.h"

static const struct {
	const char *name;
	int n_args;
	helper_verb_fn *run;
} verbs[] = {
	{ "nothing", 0, helper_nothing },
	{ "loop-attach", 2, helper_loop_attach },
	{ "loop-detach", 2, helper_loop_detach },
	{ "loop-rescan", 1, helper_loop_rescan },
	{ "ask", 6, helper_ask },
	{ "nvme-attach", 9, helper_nvme_attach },
	{ "nvme-detach", 2, helper_nvme_detach },
	{ "nvme-cut", 2, helper_nvme_cut },
	{ "nvme-cut-others", 3, helper_nvme_cut_others },
	{ "nvme-rescan", 3, helper_nvme_rescan },
	{ "prove", 1, helper_prove },
	{ "wipe", 1, helper_wipe },
	{ "probe", 2, helper_probe },
	{ "mount", 6, helper_mount },
	{ "bind", 3, helper_bind },
	{ "bind-node", 3, helper_bind_node },
	{ "unmount", 2, helper_unmount },
	{ "sync", 4, helper_sync },
	{ "stats", 1, helper_stats },
	{ "track-write", 4, helper_track_write },
	{ "track-read", 3, helper_track_read },
};

/* Busy may pass by itself; a lost device is out of reach; the rest is as the user or the
 * administrator left it. */
static enum err_code code_of(int e)
{
	switch (e) {
	case EBUSY:
	case EAGAIN:
	case EINTR:
		return ERR_ABORTED;
	case ENOMEM:
	case ENOSPC:
	case EMFILE:
	case ENFILE:
		return ERR_EXHAUSTED;
	case EIO:
	case ENXIO:
	case ENODEV:
	case ETIMEDOUT:
		return ERR_UNAVAILABLE;
	default:
		return ERR_PRECONDITION;
	}
}

int helper_fail(struct err *err, const char *what, const char *path)
{
	int e = errno;

	return err_set(err, code_of(e), "%s %.120s: %s", what, path, strerror(e));
}

uint64_t helper_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int helper_add_device(int fd, const char *path, struct reply *r, struct err *err)
{
	uint64_t size;
	struct stat st;

	if (fstat(fd, &st) || ioctl(fd, BLKGETSIZE64, &size))
		return helper_fail(err, "size of", path);
	reply_add_str(r, "device", path);
	reply_add_u64(r, "size", size);
	reply_add_u64(r, "major", major(st.st_rdev));
	reply_add_u64(r, "minor", minor(st.st_rdev));
	return 0;
}

/* Always said, both ways: the flag of the kernel's block device object outlives the
 * image that was attached to it. */
int helper_set_readonly(int fd, const char *mode, struct err *err)
{
	int on = strcmp(mode, "ro") == 0;

	return ioctl(fd, BLKROSET, &on) ? helper_fail(err, "set", mode) : 0;
}

int helper_nothing(char *const *argv, struct reply *r, struct err *err)
{
	(void)argv;
	(void)err;
	reply_add_u64(r, "refused", 0);
	return 0;
}

static int run(int argc, char **argv, struct reply *r, struct err *err)
{
	const char *verb = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, verb) == 0 && argc - 2 == verbs[i].n_args)
			return verbs[i].run(argv + 2, r, err);
	return err_set(err, ERR_INTERNAL, "helper: %.32s with %d arguments", verb,
		       argc - 2);
}

/* One that is too long would be cut, and is no valid line then. */
size_t helper_answer(int argc, char **argv, char *out, size_t max)
{
	static struct reply r;
	struct err err = { .code = ERR_OK };
	size_t n;

	(void)umask(022);
	reply_begin(&r);
	if (run(argc, argv, &r, &err))
		reply_begin(&r);
	reply_add_u64(&r, "code", (uint64_t)err.code);
	reply_add_str(&r, "msg", err.msg);
	reply_end(&r);
	n = strlen(r.text);
	n = n < max ? n : max;
	memcpy(out, r.text, n);
	return n;
}

/* Killed by SIGTERM like any other; the default dispositions are those of the spawner. */
int helper_main(int argc, char **argv)
{
	static char line[REPLY_MAX];
	size_t n = helper_answer(argc, argv, line, sizeof(line));

	_exit(write(STDOUT_FILENO, line, n) == (ssize_t)n ? 0 : 1);
}
