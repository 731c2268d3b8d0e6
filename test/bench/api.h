#ifndef BENCH_API_H
#define BENCH_API_H
#include <stddef.h>
#include <stdint.h>

#include "bench/child.h"

/* The simulated API server as a child (test/prog/api_server.c), and what is read of the
 * driver over plain HTTP. */
struct api {
	struct child child;
	char dir[256]; /* with kubeconfig and ca.pem */
	int fd;	       /* its control connection */
};

/* 0, or -1 with a line on stderr. Makes dir. */
int api_start(struct api *a, const char *program, const char *dir);
void api_stop(struct api *a);
/* One line to it. When it sent the change, by now_ns; 0 = it refused. */
uint64_t api_tell(struct api *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A number of its stats, such as "requests"; -1 = absent. */
long api_stat(struct api *a, const char *name);

/* GET from 127.0.0.1:port, body and all to reply. The status, or -1. */
int web_get(unsigned port, const char *target, char *reply, size_t size);
/* The value of a sample of /metrics without labels; -1 = absent. */
double web_metric(unsigned port, const char *name);
unsigned web_free_port(void); /* nobody listens there at this moment */
#endif
