#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H
#include "bench/box.h"
#include "bench/driver.h"

/* What is measured. Each function starts what it needs, adds its rows to the table and
 * stops what it started; 0, or -1 when something did not work (a line on stderr says
 * what), after which the other rows still run. */
struct bench {
	const char *csi, *sim, *floor, *api; /* programs */
	const char *dir;		     /* scratch, removed by the caller */
	unsigned idle_s;		     /* how long idling is watched */
};

enum { BENCH_LATENCY_MS = 50 }; /* of one exec on the box */

int rows_start(const struct bench *b); /* start to the first Probe that says ready */
int rows_size(const struct bench *b);  /* RSS beside the floor */
int rows_idle(const struct bench *b);  /* CPU and wake-ups while idle, threads */
int rows_probe(const struct bench *b); /* CPU of 1,000 Probes */
int rows_life(const struct bench *b);  /* create, publish, unpublish, delete, warm */
int rows_burst(const struct bench *b); /* 100 creates at once */
int rows_own(const struct bench *b);   /* the driver's own time in a create; log bytes */
int rows_list(const struct bench *b);  /* 1,000 volumes: listing, RSS */
int rows_many(const struct bench *b);  /* 10,000 disks on the simulator */
/* With Kubernetes: the simulated API server as a process, over TLS. */
int rows_kube_size(const struct bench *b);  /* 10,000 volumes attached, 500 nodes */
int rows_kube_life(const struct bench *b);  /* publish, unpublish: execs and requests */
int rows_kube_burst(const struct bench *b); /* 1,000 attaches of 1,000 volumes */
int rows_kube_idle(const struct bench *b);  /* CPU and requests while idle */
/* The metrics. */
int rows_scrape(const struct bench *b);	     /* a page with 1,000 volumes: time, memory */
int rows_scrape_hang(const struct bench *b); /* pages while nobody answers the driver */

/* Makes dir/name and starts a simulator on it. */
int bench_box(const struct bench *b, struct box *box, const char *name,
	      unsigned latency_ms);
#endif
