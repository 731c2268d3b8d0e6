#include "support/t.h"

#include <string.h>

#include "csi/node/vol_data.h"

#define DRIVER "rds.csi.srvlab.io"

static int parse(const char *text, char id[ID_VOLUME])
{
	struct err err = { .code = ERR_OK };
	int rc = vol_data_parse(text, strlen(text), DRIVER, id, &err);

	cr_assert_eq(rc < 0, err.code != ERR_OK, "%s: %d %s", text, rc, err.msg);
	return rc;
}

/* As kubelet 1.2x and 1.3x write it: any order, more keys from version to version. */
Test(vol_data, what_the_kubelet_writes)
{
	char id[ID_VOLUME];

	cr_assert_eq(parse("{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"pvc-1\"}\n",
			   id),
		     1);
	cr_assert_str_eq(id, "pvc-1");
	cr_assert_eq(parse("{\"attachmentID\":\"csi-0\",\"driverName\":\"" DRIVER "\","
			   "\"nodeName\":\"n\",\"specVolID\":\"pv-7\",\"volumeHandle\":"
			   "\"Vol-2\",\"volumeLifecycleMode\":\"Persistent\","
			   "\"seLinuxMountContext\":\"\"}",
			   id),
		     1);
	cr_assert_str_eq(id, "Vol-2");
}

Test(vol_data, another_driver_s_is_not_ours)
{
	char id[ID_VOLUME];

	cr_assert_eq(parse("{\"driverName\":\"other\",\"volumeHandle\":\"a/b\"}", id), 0);
	cr_assert_eq(parse("{\"driverName\":\"" DRIVER ".x\"}", id), 0);
}

Test(vol_data, what_cannot_be_understood)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"\"" DRIVER "\"",
		"{}",
		"{\"driverName\":7,\"volumeHandle\":\"a\"}",
		"{\"driverName\":\"" DRIVER "\"}",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":[]}",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"\"}",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"../x\"}",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"a b\"}",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"a\\u0000b\"}",
		"{\"driverName\":\"x\",\"driverName\":\"" DRIVER "\"}",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"a\"}x",
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"a",
	};
	char id[ID_VOLUME], text[256], name[ID_VOLUME + 1];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i], id), -1, "%s", bad[i]);
	memset(name, 'a', ID_VOLUME);
	name[ID_VOLUME] = '\0';
	snprintf(text, sizeof(text), "{\"driverName\":\"%s\",\"volumeHandle\":\"%s\"}",
		 DRIVER, name);
	cr_assert_eq(parse(text, id), -1);
	name[ID_VOLUME - 1] = '\0';
	snprintf(text, sizeof(text), "{\"driverName\":\"%s\",\"volumeHandle\":\"%s\"}",
		 DRIVER, name);
	cr_assert_eq(parse(text, id), 1);
	cr_assert_str_eq(id, name);
}

Test(vol_data, every_allocation_fails)
{
	static const char text[] =
		"{\"driverName\":\"" DRIVER "\",\"volumeHandle\":\"pvc-1\"}";

	T_EACH_ALLOC_FAILS({
		struct err err = { .code = ERR_OK };
		char id[ID_VOLUME];
		int rc = vol_data_parse(text, sizeof(text) - 1, DRIVER, id, &err);

		cr_assert(rc == 1 || (rc == -1 && err.code == ERR_EXHAUSTED), "%d", rc);
		cr_assert_eq(mem_live(), 0);
	});
}
