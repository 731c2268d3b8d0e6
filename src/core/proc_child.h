#ifndef CORE_PROC_CHILD_H
#define CORE_PROC_CHILD_H
#include <sys/types.h>

#include "core/proc.h"

/* The child of a struct proc, apart from it because it may outlive it: a worker that
 * waits for its next job, and one that the kernel will not let go, stay here, in their
 * registry. Private to core/proc. */
struct proc_child {
	struct op op;
	struct list node; /* in the registry */
	struct proc_registry *registry;
	struct proc *owner; /* NULL of an idle and of a stuck one */
	union {
		uv_handle_t any;
		uv_process_t process; /* of a program */
		uv_poll_t poll;	      /* of a worker, on its pid_fd */
	} handle;
	uv_poll_t answers; /* of a worker, on its socket */
	pid_t pid;	   /* of a worker */
	int pid_fd;	   /* -1: a program. Owned */
	int socket;	   /* of a worker. Owned */
	unsigned n_jobs;
	bool has_exited, has_answered; /* facts, as they are found */
	bool is_stuck;		       /* its op has ended without it */
	char key[PROC_MAX_KEY];
	const char *what; /* static */
};

/* A child that is the registry's from here on, whose only way out is by its done(). NULL
 * for lack of memory. */
struct proc_child *proc_child_new(struct proc_registry *reg, struct proc *owner);
/* Runs the owner's program; its pipes have been made. 0 or libuv's error. */
int proc_child_spawn(struct proc_child *c, struct proc *p);
/* Gives the job to a worker that waits, or to a new one. 0, p then has its child; or -1:
 * it must be done by a program. */
int proc_worker_give(struct proc *p);
void proc_child_kill(struct proc_child *c, int sig);
/* For what is watched of it to keep the loop alive, or not. */
void proc_child_hold(struct proc_child *c, bool is_held);
#endif
