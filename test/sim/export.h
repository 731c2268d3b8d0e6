/* What nvme-tcp-export=yes makes: a symlink in DIR/exports, and with --export=nvmet a
 * subsystem of the kernel's NVMe target. Work on the target goes on while others are
 * served; the command that asked for it waits between export_begin and export_end. */
#ifndef SIM_EXPORT_H
#define SIM_EXPORT_H

#include "sim/box.h"

struct run;

/* -1 with a line on stderr. */
int box_exports_open(struct box *b);
/* Waits until what was exported before the last end is exported again. */
void box_exports_ready(struct box *b);
void box_exports_close(struct box *b);

/* Makes or removes the export as is_exported and the NQN demand. */
void box_export_sync(struct box *b, struct disk *d);
/* The disk goes: nothing of it is left, whatever export off does. */
void box_export_drop(struct box *b, struct disk *d);
void box_export_grown(struct box *b, struct disk *d);
/* A reboot. The port is back after ms; the exports lag_ms after it. */
void box_exports_down(struct box *b, uint64_t ms, uint64_t lag_ms);

/* What is asked of the target from here on is waited for by export_end; nothing may give
 * way to another script in between. */
void export_begin(struct box *b, struct nvmet_wait *wait);
/* rc, or -1 with the run's error if the target would not, or the script must die. */
int export_end(struct run *r, struct nvmet_wait *wait, int rc);

unsigned box_exports_poll(const struct box *b, struct pollfd *fds);
int box_exports_timeout(const struct box *b); /* ms until a tick is due, -1 none */
void box_exports_tick(struct box *b);

#endif
