#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H
#include "core/err.h"
#include "core/log.h"

/* The events of the security record, with the words of the Go driver's. Written by
 * log_audit(AUDIT_…, "module", "message", fields), at the level of the severity, whatever
 * level is set. docs/reference/audit.md lists them. */
enum audit_event {
	AUDIT_SSH_CONNECTED, /* and the host key verified, unless that is off */
	AUDIT_SSH_FAILED,
	AUDIT_SSH_REFUSED, /* the box does not take our key */
	AUDIT_HOST_KEY_MISMATCH,
	AUDIT_HOST_KEY_UNVERIFIED,
	AUDIT_KEYS_RENEWED, /* by every session with the box */
	AUDIT_NVME_CONNECTED,
	AUDIT_NVME_FAILED,
	AUDIT_NVME_DISCONNECTED,
	AUDIT_FENCED,
	AUDIT_LOG_LEVEL,
	AUDIT_N
};

extern const struct log_audit audit_events[AUDIT_N];

enum log_level audit_level(enum audit_event event);

/* The end of a call that changes a volume. verb is "create", "stage" and so on; name
 * holds the event's text. A request that is refused for its form is an event of its own,
 * as it may be an attempt at something. Pure. */
enum { AUDIT_NAME = 40 };
void audit_volume(struct log_audit *ret, char name[AUDIT_NAME], const char *verb,
		  enum err_code code);

#define log_audit(event, mod, ...)                                                  \
	log_write_audit(audit_level(event), &audit_events[event], mod, __VA_ARGS__, \
			LOG_END)
#endif
