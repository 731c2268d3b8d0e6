#ifndef VM_HAND_H
#define VM_HAND_H
#include <stdbool.h>

/* NVMe/TCP by hand, for what is neither the driver's nor the simulated box's: a host's
 * own disks, another driver's sessions, the bare times to compare with. */

/* A subsystem with the file as its namespace 1, on a port of its own on 127.0.0.1. An
 * image that is missing is made, sparse. Port ids from 100 on are ours. */
struct hand_export {
	const char *nqn, *image;
	long long size_bytes;
	unsigned port_id, port;
	const char *uuid; /* NULL: the kernel's choice */
};

bool hand_export(const struct hand_export *e);
bool hand_unexport(const struct hand_export *e);

struct hand_session {
	const char *nqn, *hostnqn, *hostid, *address; /* address NULL: 127.0.0.1 */
	unsigned port;
	const char *options; /* further ones, such as "keep_alive_tmo=5"; or NULL */
};

/* The number N of /dev/nvmeN, or a negative errno. */
int hand_connect(const struct hand_session *s);
bool hand_disconnect(int number);
#endif
