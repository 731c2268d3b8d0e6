#ifndef RDS_ROS_TEMPLATE_H
#define RDS_ROS_TEMPLATE_H

/* The fixed texts of all scripts, with %letters for the values (ros_text.h). A test reads
 * each of them for the two traps of "where" and "find". */
enum ros_template {
	ROS_T_GET,
	ROS_T_LIST,
	ROS_T_LIST_PART,
	ROS_T_CAPACITY,
	ROS_T_PROBE,
	ROS_T_CREATE_SUBVOLUME,
	ROS_T_CREATE_FILE,
	ROS_T_ADOPT,
	ROS_T_PUBLISH,
	ROS_T_UNPUBLISH,
	ROS_T_UNPUBLISH_OFF,
	ROS_T_FENCE_BEGIN,
	ROS_T_FENCE_FINISH,
	ROS_T_GROW,
	ROS_T_DELETE_HEAD,
	ROS_T_DELETE_PATH,
	ROS_T_DELETE_ITEM,
	ROS_T_DELETE_SUBVOLUME,
	ROS_T_DELETE_FILES,
	ROS_T_COUNT_SUBVOLUME,
	ROS_T_COUNT_FILES,
	ROS_T_JOINED_HEAD,
	ROS_T_JOINED_ROW,
	ROS_T_JOINED_BODY,
	ROS_T_JOINED_SUBVOLUME,
	ROS_T_JOINED_FILE,
	ROS_T_JOINED_TAIL,
	ROS_T_N
};

extern const char *const ros_templates[ROS_T_N];
#endif
