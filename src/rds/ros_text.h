#ifndef RDS_ROS_TEXT_H
#define RDS_ROS_TEXT_H
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

/* The one way by which a value gets into a RouterOS script: checked against the whitelist
 * of its kind, then quoted by one function. Scripts are templates, fixed text of ours,
 * in which %A … %z stand for values. Pure.
 *
 * The two ways to destroy a box by a script cannot be expressed: a value is a quoted
 * literal wherever it stands (so no "where" ever compares a property with a name), and
 * the templates, which a test reads one by one, contain no remove or set of a find. */
enum ros_kind {
	ROS_UNSET,
	ROS_ID,	     /* volume id: [A-Za-z0-9][A-Za-z0-9-]{0,127} */
	ROS_SUBVOL,  /* vol-<id>, snap-… : as an id, longer */
	ROS_PATH,    /* names of [A-Za-z0-9_][A-Za-z0-9._-]* between slashes */
	ROS_SLOT,    /* of a pool's disk: [A-Za-z0-9._-]+ */
	ROS_LABEL,   /* of a file system: [A-Za-z0-9._-]+ */
	ROS_NQN,     /* nqn.… of [a-z0-9.:-] */
	ROS_RECORD,  /* [A-Za-z0-9._:/,= -] */
	ROS_PATTERN, /* a regular expression made here out of checked values */
	ROS_DIGITS,  /* a number, the only kind that is not quoted */
	ROS_WORD,    /* fixed words of ours: [A-Za-z0-9@ -] */
};

enum { ROS_N_VALUES = 58 };

struct ros_value {
	enum ros_kind kind;
	const char *text; /* borrowed until ros_text has used it */
};

struct ros_values {
	struct ros_value v[ROS_N_VALUES]; /* by letter, from 'A' */
};

bool ros_is(enum ros_kind kind, const char *text);
/* A value that is not of its kind makes ros_text fail, so callers need not ask. */
void ros_let(struct ros_values *vs, char letter, enum ros_kind kind, const char *text);
/* Appends template with each %letter replaced. -1: a value of the wrong kind
 * (ERR_INVALID), or the script grew past the buffer's limit (ERR_EXHAUSTED). */
int ros_text(struct buf *out, const char *template, const struct ros_values *vs,
	     struct err *err);
/* A string literal: quotes around it, and \ $ " and all but plain ASCII escaped. */
void ros_quote(struct buf *out, const char *text);
#endif
