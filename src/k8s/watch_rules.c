#include "k8s/watch_rules.h"

/* The first failure in a row that only needs a new beginning gets it at once. */
static struct k8s_verdict begin_anew(unsigned failures)
{
	return (struct k8s_verdict){ .is_relist = true,
				     .is_failure = true,
				     .is_pause = failures > 0 };
}

static struct k8s_verdict judge_failed(const struct k8s_ended *e)
{
	struct k8s_verdict v = { .is_failure = true, .is_pause = true };

	switch (e->status) {
	case 400: /* a resourceVersion that it does not understand */
		v.is_relist = true;
		return v;
	case 401:
		v.is_token = true;
		v.is_pause = e->failures > 0;
		return v;
	case 410:
		return begin_anew(e->failures);
	default:
		v.is_relist = e->silent_ms > K8S_WATCH_RELIST_MS;
		return v;
	}
}

/* A stream that the API server ended whole and when it had to: it was alive all the time,
 * and what it sent before has come. One that ends late may have been stopped, and be
 * behind itself. */
static bool is_in_time(const struct k8s_ended *e)
{
	return e->lived_ms + 1000 >= e->timeout_ms && e->lived_ms <= e->timeout_ms + 2000;
}

struct k8s_verdict k8s_watch_judge(const struct k8s_ended *e)
{
	struct k8s_verdict v = { .is_failure = true, .is_pause = true };

	switch (e->how) {
	case K8S_STREAM_ENDED:
		v.is_failure = v.is_pause =
			!e->has_events && e->lived_ms < K8S_WATCH_SHORT_MS;
		v.is_heard = is_in_time(e);
		return v;
	case K8S_STREAM_FAILED:
		return judge_failed(e);
	case K8S_STREAM_ERROR:
		if (e->status == 410)
			return begin_anew(e->failures);
		v.is_relist = true;
		return v;
	case K8S_STREAM_JUNK:
		v.is_relist = true;
		return v;
	case K8S_STREAM_SILENT: /* no hot loop: it took its time */
		return (struct k8s_verdict){ .is_relist = true };
	case K8S_STREAM_NO_MEMORY:
		break;
	}
	return v;
}

struct k8s_verdict k8s_watch_judge_page(unsigned status, bool is_unreadable,
					unsigned failures)
{
	struct k8s_verdict v = { .is_failure = true, .is_pause = true };

	if (status == 410)
		return begin_anew(failures);
	v.is_token = status == 401;
	v.is_pause = status != 401 || failures > 0;
	/* The continue token may be what is wrong. */
	v.is_relist = status == 400 || is_unreadable;
	return v;
}
