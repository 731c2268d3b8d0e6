#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "nvme/sysfs.h"
#include "nvme/sysfs_nvme.h"
#include "nvme/tcp_backend.h"

/* The kernel takes all options of a connect as one line with commas. */
int tcp_check_name(const char *nqn, const char *what, struct err *err)
{
	size_t n = strlen(nqn);

	if (!n || n > NVME_NQN_MAX)
		return err_set(err, ERR_INVALID, "%s: 1 to %d bytes", what, NVME_NQN_MAX);
	for (; *nqn; nqn++)
		if (*nqn <= ' ' || *nqn == ',' || (unsigned char)*nqn >= 127)
			return err_set(err, ERR_INVALID, "%s holds a bad character",
				       what);
	return 0;
}

/* With a zone ("fe80::1%eth0") too. */
static int check_address(const char *address, struct err *err)
{
	unsigned char in[sizeof(struct in6_addr)];
	size_t n = strcspn(address, "%");
	char text[INET6_ADDRSTRLEN];

	if (n < sizeof(text)) {
		memcpy(text, address, n);
		text[n] = '\0';
		if (!address[n] && inet_pton(AF_INET, text, in) == 1)
			return 0;
		if (inet_pton(AF_INET6, text, in) == 1 && strlen(address + n) < 18 &&
		    !strpbrk(address + n, ", \t\n"))
			return 0;
	}
	return err_set(err, ERR_INVALID,
		       "the target's address must be an IPv4 or IPv6 literal");
}

/* All host NQNs under which a session is ours. */
static int make_hosts(const struct nvme_tcp *t, const struct nvme_req *req,
		      struct command *c, struct err *err)
{
	const char *source = req->source ? req->source : "";
	size_t n = strlen(t->host_nqn), m = strlen(source);

	c->data = mem_alloc(n + m + 2);
	if (!c->data)
		return err_nomem(err);
	(void)snprintf(c->data, n + m + 2, "%s%s%s", t->host_nqn, m ? "," : "", source);
	return 0;
}

/* Whether there is none now: then the child need not look for one, which in a crowd of
 * sessions is quicker here, where their names are known. What comes up in between is in
 * the way of the connect, and so is found. */
static bool is_absent(struct nvme_tcp *t, const char *nqn, const char *hosts)
{
	struct nvme_names *names = t->is_real_sys ? &t->names : NULL;
	const struct nvme_wanted wanted = { nqn, "", hosts };
	struct err err = { .code = ERR_OK };
	struct nvme_sessions s;

	return sysfs_nvme_find(t->sys_root, &wanted, names, &s, &err) == 0 && !s.n;
}

static int make_attach(struct nvme_tcp *t, const struct nvme_req *req, struct command *c,
		       struct err *err)
{
	const struct nvme_target *to = req->target;
	char settings[96];

	if (!to || !to->address || !to->port)
		return err_set(err, ERR_INVALID, "no address to connect to");
	if (tcp_check_name(req->nqn, "nqn", err) || check_address(to->address, err))
		return -1;
	(void)snprintf(settings, sizeof(settings), "%d,%d,%d,%d,%d,%d", to->n_io_queues,
		       to->queue_size, to->ctrl_loss_tmo_s, to->reconnect_delay_s,
		       to->keep_alive_tmo_s, to->fast_io_fail_tmo_s);
	c->text = mem_strdup(settings);
	if (!c->text)
		return err_nomem(err);
	(void)snprintf(c->flags, sizeof(c->flags), "%u", to->port);
	command_helper(c, t->base.host.helper, "nvme-attach", req->nqn, t->host_nqn);
	c->argv[5] = t->host_id;
	c->argv[6] = c->data;
	c->argv[7] = to->address;
	c->argv[8] = c->flags;
	c->argv[9] = c->text;
	c->argv[10] = req->readonly ? "ro" : "rw";
	c->argv[11] = is_absent(t, req->nqn, c->data) ? "new" : "any";
	c->argv[12] = NULL;
	return 0;
}

/* "traddr=10.0.0.1,trsvcid=4420,src_addr=…" */
static int option(const char *line, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	while (*line) {
		size_t m = strcspn(line, ",");

		if (m > n && memcmp(line, name, n) == 0 && line[n] == '=' &&
		    m - n <= size) {
			memcpy(out, line + n + 1, m - n - 1);
			out[m - n - 1] = '\0';
			return 0;
		}
		line += m + (line[m] == ',');
	}
	return -1;
}

