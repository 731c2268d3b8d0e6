#ifndef RDS_ROS_REPLY_H
#define RDS_ROS_REPLY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"
#include "rds/rds.h"
#include "rds/ros_site.h"
#include "rds/row.h"

/* What a script printed, read as it comes in, in pieces of any size. An array of rows is
 * handed out object by object, so that a list of any length takes the memory of one row.
 * Pure; the words are those of ros_script.h. */
enum { ROS_LINE_MAX = 16384 };

enum ros_word {
	ROS_SAID_ROW,	  /* text: one JSON object, ASCII without control bytes */
	ROS_SAID_ERROR,	  /* "@e": text is RouterOS's, or a stem of ours */
	ROS_SAID_NUMBER,  /* "@n" */
	ROS_SAID_VERSION, /* "@v" */
	ROS_SAID_ITEM,	  /* "@i" */
	ROS_SAID_OK,	  /* "@ok": text is the sentinel */
	ROS_SAID_OTHER,	  /* any other line, RouterOS's errors outside of a TRY among them
			   */
	ROS_SAID_NONSENSE, /* a line too long, rows that are none, or no memory */
};

struct ros_event {
	enum ros_word word;
	char tag;	  /* of a row: 'a' … 'z', or 0 for a plain one */
	const char *text; /* NUL-terminated, valid during the call */
	size_t len;
};

struct ros_reply {
	void (*on_event)(void *arg, const struct ros_event *ev);
	void *arg;
	struct buf line; /* the line or object so far */
	enum {
		ROS_IN_LINE,
		ROS_IN_ROWS,   /* between the objects of a row line */
		ROS_IN_OBJECT, /* within one */
		ROS_AFTER_ROWS,
		ROS_IN_WASTE, /* the rest of a line that made no sense */
	} where;
	char tag;
	unsigned depth;
	bool in_string, is_escaped, is_array, has_row;
};

void ros_reply_init(struct ros_reply *r,
		    void (*on_event)(void *arg, const struct ros_event *ev), void *arg);
void ros_reply_fini(struct ros_reply *r);
void ros_reply_feed(struct ros_reply *r, const char *p, size_t n);
/* The stream has ended: a last line without its end is handed out as it is. */
void ros_reply_end(struct ros_reply *r);

/* What went wrong on the box. */
enum ros_fault {
	ROS_FAULT_NONE,
	ROS_FAULT_GONE,
	ROS_FAULT_SHAPE,
	ROS_FAULT_CAS,
	ROS_FAULT_FOREIGN,
	ROS_FAULT_HELD,
	ROS_FAULT_MOUNTED,
	ROS_FAULT_POOL,
	ROS_FAULT_SPACE,
	ROS_FAULT_NQN,
	ROS_FAULT_LEFTOVER,
	ROS_FAULT_LARGER,
	ROS_FAULT_INUSE,
	ROS_FAULT_STILL,
	ROS_FAULT_LOST,
	ROS_FAULT_TIMED_OUT,  /* RouterOS gave up waiting: it may yet happen */
	ROS_FAULT_PERMISSION, /* of the SSH user, or of the device mode */
	ROS_FAULT_SCRIPT,     /* not understood: another version of RouterOS */
	ROS_FAULT_OTHER,
};

/* Of the text of an error event. */
enum ros_fault ros_fault_of(const char *text);
/* Of any other line: ROS_FAULT_NONE when it does not look like an error. */
enum ros_fault ros_console_fault(const char *line);

/* A row of /disk. -1 (ERR_UNAVAILABLE: the reply makes no sense) when there is no slot,
 * a number or a flag is none, or a text is longer than its field. */
int ros_row_volume(struct rds_volume *v, const struct row *row,
		   const struct ros_site *site, struct err *err);
#endif
