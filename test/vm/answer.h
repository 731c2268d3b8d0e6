#ifndef VM_ANSWER_H
#define VM_ANSWER_H
#include "core/err.h"
#include "e2e/vol.h"

/* What the driver answers where success is not what is wanted. */

struct health { /* of NodeGetVolumeStats at the target path */
	enum err_code code;
	bool has_condition, is_abnormal;
	char message[300]; /* of the condition; of the error without one */
	long long total_bytes;
};
void health_get(struct driver *d, const struct vol *v, struct health *ret);
/* Checks: the condition is there, abnormal, and says the word (NULL: any); it is there
 * and normal. Asked again until it is so or the time is over. */
bool health_is_bad(struct driver *d, const struct vol *v, const char *word,
		   unsigned timeout_ms);
bool health_is_good(struct driver *d, const struct vol *v, unsigned timeout_ms);

/* A check: the step ends with that code, and the message has the word in it, in any case
 * of letters (NULL: any). Codes that say "try again" are tried again unless the code is
 * one of them. */
bool answer_is(struct driver *d, struct vol *v, enum vol_step step, enum err_code code,
	       const char *word);
bool answer_has(const char *message, const char *word);

/* Whether the node has a record of the volume on disk. */
bool answer_is_recorded(const struct driver *d, const struct vol *v);

/* A controller that does not know the node detaches the volume from it: a fence. */
bool answer_fence(const struct sim *box, struct vol *v);
#endif
