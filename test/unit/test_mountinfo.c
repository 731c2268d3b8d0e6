#include "nvme/mountinfo.h"

#include <stdio.h>
#include <string.h>

#include "support/t.h"

#define ROOT "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"

static const struct nvme_device loop3 = { .path = "/dev/loop3", .major = 7, .minor = 3 };

static struct nvme_view see(const char *text, const char *path, const char *besides)
{
	struct nvme_view v = { .device = loop3 };
	struct nvme_query q = {
		.id = "v", .nqn = "", .source = "", .path = path, .besides = besides
	};
	struct err err = { .code = ERR_OK };

	cr_assert_eq(mountinfo_view(text, &q, NULL, &v, &err), 0, "%s", err.msg);
	return v;
}

/* Anybody may name a FUSE file system as long as he likes. */
Test(mountinfo, a_long_type_hides_no_other_line)
{
	struct mountinfo_entry e;
	char text[512];
	const char *p = text;

	snprintf(text, sizeof(text),
		 "30 1 0:50 / /a rw - fuse.%0200d none rw\n"
		 "31 1 8:1 / /b rw - ext4 /dev/b rw\n",
		 7);
	cr_assert_eq(mountinfo_next(&p, &e), 1);
	cr_assert_eq(strncmp(e.fs_type, "fuse.0", 6), 0);
	cr_assert_str_eq(e.source, "none");
	cr_assert_eq(mountinfo_next(&p, &e), 1);
	cr_assert_str_eq(e.path, "/b");
}

Test(mountinfo, decodes_octal_and_optional_fields)
{
	static struct mountinfo_entry e;
	const char *s =
		"36 35 98:0 /m\\040a\\134 /mnt\\0402 ro,noatime master:1 shared:7 - "
		"ext3 /dev/ro\\011ot rw,errors=continue\n";

	cr_assert_eq(mountinfo_next(&s, &e), 1);
	cr_assert_str_eq(e.root, "/m a\\");
	cr_assert_str_eq(e.path, "/mnt 2");
	cr_assert_str_eq(e.source, "/dev/ro\tot");
	cr_assert_str_eq(e.fs_type, "ext3");
	cr_assert(e.is_shared && e.is_readonly && e.id == 36 && e.parent == 35 &&
		  e.major == 98);
	cr_assert_eq(mountinfo_next(&s, &e), 0);
}

Test(mountinfo, a_read_only_file_system_is_read_only)
{
	static struct mountinfo_entry e;
	const char *s = "36 35 98:0 / /m rw,relatime - ext4 /dev/x ro,errors=continue\n";

	cr_assert_eq(mountinfo_next(&s, &e), 1);
	cr_assert(e.is_readonly);
	s = "36 35 98:0 / /m rw,relatime - ext4 /dev/x rw,root=1\n";
	cr_assert_eq(mountinfo_next(&s, &e), 1);
	cr_assert(!e.is_readonly && !e.is_shared);
}

Test(mountinfo, malformed_lines_are_an_error_and_never_no_mount)
{
	static const char *const bad[] = {
		"36 35 98:0 / /m rw - ext4 /dev/x rw", /* no newline: cut */
		"36 35 98:0 / /m rw ext4 /dev/x rw\n",
		"36 35 98-0 / /m rw - ext4 /dev/x rw\n",
		"x 35 98:0 / /m rw - ext4 /dev/x rw\n",
		"36 35 98:0 /\n",
		"\n",
		"99999999999 35 98:0 / /m rw - ext4 /dev/x rw\n",
	};
	static struct mountinfo_entry e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nvme_view v = { .device = loop3 };
		struct nvme_query q = { .path = "/m" };
		struct err err = { .code = ERR_OK };
		const char *s = bad[i];

		cr_assert_eq(mountinfo_next(&s, &e), -1, "%zu", i);
		cr_assert_eq(mountinfo_view(bad[i], &q, NULL, &v, &err), -1);
		cr_assert_eq(err.code, ERR_UNAVAILABLE);
	}
}

