/* The command line. */
#ifndef SIM_OPTS_H
#define SIM_OPTS_H

#include "sim/box.h"
#include "sim/fault.h"

enum exit_mode {
	EXIT_ALWAYS_0,
	EXIT_1_ON_ERROR,
	EXIT_RANDOM,
};

struct opts {
	struct box_opt box;
	struct fault fault;
	char listen_host[64], control_host[64];
	uint16_t listen_port, control_port;
	const char *schema, *authorized_keys, *log;
	bool nagle, refuse_rsa_user, ns_uuid_given;
	enum exit_mode exit_mode;
	unsigned max_sessions;
	uint64_t seed;
};

void opts_init(struct opts *o);
/* 0: go on; 1: --help was printed; -1: an error was printed. */
int opts_parse(struct opts *o, int argc, char **argv);

#endif
