/* Disks, files, subvolumes: find, where, get, print, the traps, and the space. */
#include "sim/tests/t_sim.h"

static bool exists(struct t_box *t, const char *rel)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	return lstat(path, &st) == 0;
}

static uint64_t file_size(struct t_box *t, const char *rel)
{
	char path[512];
	struct stat st = { 0 };

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Inside where every property is a variable, and find without a condition is all. */
Test(menus, the_traps_are_there)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	add_disk(&t, "v2");
	t_is(&t, ":put [:len [/disk find]]", "7\n");
	t_is(&t, ":local slot \"v1\"; :put [:len [/disk find where slot=$slot]]", "7\n");
	t_is(&t, ":local q \"v1\"; :put [:len [/disk find where slot=$q]]", "1\n");
	t_is(&t, ":local slot \"v1\"; :put [:len [/disk find where slot=\"$slot\"]]",
	     "7\n");
	t_is(&t, "/disk remove [find where slot=\"nope\"]", "");
	t_is(&t, "/disk set [find where slot=\"nope\"] comment=x", "");
	t_is(&t, ":put [:len [/disk find where slto=\"v1\"]]", "0\n");
	t_close(&t);
}

Test(menus, where)
{
	static const struct t_row rows[] = {
		{ ":put [:len [/disk find where slot=\"v1\"]]", "1\n" },
		{ ":put [:len [/disk find slot=v1]]", "1\n" },
		{ ":put [:len [/disk find where slot~\"^v\"]]", "2\n" },
		{ ":put [:len [/disk find where slot=\"v1\" and type=\"file\"]]", "1\n" },
		{ ":put [:len [/disk find where type=file]]", "2\n" },
		{ ":put [:len [/disk find where mounted]]", "1\n" },
		{ ":put [:len [/disk find where !mounted]]", "6\n" },
		{ ":put [:len [/disk find where mount-point=\"storage-pool\" and "
		  "mounted]]",
		  "1\n" },
		{ ":put [:len [/disk find where size>=1073741824 and type=\"file\"]]",
		  "2\n" },
		{ ":put [:len [/disk find where comment=\"\"]]", "7\n" },
		{ ":put [:len [/disk find where comment]]", "0\n" },
		{ ":put [:len [/disk find where "
		  "file-path=/storage-pool/metal-csi/v1.img]]",
		  "0\n" },
		{ ":put [:len [/disk find where "
		  "file-path=\"/storage-pool/metal-csi/v1.img\"]]",
		  "1\n" },
		{ ":put [:len [/disk find where nvme-tcp-server-nqn=\"" NQN "v2\"]]",
		  "1\n" },
		{ ":put [/disk find where .id=*6]", "*6\n" },
		{ ":put [:len [/disk find where nvme-tcp-export=\"no\"]]", "0\n" },
		{ ":put [:len [/disk find where nvme-tcp-export=no]]", "7\n" },
		{ ":put [:len [/disk find where slot~(\"v\".\"1\")]]", "1\n" },
	};
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	add_disk(&t, "v2");
	T_ROWS(&t, rows);
	t_close(&t);
}

Test(menus, get_and_types)
{
	static const struct t_row rows[] = {
		{ ":put [/disk get v1 size]", "1073741824\n" },
		{ ":put [:typeof [/disk get v1 size]]", "num\n" },
		{ ":put [:typeof [/disk get raid1 free]]", "num\n" },
		{ ":put [:typeof [/disk get v1 nvme-tcp-export]]", "bool\n" },
		{ ":put [:typeof [/disk get v1 mounted]]", "bool\n" },
		{ ":put [:typeof [/disk get v1 comment]]", "nil\n" },
		{ ":put (\"<\".[:tostr [/disk get v1 comment]].\">\")", "<>\n" },
		{ ":put [/disk get v1 file-path]", "/storage-pool/metal-csi/v1.img\n" },
		{ ":put [/disk get v1 nvme-tcp-server-nqn]", NQN "v1\n" },
		{ ":put [/disk get nope size]", "no such item (/disk/get; line 1)\n" },
		{ ":put [/disk get *FF size]", "no such item (4) (/disk/get; line 1)\n" },
		{ ":put [/disk get [find where slot=\"nope\"] size]",
		  "invalid internal item number (/disk/get; line 1)\n" },
		{ ":put [/disk get [find] size]",
		  "invalid internal item number (/disk/get; line 1)\n" },
		{ ":put [/disk get v1 bogus]",
		  "input does not match any value of value-name (/disk/get (value-name); "
		  "line 1)\n" },
		{ "/disk set nope comment=x", "no such item (/disk/set; line 1)\n" },
		{ "/disk set 0 comment=x", "no such item (/disk/set; line 1)\n" },
	};
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	T_ROWS(&t, rows);
	t_close(&t);
}

