#include "support/t.h"

#include <string.h>

#include "check/args.h"
#include "check/findings.h"

static struct check_args args;
static struct look_facts f;
static struct findings fs;
static struct err e;

static char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

#define BOX "--rds-address=box", "--rds-host-key=/hk"

static int parse(const char *const *words)
{
	static char texts[16][80] = { "check" };
	char *argv[16] = { texts[0] };
	int argc = 1;

	for (; *words; words++) {
		snprintf(texts[argc], sizeof(texts[argc]), "%s", *words);
		argv[argc] = texts[argc];
		argc++;
	}
	e.msg[0] = '\0';
	return check_args(&args, argc, argv, no_env, &e);
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

Test(check_args, the_controllers_flags_and_its_own)
{
	cr_assert_eq(PARSE(BOX, "--nvme-address", "10.0.0.9", "-nvme-port=4421",
			   "--kubernetes=off", "--cluster-id=c"),
		     0, "%s", e.msg);
	cr_assert_str_eq(args.config.rds_address, "box");
	cr_assert_str_eq(args.nvme_address, "10.0.0.9");
	cr_assert_eq(args.nvme_port, 4421);
	cr_assert(args.config.is_controller && !args.is_help);
}

Test(check_args, nodes_use_the_boxs_address_unless_told_otherwise)
{
	cr_assert_eq(PARSE(BOX), 0, "%s", e.msg);
	cr_assert_str_eq(args.nvme_address, "box");
	cr_assert_eq(args.nvme_port, 4420);
}

Test(check_args, a_bad_flag_is_named)
{
	cr_assert_eq(PARSE("--rds-host-key=/hk"), -1);
	cr_assert(strstr(e.msg, "--rds-address: must be given"), "%s", e.msg);
	cr_assert_eq(PARSE(BOX, "--nope"), -1);
	cr_assert(strstr(e.msg, "--nope: no such flag"), "%s", e.msg);
	cr_assert_eq(PARSE(BOX, "--nvme-port=70000"), -1);
	cr_assert(strstr(e.msg, "--nvme-port"), "%s", e.msg);
	cr_assert_eq(PARSE(BOX, "--nvme-address"), -1);
	cr_assert(strstr(e.msg, "--nvme-address: needs a value"), "%s", e.msg);
	cr_assert_eq(PARSE(BOX, "--nvme-address=a b"), -1);
	cr_assert_eq(PARSE(BOX, "--help=yes"), -1);
	cr_assert_eq(PARSE(BOX, "stray"), -1);
}

Test(check_args, help_needs_nothing_else)
{
	cr_assert_eq(PARSE("-h"), 0);
	cr_assert(args.is_help);
	cr_assert_eq(PARSE("--print-reference"), 0);
	cr_assert(args.is_reference);
	cr_assert(!args.is_prove);
	cr_assert_eq(PARSE(BOX, "--prove-fence"), 0, "%s", e.msg);
	cr_assert(args.is_prove);
	cr_assert_eq(PARSE(BOX, "--prove-fence=no"), -1);
}

/* ---- findings ---- */

static struct ros_site site;

/* A box without fault. */
static void well(void)
{
	cr_assert_eq(PARSE(BOX, "--nvme-address=nvme"), 0, "%s", e.msg);
	cr_assert_eq(ros_site_bases(&site, args.config.volume_base, &e), 0);
	f = (struct look_facts){
		.key = LOOK_FILE_GOOD,
		.host_key = LOOK_FILE_GOOD,
		.ssh = REACH_OPEN,
		.is_in = true,
		.sessions = 4,
		.seen = { .version = "7.24.4 (stable)",
			  .has_package = true,
			  .has_root = true,
			  .n_pools = 1,
			  .pool_slot = "raid1",
			  .fs = "btrfs",
			  .label = "pool" },
		.pool_size = (uint64_t)100 << 30,
		.pool_free = (uint64_t)50 << 30,
		.group = "csi",
		.policy = "ssh;read;write;test;ftp;!policy",
		.has_base = { true },
		.nvme = REACH_OPEN,
	};
	for (unsigned q = 0; q < LOOK_N; q++)
		f.answers[q] = LOOK_ANSWERED;
}

static void judge(void)
{
	const struct check_asked asked = {
		.config = &args.config,
		.site = &site,
		.nvme_address = args.nvme_address,
		.nvme_port = args.nvme_port,
	};

	findings_make(&fs, &f, &asked);
}

static const struct finding *find(enum finding_id id)
{
	static const struct finding none = { .word = FINDING_OK, .text = "(none)" };

	for (unsigned i = 0; i < fs.n; i++)
		if (fs.f[i].id == id)
			return &fs.f[i];
	return &none;
}

/* One problem there is, about id, with these words. */
static void one(enum finding_id id, const char *says, const char *todo)
{
	const struct finding *is;

	judge();
	is = find(id);
	cr_assert_eq(findings_problems(&fs), 1, "%u problems; %s", findings_problems(&fs),
		     is->text);
	cr_assert_eq(is->word, FINDING_PROBLEM, "%s", is->text);
	cr_assert(strstr(is->text, says), "%s", is->text);
	cr_assert(strstr(is->text, todo), "%s", is->text);
}

static void noted(enum finding_id id, const char *says)
{
	judge();
	cr_assert_eq(findings_problems(&fs), 0);
	cr_assert_eq(find(id)->word, FINDING_NOTE, "%s", find(id)->text);
	cr_assert(strstr(find(id)->text, says), "%s", find(id)->text);
}

Test(check, a_box_without_fault_has_one_good_word_about_each_thing)
{
	well();
	judge();
	cr_assert_eq(findings_problems(&fs), 0);
	cr_assert_eq(fs.n, FINDING_N);
	for (unsigned i = 0; i < fs.n; i++) {
		cr_assert_eq(fs.f[i].word, FINDING_OK, "%s", fs.f[i].text);
		cr_assert_eq(fs.f[i].id, i, "not in order: %s", fs.f[i].text);
	}
}

/* What cannot be had on a loopback. */
Test(check, each_way_that_the_network_fails)
{
	static const struct {
		enum reach_how how;
		const char *says, *todo;
	} ways[] = {
		{ REACH_NO_ADDRESS, "the name box has no address", "--rds-address" },
		{ REACH_NO_ROUTE, "no route", "--rds-address" },
		{ REACH_REFUSED, "refuses", "/ip/service/enable ssh" },
		{ REACH_SILENT, "nothing answers", "firewall" },
		{ REACH_ERROR, "cannot be reached", "--rds-address" },
	};

	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		well();
		f.is_in = false;
		f.ssh = ways[i].how;
		one(FINDING_ADDRESS, ways[i].says, ways[i].todo);
	}
}

