#ifndef CORE_CONFIG_FLAGS_H
#define CORE_CONFIG_FLAGS_H
#include <stddef.h>

#include "core/config.h"

/* The table behind config.c: what each flag is called, takes and does. */
enum flag_kind {
	FLAG_STR,
	FLAG_BOOL,
	FLAG_UINT,
	FLAG_MS,
	FLAG_CHOICE, /* one of the words of choices, stored as its index */
	FLAG_KLOG_V,
	FLAG_ACTION, /* stores max into config.action */
	/* Accepted at the value of def and refused at any other. */
	FLAG_LATER_STR,
	FLAG_LATER_BOOL,
	FLAG_LATER_UINT,
	FLAG_LATER_MS,
};

struct flag {
	const char *name;
	enum flag_kind kind;
	size_t offset;	     /* in struct config; unused by FLAG_LATER_* */
	const char *def;     /* parsed like a given value; NULL = zero or "" */
	uint64_t min, max;   /* of UINT and MS; max of STR: bytes */
	const char *chars;   /* STR: the characters allowed; NULL = any but control */
	const char *choices; /* words parted by '|', the first for index 0 */
	const char *help;    /* NULL in a row that only heads a group */
};

/* Ended by a row without name and help. A row without name starts a group, whose title is
 * def. */
extern const struct flag config_flags[];

/* config_check.c: the flags against each other, once all are read; fills in the defaults
 * that depend on others. 0 or -1. */
int config_check(struct config *c, struct err *err);
#endif
