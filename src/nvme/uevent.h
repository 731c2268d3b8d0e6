#ifndef NVME_UEVENT_H
#define NVME_UEVENT_H
#include <stdbool.h>
#include <stdint.h>

/* The kernel's messages about devices, as a wake-up for a child that waits for one to
 * change: what has become of it is then read again. Blocks, so for the helper only. They
 * reach each network namespace of the initial user namespace (kernel 4.18); where they
 * cannot be had, the wait lasts as long as it may. */

/* A socket that collects from now on, or -1. The caller closes it. */
int uevent_open(void);
/* Until a message has come since the last wait, or wait_ms have passed. */
void uevent_wait(int fd, uint64_t wait_ms);
/* The same, but for messages that are another session's: in a crowd of connects each
 * makes some ten of them, and each would wake all that wait. */
void uevent_wait_for(int fd, const char *ctrl, uint64_t wait_ms);
/* Whether the message may concern that session or its disk. Pure. */
bool uevent_may_be_of(const char *message, const char *ctrl);
#endif
