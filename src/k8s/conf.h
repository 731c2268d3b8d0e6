#ifndef K8S_CONF_H
#define K8S_CONF_H
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "k8s/client.h"
#include "k8s/kubeconfig.h"
#include "k8s/place.h"

/* Where the API server is and how to prove who we are: in-cluster or by a kubeconfig.
 * The place is fixed; token, certificates and key are read anew when what was read is
 * older than K8S_CONF_FRESH_MS, and compared by content, since a projected volume swaps a
 * symlink (kubelet, atomic writer). A file that is damaged or gone later on changes
 * nothing: what was read last goes on, and one line is logged per change for the worse.
 * Owned by the client. */
enum { K8S_CONF_FRESH_MS = 60 * 1000, K8S_TOKEN_MAX = 16 * 1024 };

/* A text that nobody may see: it has no formatter and is wiped when freed. */
struct k8s_secret {
	struct buf text;
};

struct k8s_conf {
	struct k8s_place place;
	char server_name[256]; /* that the certificate must bear */
	char ns[64];
	SSL_CTX *tls;	     /* owned; NULL for plain HTTP */
	unsigned generation; /* of tls: another one, another trust */

	/* Private. */
	struct kubeconfig from;
	struct k8s_secret token;  /* empty: none is used */
	unsigned char digest[32]; /* of the texts that tls was tried with last */
	uint64_t read_ms;
	bool is_digest_bad;		   /* and they were none */
	bool is_distrusted;		   /* read the token at the next chance */
	bool has_bad_token, has_bad_trust; /* and it was logged */
};

/* Reads everything, once. INVALID with what is wrong with which file or variable, never
 * with its content. k8s_conf_fini may follow either way. */
int k8s_conf_open(struct k8s_conf *c, const struct k8s_client_conf *args, uint64_t now_ms,
		  struct err *err);
void k8s_conf_fini(struct k8s_conf *c);

/* Reads anew what is too old. */
void k8s_conf_refresh(struct k8s_conf *c, uint64_t now_ms);
/* Appends the header line that proves who we are, if there is one. */
int k8s_conf_authorize(const struct k8s_conf *c, struct buf *head);
#endif
