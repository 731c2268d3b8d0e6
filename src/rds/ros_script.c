#include "rds/ros_script.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "rds/disk_record.h"
#include "rds/ros_template.h"
#include "rds/ros_text.h"

#define ANY_RECORD "g=[0-9]+ s=(ok|fencing) h=[a-zA-Z0-9.,/-]+ b=[012] q="

/* A script in the making, and the texts that its values point to. */
struct maker {
	struct buf *out;
	const struct ros_order *order;
	struct ros_values vs;
	char size[21], reserve[8], port[8], subvolume[160], path[RDS_PATH_MAX + 1];
	char mount[80], sentinel[64], shapes[1300], in_use[1300];
	char cas[160], back[64], ours[160], part[16], taken[300], bears[300];
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

/* "^…$" of what the box itself may have made up: all but what stands in names matches any
 * character. */
static void exactly(char text[300], const char *nqn)
{
	char one[2] = "";

	text[0] = '\0';
	append(text, 300, "^");
	for (; *nqn; nqn++) {
		one[0] = isalnum((unsigned char)*nqn) || strchr(":-", *nqn) ? *nqn : '.';
		append(text, 300, *nqn == '.' ? "[.]" : one);
	}
	append(text, 300, "$");
}

/* "^/?(POOL/vol-ID/volume[.]img|BASE/ID[.]img)$"; in_use is wider: anything in the
 * subvolume. */
static void pattern(char text[1300], const struct ros_site *site, const char *id,
		    bool is_in_use)
{
	text[0] = '\0';
	append(text, 1300, "^/?(");
	append_path(text, 1300, site->pool);
	append(text, 1300, "/vol-");
	append(text, 1300, id);
	append(text, 1300, is_in_use ? "/.+" : "/volume[.]img");
	for (unsigned i = 0; i < site->n_bases; i++) {
		append(text, 1300, "|");
		append_path(text, 1300, site->bases[i]);
		append(text, 1300, "/");
		append(text, 1300, id);
		append(text, 1300, "[.]img");
	}
	append(text, 1300, ")$");
}

/* An NQN is <before><id><suffix>; the suffix, which may be empty, begins at a dot, and an
 * id has none. */
static const char *suffix_of(const char *nqn)
{
	const char *id = strrchr(nqn, ':');
	size_t n = strcspn(id ? id : nqn, id ? "." : "");

	return (id ? id : nqn) + n;
}

/* "^<before><id>([.]g|$)" */
static void taken(char text[300], const char *nqn)
{
	char base[RDS_NQN_MAX + 1];
	size_t n = (size_t)(suffix_of(nqn) - nqn);

	text[0] = '\0';
	if (n >= sizeof(base))
		return;
	memcpy(base, nqn, n);
	base[n] = '\0';
	append(text, 300, "^");
	append_path(text, 300, base);
	append(text, 300, "([.]g|$)");
}

static void let(struct maker *m, char letter, enum ros_kind kind, const char *text)
{
	ros_let(&m->vs, letter, kind, text);
}

static void let_size(struct maker *m, uint64_t bytes)
{
	(void)snprintf(m->size, sizeof(m->size), "%" PRIu64, bytes);
	let(m, 'S', ROS_DIGITS, m->size);
	let(m, 'Z', ROS_WORD, m->size);
}

static void let_port(struct maker *m, uint16_t port)
{
	(void)snprintf(m->port, sizeof(m->port), "%u", port);
	let(m, 'o', ROS_WORD, m->port);
}

static void let_site(struct maker *m)
{
	const struct ros_site *site = m->order->site;

	(void)snprintf(m->mount, sizeof(m->mount), "/%s", site->pool);
	(void)snprintf(m->reserve, sizeof(m->reserve), "%u", site->reserve_percent);
	(void)snprintf(m->ours, sizeof(m->ours), "^" RDS_RECORD_MARK "[0-9a-f]+ c=%s ",
		       site->cluster_id);
	(void)snprintf(m->sentinel, sizeof(m->sentinel), "@ok %s", m->order->sentinel);
	let(m, 'O', ROS_SLOT, site->pool_slot);
	let(m, 'M', ROS_PATH, site->pool);
	let(m, 'N', ROS_PATH, m->mount);
	let(m, 'L', ROS_LABEL, site->label);
	let(m, 'p', ROS_DIGITS, m->reserve);
	let(m, 'G', ROS_PATTERN, m->ours);
	let(m, 'K', ROS_WORD, m->sentinel);
}

/* A disk without a record counts among ours where such are adopted. */
static void let_ours(struct maker *m)
{
	if (m->order->site->adopt_unmarked)
		(void)snprintf(m->ours, sizeof(m->ours),
			       "^(" RDS_RECORD_MARK "[0-9a-f]+ c=%s .+)?$",
			       m->order->site->cluster_id);
	let(m, 'G', ROS_PATTERN, m->ours);
}

/* What the comment must match before a growth: any nonce, for it is decided by nothing
 * that the record says; but the whole record, for one that cannot be read belongs to
 * nobody knows whom. */
static void let_cas_grow(struct maker *m)
{
	const struct ros_site *site = m->order->site;

	(void)snprintf(m->cas, sizeof(m->cas),
		       site->adopt_unmarked ? "^(" RDS_RECORD_MARK
					      "[0-9a-f]+ c=%s " ANY_RECORD "(.+)?)?$"
					    : "^" RDS_RECORD_MARK
					      "[0-9a-f]+ c=%s " ANY_RECORD,
		       site->cluster_id);
	let_ours(m);
	let(m, 'C', ROS_PATTERN, m->cas);
}

/* The very disk that was read, unheld; or, where none was, none: a script that runs on
 * after its connection was cut may find another volume under the id, which has no nonce
 * and no NQN in common with the one that was to go. No record and no NQN is a dash. */
static void let_cas_delete(struct maker *m, const struct ros_args *a)
{
	const char *cluster_id = m->order->site->cluster_id;

	(void)snprintf(m->cas, sizeof(m->cas), a->nqn ? "^$" : "^-$");
	if (a->nqn && a->expect_nonce)
		(void)snprintf(m->cas, sizeof(m->cas),
			       "^" RDS_RECORD_MARK "%s c=%s g=[0-9]+ s=ok h=- ",
			       a->expect_nonce, cluster_id);
	exactly(m->bears, a->nqn ? a->nqn : "-");
	let_ours(m);
	let(m, 'C', ROS_PATTERN, m->cas);
	let(m, 'X', ROS_PATTERN, m->bears);
}

/* A mount of the box's own ends only where the record says that nobody holds the volume;
 * a volume without a record says nothing. No record matches the empty pattern. */
static void let_cas_mount(struct maker *m, bool may_unmount)
{
	(void)snprintf(m->cas, sizeof(m->cas),
		       may_unmount ? "^" RDS_RECORD_MARK
				     "[0-9a-f]+ c=%s g=[0-9]+ s=ok h=- b=[012] q="
				   : "^$",
		       m->order->site->cluster_id);
	let(m, 'C', ROS_PATTERN, m->cas);
}

static void let_cas(struct maker *m, const struct ros_args *a)
{
	if (m->order->step == ROS_NO_MOUNT) {
		let_cas_mount(m, a->may_unmount);
		return;
	}
	if (m->order->step == ROS_DELETE) {
		let_cas_delete(m, a);
		return;
	}
	if (m->order->step == ROS_GROW) {
		let_cas_grow(m);
		return;
	}
	if (a->expect_nonce)
		(void)snprintf(m->cas, sizeof(m->cas), "^" RDS_RECORD_MARK "%s c=%s ",
			       a->expect_nonce, m->order->site->cluster_id);
	else
		(void)snprintf(m->cas, sizeof(m->cas), "^$");
	let(m, 'C', ROS_PATTERN, m->cas);
}

static void let_args(struct maker *m, const struct ros_args *a)
{
	const struct ros_site *site = m->order->site;

	let_size(m, a->size_bytes);
	if (!ros_is(ROS_ID, a->id)) /* all else is made of it */
		return;
	pattern(m->shapes, site, a->id, false);
	pattern(m->in_use, site, a->id, true);
	(void)snprintf(m->subvolume, sizeof(m->subvolume), "vol-%s", a->id);
	(void)snprintf(m->back, sizeof(m->back), "^" RDS_RECORD_MARK "%s ",
		       a->nonce ? a->nonce : "");
	if (ros_site_path(m->path, site, a->layout, a->base, a->id))
		m->path[0] = '\0';
	let_port(m, a->port);
	let_cas(m, a);
	let(m, 'I', ROS_ID, a->id);
	let(m, 'V', ROS_SUBVOL, m->subvolume);
	let(m, 'R', ROS_PATTERN, m->shapes);
	let(m, 'U', ROS_PATTERN, m->in_use);
	let(m, 'F', ROS_PATH, m->path[0] ? m->path + 1 : "");
	let(m, 'Q', ROS_NQN, a->nqn);
	taken(m->taken, a->nqn ? a->nqn : "");
	let(m, 'J', ROS_PATTERN, m->taken);
	let(m, 'W', ROS_RECORD, a->record);
	let(m, 'B', ROS_PATTERN, m->back);
}

static void let_part(struct maker *m, unsigned part)
{
	char c = "0123456789abcdef"[part % 16];

	if (part >= 16)
		(void)snprintf(m->part, sizeof(m->part), "[^0-9a-fA-F]$");
	else if (part >= 10)
		(void)snprintf(m->part, sizeof(m->part), "[%c%c]$", c, c - 'a' + 'A');
	else
		(void)snprintf(m->part, sizeof(m->part), "[%c]$", c);
	let(m, 'T', ROS_PATTERN, m->part);
}

static enum ros_template template_of(enum ros_step step, const struct ros_args *a)
{
	static const enum ros_template fixed[] = {
		[ROS_GET] = ROS_T_GET,
		[ROS_LIST] = ROS_T_LIST,
		[ROS_LIST_PART] = ROS_T_LIST_PART,
		[ROS_CAPACITY] = ROS_T_CAPACITY,
		[ROS_PROBE] = ROS_T_PROBE,
		[ROS_FIGURES] = ROS_T_FIGURES,
		[ROS_ADOPT] = ROS_T_ADOPT,
		[ROS_GROW] = ROS_T_GROW,
		[ROS_NO_MOUNT] = ROS_T_NO_MOUNT,
		[ROS_PUBLISH] = ROS_T_PUBLISH,
		[ROS_FENCE_BEGIN] = ROS_T_FENCE_BEGIN,
		[ROS_FENCE_FINISH] = ROS_T_FENCE_FINISH,
	};

