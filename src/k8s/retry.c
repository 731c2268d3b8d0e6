#include "k8s/retry.h"

static bool is_harmless_twice(const struct k8s_attempt *a)
{
	switch (a->verb) {
	case K8S_GET:
	case K8S_LIST:
	case K8S_PATCH:
		return true;
	case K8S_DELETE:
		return a->has_uid;
	case K8S_CREATE:
	case K8S_UPDATE:
		break;
	}
	return false;
}

/* The exchange itself failed. EXHAUSTED and INVALID are answers or requests that cannot
 * be had otherwise. */
static enum k8s_retry judge_transport(const struct k8s_attempt *a)
{
	if (a->is_unreadable || (a->code != ERR_UNAVAILABLE && a->code != ERR_DEADLINE))
		return K8S_RETRY_NO;
	return !a->is_sent || is_harmless_twice(a) ? K8S_RETRY_LATER : K8S_RETRY_NO;
}

enum k8s_retry k8s_retry_judge(const struct k8s_attempt *a)
{
	/* 2xx whose answer failed: cut, or cannot be read. */
	if (a->status < 300)
		return judge_transport(a);
	switch (a->status) {
	case 401:
		return a->was_distrusted ? K8S_RETRY_NO : K8S_RETRY_TOKEN;
	case 410: /* Gone: an expired continue token */
		return a->verb == K8S_LIST ? K8S_RETRY_AFRESH : K8S_RETRY_NO;
	case 429:
		return K8S_RETRY_LATER;
	default:
		break;
	}
	return a->status >= 500 && is_harmless_twice(a) ? K8S_RETRY_LATER : K8S_RETRY_NO;
}
