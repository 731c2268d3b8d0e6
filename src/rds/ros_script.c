#include "rds/ros_script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "rds/record.h"
#include "rds/ros_template.h"
#include "rds/ros_text.h"

/* Texts that values point to while a script is made. */
struct texts {
	char size[21], reserve[8], port[8], subvolume[160], path[RDS_PATH_MAX + 1];
	char mount[80], sentinel[64], shapes[1300], in_use[1300];
	char cas[160], back[64], ours[160], part[16];
};

/* Appends to a text of fixed size; what does not fit leaves it empty, which no kind of
 * value allows. */
static void append(char *text, size_t size, const char *more)
{
	size_t n = strlen(text), m = strlen(more);

	if (n + m < size)
		memcpy(text + n, more, m + 1);
	else
		text[0] = '\0';
}

/* A path as a pattern: its dots must not match any character. */
static void append_path(char *text, size_t size, const char *path)
{
	char one[2] = "";

	for (; *path; path++) {
		one[0] = *path;
		append(text, size, *path == '.' ? "[.]" : one);
	}
}

/* "^/?(POOL/vol-ID/volume[.]img|BASE/ID[.]img)$"; in_use is wider: anything in the
 * subvolume. */
static void pattern(char *text, size_t size, const struct ros_site *site, const char *id,
		    bool is_in_use)
{
	text[0] = '\0';
	append(text, size, "^/?(");
	append_path(text, size, site->pool);
	append(text, size, "/vol-");
	append(text, size, id);
	append(text, size, is_in_use ? "/.+" : "/volume[.]img");
	for (unsigned i = 0; i < site->n_bases; i++) {
		append(text, size, "|");
		append_path(text, size, site->bases[i]);
		append(text, size, "/");
		append(text, size, id);
		append(text, size, "[.]img");
	}
	append(text, size, ")$");
}

static void let_size(struct ros_values *vs, struct texts *t, uint64_t bytes)
{
	(void)snprintf(t->size, sizeof(t->size), "%" PRIu64, bytes);
	ros_let(vs, 'S', ROS_DIGITS, t->size);
	ros_let(vs, 'Z', ROS_WORD, t->size);
}

static void let_site(struct ros_values *vs, struct texts *t, const struct ros_site *site)
{
	(void)snprintf(t->mount, sizeof(t->mount), "/%s", site->pool);
	(void)snprintf(t->reserve, sizeof(t->reserve), "%u", site->reserve_percent);
	(void)snprintf(t->ours, sizeof(t->ours), "^" RDS_RECORD_MARK "[0-9a-f]+ c=%s ",
		       site->cluster_id);
	ros_let(vs, 'O', ROS_SLOT, site->pool_slot);
	ros_let(vs, 'M', ROS_PATH, site->pool);
	ros_let(vs, 'N', ROS_PATH, t->mount);
	ros_let(vs, 'L', ROS_LABEL, site->label);
	ros_let(vs, 'p', ROS_DIGITS, t->reserve);
	ros_let(vs, 'G', ROS_PATTERN, t->ours);
}

/* What the comment must match before anything is changed. */
static void let_cas(struct ros_values *vs, struct texts *t, enum ros_step step,
		    const struct ros_site *site, const struct ros_args *a)
{
	const char *head = "^" RDS_RECORD_MARK, *tail = "";
	bool may_be_empty = site->adopt_unmarked;

	switch (step) {
	case ROS_DELETE:
		tail = "g=[0-9]+ s=ok h=- ";
		if (may_be_empty)
			(void)snprintf(t->ours, sizeof(t->ours),
				       "^(" RDS_RECORD_MARK "[0-9a-f]+ c=%s .*)?$",
				       site->cluster_id);
		ros_let(vs, 'G', ROS_PATTERN, t->ours);
		__attribute__((fallthrough));
	case ROS_GROW:
		(void)snprintf(t->cas, sizeof(t->cas),
			       may_be_empty ? "^(%s[0-9a-f]+ c=%s %s.*)?$"
					    : "%s[0-9a-f]+ c=%s %s",
			       may_be_empty ? head + 1 : head, site->cluster_id, tail);
		break;
	default:
		if (!a->expect_nonce)
			(void)snprintf(t->cas, sizeof(t->cas), "^$");
		else
			(void)snprintf(t->cas, sizeof(t->cas), "%s%s c=%s ", head,
				       a->expect_nonce, site->cluster_id);
	}
	ros_let(vs, 'C', ROS_PATTERN, t->cas);
}

