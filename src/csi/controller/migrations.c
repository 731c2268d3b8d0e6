#include "csi/controller/migrations.h"

#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"
#include "core/mem.h"
#include "csi/controller/attachments.h"
#include "csi/controller/tell.h"
#include "csi/csi.h"
#include "metrics/registry.h"

struct migration {
	struct map_node node;
	struct migrations *all;
	struct clock_timer limit;
	uint64_t since_ms;
	bool is_late;
	const char *id, *source, *target; /* in text */
	char text[];
};

struct migrations {
	struct csi *csi;
	struct map map; /* of struct migration by volume, owned */
	unsigned n_active;
};

struct migrations *migrations_new(struct csi *csi)
{
	struct migrations *m = mem_calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->csi = csi;
	map_init(&m->map);
	return m;
}

static struct migration *find(const struct migrations *m, const char *id)
{
	struct map_node *n = map_find(&m->map, id);

	return n ? CONTAINER_OF(n, struct migration, node) : NULL;
}

static void drop(struct migrations *m, struct migration *g)
{
	clock_timer_stop(&g->limit);
	map_remove(&m->map, &g->node);
	m->n_active--;
	mem_free(g);
}

void migrations_forget(struct migrations *m)
{
	struct map_node *n, *following;
	size_t pos = 0;

	for (n = map_next(&m->map, &pos, NULL); n; n = following) {
		following = map_next(&m->map, &pos, n);
		drop(m, CONTAINER_OF(n, struct migration, node));
	}
}

void migrations_free(struct migrations *m)
{
	if (!m)
		return;
	migrations_forget(m);
	map_fini(&m->map);
	mem_free(m);
}

static unsigned long long seconds_since(const struct migrations *m, uint64_t since_ms)
{
	return (clock_now_ms(m->csi->loop) - since_ms) / 1000;
}

static void on_limit(struct clock_timer *t)
{
	struct migration *g = CONTAINER_OF(t, struct migration, limit);
	struct migrations *m = g->all;

	/* Another controller has it now, and its own clock for it. */
	if (!attachments_is_leader(m->csi->attachments)) {
		drop(m, g);
		return;
	}
	g->is_late = true;
	metric_count(METRIC_MIGRATIONS, METRIC_MIGRATION_TIMEOUT, 0);
	log_warn("csi", "a live migration takes too long; both nodes keep the volume",
		 KS("volume", g->id), KS("source", g->source), KS("target", g->target));
	tell(m->csi, g->id, TELL_MIGRATION_FAILED,
	     "KubeVirt live migration failed - source: %s, attempted target: %s, reason: "
	     "timeout, elapsed: %llus; both nodes keep the volume",
	     g->source, g->target, seconds_since(m, g->since_ms));
}

static struct migration *new_migration(const char *id, const struct migration_pair *pair)
{
	const char *texts[] = { id, pair->source, pair->target };
	size_t n = 0;
	struct migration *g;
	char *s;

	for (unsigned i = 0; i < 3; i++)
		n += strlen(texts[i]) + 1;
	g = mem_calloc(1, sizeof(*g) + n);
	if (!g)
		return NULL;
	s = g->text;
	for (unsigned i = 0; i < 3; i++) {
		n = strlen(texts[i]) + 1;
		memcpy(s, texts[i], n);
		texts[i] = s;
		s += n;
	}
	g->id = texts[0];
	g->source = texts[1];
	g->target = texts[2];
	return g;
}

void migrations_begin(struct migrations *m, const char *id,
		      const struct migration_pair *pair)
{
	uint32_t limit_s = pair->timeout_s ? pair->timeout_s : MIGRATION_DEFAULT_S;
	struct migration *g;

	if (find(m, id))
		return;
	g = new_migration(id, pair);
	if (!g || map_add(&m->map, &g->node, g->id)) {
		mem_free(g);
		return; /* it will be neither timed nor counted; nothing depends on it */
	}
	limit_s = limit_s < MIGRATION_MIN_S ? MIGRATION_MIN_S : limit_s;
	limit_s = limit_s > MIGRATION_MAX_S ? MIGRATION_MAX_S : limit_s;
	g->all = m;
	g->since_ms = clock_now_ms(m->csi->loop);
	m->n_active++;
	clock_timer_start(m->csi->loop, &g->limit, limit_s * UINT64_C(1000), on_limit);
	tell(m->csi, id, TELL_MIGRATION_STARTED,
	     "KubeVirt live migration started - source: %s, target: %s, timeout: %us",
	     g->source, g->target, limit_s);
}

void migrations_end(struct migrations *m, const char *id, const char *leaver)
{
	struct migration *g = find(m, id);
	unsigned long long took_s;

	if (!g)
		return;
	took_s = seconds_since(m, g->since_ms);
	if (g->is_late || !*leaver) {
		drop(m, g);
		return;
	}
	metric_observe(METRIC_MIGRATION_SECONDS, 0,
		       (clock_now_ms(m->csi->loop) - g->since_ms) * 1000);
	if (strcmp(leaver, g->source) == 0) {
		metric_count(METRIC_MIGRATIONS, METRIC_MIGRATED, 0);
		tell(m->csi, id, TELL_MIGRATION_COMPLETED,
		     "KubeVirt live migration completed - source: %s -> target: %s "
		     "(duration: %llus)",
		     g->source, g->target, took_s);
	} else {
		metric_count(METRIC_MIGRATIONS, METRIC_MIGRATION_FAILED, 0);
		tell(m->csi, id, TELL_MIGRATION_FAILED,
		     "KubeVirt live migration failed - source: %s, attempted target: %s, "
		     "reason: the target gave the volume back, elapsed: %llus",
		     g->source, g->target, took_s);
	}
	drop(m, g);
}

bool migrations_is_late(const struct migrations *m, const char *id)
{
	const struct migration *g = find(m, id);

	return g && g->is_late;
}

unsigned migrations_active(const struct migrations *m)
{
	return m->n_active;
}
