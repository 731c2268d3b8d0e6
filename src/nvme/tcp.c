#include "nvme/tcp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fsio.h"
#include "core/mem.h"
#include "nvme/mounted.h"
#include "nvme/mountinfo.h"
#include "nvme/sysfs.h"
#include "nvme/sysfs_nvme.h"
#include "nvme/tcp_backend.h"
#include "nvme/traffic.h"

enum { DEVICES_MAX = 4 }; /* of one session; a volume's has one */

/* ---- which NQN is meant ---- */

/* btrfs reports an anonymous number, so there the name it was mounted by decides. */
static int nqn_under(const char *root, const struct mountinfo_entry *e,
		     char ret[NVME_NQN_MAX + 1])
{
	const char *name = strrchr(e->source, '/');

	if (e->major)
		return sysfs_attr(ret, NVME_NQN_MAX + 1,
				  "%s/dev/block/%u:%u/device/subsysnqn", root, e->major,
				  e->minor);
	return name ? sysfs_nvme_nqn_of(root, name + 1, ret) : -1;
}

/* What a look has before it: the question, mountinfo, the sessions in question. */
struct look {
	const struct nvme_query *q;
	const char *text;
	struct nvme_sessions s;
};

/* 1 and *ret when the staging mount tells it, 0, or -1. */
static int find_under(const struct nvme_tcp *t, const struct look *k,
		      char ret[NVME_NQN_MAX + 1], struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	int rc;

	if (!e)
		return err_nomem(err);
	rc = mountinfo_top(k->text, k->q->path, e, err);
	if (rc > 0)
		rc = nqn_under(t->sys_root, e, ret) == 0 &&
		     nvme_is_name_of(ret, k->q->base_nqn);
	mem_free(e);
	return rc;
}

/* The one name of the volume that has a session. */
static int find_named(const struct look *k, char ret[NVME_NQN_MAX + 1], struct err *err)
{
	const struct nvme_sessions *s = &k->s;
	const char *found = "";

	for (unsigned i = 0; i < s->n; i++) {
		if (found[0] && strcmp(found, s->at[i].nqn) != 0)
			return err_set(
				err, ERR_PRECONDITION,
				"sessions under several names of %.64s: %.60s and %.60s",
				k->q->id, found, s->at[i].nqn);
		found = s->at[i].nqn;
	}
	memcpy(ret, found, strlen(found) + 1);
	return 0;
}

static int find_nqn(const struct nvme_tcp *t, const struct look *k,
		    struct nvme_view *view, struct err *err)
{
	const struct nvme_query *q = k->q;
	char nqn[NVME_NQN_MAX + 1] = "";
	int rc = 0;

	if (q->nqn[0])
		(void)snprintf(nqn, sizeof(nqn), "%s", q->nqn);
	else if (q->is_staging)
		rc = find_under(t, k, nqn, err);
	if (rc == 0 && !q->nqn[0])
		rc = find_named(k, nqn, err);
	if (rc >= 0)
		memcpy(view->nqn, nqn, sizeof(nqn));
	return rc < 0 ? -1 : 0;
}

/* ---- what is true of it ---- */

static bool is_ours(const struct nvme_tcp *t, const struct nvme_query *q,
		    const struct nvme_session *s)
{
	return strcmp(s->host_nqn, t->host_nqn) == 0 ||
	       nvme_is_host_in(s->host_nqn, q->source);
}

/* Of several sessions the best one counts: one live path is enough. */
static unsigned rank(enum nvme_state state)
{
	return state == NVME_LIVE ? 3 : state == NVME_RECOVERING ? 2 : 1;
}

static void add_source(struct nvme_view *view, const char *host_nqn)
{
	size_t n = strlen(view->source), m = strlen(host_nqn);

	if (nvme_is_host_in(host_nqn, view->source) || n + 1 + m > NVME_SOURCE_MAX)
		return;
	if (n)
		view->source[n++] = ',';
	memcpy(view->source + n, host_nqn, m + 1);
}

/* A session of another host NQN is the volume's while nothing is recorded: whoever
 * connected it, two sessions of one volume would be one device (multipath=Y) or two. */
