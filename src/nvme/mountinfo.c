#include "nvme/mountinfo.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

/* The next blank-separated field, decoded. out may be NULL to skip it. -1 when there is
 * none. What is too long for out is cut, and 1. */
static int cut_field(const char **s, char *out, size_t size)
{
	size_t n = 0;
	const char *p = *s;

	while (*p == ' ')
		p++;
	if (*p == '\0' || *p == '\n')
		return -1;
	while (*p && *p != ' ' && *p != '\n') {
		char c = *p++;

		if (c == '\\' && is_octal(p)) {
			c = (char)((p[0] - '0') * 64 + (p[1] - '0') * 8 + (p[2] - '0'));
			p += 3;
		}
		if (out && n < size)
			out[n++] = c;
	}
	if (out)
		out[n < size ? n : size - 1] = '\0';
	*s = p;
	return out && n == size;
}

static int field(const char **s, char *out, size_t size)
{
	return cut_field(s, out, size) ? -1 : 0;
}

static int number(const char *s, uint32_t *ret)
{
	uint64_t v;

	if (str_to_u64(s, &v) || v > UINT32_MAX)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

static int number_field(const char **s, uint32_t *ret)
{
	char text[16];

	return field(s, text, sizeof(text)) || number(text, ret) ? -1 : 0;
}

static int device_field(const char **s, struct mountinfo_entry *e)
{
	char text[32], *colon;

	if (field(s, text, sizeof(text)))
		return -1;
	colon = strchr(text, ':');
	if (!colon)
		return -1;
	*colon = '\0';
	return number(text, &e->major) || number(colon + 1, &e->minor) ? -1 : 0;
}

/* Options come as a comma-separated list whose first word is rw or ro. */
static bool is_ro(const char *options)
{
	return strcmp(options, "ro") == 0 || str_starts_with(options, "ro,");
}

static int parse_tail(const char **s, struct mountinfo_entry *e)
{
	char word[64], options[8] = "";

	e->is_shared = false;
	do {
		if (field(s, word, sizeof(word)))
			return -1;
		e->is_shared |= str_starts_with(word, "shared:");
	} while (strcmp(word, "-") != 0);
	/* The type of a FUSE file system has a name in it that anybody may choose. */
	if (cut_field(s, e->fs_type, sizeof(e->fs_type)) < 0 ||
	    field(s, e->source, sizeof(e->source)))
		return -1;
	while (**s == ' ')
		(*s)++;
	/* Only the first word matters, and the list may be long. */
	strncpy(options, *s, sizeof(options) - 1);
	options[strcspn(options, ",\n")] = '\0';
	e->is_readonly |= is_ro(options);
	return 0;
}

int mountinfo_next(const char **text, struct mountinfo_entry *e)
{
	const char *s = *text, *end;
	char options[4096];

	if (!*s)
		return 0;
	end = strchr(s, '\n');
	if (!end || number_field(&s, &e->id) || number_field(&s, &e->parent) ||
	    device_field(&s, e) || field(&s, e->root, sizeof(e->root)) ||
	    field(&s, e->path, sizeof(e->path)) || field(&s, options, sizeof(options)))
		return -1;
	e->is_readonly = is_ro(options);
	if (parse_tail(&s, e))
		return -1;
	*text = end + 1;
	return 1;
}

bool mountinfo_is_fs_of(const struct mountinfo_entry *e, const struct nvme_device *dev)
{
	if (!dev->path[0])
		return false;
	if (e->major == 0)
		return strcmp(e->source, dev->path) == 0;
	return e->major == dev->major && e->minor == dev->minor;
}

bool mountinfo_is_node_of(const struct mountinfo_entry *e, const struct nvme_device *dev)
{
	const char *name = strrchr(dev->path, '/'), *root = strrchr(e->root, '/');

	return name && root && strcmp(name, root) == 0 &&
	       (strcmp(e->fs_type, "devtmpfs") == 0 || strcmp(e->fs_type, "tmpfs") == 0);
}

/* Of two mounts stacked at one path the upper one has the lower as its parent; the order
 * of lines decides only between others. */
static bool is_above(const struct mountinfo_entry *e, const struct mountinfo_entry *top)
{
	return top->parent != e->id;
}

static int fail(struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "mountinfo: a line cannot be understood");
}

int mountinfo_top(const char *text, const char *path, struct mountinfo_entry *ret,
		  struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	bool has_top = false;
	int rc;

	if (!e)
		return err_nomem(err);
	while ((rc = mountinfo_next(&text, e)) > 0) {
		if (strcmp(e->path, path) != 0 || (has_top && !is_above(e, ret)))
			continue;
		*ret = *e;
		has_top = true;
	}
	mem_free(e);
	return rc < 0 ? fail(err) : has_top;
}

bool mountinfo_is_dead(const struct mountinfo_entry *e, const struct mountinfo_dead *dead)
{
	if (!dead || e->major != dead->major)
		return false;
	return dead->major ? e->minor == dead->minor
			   : strcmp(e->source, dead->source) == 0;
}

