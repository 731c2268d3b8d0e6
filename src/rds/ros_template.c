#include "rds/ros_template.h"

/* Values:
 *   %I id  %S size, digits  %Z size, quoted  %Q NQN  %W record to write  %o port
 *   %C what the comment must match  %B what it must match once written
 *   %R shapes of the path  %U paths that would be in use
 *   %O pool's slot  %M %N pool's mount point without and with slash  %L Btrfs label
 *   %V subvolume  %F file, as /file names it  %p the reserve, percent
 *   %G our own records  %T part of a list  %K sentinel line
 *   %a %b around the id in a file's path  %q before it in the NQN, %t after it, up to
 *   %r the row's own part of the NQN  %J what the NQN of no other disk may match
 *   %h %m around the nonce of its record  %c its claim, or all behind %m  %e the nonce
 *   that is expected  %x between the ids in the shapes of a path
 *   %X what the NQN must match
 * Locals: v0 subvolume, v1 disk item (of a create: %J), v2 record or path, v3 comment or
 * NQN, v4 pool, v5 row or number, v6 id, v7 size, v8 file, v9 error text. No property
 * bears such a name: inside "where" every property is a variable, so a local of the same
 * name would compare the property with itself and match every disk. */

/* The formatter would lay string literals between macros out one letter a line. */
/* clang-format off */
#define E(stem) "do={:error \"@" stem "\"};"
#define TRY(body) ":onerror v9 in={" body "} do={:put (\"@e \".$v9)};"
#define JSON(tag, what) \
	":put (\"@" tag " \".[:serialize to=json " \
	"options=json.no-string-conversion value=[" what "]]);"
#define ROW(where) \
	JSON("r", "/disk print detail as-value proplist=\"slot,type,file-path,size,comment," \
		  "mounted,mount-filesystem,nvme-tcp-export,nvme-tcp-server-port," \
		  "nvme-tcp-server-nqn\" where " where)
#define POOL_ROW(where) \
	JSON("rc", "/disk print detail as-value " \
		   "proplist=\"slot,fs,fs-label,fs-uuid,mount-point,mounted,size,free\" " \
		   "where mounted and (mount-point=%M or mount-point=%N)" where)
#define END ":put %K"
#define BACK ROW("slot=%I") END

#define SHAPE_OF(id, shapes) \
	":local v1 [/disk find where slot=" id " and type=\"file\"];" \
	":if ([:len $v1] != 1) " E("gone") \
	":local v2 [:tostr [/disk get $v1 file-path]];" \
	":if (!($v2 ~ " shapes ")) " E("shape")
#define SHAPE SHAPE_OF("%I", "%R")
#define CAS_OF(expected) \
	":if (!([:tostr [/disk get $v1 comment]] ~ " expected ")) " E("cas")
#define CAS CAS_OF("%C")
/* Once more right before the write, where other statements came between: a script that
 * the box held up in there must not write over a later one. */
#define STILL_OF(expected) CAS_OF(expected)
#define STILL CAS
#define WRITE_OF(record, written) \
	"/disk/set $v1 comment=" record ";" \
	":if (!([:tostr [/disk get $v1 comment]] ~ " written ")) " E("lost")
#define WRITE WRITE_OF("%W", "%B")
#define PUBLISH(shape, cas, nqn, still, write) \
	TRY(shape cas \
	    ":if ([/disk get $v1 mounted]) " E("mounted") \
	    NO_MOUNT \
	    ":if ([:tostr [/disk get $v1 nvme-tcp-server-nqn]] != " nqn ") " E("nqn") \
	    ":if ([:len [/disk find where nvme-tcp-server-nqn=" nqn "]] != 1) " E("nqn") \
	    still write \
	    ":if (!([/disk get $v1 nvme-tcp-export])) " \
	    "do={/disk/set $v1 nvme-tcp-export=\"yes\"}")
/* Of a disk that another driver added: a set of anything may make the box mount what the
 * node has formatted meanwhile. */
#define NO_MOUNT \
	":if ([/disk get $v1 mount-filesystem]) " \
	"do={/disk/set $v1 mount-filesystem=\"no\"};"
#define OFF \
	"/disk/set $v1 nvme-tcp-export=\"no\";" \
	":if ([/disk get $v1 nvme-tcp-export]) " E("still")
/* Right before the size is set: what others have made larger meanwhile must not become
 * smaller. */
#define SMALLER(disk, size) "([:tonum [/disk get " disk " size]] < " size ")"
#define POOL \
	":local v4 [/disk find where slot=%O and mounted " \
	"and (mount-point=%M or mount-point=%N)];" \
	":if ([:len $v4] != 1) " E("pool")
