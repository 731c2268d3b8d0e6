#ifndef K8S_TARGET_H
#define K8S_TARGET_H
#include "core/buf.h"
#include "core/err.h"
#include "k8s/object.h"

/* Path and query of a request (kubernetes.io, API concepts: resource URIs). Pure. Names
 * and tokens are escaped, so that none can name another resource than meant. */
struct k8s_target {
	enum k8s_kind kind;
	const char *ns, *name, *subresource; /* NULL where there is none */
	const char *query;		     /* escaped already, or NULL */
	unsigned limit;			     /* of a page; 0 = none */
	const char *next;		     /* continue token; NULL or "" = none */
	const char *watch_from;		     /* resourceVersion to watch from, or NULL */
	unsigned timeout_s;		     /* of a watch */
};

/* Appends it to *out. INVALID when a name is missing, empty, or longer than it can be. */
int k8s_target_build(const struct k8s_target *t, struct buf *out, struct err *err);
const char *k8s_kind_name(enum k8s_kind kind); /* as in paths: "volumeattachments" */
#endif