bool mountinfo_is_dead_node(const struct mountinfo_entry *e)
{
	const char *name, *end = "//deleted";
	size_t n = strlen(e->root), m = strlen(end);

	if (n <= m || strcmp(e->root + n - m, end) != 0 ||
	    strcmp(e->fs_type, "devtmpfs") != 0)
		return false;
	for (name = e->root + n - m; name > e->root && name[-1] != '/'; name--)
		;
	return strncmp(name, "nvme", 4) == 0;
}

/* What one mount is to the volume. */
enum kin { KIN_NONE, KIN_FS, KIN_NODE, KIN_DEAD };

static enum kin kin_of(const struct mountinfo_entry *e, const struct nvme_query *q,
		       const struct mountinfo_dead *dead, const struct nvme_device *dev)
{
	if (mountinfo_is_dead(e, dead))
		return KIN_DEAD;
	if (mountinfo_is_fs_of(e, dev))
		return KIN_FS;
	if (mountinfo_is_node_of(e, dev))
		return KIN_NODE;
	/* The kubelet gives a target path to one volume only. */
	if (!q->is_staging && strcmp(e->path, q->path) == 0 && mountinfo_is_dead_node(e))
		return KIN_DEAD;
	return KIN_NONE;
}

static void count(const struct mountinfo_entry *e, const struct nvme_query *q,
		  enum kin kin, struct nvme_view *view)
{
	if (strcmp(e->path, q->path) == 0) {
		view->n_layers++;
		view->n_foreign_layers += kin == KIN_NONE;
		view->n_dead += kin == KIN_DEAD;
	} else if (kin != KIN_NONE && (!q->besides || strcmp(e->path, q->besides) != 0)) {
		view->n_elsewhere++;
		view->n_elsewhere_writable += !e->is_readonly;
		view->n_fs_elsewhere += kin == KIN_FS;
		view->n_parts_elsewhere += kin == KIN_FS && strcmp(e->root, "/") != 0;
		view->n_dead += kin == KIN_DEAD;
		if (kin == KIN_DEAD)
			memcpy(view->dead_path, e->path, sizeof(view->dead_path));
	}
}

static void set_top(const struct mountinfo_entry *e, enum kin kin, struct nvme_view *view)
{
	view->is_node = kin == KIN_NODE || (kin == KIN_DEAD && mountinfo_is_dead_node(e));
	view->is_dead = kin == KIN_DEAD;
	view->top = kin == KIN_NONE ? NVME_TOP_FOREIGN : NVME_TOP_OURS;
	view->is_readonly = e->is_readonly;
	(void)snprintf(view->fs_type, sizeof(view->fs_type), "%.*s", NVME_FS_MAX,
		       e->fs_type);
}

int mountinfo_view(const char *text, const struct nvme_query *q,
		   const struct mountinfo_dead *dead, struct nvme_view *view,
		   struct err *err)
{
	struct mountinfo_entry *e = mem_alloc(sizeof(*e));
	const char *all = text;
	int rc;

	if (!e)
		return err_nomem(err);
	view->top = NVME_TOP_NONE;
	while ((rc = mountinfo_next(&text, e)) > 0)
		count(e, q, kin_of(e, q, dead, &view->device), view);
	if (rc < 0)
		(void)fail(err);
	else if (view->n_layers)
		rc = mountinfo_top(all, q->path, e, err);
	if (rc > 0)
		set_top(e, kin_of(e, q, dead, &view->device), view);
	mem_free(e);
	return rc < 0 ? -1 : 0;
}

/* ---- few of many ---- */

/* The nearest of the hits, NULL when there is none. */
static const char *first_of(const char *const hits[MOUNTINFO_WORDS])
{
	const char *first = NULL;

	for (unsigned i = 0; i < MOUNTINFO_WORDS; i++)
		if (hits[i] && (!first || hits[i] < first))
			first = hits[i];
	return first;
}

int mountinfo_pick(const char *text, const char *const words[MOUNTINFO_WORDS],
		   struct buf *ret)
{
	const char *hits[MOUNTINFO_WORDS], *hit;
	int rc = 0;

	for (unsigned i = 0; i < MOUNTINFO_WORDS; i++)
		hits[i] = words[i] && words[i][0] ? strstr(text, words[i]) : NULL;
	while (!rc && (hit = first_of(hits))) {
		const char *line = hit, *end = hit + strcspn(hit, "\n");

		while (line > text && line[-1] != '\n')
			line--;
		end += *end == '\n';
		rc = buf_append(ret, line, (size_t)(end - line));
		for (unsigned i = 0; i < MOUNTINFO_WORDS; i++)
			if (hits[i] && hits[i] < end)
				hits[i] = strstr(end, words[i]);
	}
	return rc;
}

size_t mountinfo_plain(const char *path, const char **ret)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-~";
	size_t longest = 0;

	*ret = path;
	for (size_t n; *path; path += n + (path[n] != '\0')) {
		n = strspn(path, plain);
		if (n <= longest)
			continue;
		longest = n;
		*ret = path;
	}
	return longest;
}
