#ifndef RDS_ROS_SCRIPT_H
#define RDS_ROS_SCRIPT_H
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"
#include "rds/rds.h"
#include "rds/ros_site.h"

/* The scripts: one line each, ASCII, under 4,000 bytes, ending in a sentinel. Pure.
 * What a script prints (ros_reply.h reads it):
 *   @r [{…}]       the disk as it is now         @rb … @rg   likewise, of the probe
 *                                                            and of FIGURES
 *   @e <stem> …    one of the words below, or RouterOS's own error text
 *   @n <count>     DELETE: what is still there; LIST: rows there are
 *   @i <id>        of several joined requests, this one is answered
 *   @v <version>   PROBE
 *   @ok <sentinel> the script came to its end
 * Stems: @gone @shape @cas @foreign @held @mounted @pool @space @nqn @leftover @larger
 * @inuse @still @lost. */
enum ros_step {
	ROS_GET,
	ROS_LIST,
	ROS_LIST_PART, /* of a long list: the slots with certain last characters */
	ROS_CAPACITY,
	ROS_PROBE,
	ROS_FIGURES,
	ROS_CREATE,
	ROS_ADOPT, /* after @leftover: the image of a create that was cut short */
	ROS_DELETE,
	ROS_GROW,
	ROS_NO_MOUNT,
	ROS_PUBLISH,
	ROS_UNPUBLISH,
	ROS_FENCE_BEGIN,
	ROS_FENCE_FINISH,
	ROS_EXPORT,
};

enum { ROS_SCRIPT_MAX = 3999, ROS_N_PARTS = 17, ROS_LIST_WHOLE = 2500 };

struct ros_args {
	const char *id;
	enum rds_layout layout; /* CREATE, ADOPT: never AUTO */
	unsigned base;		/* CREATE, ADOPT: index of the directory, layout file */
	uint64_t size_bytes;
	uint16_t port;
	const char *nqn;
	const char *record;	  /* the line to write */
	const char *nonce;	  /* of that line */
	const char *expect_nonce; /* NULL: no record yet */
	bool switch_off;
	bool may_unmount;
	unsigned part; /* LIST_PART */
};

struct ros_order {
	enum ros_step step;
	const struct ros_site *site;
	const struct ros_args *const *rows; /* more than one: joined */
	unsigned n;
	const char *sentinel; /* hex digits */
};

/* Appends the script to out, whose maximum should be ROS_SCRIPT_MAX. ERR_INVALID when a
 * value is not fit for a script, ERR_EXHAUSTED when it would be too long. */
int ros_script(struct buf *out, const struct ros_order *order, struct err *err);
#endif
