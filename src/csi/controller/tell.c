#include "csi/controller/tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "csi/controller/attachments.h"
#include "csi/controller/watched.h"
#include "k8s/k8s.h"

static const struct {
	const char *name;
	bool is_warning;
} reasons[TELL_REASONS] = {
	[TELL_ATTACHED] = { "VolumeAttached", false },
	[TELL_DETACHED] = { "VolumeDetached", false },
	[TELL_CONFLICT] = { "AttachmentConflict", true },
	[TELL_STALE] = { "StaleAttachmentCleared", false },
	[TELL_MIGRATION_STARTED] = { "MigrationStarted", false },
	[TELL_MIGRATION_COMPLETED] = { "MigrationCompleted", false },
	[TELL_MIGRATION_FAILED] = { "MigrationFailed", true },
	[TELL_FENCED] = { "NodeFenced", true },
	[TELL_FENCE_PENDING] = { "NodeFencePending", true },
	[TELL_FENCE_FAILED] = { "NodeFenceFailed", true },
	[TELL_BOX_AWAY] = { "ConnectionFailure", true },
	[TELL_BOX_BACK] = { "ConnectionRecovery", false },
	[TELL_OLD_PLUGIN] = { "NodePluginTooOld", true },
	[TELL_PROVISIONING] = { "ProvisioningFailed", true },
	[TELL_MOUNTED] = { "VolumeMountedOnBox", true },
};

const char *tell_name(enum tell_reason reason)
{
	return reasons[reason].name;
}

bool tell_is_warning(enum tell_reason reason)
{
	return reasons[reason].is_warning;
}

void tell(struct csi *csi, const char *id, enum tell_reason reason, const char *fmt, ...)
{
	char text[1024];
	struct k8s_event e = { .reason = reasons[reason].name,
			       .is_warning = reasons[reason].is_warning,
			       .message = text };
	const struct k8s_pv *pv;
	va_list ap;
	int n;

	if (!csi->k8s)
		return;
	pv = watched_pv(attachments_watched(csi->attachments), id);
	if (!pv || !*pv->claim_name)
		return;
	e.ns = pv->claim_ns;
	e.claim = pv->claim_name;
	e.uid = pv->claim_uid;
	n = snprintf(text, sizeof(text), "[%s]: ", id);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	k8s_emit(csi->k8s, &e);
}

void tell_claim(struct csi *csi, const char *claim, enum tell_reason reason,
		const char *text)
{
	const char *slash = strchr(claim, '/');
	char ns[64];
	struct k8s_event e = { .ns = ns,
			       .uid = "",
			       .reason = reasons[reason].name,
			       .is_warning = reasons[reason].is_warning,
			       .message = text };

	if (!csi->k8s || !slash || (size_t)(slash - claim) >= sizeof(ns) || !slash[1])
		return;
	(void)snprintf(ns, sizeof(ns), "%.*s", (int)(slash - claim), claim);
	e.claim = slash + 1;
	k8s_emit(csi->k8s, &e);
}
