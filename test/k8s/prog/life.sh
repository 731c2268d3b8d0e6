# A volume's whole life: see ../lives.sh.
. "$(dirname "$0")/../scene.sh"
. "$(dirname "$0")/../lives.sh"

t_mount_immediate() { life rds Filesystem; }
t_mount_late() { life rds-late Filesystem; }
t_block_immediate() { life rds Block; }
t_block_late() { life rds-late Block; }
scenario at-once
check all_is_empty
