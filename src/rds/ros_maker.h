#ifndef RDS_ROS_MAKER_H
#define RDS_ROS_MAKER_H
#include "rds/disk_record.h"
#include "rds/ros_script.h"
#include "rds/ros_template.h"
#include "rds/ros_text.h"

/* What ros_script.c and ros_join.c share. Pure. */

/* A script in the making, and the texts that its values point to. */
struct maker {
	struct buf *out;
	const struct ros_order *order;
	struct ros_values vs;
	char size[21], reserve[8], port[8], subvolume[160], path[RDS_PATH_MAX + 1];
	char mount[80], sentinel[64], shapes[1300], in_use[1300];
	char cas[240], back[64], ours[160], part[16], taken[300], bears[300];
};

/* Appends to a text of fixed size; what does not fit leaves it empty, which no kind of
 * value allows. */
void maker_append(char *text, size_t size, const char *more);
/* A path as a pattern: its dots must not match any character. */
void maker_append_path(char *text, size_t size, const char *path);
/* An NQN is <before><id><suffix>; the suffix, which may be empty, begins at a dot, and an
 * id has none. */
const char *maker_suffix(const char *nqn);
void maker_let(struct maker *m, char letter, enum ros_kind kind, const char *text);
void maker_let_size(struct maker *m, uint64_t bytes);
void maker_let_port(struct maker *m, uint16_t port);
/* What stands before and after the id in the path of a file: of a directory of flat
 * files, or, with base NULL, of the pool's subvolumes. */
void maker_let_place(struct maker *m, const char *base);
int maker_add(struct maker *m, enum ros_template t, struct err *err);
#endif
