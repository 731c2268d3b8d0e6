#include "vm/hand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "vm/kern.h"

#define NVMET "/sys/kernel/config/nvmet"
enum { PATH_CAP = 400 };

static bool put(const char *dir, const char *name, const char *text)
{
	char path[PATH_CAP];
	int rc;

	(void)snprintf(path, sizeof(path), "%.300s/%s", dir, name);
	rc = kern_put(path, text);
	return CHECK(rc == 0, "%s: %s", path, strerror(rc));
}

static bool make_image(const struct hand_export *e)
{
	int fd = open(e->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 &&
		  (st.st_size || ftruncate(fd, e->size_bytes) == 0);

	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %s", e->image, strerror(errno));
}

static bool make_subsystem(const struct hand_export *e, const char *subsystem)
{
	char ns[PATH_CAP];

	(void)snprintf(ns, sizeof(ns), "%.300s/namespaces/1", subsystem);
	if (!CHECK(mkdir(subsystem, 0700) == 0, "%s: %s", subsystem, strerror(errno)))
		return false;
	return put(subsystem, "attr_allow_any_host", "1") &&
	       CHECK(mkdir(ns, 0700) == 0, "%s: %s", ns, strerror(errno)) &&
	       put(ns, "device_path", e->image) && put(ns, "buffered_io", "1") &&
	       (!e->uuid || put(ns, "device_uuid", e->uuid)) && put(ns, "enable", "1");
}

bool hand_export(const struct hand_export *e)
{
	char subsystem[PATH_CAP], port[64], link[PATH_CAP], number[16];

	(void)snprintf(subsystem, sizeof(subsystem), NVMET "/subsystems/%.230s", e->nqn);
	(void)snprintf(port, sizeof(port), NVMET "/ports/%u", e->port_id);
	(void)snprintf(link, sizeof(link), "%s/subsystems/%.230s", port, e->nqn);
	(void)snprintf(number, sizeof(number), "%u", e->port);
	if (!make_image(e) || !make_subsystem(e, subsystem))
		return false;
	if (mkdir(port, 0700) == 0)
		put(port, "addr_trtype", "tcp"), put(port, "addr_adrfam", "ipv4"),
			put(port, "addr_traddr", "127.0.0.1"),
			put(port, "addr_trsvcid", number);
	return CHECK(symlink(subsystem, link) == 0, "%s: %s", link, strerror(errno));
}

bool hand_unexport(const struct hand_export *e)
{
	char path[PATH_CAP], ns[PATH_CAP];

	(void)snprintf(path, sizeof(path), NVMET "/ports/%u/subsystems/%.230s",
		       e->port_id, e->nqn);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), NVMET "/ports/%u", e->port_id);
	(void)rmdir(path); /* stays while it exports others */
	(void)snprintf(path, sizeof(path), NVMET "/subsystems/%.230s", e->nqn);
	(void)snprintf(ns, sizeof(ns), "%.300s/namespaces/1", path);
	return put(ns, "enable", "0") &&
	       CHECK(rmdir(ns) == 0 && rmdir(path) == 0, "%s: %s", path, strerror(errno));
}

int hand_connect(const struct hand_session *s)
{
	char text[1024];
	int fd = open("/dev/nvme-fabrics", O_RDWR | O_CLOEXEC), number = -1, rc;
	ssize_t n;

	if (fd < 0)
		return -errno;
	(void)snprintf(
		text, sizeof(text),
		"transport=tcp,traddr=%s,trsvcid=%u,nqn=%s,hostnqn=%s,hostid=%s%s%s",
		s->address ? s->address : "127.0.0.1", s->port, s->nqn, s->hostnqn,
		s->hostid, s->options ? "," : "", s->options ? s->options : "");
	rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	n = rc ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (rc)
		return rc;
	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "instance=%d", &number) == 1 ? number : -EPROTO;
}

bool hand_disconnect(int number)
{
	char path[PATH_CAP];

	(void)snprintf(path, sizeof(path), "/sys/class/nvme/nvme%d/delete_controller",
		       number);
	return kern_put(path, "1") == 0;
}
