#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H
#include <stdint.h>
#include <sys/types.h>

/* A program under measurement, and what /proc says of it. */
struct child {
	pid_t pid; /* 0 = not running */
};

struct child_mem {
	double rss_mib, anon_mib;
};

/* stdout goes to out_path, stderr to err_path (both made anew). */
void child_start(struct child *c, const char *const argv[], const char *out_path,
		 const char *err_path);
/* SIGTERM, SIGKILL after 5 s, wait. Returns the wait status; 0 when it did not run. */
int child_stop(struct child *c);
struct child_mem child_mem(const struct child *c); /* /proc/PID/smaps_rollup */
double child_peak_mib(const struct child *c);	   /* VmHWM: the most RSS it ever had */
uint64_t child_cpu_ns(
	const struct child *c); /* all its threads, schedstat of each task */
/* Threads, and of them those that ran since they were made. */
void child_threads(const struct child *c, unsigned *ret_all, unsigned *ret_ran);
uint64_t child_voluntary_switches(const struct child *c);
void sleep_ms(unsigned ms);
#endif
