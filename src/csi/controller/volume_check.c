#include "csi/controller/volume_check.h"

int volume_check_shape(const struct rds_volume *v, struct err *err)
{
	if (!v->is_file_disk || v->layout == RDS_LAYOUT_AUTO)
		return err_set(err, ERR_PRECONDITION,
			       "disk %s is no volume of this driver: not a file disk at "
			       "a volume's place",
			       v->id);
	return 0;
}

int volume_check_ours(const struct rds_volume *v, bool may_adopt, struct err *err)
{
	if (volume_check_shape(v, err))
		return -1;
	if (v->record.kind == RDS_RECORD_OURS ||
	    (v->record.kind == RDS_RECORD_NONE && may_adopt))
		return 0;
	return err_set(err, ERR_PRECONDITION, "disk %s %s", v->id,
		       v->record.kind == RDS_RECORD_NONE
			       ? "bears no record of this driver"
		       : v->record.kind == RDS_RECORD_FOREIGN
			       ? "belongs to another cluster id"
			       : "bears a comment that is no record");
}
