#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nvme/fabrics.h"
#include "nvme/helper_nvme.h"
#include "nvme/uevent.h"

enum {
	/* A namespace appears 1 to 10 ms after its session (kernel 6.1, in emulation). */
	NAMESPACE_WITHIN_MS = 10000,
	RESCANNED_WITHIN_MS = 5000,
	BACK_WITHIN_MS = 45000,
	OPENED_WITHIN_MS = 1000,
	REREAD_FIRST_MS = 1000, /* for an event that was lost; then four times as late */
};

/* The arguments, in this order. */
struct attach {
	const char *nqn, *host_nqn, *host_id, *hosts, *address, *port, *settings, *mode;
	bool is_new; /* none was there a moment ago */
	int events;
	struct nvme_sessions sessions;
	struct nvme_session *session; /* the one that counts, NULL = none */
	struct nvme_device dev;
	unsigned n_devs;
	uint64_t opened_by_ms; /* of a kernel that has no such link */
};

/* ---- what is there ---- */

/* The own one, where there are others. */
static void pick(struct attach *a)
{
	a->session = NULL;
	for (unsigned i = 0; i < a->sessions.n; i++)
		if (!a->session || strcmp(a->sessions.at[i].host_nqn, a->host_nqn) == 0)
			a->session = &a->sessions.at[i];
}

/* The kernel makes a disk's node before the disk can be opened, and whoever comes too
 * early has it run modprobe for the device's number, twice (6.1, 6.12: add_disk,
 * blkdev_get_no_open). This link is made right before it can, and an event follows. */
static bool may_be_opened(const struct attach *a)
{
	char path[sizeof(a->dev.path) + 32];

	(void)snprintf(path, sizeof(path), "/sys/block/%s/bdi", a->dev.path + 5);
	return access(path, F_OK) == 0 || helper_now_ms() >= a->opened_by_ms;
}

/* Once it is known only this one is read: there may be hundreds. */
static int see(struct attach *a, enum nvme_state *ret, struct err *err)
{
	const struct nvme_wanted wanted = { a->nqn, "", a->hosts };

	a->n_devs = 0;
	if (a->session && sysfs_nvme_read("/sys", &wanted, a->session->ctrl, a->session))
		a->session = NULL;
	if (!a->session) {
		if (sysfs_nvme_find("/sys", &wanted, &helper_names, &a->sessions, err))
			return -1;
		pick(a);
	}
	*ret = a->session ? a->session->state : NVME_ABSENT;
	if (a->session)
		a->n_devs = sysfs_nvme_devices("/sys", a->session->ctrl, &a->dev, 1);
	if (*ret == NVME_LIVE && (!a->n_devs || !may_be_opened(a)))
		*ret = NVME_EMPTY;
	return 0;
}

static void wait_for(const struct attach *a, uint64_t wait_ms)
{
	if (a->session)
		uevent_wait_for(a->events, a->session->ctrl, wait_ms);
	else
		uevent_wait(a->events, wait_ms);
}

/* Waits, by event, while it is in that state. */
static int await(struct attach *a, enum nvme_state state, uint64_t limit_ms,
		 enum nvme_state *ret, struct err *err)
{
	uint64_t now = helper_now_ms(), end = now + limit_ms, reread = REREAD_FIRST_MS;

	a->opened_by_ms = now + OPENED_WITHIN_MS;
	for (;; now = helper_now_ms()) {
		if (see(a, ret, err))
			return -1;
		if (*ret != state || now >= end)
			return 0;
		wait_for(a, end - now < reread ? end - now : reread);
		reread *= 4;
	}
}

/* ---- connecting ---- */

/* Also when another session with that NQN is in the way: what is there is looked at. */
static int connect_new(struct attach *a, struct err *err)
{
	const struct fabrics to = { .nqn = a->nqn,
				    .host_nqn = a->host_nqn,
				    .host_id = a->host_id,
				    .address = a->address,
				    .port = a->port,
				    .settings = a->settings };

	a->session = NULL;
	if (fabrics_connect(&to, a->sessions.at[0].ctrl, err))
		return -1;
	a->sessions.n = a->sessions.at[0].ctrl[0] != '\0';
	if (a->sessions.n)
		a->session = &a->sessions.at[0];
	return 0;
}

