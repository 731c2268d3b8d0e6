/* The start of the node plugin over loop devices: a directory of the kubelet's, stage
 * records, and what a killed or another driver left. */
#include "support/node_lab.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fsio.h"
#include "csi/node/start.h"

#define ID "pvc-1"
#define CSI_DIR "plugins/kubernetes.io/csi"
#define DRIVER "rds.csi.srvlab.io"

enum { MIB = 1024 * 1024, SIZE = 64 * MIB };

static struct node_lab lab;
static struct node_start st;
static bool is_done;

static void on_done(struct op *op)
{
	(void)op;
	is_done = true;
}

static void begin(void)
{
	static char kubelet[160];

	snprintf(kubelet, sizeof(kubelet), "%s/k", lab.dir);
	st = (struct node_start){ .csi = &lab.csi,
				  .kubelet_dir = kubelet,
				  .state_dir = lab.state,
				  .lock_fd = -1 };
	is_done = false;
	node_start_start(&st, on_done);
}

static void start(void)
{
	begin();
	t_run_until(&lab.loop, is_done);
	lab_check(&lab, st.op.err.code == ERR_OK, "%s", st.op.err.msg);
	node_start_fini(&st);
}

/* A data file below the kubelet's directory, with the directories above it. */
static void put(const char *path, const char *text)
{
	lab_check(&lab, lab_run("mkdir -p \"$(dirname %s/k/" CSI_DIR "/%s)\" && "
				"printf '%%s' '%s' >%s/k/" CSI_DIR "/%s",
				lab.dir, path, text, lab.dir, path) == 0);
}

#define DATA(driver, id) \
	"{\"driverName\":\"" driver "\",\"volumeHandle\":\"" id "\",\"nodeName\":\"n\"}"

/* The kubelet makes the staging directory, and the lab stages there. */
static void stage_in(const char *dir)
{
	snprintf(lab.staging, sizeof(lab.staging), "%s/k/" CSI_DIR "/%s", lab.dir, dir);
	lab_check(&lab, lab_run("mkdir -p %s", lab.staging) == 0);
}

static void drop_record(const char *id)
{
	lab_check(&lab, lab_run("rm %s/%s.stage", lab.state, id) == 0);
}

static bool has_record(const char *id, struct nvme_record *rec)
{
	struct err err;

	return lab.csi.nvme->ops->record_read(lab.csi.nvme, id, rec, &err) == 0;
}

static void write_record(const char *id, enum nvme_stage stage)
{
	struct nvme_record rec = { .stage = stage, .size_bytes = SIZE };
	struct err err;

	id_base_nqn(id, rec.nqn);
	lab_image_path(&lab, id, rec.source);
	snprintf(rec.staging, sizeof(rec.staging), "%s", lab.staging);
	lab_check(&lab,
		  lab.csi.nvme->ops->record_write(lab.csi.nvme, id, &rec, &err) == 0);
}

static void connect_image(const char *id)
{
	char image[256];

	lab_image_path(&lab, id, image);
	lab_check(&lab, lab_run("losetup -f %s", image) == 0);
}

static void check_whole_life(const struct lab_args *a)
{
	OK(&lab, lab_stage(&lab, a));
	OK(&lab, lab_publish(&lab, a));
	OK(&lab, lab_unpublish(&lab, a));
	OK(&lab, lab_unstage(&lab, a));
}

static void adopts(const char *data, const char *staging, const struct lab_args *a)
{
	struct nvme_record rec;

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	stage_in(staging);
	put(data, DATA(DRIVER, ID));
	OK(&lab, lab_stage(&lab, a));
	drop_record(ID);
	start();
	lab_check(&lab, st.n_adopted == 1 && st.n_failed == 0);
	lab_check(&lab, has_record(ID, &rec));
	lab_check(&lab, rec.stage == NVME_STAGED && rec.is_adopted && rec.is_this_boot);
	lab_check(&lab, rec.is_block == !a->fs_type && rec.size_bytes == SIZE);
	lab_check(&lab, strcmp(rec.nqn, ID_NQN_PREFIX ID) == 0, "%s", rec.nqn);
	lab_check(&lab, strcmp(rec.staging, lab.staging) == 0, "%s", rec.staging);
	lab_check(&lab, strcmp(rec.fs_type, a->fs_type ? a->fs_type : "") == 0);
	start(); /* once is enough */
	lab_check(&lab, st.n_adopted == 0);
	check_whole_life(a);
	lab_check(&lab, !has_record(ID, &rec));
	lab_close(&lab);
}

