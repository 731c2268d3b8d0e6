#include <string.h>

#include "csi/ids.h"
#include "fakes/fake_nvme.h"
#include "support/node_lab.h"

/* A target that has put another file under the NQN of a volume that is mounted here. */

enum { SIZE = 64 * 1024 * 1024 };
static const struct lab_args vol = { .id = "pvc-x",
				     .fs_type = "ext4",
				     .has_identity = true };
static struct node_lab lab;
static struct fake_nvme fake;
static char own[NVME_UUID_MAX + 1];

static void open_replaced(void)
{
	char nqn[ID_NQN];
	struct err err;

	lab_open(&lab, &fake.nvme);
	id_base_nqn(vol.id, nqn);
	fake_nvme_init(&fake, &lab.loop.uv, nqn, SIZE);
	fake.has_sessions = true;
	err = lab_stage(&lab, &vol);
	cr_assert_eq(err.code, ERR_OK, "%s", err.msg);
	memcpy(own, fake.content.fs_uuid, sizeof(own));
	memset(fake.content.fs_uuid, 'f', 8);
	memset(fake.n_requests, 0, sizeof(fake.n_requests));
}

static void check_refused(void)
{
	struct err err = lab_stage(&lab, &vol);

	cr_assert(err.code == ERR_PRECONDITION && strstr(err.msg, own), "%s", err.msg);
	cr_assert_eq(fake.n_requests[NVME_FORMAT] + fake.n_requests[NVME_MOUNT], 0);
	cr_assert(!fake.is_attached && !fake.has_record && !fake.n_mounts);
}

Test(node_replaced, it_is_not_grown)
{
	int64_t bytes = 0;
	struct err err;

	open_replaced();
	cr_assert_eq(lab_publish(&lab, &vol).code, ERR_OK);
	err = lab_expand(&lab, &vol, &bytes);
	cr_assert(err.code == ERR_PRECONDITION && strstr(err.msg, "another"), "%s",
		  err.msg);
	cr_assert_eq(fake.n_requests[NVME_GROW], 0);
	cr_assert_eq(lab_unpublish(&lab, &vol).code, ERR_OK);
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	lab_close(&lab);
}

/* An unmount would write into it. */
Test(node_replaced, its_session_is_cut_before_the_unmount)
{
	open_replaced();
	cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK);
	cr_assert_eq(fake.n_requests[NVME_CUT], 1);
	cr_assert_eq(fake.n_requests[NVME_UNMOUNT], 1, "of a dead mount");
	cr_assert_eq(fake.n_requests[NVME_DETACH], 0);
	check_refused();
	lab_close(&lab);
}

Test(node_replaced, any_failure_on_the_way_converges)
{
	for (int i = 0; i < 4; i++) {
		open_replaced();
		fake.fail_at = i;
		fake.fails_after = i & 1;
		fake.fail_code = ERR_ABORTED;
		(void)lab_unstage(&lab, &vol);
		fake.fail_at = -1;
		cr_assert_eq(lab_unstage(&lab, &vol).code, ERR_OK, "%d", i);
		cr_assert_eq(fake.n_requests[NVME_DETACH], 0, "%d", i);
		check_refused();
		lab_close(&lab);
	}
}
