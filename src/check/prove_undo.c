#include "check/prove.h"

#include <string.h>

/* What `rds-csi check --prove-fence` does to leave nothing behind. A look comes before
 * each change: only what bears the cluster id of this run and one of the names that it
 * gave is taken away. What is not on the box is deleted all the same: a create that was
 * refused half-way leaves a subvolume or a file. */
enum { LOOKS = 6, PAUSE_MS = 1000 };

bool prove_is_own(const struct prove *p, const struct rds_volume *v)
{
	return v->record.kind == RDS_RECORD_OURS && v->is_file_disk &&
	       v->layout != RDS_LAYOUT_AUTO && *v->nqn &&
	       (strcmp(v->nqn, p->old_nqn) == 0 || strcmp(v->nqn, p->fence.nqn) == 0);
}

/* ---- this host ---- */

static void keep_node(struct prove *p, const struct err *err)
{
	if (p->left_node.code == ERR_OK)
		p->left_node = *err;
}

/* It may make a session yet, after all have been ended. */
void prove_keep_stuck(struct prove *p)
{
	struct err err;

	if (!op_failed(&p->req.op) || !p->req.is_stuck)
		return;
	(void)err_set(&err, ERR_ABORTED, "the connect is still in the kernel");
	keep_node(p, &err);
}

void prove_begin_cut(struct prove *p)
{
	atomic_store(&p->shared->must_end, 1);
	prove_ask_node(p, NVME_CUT, PROVE_NODE "-old", p->old_nqn);
}

void prove_begin_leave(struct prove *p)
{
	if (*p->new_nqn)
		prove_ask_node(p, NVME_DETACH, PROVE_NODE "-new", p->new_nqn);
}

void prove_end_undo_node(struct prove *p)
{
	if (p->awaited)
		keep_node(p, &p->req.op.err);
}

/* ---- the box ---- */

void prove_begin_look(struct prove *p)
{
	p->is_seen = false;
	if (!p->is_there)
		return;
	p->n_looks++;
	prove_ask_box(p, RDS_GET);
}

void prove_end_look(struct prove *p)
{
	const struct rds_req *req = &p->box.req;

	if (!p->awaited)
		return;
	if (op_failed(&req->op)) {
		p->left_box = req->op.err;
	} else if (req->outcome == RDS_ABSENT) {
		p->volume = (struct rds_volume){ .size_bytes = 0 };
		p->is_seen = true;
	} else if (prove_is_own(p, &req->volume)) {
		p->volume = req->volume;
		p->is_seen = true;
		p->is_late = false;
	} else {
		p->is_there = false;
		(void)err_set(&p->left_box, ERR_EXISTS, "not what this run has made");
	}
}

void prove_begin_take(struct prove *p)
{
	if (!p->is_seen || !*p->volume.nqn)
		return;
	p->record = p->volume.record;
	p->record.is_fencing = false;
	p->record.n_holders = 0;
	prove_ask_box(p, RDS_UNPUBLISH);
}

void prove_end_take(struct prove *p)
{
	const struct rds_req *req = &p->box.req;

	if (!p->awaited)
		return;
	p->is_seen = !op_failed(&req->op) && req->outcome == RDS_OK;
	if (op_failed(&req->op))
		p->left_box = req->op.err;
	else if (p->is_seen)
		p->volume = req->volume;
}

void prove_begin_delete(struct prove *p)
{
	if (p->is_seen)
		prove_ask_box(p, RDS_DELETE);
}

void prove_end_delete(struct prove *p)
{
	const struct rds_req *req = &p->box.req;

	if (!p->awaited)
		return;
	if (op_failed(&req->op)) {
		p->left_box = req->op.err;
	} else if (req->outcome != RDS_STALE) {
		p->left_box.code = ERR_OK;
		p->is_there = p->is_late;
	}
}

/* A script that was cancelled may have run on and changed what was looked at, and a box
 * that was away may be back. */
bool prove_looks_again(const struct prove *p)
{
	return p->is_there && p->n_looks < LOOKS;
}

void prove_begin_pause(struct prove *p)
{
	if (prove_looks_again(p))
		prove_wait_ms(p, PAUSE_MS);
}

/* ---- what is left ---- */

static void say_box(const struct prove *p, struct buf *out)
{
	const char *why = p->left_box.code != ERR_OK ? p->left_box.msg
			  : p->is_late ? "the answer to its making was lost, and it may "
					 "come yet"
				       : "it is changed all the time";

	(void)buf_printf(out,
			 "rds-csi check: the scratch volume %s may be left on the box: "
			 "%s. Look for it there; these remove it:\n"
			 "  /disk/set [find slot=\"%s\"] nvme-tcp-export=no\n"
			 "  /disk/remove [find slot=\"%s\"]\n"
			 "  /file/remove [find name~\"/%s[.]img\"]\n"
			 "  /disk/btrfs/subvolume/remove [find name=\"vol-%s\"]\n",
			 p->id, why, p->id, p->id, p->id, p->id);
}

static void say_node(const struct prove *p, struct buf *out)
{
	(void)buf_printf(out,
			 "rds-csi check: a session may be left on this host: %s. Look "
			 "for it with nvme list-subsys; these end it:\n"
			 "  nvme disconnect -n %s\n",
			 p->left_node.msg, p->old_nqn);
	if (*p->new_nqn)
		(void)buf_printf(out, "  nvme disconnect -n %s\n", p->new_nqn);
}

void prove_say_left(const struct prove *p, struct buf *out)
{
	if (p->left_box.code == ERR_EXISTS)
		(void)buf_printf(out,
				 "rds-csi check: a disk %s is on the box that this run "
				 "has not made: it was left as it is\n",
				 p->id);
	else if (p->is_there)
		say_box(p, out);
	if (p->left_node.code != ERR_OK)
		say_node(p, out);
}
