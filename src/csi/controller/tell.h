#ifndef CSI_CONTROLLER_TELL_H
#define CSI_CONTROLLER_TELL_H
#include "csi/csi.h"

/* Events on the claim of a volume, for its owner to read. Best effort: without
 * Kubernetes, without a PV or without a claim nobody is told; nothing waits for one. */
enum tell_reason {
	TELL_ATTACHED,
	TELL_DETACHED,
	TELL_CONFLICT,
	TELL_STALE,
	TELL_MIGRATION_STARTED,
	TELL_MIGRATION_COMPLETED,
	TELL_MIGRATION_FAILED,
	TELL_FENCED,
	TELL_FENCE_PENDING,
	TELL_FENCE_FAILED,
	TELL_BOX_AWAY,
	TELL_BOX_BACK,	 /* after one of those, of the same volume */
	TELL_OLD_PLUGIN, /* on the node that asks for it */
	TELL_PROVISIONING,
	TELL_MOUNTED, /* by the box itself, while a node uses it */
	TELL_REASONS
};

/* CamelCase, as Kubernetes shows it; docs/reference/events.md lists them. */
const char *tell_name(enum tell_reason reason);
bool tell_is_warning(enum tell_reason reason);

/* The text gets "[<volume>]: " before it. */
void tell(struct csi *csi, const char *id, enum tell_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* On a claim that has no volume yet: "<namespace>/<claim>". */
void tell_claim(struct csi *csi, const char *claim, enum tell_reason reason,
		const char *text);
#endif
