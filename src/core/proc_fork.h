#ifndef CORE_PROC_FORK_H
#define CORE_PROC_FORK_H
#include <stddef.h>
#include <sys/types.h>

/* A worker: a child that is this program already, and does one job after another. To
 * start the program anew would load and bind all its libraries first, and even a fork
 * costs more than what most jobs do: page tables are copied, and then each page is
 * faulted in or copied again. What a worker finds in memory is as it was here when it was
 * forked, so entry() touches no loop and no handle. It has no signal handler, the short
 * environment, /dev/null for its own three descriptors, its socket as the next, and
 * during a job one that is passed. What a job leaves open is closed after it. It ends
 * when the other end of the socket is closed, once its job is done. */
enum { PROC_JOB_MAX = 32 * 1024, PROC_ANSWER_MAX = 16 * 1024 };

/* Writes its answer to out, max bytes at most, and returns its length, not 0. */
typedef size_t proc_entry_fn(int argc, char **argv, char *out, size_t max);

struct proc_forked {
	pid_t pid;
	int pid_fd; /* readable once it has ended */
	int socket; /* non-blocking; an answer is one message */
};

/* 0 and the descriptors are the caller's, or -1: there is no child (no pidfd_open before
 * kernel 5.3, no close_range before 5.9 or where a seccomp filter forbids it, no
 * descriptors or memory). */
int proc_fork(proc_entry_fn *entry, struct proc_forked *ret);
/* argv without its first member, the program, goes to a worker that has no job; pass_fd
 * -1: none. 0, or -1: it did not get it. */
int proc_fork_send(int socket, const char *const *argv, int pass_fd);
#endif
