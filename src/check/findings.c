#include "check/findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/findings_impl.h"

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

/* Why the SSH port cannot be spoken to; true: it can. */
static bool say_address(struct findings *fs, const struct look_facts *f,
			const struct config *c)
{
	const char *host = c->rds_address;
	const uint64_t port = c->rds_port;

	switch (f->ssh) {
	case REACH_UNTRIED:
		return false;
	case REACH_OPEN:
		return true;
	case REACH_NO_ADDRESS:
		PROBLEM(ADDRESS,
			"the name %s has no address here (%s): correct --rds-address, or "
			"the name service of where this runs",
			host, f->why);
		return false;
	case REACH_REFUSED:
		PROBLEM(ADDRESS,
			"%s refuses connections to port %" PRIu64
			": enable SSH there (`/ip/service/enable ssh`), or correct "
			"--rds-port",
			host, port);
		return false;
	case REACH_NO_ROUTE:
		PROBLEM(ADDRESS,
			"there is no route from here to %s: correct --rds-address, or "
			"the "
			"network between",
			host);
		return false;
	case REACH_SILENT:
		PROBLEM(ADDRESS,
			"nothing answers at %s, port %" PRIu64
			": is the box on, is the address right, does a firewall on the "
			"way "
			"drop it (/ip/firewall/filter, available-from of /ip/service)?",
			host, port);
		return false;
	default:
		PROBLEM(ADDRESS,
			"%s, port %" PRIu64
			" cannot be reached (%s): correct --rds-address",
			host, port, f->why);
		return false;
	}
}

static void say_no_session(struct findings *fs, const struct look_facts *f,
			   const struct config *c)
{
	switch (f->trouble) {
	case SSH_TROUBLE_HOST_KEY:
		PROBLEM(HOST_KEY,
			"the box at %s shows another host key than %s holds: if its key "
			"was made anew, write the new one into that file; if not, "
			"somebody "
			"else answers",
			c->rds_address, c->rds_host_key);
		return;
	case SSH_TROUBLE_NO_COMMON:
		PROBLEM(HOST_KEY,
			"the box has no host key of the type in %s, or none that libssh2 "
			"%s "
			"can use: `/ip/ssh/set host-key-type=ed25519`, "
			"`/ip/ssh/regenerate-host-key`, then write the new one into that "
			"file",
			c->rds_host_key, libssh2_version(0));
		return;
	case SSH_TROUBLE_USER_REFUSED:
		PROBLEM(LOGIN,
			"the box does not let user %s in with the key %s: import its "
			"public half there (`/user/ssh-keys/import public-key-file=… "
			"user=%s`), and look whether the user is there, is enabled and "
			"has the policy ssh",
			c->rds_user, c->rds_key_file, c->rds_user);
		return;
	case SSH_TROUBLE_HUNG_UP:
		PROBLEM(SESSIONS,
			"%s takes the connection and hangs up before it says anything: "
			"all "
			"its SSH sessions may be taken (`/ip/service/set ssh "
			"max-sessions=…`, /user/active), or its available-from leaves "
			"this "
			"address out",
			c->rds_address);
		return;
	case SSH_TROUBLE_SILENT:
		PROBLEM(ADDRESS,
			"%s takes the connection at port %" PRIu64
			" and then says nothing: correct --rds-port, or look whether the "
			"box still works",
			c->rds_address, c->rds_port);
		return;
	default:
		PROBLEM(ADDRESS,
			"%s, port %" PRIu64
			" does not speak SSH as expected (%s): correct "
			"--rds-port, or look whether the box still works",
			c->rds_address, c->rds_port, f->why);
		return;
	}
}

static void say_way(struct findings *fs, const struct look_facts *f,
		    const struct config *c)
{
	if (!say_address(fs, f, c) || f->key != LOOK_FILE_GOOD ||
	    f->host_key > LOOK_FILE_GOOD)
		return;
	if (!f->is_in) {
		say_no_session(fs, f, c);
		return;
	}
	OK(ADDRESS, "SSH answers at %s, port %" PRIu64, c->rds_address, c->rds_port);
	if (c->rds_insecure)
		NOTE(HOST_KEY, "the box's host key is not checked "
			       "(--rds-insecure-skip-verify): whoever answers gets the "
			       "commands");
	else
		OK(HOST_KEY, "the box shows the key of %s", c->rds_host_key);
	OK(LOGIN, "user %s is let in", c->rds_user);
}

/* Linux' target listens from the first export on, and RouterOS is taken to do the same:
 * a box that exports nothing may have the port closed. */
static void say_refused(struct findings *fs, const struct look_facts *f,
			const struct check_asked *a)
{
	if (f->answers[LOOK_NVME_TCP] == LOOK_ANSWERED && f->exports)
		PROBLEM(NVME_ADDRESS,
			"%s refuses connections to port %" PRIu64
			" although %u volumes are exported there: is it the address of "
			"the "
			"box that nodes are to use (nvmeAddress of the StorageClass)?",
			a->nvme_address, a->nvme_port, f->exports);
	else
		NOTE(NVME_ADDRESS,
		     "%s answers, and port %" PRIu64
		     " is closed: no fault while nothing is exported; look again with a "
		     "volume attached",
		     a->nvme_address, a->nvme_port);
}

static void say_nvme(struct findings *fs, const struct look_facts *f,
		     const struct check_asked *a)
{
	static const char todo[] = "nodes will not reach volumes there: give the storage "
				   "address with --nvme-address, or open the way "
				   "(/ip/firewall/filter)";

	/* One sentence for one fault: at the same address it was told above. */
	if (f->ssh != REACH_OPEN && strcmp(a->nvme_address, a->config->rds_address) == 0)
		return;
	switch (f->nvme) {
	case REACH_UNTRIED:
		return;
	case REACH_OPEN:
		OK(NVME_ADDRESS, "%s can be reached at port %" PRIu64 " from here",
		   a->nvme_address, a->nvme_port);
		return;
	case REACH_REFUSED:
		say_refused(fs, f, a);
		return;
	case REACH_NO_ADDRESS:
		PROBLEM(NVME_ADDRESS, "the name %s has no address here: %s",
			a->nvme_address, todo);
		return;
	case REACH_NO_ROUTE:
		PROBLEM(NVME_ADDRESS, "there is no route from here to %s: %s",
			a->nvme_address, todo);
		return;
	default:
		PROBLEM(NVME_ADDRESS,
			"nothing answers at %s, port %" PRIu64 ", not even a refusal: %s",
			a->nvme_address, a->nvme_port, todo);
		return;
	}
}

void findings_make(struct findings *fs, const struct look_facts *facts,
		   const struct check_asked *asked)
{
	fs->n = 0;
	say_key_file(fs, facts, asked->config->rds_key_file);
	say_host_key_file(fs, facts, asked->config);
	say_way(fs, facts, asked->config);
	findings_of_box(fs, facts, asked);
	say_nvme(fs, facts, asked);
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
		       "box;\nonly with `--prove-fence` it [tries a fence]"
		       "(../how-to/prove-the-fence.md) there, instead of what follows."
		       "\n\nEach finding is one line on standard output: its weight, "
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