static void count_session(const struct nvme_tcp *t, const struct nvme_query *q,
			  const struct nvme_session *s, struct nvme_view *view)
{
	bool is_own = strcmp(s->host_nqn, t->host_nqn) == 0;
	struct nvme_device dev;

	if (strcmp(s->nqn, view->nqn) != 0) {
		view->n_other_sessions += is_ours(t, q, s);
		return;
	}
	if (q->source[0] && !is_ours(t, q, s))
		return;
	if (view->state == NVME_ABSENT || rank(s->state) > rank(view->state))
		view->state = s->state;
	add_source(view, s->host_nqn);
	if (sysfs_nvme_devices(t->sys_root, s->ctrl, &dev, 1) &&
	    (is_own || !view->device.path[0]))
		view->device = dev;
}

static void see_sessions(const struct nvme_tcp *t, const struct nvme_query *q,
			 const struct nvme_sessions *s, struct nvme_view *view)
{
	for (unsigned i = 0; i < s->n; i++)
		count_session(t, q, &s->at[i], view);
	if (view->state == NVME_ABSENT) {
		view->nqn[0] = '\0';
		(void)snprintf(view->source, sizeof(view->source), "%s",
			       q->source[0] ? q->source : t->host_nqn);
	} else if (view->state == NVME_LIVE && !view->device.path[0]) {
		view->state = NVME_EMPTY;
	}
	view->is_exported = view->state == NVME_LIVE;
}

/* What is mounted there exists no more. */
static bool is_gone(const struct nvme_tcp *t, const struct mountinfo_entry *e)
{
	const char *name = strrchr(e->source, '/');
	char path[512];

	if (strncmp(e->source, "/dev/", 5) != 0 || strlen(e->source) > NVME_DEV_MAX)
		return false;
	if (e->major)
		(void)snprintf(path, sizeof(path), "%s/dev/block/%u:%u", t->sys_root,
			       e->major, e->minor);
	else
		(void)snprintf(path, sizeof(path), "%s/block/%s", t->sys_root, name + 1);
	return access(path, F_OK) != 0;
}

static int find_dead(const struct nvme_tcp *t, const char *text, const char *path,
		     struct mountinfo_dead *ret, struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	int rc, n = 0;

	if (!e)
		return err_nomem(err);
	while (!n && (rc = mountinfo_next(&text, e)) > 0) {
		if (strcmp(e->path, path) != 0 || !is_gone(t, e))
			continue;
		ret->major = e->major;
		ret->minor = e->minor;
		memcpy(ret->source, e->source, strlen(e->source) + 1);
		n = 1;
	}
	mem_free(e);
	return n; /* a bad line is mountinfo_view's to tell */
}

/* ---- a device that is just going ---- */

/* The NQN behind what is mounted there: a file system's device, or a device's node. */
static int nqn_behind(const char *root, const struct mountinfo_entry *e,
		      char ret[NVME_NQN_MAX + 1])
{
	const char *name = strrchr(e->root, '/');

	if (strcmp(e->fs_type, "devtmpfs") != 0)
		return nqn_under(root, e, ret);
	return name ? sysfs_nvme_nqn_of(root, name + 1, ret) : -1;
}

static bool is_under(const struct nvme_tcp *t, const char *ctrl,
		     const struct mountinfo_entry *e)
{
	struct nvme_device devs[DEVICES_MAX];
	unsigned n = sysfs_nvme_devices(t->sys_root, ctrl, devs, DEVICES_MAX);

	for (unsigned i = 0; i < n && i < DEVICES_MAX; i++)
		if (mountinfo_is_fs_of(e, &devs[i]) || mountinfo_is_node_of(e, &devs[i]))
			return true;
	return n > DEVICES_MAX;
}

/* The kernel has taken the volume's last session off the device and not yet the device
 * itself, which can last as long as its unwritten pages (6.12, multipath=Y). */
static bool is_going(const struct nvme_tcp *t, const struct look *k,
		     const struct mountinfo_entry *e)
{
	char nqn[NVME_NQN_MAX + 1];

	if (nqn_behind(t->sys_root, e, nqn) ||
	    (strcmp(nqn, k->q->nqn) != 0 && !nvme_is_name_of(nqn, k->q->base_nqn)))
		return false;
	for (unsigned i = 0; i < k->s.n; i++)
		if (is_under(t, k->s.at[i].ctrl, e))
			return false;
	return true;
}

/* A device's node of which sysfs knows nothing any more, and that was not yet marked as
 * deleted when mountinfo was read: whose it was cannot be told. */
