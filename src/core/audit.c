#include "core/audit.h"

#include <stdio.h>
#include <string.h>

#define LOGIN "authentication"

const struct log_audit audit_events[AUDIT_N] = {
	[AUDIT_SSH_CONNECTED] = { "ssh_connection_success", LOGIN, "info", "success" },
	[AUDIT_SSH_FAILED] = { "ssh_connection_failure", LOGIN, "warning", "failure" },
	[AUDIT_SSH_REFUSED] = { "ssh_auth_failure", LOGIN, "error", "denied" },
	[AUDIT_HOST_KEY_MISMATCH] = { "ssh_host_key_mismatch", LOGIN, "critical",
				      "denied" },
	[AUDIT_HOST_KEY_UNVERIFIED] = { "ssh_host_key_unverified", "config_change",
					"warning", "success" },
	[AUDIT_KEYS_RENEWED] = { "ssh_keys_renewed", "config_change", "info", "success" },
	[AUDIT_NVME_CONNECTED] = { "nvme_connect_success", "network_access", "info",
				   "success" },
	[AUDIT_NVME_FAILED] = { "nvme_connect_failure", "network_access", "error",
				"failure" },
	[AUDIT_NVME_DISCONNECTED] = { "nvme_disconnect", "network_access", "info",
				      "success" },
	[AUDIT_FENCED] = { "volume_fence_success", "authorization", "warning",
			   "success" },
	[AUDIT_LOG_LEVEL] = { "log_level_changed", "config_change", "info", "success" },
};

enum log_level audit_level(enum audit_event event)
{
	switch (audit_events[event].severity[0]) {
	case 'i':
		return LOG_INFO;
	case 'w':
		return LOG_WARN;
	default:
		return LOG_ERROR;
	}
}

/* What fails to go away is tried again; what fails to come keeps a pod from starting. */
static bool is_going(const char *verb)
{
	static const char *const words[] = { "delete", "detach", "unstage", "unpublish" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(verb, words[i]) == 0)
			return true;
	return false;
}

void audit_volume(struct log_audit *ret, char name[AUDIT_NAME], const char *verb,
		  enum err_code code)
{
	*ret = (struct log_audit){ name, "volume_operation", "info", "success" };
	if (code == ERR_INVALID) {
		(void)snprintf(name, AUDIT_NAME, "validation_failure");
		ret->category = "security_violation";
		ret->severity = "warning";
		ret->outcome = "denied";
		return;
	}
	(void)snprintf(name, AUDIT_NAME, "volume_%.16s_%s", verb,
		       code == ERR_OK ? "success" : "failure");
	if (code == ERR_OK)
		return;
	ret->severity = is_going(verb) ? "warning" : "error";
	ret->outcome = "failure";
}
