/* What every scenario builds on: the kernel has what is needed, the simulated box and the
 * driver come up in the VM, and a volume is made. */
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/driver.h"
#include "e2e/vol.h"

static void kernel(void)
{
	CHECK(access("/sys/kernel/config/nvmet/subsystems", W_OK) == 0, "no nvmet");
	CHECK(access("/sys/module/nvme_tcp", F_OK) == 0, "no nvme_tcp");
	CHECK(access("/dev/nvme-fabrics", W_OK) == 0, "no nvme-fabrics");
}

static void box(void)
{
	struct sim sim = { 0 };
	struct driver driver = { .sim = &sim,
				 .is_controller = true,
				 .known_nodes = "node-a" };
	struct vol vol;

	e2e_path(sim.dir, "sim");
	if (!sim_start(&sim))
		return;
	driver_open(&driver);
	if (driver_start(&driver)) {
		vol_init(&vol, "pvc-smoke");
		if (vol_must(&driver, &vol, VOL_CREATE))
			vol_must(&driver, &vol, VOL_DELETE);
	}
	driver_close(&driver);
	sim_stop(&sim);
}

static const struct e2e_test tests[] = { { "kernel", kernel, true },
					 { "box", box, false },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