Test(mountinfo, counts_layers_and_finds_the_top_by_parent)
{
	const char *text = ROOT "50 40 0:9 / /stage rw - tmpfs none rw\n"
				"40 22 7:3 / /stage rw - ext4 /dev/loop3 rw\n";
	struct nvme_view v = see(text, "/stage", NULL);

	cr_assert_eq(v.n_layers, 2);
	cr_assert_eq(v.n_foreign_layers, 1);
	cr_assert_eq(v.top, NVME_TOP_FOREIGN,
		     "the tmpfs lies on top though listed first");
	v = see(text, "/stag", NULL);
	cr_assert_eq(v.top, NVME_TOP_NONE);
	cr_assert_eq(v.n_elsewhere, 1);
}

Test(mountinfo, btrfs_is_known_by_its_source)
{
	struct nvme_view v =
		see(ROOT "40 22 0:55 / /stage rw - btrfs /dev/loop3 rw,subvol=/\n",
		    "/stage", NULL);

	cr_assert_eq(v.top, NVME_TOP_OURS);
	cr_assert_str_eq(v.fs_type, "btrfs");
	v = see(ROOT "40 22 0:55 / /stage rw - btrfs /dev/loop33 rw\n", "/stage", NULL);
	cr_assert_eq(v.top, NVME_TOP_FOREIGN);
}

Test(mountinfo, a_bound_node_is_ours_a_directory_of_its_name_is_not)
{
	struct nvme_view v =
		see(ROOT "40 22 0:6 /loop3 /t rw - devtmpfs udev rw\n", "/t", NULL);

	cr_assert(v.top == NVME_TOP_OURS && v.is_node);
	v = see(ROOT "40 22 254:1 /home/loop3 /t rw - ext4 /dev/vda1 rw\n", "/t", NULL);
	cr_assert_eq(v.top, NVME_TOP_FOREIGN);
	v = see(ROOT "40 22 0:6 /loop3//deleted /t rw - devtmpfs udev rw\n", "/t", NULL);
	cr_assert_eq(v.top, NVME_TOP_FOREIGN, "the node of a device that is gone");
}

Test(mountinfo, elsewhere_leaves_out_what_is_told)
{
	const char *text = ROOT "40 22 7:3 / /stage rw - ext4 /dev/loop3 rw\n"
				"41 22 7:3 / /a rw - ext4 /dev/loop3 rw\n"
				"42 22 7:3 / /b ro - ext4 /dev/loop3 rw\n";
	struct nvme_view v = see(text, "/a", "/stage");

	cr_assert(v.n_layers == 1 && v.n_elsewhere == 1 && v.n_elsewhere_writable == 0);
	v = see(text, "/c", "/stage");
	cr_assert(v.n_layers == 0 && v.n_elsewhere == 2 && v.n_elsewhere_writable == 1);
}

Test(mountinfo, nothing_is_ours_without_a_device)
{
	struct nvme_view v = { .device = { .path = "" } };
	struct nvme_query q = { .path = "/stage" };
	struct err err;

	cr_assert_eq(mountinfo_view(ROOT "40 22 0:0 / /stage rw - btrfs none rw\n", &q,
				    NULL, &v, &err),
		     0);
	cr_assert_eq(v.top, NVME_TOP_FOREIGN);
}

/* ---- devices that are gone ---- */

#define DEAD "50 22 259:4 / /stage rw - ext4 /dev/nvme0n1 rw\n"
#define DEADB "51 22 0:44 / /stage rw - btrfs /dev/nvme0n1 rw\n"

static struct nvme_view see_dead(const char *text, const struct mountinfo_dead *dead,
				 struct nvme_query q)
{
	struct nvme_view v = {
		.device = { .path = "/dev/nvme0n2", .major = 259, .minor = 9 }
	};
	struct err err = { .code = ERR_OK };

	q.id = "v";
	q.nqn = q.source = "";
	cr_assert_eq(mountinfo_view(text, &q, dead, &v, &err), 0, "%s", err.msg);
	return v;
}

Test(mountinfo, mounts_of_a_dead_device_are_ours_wherever_they_are)
{
	struct mountinfo_dead dead = { 259, 4, "/dev/nvme0n1" };
	struct nvme_query q = { .path = "/stage", .recorded = "/stage" };
	const char *text = ROOT DEAD "52 22 259:4 / /pod rw - ext4 /dev/nvme0n1 rw\n";
	struct nvme_view v = see_dead(text, &dead, q);

	cr_assert(v.top == NVME_TOP_OURS && v.n_layers == 1 && !v.n_foreign_layers);
	cr_assert(v.n_dead == 2 && v.n_elsewhere == 1 && v.n_elsewhere_writable == 1);
	cr_assert_str_eq(v.dead_path, "/pod");
	v = see_dead(text, NULL, q);
	cr_assert(v.top == NVME_TOP_FOREIGN && !v.n_dead && v.n_foreign_layers == 1,
		  "nobody said that it is ours");
	dead.minor = 5;
	cr_assert_eq(see_dead(text, &dead, q).n_dead, 0, "another number");
}

