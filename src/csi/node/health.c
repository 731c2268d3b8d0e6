#include "csi/node/health.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE = 200 };

__attribute__((format(printf, 2, 3))) static bool abnormal(char message[MESSAGE],
							   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, MESSAGE, fmt, ap);
	va_end(ap);
	return true;
}

static bool judge_session(const struct nvme_view *v, char message[MESSAGE])
{
	switch (v->state) {
	case NVME_RECOVERING:
		return abnormal(message, "the target does not answer; I/O waits");
	case NVME_EMPTY:
		return abnormal(message, "the target has taken the namespace away");
	case NVME_GOING:
		return abnormal(message, "the session is being deleted");
	default:
		return false;
	}
}

static bool judge_device(const struct health_facts *f, char message[MESSAGE])
{
	const struct nvme_view *v = f->view;

	if (v->n_other_sessions)
		return abnormal(message,
				"%u sessions under other names of the volume: it was "
				"fenced and must be unstaged",
				v->n_other_sessions);
	if (f->is_other_node || !v->device.path[0])
		return abnormal(message, "there is no device of the volume at its path");
	if (f->rec && v->device.size_bytes && v->device.size_bytes < f->rec->size_bytes)
		return abnormal(message, "the device has %llu bytes, the volume has %llu",
				(unsigned long long)v->device.size_bytes,
				(unsigned long long)f->rec->size_bytes);
	return false;
}

bool health_judge(const struct health_facts *f, char message[MESSAGE])
{
	if (f->stuck[0])
		return abnormal(message,
				"stuck: a child does not come back from the kernel (%s)",
				f->stuck);
	if (f->view->is_dead)
		return abnormal(message,
				"the device is gone under its mount: the pods must end, "
				"then the volume is unstaged and staged anew");
	if (judge_session(f->view, message) || judge_device(f, message))
		return true;
	(void)snprintf(message, MESSAGE, "Volume is healthy");
	return false;
}
