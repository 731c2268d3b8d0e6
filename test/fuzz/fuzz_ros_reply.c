#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rds/figures.h"
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

static struct figures figures;

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
	figures_note(&figures, ev);
}

/* A label or a number that no scrape could bear. */
static void check_label(const char *s, size_t size)
{
	if (memchr(s, '\0', size) == NULL || strpbrk(s, "\"\\{}\n ,"))
		abort();
}

static void check_figures(void)
{
	if (figures.n_disks > FIGURES_DISKS || figures.n_sensors > FIGURES_SENSORS)
		abort();
	for (unsigned i = 0; i < FIGURES_TRAFFIC_N; i++)
		if (!isnan(figures.traffic[i]) && !(figures.traffic[i] >= 0))
			abort();
	if (!isnan(figures.pool_used) && !(figures.pool_used <= figures.pool_size))
		abort();
	for (unsigned i = 0; i < figures.n_disks; i++) {
		check_label(figures.disks[i].slot, sizeof(figures.disks[i].slot));
		check_label(figures.disks[i].state, sizeof(figures.disks[i].state));
	}
	for (unsigned i = 0; i < figures.n_sensors; i++) {
		check_label(figures.sensors[i].name, sizeof(figures.sensors[i].name));
		check_label(figures.sensors[i].unit, sizeof(figures.sensors[i].unit));
		check_label(figures.sensors[i].state, sizeof(figures.sensors[i].state));
	}
}

static void feed(struct seen *s, const uint8_t *data, size_t size, size_t piece)
{
	struct ros_reply r;

	memset(s, 0, sizeof(*s));
	figures_init(&figures);
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
	check_figures();
	for (enum rds_kind k = RDS_GET; k <= RDS_EXPORT; k++) {
		(void)judge_answer(k, &args, &whole.answer, &err);
		(void)judge_check(k, &args, &whole.answer, &err);
	}
	return 0;
}
