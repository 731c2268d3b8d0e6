#include "support/t.h"

#include <string.h>

#include "rds/look_ask.h"
#include "rds/look_file.h"
#include "rds/ros_script.h"

static struct ros_site site;
static struct look_facts f;
static struct look_hearing h;
static struct err e;
static const struct err fine = { .code = ERR_OK };

static int script(struct buf *out, enum look_question q, const char *user)
{
	const struct look_ask ask = { &site, user, 4420, "0123456789abcdef" };

	cr_assert_eq(ros_site_bases(&site, "/storage-pool/metal-csi,/storage-pool/b", &e),
		     0);
	buf_init(out, ROS_SCRIPT_MAX);
	return look_script(out, q, &ask, &e);
}

Test(look_ask, no_question_changes_anything)
{
	static const char *const verbs[] = { "set",    "add",	  "remove", "format",
					     "enable", "disable", "reboot" };
	struct buf out;

	for (unsigned q = 0; q < LOOK_N; q++) {
		cr_assert_eq(script(&out, q, "csi"), 0, "%s", e.msg);
		for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
			char word[32];

			snprintf(word, sizeof(word), "/%s ", verbs[i]);
			cr_assert(!strstr(out.data, word), "%s", out.data);
			snprintf(word, sizeof(word), " %s ", verbs[i]);
			cr_assert(!strstr(out.data, word), "%s", out.data);
		}
		cr_assert(strstr(out.data, ":put \"@ok 0123456789abcdef\""), "%s",
			  out.data);
		buf_fini(&out);
	}
}

Test(look_ask, a_user_name_that_has_no_place_in_a_script_is_not_asked_for)
{
	struct buf out;

	cr_assert_eq(script(&out, LOOK_RIGHTS, "csi+ct80w"), 0);
	cr_assert(strstr(out.data, "name=\"csi\""), "%s", out.data);
	buf_fini(&out);
	cr_assert_eq(script(&out, LOOK_RIGHTS, "a@b"), -1);
	cr_assert_eq(e.code, ERR_INVALID);
	buf_fini(&out);
}

Test(look_ask, each_directory_is_asked_for)
{
	struct buf out;

	cr_assert_eq(script(&out, LOOK_DIRECTORIES, "csi"), 0);
	cr_assert(strstr(out.data, "name=\"storage-pool/metal-csi\""), "%s", out.data);
	cr_assert(strstr(out.data, "name=\"storage-pool/b\""), "%s", out.data);
	buf_fini(&out);
}

static void on_event(void *arg, const struct ros_event *ev)
{
	look_hear(arg, ev);
}

static enum look_answer hear(enum look_question q, const char *text,
			     const struct err *err)
{
	struct ros_reply r;

	h = (struct look_hearing){ .facts = &f, .q = q, .sentinel = "s1" };
	ros_reply_init(&r, on_event, &h);
	ros_reply_feed(&r, text, strlen(text));
	ros_reply_end(&r);
	ros_reply_fini(&r);
	look_conclude(&h, err);
	return f.answers[q];
}

Test(look_ask, what_the_box_tells)
{
	cr_assert_eq(hear(LOOK_SYSTEM,
			  "@v 7.24 (stable)\r\n@rb [{\"name\":\"rose-storage\","
			  "\"disabled\":false}]\r\n@ok s1\r\n",
			  &fine),
		     LOOK_ANSWERED);
	cr_assert(f.seen.has_package && !f.seen.is_package_off);
	cr_assert_str_eq(f.seen.version, "7.24 (stable)");
	cr_assert_eq(hear(LOOK_RIGHTS,
			  "@rh {\"group\":\"csi\",\"policy\":\"ssh;read\"}\r\n@ok s1\r\n",
			  &fine),
		     LOOK_ANSWERED);
	cr_assert_str_eq(f.policy, "ssh;read");
	cr_assert_eq(hear(LOOK_POOL,
			  "@rc [{\"slot\":\"raid1\",\"fs\":\"btrfs\",\"size\":1000,"
			  "\"free\":\"400\"}]\r\n@ok s1\r\n",
			  &fine),
		     LOOK_ANSWERED);
	cr_assert(f.pool_size == 1000 && f.pool_free == 400);
	cr_assert_eq(hear(LOOK_NVME_TCP, "@ri []\r\n@n 7\r\n@ok s1\r\n", &fine),
		     LOOK_ANSWERED);
	cr_assert_eq(f.exports, 7);
	cr_assert_eq(hear(LOOK_DIRECTORIES, "@n 1\r\n@n 0\r\n@ok s1\r\n", &fine),
		     LOOK_ANSWERED);
	cr_assert(f.has_base[0] && !f.has_base[1]);
	cr_assert_eq(hear(LOOK_MOUNTS,
			  "@rj [{\"slot\":\"a\",\"mounted\":true,\"mount-filesystem\":"
			  "true},{\"slot\":\"b\",\"mounted\":false,"
			  "\"mount-filesystem\":true}]\r\n@ok s1\r\n",
			  &fine),
		     LOOK_ANSWERED);
	cr_assert(f.n_mounting == 2 && f.n_mounted == 1);
	cr_assert_str_eq(f.mounting, "a, b");
}

