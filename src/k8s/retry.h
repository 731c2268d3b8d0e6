#ifndef K8S_RETRY_H
#define K8S_RETRY_H
#include <stdbool.h>

#include "k8s/k8s.h"

/* Whether a request that failed may be asked again. Pure. Nothing is asked again that
 * could be done twice: a DELETE names its object's uid, a merge patch holds absolute
 * values; a CREATE or an UPDATE only when no byte of it left, or when the API server
 * said that it did not look at it (401, 429). */
enum k8s_retry {
	K8S_RETRY_NO,
	K8S_RETRY_LATER,  /* after a pause */
	K8S_RETRY_TOKEN,  /* at once, with a token read anew */
	K8S_RETRY_AFRESH, /* LIST: from its first page, after a pause */
};

struct k8s_attempt {
	enum k8s_verb verb;
	enum err_code code; /* of the attempt */
	unsigned status;    /* 0 = none came */
	bool is_sent;
	bool is_unreadable;  /* an answer came whole, but is not understood */
	bool has_uid;	     /* DELETE with a precondition */
	bool was_distrusted; /* the token was read anew once already */
};

enum k8s_retry k8s_retry_judge(const struct k8s_attempt *a);
#endif
