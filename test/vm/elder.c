#include "vm/elder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "e2e/child.h"

#define PREFIX "nqn.2000-02.com.mikrotik:"
#define POOL "/storage-pool/metal-csi"
#define UUID "4c4c4544-0051-3010-8044-b7c04f463233"
enum { PORT = 4420, LINE = 600, DEVICE_MS = 60000 };

const char elder_hostid[] = UUID;
const char elder_hostnqn[] = "nqn.2014-08.org.nvmexpress:uuid:" UUID;

void elder_put(struct vol_context *c, const char *key, const char *value)
{
	char *k = c->text[2 * c->n], *v = c->text[2 * c->n + 1];

	(void)snprintf(k, sizeof(c->text[0]), "%s", key);
	(void)snprintf(v, sizeof(c->text[0]), "%s", value);
	c->pairs[2 * c->n] = k;
	c->pairs[2 * c->n + 1] = v;
	c->n++;
}

bool elder_create(struct sim *box, struct vol *v)
{
	char line[LINE], nqn[300], port[8], *text;
	bool ok;

	(void)snprintf(nqn, sizeof(nqn), PREFIX "%s", v->id);
	(void)snprintf(port, sizeof(port), "%d", PORT);
	(void)snprintf(line, sizeof(line),
		       "/disk add type=file file-path=" POOL
		       "/%s.img file-size=%lld slot=%s nvme-tcp-export=yes "
		       "nvme-tcp-server-port=%d nvme-tcp-server-nqn=%s",
		       v->id, v->want_bytes, v->id, PORT, nqn);
	text = sim_exec(box, line);
	ok = CHECK(text && !*text, "%s: %s", line, text ? text : "no answer");
	free(text);
	v->size_bytes = v->want_bytes;
	elder_put(&v->context, "rdsAddress", "127.0.0.1");
	elder_put(&v->context, "nvmeAddress", "127.0.0.1");
	elder_put(&v->context, "nvmePort", port);
	elder_put(&v->context, "nqn", nqn);
	elder_put(&v->context, "volumePath", POOL);
	elder_put(&v->publish, "nvme_address", "127.0.0.1");
	elder_put(&v->publish, "nvme_port", "0");
	elder_put(&v->publish, "nvme_nqn", nqn);
	elder_put(&v->publish, "fs_type", "ext4");
	return ok;
}

static bool make_node(const char *device, const char *at)
{
	struct stat st = { 0 };

	return CHECK(stat(device, &st) == 0 && mknod(at, S_IFBLK | 0660, st.st_rdev) == 0,
		     "%s at %s: %s", device, at, strerror(errno));
}

/* The options of its bind mounts need a second call, as those of any bind mount. */
static bool mount_both(const char *device, const struct vol *v)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	const char *fs = v->fs ? v->fs : "ext4";

	return CHECK(mount(device, v->staging, fs, 0, NULL) == 0, "mount %s: %s",
		     v->staging, strerror(errno)) &&
	       CHECK(mkdir(v->target, 0750) == 0, "%s: %s", v->target, strerror(errno)) &&
	       CHECK(mount(v->staging, v->target, NULL, MS_BIND, NULL) == 0 &&
			     mount(NULL, v->target, NULL, MS_BIND | MS_REMOUNT | flags,
				   NULL) == 0,
		     "mount %s: %s", v->target, strerror(errno));
}

static bool format(const char *device, const struct vol *v)
{
	char program[40];
	const char *const argv[] = { program, v->fs ? "-f" : "-F", device, NULL };

	(void)snprintf(program, sizeof(program), "/bin/mkfs.%s", v->fs ? v->fs : "ext4");
	return CHECK(child_run(argv, NULL, 0) == 0, "%s %s", program, device);
}

bool elder_stage(const struct vol *v)
{
	struct hand_session s = { .nqn = lab_context(v, "nqn"),
				  .hostnqn = elder_hostnqn,
				  .hostid = elder_hostid,
				  .port = PORT,
				  .options = "ctrl_loss_tmo=-1,reconnect_delay=5,"
					     "keep_alive_tmo=120" };
	char device[KERN_NAME];
	int number = hand_connect(&s);

	if (!CHECK(number >= 0, "connect %s: %s", s.nqn, strerror(-number)) ||
	    !CHECK(kern_until_live(s.nqn, DEVICE_MS) && kern_device(s.nqn, device),
		   "%s has no device", s.nqn))
		return false;
	return v->is_block ? make_node(device, v->target)
			   : format(device, v) && mount_both(device, v);
}