Test(menus, print_as_value)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	t_is(&t,
	     ":put [:serialize to=json options=json.no-string-conversion value=[/disk "
	     "print "
	     "detail as-value proplist=\"slot,size,comment,nvme-tcp-export\" where "
	     "slot=\"v1\"]]",
	     "[{\".id\":\"*6\",\"nvme-tcp-export\":false,\"size\":1073741824,\"slot\":"
	     "\"v1\"}]\n");
	t_is(&t,
	     ":put [:serialize to=json value=[/disk print as-value proplist=slot where "
	     "slot=\"nope\"]]",
	     "[]\n");
	t_is(&t, ":put [:len [/disk print as-value proplist=\"slot,bogus\"]]",
	     "input does not match any value of value-name (/disk/print (proplist); line "
	     "1)\n");
	/* Without detail or proplist: the summary only. */
	t_is(&t,
	     ":put [:typeof ([/disk print as-value where "
	     "slot=\"v1\"]->0->\"file-path\")]",
	     "nothing\n");
	t_is(&t,
	     ":put ([/disk print detail as-value where slot=\"v1\"]->0->\"file-path\")",
	     "/storage-pool/metal-csi/v1.img\n");
	/* count-only also writes the number. */
	t_is(&t, ":put ([/disk print count-only where type=file] + 10)", "1\n11\n");
	t_has(&t, ":put [:serialize to=json value=[/system/resource print as-value]]",
	      "\"version\":\"7.24 (stable)\"");
	t_has(&t, ":put [:serialize to=json value=[/system/resource print as-value]]",
	      "{\"architecture-name\"");
	t_is(&t, ":put [:len [/system/package find where name=\"rose-storage\"]]", "1\n");
	t_is(&t, ":put [/system/package get [find where name=\"rose-storage\"] version]",
	     "7.24\n");
	t_is(&t, "/system/identity print", "  name: rds-sim\n\n");
	t_is(&t, ":put [:len [/ip/service find where name=\"ssh\" and dynamic=no]]",
	     "1\n");
	t_close(&t);
}

Test(menus, secrets_are_absent)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	t_is(&t, "/disk set v1 nvme-tcp-server-password=\"geheim\"", "");
	cr_expect_null(strstr(t_run(&t, ":put [/disk print detail as-value]"), "geheim"));
	t_has(&t, ":put [/disk print detail as-value show-sensitive]", "geheim");
	t_close(&t);
}

