#ifndef METRICS_MEASURED_H
#define METRICS_MEASURED_H

/* What the storage box measures, as a list: X(id, name, labels, help). The registry makes
 * the ids of it, the table the rows. All are gauges of the controller with a collector;
 * each is absent while its figure is not known, or was read too long ago. The names of
 * the Go driver's rds_disk_* and rds_hardware_* are kept. */
#define MEASURED_LABEL(name) \
	{                    \
		name, 0, 0   \
	}
#define MEASURED_NONE MEASURED_LABEL(0)
#define MEASURED_SLOT MEASURED_LABEL("slot")

/* clang-format off */
#define METRICS_MEASURED(X) \
	X(FIGURES_TIME, "rds_csi_rds_figures_timestamp_seconds", MEASURED_NONE, \
	  "When the figures of rds_disk_* and rds_hardware_* were last read, seconds since 1970.") \
	/* in the order of enum figures_traffic */ \
	X(DISK_READ_OPS, "rds_disk_read_ops_per_second", MEASURED_SLOT, "Reads of the pool.") \
	X(DISK_WRITE_OPS, "rds_disk_write_ops_per_second", MEASURED_SLOT, "Writes to the pool.") \
	X(DISK_READ_BYTES, "rds_disk_read_bytes_per_second", MEASURED_SLOT, \
	  "Bytes read from the pool.") \
	X(DISK_WRITE_BYTES, "rds_disk_write_bytes_per_second", MEASURED_SLOT, \
	  "Bytes written to the pool.") \
	X(DISK_READ_LATENCY, "rds_disk_read_latency_milliseconds", MEASURED_SLOT, \
	  "The read-time that the box tells of the pool.") \
	X(DISK_WRITE_LATENCY, "rds_disk_write_latency_milliseconds", MEASURED_SLOT, \
	  "The write-time that the box tells of the pool.") \
	X(DISK_WAIT_LATENCY, "rds_disk_wait_latency_milliseconds", MEASURED_SLOT, \
	  "The wait-time that the box tells of the pool.") \
	X(DISK_IN_FLIGHT, "rds_disk_in_flight_operations", MEASURED_SLOT, \
	  "Requests that the pool has not answered yet.") \
	X(DISK_ACTIVE, "rds_disk_active_time_milliseconds", MEASURED_SLOT, \
	  "The active-time that the box tells of the pool.") \
	/* in the order of enum figures_drive */ \
	X(DISK_CELSIUS, "rds_disk_temperature_celsius", MEASURED_SLOT, \
	  "Temperature of a drive.") \
	X(DISK_USED, "rds_disk_life_used_percent", MEASURED_SLOT, \
	  "Life that a drive has used up by its own account; may exceed 100.") \
	X(DISK_SPARE, "rds_disk_available_spare_percent", MEASURED_SLOT, \
	  "Spare blocks that a drive has left.") \
	X(DISK_IO_ERRORS, "rds_disk_io_errors", MEASURED_SLOT, \
	  "Failed requests of a disk, as the box counts them.") \
	X(DISK_INTEGRITY_ERRORS, "rds_disk_unrecovered_integrity_errors", MEASURED_SLOT, \
	  "Blocks that a drive could not read back.") \
	X(DISK_WARNING, "rds_disk_critical_warning", MEASURED_SLOT, \
	  "1 while a drive warns of itself, else 0.") \
	X(DISK_FAILED, "rds_disk_raid_member_failed", MEASURED_SLOT, \
	  "1 when its RAID has given this member up, else 0.") \
	X(DISK_RAID_STATE, "rds_disk_raid_state", \
	  MEASURED_SLOT MEASURED_AND MEASURED_LABEL("state"), \
	  "Always 1; the state of a RAID is the label: clean when all is well.") \
	/* sensors */ \
	X(CPU_CELSIUS, "rds_hardware_cpu_temperature_celsius", MEASURED_NONE, \
	  "The sensor cpu-temperature.") \
	X(BOARD_CELSIUS, "rds_hardware_board_temperature_celsius", MEASURED_NONE, \
	  "The sensor board-temperature1.") \
	X(FAN1, "rds_hardware_fan1_speed_rpm", MEASURED_NONE, "The sensor fan1-speed.") \
	X(FAN2, "rds_hardware_fan2_speed_rpm", MEASURED_NONE, "The sensor fan2-speed.") \
	X(PSU1_WATTS, "rds_hardware_psu1_power_watts", MEASURED_NONE, "The sensor psu1-power.") \
	X(PSU2_WATTS, "rds_hardware_psu2_power_watts", MEASURED_NONE, "The sensor psu2-power.") \
	X(PSU1_CELSIUS, "rds_hardware_psu1_temperature_celsius", MEASURED_NONE, \
	  "The sensor psu1-temperature.") \
	X(PSU2_CELSIUS, "rds_hardware_psu2_temperature_celsius", MEASURED_NONE, \
	  "The sensor psu2-temperature.") \
	X(POOL_SIZE, "rds_hardware_disk_pool_size_bytes", MEASURED_NONE, "Size of the pool.") \
	X(POOL_USED, "rds_hardware_disk_pool_used_bytes", MEASURED_NONE, \
	  "What of the pool is in use.") \
	X(SENSOR, "rds_hardware_sensor", \
	  MEASURED_LABEL("name") MEASURED_AND MEASURED_LABEL("unit"), \
	  "Every sensor with a number, under the box's own name for it.") \
	X(SENSOR_STATE, "rds_hardware_sensor_state", \
	  MEASURED_LABEL("name") MEASURED_AND MEASURED_LABEL("state"), \
	  "Always 1; what a sensor says in words is the label: ok when all is well.")
#define MEASURED_AND ,
/* clang-format on */
#endif