static bool is_node_going(const struct nvme_tcp *t, const struct mountinfo_entry *e)
{
	const char *name = strrchr(e->root, '/');
	char path[512];

	if (strcmp(e->fs_type, "devtmpfs") != 0 || !name ||
	    strncmp(name, "/nvme", 5) != 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/block/%.*s", t->sys_root, NVME_DEV_MAX,
		       name + 1);
	return access(path, F_OK) != 0;
}

/* What is mounted from such a device is neither the volume's nor another's. */
static int check_going(const struct nvme_tcp *t, const struct look *k, struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	const char *text = k->text;
	bool found = false;

	if (!e)
		return err_nomem(err);
	while (!found && mountinfo_next(&text, e) > 0)
		found = (strcmp(e->path, k->q->path) == 0 ||
			 (k->q->recorded && strcmp(e->path, k->q->recorded) == 0)) &&
			(is_going(t, k, e) || is_node_going(t, e));
	mem_free(e);
	return found ? err_set(err, ERR_ABORTED,
			       "the kernel is just taking the volume's device away")
		     : 0;
}

struct few {
	char path[NVME_PATH_MAX + 1], recorded[NVME_PATH_MAX + 1], number[32];
	struct buf text;
};

static void set_plain(char out[NVME_PATH_MAX + 1], const char *path)
{
	const char *from = "";
	size_t n = path ? mountinfo_plain(path, &from) : 0;

	memcpy(out, from, n);
	out[n] = '\0';
}

/* The mounts that can concern this look: all lines are read, few are taken apart. */
static int pick(struct few *f, const struct look *k, const struct nvme_device *dev,
		struct err *err)
{
	const char *const words[MOUNTINFO_WORDS] = { f->path, f->recorded, f->number,
						     strrchr(dev->path, '/') };

	set_plain(f->path, k->q->path);
	set_plain(f->recorded, k->q->recorded);
	if (dev->path[0])
		(void)snprintf(f->number, sizeof(f->number), " %u:%u ", dev->major,
			       dev->minor);
	return mountinfo_pick(k->text, words, &f->text) ? err_nomem(err) : 0;
}

/* All mounts of a dead device are wanted, which only the record leads to. */
static int see_mounts(const struct nvme_tcp *t, struct look *k, struct nvme_view *ret,
		      struct err *err)
{
	const char *all = k->text;
	struct mountinfo_dead dead;
	struct few *f = mem_calloc(1, sizeof(*f));
	int n = 0, rc = -1;

	if (!f)
		return err_nomem(err);
	buf_init(&f->text, MOUNTINFO_MAX);
	if (pick(f, k, &ret->device, err) == 0) {
		k->text = f->text.len ? f->text.data : "";
		rc = check_going(t, k, err);
	}
	if (rc == 0 && k->q->recorded)
		n = find_dead(t, k->text, k->q->recorded, &dead, err);
	if (rc == 0 && n >= 0)
		rc = mountinfo_view(n ? all : k->text, k->q, n ? &dead : NULL, ret, err);
	buf_fini(&f->text);
	mem_free(f);
	return n < 0 ? -1 : rc;
}

/* No session that could have a device, none that is recorded to have been mounted, and
 * nothing at the path: no mount of this machine concerns the volume. */
static bool has_no_mount(const struct nvme_tcp *t, const struct look *k)
{
	uint32_t major, minor;

	return t->is_real_sys && t->is_real_mountinfo && k->q->nqn[0] && !k->s.n &&
	       !k->q->recorded &&
	       mounted_at(k->q->path, &major, &minor) == MOUNTED_NOTHING;
}

static int look_at(struct nvme_tcp *t, struct look *k, struct nvme_view *ret,
		   struct err *err)
{
	if (find_nqn(t, k, ret, err))
		return -1;
	see_sessions(t, k->q, &k->s, ret);
	return k->text ? see_mounts(t, k, ret, err) : 0;
}

static int tcp_look(struct nvme *nvme, const struct nvme_query *q, struct nvme_view *ret,
		    struct err *err)
{
	struct nvme_tcp *t = nvme_tcp_of(nvme);
	struct nvme_wanted wanted = { q->nqn, q->base_nqn, NULL };
	struct nvme_names *names = t->is_real_sys ? &t->names : NULL;
	struct look k = { .q = q };
	struct buf text;
	int rc;

