#include "rds/ros_script.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rds/disk_record.h"
#include "rds/ros_join.h"
#include "rds/ros_maker.h"

#define ANY_BOUND "b=[.0-9]+ q="
#define ANY_RECORD "g=[0-9]+ s=(ok|fencing) h=[a-zA-Z0-9.,/-]+ " ANY_BOUND

/* Appends to a text of fixed size; what does not fit leaves it empty, which no kind of
 * value allows. */
void maker_append(char *text, size_t size, const char *more)
{
	size_t n = strlen(text), m = strlen(more);

	if (n + m < size)
		memcpy(text + n, more, m + 1);
	else
		text[0] = '\0';
}

/* A path as a pattern: its dots must not match any character. */
void maker_append_path(char *text, size_t size, const char *path)
{
	char one[2] = "";

	for (; *path; path++) {
		one[0] = *path;
		maker_append(text, size, *path == '.' ? "[.]" : one);
	}
}

/* "^…$" of what the box itself may have made up: all but what stands in names matches any
 * character. */
static void exactly(char text[300], const char *nqn)
{
	char one[2] = "";

	text[0] = '\0';
	maker_append(text, 300, "^");
	for (; *nqn; nqn++) {
		one[0] = isalnum((unsigned char)*nqn) || strchr(":-", *nqn) ? *nqn : '.';
		maker_append(text, 300, *nqn == '.' ? "[.]" : one);
	}
	maker_append(text, 300, "$");
}

/* "^/?(POOL/vol-ID/volume[.]img|BASE/ID[.]img)$"; in_use is wider: anything in the
 * subvolume. */
static void pattern(char text[1300], const struct ros_site *site, const char *id,
		    bool is_in_use)
{
	text[0] = '\0';
	maker_append(text, 1300, "^/?(");
	maker_append_path(text, 1300, site->pool);
	maker_append(text, 1300, "/vol-");
	maker_append(text, 1300, id);
	maker_append(text, 1300, is_in_use ? "/.+" : "/volume[.]img");
	for (unsigned i = 0; i < site->n_bases; i++) {
		maker_append(text, 1300, "|");
		maker_append_path(text, 1300, site->bases[i]);
		maker_append(text, 1300, "/");
		maker_append(text, 1300, id);
		maker_append(text, 1300, "[.]img");
	}
	maker_append(text, 1300, ")$");
}

/* An NQN is <before><id><suffix>; the suffix, which may be empty, begins at a dot, and an
 * id has none. */
const char *maker_suffix(const char *nqn)
{
	const char *id = strrchr(nqn, ':');
	size_t n = strcspn(id ? id : nqn, id ? "." : "");

	return (id ? id : nqn) + n;
}

/* "^<before><id>([.]g|$)" */
static void taken(char text[300], const char *nqn)
{
	char base[RDS_NQN_MAX + 1];
	size_t n = (size_t)(maker_suffix(nqn) - nqn);

	text[0] = '\0';
	if (n >= sizeof(base))
		return;
	memcpy(base, nqn, n);
	base[n] = '\0';
	maker_append(text, 300, "^");
	maker_append_path(text, 300, base);
	maker_append(text, 300, "([.]g|$)");
}

void maker_let(struct maker *m, char letter, enum ros_kind kind, const char *text)
{
	ros_let(&m->vs, letter, kind, text);
}

void maker_let_size(struct maker *m, uint64_t bytes)
{
	(void)snprintf(m->size, sizeof(m->size), "%" PRIu64, bytes);
	maker_let(m, 'S', ROS_DIGITS, m->size);
	maker_let(m, 'Z', ROS_WORD, m->size);
}

void maker_let_port(struct maker *m, uint16_t port)
{
	(void)snprintf(m->port, sizeof(m->port), "%u", port);
	maker_let(m, 'o', ROS_WORD, m->port);
}

static void let_site(struct maker *m)
{
	const struct ros_site *site = m->order->site;

	(void)snprintf(m->mount, sizeof(m->mount), "/%s", site->pool);
	(void)snprintf(m->reserve, sizeof(m->reserve), "%u", site->reserve_percent);
	(void)snprintf(m->ours, sizeof(m->ours), "^" RDS_RECORD_MARK "[0-9a-f]+ c=%s ",
		       site->cluster_id);
	(void)snprintf(m->sentinel, sizeof(m->sentinel), "@ok %s", m->order->sentinel);
	maker_let(m, 'O', ROS_SLOT, site->pool_slot);
	maker_let(m, 'M', ROS_PATH, site->pool);
	maker_let(m, 'N', ROS_PATH, m->mount);
	maker_let(m, 'L', ROS_LABEL, site->label);
	maker_let(m, 'p', ROS_DIGITS, m->reserve);
	maker_let(m, 'G', ROS_PATTERN, m->ours);
	maker_let(m, 'K', ROS_WORD, m->sentinel);
}

