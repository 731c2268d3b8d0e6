#include <linux/magic.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "sim/export.h"
#include "sim/tests/fake_configfs.h"

#define A "subsystems/" NQN "a"
#define B "subsystems/" NQN "b"

enum {
	TICKS_MAX = 500, /* of 20 ms: what a test waits for at most */
};

static void prepare(struct t_box *t)
{
	char path[300];

	t_prepare(t);
	snprintf(fake_root, sizeof fake_root, "%s/configfs", t->dir);
	mkdir(fake_root, 0755);
	snprintf(path, sizeof path, "%s/subsystems", fake_root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/ports", fake_root);
	mkdir(path, 0755);
	t->o.box.nvmet.is_on = true;
	t->o.box.nvmet.fs = &fake_configfs;
	snprintf(t->o.box.nvmet.root, sizeof t->o.box.nvmet.root, "%s", fake_root);
}

/* The box with the disks a and b, both exported. */
static void start(struct t_box *t)
{
	t_start(t);
	add_disk(t, "a");
	add_disk(t, "b");
	t_is(t, "/disk set a,b nvme-tcp-export=yes", "");
}

static const char *text_of(const char *file)
{
	static char text[16384];
	char path[600];

	snprintf(path, sizeof path, "%s/%s", fake_root, file);
	text[0] = 0;
	fake_read(path, text, sizeof text);
	return text;
}

static bool there(const char *file)
{
	char path[600];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", fake_root, file);
	return lstat(path, &st) == 0;
}

static void forget_log(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s/log", fake_root);
	unlink(path);
}

static int verb(struct t_box *t, const char *text, struct nvmet_wait *wait)
{
	char query[256];
	const char *err;
	int rc;

	snprintf(query, sizeof query, "%s", text);
	export_begin(t->box, wait);
	rc = export_query(t->box, query, &err);
	export_over(t->box);
	return rc;
}

/* Waits for the target too. */
static void must(struct t_box *t, const char *text)
{
	struct nvmet_wait wait;

	cr_assert_eq(verb(t, text, &wait), 0, "%s", text);
	for (int i = 0; i < TICKS_MAX && wait.pending; i++) {
		box_tick(t->box);
		poll(NULL, 0, 20);
	}
	cr_assert_eq(wait.pending, 0u, "%s", text);
	cr_assert_str_eq(wait.err, "", "%s: %s", text, wait.err);
}

static void until(struct t_box *t, const char *file, bool want)
{
	for (int i = 0; i < TICKS_MAX && there(file) != want; i++) {
		box_tick(t->box);
		poll(NULL, 0, 20);
	}
	cr_assert_eq(there(file), want, "%s", file);
}

Test(nvmet, on_and_off_in_the_right_order)
{
	char want[4096], *s = want;
	struct statfs st;
	struct t_box t;

	prepare(&t);
	cr_assert_eq(statfs(t.dir, &st), 0);
	t_start(&t);
	add_disk(&t, "a");
	t_is(&t, "/disk set a nvme-tcp-export=yes", "");
	s += sprintf(s, "mkdir ports/1\nwrite ports/1/addr_trtype tcp\n"
			"write ports/1/addr_adrfam ipv4\n"
			"write ports/1/addr_traddr 127.0.0.1\n"
			"write ports/1/addr_trsvcid 4420\nmkdir " A "\n"
			"write " A "/attr_allow_any_host 1\nmkdir " A "/namespaces/1\n");
	s += sprintf(s, "write " A "/namespaces/1/device_path %s/pool/metal-csi/a.img\n",
		     t.dir);
	sprintf(s,
		"write " A "/namespaces/1/buffered_io %d\n"
		"write " A "/namespaces/1/device_uuid %s\n"
		"write " A "/namespaces/1/enable 1\nlink ports/1/" A "\n",
		st.f_type == TMPFS_MAGIC, box_disk_by_slot(t.box, "a")->ns_uuid);
	cr_expect_str_eq(text_of("log"), want);
	forget_log();
	t_is(&t, "/disk set a nvme-tcp-export=no", "");
	cr_expect_str_eq(text_of("log"), "unlink ports/1/" A "\n"
					 "write " A "/namespaces/1/enable 0\n"
					 "rmdir " A "/namespaces/1\nrmdir " A "\n");
	t_close(&t);
}

Test(nvmet, the_end_of_the_box_ends_its_exports)
{
	struct t_box t;

	prepare(&t);
	start(&t);
	cr_expect(there("ports/1/" A) && there("ports/1/" B));
	box_close(t.box);
	t.box = NULL;
	cr_expect(!there(A) && !there(B) && !there("ports/1"));
	t_close(&t);
}

Test(nvmet, ports_and_addresses)
{
	struct t_box t;
	char path[300];

	prepare(&t);
	snprintf(path, sizeof path, "%s/ports/3", fake_root);
	fake_mkdir(path); /* somebody else's */
	fake_put(path, "addr_traddr", "10.0.0.9");
	t.o.box.nvmet.port_id = 3;
	snprintf(t.o.box.nvmet.address, sizeof t.o.box.nvmet.address, "fd00::1");
	t_start(&t);
	add_disk(&t, "a");
	add_disk(&t, "b");
	t_is(&t, "/disk set b nvme-tcp-server-port=4421", "");
	t_is(&t, "/disk set a,b nvme-tcp-export=yes", "");
	cr_expect_str_eq(text_of("ports/3/addr_traddr"), "10.0.0.9");
	cr_expect_str_eq(text_of("ports/4/addr_traddr"), "fd00::1");
	cr_expect_str_eq(text_of("ports/4/addr_adrfam"), "ipv6");
	cr_expect_str_eq(text_of("ports/4/addr_trsvcid"), "4420");
	cr_expect_str_eq(text_of("ports/5/addr_trsvcid"), "4421");
	cr_expect(there("ports/4/" A) && there("ports/5/" B));
	t_close(&t);
}

Test(nvmet, off_by_the_link_alone)
{
	struct t_box t;

	prepare(&t);
	t.o.box.nvmet.off = NVMET_OFF_LINK_ONLY;
	t.o.box.ns_uuid_random = true;
	start(&t);
	forget_log();
	t_is(&t, "/disk set a nvme-tcp-export=no", "");
	cr_expect_str_eq(text_of("log"), "unlink ports/1/" A "\n");
	t_is(&t, "/disk set a nvme-tcp-export=yes", "");
	cr_expect(there("ports/1/" A));
	cr_expect_str_eq(box_disk_by_slot(t.box, "a")->ns_uuid,
			 text_of(A "/namespaces/1/device_uuid"));
	t_is(&t, "/disk set a nvme-tcp-export=no", "");
	t_is(&t, "/disk remove [find where slot=\"a\"]", "");
	cr_expect(!there(A), "a removed disk's subsystem stayed");
	t_close(&t);
}

Test(nvmet, off_that_keeps_sessions)
{
	struct t_box t;

	prepare(&t);
	t.o.box.nvmet.off = NVMET_OFF_KEEP_SESSIONS;
	start(&t);
	forget_log();
	t_is(&t, "/disk set a nvme-tcp-export=no", "");
	cr_expect_str_eq(text_of("log"), "write " A "/attr_allow_any_host 0\n");
	t_is(&t, "/disk set a nvme-tcp-server-nqn=\"" NQN "c\" nvme-tcp-export=yes", "");
	cr_expect(there("ports/1/" A) && there("ports/1/subsystems/" NQN "c"));
	t_is(&t, "/disk remove [find where slot=\"a\"]", "");
	cr_expect(!there(A) && !there("subsystems/" NQN "c"));
	cr_expect(there("ports/1/" B));
	t_close(&t);
}

Test(nvmet, a_refusal_is_an_error_of_the_command)
{
	struct t_box t;
	char path[600];

	prepare(&t);
	t_start(&t);
	add_disk(&t, "a");
	snprintf(path, sizeof path, "%s/pool/metal-csi/a.img", t.dir);
	unlink(path);
	t_has(&t, "/disk set a nvme-tcp-export=yes",
	      "failure: nvmet on: /" A "/namespaces/1/enable: No such file");
	t_is(&t, "/disk set a nvme-tcp-export=no", "");
	cr_expect(!there(A));
	t_close(&t);
}

Test(nvmet, a_slow_one_holds_up_itself_alone)
{
	struct nvmet_wait a, b, again;
	struct t_box t;
	char path[600];

	prepare(&t);
	start(&t);
	fake_put(fake_root, "hold-" NQN "a", "");
	cr_assert_eq(verb(&t, "slot=a&do=off", &a), 0);
	cr_assert_eq(verb(&t, "slot=a&do=on", &again), 0);
	must(&t, "slot=b&do=off");
	cr_expect(a.pending && again.pending && there(A) && !there(B));
	snprintf(path, sizeof path, "%s/hold-" NQN "a", fake_root);
	unlink(path);
	forget_log();
	must(&t, "slot=a&do=admit"); /* comes after the other two */
	cr_expect(!a.pending && !again.pending);
	cr_expect(there("ports/1/" A));
	b = (struct nvmet_wait){ 0 };
	cr_assert_eq(verb(&t, "slot=nope&do=off", &b), -1);
	cr_expect_eq(b.pending, 0u);
	t_close(&t);
}

Test(nvmet, made_anew_with_another_uuid_or_file)
{
	struct t_box t;
	char uuid[64], path[600], query[800];

	prepare(&t);
	start(&t);
	snprintf(uuid, sizeof uuid, "%s", text_of(A "/namespaces/1/device_uuid"));
	must(&t, "slot=a&do=recreate&uuid=same");
	cr_expect_str_eq(text_of(A "/namespaces/1/device_uuid"), uuid);
	must(&t, "slot=a&do=recreate");
	cr_expect_str_neq(text_of(A "/namespaces/1/device_uuid"), uuid);
	cr_expect_eq(strlen(text_of(A "/namespaces/1/device_uuid")), 36u);
	fake_put(t.dir, "other", "x");
	snprintf(path, sizeof path, "%s/other", t.dir);
	snprintf(query, sizeof query, "slot=a&do=recreate&uuid=%s&file=%s", uuid, path);
	must(&t, query);
	cr_expect_str_eq(text_of(A "/namespaces/1/device_uuid"), uuid);
	cr_expect_str_eq(text_of(A "/namespaces/1/device_path"), path);
	must(&t, "slot=a&do=recreate&file=");
	cr_expect(strstr(text_of(A "/namespaces/1/device_path"), "/a.img"));
	t_close(&t);
}

Test(nvmet, undone_after_a_time)
{
	struct t_box t;

	prepare(&t);
	start(&t);
	must(&t, "slot=a&do=off&ms=60000");
	cr_expect(!there(A) && there("ports/1/" B));
	box_disk_by_slot(t.box, "a")->back_ms = 1;
	until(&t, "ports/1/" A, true);
	must(&t, "slot=a&do=disable&ms=1");
	for (int i = 0; i < TICKS_MAX && box_disk_by_slot(t.box, "a")->is_down; i++) {
		box_tick(t.box);
		poll(NULL, 0, 20);
	}
	must(&t, "slot=a&do=admit");
	cr_expect_str_eq(text_of(A "/namespaces/1/enable"), "1");
	t_close(&t);
}

Test(nvmet, the_port_goes_and_comes)
{
	struct t_box t;

	prepare(&t);
	start(&t);
	must(&t, "port=off");
	cr_expect(!there("ports/1/" A) && !there("ports/1/" B));
	cr_expect_str_eq(text_of(A "/namespaces/1/enable"), "1");
	must(&t, "slot=b&do=off");
	t_is(&t, "/disk set a nvme-tcp-export=no", "");
	t_is(&t, "/disk set a nvme-tcp-export=yes", "");
	cr_expect(there(A) && !there("ports/1/" A), "linked into a port that is off");
	must(&t, "port=on");
	cr_expect(there("ports/1/" A) && !there("ports/1/" B));
	must(&t, "port=off&ms=1");
	until(&t, "ports/1/" A, true);
	t_close(&t);
}

Test(nvmet, a_reboot_brings_all_back_after_the_port)
{
	static const char keeper[] = "ports/1/subsystems/" NQN "rds-sim-keeper";
	struct t_box t;

	prepare(&t);
	start(&t);
	box_exports_down(t.box, 1, 3600000);
	until(&t, A, false);
	until(&t, B, false);
	until(&t, keeper, true);
	t.box->exports_down_until = 1;
	until(&t, keeper, false);
	cr_expect(there("ports/1/" A) && there("ports/1/" B));
	t_close(&t);
}

/* What a killed simulator left is made anew or removed; what only looks like it stays. */
Test(nvmet, after_a_crash)
{
	struct t_box t;
	char path[600], marks[300];
	pid_t pid;
	int st;

	prepare(&t);
	snprintf(marks, sizeof marks, "%s/nvmet", t.dir);
	pid = fork();
	if (pid == 0) {
		start(&t);
		fake_put(marks, NQN "gone", ""); /* marked and not yet made */
		snprintf(path, sizeof path, "%s/subsystems/" NQN "half", fake_root);
		fake_put(marks, NQN "half", "");
		fake_mkdir(path); /* not yet whole */
		snprintf(path, sizeof path, "%s/subsystems/" NQN "foreign", fake_root);
		fake_mkdir(path);
		box_disk_by_slot(t.box, "b")->is_exported = false;
		box_save_disk(t.box, box_disk_by_slot(t.box, "b"));
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &st, 0), pid);
	cr_assert_eq(st, 0);
	cr_assert(there("ports/1/" A) && there("ports/1/" B));
	forget_log();
	t_start(&t);
	cr_expect(strstr(text_of("log"), "rmdir " A "\n"), "a was not made anew");
	cr_expect(there("ports/1/" A) && !there(B));
	cr_expect(!there("subsystems/" NQN "half"));
	cr_expect(there("subsystems/" NQN "foreign"));
	cr_expect_eq(fake_count(t.dir, "nvmet"), 1u, "only a's mark");
	t_close(&t);
}

Test(nvmet, growth_is_told_when_asked_for)
{
	struct t_box t;

	prepare(&t);
	t.o.box.nvmet.tells_growth = true;
	start(&t);
	forget_log();
	t_is(&t, "/disk set a file-size=2G", "");
	cr_expect_str_eq(text_of("log"), "write " A "/namespaces/1/revalidate_size 1\n");
	t_close(&t);
}

Test(nvmet, wrong_queries)
{
	static const char *const bad[] = {
		"port=maybe",	   "slot=a",
		"do=off",	   "slot=a&do=dance",
		"slot=a&do=off&x", "slot=a&do=off&ms=soon",
		"slot=c&do=off",   "slot=a&do=recreate&uuid=7"
	};
	struct nvmet_wait wait;
	struct t_box t;

	prepare(&t);
	start(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(verb(&t, bad[i], &wait), -1, "%s", bad[i]);
	cr_expect(there("ports/1/" A));
	t_close(&t);
}
