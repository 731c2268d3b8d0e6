#ifndef K8S_LINE_H
#define K8S_LINE_H
#include "k8s/decode.h"

/* What the API server says around objects: a line of a watch, the head of a list, a
 * Status. Pure. */

/* One line of a watch (kubernetes.io, API concepts): {"type":…,"object":…}. */
enum k8s_change {
	K8S_PUT, /* ADDED or MODIFIED */
	K8S_GONE,
	K8S_BOOKMARK, /* only version is set */
	K8S_ERROR,    /* object is a Status: code and err are set, no more */
	K8S_JUNK,     /* no event at all; err says why (EXHAUSTED: no memory) */
};

struct k8s_line {
	enum k8s_change change;
	struct k8s_decoded decoded; /* PUT, GONE */
	unsigned code;		    /* ERROR: as an HTTP status, 0 if unknown */
};

void k8s_line_read(enum k8s_kind kind, const char *driver, const char *text, size_t n,
		   struct k8s_line *ret);

/* metadata.resourceVersion and metadata.continue of a list, given its metadata object;
 * sizes include the NUL. */
struct k8s_list_meta {
	char version[K8S_VERSION_MAX + 1];
	char next[K8S_TEXT_MAX + 1]; /* "" on the last page */
};
int k8s_list_meta_read(const char *text, size_t n, struct k8s_list_meta *ret,
		       struct err *err);

/* Reason and message of a Status; "" where it is none. */
struct k8s_status {
	char reason[64], message[160];
};
void k8s_status_read(const char *text, size_t n, struct k8s_status *ret);
#endif
