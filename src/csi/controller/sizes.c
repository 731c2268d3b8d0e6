#include "csi/controller/sizes.h"

#include <inttypes.h>

int sizes_pick(const Csi__V1__CapacityRange *range, uint64_t *ret_bytes, struct err *err)
{
	int64_t required = range ? range->required_bytes : 0;
	int64_t limit = range ? range->limit_bytes : 0;
	uint64_t bytes;

	if (required < 0 || limit < 0)
		return err_set(err, ERR_INVALID, "capacity_range is negative");
	if ((uint64_t)required > SIZES_MAX)
		return err_set(err, ERR_RANGE,
			       "%" PRId64 " bytes are more than the maximum of 16 TiB",
			       required);
	bytes = ((uint64_t)required + SIZES_STEP - 1) & ~(SIZES_STEP - 1);
	if (bytes < SIZES_MIN)
		bytes = SIZES_MIN;
	if (limit && bytes > (uint64_t)limit)
		return err_set(err, ERR_RANGE,
			       "limit_bytes %" PRId64 " is below the %" PRIu64
			       " bytes that the volume would have",
			       limit, bytes);
	*ret_bytes = bytes;
	return 0;
}

bool sizes_fit(const Csi__V1__CapacityRange *range, uint64_t existing_bytes)
{
	if (!range)
		return true;
	return existing_bytes >= (uint64_t)range->required_bytes &&
	       (!range->limit_bytes || existing_bytes <= (uint64_t)range->limit_bytes);
}
