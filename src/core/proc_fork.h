#ifndef CORE_PROC_FORK_H
#define CORE_PROC_FORK_H
#include <sys/types.h>

/* A child that is this program already: starting it anew would load and bind all its
 * libraries first, which costs a multiple of what most such children then do. The child
 * has what a started one would have, no more: its own three descriptors and pass_fd as
 * the next, no signal handler, the short environment. What it finds in memory is as it
 * was here, so entry() touches no loop and no handle, and must not return. */
typedef void proc_entry_fn(int argc, char **argv);

struct proc_forked {
	pid_t pid;
	int pid_fd;	  /* readable once it has ended */
	int out, err_out; /* non-blocking ends of its outputs */
};

/* argv without its first member, the program, goes to entry; pass_fd -1: none. 0 and the
 * descriptors are the caller's, or -1: there is no child (no pidfd_open before
 * kernel 5.3, no close_range before 5.9 or where a seccomp filter forbids it, no
 * descriptors or memory). */
int proc_fork(proc_entry_fn *entry, const char *const *argv, int pass_fd,
	      struct proc_forked *ret);
#endif