static void let_args(struct ros_values *vs, struct texts *t, const struct ros_site *site,
		     const struct ros_args *a)
{
	if (!ros_is(ROS_ID, a->id)) /* all else is made of it */
		return;
	pattern(t->shapes, sizeof(t->shapes), site, a->id, false);
	pattern(t->in_use, sizeof(t->in_use), site, a->id, true);
	(void)snprintf(t->subvolume, sizeof(t->subvolume), "vol-%s", a->id);
	(void)snprintf(t->port, sizeof(t->port), "%u", a->port);
	(void)snprintf(t->back, sizeof(t->back), "^" RDS_RECORD_MARK "%s ",
		       a->nonce ? a->nonce : "");
	if (ros_site_path(t->path, site, a->layout, a->base, a->id))
		t->path[0] = '\0';
	ros_let(vs, 'I', ROS_ID, a->id);
	ros_let(vs, 'V', ROS_SUBVOL, t->subvolume);
	ros_let(vs, 'R', ROS_PATTERN, t->shapes);
	ros_let(vs, 'U', ROS_PATTERN, t->in_use);
	ros_let(vs, 'F', ROS_PATH, t->path[0] ? t->path + 1 : "");
	ros_let(vs, 'o', ROS_WORD, t->port);
	ros_let(vs, 'Q', ROS_NQN, a->nqn);
	ros_let(vs, 'W', ROS_RECORD, a->record);
	ros_let(vs, 'B', ROS_PATTERN, t->back);
}

static void let_sentinel(struct ros_values *vs, struct texts *t, const char *sentinel)
{
	(void)snprintf(t->sentinel, sizeof(t->sentinel), "@ok %s", sentinel);
	ros_let(vs, 'K', ROS_WORD, t->sentinel);
}

static void let_part(struct ros_values *vs, struct texts *t, unsigned part)
{
	char c = "0123456789abcdef"[part % 16];

	if (part >= 16)
		(void)snprintf(t->part, sizeof(t->part), "[^0-9a-fA-F]$");
	else if (part >= 10)
		(void)snprintf(t->part, sizeof(t->part), "[%c%c]$", c, c - 'a' + 'A');
	else
		(void)snprintf(t->part, sizeof(t->part), "[%c]$", c);
	ros_let(vs, 'T', ROS_PATTERN, t->part);
}

static enum ros_template template_of(enum ros_step step, const struct ros_args *a)
{
	static const enum ros_template fixed[] = {
		[ROS_GET] = ROS_T_GET,
		[ROS_LIST] = ROS_T_LIST,
		[ROS_LIST_PART] = ROS_T_LIST_PART,
		[ROS_CAPACITY] = ROS_T_CAPACITY,
		[ROS_PROBE] = ROS_T_PROBE,
		[ROS_ADOPT] = ROS_T_ADOPT,
		[ROS_GROW] = ROS_T_GROW,
		[ROS_PUBLISH] = ROS_T_PUBLISH,
		[ROS_FENCE_BEGIN] = ROS_T_FENCE_BEGIN,
		[ROS_FENCE_FINISH] = ROS_T_FENCE_FINISH,
	};

	if (step == ROS_CREATE)
		return a->layout == RDS_LAYOUT_SUBVOLUME ? ROS_T_CREATE_SUBVOLUME :
							   ROS_T_CREATE_FILE;
	if (step == ROS_UNPUBLISH)
		return a->switch_off ? ROS_T_UNPUBLISH_OFF : ROS_T_UNPUBLISH;
	return fixed[step];
}

