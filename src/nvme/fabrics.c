#include "nvme/fabrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int append(char out[FABRICS_LINE_MAX], const char *name, const char *value)
{
	size_t n = strlen(out), m = FABRICS_LINE_MAX - n;
	int k = snprintf(out + n, m, "%s%s=%s", n ? "," : "", name, value);

	return k < 0 || (size_t)k >= m || !*value || strpbrk(value, ", \t\n") ? -1 : 0;
}

static int append_settings(char out[FABRICS_LINE_MAX], const char *text)
{
	static const char *const names[FABRICS_SETTINGS] = {
		"nr_io_queues",	   "queue_size",     "ctrl_loss_tmo",
		"reconnect_delay", "keep_alive_tmo", "fast_io_fail_tmo",
	};
	int v[FABRICS_SETTINGS];
	char number[16];

	if (sscanf(text, "%d,%d,%d,%d,%d,%d", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) !=
	    FABRICS_SETTINGS)
		return -1;
	for (unsigned i = 0; i < FABRICS_SETTINGS; i++) {
		(void)snprintf(number, sizeof(number), "%d", v[i]);
		if (v[i] != NVME_UNSET && append(out, names[i], number))
			return -1;
	}
	return 0;
}

int fabrics_line(const struct fabrics *to, char out[FABRICS_LINE_MAX], struct err *err)
{
	out[0] = '\0';
	if (append(out, "nqn", to->nqn) || append(out, "transport", "tcp") ||
	    append(out, "traddr", to->address) || append(out, "trsvcid", to->port) ||
	    append(out, "hostnqn", to->host_nqn) || append(out, "hostid", to->host_id) ||
	    append_settings(out, to->settings))
		return err_set(err, ERR_INTERNAL, "cannot connect by: %.120s", out);
	return 0;
}

int fabrics_ctrl(const char *answer, char out[NVME_CTRL_MAX + 1])
{
	unsigned number;

	if (sscanf(answer, "instance=%9u", &number) != 1)
		return -1;
	(void)snprintf(out, NVME_CTRL_MAX + 1, "nvme%u", number);
	return 0;
}

/* EIO is what the kernel makes of every refusal. */
int fabrics_fail(int error, struct err *err)
{
	if (error == EIO)
		return err_set(err, ERR_UNAVAILABLE,
			       "the target refuses: it exports no such NQN, or not to "
			       "this host");
	return err_set(err, ERR_UNAVAILABLE, "connect: %s", strerror(error));
}

int fabrics_connect(const struct fabrics *to, char ret[NVME_CTRL_MAX + 1],
		    struct err *err)
{
	char line[FABRICS_LINE_MAX], answer[64] = "";
	int fd, error = 0;
	ssize_t n = -1;

	if (fabrics_line(to, line, err))
		return -1;
	fd = open("/dev/nvme-fabrics", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_PRECONDITION, "/dev/nvme-fabrics: %s",
			       strerror(errno));
	if (write(fd, line, strlen(line)) < 0)
		error = errno;
	else
		n = read(fd, answer, sizeof(answer) - 1);
	(void)close(fd);
	answer[n > 0 ? n : 0] = '\0';
	/* What is there is looked at; as is a session that cannot be named. */
	if (error == EALREADY || (!error && fabrics_ctrl(answer, ret))) {
		ret[0] = '\0';
		return 0;
	}
	return error ? fabrics_fail(error, err) : 0;
}