Test(node_adopt, a_mount_of_the_kubelet_without_a_record)
{
	adopts(DRIVER "/0a1b/vol_data.json", DRIVER "/0a1b/globalmount",
	       &(struct lab_args){ .id = ID, .fs_type = "ext4" });
}

Test(node_adopt, a_mount_in_the_older_place)
{
	adopts("pv/pv-7/vol_data.json", "pv/pv-7/globalmount",
	       &(struct lab_args){ .id = ID, .fs_type = "ext4" });
}

Test(node_adopt, a_raw_disk_without_a_record)
{
	adopts("volumeDevices/pv-7/data/vol_data.json", "volumeDevices/staging/pv-7",
	       &(struct lab_args){ .id = ID });
}

Test(node_adopt, a_raw_disk_of_readers_without_a_record)
{
	adopts("volumeDevices/pv-7/data/vol_data.json", "volumeDevices/staging/pv-7",
	       &(struct lab_args){ .id = ID, .is_reader = true });
}

/* The kernel's flag is the device's: a pod that only reads a writer's volume sets it too.
 */
Test(node_adopt, a_raw_disk_of_a_writer_whose_pod_reads)
{
	const struct lab_args a = { .id = ID };

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	stage_in("volumeDevices/staging/pv-7");
	put("volumeDevices/pv-7/data/vol_data.json", DATA(DRIVER, ID));
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_publish(&lab, &(struct lab_args){ .id = ID, .readonly = true }));
	drop_record(ID);
	start();
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

