#ifndef BENCH_BOX_H
#define BENCH_BOX_H
#include <stddef.h>
#include <stdint.h>

#include "bench/child.h"

/* The simulated box: started as a child, asked over its control port, and spoken to over
 * SSH by plain blocking libssh2, so that one exec can be measured without the driver. */
struct box {
	struct child child;
	char dir[256];
	unsigned ssh_port, control_port;
	void *session; /* LIBSSH2_SESSION, owned; NULL until box_exec */
	int fd;
};

/* 0, or -1 with a line on stderr. dir must exist. */
int box_start(struct box *b, const char *sim, const char *dir, unsigned latency_ms);
void box_stop(struct box *b);
long box_stat(const struct box *b, const char *name);  /* of GET /stats; -1 = absent */
int box_post(const struct box *b, const char *target); /* such as "/fault?latency-ms=0" */
/* Runs one command line, waits for its end; returns its time. 0 = it failed. The first
 * bytes of its output go to out when that is not NULL. */
uint64_t box_exec(struct box *b, const char *command, char *out, size_t out_size);
void box_hangup(struct box *b); /* ends the SSH session of box_exec */
#endif
