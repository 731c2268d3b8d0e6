/* /file: what lies on the pool, by name without the leading slash. A row is its name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sim/menu.h"

enum {
	CONTENTS_MAX = 61439, /* longer text is refused (manual, /file) */
};

static const char *const summary[] = { "name", "type", "size", "last-modified", NULL };
static const char *const detail_order[] = { "name", "type", "size", "last-modified",
					    NULL };

static int stat_name(struct run *r, const char *name, struct stat *st)
{
	char host[1024];

	if (r->box->is_pool_away ||
	    (strcmp(name, r->box->opt.mount_point) != 0 && !box_pool_path(r->box, name)))
		return -1;
	box_host_path(r->box, name, host, sizeof host);
	return lstat(host, st);
}

static struct value type_of(struct run *r, const char *name, const struct stat *st)
{
	const char *base = strrchr(name, '/'), *dot;

	if (S_ISDIR(st->st_mode))
		return v_lit("directory");
	dot = strrchr(base ? base : name, '.');
	return v_lit(dot ? arena_printf(&r->a, "%s file", dot) : "file");
}

static struct value contents_of(struct run *r, const char *name, const struct stat *st)
{
	char host[1024], *text;
	ssize_t n;
	int fd;

	if (!S_ISREG(st->st_mode) || st->st_size > 4096)
		return v_nothing();
	box_host_path(r->box, name, host, sizeof host);
	fd = open(host, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return v_nothing();
	text = arena_alloc(&r->a, 4097);
	n = read(fd, text, 4096);
	close(fd);
	return n < 0 ? v_nothing() : v_strn(&r->a, text, (size_t)n);
}

static struct value file_get(struct run *r, void *row, const char *prop, int index)
{
	const char *name = row;
	struct stat st;
	struct tm tm;
	char when[32];

	(void)index;
	if (!strcmp(prop, "name"))
		return v_lit(name);
	if (stat_name(r, name, &st) < 0)
		return v_nothing();
	if (!strcmp(prop, "type"))
		return type_of(r, name, &st);
	if (!strcmp(prop, "size"))
		return S_ISREG(st.st_mode) ? v_num(st.st_size) : v_nothing();
	if (!strcmp(prop, "contents"))
		return contents_of(r, name, &st);
	if (!strcmp(prop, "last-modified")) {
		localtime_r(&st.st_mtime, &tm);
		strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
		return v_str(&r->a, when);
	}
	return v_nothing();
}

/* The id begins with two stars, is long and holds a blank, as on the box. It is the name,
 * each byte shifted so that nobody takes it for one. */
static const char *file_id(struct run *r, void *row)
{
	const char *name = row;
	char *id = arena_printf(&r->a, "**%s", name), *c;

	for (c = id + 2; *c; c++)
		*c = *c == '/'		      ? ' '
		     : *c >= '!' && *c <= '~' ? (char)('!' + '~' - *c)
					      : *c;
	return id;
}

static void *file_by_name(struct run *r, const char *name)
{
	struct stat st;

	if (*name == '/')
		name++;
	return stat_name(r, name, &st) < 0 ? NULL : arena_dup(&r->a, name, strlen(name));
}

static void *file_by_id(struct run *r, const char *id)
{
	char *name = arena_dup(&r->a, id, strlen(id)), *c;

	if (strncmp(name, "**", 2) != 0)
		return NULL;
	for (c = name + 2; *c; c++)
		*c = *c == ' '		      ? '/'
		     : *c >= '!' && *c <= '~' ? (char)('!' + '~' - *c)
					      : *c;
	return file_by_name(r, name + 2);
}

static void list_dir(struct run *r, const char *name, struct rows *out, unsigned depth)
{
	char host[1024];
	struct dirent **names;
	int n;

	box_host_path(r->box, name, host, sizeof host);
	n = depth < 8 ? scandir(host, &names, NULL, alphasort) : -1;
	for (int i = 0; i < n; i++) {
		const char *e = names[i]->d_name;

		if (e[0] != '.') {
			char *sub = arena_printf(&r->a, "%s/%s", name, e);
			bool is_dir = names[i]->d_type == DT_DIR;

			rows_add(r, out, sub);
			if (is_dir)
				list_dir(r, sub, out, depth + 1);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void file_list(struct run *r, const struct hints *h, struct rows *out)
{
	for (unsigned i = 0; i < h->n; i++) {
		void *row;

		if (h->eq[i].prop == PROP_ID ||
		    strcmp(menu_file.schema->props[h->eq[i].prop], "name") != 0)
			continue;
		row = h->eq[i].text[0] == '/' ? NULL : file_by_name(r, h->eq[i].text);
		if (row)
			rows_add(r, out, row);
		return;
	}
	if (r->box->is_pool_away)
		return;
	rows_add(r, out, r->box->opt.mount_point);
	list_dir(r, r->box->opt.mount_point, out, 0);
}

static void log_file(struct run *r, const char *op, const char *name)
{
	const char *kv[] = { "path", name, NULL };

	r->mutations++;
	box_history(r->box, r, op, kv);
}

static int write_new(struct run *r, const char *host, const char *text)
{
	int fd = open(host, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n = -1;

	if (fd >= 0) {
		n = write(fd, text, strlen(text));
		close(fd);
	}
	return n < 0 ? run_error(r, NULL, "failure: %s", strerror(errno)) : 0;
}

static int file_add(struct run *r, struct call *c)
{
	const char *name = call_text(r, c, "name"), *type = call_text(r, c, "type");
	const char *text = call_text(r, c, "contents");
	char host[1024];
	struct stat st;

	name = box_pool_path(r->box, name);
	if (!name)
		return run_error(r, "name", "failure: invalid path");
	if (stat_name(r, name, &st) == 0)
		return run_error(r, NULL, "failure: file already exists");
	if (text && strlen(text) > CONTENTS_MAX)
		return run_error(r, "contents", "failure: contents too long");
	box_host_path(r->box, name, host, sizeof host);
	if (type && !strcmp(type, "directory")) {
		if (mkdir(host, 0755) < 0)
			return run_error(r, NULL, "failure: %s", strerror(errno));
	} else if (write_new(r, host, text ? text : "") < 0) {
		return -1;
	}
	log_file(r, "file-add", name);
	c->ret = v_id(&r->a, file_id(r, arena_dup(&r->a, name, strlen(name))));
	return 0;
}

static int remove_one(struct run *r, struct call *c, void *row)
{
	const char *name = row;

	(void)c;
	if (box_disk_by_path(r->box, name))
		return run_error(r, NULL, "failure: file is in use");
	if (!box_pool_path(r->box, name))
		return run_error(r, NULL, "failure: can not remove");
	if (box_subvol_by_name(r->box, name + strlen(r->box->opt.mount_point) + 1))
		return run_error(r, NULL, "failure: is a subvolume");
	if (box_file_remove(r->box, name) < 0)
		return run_error(r, NULL, "failure: %s", strerror(errno));
	log_file(r, "file-remove", name);
	return 0;
}

static int file_remove(struct run *r, struct call *c)
{
	return run_sleep(r, r->box->opt.op_remove_ms) < 0 ? -1
							  : menu_each(r, c, remove_one);
}

static const struct menu_cmd cmds[] = {
	{ "add", file_add },
	{ "remove", file_remove },
	{ NULL, NULL },
};

struct menu menu_file = {
	.path = "/file",
	.summary = summary,
	.detail_order = detail_order,
	.list = file_list,
	.get = file_get,
	.id = file_id,
	.by_id = file_by_id,
	.by_name = file_by_name,
	.cmds = cmds,
};
