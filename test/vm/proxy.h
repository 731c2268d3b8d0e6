#ifndef VM_PROXY_H
#define VM_PROXY_H
#include <stdbool.h>
#include <sys/types.h>

/* A target that can fall silent: a process between the host and a real one, which carries
 * bytes both ways. Stopped, it is a black hole: the kernel goes on acknowledging. */
struct proxy {
	pid_t pid;
};

/* Listens on 127.0.0.1. False, a failed check, when it cannot. */
bool proxy_start(struct proxy *p, unsigned port, unsigned target_port);
void proxy_stop(struct proxy *p);     /* silence */
void proxy_continue(struct proxy *p); /* what was not carried is carried now */
void proxy_end(struct proxy *p);
#endif
