#include "csi/node/event.h"

#include <stddef.h>

#include "core/log.h"
#include "metrics/registry.h"

static const struct {
	const char *reason, *msg;
	enum log_level level;
} kinds[NODE_EVENT_N] = {
	[NODE_EVENT_SYNC_FAILED] = { "SyncFailed",
				     "syncfs failed: data written last may be lost",
				     LOG_ERROR },
	[NODE_EVENT_DEVICE_GONE] = { "DeviceGone", "the device is gone under its mount",
				     LOG_ERROR },
	[NODE_EVENT_FENCED] = { "FencedLeftover",
				"what an earlier session left here is cleaned away",
				LOG_WARN },
	[NODE_EVENT_STUCK] = { "Stuck", "a child does not come back from the kernel",
			       LOG_ERROR },
	[NODE_EVENT_IDENTITY] = { "NamespaceIdentityChanged",
				  "the namespace has another UUID than recorded",
				  LOG_WARN },
	[NODE_EVENT_REPLACED] = { "ContentReplaced",
				  "the target has put another file system in the place "
				  "of the volume's: the session is cut",
				  LOG_ERROR },
	[NODE_EVENT_NOT_GROWN] = { "NotGrown",
				   "the file system could not be grown to its device",
				   LOG_WARN },
};

/* What is mounted is not the volume, or not any more. */
static bool is_stale(enum node_event_kind kind)
{
	return kind == NODE_EVENT_DEVICE_GONE || kind == NODE_EVENT_FENCED ||
	       kind == NODE_EVENT_REPLACED;
}

void node_event(const char *volume, enum node_event_kind kind, const char *text)
{
	metric_count(METRIC_NODE_EVENTS,
		     metric_label_value(METRIC_NODE_EVENTS, 0, kinds[kind].reason), 0);
	if (is_stale(kind))
		metric_count(METRIC_STALE_MOUNTS, 0, 0);
	log_write(kinds[kind].level, "node", kinds[kind].msg, KS("volume", volume),
		  KS("event", kinds[kind].reason), KS("text", text), LOG_END);
}
