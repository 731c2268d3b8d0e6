#ifndef CSI_CONTROLLER_WATCHED_H
#define CSI_CONTROLLER_WATCHED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "core/map.h"

/* The VolumeAttachments by volume handle, kept current by listening to the stores:
 * VolumeAttachment -> PV -> handle (or the inline spec's). Two PVs on one handle are one
 * volume. Beside what the objects say stands what this process did, by the object's UID:
 * "acknowledged" (our Publish said OK) and "released" (our Unpublish said OK, or a fence
 * cut the node off).
 *
 * A VolumeAttachment holds its volume when it is (attached or acknowledged) and not
 * released. attached=false alone is nothing: the attach-detach controller makes such
 * objects for dead nodes. An acknowledgement goes with our Unpublish or with the deletion
 * of that very UID as a watch tells it; a list that lacks the object leaves it behind as
 * a holder without an object, for nobody said that the node has let go. A volume once
 * found for a UID stays: the spec cannot change, and a PV of the same name may come back
 * as another volume. No I/O. */
struct k8s;
struct watched;

struct watched_va {
	struct map_node named;
	struct list link; /* in its volume's list, or in the unresolved one */
	struct watched_volume *volume; /* NULL: unresolved */
	const char *name, *uid;	       /* "" where no object was seen yet */
	const char *node;	       /* the Node's name; without object: the record's */
	const char *pv;		       /* "" when inline */
	uint64_t released_ms;
	bool has_object, is_attached, is_acked, is_released;
	bool is_clean;	 /* the release was a clean Unpublish */
	bool was_in_use; /* its node's status.volumesInUse has named the volume since */
	char text[];
};

/* NULL for lack of memory. The stores must outlive it. */
struct watched *watched_new(struct k8s *k8s);
void watched_free(struct watched *w); /* accepts NULL */

/* Brings in what could not be at once. -1: memory is short, nothing here may be trusted.
 */
int watched_settle(struct watched *w);
/* Acknowledgements and releases are forgotten, as by a new process: another one may have
 * acted meanwhile. */
void watched_restart(struct watched *w);

/* A PV that a VolumeAttachment names and that no store has, or NULL. */
const char *watched_unresolved(const struct watched *w);
/* Its handle, as a live read told. -1: no memory. */
int watched_resolve(struct watched *w, const char *pv, const char *handle);

/* The volume's VolumeAttachments, in whatever state; last NULL = the first. */
const struct watched_va *watched_next(const struct watched *w, const char *handle,
				      const struct watched_va *last);
bool watched_holds(const struct watched_va *va);
/* Whether it is the node's, by the name that a record has. */
bool watched_is_node(const struct watched *w, const struct watched_va *va,
		     const char *node);

/* Publish said OK. The object may not have been seen yet: the next one of this volume and
 * node takes the acknowledgement over. */
void watched_ack(struct watched *w, const char *handle, const char *node);
/* Unpublish said OK (node NULL: of every node), or a fence was done (not clean). */
struct watched_release {
	const char *node;
	bool is_clean;
	uint64_t now_ms;
};
void watched_release(struct watched *w, const char *handle,
		     const struct watched_release *r);

/* Whether the node that a record names, or that is left behind without an object, has no
 * VolumeAttachment at all, and had none interval_ms ago: two sightings. */
bool watched_gives_way(struct watched *w, const char *handle, const char *node,
		       uint64_t now_ms, uint64_t interval_ms);

/* Whether the watched Node has shown the volume in use under a VolumeAttachment that the
 * volume still has. Until then that it is not in use there proves nothing: the watch may
 * be behind the kubelet, which says so before it mounts. node as a record names it. */
bool watched_was_in_use(const struct watched *w, const char *handle, const char *node);

/* PVs on the handle: whether there is one, all their access modes (enum k8s_pv_mode), and
 * one of them. */
const struct k8s_pv *watched_pv(const struct watched *w, const char *handle);
unsigned watched_modes(const struct watched *w, const char *handle);

/* The record on the box, as last seen, has a holder. */
void watched_believe(struct watched *w, const char *handle, bool is_held);
/* Distinct volumes with a holder: by objects alone, or by objects or records. */
size_t watched_count(const struct watched *w, bool with_records);
#endif
