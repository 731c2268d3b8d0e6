#include <stdio.h>
#include <string.h>

#include "csi/ids.h"
#include "fakes/fake_nvme.h"
#include "support/node_lab.h"

/* Where Stage takes what a child or the kernel has just told, and where it looks itself.
 */

enum { SIZE = 64 * 1024 * 1024 };
static const struct lab_args vol = { .id = "pvc-x", .fs_type = "ext4" };
static const struct lab_args block = { .id = "pvc-x" };

static struct node_lab lab;
static struct fake_nvme fake;

static void open_fake(void)
{
	char base[ID_NQN];

	lab_open(&lab, &fake.nvme);
	id_base_nqn(vol.id, base);
	fake_nvme_init(&fake, &lab.loop.uv, base, SIZE);
	fake.has_sessions = true;
	fake.is_quick = true;
}

static void must_stage(const struct lab_args *args, unsigned n_looks, const char *source)
{
	struct err e = lab_stage(&lab, args);

	cr_assert_eq(e.code, ERR_OK, "%s", e.msg);
	cr_assert_eq(fake.n_looks, n_looks, "%u looks", fake.n_looks);
	cr_assert_eq(fake.record.stage, NVME_STAGED);
	cr_assert_eq(fake.record.size_bytes, SIZE);
	cr_assert_str_eq(fake.record.source, source);
}

Test(node_quick, one_look_where_the_session_is_new)
{
	open_fake();
	must_stage(&vol, 1, FAKE_SOURCE_NOW);
	cr_assert_eq(fake.n_mounts, 1);
	lab_close(&lab);
}

Test(node_quick, one_look_for_a_block_volume)
{
	open_fake();
	must_stage(&block, 1, FAKE_SOURCE_NOW);
	lab_close(&lab);
}

/* Whose all its sessions are no child has told. */
Test(node_quick, a_session_that_was_there_is_looked_at)
{
	open_fake();
	fake.is_attached = fake.is_joined = true;
	fake.state = NVME_LIVE;
	snprintf(fake.session, sizeof(fake.session), "%s", fake.exported);
	must_stage(&vol, 2, "image");
	lab_close(&lab);
}

Test(node_quick, a_child_that_does_not_say_whose_it_is_is_not_enough)
{
	open_fake();
	fake.is_quick = false;
	must_stage(&vol, 3, "image");
	lab_close(&lab);
}

/* As of btrfs, which has no device number of its own. */
Test(node_quick, a_mount_that_cannot_be_told_quickly_is_looked_for)
{
	open_fake();
	fake.hides_mounts = true;
	must_stage(&vol, 2, "image");
	lab_close(&lab);
}

Test(node_quick, what_is_undone_is_looked_at_first)
{
	struct err e;

	open_fake();
	fake.fail_at = 1; /* the probe */
	e = lab_stage(&lab, &vol);
	cr_assert_eq(e.code, ERR_PRECONDITION, "%s", e.msg);
	cr_assert(!fake.is_attached && !fake.has_record && !fake.n_mounts);
	cr_assert_geq(fake.n_looks, 2);
	must_stage(&vol, fake.n_looks + 1, FAKE_SOURCE_NOW);
	lab_close(&lab);
}