Test(menus, add_and_its_refusals)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	cr_expect_eq(file_size(&t, "pool/metal-csi/v1.img"), 1073741824u);
	t_is(&t,
	     "/disk add type=file slot=v1 file-path=/storage-pool/other.img file-size=1G",
	     "failure: already have disk with such slot (/disk/add; line 1)\n");
	t_is(&t,
	     "/disk add type=file slot=v9 file-path=/storage-pool/metal-csi/v1.img "
	     "file-size=1G",
	     "failure: file already in use by another disk (/disk/add; line 1)\n");
	t_is(&t, "/disk remove [find where slot=\"v1\"]", "");
	cr_expect(exists(&t, "pool/metal-csi/v1.img"));
	t_is(&t,
	     "/disk add type=file slot=v9 file-path=/storage-pool/metal-csi/v1.img "
	     "file-size=1G",
	     "failure: file already exists (/disk/add; line 1)\n");
	t_is(&t, "/disk add type=file slot=v9 file-path=/storage-pool/metal-csi/v1.img",
	     "");
	t_is(&t, ":put [/disk get v9 size]", "1073741824\n");
	t_is(&t, "/disk add type=file slot=v8 file-path=/storage-pool/none.img",
	     "failure: file does not exist (/disk/add; line 1)\n");
	t_is(&t,
	     "/disk add type=file slot=v8 file-path=/storage-pool/no/x.img file-size=1G",
	     "failure: no such directory (/disk/add; line 1)\n");
	t_is(&t,
	     "/disk add type=file slot=v8 file-path=/storage-pool/../x.img file-size=1G",
	     "failure: invalid path (/disk/add (file-path); line 1)\n");
	t_is(&t, "/disk add type=file slot=v8 file-path=/etc/x file-size=1G",
	     "failure: invalid path (/disk/add (file-path); line 1)\n");
	t_is(&t, "/disk add type=file slot=v8 file-path=/storage-pool/x file-size=lots",
	     "invalid value for argument file-size (/disk/add (file-size); line 1)\n");
	t_is(&t,
	     "/disk add type=file slot=v8 file-path=/storage-pool/x file-size=1G "
	     "nvme-tcp-server-port=\"70000\"",
	     "value of nvme-tcp-server-port out of range (1..65535) (/disk/add "
	     "(nvme-tcp-server-port); line 1)\n");
	cr_expect_not(exists(&t, "pool/x"));
	t_is(&t, ":put [/disk add type=file file-path=storage-pool/y.img file-size=1K]",
	     "*8\n");
	t_is(&t, ":put [/disk get *8 slot]", "file-storage-pool-y.img\n");
	t_is(&t, "/disk add",
	     "Script Error: missing value(s) of argument(s) type (/disk/add; "
	     "line 1)\n");
	t_close(&t);
}

Test(menus, export_has_its_link)
{
	struct t_box t;
	char want[512], got[512];
	ssize_t n;

	t_open(&t);
	add_disk(&t, "v1");
	add_disk(&t, "v2");
	cr_expect_not(exists(&t, "exports/" NQN "v1"));
	t_is(&t, "/disk set v1 nvme-tcp-export=yes", "");
	snprintf(want, sizeof want, "%s/exports/" NQN "v1", t.dir);
	n = readlink(want, got, sizeof got - 1);
	cr_assert_gt(n, 0);
	got[n] = 0;
	snprintf(want, sizeof want, "%s/pool/metal-csi/v1.img", t.dir);
	cr_expect_str_eq(got, want);
	/* A new NQN moves it; one that is taken is refused. */
	t_is(&t, "/disk set v1 nvme-tcp-server-nqn=other", "");
	cr_expect(exists(&t, "exports/other"));
	cr_expect_not(exists(&t, "exports/" NQN "v1"));
	t_is(&t, "/disk set v2 nvme-tcp-server-nqn=other", "");
	t_is(&t, "/disk set v2 nvme-tcp-export=yes",
	     "failure: nqn already in use (/disk/set; line 1)\n");
	t_is(&t, "/disk set v1 nvme-tcp-export=no", "");
	cr_expect_not(exists(&t, "exports/other"));
	t_is(&t, "/disk set v2 nvme-tcp-export=yes", "");
	cr_expect(exists(&t, "exports/other"));
	t_is(&t, "/disk remove v2", "");
	cr_expect_not(exists(&t, "exports/other"));
	t_close(&t);
}

Test(menus, comment_limit)
{
	struct t_box t;

	t_prepare(&t);
	t.o.box.comment_max = 8;
	t_start(&t);
	add_disk(&t, "v1");
	t_is(&t, "/disk set v1 comment=12345678", "");
	t_is(&t, "/disk set v1 comment=123456789",
	     "failure: comment too long (/disk/set (comment); line 1)\n");
	t_is(&t, ":put [/disk get v1 comment]", "12345678\n");
	t_is(&t, "/disk set v1 comment=\"\"", "");
	t_is(&t, "/disk set v1 !comment", "");
	t_is(&t, ":put [:typeof [/disk get v1 comment]]", "nil\n");
	t_close(&t);
}

