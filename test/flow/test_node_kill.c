#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csi/ids.h"
#include "csi/node/publish.h"
#include "csi/node/stage.h"
#include "csi/node/unpublish.h"
#include "csi/node/unstage.h"
#include "support/node_lab.h"

/* SIGKILL of the driver in each state of its node operations, before and after the
 * state's child was started: the retry converges, and what was written is there. The
 * states come from the op tables. Children outlive the driver and finish; until then the
 * volume's lock says ABORTED. */

#define MIB (INT64_C(1024) * 1024)
enum { MAX_RETRIES = 2000 };

static struct node_lab lab;
static const struct op_type *kill_type;
static unsigned kill_state;
static bool kills_later, has_come;

static void on_trace(const struct op *op, unsigned from, unsigned to)
{
	if (op->type != kill_type || to != kill_state || (from == to && to != OP_START))
		return;
	if (!kills_later)
		raise(SIGKILL);
	has_come = true;
}

/* The driver in a process of its own, which dies where it was told to. True when it did.
 */
static bool die_in(const char *method, const ProtobufCMessage *req)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct node_lab own;

		lab_reopen_real(&own, &lab);
		has_come = false;
		op_trace = on_trace;
		(void)lab_begin(&own, method, req);
		while (!own.n_done) {
			uv_run(&own.loop.uv, UV_RUN_ONCE);
			if (has_come)
				raise(SIGKILL);
		}
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status);
}

static struct err until_unlocked(struct err (*call)(struct node_lab *,
						    const struct lab_args *),
				 const struct lab_args *a)
{
	struct err e = { .code = ERR_ABORTED };

	for (int i = 0; i < MAX_RETRIES && e.code == ERR_ABORTED; i++) {
		e = call(&lab, a);
		if (e.code == ERR_ABORTED)
			usleep(5000);
	}
	return e;
}

static void kill_stage_in(unsigned state, bool later, bool has_data)
{
	char id[32];
	struct lab_args a = { .id = id, .fs_type = "ext4" };

	snprintf(id, sizeof(id), "kill-%u-%d-%d", state, later, has_data);
	lab_open_real(&lab);
	lab_image(&lab, a.id, 32 * MIB);
	if (has_data) {
		OK(&lab, lab_stage(&lab, &a));
		lab_check(&lab, lab_run("echo kept > %s/f; sync -f %s/f", lab.staging,
					lab.staging) == 0);
		OK(&lab, until_unlocked(lab_unstage, &a));
	}
	kill_type = &node_stage_op;
	kill_state = state;
	kills_later = later;
	bool was_killed = die_in("NodeStageVolume", lab_stage_request(&lab, &a));

	/* These are not on the way of a stage that succeeds. */
	const char *name = node_stage_op.states[state];
	bool is_other = strstr(name, "undoing") || strstr(name, "leftover") ||
			strstr(name, "target") || strstr(name, "others") ||
			strstr(name, "growing") || strcmp(name, "checking") == 0 ||
			strcmp(name, "wiping") == 0 ||
			(has_data && strcmp(name, "formatting") == 0);

	lab_check(&lab, was_killed != is_other, "%s", name);
	OK(&lab, until_unlocked(lab_stage, &a));
	lab_check(&lab, lab_mounts(lab.staging) == 1 && lab_loops(&lab) == 1);
	if (has_data)
		lab_check(&lab, lab_run("grep -q kept %s/f", lab.staging) == 0);
	OK(&lab, until_unlocked(lab_unstage, &a));
	lab_close(&lab);
}

Test(node_kill, stage_of_a_blank_volume)
{
	for (unsigned s = 0; s < node_stage_op.n_states; s++) {
		kill_stage_in(s, false, false);
		kill_stage_in(s, true, false);
	}
}

Test(node_kill, stage_of_a_volume_with_data)
{
	for (unsigned s = 0; s < node_stage_op.n_states; s++) {
		kill_stage_in(s, false, true);
		kill_stage_in(s, true, true);
	}
}

