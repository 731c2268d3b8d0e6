#include "k8s/retry.h"

#include "support/t.h"

static enum k8s_retry judge(enum k8s_verb verb, unsigned status, bool is_sent)
{
	struct k8s_attempt a = { .verb = verb,
				 .code = ERR_UNAVAILABLE,
				 .status = status,
				 .is_sent = is_sent };

	return k8s_retry_judge(&a);
}

Test(retry, nothing_that_could_be_done_twice)
{
	static const enum k8s_verb once[] = { K8S_CREATE, K8S_UPDATE, K8S_DELETE };
	static const enum k8s_verb often[] = { K8S_GET, K8S_LIST, K8S_PATCH };

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(judge(once[i], 0, true), K8S_RETRY_NO);
		cr_assert_eq(judge(once[i], 0, false), K8S_RETRY_LATER);
		cr_assert_eq(judge(once[i], 200, true), K8S_RETRY_NO);
		cr_assert_eq(judge(once[i], 500, true), K8S_RETRY_NO);
		cr_assert_eq(judge(once[i], 504, true), K8S_RETRY_NO);
		cr_assert_eq(judge(once[i], 429, true), K8S_RETRY_LATER);
		cr_assert_eq(judge(once[i], 401, true), K8S_RETRY_TOKEN);
		cr_assert_eq(judge(often[i], 0, true), K8S_RETRY_LATER);
		cr_assert_eq(judge(often[i], 200, true), K8S_RETRY_LATER);
		cr_assert_eq(judge(often[i], 500, true), K8S_RETRY_LATER);
	}
}

Test(retry, a_delete_of_a_uid_may_be_asked_twice)
{
	struct k8s_attempt a = { .verb = K8S_DELETE,
				 .code = ERR_UNAVAILABLE,
				 .is_sent = true,
				 .has_uid = true };

	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_LATER);
	a.status = 503;
	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_LATER);
}

Test(retry, answers_are_final)
{
	static const unsigned statuses[] = { 400, 403, 404, 405, 409, 415, 422 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		for (unsigned verb = K8S_GET; verb <= K8S_DELETE; verb++)
			cr_assert_eq(judge(verb, statuses[i], true), K8S_RETRY_NO);
	cr_assert_eq(judge(K8S_LIST, 410, true), K8S_RETRY_AFRESH);
	cr_assert_eq(judge(K8S_GET, 410, true), K8S_RETRY_NO);
}

Test(retry, what_cannot_be_had_otherwise_is_final)
{
	struct k8s_attempt a = { .verb = K8S_GET, .code = ERR_EXHAUSTED };

	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_NO);
	a.code = ERR_INVALID;
	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_NO);
	a.code = ERR_DEADLINE; /* of the attempt, not of the request */
	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_LATER);
	a = (struct k8s_attempt){ .verb = K8S_GET,
				  .code = ERR_UNAVAILABLE,
				  .status = 200,
				  .is_unreadable = true };
	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_NO);
	a = (struct k8s_attempt){ .verb = K8S_GET,
				  .code = ERR_UNAVAILABLE,
				  .status = 401,
				  .was_distrusted = true };
	cr_assert_eq(k8s_retry_judge(&a), K8S_RETRY_NO);
}
