#include "csi/node/contexts.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/str.h"

static const char *const keys[NODE_CTX_N] = {
	[NODE_CTX_MARKER] = "rds_csi_ctx",
	[NODE_CTX_PUBLISH_NQN] = "nvme_nqn",
	[NODE_CTX_PUBLISH_SIZE] = "size_bytes",
	[NODE_CTX_PUBLISH_ADDRESS] = "nvme_address",
	[NODE_CTX_PUBLISH_PORT] = "nvme_port",
	[NODE_CTX_PUBLISH_READONLY] = "readonly",
	[NODE_CTX_NQN] = "nqn",
	[NODE_CTX_NVME_ADDRESS] = "nvmeAddress",
	[NODE_CTX_RDS_ADDRESS] = "rdsAddress",
	[NODE_CTX_PORT] = "nvmePort",
	[NODE_CTX_IDENTITY] = "fsIdentity",
	[NODE_CTX_CTRL_LOSS] = "ctrlLossTmo",
	[NODE_CTX_RECONNECT] = "reconnectDelay",
	[NODE_CTX_KEEP_ALIVE] = "keepAliveTmo",
	[NODE_CTX_IO_QUEUES] = "nrIoQueues",
	[NODE_CTX_QUEUE_SIZE] = "queueSize",
	[NODE_CTX_FAST_FAIL] = "fastIoFailTmo",
};

static void offer(struct node_contexts *c, int from, int to, const char *const pair[2])
{
	for (int i = from; i < to; i++)
		if (strcmp(keys[i], pair[0]) == 0)
			c->values[i] = pair[1];
}

void node_contexts_publish(struct node_contexts *c, const char *key, const char *value)
{
	offer(c, 0, NODE_CTX_N_PUBLISH, (const char *const[2]){ key, value });
}

void node_contexts_volume(struct node_contexts *c, const char *key, const char *value)
{
	offer(c, NODE_CTX_N_PUBLISH, NODE_CTX_N, (const char *const[2]){ key, value });
}

/* ---- the NQN */

/* A back end may use the NQN as a file name or in a line of text. */
static bool has_bad_char(const char *nqn)
{
	for (; *nqn; nqn++)
		if (*nqn <= ' ' || *nqn == '/' || *nqn == ',' ||
		    (unsigned char)*nqn >= 127)
			return true;
	return false;
}

static int check_nqn(const char *nqn, bool is_ours, const char *prefix, struct err *err)
{
	if (!nqn || !nqn[0] || strlen(nqn) > NVME_NQN_MAX)
		return err_set(err, ERR_INVALID, "the %s holds no nqn",
			       is_ours ? "publish_context" : "volume_context");
	if (!str_starts_with(nqn, prefix) || !nqn[strlen(prefix)])
		return err_set(err, ERR_PRECONDITION,
			       "nqn lacks the managed prefix %.100s", prefix);
	if (has_bad_char(nqn))
		return err_set(err, ERR_INVALID, "nqn holds a bad character");
	return 0;
}

/* ---- where it is reached */

/* The kernel takes literals only, and a name may lead elsewhere tomorrow. */
static bool is_literal(const char *address)
{
	struct in6_addr out;

	return inet_pton(AF_INET, address, &out) == 1 ||
	       inet_pton(AF_INET6, address, &out) == 1;
}

static int read_address(const struct node_contexts *c, bool is_ours,
			struct nvme_target *at, struct err *err)
{
	int key = is_ours ? NODE_CTX_PUBLISH_ADDRESS : NODE_CTX_NVME_ADDRESS;
	int port = is_ours ? NODE_CTX_PUBLISH_PORT : NODE_CTX_PORT;
	const char *address = c->values[key];
	uint64_t n = 0;

	if (!is_ours && (!address || !address[0])) {
		key = NODE_CTX_RDS_ADDRESS;
		address = c->values[key];
	}
	if (address && !address[0])
		address = NULL;
	if (address && !is_literal(address))
		return err_set(err, ERR_INVALID,
			       "%s is no IPv4 or IPv6 address (a name will not do)",
			       keys[key]);
	if (c->values[port] &&
	    (str_to_u64(c->values[port], &n) || n < 1 || n > UINT16_MAX))
		return err_set(err, ERR_INVALID, "%s is no port", keys[port]);
	at->address = address;
	at->port = (uint16_t)n;
	return 0;
}

