#ifndef K8S_KUBECONFIG_H
#define K8S_KUBECONFIG_H
#include <stddef.h>

#include "core/buf.h"
#include "core/err.h"

/* A kubeconfig file in JSON, which is YAML too: what its current context says
 * (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"). What this client
 * cannot do (exec, auth-provider, passwords, impersonation, proxies, unverified TLS) is
 * an error that names it, never ignored. Pure. */
enum { KUBECONFIG_MAX = 1024 * 1024, KUBECONFIG_DATA_MAX = 256 * 1024 };

/* Where a text comes from: a file, or the kubeconfig itself. Both empty: not given. */
struct kubeconfig_text {
	char *path;	 /* owned; as written, maybe relative to the kubeconfig */
	struct buf data; /* wiped when freed */
};

struct kubeconfig {			 /* all owned: kubeconfig_fini */
	char *server, *server_name, *ns; /* NULL when not given, but for server */
	struct kubeconfig_text ca, cert, key, token;
};

/* On failure nothing is left in *k. */
int kubeconfig_parse(struct kubeconfig *k, const char *text, size_t n, struct err *err);
void kubeconfig_fini(struct kubeconfig *k);
void kubeconfig_text_fini(struct kubeconfig_text *t);
/* Overwrites before freeing. */
void kubeconfig_wipe(struct buf *b);
#endif
