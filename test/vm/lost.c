#include "vm/lost.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vm/peer.h"

struct lost {
	struct lab lab;
	struct lost_held held[LOST_MAX];
	unsigned n;
};

/* What is dirty may stay so: without a share of its own the device's pages would be
 * written back early, however much is allowed in all. */
static bool allow_dirty(const char *nqn)
{
	char device[KERN_NAME], share[KERN_NAME + 40];

	if (!CHECK(kern_device(nqn, device), "%s has no device", nqn))
		return false;
	(void)snprintf(share, sizeof(share), "/sys/block/%s/bdi/min_ratio",
		       strrchr(device, '/') + 1);
	return CHECK(kern_put("/proc/sys/vm/dirty_background_bytes", "402653184") == 0 &&
			     kern_put("/proc/sys/vm/dirty_bytes", "536870912") == 0 &&
			     kern_put("/proc/sys/vm/dirty_expire_centisecs", "60000") ==
				     0 &&
			     kern_put(share, "90") == 0,
		     "no dirty pages allowed");
}

/* Beside the track, under A's name too, and never synced. */
static bool make_dirty(const struct lost_held *h)
{
	struct track t = h->a;

	t.slots = LOST_DIRTY;
	(void)snprintf(t.path, sizeof(t.path), "%.240s/dirty", h->vol.target);
	return allow_dirty(h->nqn) &&
	       CHECK(track_dirty(&t, LOST_DIRTY_FROM, LOST_DIRTY), "%s", t.path);
}

static bool a_begins(struct lost *l)
{
	struct lost_held *h;

	for (h = l->held; h < l->held + l->n; h++) {
		if (!peer_hear_vol(&h->vol, LOST_HEAR_MS) ||
		    !lab_steps(&l->lab, &h->vol, VOL_STAGE, VOL_NODE_PUBLISH))
			return false;
		(void)snprintf(h->nqn, sizeof(h->nqn), "%.299s", lab_nqn(&h->vol));
		lab_track(&h->vol, &h->a);
		if (h->part->has_fs && !make_dirty(h))
			return false;
	}
	for (h = l->held; h < l->held + l->n; h++)
		if (!writer_start(&h->writer, &h->a, 16))
			return false;
	for (h = l->held; h < l->held + l->n; h++)
		if (!CHECK(writer_advances(&h->writer, LOST_BEGUN, LOST_WAIT_MS),
			   "no progress"))
			return false;
	return peer_say("writing");
}

/* The kernel tried again and was told that there is no such name. */
static bool is_refused(const void *nqn)
{
	char text[340];

	(void)snprintf(text, sizeof(text), "subsysnqn \"%.299s\"", (const char *)nqn);
	return kern_said(text);
}

/* After the fence, and after B has written: A comes back, and where it is let in again it
 * writes on. */
static bool a_tries(struct lost *l)
{
	bool ok = true;

	for (struct lost_held *h = l->held; h < l->held + l->n; h++)
		ok = (h->part->keeps_name
			      ? CHECK(writer_advances(&h->writer, LOST_BEGUN,
						      LOST_WAIT_MS),
				      "%s: not found out", h->part->crippled)
			      : CHECK(kern_until(is_refused, h->nqn, LOST_WAIT_MS),
				      "%s: no attempt was refused", h->vol.id)) &&
		     ok;
	return ok;
}

/* The pod is killed, the kubelet takes the volume away: whatever hangs in the kernel. */
static bool a_ends(struct lost *l, struct lost_held *h)
{
	uint64_t began = e2e_now_ms(), synced = h->writer.shared->synced;
	bool ok;

	h->writer.shared->must_end = true;
	(void)kill(h->writer.pid, SIGKILL);
	ok = lab_steps(&l->lab, &h->vol, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) &&
	     CHECK(writer_end(&h->writer, LOST_WAIT_MS), "the pod hangs") &&
	     lab_is_gone(&h->vol, h->nqn);
	e2e_note("%s: taken away in %llu ms", h->vol.id,
		 (unsigned long long)(e2e_now_ms() - began));
	if (!h->part->keeps_name)
		ok = CHECK(h->writer.shared->synced == synced,
			   "%s: a write succeeded once the name was refused",
			   h->vol.id) &&
		     ok;
	return peer_say("%llu", (unsigned long long)h->writer.shared->synced) && ok;
}

void lost_node(const struct lost_part *parts)
{
	static struct lost the;
	struct lost *l = &the;
	bool ok;

	memset(l, 0, sizeof(*l));
	for (; parts->id; parts++)
		l->held[l->n++].part = parts;
	/* A pod that waits for a target which refuses it, until its kubelet ends it. */
	kern_expect("task .* blocked for more than");
	l->lab.no_sim = l->lab.no_controller = true;
	l->lab.driver.node_id = "node-a";
	ok = lab_open(&l->lab) && peer_open() && a_begins(l) &&
	     peer_await("fenced", LOST_HEAR_MS) && a_tries(l);
	for (struct lost_held *h = l->held; ok && h < l->held + l->n; h++)
		ok = a_ends(l, h);
	if (ok)
		(void)peer_await("done", LOST_HEAR_MS);
	for (unsigned i = 0; i < l->n; i++)
		writer_free(&l->held[i].writer);
	lab_close(&l->lab);
	peer_close();
}