Test(mountinfo, a_new_device_over_a_dead_one)
{
	struct mountinfo_dead dead = { 259, 4, "/dev/nvme0n1" };
	struct nvme_query q = { .path = "/stage", .recorded = "/stage" };
	struct nvme_view v = see_dead(
		ROOT DEAD "53 50 259:9 / /stage rw - ext4 /dev/nvme0n2 rw\n", &dead, q);

	cr_assert(v.top == NVME_TOP_OURS && v.n_layers == 2 && v.n_dead == 1 &&
		  !v.n_foreign_layers);
	cr_assert_str_eq(v.dead_path, "");
}

Test(mountinfo, a_dead_btrfs_is_known_by_its_source)
{
	struct mountinfo_dead dead = { 0, 44, "/dev/nvme0n1" };
	struct nvme_query q = { .path = "/stage", .recorded = "/stage" };

	cr_assert_eq(see_dead(ROOT DEADB, &dead, q).n_dead, 1);
	strcpy(dead.source, "/dev/nvme1n1");
	cr_assert_eq(see_dead(ROOT DEADB, &dead, q).n_dead, 0);
}

Test(mountinfo, the_node_of_a_dead_device_is_ours_at_its_own_target_only)
{
	static const char text[] =
		ROOT "54 22 0:5 /nvme0n1//deleted /pod/vol rw - devtmpfs udev rw\n"
		     "55 22 0:5 /sda//deleted /other rw - devtmpfs udev rw\n";
	struct nvme_query q = { .path = "/pod/vol", .recorded = "/stage" };
	struct nvme_view v = see_dead(text, NULL, q);

	cr_assert(v.top == NVME_TOP_OURS && v.is_node && v.n_dead == 1);
	q.recorded = NULL;
	v = see_dead(text, NULL, q);
	cr_assert(v.top == NVME_TOP_OURS && v.is_dead,
		  "it comes off without a record too");
	q.is_staging = true;
	cr_assert_eq(see_dead(text, NULL, q).top, NVME_TOP_FOREIGN, "no target");
	q.is_staging = false;
	q.recorded = "/stage";
	q.path = "/elsewhere";
	cr_assert(!see_dead(text, NULL, q).n_elsewhere, "whose it is cannot be told");
	q.path = "/other";
	cr_assert_eq(see_dead(text, NULL, q).top, NVME_TOP_FOREIGN, "no NVMe");
}

static const char *pick(const char *text, const char *a, const char *b, struct buf *out)
{
	const char *const words[MOUNTINFO_WORDS] = { a, NULL, b, "" };

	buf_reset(out);
	cr_assert_eq(mountinfo_pick(text, words, out), 0);
	return out->len ? out->data : "";
}

Test(mountinfo, few_lines_are_picked_in_their_order_and_each_once)
{
	static const char text[] = "1 one two\n2 two\n3 three one\n4 four two";
	struct buf b;

	buf_init(&b, 4096);
	cr_assert_str_eq(pick(text, "one", NULL, &b), "1 one two\n3 three one\n");
	cr_assert_str_eq(pick(text, "two", "one", &b), text);
	cr_assert_str_eq(pick(text, "four", "1 ", &b), "1 one two\n4 four two");
	cr_assert_str_eq(pick(text, "five", "", &b), "");
	cr_assert_str_eq(pick("", "one", "two", &b), "");
	buf_fini(&b);
}

Test(mountinfo, what_of_a_path_is_written_as_it_is)
{
	const char *from;

	cr_assert_eq(mountinfo_plain("/var/lib/pvc-1", &from), 14);
	cr_assert_str_eq(from, "/var/lib/pvc-1");
	cr_assert_eq(mountinfo_plain("/a b/longer\\x", &from), 8);
	cr_assert_str_eq(from, "b/longer\\x");
	cr_assert_eq(mountinfo_plain("  ", &from), 0);
	cr_assert_eq(mountinfo_plain("", &from), 0);
}
