#include <stdio.h>
#include <string.h>

#include "core/log.h"

int main(int argc, char **argv)
{
	log_open(LOG_INFO, false);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("rds-csi %s\n", RDS_CSI_VERSION);
		return 0;
	}
	return 2;
}
