/* Behind the box's back another file comes under the NQN of a volume that is mounted and
 * written. The kernel's own writes go where the target puts them: they are counted. The
 * driver opens, formats, mounts and grows nothing of it, and a new stage is refused with
 * what differs. The controller itself never gives a name twice, not to a volume that is
 * made again under the id of one that was deleted either. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "vm/answer.h"
#include "vm/image.h"
#include "vm/lab.h"
#include "vm/scan.h"
#include "vm/store.h"

enum { BATCH = 8, BACK_MS = 120000 };
static const char foreign_uuid[] = "5eedf00d-1111-4222-8333-0123456789ab";
static struct lab lab;

static const struct swap {
	const char *id, *uuid; /* of the namespace, as POST /nvmet has it */
	long long size_bytes;
	const char *told; /* in the condition while it is mounted; NULL: cannot be seen */
	const char *refused; /* by a new stage */
	bool goes_on;	     /* the kernel notices nothing, and writes on */
} swaps[] = {
	{ "pvc-uuid", "new", 1LL << 30, "gone", foreign_uuid, false },
	{ "pvc-larger", "same", 1280LL << 20, NULL, foreign_uuid, true },
	{ "pvc-smaller", "same", 512LL << 20, "536870912 bytes", "536870912 bytes",
	  false },
	{ "pvc-content", "same", 1LL << 30, NULL, foreign_uuid, true },
};

/* The namespace's UUID as the box has it. */
static void uuid_of(const char *id, char out[64])
{
	json_t *all = sim_get(&lab.sim, "/exports"), *e;
	size_t i;

	out[0] = '\0';
	json_array_foreach(all, i, e)
	{
		if (strcmp(sim_text(e, "slot"), id) == 0)
			(void)snprintf(out, 64, "%s", sim_text(e, "ns_uuid"));
	}
	json_decref(all);
	CHECK(out[0] != '\0', "no export of %s", id);
}

/* What the kernel would do by itself some time, and in another file trips over: its
 * errors rewrite the superblock. */
static bool keep_still(const struct vol *v)
{
	return CHECK(mount(NULL, v->staging, NULL, MS_REMOUNT,
			   "noinit_itable,no_prefetch_block_bitmaps") == 0,
		     "%s: %s", v->staging, strerror(errno));
}

/* Grown is what the file system's own device has grown for. */
static void is_not_grown(struct vol *v, const struct swap *s)
{
	if (!s->goes_on)
		return;
	v->want_bytes = s->size_bytes;
	answer_is(&lab.driver, v, VOL_NODE_EXPAND, ERR_PRECONDITION, foreign_uuid);
	e2e_note("%s: %s", v->id, rpc_message());
}

/* What the kubelet does next. */
static bool is_refused(struct vol *v, const struct swap *s, const char *other)
{
	unsigned begun = lab_mkfs_begun();
	uint64_t before;

	if (!lab_steps(&lab, v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE))
		return false;
	lab_is_gone(v, lab_nqn(v));
	CHECK(!s->goes_on || driver_said(&lab.driver, "\"event\":\"ContentReplaced\""),
	      "%s: no event", v->id);
	before = image_hash(other);
	answer_is(&lab.driver, v, VOL_STAGE, ERR_PRECONDITION, s->refused);
	e2e_note("%s: %s", v->id, rpc_message());
	lab_is_gone(v, lab_nqn(v));
	CHECK(image_hash(other) == before, "%s was changed by a stage", other);
	return CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
}

static bool is_back(const void *nqn)
{
	return kern_live(nqn) > 0;
}

/* Until the host has the other file, and has written into it where it goes on. */
static bool swap_now(const struct swap *s, struct vol *v, struct writer *w,
		     const char *other)
{
	bool ok = store_serve(&lab.sim, v->id, s->uuid, other) &&
		  CHECK(kern_until_lost(lab_nqn(v), BACK_MS), "the cut is not noticed") &&
		  CHECK(kern_until(is_back, lab_nqn(v), BACK_MS), "no reconnect");

	if (ok && s->told)
		ok = health_is_bad(&lab.driver, v, s->told, BACK_MS);
	else if (ok)
		ok = CHECK(writer_advances(w, 2 * BATCH, BACK_MS), "%s: no write", v->id);
	ok = CHECK(writer_end(w, BACK_MS), "the writer hangs") && ok;
	writer_free(w);
	return ok;
}

