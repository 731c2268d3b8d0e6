#ifndef CSI_CONTROLLER_WATCHED_IMPL_H
#define CSI_CONTROLLER_WATCHED_IMPL_H
#include "csi/controller/watched.h"
#include "k8s/k8s.h"

/* The index behind watched.h: watched.c follows the stores, watched_marks.c holds what
 * this process did and answers questions. */

/* One handle. Lives while anything refers to it. */
struct watched_volume {
	struct map_node node;
	struct list vas;       /* of struct watched_va */
	struct list pvs;       /* of struct known_pv */
	struct list sightings; /* of struct sighting */
	bool is_held, is_believed;
	char handle[];
};

struct known_pv {
	struct map_node node; /* by the PV's name */
	struct list link;
	struct watched_volume *volume;
	char name[];
};

/* A holder without a VolumeAttachment, seen for the first time at since_ms. */
struct sighting {
	struct list link;
	uint64_t since_ms;
	char node[];
};

struct watched {
	struct k8s *k8s;
	struct k8s_listener va_listener, pv_listener, node_listener;
	struct map vas;	    /* of struct watched_va with an object, by its name; owned */
	struct map pvs;	    /* of struct known_pv, owned */
	struct map volumes; /* of struct watched_volume, owned */
	struct list unresolved;
	size_t n_held, n_either;
	bool is_due;	/* a PV came: the unresolved may be found */
	bool is_broken; /* something could not be brought in */
};

static inline struct watched_va *watched_va_of(struct list *link)
{
	return CONTAINER_OF(link, struct watched_va, link);
}

struct watched_volume *watched_find(const struct watched *w, const char *handle);
/* Makes it when there is none; NULL for lack of memory. */
struct watched_volume *watched_get(struct watched *w, const char *handle);
/* Counts the volume anew, and lets it go when nothing refers to it any more. */
void watched_recount(struct watched *w, struct watched_volume *v);
/* A copy; the texts are copied too. In no list and no map. */
struct watched_va *watched_va_new(const struct watched_va *from);
void watched_va_free(struct watched *w, struct watched_va *va);
/* Gives it its volume, and what was marked for it before its object was seen. */
void watched_put_into(struct watched *w, struct watched_volume *v, struct watched_va *va);
/* Looks whether its node shows the volume in use now. */
void watched_look_for_use(struct watched *w, struct watched_va *va);
void watched_note_use(struct watched *w, const struct k8s_node *node);
void watched_forget_sighting(struct sighting *s);
#endif
