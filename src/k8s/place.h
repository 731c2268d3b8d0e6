#ifndef K8S_PLACE_H
#define K8S_PLACE_H
#include <stdbool.h>

#include "core/err.h"

/* Where the API server is. Pure. */
struct k8s_place {
	char host[254];	     /* a name or an address, IPv6 without brackets */
	char port[6];	     /* decimal, 1 to 65535 */
	char authority[264]; /* for the Host header: host[:port], IPv6 in brackets */
	char prefix[128];    /* before each request's path; "" or "/…" without slash at
				its end */
	bool is_plain;	     /* http: without TLS */
};

/* What the kubelet puts into a pod's environment. */
int k8s_place_set(struct k8s_place *p, const char *host, const char *port,
		  struct err *err);
/* A kubeconfig's server: http[s]://host[:port][/path]. */
int k8s_place_parse(struct k8s_place *p, const char *url, struct err *err);
#endif
