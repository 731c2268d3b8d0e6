/* What is broken at the moment, and the switches of the start that can change at run
 * time. Set by POST /fault?name=value&…, cleared by POST /fault/clear; the names are in
 * the table of fault.c, with what each means. */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/util.h"

enum {
	FAULT_OFF = -1,
};

enum cut_from {
	CUT_FROM_EXEC,	  /* the next exec request's arrival */
	CUT_FROM_CONNECT, /* the next connection's first byte */
	CUT_FROM_NOW,	  /* this moment, on the connections there are */
};

struct fault {
	int64_t latency_ms, jitter_ms, reply_ms, statement_ms;
	int64_t refuse; /* 1: new connections are closed at once */
	int64_t hang,
		hang_after; /* so many execs: not run, or run and not answered; 0 none */
	int64_t garbage;    /* so many execs are answered with random bytes */
	int64_t cut_in, cut_out, cut_from, cut_times;
	int64_t run_on_s;	/* a cut script lives on for so long; 0: dies at its next
				 * statement */
	int64_t action_timeout; /* so many changes are done and reported as timed out */
	int64_t no_space, pool_away, other_host_key, drip_ms;
	int64_t die_at, die_after_mutation, pause_at, error_at;
	int64_t interleave, export_lag;
	char match[128]; /* only execs whose line has this text */
};

void fault_init(struct fault *f);
/* A known name and a number: 0; else -1 with a line in *ret. */
int fault_set(struct fault *f, const char *name, const char *value, char *ret,
	      size_t size);
/* Back to what fault_init and the command line made of it. */
void fault_clear(struct fault *f, const struct fault *base);
void fault_help(struct sb *out);
void fault_show(const struct fault *f, struct sb *out); /* JSON */
bool fault_matches(const struct fault *f, const char *line);
/* True and counted down when a fault that is given as a number of execs applies. */
bool fault_take(struct fault *f, int64_t *count, const char *line);

#endif
