/* Requests to a node with real NVMe that are wrong in some way: each gets its own clear
 * error, and nothing is attached, mounted, formatted or recorded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/answer.h"
#include "vm/image.h"
#include "vm/lab.h"

enum { FIRST = 16 };
static struct lab lab;
static struct vol vol;
static char image[300];
static uint64_t content; /* of the volume while nothing is staged */

/* A volume that was formatted and written, and is published to the node and nothing else.
 */
static bool begin(const char *id)
{
	struct track t;

	lab = (struct lab){ 0 };
	if (!lab_open(&lab))
		return false;
	lab_vol(&lab, &vol, id);
	if (!lab_steps(&lab, &vol, VOL_CREATE, VOL_PUBLISH) ||
	    !CHECK(sim_image(&lab.sim, vol.id, image, sizeof(image)), "no image"))
		return false;
	lab_track(&vol, &t);
	if (!lab_steps(&lab, &vol, VOL_STAGE, VOL_NODE_PUBLISH) ||
	    !CHECK(track_write(&t, 0, FIRST), "%s: not written", t.path) ||
	    !lab_steps(&lab, &vol, VOL_NODE_UNPUBLISH, VOL_UNSTAGE))
		return false;
	content = image_hash(image);
	return CHECK(content, "%s cannot be read", image);
}

/* After refusals, before anything is staged again: no byte of it is another. */
static void is_as_it_was(void)
{
	CHECK(image_hash(image) == content, "%s was changed", image);
}

static void end(void)
{
	lab_steps(&lab, &vol, VOL_UNPUBLISH, VOL_DELETE);
	lab_close(&lab);
}

/* What a refused call must leave as it was. */
struct before {
	unsigned mkfs, mounts;
	bool has_record;
};

static struct before look(void)
{
	return (struct before){ .mkfs = lab_mkfs_begun(),
				.mounts = kern_mounts_with(" "),
				.has_record = answer_is_recorded(&lab.driver, &vol) };
}

static void is_unchanged(const struct before *b, const char *what)
{
	struct before now = look();

	CHECK(now.mkfs == b->mkfs, "%s: a mkfs was begun", what);
	CHECK(now.mounts == b->mounts, "%s: %u mounts, before it %u", what, now.mounts,
	      b->mounts);
	CHECK(now.has_record == b->has_record, "%s: %s", what,
	      now.has_record ? "a record was made" : "the record has gone");
}

/* The step is refused with that code, and nothing is different. */
static void refused(struct vol *v, enum vol_step step, enum err_code code,
		    const char *what)
{
	struct before b = look();
	unsigned sessions = kern_sessions(NULL);
	enum err_code got = vol_do(&lab.driver, v, step);

	e2e_note("%s: %s", what, rpc_message());
	CHECK(got == code, "%s: %s", what, rpc_message());
	CHECK(kern_sessions(NULL) == sessions, "%s: %u sessions, before it %u", what,
	      kern_sessions(NULL), sessions);
	is_unchanged(&b, what);
}

/* ---- paths ---- */

static void paths_of(enum vol_step step, char *path)
{
	static const char *const bad[] = { "%s/../other", "%s/./x/../..", "relative/%s",
					   "%s/.." };
	char good[E2E_PATH];

	memcpy(good, path, sizeof(good));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *at = strstr(bad[i], "%s");

		(void)snprintf(path, E2E_PATH, "%.*s%.200s%s", (int)(at - bad[i]), bad[i],
			       good, at + 2);
		refused(&vol, step, ERR_INVALID, path);
	}
	memcpy(path, good, sizeof(good));
}

static void dots(void)
{
	if (begin("pvc-dots")) {
		paths_of(VOL_STAGE, vol.staging);
		paths_of(VOL_UNSTAGE, vol.staging);
		is_as_it_was();
		if (lab_steps(&lab, &vol, VOL_STAGE, VOL_STAGE)) {
			paths_of(VOL_NODE_PUBLISH, vol.target);
			paths_of(VOL_NODE_UNPUBLISH, vol.target);
			paths_of(VOL_NODE_PUBLISH, vol.staging);
		}
		lab_steps(&lab, &vol, VOL_UNSTAGE, VOL_UNSTAGE);
	}
	end();
}