struct where {
	char address[64], port[8], host_id[NVME_UUID_MAX + 1], host_nqn[NVME_NQN_MAX + 1];
	char settle[12];
};

static int find_where(const struct nvme_tcp *t, const char *nqn, const char *hosts,
		      struct where *ret, struct err *err)
{
	const struct nvme_wanted wanted = { nqn, "", hosts };
	struct nvme_sessions s;
	char line[256];

	if (sysfs_nvme_find(t->sys_root, &wanted, NULL, &s, err))
		return -1;
	if (!s.n)
		return err_set(err, ERR_UNAVAILABLE, "no session under %.100s", nqn);
	memcpy(ret->host_nqn, s.at[0].host_nqn, sizeof(ret->host_nqn));
	if (sysfs_attr(line, sizeof(line), "%s/class/nvme/%s/address", t->sys_root,
		       s.at[0].ctrl) ||
	    sysfs_attr(ret->host_id, sizeof(ret->host_id), "%s/class/nvme/%s/hostid",
		       t->sys_root, s.at[0].ctrl) ||
	    option(line, "traddr", ret->address, sizeof(ret->address)) ||
	    option(line, "trsvcid", ret->port, sizeof(ret->port)))
		return err_set(err, ERR_UNAVAILABLE, "where %.100s leads cannot be told",
			       nqn);
	return 0;
}

/* Its texts live as long as the command, in c->text. */
static int make_ask(const struct nvme_tcp *t, const struct nvme_req *req,
		    struct command *c, struct err *err)
{
	struct where *w = mem_calloc(1, sizeof(*w));

	if (!w)
		return err_nomem(err);
	c->text = (char *)w;
	if (find_where(t, req->nqn, c->data, w, err))
		return -1;
	command_helper(c, t->base.host.helper, "ask", w->address, w->port);
	c->argv[5] = req->nqn;
	c->argv[6] = w->host_nqn;
	c->argv[7] = w->host_id;
	(void)snprintf(w->settle, sizeof(w->settle), "%u", t->refusal_settle_ms);
	c->argv[8] = w->settle;
	c->argv[9] = NULL;
	return 0;
}

/* A device that goes leaves its name and its number to the next one, between a look and
 * the child too: a record may be synced meanwhile. And mkfs.ext4, without a terminal,
 * asks nobody before it overwrites what is there (e2fsprogs 1.47). */
int tcp_check_device(struct request_host *host, const struct nvme_req *req,
		     struct err *err)
{
	const struct nvme_tcp *t = CONTAINER_OF(host, struct nvme_tcp, base.host);
	const char *name = strrchr(req->device.path, '/');
	struct nvme_device now;
	char nqn[NVME_NQN_MAX + 1];

	if (!name || !req->nqn || !req->nqn[0])
		return 0;
	if (sysfs_device(t->sys_root, name + 1, &now) == 0 &&
	    now.major == req->device.major && now.minor == req->device.minor &&
	    sysfs_nvme_nqn_of(t->sys_root, name + 1, nqn) == 0 &&
	    strcmp(nqn, req->nqn) == 0)
		return 0;
	return err_set(err, ERR_ABORTED, "%s is not the volume's device any more",
		       req->device.path);
}

int tcp_command(struct request_host *host, struct nvme_req *req, struct command *c,
		struct err *err)
{
	struct nvme_tcp *t = CONTAINER_OF(host, struct nvme_tcp, base.host);
	const char *helper = host->helper;

	*c = (struct command){ .is_helper = true };
	if (make_hosts(t, req, c, err))
		return -1;
	switch (req->kind) {
	case NVME_ATTACH:
		return make_attach(t, req, c, err);
	case NVME_CUT:
		command_helper(c, helper, "nvme-cut", req->nqn, c->data);
		return 0;
	case NVME_CUT_OTHERS:
		command_helper(c, helper, "nvme-cut-others", req->nqn, req->base_nqn);
		c->argv[5] = c->data;
		c->argv[6] = NULL;
		return 0;
	case NVME_DETACH:
		command_helper(c, helper, "nvme-detach", req->nqn, c->data);
		return 0;
	case NVME_ASK:
		return make_ask(t, req, c, err);
	default:
		command_helper(c, helper, "nvme-rescan", req->device.path, NULL);
		command_content(c, 4, req);
		return 0;
	}
}