Test(menus, box_mounts_what_it_recognises)
{
	struct t_box t;
	char path[512];
	FILE *f;

	t_open(&t);
	add_disk(&t, "v1");
	snprintf(path, sizeof path, "%s/pool/metal-csi/v1.img", t.dir);
	f = fopen(path, "r+");
	fseek(f, 1080, SEEK_SET);
	fwrite("\x53\xef", 1, 2, f);
	fclose(f);
	t_is(&t, "/disk set v1 comment=x; :put [/disk get v1 mounted]", "false\n");
	t_is(&t, "/disk set v1 mount-filesystem=yes; :put [/disk get v1 mounted]",
	     "true\n");
	t_is(&t, ":put [/disk get v1 fs]", "ext4\n");
	t_is(&t, ":put [:len [/disk find where mount-point=\"v1\"]]", "1\n");
	t_is(&t, "/disk set v1 mount-filesystem=no; :put [/disk get v1 mounted]",
	     "false\n");
	t_close(&t);
}

Test(menus, copy_from_copies_properties_only)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	t_is(&t, "/disk set v1 comment=hello nvme-tcp-export=yes", "");
	t_is(&t,
	     "/disk add type=file copy-from=[find slot=v1] "
	     "file-path=/storage-pool/metal-csi/s1.img slot=s1",
	     "");
	t_is(&t, ":put [/disk get s1 comment]", "hello\n");
	t_is(&t, ":put [/disk get s1 nvme-tcp-export]", "false\n");
	t_is(&t, ":put [/disk get s1 size]", "1073741824\n");
	t_close(&t);
}

Test(menus, files)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	t_is(&t, ":put [:len [/file find where name=\"storage-pool/metal-csi/v1.img\"]]",
	     "1\n");
	t_is(&t, ":put [:len [/file find where name=\"/storage-pool/metal-csi/v1.img\"]]",
	     "0\n");
	t_is(&t, ":put [:len [/file find where name~\"metal-csi/v1\"]]", "1\n");
	t_is(&t, "/file remove [find name=\"storage-pool/metal-csi/v1.img\"]",
	     "failure: file is in use (/file/remove; line 1)\n");
	t_is(&t, "/file add type=directory name=\"storage-pool/d\"", "");
	t_is(&t, "/file add name=\"storage-pool/d/a.txt\" contents=\"x\\n\"", "");
	t_has(&t,
	      ":put [:serialize to=json options=json.no-string-conversion value=[/file "
	      "print "
	      "detail as-value where name=\"storage-pool/d/a.txt\"]]",
	      "\"contents\":\"x\\n\"");
	t_has(&t, "/file remove [find where name=\"storage-pool/d\"]", "failure: ");
	t_is(&t, "/file remove [find where name=\"storage-pool/d/a.txt\"]", "");
	t_is(&t, "/file remove [find where name=\"storage-pool/d\"]", "");
	t_is(&t, "/file remove [find where name=\"storage-pool/d\"]", "");
	t_is(&t,
	     ":put [:typeof ([/file print as-value proplist=name,size where "
	     "name=\"storage-pool\"]->0->\"size\")]",
	     "nothing\n");
	t_close(&t);
}

