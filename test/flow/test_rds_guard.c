#include "support/box.h"

#include <string.h>

/* A mutation is asked for once more right before its bytes leave: who slept past his
 * right to decide while the channel was being opened changes nothing. */
static struct t_box b;
static bool may;
static unsigned n_asked;

static bool may_send(const struct rds_req *req)
{
	(void)req;
	n_asked++;
	return may;
}

static void publish(struct t_req *q, const struct rds_volume *from)
{
	t_req_change(q, RDS_PUBLISH, from);
	q->req.may_send = may_send;
	t_req_run(&b, q);
}

Test(rds_guard, what_may_not_leave_any_more_does_not)
{
	struct rds_volume v;
	struct t_req q;

	t_box_open(&b, NULL);
	t_box_connect(&b);
	t_box_create(&b, "pvc-1");
	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	v = q.req.volume;
	publish(&q, &v);
	cr_assert_eq(n_asked, 1);
	cr_assert_eq(q.err.code, ERR_ABORTED, "%s", q.err.msg);
	cr_assert(!q.req.is_outcome_unknown);
	t_req_init(&q, RDS_GET, "pvc-1");
	q.req.may_send = may_send;
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "a look is free: %s", q.err.msg);
	cr_assert_str_eq(q.req.volume.record.nonce, v.record.nonce);
	cr_assert(!q.req.volume.is_exported);
	may = true;
	publish(&q, &v);
	cr_assert_eq(n_asked, 2);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
	cr_assert(q.req.volume.is_exported);
	t_box_close(&b);
}

static bool may_joined(const struct rds_req *req)
{
	n_asked++;
	return req->sender != &may;
}

/* Of several in one script each is asked for, and what one may not holds up no other. */
Test(rds_guard, joined_ones_leave_together_only_where_all_may)
{
	enum { N = 5, NOT = 2 };
	struct t_req q[N];
	unsigned n = 0;
	char id[16];

	t_box_open(&b, NULL);
	t_box_connect(&b);
	for (unsigned i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "pvc-%u", i);
		t_box_create(&b, id);
		t_req_init(&q[i], RDS_GET, id);
		t_req_run(&b, &q[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		struct rds_volume v = q[i].req.volume;

		t_req_change(&q[i], RDS_PUBLISH, &v);
		q[i].req.may_send = may_joined;
		q[i].req.sender = i == NOT ? &may : NULL;
		t_req_start(&b, &q[i]);
	}
	for (unsigned i = 0; i < N; i++)
		t_req_wait(&b, &q[i]);
	for (unsigned i = 0; i < N; i++) {
		cr_assert_eq(q[i].err.code, i == NOT ? ERR_ABORTED : ERR_OK, "%u: %s", i,
			     q[i].err.msg);
		snprintf(id, sizeof(id), "pvc-%u", i);
		t_req_init(&q[i], RDS_GET, id);
		t_req_run(&b, &q[i]);
		n += q[i].req.volume.is_exported;
	}
	cr_assert_eq(n, N - 1);
	cr_assert(!q[NOT].req.volume.is_exported);
	cr_assert_gt(n_asked, N, "they were not joined");
	t_box_close(&b);
}