static bool begin(const struct swap *s, struct vol *v, struct writer *w,
		  uint64_t *ret_synced)
{
	struct track t;

	lab_vol(&lab, v, s->id);
	v->parameters[0] = "reconnectDelay";
	v->parameters[1] = "2";
	if (!lab_up(&lab, v) || !keep_still(v))
		return false;
	lab_track(v, &t);
	/* From then on its blocks are where they are. */
	if (!CHECK(track_write(&t, 0, t.slots), "%s: not written", v->id) ||
	    !writer_start(w, &t, BATCH) ||
	    !CHECK(writer_advances(w, 4 * BATCH, BACK_MS), "%s: no write", v->id))
		return false;
	*ret_synced = w->shared->synced;
	return true;
}

static void one(const struct swap *s)
{
	char other[E2E_PATH], pristine[E2E_PATH], uuid[64];
	struct writer w = { 0 };
	uint64_t synced;
	struct track t;
	struct vol v;

	e2e_path(other, "%s.other", s->id);
	e2e_path(pristine, "%s.pristine", s->id);
	if (!image_make(other, s->size_bytes) || !image_format(other, foreign_uuid) ||
	    !image_copy(other, pristine) || !begin(s, &v, &w, &synced))
		return;
	uuid_of(v.id, uuid);
	if (!swap_now(s, &v, &w, other))
		return;
	is_not_grown(&v, s);
	if (!is_refused(&v, s, other))
		return;
	e2e_note("%s: the kernel's own writes changed %ld blocks of the other file", v.id,
		 image_differs(other, pristine));
	/* The right file again: all that was synced before is there. */
	store_serve(&lab.sim, v.id, strcmp(s->uuid, "new") == 0 ? uuid : "same", "");
	v.want_bytes = 1LL << 30;
	lab_track(&v, &t);
	if (lab_steps(&lab, &v, VOL_STAGE, VOL_NODE_PUBLISH))
		track_check(&t, synced);
	if (lab_down(&lab, &v) && lab_data_right(&lab, &v, synced))
		lab_steps(&lab, &v, VOL_DELETE, VOL_DELETE);
}

static void another_file(void)
{
	lab = (struct lab){ 0 };
	if (lab_open(&lab))
		for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++)
			one(&swaps[i]);
	lab_close(&lab);
}

/* Each fence gives a name that was never there before, and takes the old one away. */
static void names(void)
{
	enum { ROUNDS = 3 };
	static char nqn[ROUNDS][300];
	char device[KERN_NAME];
	struct vol v;

	lab = (struct lab){ 0 };
	if (!lab_open(&lab))
		goto out;
	lab_vol(&lab, &v, "pvc-names");
	if (!lab_steps(&lab, &v, VOL_CREATE, VOL_STAGE))
		goto out;
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)snprintf(nqn[i], sizeof(nqn[i]), "%s", lab_nqn(&v));
		for (unsigned k = 0; k < i; k++)
			CHECK(strcmp(nqn[i], nqn[k]) != 0, "%s again", nqn[i]);
		CHECK(kern_live(nqn[i]) == 1 && kern_device(nqn[i], device),
		      "%s is not live", nqn[i]);
		if (!answer_fence(&lab.sim, &v) ||
		    !CHECK(kern_until_lost(nqn[i], BACK_MS), "%s: no fence", nqn[i]) ||
		    !lab_steps(&lab, &v, VOL_PUBLISH, VOL_STAGE))
			goto out;
		CHECK(kern_sessions(nqn[i]) == 0, "%s is left", nqn[i]);
	}
	lab_steps(&lab, &v, VOL_UNSTAGE, VOL_DELETE);
out:
	lab_close(&lab);
}

/* ---- deleted, and made again under the same id, while a host still has the old one */

struct again {
	const char *id;
	bool is_fenced; /* before it is deleted; else it is let go, as by a healthy node
			 */
	struct vol old, new;
	char nqn[300]; /* of the old one */
	struct writer writer;
	struct track track;
	char image[300]; /* of the new one */
};

static bool has_arrived(const void *arg)
{
	const struct again *a = arg;
	struct scan s = { 0 };
	bool is_there;

	kern_drop_caches();
	is_there = scan_take(&s, a->image, a->track.seed) && s.found > 0;
	scan_free(&s);
	return is_there;
}

/* The host's kernel asked for the old name and was told that there is none such. */
static bool has_come_back(const void *arg)
{
	const struct again *a = arg;
	char text[340];

	(void)snprintf(text, sizeof(text), "subsysnqn \"%.299s\"", a->nqn);
	return kern_said(text) || has_arrived(a);
}

