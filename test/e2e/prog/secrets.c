/* What stands in the files that hold keys, put where the driver cannot use it: it must
 * not tell it, whether it starts or not, nor when it is asked to do something. That
 * nothing secret stands in any line of a driver is looked at after every test
 * (e2e/logs.h). */
#include <stdio.h>
#include <string.h>

#include "e2e/e2e.h"
#include "e2e/left.h"
#include "e2e/logs.h"
#include "e2e/vol.h"

static struct sim sim;
static struct driver driver;
static struct vol vol;

static void start_with(const char *flag, const char *text, unsigned n)
{
	char path[E2E_PATH], arg[300];
	const char *args[] = { arg, "--kubernetes=on", NULL };
	bool is_kube = strcmp(flag, "--kubeconfig") == 0;

	CHECK(left_write(e2e_path(path, "bad-key-%u", n), -1, text), "%s", path);
	(void)snprintf(arg, sizeof(arg), "%s=%s", flag, path);
	args[1] = is_kube ? args[1] : NULL;
	driver.args = args;
	driver.call_ms = 1000;
	if (driver_try_start(&driver)) {
		CHECK(vol_do(&driver, &vol, VOL_CREATE) != ERR_OK, "%s: %s", flag, text);
		driver_stop(&driver);
	}
	driver.args = NULL;
}

#define OPENSSH(what) "-----" what " OPENSSH PRIVATE KEY-----\n"
#define PEM(what) "-----" what " RSA PRIVATE KEY-----\n"

static void key_files(void)
{
	static const char *const texts[] = {
		LOGS_SECRET,
		LOGS_SECRET "\n",
		OPENSSH("BEGIN") LOGS_SECRET "\n" OPENSSH("END"),
		PEM("BEGIN") "Proc-Type: " LOGS_SECRET "\n\n" LOGS_SECRET "\n" PEM("END"),
		"ssh-ed25519 " LOGS_SECRET "\n",
		LOGS_SECRET " ssh-ed25519 AAAA\n",
		"{\"users\":[{\"user\":{\"token\":\"" LOGS_SECRET "\"",
		"{\"users\":[{\"user\":{\"" LOGS_SECRET "\":1}}]}",
	};
	static const char *const flags[] = { "--rds-key-file", "--rds-host-key",
					     "--kubeconfig" };
	unsigned n = 0;

	memset(&sim, 0, sizeof(sim));
	memset(&driver, 0, sizeof(driver));
	e2e_path(sim.dir, "box");
	driver.sim = &sim;
	driver.is_controller = true;
	if (!sim_start(&sim))
		return;
	driver_open(&driver);
	vol_init(&vol, "pvc-key");
	for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++)
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			start_with(flags[f], texts[t], n++);
	CHECK(driver_said(&driver, "rds-csi: "), "no start was refused");
	driver_close(&driver);
	sim_stop(&sim);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "key_files", key_files, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