	*ret = (struct nvme_view){ .state = NVME_ABSENT };
	if (sysfs_nvme_find(t->sys_root, &wanted, names, &k.s, err))
		return -1;
	if (has_no_mount(t, &k))
		return look_at(t, &k, ret, err);
	buf_init(&text, MOUNTINFO_MAX);
	rc = fsio_read(t->mountinfo, &text, err);
	k.text = text.len ? text.data : "";
	if (!rc)
		rc = look_at(t, &k, ret, err);
	buf_fini(&text);
	return rc;
}

static bool tcp_is_mounted(struct nvme *nvme, const char *path,
			   const struct nvme_device *dev, const char *nqn)
{
	const struct nvme_tcp *t = nvme_tcp_of(nvme);
	char now[NVME_NQN_MAX + 1];
	uint32_t major, minor;

	return t->is_real_sys && t->is_real_mountinfo && dev->major &&
	       mounted_at(path, &major, &minor) == MOUNTED_SOMETHING &&
	       major == dev->major && minor == dev->minor &&
	       sysfs_attr(now, sizeof(now), "%s/dev/block/%u:%u/device/subsysnqn",
			  t->sys_root, major, minor) == 0 &&
	       strcmp(now, nqn) == 0;
}

struct names_only {
	bool (*each)(void *arg, const char *nqn);
	void *arg;
};

static bool on_session(void *arg, const char *ctrl, const char *nqn)
{
	const struct names_only *n = arg;

	(void)ctrl;
	return n->each(n->arg, nqn);
}

static int tcp_sessions(struct nvme *nvme, bool (*each)(void *arg, const char *nqn),
			void *arg, struct err *err)
{
	struct names_only n = { each, arg };

	return sysfs_nvme_each(nvme_tcp_of(nvme)->sys_root, on_session, &n, err);
}

static int tcp_traffic(struct nvme *nvme,
		       bool (*each)(void *arg, const struct nvme_traffic *t), void *arg,
		       struct err *err)
{
	return traffic_sessions(nvme_tcp_of(nvme)->sys_root, each, arg, err);
}

/* ---- the implementation ---- */

static const struct nvme_ops tcp_ops = {
	.start = backend_start,
	.look = tcp_look,
	.is_mounted = tcp_is_mounted,
	.record_read = backend_record_read,
	.record_write = backend_record_write,
	.record_forget = backend_record_forget,
	.check_options = backend_check_options,
	.may_grow_online = request_may_grow_online,
	.n_stuck = backend_n_stuck,
	.stuck = backend_stuck,
	.records = backend_records,
	.sessions = tcp_sessions,
	.traffic = tcp_traffic,
};

struct nvme *nvme_tcp_new(uv_loop_t *loop, const struct nvme_tcp_conf *conf,
			  struct err *err)
{
	struct nvme_tcp *t = mem_calloc(1, sizeof(*t));

	if (!t) {
		(void)err_nomem(err);
		return NULL;
	}
	t->base.nvme.ops = &tcp_ops;
	t->base.host.helper = conf->helper ? conf->helper : "/proc/self/exe";
	t->base.host.is_self = !conf->helper;
	t->base.host.command = tcp_command;
	t->base.host.check_device = tcp_check_device;
	t->base.host.max_attaches = conf->max_connects;
	t->refusal_settle_ms = conf->refusal_settle_ms;
	t->host_nqn = conf->host_nqn;
	t->host_id = conf->host_id;
	t->is_real_sys = !conf->sys_root;
	t->is_real_mountinfo = !conf->mountinfo;
	t->sys_root = conf->sys_root ? conf->sys_root : "/sys";
	t->mountinfo = conf->mountinfo ? conf->mountinfo : "/proc/self/mountinfo";
	if (tcp_check_name(conf->host_nqn, "host NQN", err) ||
	    request_host_init(&t->base.host, loop, conf->state_dir, err)) {
		mem_free(t);
		return NULL;
	}
	return &t->base.nvme;
}

void nvme_tcp_stop(struct nvme *nvme, void (*stopped)(void *arg), void *arg)
{
	nvme_names_fini(&nvme_tcp_of(nvme)->names);
	backend_stop(backend_of(nvme), stopped, arg);
}
