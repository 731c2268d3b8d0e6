#include "check_findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check_impl.h"

static const struct {
	const char *name, *what;
} kinds[FINDING_N] = {
	[FINDING_KEY_FILE] = { "key-file",
			       "the private key in `--rds-key-file`: there, "
			       "readable, unencrypted, of a kind that works" },
	[FINDING_HOST_KEY_FILE] = { "host-key-file", "the public host key in "
						     "`--rds-host-key`" },
	[FINDING_ADDRESS] = { "address", "the SSH port of `--rds-address`: name, route, "
					 "open, answering as SSH" },
	[FINDING_HOST_KEY] = { "host-key", "whether the box shows the host key of the "
					   "file" },
	[FINDING_LOGIN] = { "login",
			    "whether the box lets `--rds-user` in with the key" },
	[FINDING_POLICIES] = { "policies", "the user's group: `ssh`, `read`, `write`, "
					   "`test` and `ftp` are needed" },
	[FINDING_VERSION] = { "version", "RouterOS 7.21 or later" },
	[FINDING_PACKAGE] = { "package", "`rose-storage`, installed and enabled" },
	[FINDING_NVME_TCP] = { "nvme-tcp", "whether disks know the properties of "
					   "NVMe/TCP exports" },
	[FINDING_POOL] = { "pool", "the mounted disk that `--rds-volume-base-path` lies "
				   "on" },
	[FINDING_LAYOUT] = { "layout", "its file system: snapshots and clones need Btrfs "
				       "with a label" },
	[FINDING_DIRECTORY] = { "directory", "the directories of "
					     "`--rds-volume-base-path`" },
	[FINDING_SPACE] = { "space", "free space against `--pool-reserve`" },
	[FINDING_MOUNTS] = { "mounts", "volumes that the box itself may mount, or has" },
	[FINDING_SESSIONS] = { "sessions", "whether `--rds-sessions` can be open at "
					   "once" },
	[FINDING_NVME_ADDRESS] = { "nvme-address", "`--nvme-address` at `--nvme-port`, "
						   "from where the command runs" },
};

static const char *const words[] = {
	[FINDING_OK] = "ok",
	[FINDING_NOTE] = "note",
	[FINDING_PROBLEM] = "problem",
};

void findings_say(struct findings *fs, enum finding_word word, enum finding_id id,
		  const char *fmt, ...)
{
	struct finding *f = &fs->f[fs->n];
	va_list ap;

	bug_on(fs->n == FINDING_N);
	fs->n++;
	f->word = word;
	f->id = id;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	/* What the box or a file says goes to a terminal: no escape sequences. */
	for (char *p = f->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

static void say_key_file(struct findings *fs, const struct look_facts *f,
			 const char *path)
{
	static const char with[] = "make one with `ssh-keygen -t ed25519 -N ''` and give "
				   "it with --rds-key-file";

	switch (f->key) {
	case LOOK_FILE_UNSEEN:
		return;
	case LOOK_FILE_GOOD:
		OK(KEY_FILE, "%s holds a private key that can be used", path);
		return;
	case LOOK_FILE_MISSING:
		PROBLEM(KEY_FILE, "there is no private key %s: %s", path, with);
		return;
	case LOOK_FILE_UNREADABLE:
		PROBLEM(KEY_FILE,
			"the private key %s cannot be read (%s): let the user that runs "
			"this read it",
			path, f->file_error);
		return;
	case LOOK_FILE_PUBLIC:
		PROBLEM(KEY_FILE,
			"%s holds a public key: give the private one, which is the file "
			"without .pub",
			path);
		return;
	case LOOK_FILE_ENCRYPTED:
		PROBLEM(KEY_FILE,
			"the private key %s is encrypted with a passphrase, and nobody "
			"is "
			"there to type it: take it off with `ssh-keygen -p -N '' -f %s`, "
			"or make a key of its own for the driver",
			path, path);
		return;
	default:
		PROBLEM(KEY_FILE, "%s holds no private key that libssh2 %s can use: %s",
			path, libssh2_version(0), with);
		return;
	}
}

static void say_host_key_file(struct findings *fs, const struct look_facts *f,
			      const struct config *c)
{
	const char *path = c->rds_host_key;

	switch (f->host_key) {
	case LOOK_FILE_UNSEEN:
		return;
	case LOOK_FILE_GOOD:
		OK(HOST_KEY_FILE, "%s holds a public host key", path);
		return;
	case LOOK_FILE_UNREADABLE:
		PROBLEM(HOST_KEY_FILE,
			"the host key %s cannot be read (%s): let the user that runs "
			"this read it",
			path, f->file_error);
		return;
	case LOOK_FILE_MISSING:
		PROBLEM(HOST_KEY_FILE,
			"there is no host key %s: write there what `ssh-keyscan -p "
			"%" PRIu64 " %s` prints, after comparing it with the box's own "
			"(/ip/ssh/export-host-key on its console)",
			path, c->rds_port, c->rds_address);
		return;
	default:
		PROBLEM(HOST_KEY_FILE,
			"%s holds no public host key: it must have one line "
			"`ssh-ed25519 AAAA…`, as `ssh-keyscan -p %" PRIu64
			" %s` prints it",
			path, c->rds_port, c->rds_address);
		return;
	}
}

void findings_make(struct findings *fs, const struct look_facts *facts,
		   const struct check_asked *asked)
{
	fs->n = 0;
	say_key_file(fs, facts, asked->config->rds_key_file);
	say_host_key_file(fs, facts, asked->config);
}

unsigned findings_problems(const struct findings *fs)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fs->n; i++)
		n += fs->f[i].word == FINDING_PROBLEM;
	return n;
}

int findings_print(const struct findings *fs, struct buf *out)
{
	for (unsigned i = 0; i < fs->n; i++)
		(void)buf_printf(out, "%-7s  %s: %s\n", words[fs->f[i].word],
				 kinds[fs->f[i].id].name, fs->f[i].text);
	return buf_failed(out) ? -1 : 0;
}

int findings_reference(struct buf *out)
{
	(void)buf_puts(out,
		       "`rds-csi check` takes the controller's flags, and "
		       "`--nvme-address` and `--nvme-port`. It changes nothing on the "
		       "box.\nEach finding is one line on standard output: its weight, "
		       "what it is about, a sentence. Weights: `ok`, `note` (worth\n"
		       "knowing, no fault) and `problem`, which says what to do. What "
		       "could not be looked at, because something before it\nis "
		       "missing, has no line. Exit status: 0 without a problem, 1 with "
		       "one, 2 for a bad flag.\n\n"
		       "| finding | what is looked at |\n|---|---|\n");
	for (unsigned i = 0; i < FINDING_N; i++)
		(void)buf_printf(out, "| `%s` | %s |\n", kinds[i].name, kinds[i].what);
	return buf_failed(out) ? -1 : 0;
}
