/* `rds-csi check` against a box with one fault at a time: the fault is told in exactly
 * one problem sentence, which says what to do, and the exit status is 1. A box without
 * fault: status 0, no problem; and nothing was changed on it. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "e2e/simctl.h"

enum { MAX_ARGS = 24, OUT = 32768 };

static struct sim sim;
static char key[E2E_PATH], host_key[E2E_PATH], out[OUT];

/* A fault, and what is to be told of it. */
struct row {
	const char *name;
	const char *sim_args[3];
	const char *script, *fault; /* run, set on the box */
	const char *args[3];	    /* more flags of the check */
	const char *about;	    /* the problem's first word */
	const char *says, *todo;    /* in its sentence */
};

#define DISK                                                                          \
	"/disk add type=file slot=pvc-1 file-path=/storage-pool/metal-csi/pvc-1.img " \
	"file-size=1G mount-filesystem="

static const struct row rows[] = {
	{ "old RouterOS", .sim_args = { "--version=7.20" }, .about = "version",
	  .says = "7.20", .todo = "/system/package/update/install" },
	{ "no package", .sim_args = { "--package=missing" }, .about = "package",
	  .says = "missing", .todo = "/system/reboot" },
	{ "package off", .sim_args = { "--package=disabled" }, .about = "package",
	  .says = "disabled", .todo = "/system/package/enable rose-storage" },
	{ "no write", .sim_args = { "--csi-policy=ssh,read,test,ftp" },
	  .about = "policies", .says = "lacks write",
	  .todo = "/user/group/set csi policy=\"ssh,read,write,test,ftp\"" },
	{ "no ftp, no test", .sim_args = { "--csi-policy=ssh,read,write" },
	  .about = "policies", .says = "lacks test,ftp", .todo = "/user/group/set csi" },
	{ "no read", .sim_args = { "--csi-policy=ssh,write,test,ftp" },
	  .about = "policies", .says = "not enough permissions",
	  .todo = "/user/group/set" },
	{ "no ssh", .sim_args = { "--csi-policy=read,write,test,ftp" }, .about = "login",
	  .says = "does not let user csi in", .todo = "policy ssh" },
	{ "key not imported", .args = { "--rds-key-file=@other_key" }, .about = "login",
	  .says = "does not let user csi in", .todo = "/user/ssh-keys/import" },
	{ "another host key", .fault = "host-key=1", .about = "host-key",
	  .says = "another host key", .todo = "write the new one into that file" },
	{ "host key of a type it lacks", .args = { "--rds-host-key=@rsa.pub" },
	  .about = "host-key", .says = "no host key of the type",
	  .todo = "/ip/ssh/regenerate-host-key" },
	{ "no key file", .args = { "--rds-key-file=/nowhere/key" }, .about = "key-file",
	  .says = "there is no private key", .todo = "ssh-keygen" },
	{ "public key as private", .args = { "--rds-key-file=@client_key.pub" },
	  .about = "key-file", .says = "public key", .todo = "without .pub" },
	{ "no host key file", .args = { "--rds-host-key=/nowhere/key" },
	  .about = "host-key-file", .says = "there is no host key",
	  .todo = "ssh-keyscan" },
	{ "nonsense as host key", .args = { "--rds-host-key=@client_key" },
	  .about = "host-key-file", .says = "no public host key", .todo = "ssh-keyscan" },
	{ "full pool", .fault = "no-space=1", .about = "space", .says = "0 MiB of",
	  .todo = "add drives" },
	{ "no pool", .args = { "--rds-volume-base-path=/other/csi" }, .about = "pool",
	  .says = "no mounted disk of the box has the mount point other",
	  .todo = "mount-point-template=other" },
	{ "no directory", .sim_args = { "--pool-fs=xfs" },
	  .args = { "--rds-volume-base-path=/storage-pool/other" }, .about = "directory",
	  .says = "storage-pool/other", .todo = "/file/add type=directory" },
	{ "all sessions taken", .sim_args = { "--max-sessions=0" }, .about = "sessions",
	  .says = "hangs up before it says anything", .todo = "/ip/service/set ssh" },
	{ "few sessions", .sim_args = { "--max-sessions=2" }, .about = "sessions",
	  .says = "only 2 of 4", .todo = "--rds-sessions" },
	{ "a volume that the box may mount", .script = DISK "yes", .about = "mounts",
	  .says = "1 of our volumes itself (pvc-1)",
	  .todo = "/disk/set SLOT mount-filesystem=no" },
	{ "exports that are not here",
	  .script = DISK "no; /disk set pvc-1 nvme-tcp-export=yes",
	  .about = "nvme-address", .says = "although 1 volumes are exported",
	  .todo = "nvmeAddress of the StorageClass" },
	{ "garbage", .fault = "garbage=1", .about = "version",
	  .says = "did not answer this as RouterOS does", .todo = "/log/print" },
};