/* Staged under the first name, fenced, and staged anew under the second. */
static void kill_clearing_in(unsigned state, bool later)
{
	char id[32], nqn[ID_NQN];
	struct lab_args old = { .id = id, .fs_type = "ext4" }, anew = old;

	snprintf(id, sizeof(id), "fenced-%u-%d", state, later);
	lab_open_real(&lab);
	lab_image(&lab, id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &old));
	lab_check(&lab, lab_run("echo kept > %s/f", lab.staging) == 0);
	id_base_nqn(id, nqn);
	lab_unexport(&lab, nqn);
	id_new_nqn(id, 1, nqn);
	lab_export(&lab, id, nqn);
	anew.nqn = nqn;
	kill_type = &node_stage_op;
	kill_state = state;
	kills_later = later;
	lab_check(&lab, die_in("NodeStageVolume", lab_stage_request(&lab, &anew)));
	OK(&lab, until_unlocked(lab_stage, &anew));
	lab_check(&lab, lab_mounts(lab.staging) == 1 && lab_loops(&lab) == 1);
	lab_check(&lab, lab_run("grep -q kept %s/f", lab.staging) == 0);
	OK(&lab, until_unlocked(lab_unstage, &anew));
	lab_close(&lab);
}

Test(node_kill, clearing_of_a_fenced_leftover)
{
	for (unsigned s = 0; s < node_stage_op.n_states; s++)
		if (strstr(node_stage_op.states[s], "leftover")) {
			kill_clearing_in(s, false);
			kill_clearing_in(s, true);
		}
}

static void kill_publish_in(unsigned state, bool later, bool is_block)
{
	struct lab_args a = { .id = is_block ? "kill-pb" : "kill-pf",
			      .fs_type = is_block ? NULL : "ext4" };

	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	kill_type = &node_publish_op;
	kill_state = state;
	kills_later = later;
	(void)die_in("NodePublishVolume", lab_publish_request(&lab, &a));
	OK(&lab, until_unlocked(lab_publish, &a));
	lab_check(&lab, lab_mounts(lab.target) == 1);
	OK(&lab, lab_unpublish(&lab, &a));
	lab_check(&lab, access(lab.target, F_OK) != 0);
	OK(&lab, until_unlocked(lab_unstage, &a));
	lab_close(&lab);
}

Test(node_kill, publish)
{
	for (unsigned s = 0; s < node_publish_op.n_states; s++)
		for (int later = 0; later < 2; later++) {
			kill_publish_in(s, later, false);
			kill_publish_in(s, later, true);
		}
}

static void kill_end_in(const struct op_type *type, unsigned state, bool later)
{
	struct lab_args a = { .id = "kill-end", .fs_type = "ext4" };
	Csi__V1__NodeUnstageVolumeRequest unstage;
	Csi__V1__NodeUnpublishVolumeRequest unpublish;
	bool is_unstage = type == &node_unstage_op;
	char id[32] = "kill-end";

	csi__v1__node_unstage_volume_request__init(&unstage);
	csi__v1__node_unpublish_volume_request__init(&unpublish);
	lab_open_real(&lab);
	lab_image(&lab, a.id, 16 * MIB);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_run("echo kept > %s/f", lab.staging) == 0);
	unstage.volume_id = unpublish.volume_id = id;
	unstage.staging_target_path = lab.staging;
	unpublish.target_path = lab.target;
	OK(&lab, lab_publish(&lab, &a));
	if (is_unstage)
		OK(&lab, lab_unpublish(&lab, &a));
	kill_type = type;
	kill_state = state;
	kills_later = later;
	/* These are for targets that do not answer. */
	bool is_other = strcmp(type->states[state], "asking") == 0 ||
			strcmp(type->states[state], "cutting") == 0 ||
			strcmp(type->states[state], "unmounting_freed") == 0;

	lab_check(&lab,
		  is_other !=
			  die_in(is_unstage ? "NodeUnstageVolume" : "NodeUnpublishVolume",
				 is_unstage ? &unstage.base : &unpublish.base),
		  "%s", type->states[state]);
	OK(&lab, until_unlocked(lab_unpublish, &a));
	lab_check(&lab, access(lab.target, F_OK) != 0);
	OK(&lab, until_unlocked(lab_unstage, &a));
	lab_check(&lab, lab_loops(&lab) == 0);
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, lab_run("grep -q kept %s/f", lab.staging) == 0);
	OK(&lab, until_unlocked(lab_unstage, &a));
	lab_close(&lab);
}

Test(node_kill, unpublish_and_unstage)
{
	for (int later = 0; later < 2; later++) {
		for (unsigned s = 0; s < node_unpublish_op.n_states; s++)
			kill_end_in(&node_unpublish_op, s, later);
		for (unsigned s = 0; s < node_unstage_op.n_states; s++)
			kill_end_in(&node_unstage_op, s, later);
	}
}