Test(menus, subvolumes)
{
	struct t_box t;

	t_open(&t);
	t_is(&t, "/disk/btrfs/subvolume/add fs=\"pool\" name=\"vol-a\"", "");
	cr_expect(exists(&t, "pool/vol-a"));
	t_is(&t, "/disk/btrfs/subvolume/add fs=\"nope\" name=\"vol-b\"",
	     "input does not match any value of fs (/disk/btrfs/subvolume/add (fs); line "
	     "1)\n");
	t_is(&t, "/disk/btrfs/subvolume/add fs=\"\" name=\"vol-b\"",
	     "ambiguous value of fs, more than one possible value matches input "
	     "(/disk/btrfs/subvolume/add (fs); line 1)\n");
	t_has(&t, "/disk/btrfs/subvolume/add fs=\"pool\" name=\"vol-a\"",
	      "failure: already");
	t_is(&t,
	     ":put [:len [/disk/btrfs/subvolume find where name=\"vol-a\" and "
	     "fs=\"pool\"]]",
	     "1\n");
	t_is(&t,
	     "/disk add type=file slot=a file-path=/storage-pool/vol-a/volume.img "
	     "file-size=1M",
	     "");
	t_has(&t, "/disk/btrfs/subvolume/remove [find where name=\"vol-a\"]", "in use");
	t_is(&t,
	     "/disk/btrfs/subvolume/add fs=pool parent=vol-a name=snap-a read-only=yes",
	     "");
	cr_expect_eq(file_size(&t, "pool/snap-a/volume.img"), 1u << 20);
	t_is(&t, ":put [/disk/btrfs/subvolume get [find where name=\"snap-a\"] parent]",
	     "vol-a\n");
	t_is(&t, ":put [:len [/disk/btrfs/subvolume find where snapshot]]", "1\n");
	t_is(&t,
	     "/disk remove a; /disk/btrfs/subvolume/remove [find where name=\"vol-a\"]",
	     "");
	cr_expect_not(exists(&t, "pool/vol-a"));
	t_is(&t, "/disk/btrfs/subvolume/remove [find where name=\"snap-a\"]", "");
	t_is(&t, ":put [/disk/btrfs/subvolume get [find where default] name]",
	     "<FS_ROOT>\n");
	t_is(&t, ":put [/disk/btrfs/filesystem get [find where label=\"pool\"] uuid]",
	     "7f0a3c52-9a11-4be4-8d0e-5c1d5b7f2e10\n");
	t_close(&t);
	t_prepare(&t);
	snprintf(t.o.box.pool_fs, sizeof t.o.box.pool_fs, "xfs");
	t_start(&t);
	t_is(&t, ":put [:len [/disk/btrfs/filesystem find]]", "0\n");
	t_has(&t, "/disk/btrfs/subvolume/add fs=\"pool\" name=\"vol-b\"",
	      "does not match");
	t_close(&t);
}

/* A set of several properties is not all or nothing. */
Test(menus, set_stops_at_the_first_refusal)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	t_has(&t, "/disk set v1 comment=new file-size=1M swap=yes", "can not shrink");
	t_is(&t, ":put [/disk get v1 comment]; :put [/disk get v1 swap]", "new\nfalse\n");
	t_close(&t);
}

/* Each row that is named, in turn, until one is refused. */
Test(menus, a_command_over_several_rows)
{
	struct t_box t;

	t_open(&t);
	add_disk(&t, "v1");
	add_disk(&t, "v2");
	add_disk(&t, "v3");
	t_is(&t, "/disk set [find where type=file] comment=x", "");
	t_is(&t, ":put [:len [/disk find where comment=\"x\"]]", "3\n");
	t_has(&t, "/disk remove v1,raid1,v2", "failure: device is busy");
	t_is(&t, ":put [:len [/disk find where type=file]]", "2\n");
	t_is(&t, "/disk remove v2,v3", "");
	t_is(&t, ":put [:len [/disk find where type=file]]", "0\n");
	t_close(&t);
}

Test(menus, quirks_of_some_box)
{
	struct t_box t;

	t_prepare(&t);
	t.o.box.set_reexports = t.o.box.grow_is_lazy = t.o.box.nqn_needs_export = true;
	t_start(&t);
	add_disk(&t, "v1");
	t_is(&t, ":put [/disk get v1 nvme-tcp-server-nqn]", "v1\n");
	t_is(&t, "/disk set v1 nvme-tcp-export=yes", "");
	cr_expect_eq(box_disk_by_slot(t.box, "v1")->export_count, 2u);
	t.box->opt.set_reexports = false;
	t_is(&t, "/disk set v1 file-size=2G; :put [/disk get v1 size]", "1073741824\n");
	t_is(&t, "/disk set v1 nvme-tcp-export=no; /disk set v1 nvme-tcp-export=yes", "");
	t_is(&t, ":put [/disk get v1 size]", "2147483648\n");
	t_close(&t);
}

/* What the box knows and the simulator does not is refused loudly, not ignored. */
Test(menus, nothing_is_silently_ignored)
{
	struct t_box t;

	t_open(&t);
	t_has(&t, "/disk print follow", "failure: follow is not simulated");
	t_has(&t, "/disk print file=x", "failure: file is not simulated");
	t_has(&t, "/disk trim raid1", "failure: /disk trim is not simulated");
	t_has(&t, "/log print", "failure: /log print is not simulated");
	t_has(&t, ":execute \"x\"", "failure: :execute is not simulated");
	cr_expect_eq(t.box->stats.unknown, 5u);
	t_close(&t);
}
