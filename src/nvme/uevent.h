#ifndef NVME_UEVENT_H
#define NVME_UEVENT_H
#include <stdint.h>

/* The kernel's messages about devices, as a wake-up for a child that waits for one to
 * change: what has become of it is then read again. Blocks, so for the helper only. They
 * reach each network namespace of the initial user namespace (kernel 4.18); where they
 * cannot be had, the wait lasts as long as it may. */

/* A socket that collects from now on, or -1. The caller closes it. */
int uevent_open(void);
/* Until a message has come since the last wait, or wait_ms have passed. */
void uevent_wait(int fd, uint64_t wait_ms);
#endif
