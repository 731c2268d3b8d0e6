#ifndef K8S_CLIENT_H
#define K8S_CLIENT_H
#include <uv.h>

#include "core/err.h"

/* How to reach the API server, and the connections to it. Made once; owned by the k8s
 * implementation. The service account's token and the CA are read anew when they are
 * older than a minute, and the token at once after a 401. */
struct k8s_client;

struct k8s_client_conf {
	/* NULL: in-cluster, by KUBERNETES_SERVICE_HOST and _PORT and the service account
	 * directory. Else a kubeconfig file in JSON or YAML's JSON subset (token,
	 * tokenFile, client certificate and key by file or data; no exec). */
	const char *kubeconfig;
	const char
		*service_account_dir; /* NULL:
					 /var/run/secrets/kubernetes.io/serviceaccount */
	const char *user_agent;
};

/* NULL with err when the configuration cannot be used. */
struct k8s_client *k8s_client_new(uv_loop_t *loop, const struct k8s_client_conf *conf,
				  struct err *err);
/* Forget the token: the next exchange reads it anew. */
void k8s_client_distrust_token(struct k8s_client *c);
const char *k8s_client_namespace(const struct k8s_client *c); /* of our pod; "default" */
/* Closes what is idle; exchanges under way must have ended. stopped() comes later. */
void k8s_client_stop(struct k8s_client *c, void (*stopped)(void *arg), void *arg);
#endif
