#ifndef CHECK_ARGS_H
#define CHECK_ARGS_H
#include "core/config.h"

/* The command line of `rds-csi check`: the controller's own flags, word for word, so that
 * what a Deployment says can be pasted, and a few more that only this command knows.
 * Pure. The texts are borrowed from argv. */
struct check_args {
	struct config config;
	bool is_help, is_reference, is_prove; /* is_prove: --prove-fence */
	/* Where the nodes reach the exports; "" = rds_address, as for a StorageClass
	 * without nvmeAddress. */
	const char *nvme_address;
	uint64_t nvme_port;
};

enum { CHECK_ARGS_MAX = 200 };

/* argv[0] is "check". 0, or -1 with one line that names the flag at fault; is_help or
 * is_reference: nothing else is valid. */
int check_args(struct check_args *a, int argc, char **argv,
	       char *(*get_env)(const char *name), struct err *err);
#endif
