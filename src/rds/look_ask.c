#include "rds/look_ask.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "rds/disk_record.h"
#include "rds/ros_maker.h"

static const enum ros_template templates[LOOK_N] = {
	[LOOK_SYSTEM] = ROS_T_LOOK_SYSTEM,     [LOOK_RIGHTS] = ROS_T_LOOK_RIGHTS,
	[LOOK_NVME_TCP] = ROS_T_LOOK_NVME_TCP, [LOOK_POOL] = ROS_T_LOOK_POOL,
	[LOOK_BTRFS] = ROS_T_LOOK_BTRFS,       [LOOK_DIRECTORIES] = ROS_T_LOOK_DIRECTORY,
	[LOOK_MOUNTS] = ROS_T_LOOK_MOUNTS,
};

/* The texts that the values of one script point to. */
struct texts {
	char user[65], port[8], mount[80], sentinel[64], shapes[1300];
};

/* The two shapes of a volume's file, of any id. */
static void shapes(char text[1300], const struct ros_site *site)
{
	text[0] = '\0';
	maker_append(text, 1300, "^/?(");
	maker_append_path(text, 1300, site->pool);
	maker_append(text, 1300, "/vol-[a-zA-Z0-9-]+/volume[.]img");
	for (unsigned i = 0; i < site->n_bases; i++) {
		maker_append(text, 1300, "|");
		maker_append_path(text, 1300, site->bases[i]);
		maker_append(text, 1300, "/[a-zA-Z0-9-]+[.]img");
	}
	maker_append(text, 1300, ")$");
}

static void let(struct ros_values *vs, struct texts *t, const struct look_ask *ask)
{
	size_t n = strcspn(ask->user, "+");

	(void)snprintf(t->user, sizeof(t->user), "%.*s", n < 64 ? (int)n : 64, ask->user);
	(void)snprintf(t->port, sizeof(t->port), "%u", ask->nvme_port);
	(void)snprintf(t->mount, sizeof(t->mount), "/%s", ask->site->pool);
	(void)snprintf(t->sentinel, sizeof(t->sentinel), "@ok %s", ask->sentinel);
	shapes(t->shapes, ask->site);
	ros_let(vs, 'c', ROS_SLOT, t->user);
	ros_let(vs, 'o', ROS_WORD, t->port);
	ros_let(vs, 'M', ROS_PATH, ask->site->pool);
	ros_let(vs, 'N', ROS_PATH, t->mount);
	ros_let(vs, 'G', ROS_PATTERN, "^" RDS_RECORD_MARK);
	ros_let(vs, 'R', ROS_PATTERN, t->shapes);
	ros_let(vs, 'K', ROS_WORD, t->sentinel);
}

int look_script(struct buf *out, enum look_question q, const struct look_ask *ask,
		struct err *err)
{
	unsigned n = q == LOOK_DIRECTORIES ? ask->site->n_bases : 1;
	struct ros_values vs = { 0 };
	struct texts t;

	let(&vs, &t, ask);
	for (unsigned i = 0; i < n; i++) {
		ros_let(&vs, 'F', ROS_PATH, ask->site->bases[i]);
		if (ros_text(out, ros_templates[templates[q]], &vs, err))
			return -1;
	}
	return ros_text(out, ros_templates[ROS_T_LOOK_END], &vs, err);
}

static void note_pool(struct look_facts *f, const struct row *row)
{
	if (f->seen.n_pools != 1)
		return;
	if (row_u64(row, "size", &f->pool_size) || row_u64(row, "free", &f->pool_free))
		f->seen.is_nonsense = true;
}

static void note_mount(struct look_facts *f, const struct row *row)
{
	size_t used = strlen(f->mounting);
	bool is_mounted, may_mount;
	char slot[130];

	if (row_text(row, "slot", slot, sizeof(slot)) ||
	    row_flag(row, "mounted", &is_mounted) ||
	    row_flag(row, "mount-filesystem", &may_mount)) {
		f->seen.is_nonsense = true;
		return;
	}
	f->n_mounting++;
	f->n_mounted += is_mounted;
	if (used + strlen(slot) + 3 < sizeof(f->mounting))
		(void)snprintf(f->mounting + used, sizeof(f->mounting) - used, "%s%s",
			       used ? ", " : "", slot);
}

static void note_row(struct look_facts *f, const struct ros_event *ev)
{
	struct row row;
	struct err err;

	features_note(&f->seen, ev);
	if (row_parse(&row, ev->text, ev->len, &err))
		return; /* which features_note has seen too */
	if (ev->tag == 'c')
		note_pool(f, &row);
	if (ev->tag == 'j')
		note_mount(f, &row);
	if (ev->tag == 'h' && (row_text(&row, "group", f->group, sizeof(f->group)) ||
			       row_text(&row, "policy", f->policy, sizeof(f->policy))))
		f->policy[0] = '\0';
}

static void note_number(struct look_hearing *h, const char *text)
{
	struct look_facts *f = h->facts;
	unsigned i = h->n_numbers++;
	uint64_t n;

	if (str_to_u64(text, &n)) {
		f->seen.is_nonsense = true;
		return;
	}
	if (h->q == LOOK_NVME_TCP)
		f->exports = n < 100000 ? (unsigned)n : 100000;
	if (h->q == LOOK_DIRECTORIES && i < ROS_MAX_BASES)
		f->has_base[i] = n > 0;
}

void look_hear(struct look_hearing *h, const struct ros_event *ev)
{
	enum ros_fault fault;

	switch (ev->word) {
	case ROS_SAID_ROW:
		note_row(h->facts, ev);
		return;
	case ROS_SAID_NUMBER:
		note_number(h, ev->text);
		return;
	case ROS_SAID_OK:
		h->has_ended |= strcmp(ev->text, h->sentinel) == 0;
		return;
	case ROS_SAID_ERROR:
	case ROS_SAID_OTHER:
		fault = ros_console_fault(ev->text);
		if (h->fault == ROS_FAULT_NONE && fault != ROS_FAULT_NONE) {
			h->fault = fault;
			(void)snprintf(h->facts->broken, sizeof(h->facts->broken), "%s",
				       ev->text);
		}
		return;
	default:
		features_note(&h->facts->seen, ev);
	}
}

void look_conclude(struct look_hearing *h, const struct err *err)
{
	struct look_facts *f = h->facts;
	enum look_answer *a = &f->answers[h->q];

	if (h->fault == ROS_FAULT_PERMISSION)
		*a = LOOK_REFUSED;
	else if (h->fault == ROS_FAULT_SCRIPT)
		*a = LOOK_NO_WORD;
	else if (err->code == ERR_OK && h->has_ended && !f->seen.is_nonsense)
		*a = LOOK_ANSWERED;
	else
		*a = LOOK_BROKEN;
	if (*a == LOOK_BROKEN && h->fault == ROS_FAULT_NONE)
		(void)snprintf(f->broken, sizeof(f->broken), "%s",
			       err->code != ERR_OK ? err->msg
						   : "its answer makes no sense");
	f->seen.is_nonsense = false; /* which is no word about the next one */
}
