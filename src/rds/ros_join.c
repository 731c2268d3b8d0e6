#include "rds/ros_join.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "rds/ros_maker.h"

/* A record without its nonce and its claim, both of which vary from row to row. */
struct record_parts {
	char nonce[RDS_NONCE + 1], middle[128];
	const char *claim;
};

static bool split_record(struct record_parts *p, const char *record)
{
	const char *nonce, *q;
	size_t n;

	if (!str_starts_with(record, RDS_RECORD_MARK))
		return false;
	nonce = record + strlen(RDS_RECORD_MARK);
	q = strstr(nonce, " q=");
	n = q ? (size_t)(q + 3 - nonce) : 0;
	if (n < RDS_NONCE || n - RDS_NONCE >= sizeof(p->middle))
		return false;
	memcpy(p->nonce, nonce, RDS_NONCE);
	p->nonce[RDS_NONCE] = '\0';
	memcpy(p->middle, nonce + RDS_NONCE, n - RDS_NONCE);
	p->middle[n - RDS_NONCE] = '\0';
	p->claim = q + 3;
	return true;
}

/* An NQN without the id and without what follows the last dash of its suffix, both of
 * which vary from row to row. */
struct nqn_parts {
	char before[RDS_NQN_MAX + 1], after[RDS_NQN_MAX + 1];
	const char *last;
};

static bool split_nqn(struct nqn_parts *p, const struct ros_args *a)
{
	const char *suffix = maker_suffix(a->nqn), *dash = strrchr(suffix, '-');
	size_t m = strlen(a->id), n = (size_t)(suffix - a->nqn);

	if (!dash || n <= m || strlen(a->nqn) > RDS_NQN_MAX ||
	    strncmp(suffix - m, a->id, m) != 0)
		return false;
	memcpy(p->before, a->nqn, n - m);
	p->before[n - m] = '\0';
	p->last = dash + 1;
	memcpy(p->after, suffix, (size_t)(p->last - suffix));
	p->after[p->last - suffix] = '\0';
	return true;
}

static bool may_join_creates(const struct ros_args *a, const struct ros_args *b)
{
	struct nqn_parts nqn_a, nqn_b;
	struct record_parts r, s;

	return a->layout == b->layout && a->base == b->base && a->port == b->port &&
	       split_nqn(&nqn_a, a) && split_nqn(&nqn_b, b) &&
	       strcmp(nqn_a.before, nqn_b.before) == 0 &&
	       strcmp(nqn_a.after, nqn_b.after) == 0 && split_record(&r, a->record) &&
	       split_record(&s, b->record) && strcmp(r.middle, s.middle) == 0;
}

/* A record that is to be written, from behind its cluster on. */
static const char *record_rest(const struct ros_args *a)
{
	const char *p = a->record ? a->record : "", *end;

	if (!str_starts_with(p, RDS_RECORD_MARK) || !a->nonce)
		return NULL;
	p += strlen(RDS_RECORD_MARK);
	if (!str_starts_with(p, a->nonce) || !str_starts_with(p + RDS_NONCE, " c="))
		return NULL;
	end = strchr(p + RDS_NONCE + 1, ' ');
	return end && end[1] ? end + 1 : NULL;
}

/* Of volumes that bear a record of ours; the rows have all that differs. */
static bool may_join_publishes(const struct ros_args *a, const struct ros_args *b)
{
	return a->expect_nonce && b->expect_nonce && record_rest(a) && record_rest(b);
}

bool ros_may_join(enum ros_step step, const struct ros_args *a, const struct ros_args *b)
{
	if (step == ROS_CREATE)
		return may_join_creates(a, b);
	return step == ROS_PUBLISH && may_join_publishes(a, b);
}

