#ifndef RDS_FIGURES_H
#define RDS_FIGURES_H
#include <stdbool.h>
#include <stdint.h>

#include "rds/ros_reply.h"

/* What the box measures, read out of one round's answer (ROS_T_FIGURES): the pool, its
 * traffic, the drives and the board's sensors. A figure that the box did not tell, or not
 * as a plausible number, is NAN: unknown is never 0. Pure.
 *
 * Property names are RouterOS 7.24's; what a drive or a sensor of an RDS2216 really says
 * has not been seen. So numbers are taken as JSON numbers and as texts, with the units
 * that the console shows (12.8Mbps, 12ms, 38C, 3%) and as times (00:00:00.012), rates
 * are bits per second, and sensors keep the box's own names beside those of the Go
 * driver. Only the list form of /system/health is read (arm64). */
enum { FIGURES_DISKS = 40, FIGURES_SENSORS = 48, FIGURES_SLOT = 64, FIGURES_WORD = 31 };

enum figures_traffic {
	FIGURES_READ_OPS,
	FIGURES_WRITE_OPS,
	FIGURES_READ_BYTES, /* per second */
	FIGURES_WRITE_BYTES,
	FIGURES_READ_MS,
	FIGURES_WRITE_MS,
	FIGURES_WAIT_MS,
	FIGURES_IN_FLIGHT,
	FIGURES_ACTIVE_MS,
	FIGURES_TRAFFIC_N
};

enum figures_drive {
	FIGURES_CELSIUS,
	FIGURES_USED_PERCENT,  /* of the life that the maker gives the drive */
	FIGURES_SPARE_PERCENT, /* blocks left to replace worn ones */
	FIGURES_IO_ERRORS,
	FIGURES_INTEGRITY_ERRORS,
	FIGURES_WARNING, /* 1: the drive warns of itself */
	FIGURES_FAILED,	 /* 1: its RAID has given it up; members only */
	FIGURES_DRIVE_N
};

struct figures_disk {
	char slot[FIGURES_SLOT + 1];
	char state[FIGURES_WORD + 1]; /* of a RAID, "" = not told */
	double v[FIGURES_DRIVE_N];
};

struct figures_sensor {
	char name[FIGURES_WORD + 1], unit[8];
	char state[FIGURES_WORD + 1]; /* what is no number, as "ok"; else "" */
	double value;
};

struct figures {
	char pool_slot[FIGURES_SLOT + 1]; /* "" = no pool was seen */
	double pool_size, pool_used;	  /* bytes */
	double traffic[FIGURES_TRAFFIC_N];
	unsigned n_disks, n_sensors; /* what is beyond the room is left out */
	struct figures_disk disks[FIGURES_DISKS];
	struct figures_sensor sensors[FIGURES_SENSORS];
};

void figures_init(struct figures *f);
void figures_note(struct figures *f, const struct ros_event *ev);
/* The value of a sensor by its name on the box; NAN when there is none. */
double figures_sensor(const struct figures *f, const char *name);

/* A number with a unit; NAN when text is none, negative where that cannot be, or beyond
 * 10^18. */
enum figures_unit {
	FIGURES_PLAIN,
	FIGURES_SIGNED, /* of a sensor */
	FIGURES_RATE,	/* bits per second, into bytes */
	FIGURES_TIME,	/* milliseconds */
	FIGURES_TEMPERATURE,
	FIGURES_PERCENT
};
double figures_number(const char *text, enum figures_unit unit);
#endif
