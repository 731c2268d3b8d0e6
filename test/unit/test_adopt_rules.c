#include "support/t.h"

#include <string.h>

#include "csi/node/adopt_rules.h"

#define PREFIX "nqn.2000-02.com.mikrotik:"
#define BASE PREFIX "pvc-1"

/* What is there, in one letter each: a session (s), its device (d), our mount at the
 * staging path (m), a foreign one (f), a mount of a device that is gone (x), a mount
 * elsewhere (e). */
static struct nvme_view view_of(const char *there)
{
	struct nvme_view v = { .state = NVME_ABSENT };

	if (strchr(there, 's')) {
		v.state = NVME_LIVE;
		strcpy(v.nqn, BASE ".g1-01234567");
		strcpy(v.source, "hostnqn");
	}
	if (strchr(there, 'd')) {
		strcpy(v.device.path, "/dev/nvme7n1");
		v.device.size_bytes = 1000;
	}
	v.n_dead = strchr(there, 'x') != NULL;
	v.n_foreign_layers = strchr(there, 'f') != NULL;
	v.n_layers = (strchr(there, 'm') != NULL) + v.n_dead + v.n_foreign_layers;
	v.n_elsewhere = strchr(there, 'e') != NULL;
	if (strchr(there, 'm'))
		strcpy(v.fs_type, "xfs");
	return v;
}

enum { NONE, OLD, OLD_FORMATTING, STAGED, READY, FORMATTING, ADOPTED };

static struct nvme_record record_of(int kind)
{
	struct nvme_record r = { .stage = NVME_STAGED };

	r.is_this_boot = kind >= STAGED;
	if (kind == READY)
		r.stage = NVME_READY;
	if (kind == FORMATTING || kind == OLD_FORMATTING)
		r.stage = NVME_FORMATTING;
	if (kind == ADOPTED) {
		r.stage = NVME_READY;
		r.is_adopted = true;
	}
	return r;
}

enum { UNNAMED, MOUNT, BLOCK };

struct row {
	int named, record;
	const char *there;
	enum adopt_do want;
	bool is_told;
};

static enum adopt_do decide(const struct row *r, const char **why)
{
	static struct nvme_view v;
	static struct nvme_record rec;
	const struct adopt_facts f = { .is_named = r->named != UNNAMED,
				       .is_block = r->named == BLOCK,
				       .staging = "/k/globalmount",
				       .view = &v,
				       .rec = r->record ? &rec : NULL,
				       .base_nqn = BASE,
				       .nqn_prefix = PREFIX };

	v = view_of(r->there);
	rec = record_of(r->record);
	return adopt_decide(&f, why);
}

Test(adopt_rules, every_case)
{
	static const struct row rows[] = {
		/* Nothing recorded: the mount, or for block the session, tells. */
		{ MOUNT, NONE, "sdm", ADOPT_RECORD, false },
		{ MOUNT, NONE, "sdme", ADOPT_RECORD, false },
		{ MOUNT, NONE, "dm", ADOPT_RECORD, false }, /* loop: no session */
		{ MOUNT, NONE, "x", ADOPT_RECORD, false },
		{ MOUNT, NONE, "", ADOPT_NOTHING, false },
		{ MOUNT, NONE, "sd", ADOPT_NOTHING, true },
		{ MOUNT, NONE, "sdf", ADOPT_NOTHING, true },
		{ MOUNT, NONE, "sdmf", ADOPT_NOTHING, true },
		{ BLOCK, NONE, "sd", ADOPT_RECORD, false },
		{ BLOCK, NONE, "s", ADOPT_RECORD, false }, /* namespace away */
		{ BLOCK, NONE, "", ADOPT_NOTHING, false },
		{ UNNAMED, NONE, "sd", ADOPT_NOTHING, false },
		/* Of another boot: no more than a hint. */
		{ MOUNT, OLD, "sdm", ADOPT_RECORD, false },
		{ MOUNT, OLD, "", ADOPT_NOTHING, false },
		{ BLOCK, OLD, "sd", ADOPT_RECORD, false },
		{ UNNAMED, OLD, "", ADOPT_FORGET, false },
		{ UNNAMED, OLD, "sd", ADOPT_NOTHING, false },
		{ UNNAMED, OLD, "m", ADOPT_NOTHING, false },
		{ UNNAMED, OLD, "f", ADOPT_NOTHING, false },
		{ UNNAMED, OLD, "e", ADOPT_NOTHING, false },
		{ UNNAMED, OLD_FORMATTING, "", ADOPT_NOTHING, false },
		/* Of this boot, and staged: as it should be. */
		{ MOUNT, STAGED, "sdm", ADOPT_NOTHING, false },
		{ MOUNT, STAGED, "", ADOPT_NOTHING, false },
		{ UNNAMED, STAGED, "sd", ADOPT_NOTHING, false },
		/* Of this boot, and cut short. */
		{ MOUNT, READY, "sd", ADOPT_DETACH, false },
		{ UNNAMED, READY, "sd", ADOPT_DETACH, false },
		{ UNNAMED, READY, "s", ADOPT_DETACH, false },
		{ UNNAMED, READY, "d", ADOPT_DETACH, false },
		{ UNNAMED, FORMATTING, "sd", ADOPT_DETACH, false },
		{ BLOCK, READY, "sd", ADOPT_DETACH, false },
		{ UNNAMED, READY, "", ADOPT_NOTHING, false },
		{ UNNAMED, READY, "sdm", ADOPT_NOTHING, false },
		{ UNNAMED, READY, "sdf", ADOPT_NOTHING, false },
		{ UNNAMED, READY, "sde", ADOPT_NOTHING, false },
		{ UNNAMED, READY, "sx", ADOPT_NOTHING, false },
		{ UNNAMED, ADOPTED, "sd", ADOPT_NOTHING, false },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = NULL;
		enum adopt_do got = decide(&rows[i], &why);

		cr_assert_eq(got, rows[i].want, "row %u: %d", i, got);
		cr_assert_eq(*why != '\0', rows[i].is_told, "row %u: %s", i, why);
	}
}