unsigned ros_join_bytes(enum ros_step step, const struct ros_args *a)
{
	struct record_parts r;
	struct nqn_parts nqn;
	const char *rest;

	if (step == ROS_PUBLISH) {
		rest = record_rest(a);
		/* and two nonces, marks */
		return rest ? (unsigned)(strlen(a->id) + strlen(a->nqn) + strlen(rest) +
					 2 * RDS_NONCE + 17)
			    : ROS_SCRIPT_MAX;
	}
	if (!split_record(&r, a->record) || !split_nqn(&nqn, a))
		return ROS_SCRIPT_MAX;
	/* and size, nonce, marks */
	return (unsigned)(strlen(a->id) + strlen(r.claim) + strlen(nqn.last) + 39);
}

unsigned ros_join_head(enum ros_step step, const struct ros_args *first)
{
	return step == ROS_CREATE ? (unsigned)strlen(first->nqn) : 0;
}

static size_t lengths(const enum ros_template *t, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += strlen(ros_templates[t[i]]);
	return sum;
}

/* Dots of a path become three characters of a pattern. */
static size_t pattern_bytes(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '.' ? 3 : 1;
	return n;
}

static size_t publish_head_bytes(const struct ros_site *site)
{
	static const enum ros_template parts[] = {
		ROS_T_JOINED_HEAD,	  ROS_T_JOINED_PUBLISH, ROS_T_JOINED_SHAPE,
		ROS_T_JOINED_PUBLISH_ONE, ROS_T_JOINED_TAIL,
	};
	size_t used = lengths(parts, sizeof(parts) / sizeof(parts[0])) +
		      pattern_bytes(site->pool) + 2 * strlen(site->cluster_id) + 192;

	for (unsigned i = 0; i < site->n_bases; i++)
		used += pattern_bytes(site->bases[i]) + 32;
	return used;
}

static size_t create_head_bytes(const struct ros_site *site)
{
	static const enum ros_template parts[] = {
		ROS_T_JOINED_HEAD,
		ROS_T_JOINED_BODY,
		ROS_T_JOINED_SUBVOLUME,
		ROS_T_JOINED_TAIL,
	};
	size_t used = lengths(parts, sizeof(parts) / sizeof(parts[0])), longest = 0;

	for (unsigned i = 0; i < site->n_bases; i++)
		if (strlen(site->bases[i]) > longest)
			longest = strlen(site->bases[i]);
	/* Each value as often as the templates name it, and the record's fixed words. */
	return used + longest + 3 * strlen(site->pool) + strlen(site->pool_slot) +
	       2 * strlen(site->label) + strlen(site->cluster_id) + 128;
}

unsigned ros_join_room(enum ros_step step, const struct ros_site *site)
{
	size_t used =
		step == ROS_CREATE ? create_head_bytes(site) : publish_head_bytes(site);

	return used < ROS_SCRIPT_MAX ? (unsigned)(ROS_SCRIPT_MAX - used) : 0;
}

static int create_rows(struct maker *m, struct err *err)
{
	for (unsigned i = 0; i < m->order->n; i++) {
		const struct ros_args *a = m->order->rows[i];
		struct record_parts r;
		struct nqn_parts nqn;

		bug_on(!may_join_creates(m->order->rows[0], a));
		(void)split_record(&r, a->record);
		(void)split_nqn(&nqn, a);
		maker_let_size(m, a->size_bytes);
		maker_let(m, 'I', ROS_ID, a->id);
		maker_let(m, 'W', ROS_RECORD, r.nonce);
		maker_let(m, 'c', ROS_RECORD, r.claim);
		maker_let(m, 'r', ROS_RECORD, nqn.last);
		if (maker_add(m, ROS_T_JOINED_ROW, err))
			return -1;
	}
	return 0;
}