/* ---- a run of the check ---- */

struct line {
	char at[32], port[32], user[32], key[300], host_key[300], own[3][300];
	const char *argv[MAX_ARGS];
};

/* "@x" is a file of the box's directory. */
static void expand(char to[300], const char *from)
{
	const char *at = strchr(from, '@');

	if (at)
		(void)snprintf(to, 300, "%.*s%.200s/%s", (int)(at - from), from, sim.dir,
			       at + 1);
	else
		(void)snprintf(to, 300, "%s", from);
}

static const char *const *make(struct line *l, unsigned port, const char *const *more)
{
	unsigned n = 0;

	(void)snprintf(l->port, sizeof(l->port), "--rds-port=%u", port);
	(void)snprintf(l->key, sizeof(l->key), "--rds-key-file=%s", key);
	(void)snprintf(l->host_key, sizeof(l->host_key), "--rds-host-key=%s", host_key);
	l->argv[n++] = getenv("RDS_CSI");
	l->argv[n++] = "check";
	l->argv[n++] = "--rds-address=127.0.0.1";
	l->argv[n++] = l->port;
	l->argv[n++] = "--rds-user=csi";
	l->argv[n++] = l->key;
	l->argv[n++] = l->host_key;
	for (unsigned i = 0; i < 3 && more && more[i]; i++) {
		expand(l->own[i], more[i]);
		l->argv[n++] = l->own[i];
	}
	l->argv[n] = NULL;
	return l->argv;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* The sentence of the only problem. */
static void judge(const struct row *r, int status, const char *text)
{
	const char *at = strstr(text, "problem ");
	char sentence[1024] = "", head[64];

	if (at)
		(void)snprintf(sentence, sizeof(sentence), "%.*s", (int)strcspn(at, "\n"),
			       at);
	(void)snprintf(head, sizeof(head), "problem  %s: ", r->about);
	CHECK(status == 1, "%s: status %d\n%s", r->name, status, text);
	CHECK(count(text, "problem ") == 1, "%s: %u problems\n%s", r->name,
	      count(text, "problem "), text);
	CHECK(strncmp(sentence, head, strlen(head)) == 0, "%s: %s", r->name, sentence);
	CHECK(strstr(sentence, r->says), "%s: %s", r->name, sentence);
	CHECK(strstr(sentence, r->todo), "%s: what to do? %s", r->name, sentence);
}

static bool copy(const char *from, const char *to)
{
	char text[4096];
	FILE *f = fopen(from, "re");
	size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

	if (f)
		(void)fclose(f);
	f = fopen(to, "we");
	if (f) {
		(void)fwrite(text, 1, n, f);
		(void)fclose(f);
	}
	return n > 0;
}

static bool read_line(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "re");
	bool got = f && fgets(to, (int)size, f);

	if (f)
		(void)fclose(f);
	to[strcspn(to, "\n")] = '\0';
	return got;
}

static bool box(const char *const *args)
{
	static unsigned boxes;

	memset(&sim, 0, sizeof(sim));
	e2e_path(sim.dir, "box%u", boxes++);
	sim.args = args;
	(void)snprintf(key, sizeof(key), "%.200s/client_key", sim.dir);
	(void)snprintf(host_key, sizeof(host_key), "%.200s/host_key.pub", sim.dir);
	return sim_start(&sim);
}

/* A private key that nobody imported: another box's. A host key of a type that the box
 * has none of: a made-up RSA one. */
