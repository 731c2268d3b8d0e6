#include "csi/node/vol_data.h"

#include <string.h>

#include "core/json.h"

static int read_handle(const json_t *v, const char *driver, char ret_id[ID_VOLUME],
		       struct err *err)
{
	const char *name = json_get_str(v, "driverName");
	const char *handle = json_get_str(v, "volumeHandle");

	if (!json_is_object(v) || !name)
		return err_set(err, ERR_INVALID, "no driverName in it");
	if (strcmp(name, driver) != 0)
		return 0;
	if (!handle || !id_is_volume(handle))
		return err_set(err, ERR_INVALID, "its volumeHandle is no volume id");
	memcpy(ret_id, handle, strlen(handle) + 1);
	return 1;
}

int vol_data_parse(const char *text, size_t n, const char *driver, char ret_id[ID_VOLUME],
		   struct err *err)
{
	json_t *v = json_parse(text, n, err);
	int rc;

	if (!v)
		return -1;
	rc = read_handle(v, driver, ret_id, err);
	json_decref(v);
	return rc;
}
