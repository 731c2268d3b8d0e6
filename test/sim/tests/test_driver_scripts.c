/* The scripts that a driver sends, written out by hand, and the plain commands of another
 * driver: what they print and what they leave behind. */
#include "sim/tests/t_sim.h"

#define ID "pvc-0a1b2c3d-4e5f-6789-abcd-ef0123456789"
#undef NQN
#define BASE "nqn.2000-02.com.mikrotik:" ID
#define NQN BASE ".g0-7be1039c"
#define FILEP "/storage-pool/vol-" ID "/volume.img"
#define FLAT "/storage-pool/metal-csi/" ID ".img"

#define E(x) " do={:error \"@" x "\"}"
#define SHAPE                                                             \
	":local v1 [/disk find where slot=\"" ID "\" and type=\"file\"];" \
	":if ([:len $v1] != 1)" E(                                        \
		"gone") ";"                                               \
			":local v2 [:tostr [/disk get $v1 file-path]];"   \
			":if (!($v2 ~ \"^/?(storage-pool/vol-" ID         \
			"/volume|storage-pool/metal-csi/" ID ")[.]img\\$\"))" E("shape")
#define CAS(n)                                        \
	":local v3 [:tostr [/disk get $v1 comment]];" \
	":if (!($v3 ~ \"^rds-csi:1 " n " c=c1 \"))" E("cas")
#define BACK(n) \
	":if (!([:tostr [/disk get $v1 comment]] ~ \"^rds-csi:1 " n " \"))" E("lost")
#define OFF                                                                             \
	"/disk/set $v1 nvme-tcp-export=\"no\";:if ([/disk get $v1 nvme-tcp-export])" E( \
		"still")
#define PO                                                                       \
	":local v4 [/disk find where mount-point=\"storage-pool\" and mounted];" \
	":if ([:len $v4] != 1)" E("pool")
#define SP(x)                                      \
	":if (([:tonum [/disk get $v4 free]] - " x \
	") < ([:tonum [/disk get $v4 size]] / "    \
	"20))" E("space")
#define NQ                                   \
	":local v7 \"^" BASE "([.]g|\\$)\";" \
	":if ([:len [/disk find where nvme-tcp-server-nqn~$v7]] > 0)" E("nqn")