static int joined_creates(struct maker *m, struct err *err)
{
	const struct ros_args *a = m->order->rows[0];
	const struct ros_site *site = m->order->site;
	bool is_file = a->layout == RDS_LAYOUT_FILE;
	struct nqn_parts nqn;
	struct record_parts r;

	if (!split_nqn(&nqn, a) || !split_record(&r, a->record))
		return err_set(err, ERR_INVALID, "not fit to be joined");
	maker_let_place(m, is_file ? site->bases[a->base] : NULL);
	maker_let_port(m, a->port);
	maker_let(m, 'q', ROS_NQN, nqn.before);
	maker_let(m, 't', ROS_RECORD, nqn.after);
	maker_let(m, 'h', ROS_RECORD, RDS_RECORD_MARK);
	maker_let(m, 'm', ROS_RECORD, r.middle);
	if (maker_add(m, ROS_T_JOINED_HEAD, err) || create_rows(m, err) ||
	    maker_add(m, ROS_T_JOINED_BODY, err) ||
	    maker_add(m, is_file ? ROS_T_JOINED_FILE : ROS_T_JOINED_SUBVOLUME, err))
		return -1;
	return maker_add(m, ROS_T_JOINED_TAIL, err);
}

static int publish_rows(struct maker *m, struct err *err)
{
	for (unsigned i = 0; i < m->order->n; i++) {
		const struct ros_args *a = m->order->rows[i];

		bug_on(!may_join_publishes(m->order->rows[0], a));
		maker_let(m, 'I', ROS_ID, a->id);
		maker_let(m, 'e', ROS_RECORD, a->expect_nonce);
		maker_let(m, 'W', ROS_RECORD, a->nonce);
		maker_let(m, 'c', ROS_RECORD, record_rest(a));
		maker_let(m, 'Q', ROS_NQN, a->nqn);
		if (maker_add(m, ROS_T_JOINED_PUBLISH_ROW, err))
			return -1;
	}
	return 0;
}

/* "^/?(POOL/vol-" ID "/volume[.]img|BASE/" ID … "[.]img)$": the text before each id, and
 * the one that ends it. */
static int shapes(struct maker *m, struct err *err)
{
	const struct ros_site *site = m->order->site;
	char text[sizeof(site->bases[0]) * 3 + 32] = "^/?(";

	maker_append_path(text, sizeof(text), site->pool);
	maker_append(text, sizeof(text), "/vol-");
	maker_let(m, 'x', ROS_PATTERN, text);
	if (maker_add(m, ROS_T_JOINED_SHAPE, err))
		return -1;
	(void)snprintf(text, sizeof(text), "/volume[.]img");
	for (unsigned i = 0; i < site->n_bases; i++) {
		maker_append(text, sizeof(text), "|");
		maker_append_path(text, sizeof(text), site->bases[i]);
		maker_append(text, sizeof(text), "/");
		maker_let(m, 'x', ROS_PATTERN, text);
		if (maker_add(m, ROS_T_JOINED_SHAPE_MORE, err))
			return -1;
		(void)snprintf(text, sizeof(text), "[.]img");
	}
	maker_append(text, sizeof(text), ")$");
	maker_let(m, 'x', ROS_PATTERN, text);
	return maker_add(m, ROS_T_JOINED_SHAPE_END, err);
}

static int joined_publishes(struct maker *m, struct err *err)
{
	char cluster[RDS_CLUSTER_MAX + 8];

	(void)snprintf(cluster, sizeof(cluster), " c=%s ", m->order->site->cluster_id);
	maker_let(m, 'h', ROS_RECORD, RDS_RECORD_MARK);
	maker_let(m, 'B', ROS_PATTERN, "^" RDS_RECORD_MARK);
	maker_let(m, 'm', ROS_RECORD, cluster);
	if (maker_add(m, ROS_T_JOINED_HEAD, err) || publish_rows(m, err) ||
	    maker_add(m, ROS_T_JOINED_PUBLISH, err) || shapes(m, err) ||
	    maker_add(m, ROS_T_JOINED_PUBLISH_ONE, err))
		return -1;
	return maker_add(m, ROS_T_JOINED_TAIL, err);
}

int ros_joined(struct maker *m, struct err *err)
{
	return m->order->step == ROS_PUBLISH ? joined_publishes(m, err)
					     : joined_creates(m, err);
}
