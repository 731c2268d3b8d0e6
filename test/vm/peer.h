#ifndef VM_PEER_H
#define VM_PEER_H
#include "e2e/vol.h"

/* The two VMs of a pair, and the lines they say to each other by TCP. */
bool peer_is_a(void);		/* else b */
const char *peer_address(void); /* the other's */
const char *peer_own_address(void);

/* Meets the other VM; false, a failed check, when it does not come. Once, before the
 * rest. */
bool peer_open(void);
void peer_close(void);
/* A line without its end, at most PEER_LINE bytes. peer_hear waits for one; false, a
 * failed check, when none comes in time or the other has gone. */
enum { PEER_LINE = 1000 };
bool peer_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool peer_hear(char out[PEER_LINE], unsigned timeout_ms);
/* Waits for exactly that line: a place in the scenario where both are. */
bool peer_await(const char *line, unsigned timeout_ms);
/* A volume as the orchestrator knows it: id, size, contexts. The paths are the hearer's.
 */
bool peer_say_vol(const struct vol *v);
bool peer_hear_vol(struct vol *v, unsigned timeout_ms);

/* The machine around: stops and continues the other VM; tells that this one is about to
 * end by itself, and ends it at once, as a power cut would. */
void peer_pause_other(void);
void peer_resume_other(void);
void peer_die(void) __attribute__((noreturn));
#endif