#define SPACE(n) \
	":if (([:tonum [/disk get $v4 free]] - " n ") < " \
	"([:tonum [/disk get $v4 size]] / 100 * %p)) " E("space")
/* Under any suffix: ids that differ in case alone share all their NQNs but that, and a
 * node takes such sessions for one volume's. */
#define NO_NQN \
	":if ([:len [/disk find where nvme-tcp-server-nqn~$v1]] > 0) " E("nqn")
/* What lies under the name of a disk that is there again is a newer volume's. */
#define NO_DISK ":if ([:len [/disk find where slot=$v6]] > 0) " E("cas")
#define ADD(size) \
	"/disk/add type=\"file\" slot=$v6 file-path=(\"/\".$v8) " size \
	"mount-filesystem=\"no\" nvme-tcp-server-port=%o " \
	"nvme-tcp-server-nqn=$v3 comment=$v2;"

/* Of a create, alone or joined: v6 v7 v8 v1 v3 v2 (and v0) are set before. */
#define ONE \
	":local v6 %I;:local v7 %S;:local v8 %F;:local v1 %J;:local v3 %Q;:local v2 %W;"
#define CREATE(subvolume) \
	TRY(":if ([:len [/disk find where slot=$v6]] = 0) do={" \
	    POOL SPACE("$v7") NO_NQN subvolume \
	    ":if ([:len [/file find where name=$v8]] > 0) " E("leftover") \
	    ADD("file-size=$v7 ") "}")
#define SUBVOLUME \
	":if ([:len [/disk/btrfs/subvolume find where fs=%L and name=$v0]] = 0) " \
	"do={/disk/btrfs/subvolume/add fs=%L name=$v0};"