static bool hold_and_lose(struct again *a)
{
	lab_vol(&lab, &a->old, a->id);
	a->old.is_block = true;
	a->old.parameters[0] = "reconnectDelay";
	a->old.parameters[1] = "2";
	if (!lab_up(&lab, &a->old))
		return false;
	(void)snprintf(a->nqn, sizeof(a->nqn), "%.299s", lab_nqn(&a->old));
	lab_track(&a->old, &a->track);
	if (!writer_start(&a->writer, &a->track, BATCH) ||
	    !CHECK(writer_advances(&a->writer, 4 * BATCH, BACK_MS), "no write"))
		return false;
	return (a->is_fenced ? answer_fence(&lab.sim, &a->old)
			     : vol_must(&lab.driver, &a->old, VOL_UNPUBLISH)) &&
	       CHECK(kern_until_lost(a->nqn, BACK_MS), "the host is not cut off");
}

/* For another node. */
static bool make_again(struct again *a)
{
	lab_vol(&lab, &a->new, a->id);
	a->new.is_block = true;
	a->new.node = "node-b";
	kern_mark();
	return vol_must(&lab.driver, &a->old, VOL_DELETE) &&
	       lab_steps(&lab, &a->new, VOL_CREATE, VOL_PUBLISH) &&
	       CHECK(sim_image(&lab.sim, a->id, a->image, sizeof(a->image)), "no image");
}

/* A newer kernel has given the host's session up by now. */
static bool is_untouched(struct again *a)
{
	bool ok =
		CHECK(kern_sessions(a->nqn) == 0 || kern_until(has_come_back, a, BACK_MS),
		      "%s: the host does not try again", a->id);

	/* Let in, it would write on at once. */
	ok = CHECK(!kern_until(has_arrived, a, 5000), "%s: the new file was written to",
		   a->id) &&
	     ok;
	e2e_note("%s: %u sessions of the old name, %u of them live", a->id,
		 kern_sessions(a->nqn), kern_live(a->nqn));
	return CHECK(kern_live(a->nqn) == 0, "%s: the host was let in", a->id) &&
	       CHECK(strcmp(lab_nqn(&a->new), a->nqn) != 0, "%s again", a->nqn) &&
	       CHECK(strcmp(lab_context(&a->new, "nqn"), lab_context(&a->old, "nqn")) ==
			     0,
		     "the volume_context differs") &&
	       ok;
}

/* The old one's leftover goes from this host, and it takes the new one. */
static bool take_new(struct again *a)
{
	uint64_t synced;

	a->writer.shared->must_end = true;
	(void)kill(a->writer.pid, SIGKILL);
	if (!lab_steps(&lab, &a->old, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) ||
	    !CHECK(writer_end(&a->writer, BACK_MS), "the writer hangs") ||
	    !lab_is_gone(&a->old, a->nqn) ||
	    !vol_must(&lab.driver, &a->new, VOL_UNPUBLISH))
		return false;
	synced = a->track.slots;
	a->new.node = NULL;
	lab_track(&a->new, &a->track);
	return lab_steps(&lab, &a->new, VOL_PUBLISH, VOL_NODE_PUBLISH) &&
	       CHECK(track_write(&a->track, 0, synced), "not written") &&
	       lab_down(&lab, &a->new) && lab_data_right(&lab, &a->new, synced) &&
	       vol_must(&lab.driver, &a->new, VOL_DELETE);
}

/* The namespaces keep their UUIDs, so that the kernel knows its device again if it is let
 * in. */
static void made_again(void)
{
	static const char *const stable[] = { "--ns-uuid", "stable", NULL };
	static const char *const quick[] = { "--refusal-settle=2s", NULL };
	static struct again all[] = { { .id = "pvc-again-deleted" },
				      { .id = "pvc-again-fenced", .is_fenced = true } };

	kern_expect("lost async page write|I/O error|blocked for more than");
	lab = (struct lab){ .sim_args = stable, .driver_args = quick };
	if (lab_open(&lab))
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			struct again *a = &all[i];

			(void)(hold_and_lose(a) && make_again(a) && is_untouched(a) &&
			       take_new(a));
			writer_free(&a->writer);
		}
	lab_close(&lab);
}

static const struct e2e_test tests[] = { { "another-file", another_file, true },
					 { "names", names, true },
					 { "made-again", made_again, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
