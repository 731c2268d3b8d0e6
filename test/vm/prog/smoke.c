/* What every scenario builds on, without the driver's node: the kernel has what is
 * needed, the box and the driver come up, what the box exports can be attached and
 * written, and the blocks that arrived are told from those that did not. At last a node,
 * which tells what a volume carries as this kernel's sysfs has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/scrape.h"
#include "vm/hand.h"
#include "vm/lab.h"

static void kernel(void)
{
	const char *want = getenv("VM_MULTIPATH");

	CHECK(access("/sys/kernel/config/nvmet/subsystems", W_OK) == 0, "no nvmet");
	CHECK(access("/dev/nvme-fabrics", W_OK) == 0, "no nvme-fabrics");
	CHECK(want && kern_is_multipath() == (want[0] == 'Y'), "multipath is not %s",
	      want);
	CHECK(kern_is(getenv("VM_KERNEL")), "not %s", getenv("VM_KERNEL"));
	kern_mark();
	CHECK(kern_put("/dev/kmsg", "smoke was here\n") == 0 &&
		      kern_said("smoke was here"),
	      "the log does not tell");
	kern_mark();
	CHECK(!kern_said("smoke was here"), "the log before the mark is told");
}

static void write_to(const char *nqn, uint64_t n)
{
	const struct hand_session session = {
		.nqn = nqn,
		.hostnqn = "nqn.2014-08.org.nvmexpress:uuid:"
			   "6f7a2b1e-1111-4222-8333-444455556666",
		.hostid = "6f7a2b1e-1111-4222-8333-444455556666",
		.port = 4420
	};
	struct track t = { .seed = 7, .base = 1 << 20, .slots = 64, .is_direct = true };
	int number = hand_connect(&session);
	char device[KERN_NAME] = "";

	if (!CHECK(number >= 0, "%s: %s", nqn, strerror(-number)))
		return;
	if (CHECK(kern_until_live(nqn, 60000) && kern_device(nqn, device), "no device")) {
		(void)snprintf(t.path, sizeof(t.path), "%s", device);
		CHECK(track_write(&t, 0, n), "%s: not written", device);
		track_check(&t, n);
	}
	CHECK(hand_disconnect(number) && kern_until_gone(nqn, 60000), "%s stays", nqn);
	CHECK(kern_is_free(device), "%s is held", device);
}

/* What a reader must find out. */
static void judge(const char *image)
{
	struct track t = { .seed = 7, .base = 1 << 20, .slots = 64 };
	struct track_seen seen;

	(void)snprintf(t.path, sizeof(t.path), "%s", image);
	track_check(&t, 100);
	CHECK(track_read(&t, 101, &seen) && seen.lost == 1 && seen.right == 64 &&
		      seen.next == 100,
	      "a lost block is not told");
	t.seed = 8;
	CHECK(track_read(&t, 0, &seen) && seen.foreign == 64, "whose block is not told");
	t.seed = 7;
	t.base += 512;
	CHECK(track_read(&t, 0, &seen) && seen.damaged == 64, "damage is not told");
}

static void box(void)
{
	struct lab lab = { .no_node = true };
	struct vol v;
	char image[E2E_PATH];

	if (lab_open(&lab)) {
		lab_vol(&lab, &v, "pvc-smoke");
		if (lab_steps(&lab, &v, VOL_CREATE, VOL_PUBLISH) &&
		    CHECK(sim_image(&lab.sim, v.id, image, sizeof(image)), "no image")) {
			write_to(lab_nqn(&v), 100);
			kern_drop_caches();
			judge(image);
			lab_steps(&lab, &v, VOL_UNPUBLISH, VOL_DELETE);
		}
	}
	lab_close(&lab);
}

static bool tells(const char *page, const char *name, const char *labels, double least)
{
	double v = 0;
	bool is_there = page && scrape_sum(page, name, labels, &v);

	return CHECK(is_there && v >= least, "%s{%s}: %g", name, labels, v);
}

static void figures(void)
{
	static const char *const args[] = { "--metrics-address=127.0.0.1:9809", NULL };
	static const char volume[] = "volume=\"pvc-told\"";
	struct lab lab = { .driver_args = args };
	struct track t;
	struct vol v;
	char *page;

	if (lab_open(&lab)) {
		lab_vol(&lab, &v, "pvc-told");
		lab_track(&v, &t);
		if (lab_up(&lab, &v) && CHECK(track_write(&t, 0, 100), "not written")) {
			page = scrape_get(9809, "/metrics", NULL, NULL);
			tells(page, "rds_csi_nvme_controllers", "live", 1);
			tells(page, "rds_csi_nvme_connects_total", "success", 1);
			tells(page, "rds_csi_volume_writes_total", volume, 1);
			tells(page, "rds_csi_volume_written_bytes_total", volume, 51200);
			tells(page, "rds_csi_volume_read_bytes_total", volume, 512);
			free(page);
			if (lab_down(&lab, &v))
				vol_must(&lab.driver, &v, VOL_DELETE);
		}
	}
	lab_close(&lab);
}

static void by_hand(void)
{
	char image[E2E_PATH];
	const struct hand_export e = { .nqn = "nqn.2024-01.org.example:host-disk",
				       .image = e2e_path(image, "host-disk"),
				       .size_bytes = 64 << 20,
				       .port_id = 100,
				       .port = 4520 };

	if (hand_export(&e))
		CHECK(hand_unexport(&e), "the export stays");
}

static const struct e2e_test tests[] = { { "kernel", kernel, true },
					 { "box", box, true },
					 { "by-hand", by_hand, true },
					 { "figures", figures, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
