#include "e2e/e2e.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/left.h"
#include "e2e/logs.h"

static char *dir; /* shared with the supervisor, which cleans up what a killed run left */
enum { DIR_MAX = 64 };

static struct {
	const char *name;
	unsigned failures, passed, failed, skipped;
	bool is_skipped;
	uint64_t seed;
} g;

bool e2e_check(bool cond, const char *file, int line, const char *what, const char *fmt,
	       ...)
{
	va_list ap;

	if (cond)
		return true;
	g.failures++;
	if (g.failures > 20) /* the first ones tell the story */
		return false;
	fprintf(stderr, "%s:%d: %s: failed: %s: ", file, line, g.name, what);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return false;
}

void e2e_note(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "  %s: ", g.name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool e2e_failed(void)
{
	return g.failures != 0;
}

static void result(const char *line)
{
	const char *path = getenv("T_RESULT");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s\n", line);
	fclose(f);
}

void e2e_skip(const char *why)
{
	char line[200];

	g.is_skipped = true;
	(void)snprintf(line, sizeof(line), "skipped: %s: %s", g.name, why);
	fprintf(stderr, "%s\n", line);
	result(line);
}

const char *e2e_dir(void)
{
	return dir;
}

char *e2e_path(char out[E2E_PATH], const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(out, E2E_PATH, "%s/", dir);

	va_start(ap, fmt);
	(void)vsnprintf(out + n, (size_t)(E2E_PATH - n), fmt, ap);
	va_end(ap);
	return out;
}

static bool is_set(const char *name)
{
	const char *v = getenv(name);

	return v && *v && strcmp(v, "0") != 0;
}

bool e2e_is_full(void)
{
	return is_set("E2E_FULL");
}

long e2e_ops(long dflt)
{
	const char *v = getenv("E2E_OPS");

	return v && atol(v) > 0 ? atol(v) : dflt;
}

/* splitmix64: any seed will do, and the same seed gives the same run. */
uint64_t e2e_random(void)
{
	uint64_t z = (g.seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

unsigned e2e_below(unsigned n)
{
	return (unsigned)(e2e_random() % n);
}

uint64_t e2e_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void e2e_sleep_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts))
		;
}

static int on_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static bool make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, DIR_MAX, "%.40s/rds-e2e.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) != NULL;
}

/* Whatever the test did, nothing of it may stay: that is a check of its own. A worker
 * whose driver was killed leaves by itself. */
static void clean_up(void)
{
	unsigned n;

	(void)child_wait_orphans(60000);
	n = child_kill_all();
	e2e_check(n == 0, __FILE__, __LINE__, "children", "%u still ran at the end", n);
	left_clean(dir);
	logs_check(dir);
	if (is_set("E2E_KEEP") || (g.failures && is_set("E2E_KEEP_FAILED")))
		fprintf(stderr, "kept: %s\n", dir);
	else
		(void)nftw(dir, on_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void run_one(const struct e2e_test *t)
{
	uint64_t start = e2e_now_ms();

	g.name = t->name;
	g.failures = 0;
	g.is_skipped = false;
	if (t->needs_root && !left_can_mount()) {
		e2e_skip("needs root and loop devices");
		g.skipped++;
		return;
	}
	if (e2e_check(make_dir(), __FILE__, __LINE__, "mkdtemp", "no directory")) {
		t->run();
		clean_up();
	}
	if (g.failures)
		g.failed++;
	else if (g.is_skipped)
		g.skipped++;
	else
		g.passed++;
	fprintf(stderr, "%s %s (%.1f s)\n",
		g.failures     ? "FAILED "
		: g.is_skipped ? "skipped"
			       : "ok     ",
		t->name, (double)(e2e_now_ms() - start) / 1000);
}

static void remove_dir(void)
{
	left_clean(dir);
	(void)nftw(dir, on_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static bool is_chosen(const char *name, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return false;
}

static int run_all(int argc, char **argv, const struct e2e_test *tests)
{
	const char *seed = getenv("E2E_SEED");
	char line[80];

	g.seed = seed ? strtoull(seed, NULL, 10)
		      : (uint64_t)time(NULL) ^ (uint64_t)getpid();
	fprintf(stderr, "%s: E2E_SEED=%llu%s\n", argv[0], (unsigned long long)g.seed,
		e2e_is_full() ? " E2E_FULL=1" : "");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A helper that outlives a killed driver becomes ours, so that it can be awaited.
	 */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)signal(SIGPIPE, SIG_IGN); /* a killed driver is no reason to die too */
	for (; tests->name; tests++)
		if (is_chosen(tests->name, argc, argv))
			run_one(tests);
	(void)snprintf(line, sizeof(line), "passed=%u failed=%u", g.passed, g.failed);
	fprintf(stderr, "%u passed, %u failed, %u skipped\n", g.passed, g.failed,
		g.skipped);
	result(line);
	return g.failed ? 1 : 0;
}

static pid_t running;

static void on_term(int sig)
{
	(void)sig;
	(void)kill(running, SIGKILL);
}

/* The tests run in a child, so that one that is killed (a runner's time limit, a crash)
 * leaves nothing behind either: its own children die with it. */
int e2e_main(int argc, char **argv, const struct e2e_test *tests)
{
	struct sigaction act = { .sa_handler = on_term };
	int status = -1;

	dir = mmap(NULL, DIR_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		   0);
	if (dir == MAP_FAILED)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	running = fork();
	if (running == 0)
		_exit(run_all(argc, argv, tests));
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGINT, &act, NULL);
	while (waitpid(running, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
	(void)child_wait_orphans(60000);
	if (dir[0])
		remove_dir();
	return 1;
}
