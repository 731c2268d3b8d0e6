#ifndef NVME_COMMAND_H
#define NVME_COMMAND_H
#include <sys/types.h>

#include "nvme/fs.h"
#include "nvme/nvme.h"

/* A request as the one child that does it, and that child's end as the request's result.
 * Pure. What every back end shares; attach, detach and rescan come from the back end. */
enum { COMMAND_MAX_ARGS = 13 };

struct command {
	const char
		*argv[COMMAND_MAX_ARGS]; /* ended by NULL; borrows from req and itself */
	bool is_helper;			 /* answers with a reply line */
	struct fs_command fs;
	char flags[24], *data, *text; /* both owned, freed by command_fini */
};

/* 0, or -1 with INVALID_ARGUMENT or RESOURCE_EXHAUSTED. helper is the program to run. */
int command_make(struct command *c, const struct nvme_req *req, const char *helper,
		 struct err *err);
void command_fini(struct command *c); /* accepts a zeroed struct */
/* For back ends: a helper verb with up to two arguments, either of which may be NULL. */
void command_helper(struct command *c, const char *helper, const char *verb,
		    const char *first, const char *second);
/* Its arguments from that one on: fs_type and fs_uuid, "" where there is none. */
void command_content(struct command *c, unsigned at, const struct nvme_req *req);

uint64_t command_timeout_ms(enum nvme_kind kind);
/* Runs without the volume's lock and beside a child that is stuck on it: what changes
 * nothing, and the cut that frees such a child. */
bool command_is_reader(enum nvme_kind kind);
const char *command_name(enum nvme_kind kind);

/* The end of a child that ended by itself. out and tail (its stderr) are texts. */
struct command_end {
	int exit_status, term_signal;
	const char *out, *tail;
};
int command_finish(const struct command *c, struct nvme_req *req,
		   const struct command_end *end, struct err *err);
#endif