Test(look_ask, what_it_does_not_tell)
{
	static const struct err lost = { ERR_UNAVAILABLE, "connection lost" };

	cr_assert_eq(hear(LOOK_POOL, "not enough permissions (9)\r\n", &fine),
		     LOOK_REFUSED);
	cr_assert_eq(hear(LOOK_BTRFS, "bad command name btrfs (line 1 column 7)\r\n",
			  &fine),
		     LOOK_NO_WORD);
	cr_assert_eq(hear(LOOK_NVME_TCP,
			  "input does not match any value of value-name\r\n", &fine),
		     LOOK_NO_WORD);
	cr_assert_eq(hear(LOOK_POOL, "@rc [{\"slot\"", &lost), LOOK_BROKEN);
	cr_assert(f.broken[0]);
	/* Without the sentinel, or with another's, it was not the whole answer. */
	cr_assert_eq(hear(LOOK_POOL, "@rc []\r\n", &fine), LOOK_BROKEN);
	cr_assert_eq(hear(LOOK_POOL, "@rc []\r\n@ok s2\r\n", &fine), LOOK_BROKEN);
	cr_assert_eq(hear(LOOK_NVME_TCP, "@n many\r\n@ok s1\r\n", &fine), LOOK_BROKEN);
	cr_assert_eq(hear(LOOK_NVME_TCP, "@ri []\r\n@n 1\r\n@ok s1\r\n", &fine),
		     LOOK_ANSWERED);
	cr_assert_eq(hear(LOOK_POOL, "failure: no such thing\r\n", &fine), LOOK_BROKEN);
	cr_assert_str_eq(f.broken, "failure: no such thing");
}

Test(look_ask, slots_beyond_the_list_are_counted)
{
	static char text[32768] = "@rj [";

	for (unsigned i = 0; i < 300; i++)
		sprintf(text + strlen(text),
			"%s{\"slot\":\"pvc-%u\",\"mounted\":false,"
			"\"mount-filesystem\":true}",
			i ? "," : "", i);
	strcat(text, "]\r\n@ok s1\r\n");
	cr_assert_eq(hear(LOOK_MOUNTS, text, &fine), LOOK_ANSWERED);
	cr_assert_eq(f.n_mounting, 300);
	cr_assert(strlen(f.mounting) < sizeof(f.mounting));
}

#define PEM(kind, body) "-----BEGIN " kind "-----\n" body "\n-----END " kind "-----\n"

Test(look_file, the_form_of_a_private_key)
{
	cr_assert_eq(look_key_kind(PEM("OPENSSH PRIVATE KEY",
				       "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ")),
		     LOOK_FILE_GOOD);
	cr_assert_eq(look_key_kind(PEM("OPENSSH PRIVATE KEY",
				       "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAG")),
		     LOOK_FILE_ENCRYPTED);
	cr_assert_eq(look_key_kind(PEM("ENCRYPTED PRIVATE KEY", "MIIB")),
		     LOOK_FILE_ENCRYPTED);
	cr_assert_eq(look_key_kind(PEM("RSA PRIVATE KEY",
				       "Proc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nMIIB")),
		     LOOK_FILE_ENCRYPTED);
	cr_assert_eq(look_key_kind(PEM("RSA PRIVATE KEY", "MIIB")), LOOK_FILE_GOOD);
	cr_assert_eq(look_key_kind("ssh-ed25519 AAAA\n"), LOOK_FILE_PUBLIC);
	cr_assert_eq(look_key_kind(PEM("PUBLIC KEY", "MIIB")), LOOK_FILE_PUBLIC);
	cr_assert_eq(look_key_kind(" \n"), LOOK_FILE_EMPTY);
	cr_assert_eq(look_key_kind("hello\n"), LOOK_FILE_WRONG);
}
