#include <stdlib.h>
#include <string.h>

#include "rds/judge.h"
#include "rds/ros_reply.h"
#include "rds/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ros_site site = {
	.cluster_id = "prod-1",
	.n_bases = 1,
	.bases = { "storage-pool/metal-csi" },
	.pool = "storage-pool",
};

struct seen {
	struct judge_answer answer;
	size_t events, bytes;
};

static void on_event(void *arg, const struct ros_event *ev)
{
	struct seen *s = arg;

	if (ev->text[ev->len] != '\0' || strlen(ev->text) != ev->len)
		abort();
	s->events++;
	s->bytes += ev->len + (size_t)ev->word;
	judge_note(&s->answer, ev, &site);
}

static void feed(struct seen *s, const uint8_t *data, size_t size, size_t piece)
{
	struct ros_reply r;

	memset(s, 0, sizeof(*s));
	ros_reply_init(&r, on_event, s);
	for (size_t i = 0; i < size; i += piece)
		ros_reply_feed(&r, (const char *)data + i,
			       size - i < piece ? size - i : piece);
	ros_reply_end(&r);
	ros_reply_fini(&r);
}

/* The same events however the bytes are cut, and a verdict on every answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen whole, cut;
	const struct ros_args args = { .nonce = "11111111", .nqn = "nqn.x:a" };
	struct err err;

	feed(&whole, data, size, size + 1);
	feed(&cut, data, size, 3);
	if (whole.events != cut.events || whole.bytes != cut.bytes)
		abort();
	for (enum rds_kind k = RDS_GET; k <= RDS_FENCE_FINISH; k++) {
		(void)judge_answer(k, &args, &whole.answer, &err);
		(void)judge_check(k, &args, &whole.answer, &err);
	}
	return 0;
}