/* Published: the pods' mounts go on, and come off as the kubelet asks. */
Test(node_adopt, a_published_volume_is_served_on)
{
	const struct lab_args a = { .id = ID, .fs_type = "ext4" };

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	stage_in(DRIVER "/1/globalmount");
	put(DRIVER "/1/vol_data.json", DATA(DRIVER, ID));
	OK(&lab, lab_stage(&lab, &a));
	OK(&lab, lab_publish(&lab, &a));
	drop_record(ID);
	start();
	lab_check(&lab, st.n_adopted == 1);
	lab_check(&lab, lab_mounts(lab.staging) == 1 && lab_mounts(lab.target) == 1);
	OK(&lab, lab_publish(&lab, &a));
	lab_check(&lab, lab_mounts(lab.target) == 1);
	OK(&lab, lab_unpublish(&lab, &a));
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

static void half_connected(enum nvme_stage stage, bool stays)
{
	struct nvme_record rec;

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	write_record(ID, stage);
	connect_image(ID);
	lab_check(&lab, lab_loops(&lab) == 1);
	start();
	lab_check(&lab, st.n_detached == 1 && st.n_failed == 0);
	lab_check(&lab, lab_loops(&lab) == 0);
	lab_check(&lab, has_record(ID, &rec) == stays);
	lab_check(&lab, !stays || rec.stage == stage);
	lab_close(&lab);
}

Test(node_adopt, what_was_connected_and_not_staged_is_disconnected)
{
	half_connected(NVME_ATTACHING, false);
	half_connected(NVME_READY, false);
}

/* Only by its record may a mkfs that was cut short be done again. */
Test(node_adopt, a_mkfs_that_was_begun_stays_on_record)
{
	half_connected(NVME_FORMATTING, true);
}

Test(node_adopt, what_somebody_has_open_is_left)
{
	struct nvme_record rec;
	char path[64] = "", command[256];
	FILE *f;
	int fd;

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	write_record(ID, NVME_READY);
	connect_image(ID);
	snprintf(command, sizeof(command), "losetup -n -O NAME -j %s/" ID ".img",
		 lab.dir);
	f = popen(command, "r");
	lab_check(&lab, f && fgets(path, sizeof(path), f));
	pclose(f);
	path[strcspn(path, "\n")] = '\0';
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	lab_check(&lab, fd >= 0, "%s", path);
	start();
	lab_check(&lab, st.n_failed == 1 && st.n_detached == 0);
	lab_check(&lab, lab_loops(&lab) == 1 && has_record(ID, &rec));
	close(fd);
	start();
	lab_check(&lab, st.n_detached == 1 && lab_loops(&lab) == 0);
	lab_close(&lab);
}

/* A kill between the mount and the record: the kubelet stages again. */
Test(node_adopt, what_is_mounted_is_not_disconnected)
{
	const struct lab_args a = { .id = ID, .fs_type = "ext4" };
	struct nvme_record rec;

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	OK(&lab, lab_stage(&lab, &a));
	write_record(ID, NVME_READY);
	start();
	lab_check(&lab, st.n_detached == 0 && st.n_failed == 0);
	lab_check(&lab, has_record(ID, &rec) && rec.stage == NVME_READY);
	check_whole_life(&a);
	lab_close(&lab);
}

static void age_record(const char *id)
{
	lab_check(&lab, lab_run("sed -i s/^boot=.*/boot=00000000-0000-4000-8000-"
				"000000000000/ %s/%s.stage",
				lab.state, id) == 0);
}

/* Of an earlier boot: kept while the kubelet may still come for the volume. */
Test(node_adopt, records_of_an_earlier_boot)
{
	struct nvme_record rec;

	lab_open_real(&lab);
	write_record("gone", NVME_STAGED);
	write_record("named", NVME_STAGED);
	write_record("formatting", NVME_FORMATTING);
	age_record("gone");
	age_record("named");
	age_record("formatting");
	put(DRIVER "/1/vol_data.json", DATA(DRIVER, "named"));
	start();
	lab_check(&lab, st.n_forgotten == 1 && st.n_failed == 0 && st.n_adopted == 0);
	lab_check(&lab, !has_record("gone", &rec));
	lab_check(&lab, has_record("named", &rec) && !rec.is_this_boot);
	lab_check(&lab, has_record("formatting", &rec));
	lab_close(&lab);
}

/* What an earlier boot knew of the content is not lost. */
Test(node_adopt, a_mount_of_this_boot_beside_a_record_of_an_earlier_one)
{
	const struct lab_args a = { .id = ID, .fs_type = "ext4" };
	struct nvme_record before, after;

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	stage_in(DRIVER "/1/globalmount");
	put(DRIVER "/1/vol_data.json", DATA(DRIVER, ID));
	OK(&lab, lab_stage(&lab, &a));
	lab_check(&lab, has_record(ID, &before) && before.fs_uuid[0]);
	age_record(ID);
	start();
	lab_check(&lab, st.n_adopted == 1);
	lab_check(&lab, has_record(ID, &after) && after.is_this_boot);
	lab_check(&lab, strcmp(after.fs_uuid, before.fs_uuid) == 0);
	check_whole_life(&a);
	lab_close(&lab);
}

Test(node_adopt, what_is_strange_is_passed_over)
{
	lab_open_real(&lab);
	put("other.example/1/vol_data.json", DATA("other.example", "pvc-o"));
	put(DRIVER "/other/vol_data.json", DATA("other.example", "pvc-o"));
	put(DRIVER "/text/vol_data.json", "no JSON");
	put(DRIVER "/empty/vol_data.json", "");
	put(DRIVER "/list/vol_data.json", "[1]");
	put(DRIVER "/climbing/vol_data.json", DATA(DRIVER, "../../etc/x"));
	put(DRIVER "/deep/vol_data.json",
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	put(DRIVER "/good/vol_data.json", DATA(DRIVER, "pvc-good"));
	lab_check(&lab,
		  lab_run("cd %s/k/" CSI_DIR "/" DRIVER " && mkdir pipe big link dir && "
			  "mkfifo pipe/vol_data.json && mkdir dir/vol_data.json && "
			  "ln -s ../good/vol_data.json link/vol_data.json && "
			  "truncate -s 1M big/vol_data.json && touch file",
			  lab.dir) == 0);
	start();
	lab_check(&lab, st.n_adopted == 0 && st.n_failed == 0);
	lab_close(&lab);
}

Test(node_adopt, a_foreign_mount_at_the_staging_path_is_not_adopted)
{
	struct nvme_record rec;

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	stage_in(DRIVER "/1/globalmount");
	put(DRIVER "/1/vol_data.json", DATA(DRIVER, ID));
	lab_check(&lab, mount("tmpfs", lab.staging, "tmpfs", 0, "size=1m") == 0);
	start();
	lab_check(&lab, st.n_adopted == 0 && !has_record(ID, &rec));
	lab_check(&lab, lab_mounts(lab.staging) == 1);
	lab_check(&lab, umount(lab.staging) == 0);
	lab_close(&lab);
}

/* A record that a newer version wrote: nothing is done to the volume. */
Test(node_adopt, a_record_that_cannot_be_read_is_left)
{
	const struct lab_args a = { .id = ID, .fs_type = "ext4" };
	char path[256];

	lab_open_real(&lab);
	lab_image(&lab, ID, SIZE);
	stage_in(DRIVER "/1/globalmount");
	put(DRIVER "/1/vol_data.json", DATA(DRIVER, ID));
	OK(&lab, lab_stage(&lab, &a));
	snprintf(path, sizeof(path), "%s/%s.stage", lab.state, ID);
	lab_check(&lab,
		  lab_run("cp %s %s.kept && echo version=99 >%s", path, path, path) == 0);
	start();
	lab_check(&lab, st.n_failed == 1 && st.n_adopted == 0);
	lab_check(&lab, lab_run("grep -qx version=99 %s", path) == 0);
	lab_check(&lab, lab_mounts(lab.staging) == 1);
	lab_check(&lab, lab_run("mv %s.kept %s", path, path) == 0);
	OK(&lab, lab_unstage(&lab, &a));
	lab_close(&lab);
}

Test(node_adopt, the_records_are_one_process_s)
{
	char path[256];
	struct err err;
	int fd;

	lab_open_real(&lab);
	snprintf(path, sizeof(path), "%s/_plugin.lock", lab.state);
	lab_check(&lab, fsio_lock(path, &fd, &err) == 0);
	clock_hold(&lab.loop.uv);
	begin();
	for (int i = 0; i < 200; i++) {
		(void)uv_run(&lab.loop.uv, UV_RUN_NOWAIT);
		clock_advance(&lab.loop.uv, 100);
	}
	t_run_until(&lab.loop, is_done);
	lab_check(&lab, st.op.err.code == ERR_PRECONDITION, "%s", st.op.err.msg);
	node_start_fini(&st);

	begin(); /* and one that ends in time is waited for */
	for (int i = 0; i < 50; i++) {
		(void)uv_run(&lab.loop.uv, UV_RUN_NOWAIT);
		clock_advance(&lab.loop.uv, 100);
	}
	lab_check(&lab, !is_done);
	close(fd);
	clock_advance(&lab.loop.uv, 1000);
	t_run_until(&lab.loop, is_done);
	lab_check(&lab, st.op.err.code == ERR_OK, "%s", st.op.err.msg);
	node_start_fini(&st);
	lab_close(&lab);
}

Test(node_adopt, cancelled_after_any_number_of_turns)
{
	for (int n = 0; n < 14; n++) {
		lab_open_real(&lab);
		lab_image(&lab, ID, SIZE);
		write_record(ID, NVME_ATTACHING);
		connect_image(ID);
		begin();
		for (int i = 0; i < n && !is_done; i++)
			(void)uv_run(&lab.loop.uv, UV_RUN_NOWAIT);
		op_cancel(&st.op, ERR_CANCELLED);
		t_run_until(&lab.loop, is_done);
		node_start_fini(&st);
		start(); /* the next one finishes it */
		lab_check(&lab, lab_loops(&lab) == 0);
		lab_close(&lab);
	}
}