	if (step == ROS_CREATE)
		return a->layout == RDS_LAYOUT_SUBVOLUME ? ROS_T_CREATE_SUBVOLUME
							 : ROS_T_CREATE_FILE;
	if (step == ROS_UNPUBLISH)
		return a->switch_off ? ROS_T_UNPUBLISH_OFF : ROS_T_UNPUBLISH;
	return fixed[step];
}

static int add(struct maker *m, enum ros_template t, struct err *err)
{
	return ros_text(m->out, ros_templates[t], &m->vs, err);
}

/* What stands before and after the id in the path of a file: of a directory of flat
 * files, or, with base NULL, of the pool's subvolumes. */
static void let_place(struct maker *m, const char *base)
{
	(void)snprintf(m->path, sizeof(m->path), "%.250s/%s",
		       base ? base : m->order->site->pool, base ? "" : "vol-");
	let(m, 'a', ROS_PATTERN, m->path);
	let(m, 'b', ROS_PATTERN, base ? ".img" : "/volume.img");
}

static int delete_script(struct maker *m, struct err *err)
{
	const struct ros_site *site = m->order->site;
	bool has_subvolumes = site->label[0] != '\0';

	let_place(m, NULL);
	if (add(m, ROS_T_DELETE_HEAD, err))
		return -1;
	for (unsigned i = 0; i < site->n_bases; i++) {
		let_place(m, site->bases[i]);
		if (add(m, ROS_T_DELETE_PATH, err))
			return -1;
	}
	if (add(m, ROS_T_DELETE_ITEM, err) ||
	    (has_subvolumes && add(m, ROS_T_DELETE_SUBVOLUME, err)) ||
	    add(m, ROS_T_DELETE_FILES, err) ||
	    (has_subvolumes && add(m, ROS_T_COUNT_SUBVOLUME, err)))
		return -1;
	return add(m, ROS_T_COUNT_FILES, err);
}

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
	const char *suffix = suffix_of(a->nqn), *dash = strrchr(suffix, '-');
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

bool ros_may_join(const struct ros_args *a, const struct ros_args *b)
{
	struct nqn_parts nqn_a, nqn_b;
	struct record_parts r, s;

	return a->layout == b->layout && a->base == b->base && a->port == b->port &&
	       split_nqn(&nqn_a, a) && split_nqn(&nqn_b, b) &&
	       strcmp(nqn_a.before, nqn_b.before) == 0 &&
	       strcmp(nqn_a.after, nqn_b.after) == 0 && split_record(&r, a->record) &&
	       split_record(&s, b->record) && strcmp(r.middle, s.middle) == 0;
}

unsigned ros_join_bytes(const struct ros_args *a)
{
	struct record_parts r;
	struct nqn_parts nqn;

	if (!split_record(&r, a->record) || !split_nqn(&nqn, a))
		return ROS_SCRIPT_MAX;
	/* and size, nonce, marks */
	return (unsigned)(strlen(a->id) + strlen(r.claim) + strlen(nqn.last) + 39);
}

unsigned ros_join_room(const struct ros_site *site)
{
	size_t used = strlen(ros_templates[ROS_T_JOINED_HEAD]) +
		      strlen(ros_templates[ROS_T_JOINED_BODY]) +
		      strlen(ros_templates[ROS_T_JOINED_SUBVOLUME]) +
		      strlen(ros_templates[ROS_T_JOINED_TAIL]);
	size_t longest = 0;

	for (unsigned i = 0; i < site->n_bases; i++)
		if (strlen(site->bases[i]) > longest)
			longest = strlen(site->bases[i]);
	/* Each value as often as the templates name it, and the record's fixed words. */
	used += longest + 3 * strlen(site->pool) + strlen(site->pool_slot) +
		2 * strlen(site->label) + strlen(site->cluster_id) + 128;
	return used < ROS_SCRIPT_MAX ? (unsigned)(ROS_SCRIPT_MAX - used) : 0;
}

static int joined_rows(struct maker *m, struct err *err)
{
	for (unsigned i = 0; i < m->order->n; i++) {
		const struct ros_args *a = m->order->rows[i];
		struct record_parts r;
		struct nqn_parts nqn;

		bug_on(!ros_may_join(m->order->rows[0], a));
		(void)split_record(&r, a->record);
		(void)split_nqn(&nqn, a);
		let_size(m, a->size_bytes);
		let(m, 'I', ROS_ID, a->id);
		let(m, 'W', ROS_RECORD, r.nonce);
		let(m, 'c', ROS_RECORD, r.claim);
		let(m, 'r', ROS_RECORD, nqn.last);
		if (add(m, ROS_T_JOINED_ROW, err))
			return -1;
	}
	return 0;
}

static int joined_script(struct maker *m, struct err *err)
{
	const struct ros_args *a = m->order->rows[0];
	const struct ros_site *site = m->order->site;
	bool is_file = a->layout == RDS_LAYOUT_FILE;
	struct nqn_parts nqn;
	struct record_parts r;

	if (!split_nqn(&nqn, a) || !split_record(&r, a->record))
		return err_set(err, ERR_INVALID, "not fit to be joined");
	let_place(m, is_file ? site->bases[a->base] : NULL);
	let_port(m, a->port);
	let(m, 'q', ROS_NQN, nqn.before);
	let(m, 't', ROS_RECORD, nqn.after);
	let(m, 'h', ROS_RECORD, RDS_RECORD_MARK);
	let(m, 'm', ROS_RECORD, r.middle);
	if (add(m, ROS_T_JOINED_HEAD, err) || joined_rows(m, err) ||
	    add(m, ROS_T_JOINED_BODY, err) ||
	    add(m, is_file ? ROS_T_JOINED_FILE : ROS_T_JOINED_SUBVOLUME, err))
		return -1;
	return add(m, ROS_T_JOINED_TAIL, err);
}

int ros_script(struct buf *out, const struct ros_order *order, struct err *err)
{
	struct maker m = { .out = out, .order = order };
	const struct ros_args *a = order->n ? order->rows[0] : NULL;

	let_site(&m);
	if (order->n > 1)
		return joined_script(&m, err);
	switch (order->step) {
	case ROS_LIST:
		let_size(&m, ROS_LIST_WHOLE);
		break;
	case ROS_LIST_PART:
		let_part(&m, a->part);
		break;
	case ROS_CAPACITY:
	case ROS_PROBE:
	case ROS_FIGURES:
		break;
	default:
		let_args(&m, a);
	}
	if (order->step == ROS_DELETE)
		return delete_script(&m, err);
	return add(&m, template_of(order->step, a), err);
}