Test(adopt_rules, what_unstage_could_not_disconnect_is_not_adopted)
{
	struct nvme_view v = view_of("sdm");
	const struct adopt_facts f = { .is_named = true,
				       .staging = "/s",
				       .view = &v,
				       .base_nqn = BASE,
				       .nqn_prefix = "nqn.1999-01.example:" };
	const char *why;

	cr_assert_eq(adopt_decide(&f, &why), ADOPT_NOTHING);
	cr_assert_not_null(strstr(why, "prefix"));
}

Test(adopt_rules, the_record_says_what_was_found)
{
	struct nvme_view v = view_of("sdm");
	struct adopt_facts f = { .is_named = true,
				 .staging = "/k/globalmount",
				 .view = &v,
				 .base_nqn = BASE,
				 .nqn_prefix = PREFIX };
	struct nvme_record r, old = { .stage = NVME_STAGED, .size_bytes = 2000 };

	v.is_readonly = true;
	adopt_record(&f, &r);
	cr_assert(r.stage == NVME_STAGED && r.is_adopted && r.was_mounted);
	cr_assert(r.is_readonly && !r.is_block);
	cr_assert_eq(r.size_bytes, 1000);
	cr_assert_str_eq(r.nqn, BASE ".g1-01234567");
	cr_assert_str_eq(r.source, "hostnqn");
	cr_assert_str_eq(r.fs_type, "xfs");
	cr_assert_str_eq(r.fs_uuid, "");
	cr_assert_str_eq(r.staging, "/k/globalmount");

	/* What an earlier boot knew under the same NQN is kept, under another not. */
	strcpy(old.fs_uuid, "fsuuid");
	strcpy(old.fs_type, "xfs");
	strcpy(old.ns_id, "nsid");
	strcpy(old.nqn, BASE ".g1-01234567");
	f.rec = &old;
	adopt_record(&f, &r);
	cr_assert_eq(r.size_bytes, 2000);
	cr_assert_str_eq(r.fs_uuid, "fsuuid");
	cr_assert_str_eq(r.ns_id, "nsid");
	strcpy(old.fs_type, "ext4");
	adopt_record(&f, &r);
	cr_assert_str_eq(r.fs_uuid, "");
	strcpy(old.nqn, BASE);
	adopt_record(&f, &r);
	cr_assert_eq(r.size_bytes, 1000);
	cr_assert_str_eq(r.ns_id, "");
}

Test(adopt_rules, a_raw_disk_and_a_dead_mount)
{
	struct nvme_view v = view_of("sd");
	struct adopt_facts f = { .is_named = true,
				 .is_block = true,
				 .staging = "/s",
				 .view = &v,
				 .base_nqn = BASE,
				 .nqn_prefix = PREFIX };
	struct nvme_record r;

	v.is_readonly = true; /* of the last mount looked at: says nothing of a disk */
	adopt_record(&f, &r);
	cr_assert(r.is_block && !r.was_mounted && !r.is_readonly && !r.fs_type[0]);
	v.device.is_readonly = true;
	adopt_record(&f, &r);
	cr_assert(r.is_readonly);
	v = view_of("x");
	f.is_block = false;
	adopt_record(&f, &r);
	cr_assert_str_eq(r.nqn, ""); /* nobody can tell it any more */
	v = view_of("dm");	     /* a loop device bears no NQN */
	adopt_record(&f, &r);
	cr_assert_str_eq(r.nqn, BASE);
}
