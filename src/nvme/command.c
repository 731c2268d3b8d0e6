#include "nvme/command.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "nvme/mount_opts.h"
#include "nvme/probe.h"
#include "nvme/reply.h"

/* Deadlines are for a machine in trouble, not for a good one: a silent NVMe target takes
 * 64 to 94 s to give up. */
static const struct {
	const char *name;
	uint64_t timeout_ms;
	bool is_reader; /* needs no lock */
} kinds[NVME_N_KINDS] = {
	[NVME_ATTACH] = { "attach", 60000, false },
	[NVME_RESCAN] = { "rescan", 30000, false },
	[NVME_PROVE] = { "prove", 15000, false },
	[NVME_CUT] = { "cut", 120000, true },
	[NVME_CUT_OTHERS] = { "cut others", 120000, false },
	[NVME_ASK] = { "ask", 80000, true },
	[NVME_DETACH] = { "detach", 100000, false },
	[NVME_PROBE] = { "probe", 60000, false },
	[NVME_WIPE] = { "wipe", 60000, false },
	[NVME_FORMAT] = { "format", 300000, false },
	[NVME_CHECK] = { "check", 300000, false },
	[NVME_MOUNT] = { "mount", 120000, false },
	[NVME_BIND] = { "bind", 30000, false },
	[NVME_UNMOUNT] = { "unmount", 100000, false },
	[NVME_SYNC] = { "sync", 100000, false },
	[NVME_STATS] = { "stats", 20000, true },
	[NVME_GROW] = { "grow", 300000, false },
};

uint64_t command_timeout_ms(enum nvme_kind kind)
{
	return kinds[kind].timeout_ms;
}

bool command_is_reader(enum nvme_kind kind)
{
	return kinds[kind].is_reader;
}

const char *command_name(enum nvme_kind kind)
{
	return kinds[kind].name;
}

static const char *mode(const struct nvme_req *req)
{
	return req->readonly ? "ro" : "rw";
}

void command_helper(struct command *c, const char *helper, const char *verb,
		    const char *first, const char *second)
{
	const char *argv[] = {
		helper, "helper", verb, first, first ? second : NULL, NULL
	};

	memcpy(c->argv, argv, sizeof(argv));
	c->is_helper = true;
}

void command_content(struct command *c, unsigned at, const struct nvme_req *req)
{
	c->argv[at] = req->fs_type ? req->fs_type : "";
	c->argv[at + 1] = req->fs_uuid ? req->fs_uuid : "";
	c->argv[at + 2] = NULL;
}

static void use_fs(struct command *c)
{
	memcpy(c->argv, c->fs.argv, sizeof(c->fs.argv));
}

static int make_mount(struct command *c, const struct nvme_req *req, const char *helper,
		      struct err *err)
{
	struct mount_opts *o = mem_alloc(sizeof(*o));
	int rc;

	if (!o)
		return err_nomem(err);
	rc = mount_opts_parse(req->options, o, err);
	if (!rc) {
		c->data = mem_strdup(o->data);
		rc = c->data ? 0 : err_nomem(err);
	}
	(void)snprintf(c->flags, sizeof(c->flags), "%lx", o->flags);
	mem_free(o);
	command_helper(c, helper, "mount", req->device.path, req->path);
	c->argv[5] = req->fs_type;
	c->argv[6] = mode(req);
	c->argv[7] = c->flags;
	c->argv[8] = c->data;
	c->argv[9] = NULL;
	return rc;
}

static void make_bind(struct command *c, const struct nvme_req *req, const char *helper)
{
	command_helper(c, helper, req->from ? "bind" : "bind-node",
		       req->from ? req->from : req->device.path, req->path);
	c->argv[5] = mode(req);
	c->argv[6] = NULL;
}

