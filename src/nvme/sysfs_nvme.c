#include "nvme/sysfs_nvme.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "nvme/sysfs.h"

bool nvme_is_name_of(const char *nqn, const char *base)
{
	size_t n = strlen(base);

	if (!n || strncmp(nqn, base, n) != 0)
		return false;
	return !nqn[n] || (nqn[n] == '.' && nqn[n + 1] == 'g' && nqn[n + 2] >= '0' &&
			   nqn[n + 2] <= '9');
}

bool nvme_is_host_in(const char *host_nqn, const char *hosts)
{
	size_t n = strlen(host_nqn);

	while (n && *hosts) {
		size_t m = strcspn(hosts, ",");

		if (m == n && memcmp(hosts, host_nqn, n) == 0)
			return true;
		hosts += m + (hosts[m] == ',');
	}
	return false;
}

/* drivers/nvme/host/sysfs.c, nvme_sysfs_show_state. */
enum nvme_state nvme_state_of(const char *s)
{
	if (strcmp(s, "live") == 0)
		return NVME_LIVE;
	if (str_starts_with(s, "deleting") || strcmp(s, "dead") == 0)
		return NVME_GOING;
	return NVME_RECOVERING;
}

static bool is_wanted(const struct nvme_wanted *w, const char *nqn)
{
	return (w->nqn[0] && strcmp(nqn, w->nqn) == 0) || nvme_is_name_of(nqn, w->base);
}

/* The NQN first: of most sessions nothing else is read. */
static bool read_session(const char *root, const struct nvme_wanted *w,
			 struct nvme_session *s)
{
	char text[32];

	if (sysfs_attr(s->nqn, sizeof(s->nqn), "%s/class/nvme/%s/subsysnqn", root,
		       s->ctrl) ||
	    !is_wanted(w, s->nqn))
		return false;
	if (sysfs_attr(text, sizeof(text), "%s/class/nvme/%s/transport", root, s->ctrl) ||
	    strcmp(text, "tcp") != 0)
		return false;
	if (sysfs_attr(s->host_nqn, sizeof(s->host_nqn), "%s/class/nvme/%s/hostnqn", root,
		       s->ctrl) ||
	    (w->hosts && !nvme_is_host_in(s->host_nqn, w->hosts)))
		return false;
	if (sysfs_attr(text, sizeof(text), "%s/class/nvme/%s/state", root, s->ctrl))
		return false;
	s->state = nvme_state_of(text);
	return true;
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

int sysfs_nvme_read(const char *root, const struct nvme_wanted *wanted, const char *ctrl,
		    struct nvme_session *ret)
{
	struct nvme_session s = { .ctrl = "" };

	if (!str_starts_with(ctrl, "nvme") || !is_number(ctrl + 4) ||
	    strlen(ctrl) > NVME_CTRL_MAX)
		return -1;
	memcpy(s.ctrl, ctrl, strlen(ctrl) + 1);
	if (!read_session(root, wanted, &s))
		return -1;
	*ret = s;
	return 0;
}

/* ---- a crowd of sessions ---- */

enum { NAMES_MAX = 8192, NAMES_STEP = 64 };
struct nvme_name {
	uint64_t ino;
	char *nqn; /* owned */
};

void nvme_names_fini(struct nvme_names *names)
{
	for (unsigned i = 0; i < names->n; i++)
		mem_free(names->at[i].nqn);
	mem_free(names->at);
	*names = (struct nvme_names){ .at = NULL };
}

/* The place for that session, NULL when there is none to be had. */
static struct nvme_name *place_of(struct nvme_names *names, const char *ctrl)
{
	uint64_t number;
	unsigned n;
	struct nvme_name *at;

	if (!names || !str_starts_with(ctrl, "nvme") || str_to_u64(ctrl + 4, &number) ||
	    number >= NAMES_MAX)
		return NULL;
	if (number < names->n)
		return &names->at[number];
	n = (unsigned)number / NAMES_STEP * NAMES_STEP + NAMES_STEP;
	at = mem_realloc(names->at, n * sizeof(*at));
	if (!at)
		return NULL;
	memset(at + names->n, 0, (n - names->n) * sizeof(*at));
	names->at = at;
	names->n = n;
	return &at[number];
}

/* Whether it is known to be another volume's. */
static bool is_known_other(const char *root, const struct nvme_wanted *wanted,
			   struct nvme_names *names, const struct dirent *e)
{
	struct nvme_name *known = place_of(names, e->d_name);
	char nqn[NVME_NQN_MAX + 1], state[32];