Test(check, each_way_that_the_storage_network_fails)
{
	static const enum reach_how ways[] = { REACH_NO_ADDRESS, REACH_NO_ROUTE,
					       REACH_SILENT, REACH_ERROR };

	for (unsigned i = 0; i < 4; i++) {
		well();
		f.nvme = ways[i];
		one(FINDING_NVME_ADDRESS, "nvme", "--nvme-address");
	}
	well();
	f.nvme = REACH_REFUSED;
	noted(FINDING_NVME_ADDRESS, "no fault while nothing is exported");
	f.exports = 3;
	one(FINDING_NVME_ADDRESS, "although 3 volumes", "nvmeAddress");
}

/* One fault, one sentence: both are the same address. */
Test(check, an_address_that_does_not_answer_is_told_once)
{
	well();
	args.nvme_address = args.config.rds_address;
	f.is_in = false;
	f.ssh = f.nvme = REACH_SILENT;
	one(FINDING_ADDRESS, "nothing answers", "firewall");
}

Test(check, files_that_are_not_fit)
{
	static const struct {
		enum look_file kind;
		const char *says, *todo;
	} keys[] = {
		{ LOOK_FILE_ENCRYPTED, "passphrase", "ssh-keygen -p" },
		{ LOOK_FILE_UNREADABLE, "cannot be read (why)", "let the user" },
		{ LOOK_FILE_WRONG, "no private key that libssh2", "ssh-keygen" },
		{ LOOK_FILE_EMPTY, "no private key that libssh2", "ssh-keygen" },
	};

	for (unsigned i = 0; i < 4; i++) {
		well();
		f.is_in = false;
		strcpy(f.file_error, "why");
		f.key = keys[i].kind;
		one(FINDING_KEY_FILE, keys[i].says, keys[i].todo);
		well();
		f.is_in = false;
		f.host_key = keys[i].kind;
		one(FINDING_HOST_KEY_FILE, "host key", "");
	}
}