static void other_keys(const char *stranger)
{
	static const char rsa[] = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAEAECAwQFBgcICQoLDA"
				  "0ODxA=\n";
	char path[E2E_PATH + 16];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%.200s/other_key", sim.dir);
	CHECK(copy(stranger, path), "no other key");
	(void)snprintf(path, sizeof(path), "%.200s/rsa.pub", sim.dir);
	f = fopen(path, "we");
	if (CHECK(f, "no file")) {
		(void)fputs(rsa, f);
		(void)fclose(f);
	}
}

static void run_row(const struct row *r, const char *stranger)
{
	struct line l;
	int status;
	char *said = NULL;

	if (!box(r->sim_args[0] ? r->sim_args : NULL))
		return;
	other_keys(stranger);
	if (r->script)
		said = sim_exec(&sim, r->script);
	CHECK(!said || !*said, "%s: %s", r->name, said);
	free(said);
	if (r->fault)
		(void)sim_fault(&sim, r->fault);
	status = child_run(make(&l, sim.ssh_port, r->args), out, sizeof(out));
	judge(r, status, out);
	sim_stop(&sim);
}

static void each_fault_in_one_sentence(void)
{
	char stranger[E2E_PATH + 16];

	if (!box(NULL))
		return;
	(void)snprintf(stranger, sizeof(stranger), "%.200s/client_key", sim.dir);
	sim_stop(&sim);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i], stranger);
	e2e_note("%zu faults", sizeof(rows) / sizeof(rows[0]));
}

/* ---- a box without fault ---- */

static void nothing_is_missing(void)
{
	struct line l;
	char *before, *after;
	int status;

	if (!box(NULL))
		return;
	before = sim_get_text(&sim, "/history");
	status = child_run(make(&l, sim.ssh_port, NULL), out, sizeof(out));
	after = sim_get_text(&sim, "/history");
	CHECK(status == 0, "status %d\n%s", status, out);
	CHECK(count(out, "problem") == 0, "%s", out);
	CHECK(count(out, "\nok ") >= 12, "%s", out);
	CHECK(strstr(out, "nvme-address: 127.0.0.1 answers, and port 4420 is closed"),
	      "%s", out);
	CHECK(before && after && strcmp(before, after) == 0, "it changed something");
	CHECK(sim_stat(&sim, "unknown") == 0, "a command that the box does not know");
	free(before);
	free(after);
	sim_stop(&sim);
}

/* ---- the script that prepares a box ---- */

/* The simulator takes one line: comments go, lines are joined as the console would. */
static void one_line(FILE *f, char *to, size_t size, const char *public_key)
{
	char line[512];
	size_t n = 0;

	while (fgets(line, sizeof(line), f)) {
		const char *at = line + strspn(line, " ");
		size_t len = strcspn(at, "\n");
		bool opens = n && to[n - 1] == '{';

		if (!len || *at == '#')
			continue;
		if (strncmp(at, ":local csiKey ", 14) == 0)
			n += (size_t)snprintf(to + n, size - n, ";:local csiKey \"%s\"",
					      public_key);
		else if (strncmp(at, ":local csiPassword ", 19) == 0)
			n += (size_t)snprintf(to + n, size - n,
					      ";:local csiPassword \"a-long-one\"");
		else
			n += (size_t)snprintf(to + n, size - n, "%s%.*s",
					      n && !opens && *at != '}' ? ";" : "",
					      (int)len, at);
	}
}

static void run_script(const char *script, const char *says, const char *says_not)
{
	char *said = sim_exec(&sim, script);

	if (CHECK(said, "no answer")) {
		CHECK(strstr(said, says), "%s", said);
		CHECK(!strstr(said, says_not), "%s", said);
	}
	free(said);
}

/* The box knows neither user nor key before, and is ready after; the second run changes
 * nothing. Only the imported key opens the door, for the check comes with another box's.
 */
