#include "bench/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void sleep_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&ts, NULL);
}

void child_start(struct child *c, const char *const argv[], const char *out_path,
		 const char *err_path)
{
	int out =
		open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	int err =
		open(err_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	c->pid = vfork();
	if (c->pid == 0) {
		(void)dup2(out, 1);
		(void)dup2(err, 2);
		execv(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(out);
	close(err);
}

int child_stop(struct child *c)
{
	int status = 0;

	if (c->pid == 0)
		return 0;
	(void)kill(c->pid, SIGTERM);
	for (int i = 0; i < 500; i++) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = 0;
			return status;
		}
		sleep_ms(10);
	}
	fprintf(stderr, "bench: process %d does not end at SIGTERM: killed\n",
		(int)c->pid);
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, &status, 0);
	c->pid = 0;
	return status;
}

static double kib_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL ? 0 : strtod(at + strlen(name), NULL);
}

static void slurp(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f != NULL) {
		n = fread(buf, 1, size - 1, f);
		(void)fclose(f);
	}
	buf[n] = '\0';
}

struct child_mem child_mem(const struct child *c)
{
	struct child_mem m;
	char path[64], text[4096];

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)c->pid);
	slurp(path, text, sizeof(text));
	m.rss_mib = kib_of(text, "\nRss:") / 1024;
	m.anon_mib = kib_of(text, "\nAnonymous:") / 1024;
	return m;
}

double child_peak_mib(const struct child *c)
{
	char path[64], text[4096];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)c->pid);
	slurp(path, text, sizeof(text));
	return kib_of(text, "\nVmHWM:") / 1024;
}

/* Calls f for each task of the process. */
static void each_task(const struct child *c, void (*f)(const char *dir, void *arg),
		      void *arg)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)c->pid);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		char task[512];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(task, sizeof(task), "%s/%s", path, e->d_name);
		f(task, arg);
	}
	if (d != NULL)
		(void)closedir(d);
}

static uint64_t run_ns(const char *dir)
{
	char path[560], text[128];

	(void)snprintf(path, sizeof(path), "%s/schedstat", dir);
	slurp(path, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

static void add_cpu(const char *dir, void *arg)
{
	*(uint64_t *)arg += run_ns(dir);
}

uint64_t child_cpu_ns(const struct child *c)
{
	uint64_t sum = 0;

	each_task(c, add_cpu, &sum);
	return sum;
}

static void count_task(const char *dir, void *arg)
{
	unsigned *n = arg;

	n[0]++;
	n[1] += run_ns(dir) > 0;
}

void child_threads(const struct child *c, unsigned *ret_all, unsigned *ret_ran)
{
	unsigned n[2] = { 0, 0 };

	each_task(c, count_task, n);
	*ret_all = n[0];
	*ret_ran = n[1];
}

uint64_t child_voluntary_switches(const struct child *c)
{
	char path[64], text[4096];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)c->pid);
	slurp(path, text, sizeof(text));
	return (uint64_t)kib_of(text, "\nvoluntary_ctxt_switches:");
}