Test(check, policies_that_are_missing_or_too_many)
{
	well();
	strcpy(f.policy, "ssh;read;!write;test");
	one(FINDING_POLICIES, "lacks write,ftp", "/user/group/set csi policy=");
	well();
	strcpy(f.policy, "ssh,read,write,test,ftp,reboot,sensitive");
	noted(FINDING_POLICIES, "(reboot,sensitive)");
	well();
	f.policy[0] = '\0';
	noted(FINDING_POLICIES, "does not tell");
	/* Nobody is told to take rights from the group of the box's owner. */
	well();
	strcpy(f.group, "full");
	strcpy(f.policy, "ssh,read,write,test,ftp,policy");
	noted(FINDING_POLICIES, "a user and a group of its own");
	cr_assert(!strstr(find(FINDING_POLICIES)->text, "/user/group/set full"));
	well();
	f.answers[LOOK_POOL] = LOOK_REFUSED;
	one(FINDING_POLICIES, "refuses", "/user/group/set");
}

Test(check, the_version_and_what_follows_from_it)
{
	well();
	strcpy(f.seen.version, "7.20.8 (stable)");
	f.answers[LOOK_NVME_TCP] = LOOK_NO_WORD;
	one(FINDING_VERSION, "7.20.8", "/system/package/update");
	well();
	f.seen.has_package = false;
	f.answers[LOOK_NVME_TCP] = f.answers[LOOK_BTRFS] = LOOK_NO_WORD;
	one(FINDING_PACKAGE, "missing", "reboot");
	well();
	f.answers[LOOK_NVME_TCP] = LOOK_NO_WORD;
	one(FINDING_NVME_TCP, "do not know", "ROSE");
}

Test(check, the_pool_and_its_file_system)
{
	well();
	f.seen.is_ambiguous = true;
	one(FINDING_POOL, "several file systems", "a mount point of its own");
	well();
	strcpy(f.seen.fs, "xfs");
	noted(FINDING_LAYOUT, "flat files");
	f.has_base[0] = false;
	one(FINDING_DIRECTORY, "storage-pool/metal-csi", "/file/add");
	well();
	f.has_base[0] = false;
	noted(FINDING_DIRECTORY, "flat files only");
	well();
	f.seen.label[0] = '\0';
	noted(FINDING_LAYOUT, "no label");
	well();
	f.seen.has_root = false;
	noted(FINDING_LAYOUT, "is not what is mounted");
}

Test(check, space_is_measured_against_the_reserve)
{
	well();
	f.pool_free = f.pool_size / 100 * 5;
	one(FINDING_SPACE, "are free on the pool", "delete");
	well();
	f.pool_free = f.pool_size / 100 * 5 + 1;
	judge();
	cr_assert_eq(findings_problems(&fs), 0);
}

Test(check, volumes_that_the_box_has_mounted_are_worse_than_those_it_may)
{
	well();
	f.n_mounting = 2;
	strcpy(f.mounting, "a, b");
	one(FINDING_MOUNTS, "may mount 2", "mount-filesystem=no");
	f.n_mounted = 1;
	one(FINDING_MOUNTS, "has 1 of our volumes mounted", "stop the pods");
}

Test(check, a_question_that_was_cut_off_is_a_problem_of_its_own)
{
	for (unsigned q = 0; q < LOOK_N; q++) {
		well();
		f.answers[q] = LOOK_BROKEN;
		strcpy(f.broken, "cut");
		judge();
		cr_assert_eq(findings_problems(&fs), 1, "question %u", q);
	}
}

/* Escape sequences from the box end at the terminal as blanks. */
Test(check, a_line_is_one_line)
{
	struct buf out;

	well();
	strcpy(f.group, "a\nb\033[2J");
	f.policy[0] = 's';
	judge();
	buf_init(&out, 65536);
	cr_assert_eq(findings_print(&fs, &out), 0);
	for (const char *p = out.data; *p; p++)
		cr_assert(*p == '\n' || ((unsigned char)*p >= ' ' && *p != 0x7f));
	cr_assert(strstr(out.data, "ok       key-file: "), "%s", out.data);
	buf_fini(&out);
}