static int make_tool(struct command *c, const struct nvme_req *req, struct err *err)
{
	const char *dev = req->device.path;
	int rc = req->kind == NVME_FORMAT
			 ? fs_mkfs(&c->fs, req->fs_type, req->fs_uuid, dev)
		 : req->kind == NVME_CHECK
			 ? fs_check(&c->fs, req->fs_type, dev, req->is_thorough)
			 : fs_grow(&c->fs, req->fs_type, dev, req->path);

	if (rc)
		return err_set(err, ERR_PRECONDITION, "%s: not for file system %.15s",
			       kinds[req->kind].name, req->fs_type);
	use_fs(c);
	return 0;
}

int command_make(struct command *c, const struct nvme_req *req, const char *helper,
		 struct err *err)
{
	const char *dev = req->device.path;

	*c = (struct command){ .is_helper = false };
	switch (req->kind) {
	case NVME_PROBE:
		command_helper(c, helper, "probe", dev, req->fs_uuid ? req->fs_uuid : "");
		return 0;
	case NVME_PROVE:
	case NVME_WIPE:
		command_helper(c, helper, kinds[req->kind].name, dev, NULL);
		return 0;
	case NVME_FORMAT:
	case NVME_CHECK:
	case NVME_GROW:
		return make_tool(c, req, err);
	case NVME_MOUNT:
		return make_mount(c, req, helper, err);
	case NVME_BIND:
		make_bind(c, req, helper);
		return 0;
	case NVME_UNMOUNT:
		command_helper(c, helper, "unmount", req->path,
			       req->is_target ? "remove" : "keep");
		return 0;
	case NVME_SYNC:
		command_helper(c, helper, "sync", req->path, dev);
		command_content(c, 5, req);
		return 0;
	case NVME_STATS:
		command_helper(c, helper, "stats", req->path, NULL);
		return 0;
	default:
		return err_set(err, ERR_INTERNAL, "no command for %d", (int)req->kind);
	}
}

void command_fini(struct command *c)
{
	mem_free(c->data);
	mem_free(c->text);
	c->data = c->text = NULL;
}

/* ---- the child's end ---- */

static int get_device(const char *line, struct nvme_device *dev)
{
	uint64_t major, minor;

	if (reply_get_str(line, "device", dev->path, sizeof(dev->path)) ||
	    reply_get_u64(line, "size", &dev->size_bytes) ||
	    reply_get_u64(line, "major", &major) || reply_get_u64(line, "minor", &minor))
		return -1;
	dev->major = (uint32_t)major;
	dev->minor = (uint32_t)minor;
	return 0;
}

static int get_bool(const char *line, const char *key, bool *ret)
{
	uint64_t v;

	if (reply_get_u64(line, key, &v))
		return -1;
	*ret = v != 0;
	return 0;
}

static int get_content(const char *line, struct nvme_content *ret)
{
	struct probe_facts f = { .size_bytes = 0 };
	uint64_t blkid;

	if (reply_get_u64(line, "size", &f.size_bytes) ||
	    reply_get_u64(line, "blkid", &blkid) || blkid > PROBE_BLKID_ERROR ||
	    reply_get_str(line, "type", f.type, sizeof(f.type)) ||
	    reply_get_str(line, "usage", f.usage, sizeof(f.usage)) ||
	    reply_get_str(line, "uuid", f.uuid, sizeof(f.uuid)) ||
	    reply_get_str(line, "table", f.table, sizeof(f.table)))
		return -1;
	if (get_bool(line, "unfinished", &f.is_unfinished) ||
	    reply_get_u64(line, "fs_size", &f.fs_size_bytes) ||
	    get_bool(line, "dirty", &f.is_dirty) ||
	    get_bool(line, "has_error", &f.has_read_error) ||
	    reply_get_u64(line, "error_at", &f.read_error_at) ||
	    get_bool(line, "has_set", &f.has_set_byte) ||
	    reply_get_u64(line, "set_at", &f.set_byte_at))
		return -1;
	f.blkid = (enum probe_blkid)blkid;
	probe_classify(&f, ret);
	return 0;
}

