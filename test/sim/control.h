/* The HTTP control server: hand-made, one request per connection. For tests on the same
 * machine; it trusts whoever connects. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <poll.h>
#include <stdint.h>

#include "sim/util.h"

enum {
	CONTROL_MAX_CONNS = 32,
	CONTROL_MAX_REQUEST = 1 << 20,
};

struct server;

/* -1 with a line on stderr; port 0 becomes the real one. */
int control_open(struct server *s, const char *host, uint16_t *port);
void control_close(struct server *s);
/* Fills at most CONTROL_MAX_CONNS + 1 entries; returns how many. */
unsigned control_poll(struct server *s, struct pollfd *fds);
void control_step(struct server *s);
/* Undoes %XX and +, in place. */
void control_decode(char *s);
/* {"connections":…} and a line end. */
void control_stats(struct server *s, struct sb *out);

#endif