const char *const ros_templates[ROS_T_N] = {
	[ROS_T_GET] = BACK,

	[ROS_T_LIST] =
		":local v1 [:len [/disk find where type=\"file\" and comment~%G]];"
		":put (\"@n \".$v1);"
		":if ($v1 <= %S) do={" ROW("type=\"file\" and comment~%G") "};"
		END,

	[ROS_T_LIST_PART] =
		ROW("type=\"file\" and comment~%G and slot~%T")
		END,

	[ROS_T_CAPACITY] = POOL_ROW(" and slot=%O") END,

	/* The menu of Btrfs comes last: on a box without the package it is a bad command
	 * name, which ends the line there and cannot be caught. */
	[ROS_T_PROBE] =
		":put (\"@v \".[/system/resource get version]);"
		JSON("rb", "/system/package print detail as-value "
			   "proplist=\"name,version,disabled\"")
		POOL_ROW("")
		JSON("rd", "/disk/btrfs/subvolume print detail as-value "
			   "proplist=\"fs,name,fullname,path,mounted\" where mounted")
		END,

	/* What is surest comes first: a word that this version does not know ends the line
	 * there. Without once, monitor-traffic never ends. */
	[ROS_T_FIGURES] =
		POOL_ROW("")
		JSON("re", "/disk print detail as-value proplist=\"slot,state,raid-member,"
			   "raid-member-failed,temperature,percentage-used,available-spare,"
			   "critical-warning,io-errors,unrecovered-integrity-errors\" "
			   "where type!=\"file\"")
		TRY(JSON("rf", "/system/health print as-value"))
		":local v1 [/disk find where mounted and (mount-point=%M or mount-point=%N)];"
		":if ([:len $v1] > 0) do={"
		TRY(JSON("rg", "/disk monitor-traffic ($v1->0) once as-value "
			       "proplist=\"read-ops-per-second,write-ops-per-second,read-rate,"
			       "write-rate,read-time,write-time,wait-time,in-flight-ops,"
			       "active-time\""))
		"};"
		END,

	[ROS_T_CREATE_SUBVOLUME] = ONE ":local v0 %V;" CREATE(SUBVOLUME) BACK,
	[ROS_T_CREATE_FILE] = ONE CREATE("") BACK,

	[ROS_T_ADOPT] =
		ONE
		TRY(POOL NO_NQN
		    ":if ([:len [/disk find where file-path~%U]] > 0) " E("inuse")
		    ":local v5 [:tonum [/file get $v8 size]];"
		    ":if ($v5 > $v7) " E("larger")
		    SPACE("($v7 - $v5)")
		    ADD("")
		    ":local v0 [/disk find where slot=$v6];"
		    ":if (($v5 < $v7) and " SMALLER("$v0", "$v7") ") "
		    "do={/disk/set $v0 file-size=$v7}")
		BACK,

	[ROS_T_PUBLISH] = PUBLISH(SHAPE, CAS, "%Q", STILL, WRITE) BACK,

	[ROS_T_UNPUBLISH] = TRY(SHAPE CAS WRITE) BACK,
	[ROS_T_UNPUBLISH_OFF] = TRY(SHAPE CAS OFF STILL WRITE) BACK,
	[ROS_T_FENCE_BEGIN] = TRY(SHAPE CAS WRITE OFF) BACK,

	[ROS_T_FENCE_FINISH] =
		TRY(SHAPE CAS
		    ":if ([/disk get $v1 nvme-tcp-export]) " E("still")
		    ":if ([:len [/disk find where nvme-tcp-server-nqn=%Q and slot!=%I]] > 0) "
		    E("nqn")
		    STILL "/disk/set $v1 nvme-tcp-server-nqn=%Q;"
		    ":if ([:tostr [/disk get $v1 nvme-tcp-server-nqn]] != %Q) " E("lost")
		    STILL WRITE)
		BACK,

	/* The record goes first: from its nonce on no script that was held up gives the
	 * volume to anybody, and nobody holds it while it changes its name. */
	[ROS_T_EXPORT] =
		TRY(SHAPE CAS
		    ":if ([/disk get $v1 nvme-tcp-export]) " E("still")
		    ":if ([/disk get $v1 mounted]) " E("mounted")
		    NO_MOUNT
		    ":if ([:len [/disk find where nvme-tcp-server-nqn=%Q and slot!=%I]] > 0) "
		    E("nqn")
		    STILL WRITE
		    "/disk/set $v1 nvme-tcp-server-nqn=%Q;"
		    ":if ([:tostr [/disk get $v1 nvme-tcp-server-nqn]] != %Q) " E("lost")
		    STILL_OF("%B")
		    "/disk/set $v1 nvme-tcp-export=\"yes\"")
		BACK,

	[ROS_T_GROW] =
		TRY(SHAPE CAS
		    ":local v5 [:tonum [/disk get $v1 size]];"
		    ":if ($v5 < %S) do={" POOL SPACE("(%S - $v5)")
		    ":if (!([/disk get $v1 mounted])) do={" NO_MOUNT "};"
		    ":if " SMALLER("$v1", "%S") " do={/disk/set $v1 file-size=%Z}}")
		BACK,

	/* Mounted, the box has the file system's blocks in its own hands, and unmounting
	 * writes them: never under a holder. */
	[ROS_T_NO_MOUNT] =
		TRY(SHAPE
		    ":local v3 [:tostr [/disk get $v1 comment]];"
		    ":if (!($v3 ~ %G)) " E("foreign")
		    ":if ([/disk get $v1 mounted] and !($v3 ~ %C)) " E("held")
		    NO_MOUNT
		    ":if ([/disk get $v1 mount-filesystem]) " E("still")
		    ":if ([/disk get $v1 mounted]) " E("mounted"))
		BACK,

	/* Delete is put together from these: the head, one path for each place a file may
	 * have (always more than one, or the braces would be a block), and the rest. */
	[ROS_T_DELETE_HEAD] =
		":local v6 %I;:local v0 (\"vol-\".$v6);:local v8 {(%a.$v6.%b)",
	[ROS_T_DELETE_PATH] = ";(%a.$v6.%b)",
	[ROS_T_DELETE_ITEM] =
		"};:onerror v9 in={" POOL
		":local v1 [/disk find where slot=$v6];"
		":if ([:len $v1] > 0) do={"
		":if ([:len [/disk find where slot=$v6 and type=\"file\"]] != 1) " E("shape")
		":local v2 [:tostr [/disk get $v1 file-path]];"
		":if (!($v2 ~ %R)) " E("shape")
		":local v3 [:tostr [/disk get $v1 comment]];"
		":if (!($v3 ~ %G)) " E("foreign")
		":if (!($v3 ~ %C)) " E("cas")
		":if (!([:tostr [/disk get $v1 nvme-tcp-server-nqn]] ~ %X)) " E("cas")
		":if ([/disk get $v1 mounted]) " E("mounted")
		OFF STILL
		"/disk/remove $v1};"
		":if ([:len [/disk find where slot=$v6]] > 0) " E("still")
		":if ([:len [/disk find where file-path~%U]] > 0) " E("inuse"),
	[ROS_T_DELETE_SUBVOLUME] =
		":local v5 [/disk/btrfs/subvolume find where fs=%L and name=$v0 and !dead];"
		":if ([:len $v5] > 1) " E("shape")
		":if ([:len $v5] = 1) do={" NO_DISK "/disk/btrfs/subvolume/remove $v5};",
	[ROS_T_DELETE_FILES] =
		":foreach v5 in=$v8 do={"
		":local v4 [/file find where name=$v5];"
		":if ([:len $v4] = 1) do={" NO_DISK "/file/remove $v4}}"
		"} do={:put (\"@e \".$v9)};"
		":local v7 [:len [/disk find where slot=$v6]];",
	[ROS_T_COUNT_SUBVOLUME] =
		":set v7 ($v7 + [:len [/disk/btrfs/subvolume find where fs=%L and name=$v0 "
		"and !dead]]);",
	[ROS_T_COUNT_FILES] =
		":foreach v5 in=$v8 do={:set v7 ($v7 + [:len [/file find where name=$v5]])};"
		":put (\"@n \".$v7);"
		ROW("slot=$v6")
		END,

	/* Joined creates. The dummy first element keeps a lone row from being a block. */
	[ROS_T_JOINED_HEAD] = ":foreach v5 in={\"-\"",
	[ROS_T_JOINED_ROW] = ";{%I;%S;%W;%c;%r}",
	[ROS_T_JOINED_BODY] =
		"} do={:if ([:typeof $v5] = \"array\") do={"
		":local v6 ($v5->0);:local v7 ($v5->1);:local v8 (%a.$v6.%b);"
		":local v3 (%q.$v6);:local v1 (\"^\".$v3.\"([.]g|\\$)\");"
		":set v3 ($v3.%t.($v5->4));:local v2 (%h.($v5->2).%m.($v5->3));",
	[ROS_T_JOINED_SUBVOLUME] = ":local v0 (\"vol-\".$v6);" CREATE(SUBVOLUME),
	[ROS_T_JOINED_FILE] = CREATE(""),
	/* Joined publishes: v7 what the comment must match, v0 what it must match once
	 * written, v8 the NQN, v4 the shapes of the path. */
	[ROS_T_JOINED_PUBLISH_ROW] = ";{%I;%e;%W;%c;%Q}",
	[ROS_T_JOINED_PUBLISH] =
		"} do={:if ([:typeof $v5] = \"array\") do={"
		":local v6 ($v5->0);:local v7 (%B.($v5->1).%m);"
		":local v0 (%B.($v5->2).\" \");:local v8 ($v5->4);",
	[ROS_T_JOINED_SHAPE] = ":local v4 (%x.$v6",
	[ROS_T_JOINED_SHAPE_MORE] = ".%x.$v6",
	[ROS_T_JOINED_SHAPE_END] = ".%x);",
	[ROS_T_JOINED_PUBLISH_ONE] =
		PUBLISH(SHAPE_OF("$v6", "$v4"), CAS_OF("$v7"), "$v8", STILL_OF("$v7"),
			WRITE_OF("(%h.($v5->2).%m.($v5->3))", "$v0")),
	[ROS_T_JOINED_TAIL] = ROW("slot=$v6") ":put (\"@i \".$v6)}};" END,

	/* One look at the box (look_ask.h): %c is our user, %F a directory. */
	[ROS_T_LOOK_SYSTEM] =
		":put (\"@v \".[/system/resource get version]);"
		JSON("rb", "/system/package print detail as-value "
			   "proplist=\"name,version,disabled\""),
	[ROS_T_LOOK_RIGHTS] =
		":local v1 [/user find where name=%c];"
		":if ([:len $v1] = 1) do={"
		":local v2 [/user get $v1 group];"
		":local v3 [/user/group find where name=$v2];"
		":put (\"@rh \".[:serialize to=json options=json.no-string-conversion "
		"value={\"group\"=$v2;\"policy\"=[:tostr [/user/group get $v3 policy]]}])};",
	[ROS_T_LOOK_NVME_TCP] =
		JSON("ri", "/disk print detail as-value proplist=\"slot,nvme-tcp-export,"
			   "nvme-tcp-server-port,nvme-tcp-server-nqn\" where slot=\"-\"")
		":put (\"@n \".[:len [/disk find where nvme-tcp-export "
		"and nvme-tcp-server-port=%o]]);",
	[ROS_T_LOOK_POOL] = POOL_ROW(""),
	[ROS_T_LOOK_BTRFS] =
		JSON("rd", "/disk/btrfs/subvolume print detail as-value "
			   "proplist=\"fs,name,fullname,path,mounted\" where mounted"),
	[ROS_T_LOOK_DIRECTORY] = ":put (\"@n \".[:len [/file find where name=%F]]);",
	[ROS_T_LOOK_MOUNTS] =
		JSON("rj", "/disk print detail as-value "
			   "proplist=\"slot,mounted,mount-filesystem\" "
			   "where type=\"file\" and (mount-filesystem or mounted) "
			   "and (comment~%G or file-path~%R)"),
	[ROS_T_LOOK_END] = END,
};
/* clang-format on */
