/* The simulated box itself on a real target: what its exports do to the sessions of a
 * host that connected by hand, and that they leave the neighbour alone. The other
 * programs rely on it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/simctl.h"
#include "vm/hand.h"
#include "vm/kern.h"

#define SUBSYSTEMS "/sys/kernel/config/nvmet/subsystems/"
#define PREFIX "nqn.2000-02.com.mikrotik:"
#define HOST "b9a5c1f2-2f61-4f0e-9d0e-6c3f6f1d2a10"
#define MIB (1024LL * 1024)

enum { SIZE_MIB = 64, LONG_MS = 60000 };

struct box {
	struct sim sim;
	const char *args[16];
};

static const char *nqn(const char *slot)
{
	static char text[2][128];
	static unsigned at;

	at = (at + 1) % 2;
	(void)snprintf(text[at], sizeof(text[at]), PREFIX "%s", slot);
	return text[at];
}

/* "" is what a console says to a command that went well. */
static bool console(struct box *b, const char *line)
{
	char *text = sim_exec(&b->sim, line);
	bool ok = CHECK(text && !*text, "%s: %s", line, text ? text : "no answer");

	free(text);
	return ok;
}

static bool add(struct box *b, const char *slot)
{
	char line[600];

	(void)snprintf(line, sizeof(line),
		       "/disk add type=file slot=\"%s\" "
		       "file-path=\"/storage-pool/metal-csi/%s.img\" file-size=%dM "
		       "mount-filesystem=no nvme-tcp-server-nqn=\"" PREFIX
		       "%s\" nvme-tcp-export=yes",
		       slot, slot, SIZE_MIB, slot);
	return console(b, line);
}

static bool box_set(struct box *b, const char *slot, const char *what)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "/disk set \"%s\" %s", slot, what);
	return console(b, line);
}

static bool post(struct box *b, const char *query)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "/nvmet?%s", query);
	return sim_post(&b->sim, path);
}

/* The box with the disks a and b, exported. Arguments end with NULL. */
static bool open_box(struct box *b, const char *const *args)
{
	unsigned n = 0;

	*b = (struct box){ 0 };
	b->args[n++] = "--export=nvmet";
	while (args && *args)
		b->args[n++] = *args++;
	b->sim.args = b->args;
	e2e_path(b->sim.dir, "box");
	return sim_start(&b->sim) && add(b, "a") && add(b, "b");
}

static void close_box(struct box *b)
{
	sim_stop(&b->sim);
	CHECK(access(SUBSYSTEMS PREFIX "a", F_OK) < 0 &&
		      access(SUBSYSTEMS PREFIX "b", F_OK) < 0,
	      "the target still has exports of an ended box");
}

static int join(const char *slot)
{
	struct hand_session s = { .nqn = nqn(slot),
				  .hostnqn = "nqn.2014-08.org.nvmexpress:uuid:" HOST,
				  .hostid = HOST,
				  .port = 4420,
				  /* A machine that stands still is no silent target. */
				  .options = "reconnect_delay=1,ctrl_loss_tmo=600,"
					     "keep_alive_tmo=60" };
	int number = hand_connect(&s);

	CHECK(number >= 0, "connect %s: %s", slot, strerror(-number));
	CHECK(kern_until_live(nqn(slot), LONG_MS), "%s has no device", slot);
	return number;
}

/* Not by its number: the kernel may have given it up by itself. And not at once: a
 * controller deleted while its reconnect is in its last step leaves its keep-alive timer
 * behind, which later takes kernel 6.1 down (6.1.192: ka_work of a freed controller). */
static void leave(const char *slot)
{
	char path[64];

	e2e_sleep_ms(200);
	for (int i = 0; i < 16 && kern_sessions(nqn(slot)); i++) {
		char text[200] = "";
		FILE *f;

		(void)snprintf(path, sizeof(path), "/sys/class/nvme/nvme%d/subsysnqn", i);
		f = fopen(path, "re");
		if (f && fgets(text, sizeof(text), f) &&
		    strncmp(text, nqn(slot), strlen(nqn(slot))) == 0)
			hand_disconnect(i);
		if (f)
			fclose(f);
	}
	CHECK(kern_until_gone(nqn(slot), LONG_MS), "%s stays connected", slot);
}