static void the_script_prepares_the_box(void)
{
	static const char *const bare[] = { "--base=elsewhere", NULL };
	static const char *const more[3] = { "--rds-user=rds-csi",
					     "--rds-key-file=@other_key" };
	char stranger[E2E_PATH + 16], public[512] = "", script[4000] = "";
	FILE *f = fopen("contrib/routeros/setup.rsc", "re");
	struct line l;

	if (!CHECK(f, "no script: run from the top of the tree") || !box(NULL))
		return;
	(void)snprintf(stranger, sizeof(stranger), "%.200s/client_key.pub", sim.dir);
	sim_stop(&sim);
	CHECK(read_line(stranger, public, sizeof(public)), "no public key");
	one_line(f, script, sizeof(script), public);
	(void)fclose(f);
	stranger[strlen(stranger) - 4] = '\0';
	if (!box(bare))
		return;
	other_keys(stranger);
	CHECK(child_run(make(&l, sim.ssh_port, more), out, sizeof(out)) == 1 &&
		      strstr(out, "problem  login"),
	      "before the script: %s", out);
	run_script(script, "key imported", "failure");
	CHECK(child_run(make(&l, sim.ssh_port, more), out, sizeof(out)) == 0, "%s", out);
	CHECK(strstr(out, "ok       policies: ") &&
		      strstr(out, "ok       directory: /storage-pool/metal-csi"),
	      "%s", out);
	run_script(script, "has a key already", "made");
	CHECK(sim_stat(&sim, "unknown") == 0, "a command that the box does not know");
	sim_stop(&sim);
}

static void a_bad_flag_is_status_2(void)
{
	static const char *const bad[][3] = {
		{ "--no-such-flag" },
		{ "--nvme-port=0" },
		{ "--nvme-address=" },
		{ "--rds-volume-base-path=/a/x,/b/x" },
	};
	struct line l;

	for (unsigned i = 0; i < 4; i++)
		CHECK(child_run(make(&l, 1, bad[i]), out, sizeof(out)) == 2, "%s: %s",
		      bad[i][0], out);
}

/* ---- the way to it ---- */

static int bound(unsigned *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(fd, (struct sockaddr *)&a, len) == 0 &&
		      getsockname(fd, (struct sockaddr *)&a, &len) == 0,
	      "no port");
	*port = ntohs(a.sin_port);
	return fd;
}

/* A queue that is full drops what comes, as a firewall does. */
static void fill(unsigned port, int fds[4])
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&a, sizeof(a));
	}
	e2e_sleep_ms(50);
}

static pid_t begin(const char *const *argv, const char *log)
{
	const struct child_conf conf = { .argv = argv, .log = log };

	return child_start(&conf);
}

static void end(pid_t pid, const char *log, const struct row *r)
{
	int status = child_wait(pid, 120000), fd = open(log, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, sizeof(out) - 1) : -1;

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	judge(r, status >= 0 ? WEXITSTATUS(status) : -1, out);
}

/* All at once, for each takes its time. */
static void each_way_that_is_shut(void)
{
	static const struct row shut[] = {
		{ "closed port", .about = "address", .says = "refuses connections",
		  .todo = "/ip/service/enable ssh" },
		{ "black hole", .about = "address", .says = "nothing answers",
		  .todo = "firewall" },
		{ "no SSH", .about = "address", .says = "and then says nothing",
		  .todo = "correct --rds-port" },
		{ "NVMe black hole", .about = "nvme-address", .says = "nothing answers",
		  .todo = "--nvme-address" },
	};
	unsigned port[4];
	int fds[3] = { -1, -1, -1 }, full[4];
	char log[4][E2E_PATH], nvme[40];
	const char *more[3] = { nvme };
	struct line l[4];
	pid_t pid[4];

	if (!box(NULL))
		return;
	/* The first never listens, but it has the port, so that nobody else answers
	 * there. */
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = bound(&port[i]);
		CHECK(i == 0 || listen(fds[i], 0) == 0, "no listener");
	}
	fill(port[1], full);
	port[3] = sim.ssh_port;
	(void)snprintf(nvme, sizeof(nvme), "--nvme-port=%u", port[1]);
	for (unsigned i = 0; i < 4; i++) {
		e2e_path(log[i], "log%u", i);
		pid[i] = begin(make(&l[i], port[i], i == 3 ? more : NULL), log[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		end(pid[i], log[i], &shut[i]);
	for (unsigned i = 0; i < 4; i++)
		close(full[i]);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	sim_stop(&sim);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "nothing_is_missing", nothing_is_missing, false },
		{ "each_fault_in_one_sentence", each_fault_in_one_sentence, false },
		{ "each_way_that_is_shut", each_way_that_is_shut, false },
		{ "the_script_prepares_the_box", the_script_prepares_the_box, false },
		{ "a_bad_flag_is_status_2", a_bad_flag_is_status_2, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