/* ---- the whole way ---- */

static int connect_and_wait(struct attach *a, enum nvme_state *ret, struct err *err)
{
	if (connect_new(a, err))
		return -1;
	return await(a, NVME_EMPTY, NAMESPACE_WITHIN_MS, ret, err);
}

/* A session that was there and has no namespace: the target may have one again. Else
 * nothing can be using it, and it is made anew. */
static int fill(struct attach *a, enum nvme_state *ret, struct err *err)
{
	helper_nvme_look_again(a->session);
	if (await(a, NVME_EMPTY, RESCANNED_WITHIN_MS, ret, err))
		return -1;
	if (*ret != NVME_EMPTY)
		return 0;
	if (helper_nvme_end(&a->sessions, a->events, err))
		return -1;
	return connect_and_wait(a, ret, err);
}

static int reach(struct attach *a, struct err *err)
{
	static const char *const why[] = {
		[NVME_ABSENT] = "the session is gone again",
		[NVME_RECOVERING] =
			"the target does not answer; the session waits for it",
		[NVME_EMPTY] = "the target shows no namespace",
		[NVME_GOING] = "an earlier session is still being deleted",
	};
	enum nvme_state state = NVME_ABSENT;

	if ((!a->is_new && await(a, NVME_GOING, BACK_WITHIN_MS, &state, err)) ||
	    (state == NVME_RECOVERING &&
	     await(a, NVME_RECOVERING, BACK_WITHIN_MS, &state, err)))
		return -1;
	if ((state == NVME_EMPTY && fill(a, &state, err)) ||
	    (state == NVME_ABSENT && connect_and_wait(a, &state, err)))
		return -1;
	if (state == NVME_EMPTY && helper_nvme_is_sizeless(a->session))
		return err_set(err, ERR_PRECONDITION,
			       "the namespace of %.100s has size 0", a->nqn);
	if (state != NVME_LIVE)
		return err_set(err, ERR_UNAVAILABLE, "%s", why[state]);
	if (a->n_devs != 1)
		return err_set(err, ERR_PRECONDITION, "%.100s has %u namespaces, not one",
			       a->nqn, a->n_devs);
	return 0;
}

/* A session that was there may not have seen the volume grow. */
static int see_size(struct attach *a, int fd, uint64_t size, struct err *err)
{
	const struct nvme_wanted wanted = { a->nqn, "", a->hosts };

	if (size == a->dev.size_bytes)
		return 0;
	if (sysfs_nvme_find("/sys", &wanted, &helper_names, &a->sessions, err))
		return -1;
	return helper_nvme_refresh(&a->sessions, fd, a->events, err);
}

int helper_nvme_attach(char *const *argv, struct reply *r, struct err *err)
{
	struct attach a = { .nqn = argv[0],
			    .host_nqn = argv[1],
			    .host_id = argv[2],
			    .hosts = argv[3],
			    .address = argv[4],
			    .port = argv[5],
			    .settings = argv[6],
			    .mode = argv[7],
			    .is_new = strcmp(argv[8], "new") == 0,
			    .events = uevent_open() };
	char ns_id[NVME_UUID_MAX + 1];
	uint64_t size;
	int fd;

	if (reach(&a, err))
		return -1;
	fd = helper_nvme_open(&a.dev, O_RDONLY, a.events, err);
	if (fd < 0 || helper_nvme_identify(fd, &size, ns_id, err) ||
	    see_size(&a, fd, size, err) || helper_set_readonly(fd, a.mode, err))
		return -1;
	reply_add_str(r, "ns_id", ns_id);
	reply_add_str(r, "host", a.session->host_nqn);
	return helper_add_device(fd, a.dev.path, r, err);
}
