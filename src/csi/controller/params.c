#include "csi/controller/params.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "csi/controller/message.h"

enum { PATH_LIMIT = RDS_PATH_MAX - 140 }; /* leaves room for vol-<id>/volume.img */

/* What one parameter does with its value: 0, or -1 when the value will not do. */
typedef int set_fn(struct params *p, const char *value);

static const char path_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789._/-";
static const char host_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789.:_-";

/* Absolute, no empty component, none that begins with a dot. */
static int set_volume_path(struct params *p, const char *value)
{
	size_t n = strlen(value);

	if (value[0] != '/' || n < 2 || n > PATH_LIMIT || value[n - 1] == '/' ||
	    value[strspn(value, path_chars)] || strstr(value, "//") ||
	    strstr(value, "/."))
		return -1;
	p->volume_path = value;
	return 0;
}

static bool is_host(const char *value)
{
	size_t n = strlen(value);

	return n > 0 && n <= 253 && !value[strspn(value, host_chars)];
}

/* The node's kernel takes a literal; a name was never resolved for it. */
static int set_nvme_address(struct params *p, const char *value)
{
	struct in6_addr out;

	p->nvme_address = value;
	return inet_pton(AF_INET, value, &out) == 1 ||
			       inet_pton(AF_INET6, value, &out) == 1
		       ? 0
		       : -1;
}

static int set_rds_address(struct params *p, const char *value)
{
	p->rds_address = value;
	return is_host(value) ? 0 : -1;
}

static int number(const char *value, int64_t min, int64_t max, int64_t *ret)
{
	return str_to_i64(value, ret) || *ret < min || *ret > max ? -1 : 0;
}

static int set_nvme_port(struct params *p, const char *value)
{
	int64_t v;

	if (number(value, 1, UINT16_MAX, &v))
		return -1;
	p->nvme_port = (uint16_t)v;
	return 0;
}

static int set_s32(int32_t *to, const char *value, int64_t min)
{
	int64_t v;

	if (number(value, min, INT32_MAX, &v))
		return -1;
	*to = (int32_t)v;
	return 0;
}

static int set_ctrl_loss(struct params *p, const char *value)
{
	return set_s32(&p->ctrl_loss_tmo, value, PARAMS_LOSS_FOREVER);
}

static int set_reconnect(struct params *p, const char *value)
{
	return set_s32(&p->reconnect_delay, value, 1);
}

static int set_keep_alive(struct params *p, const char *value)
{
	return set_s32(&p->keep_alive_tmo, value, 0);
}

/* Out of bounds is clamped, as it always was. */
static int set_migration(struct params *p, const char *value)
{
	int64_t v;

	if (str_to_i64(value, &v))
		return -1;
	if (v <= 0)
		return 0;
	if (v < PARAMS_MIGRATION_MIN_S)
		v = PARAMS_MIGRATION_MIN_S;
	if (v > PARAMS_MIGRATION_MAX_S)
		v = PARAMS_MIGRATION_MAX_S;
	p->migration_timeout_s = (uint32_t)v;
	return 0;
}

static int set_layout(struct params *p, const char *value)
{
	static const char *const names[] = {
		[RDS_LAYOUT_AUTO] = "auto",
		[RDS_LAYOUT_SUBVOLUME] = "subvolume",
		[RDS_LAYOUT_FILE] = "file",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(value, names[i]) == 0) {
			p->layout = (enum rds_layout)i;
			return 0;
		}
	return -1;
}

/* The bounds of the next three are those of the Linux host, drivers/nvme/host/fabrics.c:
 * NVMF_MIN_QUEUE_SIZE and NVMF_MAX_QUEUE_SIZE. */
static int set_io_queues(struct params *p, const char *value)
{
	int64_t v;

	p->nr_io_queues = value;
	return number(value, 1, 1024, &v);
}

static int set_queue_size(struct params *p, const char *value)
{
	int64_t v;

	p->queue_size = value;
	return number(value, 16, 1024, &v);
}

static int set_fast_fail(struct params *p, const char *value)
{
	int64_t v;

	p->fast_io_fail_tmo = value;
	return number(value, -1, INT32_MAX, &v);
}

static const struct {
	const char *name;
	set_fn *set; /* NULL: taken, and without effect in every driver so far */
} known[] = {
	{ "volumePath", set_volume_path },
	{ "nvmePort", set_nvme_port },
	{ "nvmeAddress", set_nvme_address },
	{ "rdsAddress", set_rds_address },
	{ "ctrlLossTmo", set_ctrl_loss },
	{ "reconnectDelay", set_reconnect },
	{ "keepAliveTmo", set_keep_alive },
	{ "migrationTimeoutSeconds", set_migration },
	{ "layout", set_layout },
	{ "nrIoQueues", set_io_queues },
	{ "queueSize", set_queue_size },
	{ "fastIoFailTmo", set_fast_fail },
	{ "sshPort", NULL },
	{ "rdsPort", NULL },
	{ "nqnPrefix", NULL },
	{ "fsType", NULL },
};

static int set_one(struct params *p, const char *name, const char *value, struct err *err)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		if (!known[i].set)
			p->ignored = known[i].name;
		else if (known[i].set(p, value))
			return err_set(err, ERR_INVALID,
				       "parameter %s: not a value it can take", name);
		return 0;
	}
	return err_set(err, ERR_INVALID, "unknown parameter %.64s", name);
}

/* The claim is for people: what the record's alphabet lacks is left out. */
static void set_claim(struct params *p, const void *entries, size_t n)
{
	const char *ns = message_lookup(entries, n, "csi.storage.k8s.io/pvc/namespace");
	const char *name = message_lookup(entries, n, "csi.storage.k8s.io/pvc/name");

	if (!ns || !name || !*ns || !*name || ns[strspn(ns, path_chars)] ||
	    name[strspn(name, path_chars)] || strchr(ns, '/') || strchr(name, '/'))
		return;
	(void)snprintf(p->claim, sizeof(p->claim), "%s/%s", ns, name);
}

int params_parse(const void *entries, size_t n, struct params *ret, struct err *err)
{
	struct params p = { .ctrl_loss_tmo = PARAMS_LOSS_FOREVER,
			    .reconnect_delay = 5,
			    .migration_timeout_s = 300 };
	int64_t fast;

	for (size_t i = 0; i < n; i++) {
		const void *e = message_entry(entries, i);

		if (str_starts_with(message_key(e), "csi.storage.k8s.io/"))
			continue;
		if (set_one(&p, message_key(e), message_value(e), err))
			return -1;
	}
	/* The kernel refuses such a pair at connect, when it is too late. */
	if (p.fast_io_fail_tmo && p.ctrl_loss_tmo >= 0 &&
	    !str_to_i64(p.fast_io_fail_tmo, &fast) && fast > p.ctrl_loss_tmo)
		return err_set(err, ERR_INVALID,
			       "parameter fastIoFailTmo: more than ctrlLossTmo");
	set_claim(&p, entries, n);
	*ret = p;
	return 0;
}
