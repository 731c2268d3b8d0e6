#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/loop.h"
#include "csi/call.h"

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "call") == 0)
		loop_leave(call_main(argc - 1, argv + 1));
	log_open(LOG_INFO, false);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("rds-csi %s\n", RDS_CSI_VERSION);
		return 0;
	}
	return 2;
}
