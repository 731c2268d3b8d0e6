#ifndef CRASH_CRASH_H
#define CRASH_CRASH_H
#include <stdint.h>

/* What rds-csi-crash and the test that kills it share: one file, mapped by both, named by
 * CRASH_FILE in the driver's environment. The driver writes every op type it meets and
 * every move it makes; the test arms one move, at which the driver ends itself. */
enum {
	CRASH_TYPES = 64,
	CRASH_STATES = 32,
	CRASH_MOVES = 1024,
	CRASH_NAME = 32,
	CRASH_ANY = -1,
};

enum crash_how {
	CRASH_OFF,
	CRASH_KILL, /* SIGKILL inside the move: what the next state starts never happens
		     */
	CRASH_STOP, /* SIGSTOP: what was started happens outside, the answer is never read
		     */
	/* At the first child that is started while an op of the type is in the state. */
	CRASH_KILL_SPAWNED, /* SIGKILL: the child goes on beside the next driver */
	CRASH_STOP_SPAWNED, /* SIGSTOP: the child ends, the answer is never read */
	CRASH_WANTED,	    /* the first of crash_type.wanted that comes */
};

struct crash_type {
	char name[CRASH_NAME];
	uint32_t n_states; /* 0: named by the test, not met yet */
	char states[CRASH_STATES][CRASH_NAME];
	/* By the state that is entered: 1 << enum crash_how, for CRASH_WANTED. */
	uint8_t wanted[CRASH_STATES];
	uint8_t spawned[CRASH_STATES]; /* a child was started in it */
};

struct crash_move {
	uint8_t type, from, to;
	uint32_t count; /* since the test last zeroed the moves */
};

struct crash_file {
	uint32_t n_types, n_moves;
	struct crash_type types[CRASH_TYPES];
	struct crash_move moves[CRASH_MOVES];
	/* enum crash_how. Whoever exchanges it for CRASH_OFF, atomically, has decided:
	 * the driver to end itself, or the test to let it live. */
	uint32_t how;
	int32_t type, from, to; /* CRASH_ANY: from any state */
	uint32_t nth;		/* fires at this occurrence, 1 = the next */
	/* 0, or the enum crash_how that was; of CRASH_WANTED type and to tell where. */
	uint32_t fired;
};
#endif