/* A symbolic link would take the mount to where it points. */
static void links(void)
{
	char away[E2E_PATH], kept[E2E_PATH];

	if (begin("pvc-links")) {
		(void)mkdir(e2e_path(away, "away"), 0700);
		(void)rmdir(vol.staging);
		CHECK(symlink(away, vol.staging) == 0, "%s", strerror(errno));
		refused(&vol, VOL_STAGE, ERR_PRECONDITION, "a link at the staging path");
		is_as_it_was();
		CHECK(kern_mounts_with(away) == 0, "mounted where the link points");
		CHECK(unlink(vol.staging) == 0, "the link is gone");
		(void)mkdir(vol.staging, 0700);
		if (lab_steps(&lab, &vol, VOL_STAGE, VOL_STAGE)) {
			CHECK(symlink(away, vol.target) == 0, "%s", strerror(errno));
			refused(&vol, VOL_NODE_PUBLISH, ERR_PRECONDITION,
				"a link at the target");
			refused(&vol, VOL_NODE_UNPUBLISH, ERR_PRECONDITION,
				"a link at the target, unpublish");
			CHECK(kern_mounts_with(away) == 0, "mounted at %s", away);
			CHECK(readlink(vol.target, kept, sizeof(kept)) > 0,
			      "the link is gone");
			(void)unlink(vol.target);
		}
		lab_steps(&lab, &vol, VOL_UNSTAGE, VOL_UNSTAGE);
	}
	end();
}

static bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n = (ssize_t)strlen(text);
	bool ok = fd >= 0 && write(fd, text, (size_t)n) == n;

	if (fd >= 0)
		close(fd);
	return CHECK(ok, "%s: %s", path, strerror(errno));
}

static bool has_text(const char *path, const char *text)
{
	char got[200] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof(got) - 1);

	if (fd >= 0)
		close(fd);
	return n >= 0 && strcmp(got, text) == 0;
}

/* Somebody's file, and somebody's mount, where the pod's directory should be. */
static void targets(void)
{
	if (begin("pvc-targets") && lab_steps(&lab, &vol, VOL_STAGE, VOL_STAGE)) {
		put_file(vol.target, "somebody's");
		refused(&vol, VOL_NODE_PUBLISH, ERR_PRECONDITION, "a file at the target");
		refused(&vol, VOL_NODE_UNPUBLISH, ERR_PRECONDITION,
			"a file at the target, unpublish");
		CHECK(has_text(vol.target, "somebody's"), "the file was changed");
		(void)unlink(vol.target);
		(void)mkdir(vol.target, 0700);
		CHECK(mount("somebody", vol.target, "tmpfs", 0, NULL) == 0, "%s",
		      strerror(errno));
		refused(&vol, VOL_NODE_PUBLISH, ERR_PRECONDITION, "a foreign mount");
		refused(&vol, VOL_NODE_UNPUBLISH, ERR_PRECONDITION,
			"a foreign mount, unpublish");
		CHECK(kern_layers(vol.target) == 1, "%u mounts", kern_layers(vol.target));
		CHECK(umount(vol.target) == 0, "%s", strerror(errno));
		lab_steps(&lab, &vol, VOL_NODE_PUBLISH, VOL_NODE_PUBLISH);
		lab_steps(&lab, &vol, VOL_NODE_UNPUBLISH, VOL_UNSTAGE);
	}
	end();
}

/* ---- records ---- */

static void records(void)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *word;
	} bad[] = {
		{ "version=999\nentirely=new\n", ERR_PRECONDITION, "newer version" },
		{ "version=1\nboot=1\nvolume=pvc-records\n", ERR_DATA_LOSS, "damaged" },
		{ "version=1\nboot=1\nvolume=pvc-other\n", ERR_DATA_LOSS, "damaged" },
		{ "\x7f\x45LF", ERR_DATA_LOSS, "damaged" },
		{ "", ERR_DATA_LOSS, "empty" },
	};
	char path[E2E_PATH];

	if (begin("pvc-records")) {
		e2e_path(path, "%s.state/%s.stage", lab.driver.name, vol.id);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			put_file(path, bad[i].text);
			refused(&vol, VOL_STAGE, bad[i].code, bad[i].word);
			CHECK(answer_has(rpc_message(), bad[i].word), "%s: %s",
			      bad[i].word, rpc_message());
			refused(&vol, VOL_NODE_PUBLISH, bad[i].code, bad[i].word);
			refused(&vol, VOL_UNSTAGE, bad[i].code, bad[i].word);
			CHECK(has_text(path, bad[i].text), "the record was changed");
		}
		is_as_it_was();
		CHECK(unlink(path) == 0, "%s", strerror(errno));
	}
	end();
}

/* ---- contexts ---- */

static void set(struct vol_context *c, const char *key, const char *value)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->pairs[2 * i], key) == 0)
			break;
	if (!CHECK(i < VOL_PAIRS, "too many pairs"))
		return;
	(void)snprintf(c->text[2 * i], sizeof(c->text[0]), "%s", key);
	(void)snprintf(c->text[2 * i + 1], sizeof(c->text[0]), "%s", value);
	c->pairs[2 * i] = c->text[2 * i];
	c->pairs[2 * i + 1] = c->text[2 * i + 1];
	if (i == c->n)
		c->n++;
}

/* A copy's pairs point into the copy. */
static void copy(struct vol *to, const struct vol *from)
{
	*to = *from;
	for (size_t i = 0; i < 2 * from->context.n; i++)
		to->context.pairs[i] = to->context.text[i];
	for (size_t i = 0; i < 2 * from->publish.n; i++)
		to->publish.pairs[i] = to->publish.text[i];
}