static int add(struct buf *out, enum ros_template t, const struct ros_values *vs,
	       struct err *err)
{
	return ros_text(out, ros_templates[t], vs, err);
}

/* Once for the subvolume's file and once for each directory, with %F set. */
static int each_file(struct buf *out, enum ros_template t, struct ros_values *vs,
		     const struct ros_site *site, const char *id, struct err *err)
{
	char path[RDS_PATH_MAX + 1];

	for (unsigned i = 0; i <= site->n_bases; i++) {
		bool fits = ros_site_path(path, site,
					  i ? RDS_LAYOUT_FILE : RDS_LAYOUT_SUBVOLUME,
					  i ? i - 1 : 0, id) == 0;

		ros_let(vs, 'F', ROS_PATH, fits ? path + 1 : "");
		if (add(out, t, vs, err))
			return -1;
	}
	return 0;
}

static int delete_script(struct buf *out, struct ros_values *vs,
			 const struct ros_site *site, const char *id, struct err *err)
{
	bool has_subvolumes = site->label[0] != '\0';

	if (add(out, ROS_T_DELETE_ITEM, vs, err) ||
	    (has_subvolumes && add(out, ROS_T_DELETE_SUBVOLUME, vs, err)) ||
	    each_file(out, ROS_T_DELETE_FILE, vs, site, id, err) ||
	    add(out, ROS_T_COUNT_ITEM, vs, err) ||
	    (has_subvolumes && add(out, ROS_T_COUNT_SUBVOLUME, vs, err)) ||
	    each_file(out, ROS_T_COUNT_FILE, vs, site, id, err))
		return -1;
	return add(out, ROS_T_COUNT_END, vs, err);
}

int ros_script(struct buf *out, enum ros_step step, const struct ros_site *site,
	       const struct ros_args *a, const char *sentinel, struct err *err)
{
	struct ros_values vs = { .v = { { ROS_UNSET, NULL } } };
	struct texts t;

	let_site(&vs, &t, site);
	let_sentinel(&vs, &t, sentinel);
	let_size(&vs, &t, step == ROS_LIST ? ROS_LIST_WHOLE : a->size_bytes);
	if (step == ROS_LIST_PART)
		let_part(&vs, &t, a->part);
	if (step >= ROS_CREATE || step == ROS_GET) {
		let_args(&vs, &t, site, a);
		let_cas(&vs, &t, step, site, a);
	}
	if (step == ROS_DELETE)
		return delete_script(out, &vs, site, a->id, err);
	return add(out, template_of(step, a), &vs, err);
}

/* A record without its nonce and its claim, both of which vary from row to row. */
struct record_parts {
	char nonce[RDS_NONCE + 1], middle[128];
	const char *claim;
};

static bool split_record(struct record_parts *p, const char *record)
{
	const char *nonce = record + strlen(RDS_RECORD_MARK), *q = strstr(nonce, " q=");
	size_t n = q ? (size_t)(q + 3 - nonce) : 0;

	if (n < RDS_NONCE || n - RDS_NONCE >= sizeof(p->middle))
		return false;
	memcpy(p->nonce, nonce, RDS_NONCE);
	p->nonce[RDS_NONCE] = '\0';
	memcpy(p->middle, nonce + RDS_NONCE, n - RDS_NONCE);
	p->middle[n - RDS_NONCE] = '\0';
	p->claim = q + 3;
	return true;
}

/* The NQN's part before the id, if it ends with the id. */
static bool split_nqn(char out[RDS_NQN_MAX + 1], const struct ros_args *a)
{
	size_t n = strlen(a->nqn), m = strlen(a->id);

	if (n <= m || n > RDS_NQN_MAX || strcmp(a->nqn + n - m, a->id) != 0)
		return false;
	memcpy(out, a->nqn, n - m);
	out[n - m] = '\0';
	return true;
}