#define RD                                                                             \
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "         \
	"value=[/disk "                                                                \
	"print detail as-value "                                                       \
	"proplist=\"slot,type,file-path,size,comment,mounted,mount-"                   \
	"filesystem,nvme-tcp-export,nvme-tcp-server-port,nvme-tcp-server-nqn\" where " \
	"slot=\"" ID "\"]])"
#define TRY(b) ":onerror v9 in={" b "} do={:put (\"@e \".$v9)}"
#define RB ";" RD ";:put \"@ok n1\""
#define REC(n, s, h) "rds-csi:1 " n " c=c1 g=0 s=" s " h=" h " b=0 q=default/data"
#define SIZE "1073741824"

#define ADD(path)                                                   \
	"/disk/add type=\"file\" slot=\"" ID "\" file-path=\"" path \
	"\" file-size=\"" SIZE                                      \
	"\" mount-filesystem=\"no\" nvme-tcp-server-port=\"4420\" " \
	"nvme-tcp-server-nqn=\"" NQN "\" comment=\"" REC("aaaa0000", "ok", "-") "\""

static const char create[] = TRY(
	":if ([:len [/disk find where slot=\"" ID "\"]] = 0) do={" PO
	";" SP(SIZE) ";" NQ ";"
		     ":if ([:len [/disk/btrfs/subvolume find where fs=\"pool\" and "
		     "name=\"vol-" ID
		     "\"]] = 0) do={/disk/btrfs/subvolume/add fs=\"pool\" name=\"vol-" ID
		     "\"};"
		     ":if ([:len [/file find where name=\"storage-pool/vol-" ID
		     "/volume.img\"]] > 0)" E("leftover") ";" ADD(FILEP) "}") RB;

static const char create_flat[] =
	TRY(":if ([:len [/disk find where slot=\"" ID "\"]] = 0) do={" PO
	    ";" SP(SIZE) ";" NQ ";"
			 ":if ([:len [/file find where name=\"storage-pool/metal-csi/" ID
			 ".img\"]] > 0)" E("leftover") ";" ADD(FLAT) "}") RB;

static const char publish[] =
	TRY(SHAPE ";" CAS("aaaa0000") ";:if ([/disk get $v1 mounted])" E(
		"mounted") ";"
			   ":if ([/disk get $v1 nvme-tcp-server-nqn] != \"" NQN
			   "\")" E("nqn") ";"
					  ":if ([:len [/disk find where "
					  "nvme-tcp-server-nqn=\"" NQN "\"]] != 1)" E(
						  "nqn") ";"
							 "/disk/set $v1 "
							 "comment=\"" REC("bbbb0000", "ok", "node-1/w") "\";" BACK(
								 "bbbb0000") ";"
									     ":if "
									     "(!([/"
									     "disk "
									     "get "
									     "$v1 "
									     "nvme-"
									     "tcp-"
									     "export]"
									     ")) "
									     "do={/"
									     "disk/"
									     "set "
									     "$v1 "
									     "nvme-"
									     "tcp-"
									     "export="
									     "\"yes\""
									     "}") RB;

static const char unpublish[] =
	TRY(SHAPE ";" CAS("bbbb0000") ";" OFF ";/disk/set $v1 comment=\"" REC(
		"cccc0000", "ok", "-") "\";" BACK("cccc0000")) RB;

static const char fence1[] =
	TRY(SHAPE ";" CAS("bbbb0000") ";/disk/set $v1 comment=\"" REC(
		"dddd0000", "fencing", "node-1/w") "\";" BACK("dddd0000") ";" OFF) RB;

static const char fence2[] =
	TRY(SHAPE ";" CAS("dddd0000") ";:if ([/disk get $v1 nvme-tcp-export])" E(
		"still") ";/disk/set $v1 nvme-tcp-server-nqn=\"" BASE ".g1-5e9a01cc\";"
			 ":if ([/disk get $v1 nvme-tcp-server-nqn] != \"" BASE
			 ".g1-5e9a01cc\")" E("lost") ";/disk/set $v1 comment=\"" REC(
				 "eeee0000", "ok", "-") "\";" BACK("eeee0000")) RB;

static const char grow[] = TRY(SHAPE ";" CAS(
	"[0-9a-f]+") ";:local v5 [:tonum [/disk get $v1 size]];:if ($v5 < 2147483648) "
		     "do={" PO ";" SP("(2147483648 - $v5)") ";/disk/set $v1 "
							    "file-size=\"2147483648\"}")
	RB;

static const char delete_[] = TRY(
	":if ([:len [/disk find where slot=\"" ID "\"]] > 0) do={" SHAPE ";"
	":local v3 [:tostr [/disk get $v1 comment]];"
	":if (!($v3 ~ \"^rds-csi:1 [0-9a-f]+ c=c1 g=[0-9]+ s=ok h=- \"))" E(
		"held") ";" OFF ";/disk/remove $v1};"
			":if ([:len [/disk find where file-path~\"^/?storage-pool/vol-" ID
			"/\"]] > 0)" E(
				"inuse") ";"
					 "/disk/btrfs/subvolume/remove [find where "
					 "fs=\"pool\" and name=\"vol-" ID "\"];"
					 "/file/remove [find where "
					 "name=\"storage-pool/metal-csi/" ID
					 ".img\"]") ";:put (\"@n \".[:len [/disk find "
						    "where slot=\"" ID "\"]].\",\"."
						    "[:len [/disk/btrfs/subvolume find "
						    "where name=\"vol-" ID
						    "\" and !dead]].\",\"."
						    "[:len [/file find where "
						    "name=\"storage-pool/metal-csi/" ID
						    ".img\"]]);:put \"@ok n1\"";

static const char list[] =
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
	"value=[/disk print "
	"detail as-value proplist=\"slot,file-path,size,comment,nvme-tcp-export\" where "
	"type=\"file\" and comment~\"^rds-csi:1 [0-9a-f]+ c=c1 \"]]);:put \"@ok n1\"";

static const char probe[] =
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
	"value=[/disk print "
	"detail as-value proplist=\"slot,type,fs,fs-label,fs-uuid,size,free,mounted,"
	"mount-point,state\" where mount-point=\"storage-pool\"]]);"
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
	"value=[/system/resource print as-value]]);"
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
	"value=[/system/package print as-value proplist=\"name,version,disabled\"]]);"
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
	"value=[/disk/btrfs/filesystem print detail as-value]]);"
	":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
	"value=[/disk/btrfs/subvolume print detail as-value where name=\"<FS_ROOT>\"]]);"
	":put \"@ok n1\"";

static void expect_history(struct t_box *t, const char *const *want)
{
	struct sb text = { 0 };
	const char *at;

	box_history_write(t->box, &text, 0);
	at = text.p ? text.p : "";
	for (; *want; want++) {
		const char *found = strstr(at, *want);

		cr_expect(found != NULL, "%s does not follow in\n%s", *want, at);
		if (found)
			at = found;
	}
	sb_fini(&text);
}

static void new_volume(struct t_box *t)
{
	t_open(t);
	t_has(t, create, "@ok n1");
}

Test(driver_scripts, create_in_a_subvolume)
{
	struct t_box t;
	struct disk *d;

	t_open(&t);
	t_is(&t, create,
	     "@r [{\".id\":\"*6\",\"comment\":\"" REC(
		     "aaaa0000", "ok",
		     "-") "\",\"file-path\":"
			  "\"" FILEP "\",\"mount-filesystem\":false,\"mounted\":false,"
			  "\"nvme-tcp-export\":"
			  "false,\"nvme-tcp-server-nqn\":\"" NQN
			  "\",\"nvme-tcp-server-port\":4420,\"size\":"
			  "1073741824,\"slot\":\"" ID "\",\"type\":\"file\"}]\n@ok n1\n");
	d = box_disk_by_slot(t.box, ID);
	cr_assert_not_null(d);
	/* Again: the same answer and nothing new. */
	t_has(&t, create, "@ok n1");
	cr_expect_eq(t.box->n_disks, 6u);
	t_close(&t);
}

Test(driver_scripts, create_meets_a_leftover_or_no_space)
{
	struct t_box t;

	new_volume(&t);
	t_is(&t, "/disk remove " ID, "");
	t_is(&t, create, "@e @leftover (:error; line 1)\n@r []\n@ok n1\n");
	t_close(&t);
	t_open(&t);
	t.box->no_space = true;
	t_is(&t, create, "@e @space (:error; line 1)\n@r []\n@ok n1\n");
	t_close(&t);
}

Test(driver_scripts, create_flat)
{
	struct t_box t;

	t_open(&t);
	t_has(&t, create_flat, "\"file-path\":\"" FLAT "\"");
	t_has(&t, grow, "\"size\":2147483648");
	t_is(&t, delete_, "@n 0,0,0\n@ok n1\n");
	cr_expect_eq(t.box->charged, 0u);
	t_close(&t);
}

Test(driver_scripts, publish_and_unpublish)
{
	static const char *const order[] = {
		"\"op\":\"add\"",
		"node-1/w",
		"\"prop\":\"nvme-tcp-export\",\"old\":\"no\"",
		"\"prop\":\"nvme-tcp-export\",\"old\":\"yes\"",
		"rds-csi:1 cccc0000",
		NULL
	};
	struct t_box t;

	new_volume(&t);
	t_has(&t, publish, "\"nvme-tcp-export\":true");
	t_has(&t, publish, "@e @cas (:error; line 1)");
	t_has(&t, unpublish, "\"nvme-tcp-export\":false");
	t_has(&t, unpublish, "@e @cas");
	expect_history(&t, order);
	t_close(&t);
}

Test(driver_scripts, fence)
{
	struct t_box t;

	new_volume(&t);
	t_has(&t, publish, "\"nvme-tcp-export\":true");
	t_has(&t, fence1, "s=fencing");
	cr_expect_not(box_disk_by_slot(t.box, ID)->is_exported);
	t_has(&t, fence2, "\"nvme-tcp-server-nqn\":\"" BASE ".g1-5e9a01cc\"");
	t_has(&t, fence2, "@e @cas");
	t_close(&t);
}

Test(driver_scripts, grow_and_delete)
{
	struct t_box t;

	new_volume(&t);
	t_has(&t, grow, "\"size\":2147483648");
	t_has(&t, grow, "\"size\":2147483648");
	t_has(&t, publish, "@ok n1");
	t_has(&t, delete_, "@e @held");
	t_has(&t, unpublish, "@ok n1");
	t_is(&t, delete_, "@n 0,0,0\n@ok n1\n");
	t_is(&t, delete_, "@n 0,0,0\n@ok n1\n");
	t_has(&t, publish, "@e @gone");
	cr_expect_eq(t.box->charged, 0u);
	cr_expect_eq(t.box->n_subvols, 0u);
	t_close(&t);
}

Test(driver_scripts, foreign_items_stay_as_they_are)
{
	struct t_box t;

	new_volume(&t);
	t_is(&t, "/disk set " ID " comment=\"somebody else's\"", "");
	t_has(&t, publish, "@e @cas");
	t_has(&t, delete_, "@e @held");
	t_close(&t);
}

Test(driver_scripts, list_and_probe)
{
	struct t_box t;

	new_volume(&t);
	t_has(&t, list, "\"slot\":\"" ID "\"");
	t_has(&t, probe, "\"fs-label\":\"pool\"");
	t_has(&t, probe, "\"version\":\"7.24 (stable)\"");
	t_has(&t, probe, "\"name\":\"rose-storage\"");
	t_has(&t, probe, "\"uuid\":\"7f0a3c52-9a11-4be4-8d0e-5c1d5b7f2e10\"");
	t_has(&t, probe, "\"mounted\":true,\"mountpoint\":\"storage-pool\"");
	t_has(&t, probe, "@ok n1");
	t_close(&t);
}

/* Rows in an array that a dummy string leads, one shared body, one answer each. */
Test(driver_scripts, joined_creates)
{
	static const char joined[] =
		":foreach r in={\"\";{\"a1\";1048576;\"n1\"};{\"a2\";1048576;\"n2\"}} "
		"do={"
		":if ([:typeof $r] = \"array\") do={"
		":local q ($r->0);:local z ($r->1);"
		":onerror v9 in={:if ([:len [/disk find where slot=$q]] = 0) do={"
		"/disk/btrfs/subvolume/add fs=\"pool\" name=(\"vol-\".$q);"
		"/disk/add type=\"file\" slot=$q file-path=(\"/storage-pool/vol-\".$q."
		"\"/volume.img\") file-size=$z mount-filesystem=\"no\" "
		"comment=(\"rds-csi:1 \".($r->2).\" c=c1\")}} do={:put (\"@e \".$q.\" "
		"\".$v9)};"
		":put (\"@r \".[:serialize to=json options=json.no-string-conversion "
		"value=[/disk "
		"print detail as-value proplist=\"slot,size,comment\" where slot=$q]])}};"
		":put \"@ok n1\"";
	struct t_box t;

	t_open(&t);
	t_is(&t, joined,
	     "@r [{\".id\":\"*6\",\"comment\":\"rds-csi:1 n1 "
	     "c=c1\",\"size\":1048576,\"slot\":"
	     "\"a1\"}]\n"
	     "@r [{\".id\":\"*7\",\"comment\":\"rds-csi:1 n2 "
	     "c=c1\",\"size\":1048576,\"slot\":"
	     "\"a2\"}]\n@ok n1\n");
	t_close(&t);
}

/* ---- the plain commands of the other driver ---- */
Test(driver_scripts, plain_commands)
{
	struct t_box t;

	t_open(&t);
	t_is(&t,
	     "/disk add type=file file-path=" FLAT " file-size=50G slot=" ID
	     " nvme-tcp-export=yes nvme-tcp-server-port=4420 nvme-tcp-server-nqn=" BASE,
	     "");
	t_is(&t, "/disk print detail where slot=" ID,
	     "Flags: B - BLOCK-DEVICE; t - NVME-TCP-EXPORT\n"
	     " 0 Bt type=file slot=\"" ID "\" slot-default=\"\"\n"
	     "      parent=\"\" fs=-\n"
	     "      "
	     "model=\"/storage-pool/metal-csi/"
	     "pvc-0a1b2c3d-4e5f-6789-abcd-ef0123456789.im\n"
	     "      g\" size=53 687 091 200 mount-filesystem=yes mount-read-only=no "
	     "compress=no\n"
	     "      sector-size=512 raid-master=none nvme-tcp-export=yes\n"
	     "      nvme-tcp-server-port=4420\n"
	     "      "
	     "nvme-tcp-server-nqn=\"nqn.2000-02.com.mikrotik:pvc-0a1b2c3d-4e5f-6789-abcd-"
	     "\n"
	     "      ef0123456789\" nvme-tcp-server-allow-host-name=\"\" iscsi-export=no\n"
	     "      nfs-sharing=no smb-sharing=no media-sharing=no media-interface=none\n"
	     "      swap=no\n"
	     "      "
	     "file-path=/storage-pool/metal-csi/"
	     "pvc-0a1b2c3d-4e5f-6789-abcd-ef0123456789\n"
	     "      .img file-size=50.0GiB file-offset=0\n\n");
	t_has(&t, "/disk print detail where slot=pvc-none", "Flags: X - DISABLED; ");
	t_has(&t, "/disk print detail where slot~\"pvc\"", "slot=\"" ID "\"");
	t_is(&t, "/disk set [find slot=" ID "] file-size=60G", "");
	t_has(&t, "/disk print detail where slot=" ID, "file-size=60.0GiB");
	t_has(&t, "/disk print detail where mount-point=\"storage-pool\"",
	      "size=70 368 744 177 664");
	t_has(&t, "/file print detail where name~\"storage-pool/metal-csi\"",
	      " 0   name=storage-pool/metal-csi type=directory\n     last-modified=");
	t_has(&t, "/file print detail where name~\"storage-pool/metal-csi\"",
	      " 1   name=storage-pool/metal-csi/" ID
	      ".img\n     type=.img file size=60.0GiB "
	      "last-modified=");
	t_is(&t,
	     "/disk add type=file copy-from=[find slot=" ID "] file-path=/storage-pool/"
	     "metal-csi/snap-1.img slot=snap-1",
	     "");
	t_has(&t, "/disk monitor-traffic storage-pool once",
	      "                  slot: storage-pool\n   read-ops-per-second: 0\n");
	t_is(&t, "/disk remove [find slot=" ID "]", "");
	t_is(&t, "/file remove [find name=\"storage-pool/metal-csi/" ID ".img\"]", "");
	t_is(&t, "/disk remove [find slot=" ID "]", "");
	t_close(&t);
}

Test(driver_scripts, tables)
{
	struct t_box t;

	t_open(&t);
	t_is(&t, "/file add name=storage-pool/a.txt contents=hello", "");
	t_has(&t, "/file print where name=\"storage-pool/a.txt\"",
	      "Columns: NAME, TYPE, SIZE, LAST-MODIFIED\n# NAME ");
	t_has(&t, "/disk print",
	      "Columns: SLOT, MODEL, SERIAL, INTERFACE, SIZE, FREE, USE, FS\n");
	t_has(&t, "/disk print", "0 BM raid1");
	t_close(&t);
}