static const struct bad_context {
	const char *key, *value;
	enum err_code code;
	bool is_published; /* in the publish_context; else in a volume_context alone */
} bad_contexts[] = {
	{ "nqn", "nqn.2014-08.org.nvmexpress:uuid:1234", ERR_PRECONDITION, false },
	{ "nqn", "nqn.2000-02.com.mikrotik:pvc context", ERR_INVALID, false },
	{ "nqn", "nqn.2000-02.com.mikrotik:pvc,context", ERR_INVALID, false },
	{ "nqn", "", ERR_INVALID, false },
	{ "nvmeAddress", "box.example.org", ERR_INVALID, false },
	{ "nvmeAddress", "127.0.0.1 -t rdma", ERR_INVALID, false },
	{ "nvmePort", "4420,hostnqn=x", ERR_INVALID, false },
	{ "nvmePort", "70000", ERR_INVALID, false },
	{ "nvme_nqn", "nqn.2014-08.org.nvmexpress:uuid:1234", ERR_PRECONDITION, true },
	{ "nvme_nqn", "nqn.2000-02.com.mikrotik:pvc context", ERR_INVALID, true },
	{ "nvme_address", "box.example.org", ERR_INVALID, true },
	{ "size_bytes", "much", ERR_INVALID, true },
};

static void contexts(void)
{
	struct vol v;

	if (!begin("pvc-contexts"))
		goto out;
	for (size_t i = 0; i < sizeof(bad_contexts) / sizeof(bad_contexts[0]); i++) {
		const struct bad_context *c = &bad_contexts[i];
		char what[200];

		copy(&v, &vol);
		if (!c->is_published)
			v.publish.n = 0;
		set(c->is_published ? &v.publish : &v.context, c->key, c->value);
		(void)snprintf(what, sizeof(what), "%s=%s", c->key, c->value);
		refused(&v, VOL_STAGE, c->code, what);
	}
	is_as_it_was();
	/* The older driver's publish_context says whatever it says: nobody listens. Its
	 * volumes bear the NQN that their volume_context names. */
	copy(&v, &vol);
	set(&v.context, "nqn", lab_nqn(&vol));
	v.publish.n = 0;
	set(&v.publish, "nvme_nqn", "nqn.2000-02.com.mikrotik:pvc-somebody-else");
	set(&v.publish, "nvme_address", "192.0.2.1");
	set(&v.publish, "nvme_port", "1");
	set(&v.publish, "fs_type", "ntfs");
	if (lab_steps(&lab, &v, VOL_STAGE, VOL_NODE_PUBLISH)) {
		struct track t;

		lab_track(&v, &t);
		track_check(&t, FIRST);
		lab_steps(&lab, &v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE);
	}
out:
	end();
}

/* ---- mount options ---- */

static enum err_code stage_with(const char *flag)
{
	Csi__V1__NodeStageVolumeRequest *m = rpc_request("NodeStageVolume");

	m->volume_id = rpc_text(vol.id);
	m->staging_target_path = rpc_text(vol.staging);
	m->volume_capability = vol_capability(&vol);
	m->volume_capability->mount->n_mount_flags = 1;
	m->volume_capability->mount->mount_flags = rpc_alloc(sizeof(char *));
	m->volume_capability->mount->mount_flags[0] = rpc_text(flag);
	rpc_map(&m->base, "volume_context", vol.context.pairs, vol.context.n);
	rpc_map(&m->base, "publish_context", vol.publish.pairs, vol.publish.n);
	return rpc_do(&lab.driver, "NodeStageVolume", m);
}

static void options(void)
{
	static const char *const bad[] = { "bind",
					   "rbind",
					   "remount",
					   "move",
					   "shared",
					   "noatime,remount",
					   "discard,bind",
					   "loop",
					   "journal_path=/dev/vda",
					   "helper=/bin/sh",
					   "data=ordered,journal_dev=0xfe00" };

	if (begin("pvc-options")) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct before b = look();
			enum err_code code = stage_with(bad[i]);

			e2e_note("%s: %s", bad[i], rpc_message());
			CHECK(code == ERR_INVALID, "%s: %s", bad[i], rpc_message());
			CHECK(kern_sessions(NULL) == 0, "%s: attached", bad[i]);
			is_unchanged(&b, bad[i]);
		}
		is_as_it_was();
		CHECK(stage_with("noatime") == ERR_OK, "noatime: %s", rpc_message());
		lab_steps(&lab, &vol, VOL_UNSTAGE, VOL_UNSTAGE);
	}
	end();
}

static const struct e2e_test tests[] = { { "dots", dots, true },
					 { "links", links, true },
					 { "targets", targets, true },
					 { "records", records, true },
					 { "contexts", contexts, true },
					 { "options", options, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