/* A disk without a record counts among ours where such are adopted. */
static void let_ours(struct maker *m)
{
	if (m->order->site->adopt_unmarked)
		(void)snprintf(m->ours, sizeof(m->ours),
			       "^(" RDS_RECORD_MARK "[0-9a-f]+ c=%s .+)?$",
			       m->order->site->cluster_id);
	maker_let(m, 'G', ROS_PATTERN, m->ours);
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
	maker_let(m, 'C', ROS_PATTERN, m->cas);
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
	maker_let(m, 'C', ROS_PATTERN, m->cas);
	maker_let(m, 'X', ROS_PATTERN, m->bears);
}

/* A mount of the box's own ends only where the record says that nobody holds the volume;
 * a volume without a record says nothing. No record matches the empty pattern. */
static void let_cas_mount(struct maker *m, bool may_unmount)
{
	(void)snprintf(m->cas, sizeof(m->cas),
		       may_unmount ? "^" RDS_RECORD_MARK
				     "[0-9a-f]+ c=%s g=[0-9]+ s=ok h=- " ANY_BOUND
				   : "^$",
		       m->order->site->cluster_id);
	maker_let(m, 'C', ROS_PATTERN, m->cas);
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
	maker_let(m, 'C', ROS_PATTERN, m->cas);
}

static void let_args(struct maker *m, const struct ros_args *a)
{
	const struct ros_site *site = m->order->site;

	maker_let_size(m, a->size_bytes);
	if (!ros_is(ROS_ID, a->id)) /* all else is made of it */
		return;
	pattern(m->shapes, site, a->id, false);
	pattern(m->in_use, site, a->id, true);
	(void)snprintf(m->subvolume, sizeof(m->subvolume), "vol-%s", a->id);
	(void)snprintf(m->back, sizeof(m->back), "^" RDS_RECORD_MARK "%s ",
		       a->nonce ? a->nonce : "");
	if (ros_site_path(m->path, site, a->layout, a->base, a->id))
		m->path[0] = '\0';
	maker_let_port(m, a->port);
	let_cas(m, a);
	maker_let(m, 'I', ROS_ID, a->id);
	maker_let(m, 'V', ROS_SUBVOL, m->subvolume);
	maker_let(m, 'R', ROS_PATTERN, m->shapes);
	maker_let(m, 'U', ROS_PATTERN, m->in_use);
	maker_let(m, 'F', ROS_PATH, m->path[0] ? m->path + 1 : "");
	maker_let(m, 'Q', ROS_NQN, a->nqn);
	taken(m->taken, a->nqn ? a->nqn : "");
	maker_let(m, 'J', ROS_PATTERN, m->taken);
	maker_let(m, 'W', ROS_RECORD, a->record);
	maker_let(m, 'B', ROS_PATTERN, m->back);
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
	maker_let(m, 'T', ROS_PATTERN, m->part);
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
		[ROS_EXPORT] = ROS_T_EXPORT,
	};

	if (step == ROS_CREATE)
		return a->layout == RDS_LAYOUT_SUBVOLUME ? ROS_T_CREATE_SUBVOLUME
							 : ROS_T_CREATE_FILE;
	if (step == ROS_UNPUBLISH)
		return a->switch_off ? ROS_T_UNPUBLISH_OFF : ROS_T_UNPUBLISH;
	return fixed[step];
}

int maker_add(struct maker *m, enum ros_template t, struct err *err)
{
	return ros_text(m->out, ros_templates[t], &m->vs, err);
}

/* What stands before and after the id in the path of a file: of a directory of flat
 * files, or, with base NULL, of the pool's subvolumes. */
void maker_let_place(struct maker *m, const char *base)
{
	(void)snprintf(m->path, sizeof(m->path), "%.250s/%s",
		       base ? base : m->order->site->pool, base ? "" : "vol-");
	maker_let(m, 'a', ROS_PATTERN, m->path);
	maker_let(m, 'b', ROS_PATTERN, base ? ".img" : "/volume.img");
}

static int delete_script(struct maker *m, struct err *err)
{
	const struct ros_site *site = m->order->site;
	bool has_subvolumes = site->label[0] != '\0';

	maker_let_place(m, NULL);
	if (maker_add(m, ROS_T_DELETE_HEAD, err))
		return -1;
	for (unsigned i = 0; i < site->n_bases; i++) {
		maker_let_place(m, site->bases[i]);
		if (maker_add(m, ROS_T_DELETE_PATH, err))
			return -1;
	}
	if (maker_add(m, ROS_T_DELETE_ITEM, err) ||
	    (has_subvolumes && maker_add(m, ROS_T_DELETE_SUBVOLUME, err)) ||
	    maker_add(m, ROS_T_DELETE_FILES, err) ||
	    (has_subvolumes && maker_add(m, ROS_T_COUNT_SUBVOLUME, err)))
		return -1;
	return maker_add(m, ROS_T_COUNT_FILES, err);
}

int ros_script(struct buf *out, const struct ros_order *order, struct err *err)
{
	struct maker m = { .out = out, .order = order };
	const struct ros_args *a = order->n ? order->rows[0] : NULL;

	let_site(&m);
	if (order->n > 1)
		return ros_joined(&m, err);
	switch (order->step) {
	case ROS_LIST:
		maker_let_size(&m, ROS_LIST_WHOLE);
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
	return maker_add(&m, template_of(order->step, a), err);
}