	if (!known)
		return false;
	if (known->nqn && known->ino == e->d_ino)
		return !is_wanted(wanted, known->nqn);
	mem_free(known->nqn);
	known->nqn = NULL;
	/* One that is being made has not always its name yet. */
	if (sysfs_attr(state, sizeof(state), "%s/class/nvme/%.23s/state", root,
		       e->d_name) ||
	    nvme_state_of(state) != NVME_LIVE ||
	    sysfs_attr(nqn, sizeof(nqn), "%s/class/nvme/%.23s/subsysnqn", root,
		       e->d_name))
		return false;
	known->ino = e->d_ino;
	known->nqn = mem_strdup(nqn);
	return known->nqn && !is_wanted(wanted, nqn);
}

int sysfs_nvme_find(const char *root, const struct nvme_wanted *wanted,
		    struct nvme_names *names, struct nvme_sessions *ret, struct err *err)
{
	struct nvme_session s;
	char path[256];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	ret->n = 0;
	(void)snprintf(path, sizeof(path), "%s/class/nvme", root);
	d = opendir(path);
	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	while (!rc && (e = readdir(d))) {
		if (is_known_other(root, wanted, names, e) ||
		    sysfs_nvme_read(root, wanted, e->d_name, &s))
			continue;
		if (ret->n < NVME_SESSIONS_MAX)
			ret->at[ret->n++] = s;
		else
			rc = -1;
	}
	(void)closedir(d);
	return rc ? err_set(err, ERR_EXHAUSTED,
			    "more than %d NVMe sessions of one volume", NVME_SESSIONS_MAX)
		  : 0;
}

static bool is_tcp(const char *root, const char *ctrl, char nqn[NVME_NQN_MAX + 1])
{
	char text[32];

	return str_starts_with(ctrl, "nvme") && is_number(ctrl + 4) &&
	       sysfs_attr(text, sizeof(text), "%s/class/nvme/%.23s/transport", root,
			  ctrl) == 0 &&
	       strcmp(text, "tcp") == 0 &&
	       sysfs_attr(nqn, NVME_NQN_MAX + 1, "%s/class/nvme/%.23s/subsysnqn", root,
			  ctrl) == 0;
}

int sysfs_nvme_each(const char *root,
		    bool (*each)(void *arg, const char *ctrl, const char *nqn), void *arg,
		    struct err *err)
{
	char path[256], nqn[NVME_NQN_MAX + 1];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/class/nvme", root);
	d = opendir(path);
	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	while ((e = readdir(d)))
		if (is_tcp(root, e->d_name, nqn) && !each(arg, e->d_name, nqn))
			break;
	(void)closedir(d);
	return 0;
}

/* nvmeXnZ is a disk; nvmeXcYnZ one path to the disk nvmeXnZ, which exists once the first
 * path to it is up. False when the name is neither. */
static bool disk_name(const char *entry, char out[NVME_CTRL_MAX + 1])
{
	unsigned x, y, z;
	char end;

	if (sscanf(entry, "nvme%8un%8u%c", &x, &z, &end) != 2 &&
	    sscanf(entry, "nvme%8uc%8un%8u%c", &x, &y, &z, &end) != 3)
		return false;
	(void)snprintf(out, NVME_CTRL_MAX + 1, "nvme%un%u", x, z);
	return true;
}

unsigned sysfs_nvme_devices(const char *root, const char *ctrl, struct nvme_device *out,
			    unsigned max)
{
	char path[256], name[NVME_CTRL_MAX + 1];
	struct nvme_device dev;
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/class/nvme/%.23s", root, ctrl);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (!disk_name(e->d_name, name) || sysfs_device(root, name, &dev))
			continue;
		if (n < max)
			out[n] = dev;
		if (n && max && strcmp(dev.path, out[0].path) < 0) {
			if (n < max)
				out[n] = out[0];
			out[0] = dev;
		}
		n++;
	}
	if (d)
		(void)closedir(d);
	return n;
}

int sysfs_nvme_nqn_of(const char *root, const char *disk, char ret[NVME_NQN_MAX + 1])
{
	if (strchr(disk, '/'))
		return -1;
	return sysfs_attr(ret, NVME_NQN_MAX + 1, "%s/block/%.32s/device/subsysnqn", root,
			  disk);
}
