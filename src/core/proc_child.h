#ifndef CORE_PROC_CHILD_H
#define CORE_PROC_CHILD_H
#include <sys/types.h>

#include "core/proc.h"

/* The child of a struct proc, apart from it because it may outlive it: one that the
 * kernel will not let go stays here, in its registry. Private to core/proc. */
struct proc_child {
	struct op op;
	struct list node; /* in the registry */
	struct proc_registry *registry;
	struct proc *owner; /* NULL once its op has ended without it */
	union {
		uv_handle_t any;
		uv_process_t process; /* of a program */
		uv_poll_t poll;	      /* of a fork, on its pid_fd */
	} handle;
	pid_t pid;  /* of a fork */
	int pid_fd; /* -1: a program. Owned */
	bool has_exited;
	char key[PROC_MAX_KEY];
	const char *what; /* static */
};

/* With registry and owner set: from here on the only way out is by its done(). */
void proc_child_start(struct proc_child *c);
/* Runs the owner's program or function; its pipes have been made. 0 or libuv's error. */
int proc_child_spawn(struct proc_child *c, struct proc *p);
void proc_child_kill(struct proc_child *c, int sig);
#endif
