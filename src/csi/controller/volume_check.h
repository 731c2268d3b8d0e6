#ifndef CSI_CONTROLLER_VOLUME_CHECK_H
#define CSI_CONTROLLER_VOLUME_CHECK_H
#include "core/err.h"
#include "rds/rds.h"

/* Whether a disk that the box shows is a volume at all. A static PV may bear any handle,
 * "raid1" or another tenant's disk: such a disk is FAILED_PRECONDITION and stays
 * untouched. Pure; the scripts on the box demand the same once more. */
int volume_check_shape(const struct rds_volume *v, struct err *err);
/* And whose: RDS_RECORD_OURS, or no record where such may be adopted. */
int volume_check_ours(const struct rds_volume *v, bool may_adopt, struct err *err);
#endif