/* Bounds as in the StorageClass. "zero is unset": the drivers before this one left the
 * kernel's default where these said 0. What is missing is as a class would have it. */
static const struct setting {
	int key;
	int32_t min, max, missing;
	bool is_zero_unset;
	size_t offset;
} settings[] = {
	{ NODE_CTX_CTRL_LOSS, -1, INT32_MAX, -1, true,
	  offsetof(struct nvme_target, ctrl_loss_tmo_s) },
	{ NODE_CTX_RECONNECT, 0, INT32_MAX, 5, true,
	  offsetof(struct nvme_target, reconnect_delay_s) },
	{ NODE_CTX_KEEP_ALIVE, 0, INT32_MAX, NVME_UNSET, true,
	  offsetof(struct nvme_target, keep_alive_tmo_s) },
	{ NODE_CTX_IO_QUEUES, 1, 1024, NVME_UNSET, false,
	  offsetof(struct nvme_target, n_io_queues) },
	{ NODE_CTX_QUEUE_SIZE, 16, 1024, NVME_UNSET, false,
	  offsetof(struct nvme_target, queue_size) },
	{ NODE_CTX_FAST_FAIL, -1, INT32_MAX, NVME_UNSET, false,
	  offsetof(struct nvme_target, fast_io_fail_tmo_s) },
};

static int read_setting(const struct node_contexts *c, const struct setting *s,
			struct nvme_target *at, struct err *err)
{
	const char *text = c->values[s->key];
	int64_t v = s->missing;
	int32_t value;

	if (text && (str_to_i64(text, &v) || v < s->min || v > s->max))
		return err_set(err, ERR_INVALID, "%s must be a number of %d to %d",
			       keys[s->key], (int)s->min, (int)s->max);
	value = text && v == 0 && s->is_zero_unset ? NVME_UNSET : (int32_t)v;
	memcpy((char *)at + s->offset, &value, sizeof(value));
	return 0;
}

/* A meaning that this version does not know must not be taken for none. */
static int read_identity(const struct node_contexts *c, bool *ret, struct err *err)
{
	const char *text = c->values[NODE_CTX_IDENTITY];

	*ret = text && strcmp(text, "volume-id") == 0;
	if (text && !*ret)
		return err_set(err, ERR_INVALID, "fsIdentity has an unknown value");
	return 0;
}

/* What the controller granted binds the node: beside readers nobody may replay a journal
 * or write, which a writable mount does by itself. */
static int read_grant(const struct node_contexts *c, bool *ret, struct err *err)
{
	const char *text = c->values[NODE_CTX_PUBLISH_READONLY];

	*ret = text && strcmp(text, "true") == 0;
	if (text && !*ret && strcmp(text, "false") != 0)
		return err_set(err, ERR_INVALID, "readonly is neither true nor false");
	return 0;
}

int node_contexts_target(const struct node_contexts *c, const char *prefix,
			 struct node_target *ret, struct err *err)
{
	const char *marker = c->values[NODE_CTX_MARKER];
	bool is_ours = marker && strcmp(marker, "2") == 0;
	const char *size = is_ours ? c->values[NODE_CTX_PUBLISH_SIZE] : NULL;
	struct node_target t = {
		.nqn = c->values[is_ours ? NODE_CTX_PUBLISH_NQN : NODE_CTX_NQN]
	};

	if (check_nqn(t.nqn, is_ours, prefix, err) ||
	    read_address(c, is_ours, &t.at, err) || read_identity(c, &t.has_own_fs, err))
		return -1;
	if (is_ours && read_grant(c, &t.is_readonly, err))
		return -1;
	if (size && str_to_u64(size, &t.size_bytes))
		return err_set(err, ERR_INVALID, "size_bytes is no number");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (read_setting(c, &settings[i], &t.at, err))
			return -1;
	*ret = t;
	return 0;
}