static int get_stats(const char *line, struct nvme_stats *s)
{
	if (reply_get_u64(line, "total", &s->total_bytes) ||
	    reply_get_u64(line, "used", &s->used_bytes) ||
	    reply_get_u64(line, "available", &s->available_bytes) ||
	    reply_get_u64(line, "inodes", &s->total_inodes) ||
	    reply_get_u64(line, "inodes_used", &s->used_inodes) ||
	    reply_get_u64(line, "inodes_free", &s->free_inodes))
		return -1;
	return 0;
}

static int get_result(struct nvme_req *req, const char *line)
{
	switch (req->kind) {
	case NVME_ATTACH:
		if (reply_get_str(line, "ns_id", req->ns_id, sizeof(req->ns_id)))
			req->ns_id[0] = '\0';
		if (reply_get_str(line, "host", req->source_now, sizeof(req->source_now)))
			req->source_now[0] = '\0';
		return get_device(line, &req->device);
	case NVME_RESCAN:
		return get_device(line, &req->device);
	case NVME_PROBE:
		return get_content(line, &req->content);
	case NVME_STATS:
		return get_stats(line, &req->stats);
	case NVME_SYNC:
		return reply_get_str(line, "other", req->other, sizeof(req->other));
	case NVME_ASK:
		return get_bool(line, "refused", &req->is_refused);
	default:
		return 0;
	}
}

static int finish_helper(struct nvme_req *req, const struct command_end *end,
			 struct err *err)
{
	char msg[sizeof(err->msg)];
	uint64_t code;

	if (!reply_is_valid(end->out) || reply_get_u64(end->out, "code", &code) ||
	    code >= ERR_N_CODES || reply_get_str(end->out, "msg", msg, sizeof(msg)))
		return err_set(err, ERR_INTERNAL, "the helper gave no answer: %.100s",
			       end->tail);
	if (code)
		return err_set(err, (enum err_code)code, "%s", msg);
	if (get_result(req, end->out))
		return err_set(err, ERR_INTERNAL, "the helper's answer is incomplete");
	return 0;
}

/* The last line that a tool wrote, for people: the first is often its version. */
static void last_line(const char *text, char out[160])
{
	size_t end = strlen(text), start;

	while (end && (text[end - 1] == '\n' || text[end - 1] == ' '))
		end--;
	for (start = end; start && text[start - 1] != '\n'; start--)
		;
	if (end - start > 150)
		end = start + 150;
	(void)snprintf(out, 160, "%.*s", (int)(end - start), text + start);
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 127)
			*p = '?';
}

/* e2fsck(8): 1 = errors corrected, 2 = and the system should be rebooted, which is for
 * root file systems. */
static bool is_success(const struct nvme_req *req, int status)
{
	return status == 0 || (req->kind == NVME_CHECK && status < 4);
}

static int finish_tool(const struct command *c, struct nvme_req *req,
		       const struct command_end *end, struct err *err)
{
	char line[160];

	if (is_success(req, end->exit_status))
		return 0;
	if (req->kind == NVME_GROW && strstr(end->tail, "Permission denied to resize"))
		return err_set(err, ERR_PRECONDITION,
			       "a mounted %s can be grown only with CAP_SYS_RESOURCE, "
			       "which is missing here: it is grown at the next stage",
			       req->fs_type);
	last_line(end->tail[0] ? end->tail : end->out, line);
	return err_set(err, ERR_PRECONDITION, "%s ended with status %d: %s", c->argv[0],
		       end->exit_status, line);
}

int command_finish(const struct command *c, struct nvme_req *req,
		   const struct command_end *end, struct err *err)
{
	if (end->term_signal)
		return err_set(err, ERR_ABORTED, "%s was killed by signal %d", c->argv[0],
			       end->term_signal);
	return c->is_helper ? finish_helper(req, end, err)
			    : finish_tool(c, req, end, err);
}