static bool can_write(const char *slot)
{
	static char block[4096] __attribute__((aligned(4096)));
	char dev[KERN_NAME];
	int fd = kern_device(nqn(slot), dev) ? open(dev, O_WRONLY | O_DIRECT | O_CLOEXEC)
					     : -1;
	bool ok = fd >= 0 && pwrite(fd, block, sizeof(block), 0) == sizeof(block);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool writable(const void *slot)
{
	return can_write(slot);
}

static bool without_device(const void *slot)
{
	char dev[KERN_NAME];

	return !kern_device(nqn(slot), dev);
}

#define SOON(cond, slot) CHECK(kern_until(cond, slot, LONG_MS), "not in time: %s", slot)

static void on_and_off(void)
{
	struct box b;

	if (!open_box(&b, NULL))
		return;
	join("a");
	join("b");
	CHECK(can_write("a") && can_write("b"), "cannot write");
	box_set(&b, "a", "nvme-tcp-export=no");
	CHECK(access(SUBSYSTEMS PREFIX "a", F_OK) < 0, "export off leaves a subsystem");
	CHECK(kern_until_lost(nqn("a"), LONG_MS), "the session outlived its export");
	CHECK(kern_live(nqn("b")) == 1 && can_write("b"), "the neighbour was hit");
	leave("a");
	box_set(&b, "a", "nvme-tcp-export=yes");
	join("a");
	CHECK(can_write("a"), "cannot write after the second export");
	leave("a");
	leave("b");
	close_box(&b);
}

static void link_only(void)
{
	static const char *const args[] = { "--nvmet-off=link-only", NULL };
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	box_set(&b, "a", "nvme-tcp-export=no");
	CHECK(access(SUBSYSTEMS PREFIX "a/namespaces/1", F_OK) == 0, "it was removed");
	CHECK(kern_until_lost(nqn("a"), LONG_MS), "the session outlived its link");
	leave("a");
	box_set(&b, "a", "nvme-tcp-export=yes");
	join("a");
	leave("a");
	close_box(&b);
}

static void keep_sessions(void)
{
	static const char *const args[] = { "--nvmet-off=keep-sessions", NULL };
	struct hand_session other = { .nqn = PREFIX "a",
				      .hostnqn = "nqn.2014-08.org.nvmexpress:uuid:x",
				      .hostid = "b9a5c1f2-2f61-4f0e-9d0e-6c3f6f1d2a11",
				      .port = 4420 };
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	box_set(&b, "a", "nvme-tcp-export=no");
	e2e_sleep_ms(500);
	CHECK(kern_live(nqn("a")) == 1 && can_write("a"), "the session did not survive");
	CHECK(hand_connect(&other) < 0, "a new session was let in");
	leave("a");
	box_set(&b, "a", "nvme-tcp-export=yes");
	join("a");
	leave("a");
	close_box(&b);
}

static void port_off(void)
{
	static const char *const args[] = { "--ns-uuid=stable", NULL };
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	join("b");
	post(&b, "port=off&ms=8000");
	CHECK(kern_until_lost(nqn("a"), LONG_MS) && kern_until_lost(nqn("b"), LONG_MS),
	      "a session outlived the port");
	SOON(writable, "a");
	SOON(writable, "b");
	leave("a");
	leave("b");
	close_box(&b);
}

/* The port is there, this export is not: 6.1 tries on, 6.12 takes the refusal for an
 * answer. */
static void export_away(void)
{
	static const char *const args[] = { "--ns-uuid=stable", NULL };
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	join("b");
	post(&b, "slot=a&do=off&ms=10000");
	CHECK(kern_until_lost(nqn("a"), LONG_MS), "the session outlived its export");
	if (kern_is("6.1"))
		SOON(writable, "a");
	else
		CHECK(kern_until_gone(nqn("a"), LONG_MS), "6.12 did not give it up");
	CHECK(kern_live(nqn("b")) == 1 && can_write("b"), "the neighbour was hit");
	leave("a");
	leave("b");
	close_box(&b);
}

static void reboot_with_lag(void)
{
	static const char *const args[] = { "--ns-uuid=stable", NULL };
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	sim_fault(&b.sim, "export-lag=10000&reboot=2000");
	CHECK(kern_until_lost(nqn("a"), LONG_MS), "the session outlived the box");
	if (kern_is("6.1"))
		SOON(writable, "a");
	else
		CHECK(kern_until_gone(nqn("a"), LONG_MS), "6.12 did not give it up");
	leave("a");
	close_box(&b);
}

static void other_uuid(void)
{
	struct box b;

	if (!open_box(&b, NULL))
		return;
	join("a");
	kern_mark();
	post(&b, "port=off"); /* or 6.12 could meet the gap */
	post(&b, "slot=a&do=recreate&uuid=new");
	post(&b, "port=on");
	SOON(without_device, "a");
	CHECK(kern_said("identifiers changed"), "the kernel saw no other UUID");
	leave("a");
	close_box(&b);
}

static bool is_other_file(const void *slot)
{
	char dev[KERN_NAME];

	return kern_device(nqn(slot), dev) && kern_size(dev) == 32 * MIB;
}

static void other_file(void)
{
	static const char *const args[] = { "--ns-uuid=stable", NULL };
	char path[E2E_PATH], query[600];
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	e2e_path(path, "other");
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	CHECK(truncate(path, 32 * MIB) == 0, "truncate");
	post(&b, "port=off");
	(void)snprintf(query, sizeof(query), "slot=a&do=recreate&uuid=same&file=%s",
		       path);
	post(&b, query);
	post(&b, "port=on");
	SOON(is_other_file, "a");
	CHECK(can_write("a"), "cannot write");
	leave("a");
	close_box(&b);
}

static void disabled(void)
{
	struct box b;

	if (!open_box(&b, NULL))
		return;
	join("a");
	post(&b, "slot=a&do=disable");
	SOON(without_device, "a");
	CHECK(kern_live(nqn("a")) == 1, "the controller did not stay");
	post(&b, "slot=a&do=enable");
	SOON(writable, "a");
	leave("a");
	close_box(&b);
}

static void rescan(void)
{
	for (int i = 0; i < 8; i++) {
		char path[80];

		(void)snprintf(path, sizeof(path),
			       "/sys/class/nvme/nvme%d/rescan_controller", i);
		(void)kern_put(path, "1");
	}
}

static bool has_grown(const void *slot)
{
	char dev[KERN_NAME];

	return kern_device(nqn(slot), dev) && kern_size(dev) == 2 * SIZE_MIB * MIB;
}

/* What is to happen is waited for; what is not gets time to. */
static bool grows(bool is_awaited)
{
	return kern_until(has_grown, "a", is_awaited ? LONG_MS : 1500);
}

static void grow(const char *flag, bool sees_alone, bool sees_rescan)
{
	const char *const args[] = { "--ns-uuid=stable", flag, NULL };
	struct box b;

	if (!open_box(&b, args))
		return;
	join("a");
	box_set(&b, "a", "file-size=128M");
	CHECK(grows(sees_alone) == sees_alone, "told by itself");
	rescan();
	CHECK(grows(sees_rescan) == sees_rescan, "seen by rescan");
	post(&b, "port=off");
	post(&b, "slot=a&do=recreate&uuid=same");
	post(&b, "port=on");
	SOON(has_grown, "a");
	SOON(writable, "a");
	leave("a");
	close_box(&b);
}

static void grow_quiet(void)
{
	grow(NULL, false, true);
}

static void grow_told(void)
{
	grow("--nvmet-tells-growth", true, true);
}

static void grow_fixed(void)
{
	grow("--nvmet-size-fixed", false, false);
}

/* What a killed box leaves is removed by the next one, and nothing else is. */
static void crash(void)
{
	static const struct hand_export foreign = { .nqn = "nqn.2000-02.com.mikrotik:c",
						    .image = "/tmp/foreign",
						    .size_bytes = MIB,
						    .port_id = 100,
						    .port = 4421 };
	struct box b;

	if (!open_box(&b, NULL) || !hand_export(&foreign))
		return;
	join("a");
	box_set(&b, "b", "nvme-tcp-export=no");
	sim_kill(&b.sim);
	CHECK(can_write("a"), "the target went with the box's process");
	leave("a");
	CHECK(mkdir(SUBSYSTEMS PREFIX "b", 0700) == 0,
	      "mkdir"); /* not its own any more */
	if (sim_start(&b.sim)) {
		join("a");
		CHECK(can_write("a"), "cannot write");
		leave("a");
	}
	CHECK(access(SUBSYSTEMS PREFIX "b", F_OK) == 0, "removed what is not its own");
	CHECK(rmdir(SUBSYSTEMS PREFIX "b") == 0, "rmdir");
	CHECK(access(SUBSYSTEMS PREFIX "c", F_OK) == 0, "removed a foreign export");
	hand_unexport(&foreign);
	close_box(&b);
}

static const struct e2e_test tests[] = { { "on_and_off", on_and_off, true },
					 { "link_only", link_only, true },
					 { "keep_sessions", keep_sessions, true },
					 { "port_off", port_off, true },
					 { "export_away", export_away, true },
					 { "reboot_with_lag", reboot_with_lag, true },
					 { "other_uuid", other_uuid, true },
					 { "other_file", other_file, true },
					 { "disabled", disabled, true },
					 { "grow_quiet", grow_quiet, true },
					 { "grow_told", grow_told, true },
					 { "grow_fixed", grow_fixed, true },
					 { "crash", crash, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