bool ros_may_join(const struct ros_args *a, const struct ros_args *b)
{
	char nqn_a[RDS_NQN_MAX + 1], nqn_b[RDS_NQN_MAX + 1];
	struct record_parts r, s;

	return a->layout == b->layout && a->base == b->base && a->port == b->port &&
	       split_nqn(nqn_a, a) && split_nqn(nqn_b, b) && strcmp(nqn_a, nqn_b) == 0 &&
	       split_record(&r, a->record) && split_record(&s, b->record) &&
	       strcmp(r.middle, s.middle) == 0;
}

unsigned ros_join_bytes(const struct ros_args *a)
{
	struct record_parts r;

	if (!split_record(&r, a->record))
		return ROS_SCRIPT_MAX;
	return (unsigned)(strlen(a->id) + strlen(r.claim) + RDS_NONCE + 32);
}

static void let_joined(struct ros_values *vs, struct texts *t, const struct ros_args *a,
		       const struct ros_site *site)
{
	bool is_file = a->layout == RDS_LAYOUT_FILE;

	(void)snprintf(t->path, sizeof(t->path), "%s/%s",
		       is_file ? site->bases[a->base] : site->pool,
		       is_file ? "" : "vol-");
	ros_let(vs, 'a', ROS_PATTERN, t->path);
	ros_let(vs, 'b', ROS_PATTERN, is_file ? ".img" : "/volume.img");
	(void)snprintf(t->port, sizeof(t->port), "%u", a->port);
	ros_let(vs, 'o', ROS_WORD, t->port);
}

static int joined_rows(struct buf *out, struct ros_values *vs,
		       const struct ros_args *const *rows, unsigned n, struct err *err)
{
	for (unsigned i = 0; i < n; i++) {
		struct record_parts r;
		struct texts t;

		bug_on(!ros_may_join(rows[0], rows[i]));
		if (!split_record(&r, rows[i]->record))
			return err_set(err, ERR_INVALID, "not a record");
		let_size(vs, &t, rows[i]->size_bytes);
		ros_let(vs, 'I', ROS_ID, rows[i]->id);
		ros_let(vs, 'W', ROS_RECORD, r.nonce);
		ros_let(vs, 'c', ROS_RECORD, r.claim);
		if (add(out, ROS_T_JOINED_ROW, vs, err))
			return -1;
	}
	return 0;
}

int ros_script_joined(struct buf *out, const struct ros_site *site,
		      const struct ros_args *const *rows, unsigned n,
		      const char *sentinel, struct err *err)
{
	struct ros_values vs = { .v = { { ROS_UNSET, NULL } } };
	char nqn[RDS_NQN_MAX + 1];
	struct record_parts r;
	struct texts t;

	let_site(&vs, &t, site);
	let_sentinel(&vs, &t, sentinel);
	let_joined(&vs, &t, rows[0], site);
	if (!split_nqn(nqn, rows[0]) || !split_record(&r, rows[0]->record))
		return err_set(err, ERR_INVALID, "not fit to be joined");
	ros_let(&vs, 'q', ROS_NQN, nqn);
	ros_let(&vs, 'h', ROS_RECORD, RDS_RECORD_MARK);
	ros_let(&vs, 'm', ROS_RECORD, r.middle);
	if (add(out, ROS_T_JOINED_HEAD, &vs, err) || joined_rows(out, &vs, rows, n, err) ||
	    add(out, ROS_T_JOINED_BODY, &vs, err))
		return -1;
	if (rows[0]->layout == RDS_LAYOUT_SUBVOLUME
		    ? add(out, ROS_T_JOINED_SUBVOLUME, &vs, err)
		    : add(out, ROS_T_JOINED_FILE, &vs, err))
		return -1;
	return add(out, ROS_T_JOINED_TAIL, &vs, err);
}
