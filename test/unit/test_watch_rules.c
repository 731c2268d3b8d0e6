#include "k8s/watch_rules.h"

#include "support/t.h"

static struct k8s_verdict judge(enum k8s_stream_end how, unsigned status,
				unsigned failures)
{
	struct k8s_ended e = { .how = how,
			       .status = status,
			       .failures = failures,
			       .lived_ms = 5000,
			       .silent_ms = 1000 };

	return k8s_watch_judge(&e);
}

Test(watch_rules, a_normal_end_is_resumed_at_once_unless_it_was_very_short)
{
	struct k8s_ended e = { .how = K8S_STREAM_ENDED, .lived_ms = 5000 };

	cr_assert(!k8s_watch_judge(&e).is_pause && !k8s_watch_judge(&e).is_relist);
	e.lived_ms = 10;
	cr_assert(k8s_watch_judge(&e).is_pause && k8s_watch_judge(&e).is_failure);
	e.has_events = true;
	cr_assert(!k8s_watch_judge(&e).is_pause);
}

Test(watch_rules, an_end_in_due_time_tells_as_much_as_a_bookmark)
{
	struct k8s_ended e = { .how = K8S_STREAM_ENDED, .timeout_ms = 50000 };

	for (e.lived_ms = 0; e.lived_ms < 60000; e.lived_ms += 500)
		cr_assert_eq(k8s_watch_judge(&e).is_heard,
			     e.lived_ms >= 49000 && e.lived_ms <= 52000);
	e.lived_ms = 50000;
	e.how = K8S_STREAM_FAILED;
	cr_assert(!k8s_watch_judge(&e).is_heard);
	cr_assert_lt(K8S_WATCH_QUIET_S * 4 / 3 * 1000 + 2000, K8S_WATCH_SILENT_MS);
}

Test(watch_rules, gone_is_relisted_at_once_the_first_time)
{
	cr_assert(judge(K8S_STREAM_FAILED, 410, 0).is_relist);
	cr_assert(!judge(K8S_STREAM_FAILED, 410, 0).is_pause);
	cr_assert(judge(K8S_STREAM_FAILED, 410, 1).is_pause);
	cr_assert(judge(K8S_STREAM_ERROR, 410, 0).is_relist);
	cr_assert(!judge(K8S_STREAM_ERROR, 410, 0).is_pause);
	cr_assert(judge(K8S_STREAM_ERROR, 500, 0).is_relist);
	cr_assert(judge(K8S_STREAM_ERROR, 500, 0).is_pause);
}

Test(watch_rules, a_failure_is_resumed_unless_the_store_is_getting_old)
{
	struct k8s_ended e = { .how = K8S_STREAM_FAILED, .silent_ms = 1000 };

	cr_assert(!k8s_watch_judge(&e).is_relist && k8s_watch_judge(&e).is_pause);
	e.silent_ms = K8S_WATCH_RELIST_MS + 1;
	cr_assert(k8s_watch_judge(&e).is_relist && k8s_watch_judge(&e).is_pause);
	cr_assert(judge(K8S_STREAM_FAILED, 429, 0).is_pause);
	cr_assert(!judge(K8S_STREAM_FAILED, 429, 0).is_relist);
	cr_assert(judge(K8S_STREAM_FAILED, 401, 0).is_token);
	cr_assert(!judge(K8S_STREAM_FAILED, 401, 0).is_pause);
	cr_assert(judge(K8S_STREAM_FAILED, 401, 1).is_pause);
	cr_assert(judge(K8S_STREAM_FAILED, 400, 0).is_relist);
	cr_assert(!judge(K8S_STREAM_NO_MEMORY, 0, 0).is_relist);
	cr_assert(judge(K8S_STREAM_JUNK, 0, 0).is_relist);
	cr_assert(judge(K8S_STREAM_SILENT, 0, 5).is_relist);
}

Test(watch_rules, pages)
{
	cr_assert(k8s_watch_judge_page(410, false, 0).is_relist);
	cr_assert(!k8s_watch_judge_page(410, false, 0).is_pause);
	cr_assert(k8s_watch_judge_page(410, false, 1).is_pause);
	cr_assert(!k8s_watch_judge_page(503, false, 0).is_relist);
	cr_assert(k8s_watch_judge_page(503, false, 0).is_pause);
	cr_assert(!k8s_watch_judge_page(0, false, 0).is_relist);
	cr_assert(k8s_watch_judge_page(401, false, 0).is_token);
	cr_assert(k8s_watch_judge_page(200, true, 0).is_relist);
}

Test(watch_rules, silence_is_noticed_before_the_store_is_stale)
{
	cr_assert_lt(K8S_WATCH_SILENT_MS, 90 * 1000);
	cr_assert_lt(K8S_WATCH_RELIST_MS + K8S_WATCH_RETRY_MAX_MS, K8S_WATCH_SILENT_MS);
}
