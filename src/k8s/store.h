#ifndef K8S_STORE_H
#define K8S_STORE_H
#include "core/list.h"
#include "k8s/object.h"

/* All objects of one watched kind, as the API server last told. Filled by its watch (or
 * a test); read by everybody. An object lives until the change that replaces it was told
 * to all listeners: keep names and uids, not pointers. */
struct k8s_store {
	enum k8s_kind kind;
	struct map objects;    /* of struct k8s_object, owned */
	struct map unreadable; /* names of objects that could not be decoded, owned */
	struct list listeners;
	bool is_complete;  /* a whole list was seen, once; never false again */
	uint64_t heard_ms; /* clock_boot_ms of the last event, bookmark or whole list */
	uint8_t round;	   /* of the list under way */
};

/* Told of each change. before NULL: added; after NULL: deleted; a deletion that a watch
 * tells comes with the object's last state first, as a change. The store shows the new
 * state already. Must not change the store. Unlinked by list_remove(&l->node). */
struct k8s_listener {
	struct list node;
	void (*changed)(struct k8s_listener *l, const struct k8s_object *before,
			const struct k8s_object *after);
};

enum { K8S_STALE_MS = 90 * 1000 }; /* silent for longer: not to be trusted */

void k8s_store_init(struct k8s_store *s, enum k8s_kind kind);
void k8s_store_fini(struct k8s_store *s); /* tells nobody */
void k8s_store_listen(struct k8s_store *s, struct k8s_listener *l);

const struct k8s_object *k8s_store_find(const struct k8s_store *s, const char *name);
/* Visits all; *pos starts at 0 and last at NULL. Not across a change. */
const struct k8s_object *k8s_store_next(const struct k8s_store *s, size_t *pos,
					const struct k8s_object *last);
/* The API server's state of this name is not known: the store shows an older one, or
 * nothing. */
bool k8s_store_is_unreadable(const struct k8s_store *s, const char *name);
/* Complete, and heard of within K8S_STALE_MS. */
bool k8s_store_is_current(const struct k8s_store *s, uint64_t now_ms);

/* Of an object that a listener is told to be gone: whether a watch said so, which had
 * missed nothing before. A list that lacks it does not tell how it was at its end. */
bool k8s_store_saw_it_go(const struct k8s_object *before);

/* For the watch. Takes o, also on failure (-1: no memory; the store is as before). An
 * object that says what the store has already (same uid and version) is told to nobody.
 */
int k8s_store_put_take(struct k8s_store *s, struct k8s_object *o);
void k8s_store_remove(struct k8s_store *s, const char *name);
/* The API server has an object of this name that could not be read. What the store has
 * under it stays, and the name is remembered until it can be read or is gone. -1: no
 * memory, or more than K8S_UNREADABLE_MAX of them. */
int k8s_store_put_unreadable(struct k8s_store *s, const char *name);
enum { K8S_UNREADABLE_MAX = 1024 };
/* A list begins: objects are put; its end removes (and tells) those it did not show.
 * Without the end nothing is removed. */
void k8s_store_list_begin(struct k8s_store *s);
void k8s_store_list_end(struct k8s_store *s, uint64_t now_ms);
#endif
