/* What nvme-tcp-export=yes makes: a symlink in DIR/exports, and with --export=nvmet a
 * subsystem of the kernel's NVMe target. Work on the target goes on while others are
 * served; the command that asked for it waits in export_end. */
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

/* What a test does to an export behind the box's back; the box's own properties stay. */
struct export_verb {
	const char *slot;
	enum nvmet_act act;
	bool is_recreate; /* OFF, then ON at once */
	const char *uuid; /* at the next ON: "same", "new" or the one to have; or NULL */
	const char
		*file; /* served from the next ON on; "": the image again; NULL: as is */
	uint64_t back_ms; /* undone after so long; 0: not by itself */
};

/* The target must be there. -1 with *ret_err set. */
int box_export_verb(struct box *b, const struct export_verb *v, const char **ret_err);
/* No link is left, so the port is closed; then all at once again. back_ms 0: not by
 * itself. */
void box_port_off(struct box *b, uint64_t back_ms);
void box_port_on(struct box *b);
/* The query of POST /nvmet, see --help. -1 with *ret_err set. */
int export_query(struct box *b, char *query, const char **ret_err);

/* What is asked of the target from here on belongs to wait, until export_over; nothing
 * may give way to another script in between. */
void export_begin(struct box *b, struct nvmet_wait *wait);
void export_over(struct box *b);
void export_forget(struct box *b, const struct nvmet_wait *wait);
/* export_over, and the script waits. rc, or -1 with the run's error if the target would
 * not, or the script must die. */
int export_end(struct run *r, struct nvmet_wait *wait, int rc);

unsigned box_exports_poll(const struct box *b, struct pollfd *fds);
int box_exports_timeout(const struct box *b); /* ms until a tick is due, -1 none */
void box_exports_tick(struct box *b);

#endif
