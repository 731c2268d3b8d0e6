#include <stdlib.h>
#include <string.h>

#include "rds/disk_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever parses is spelled in the only way there is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2048], again[RDS_RECORD_MAX];
	struct rds_record r;
	struct err err;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	disk_record_parse(&r, text, "prod-1");
	if (r.kind != RDS_RECORD_OURS && r.kind != RDS_RECORD_FOREIGN)
		return 0;
	if (disk_record_format(again, &r, &err) || strcmp(again, text) != 0)
		abort();
	return 0;
}
