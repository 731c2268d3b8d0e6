#include "rds/ros_reply.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "rds/disk_record.h"

void ros_reply_init(struct ros_reply *r,
		    void (*on_event)(void *arg, const struct ros_event *ev), void *arg)
{
	*r = (struct ros_reply){ .on_event = on_event, .arg = arg };
	buf_init(&r->line, ROS_LINE_MAX);
}

void ros_reply_fini(struct ros_reply *r)
{
	buf_fini(&r->line);
}

static void say(struct ros_reply *r, enum ros_word word, size_t skip)
{
	struct ros_event ev = { .word = word, .tag = r->tag, .text = "" };

	if (r->line.len > skip) {
		ev.text = r->line.data + skip;
		ev.len = r->line.len - skip;
	}
	r->on_event(r->arg, &ev);
}

static void say_nonsense(struct ros_reply *r, const char *what)
{
	struct ros_event ev = { .word = ROS_SAID_NONSENSE, .text = what };

	ev.len = strlen(what);
	r->on_event(r->arg, &ev);
}

static void start_line(struct ros_reply *r)
{
	buf_reset(&r->line);
	r->where = ROS_IN_LINE;
	r->tag = 0;
	r->depth = 0;
	r->in_string = r->is_escaped = r->is_array = r->has_row = false;
}

static void end_line(struct ros_reply *r)
{
	static const struct {
		const char *mark;
		enum ros_word word;
	} marks[] = {
		{ "@e ", ROS_SAID_ERROR },   { "@n ", ROS_SAID_NUMBER },
		{ "@v ", ROS_SAID_VERSION }, { "@i ", ROS_SAID_ITEM },
		{ "@ok ", ROS_SAID_OK },
	};
	const char *text = r->line.len ? r->line.data : "";

	if (!*text)
		return;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (str_starts_with(text, marks[i].mark)) {
			say(r, marks[i].word, strlen(marks[i].mark));
			return;
		}
	say(r, ROS_SAID_OTHER, 0);
}

/* "@r " or "@rX ": what follows is rows. */
static bool is_row_mark(struct ros_reply *r)
{
	const char *s = r->line.data;
	size_t n = r->line.len;

	if (n < 3 || n > 4 || s[0] != '@' || s[1] != 'r' || s[n - 1] != ' ')
		return false;
	r->tag = n == 4 ? s[2] : 0;
	return n == 3 || (r->tag >= 'a' && r->tag <= 'z');
}

static void take_line_byte(struct ros_reply *r, char c)
{
	if (c == '\r')
		return;
	if ((unsigned char)c < ' ' || (unsigned char)c > '~')
		c = '?';
	if (buf_putc(&r->line, c)) {
		say_nonsense(r, "a line too long");
		r->where = ROS_IN_WASTE;
	} else if (is_row_mark(r)) {
		buf_reset(&r->line);
		r->where = ROS_IN_ROWS;
	}
}

static void take_object_byte(struct ros_reply *r, char c)
{
	/* Raw control bytes and foreign code pages in a comment must not cost the row. */
	if ((unsigned char)c < ' ')
		return;
	if (buf_putc(&r->line, (unsigned char)c > '~' ? '?' : c)) {
		say_nonsense(r, "a row too long");
		r->where = ROS_IN_WASTE;
		return;
	}
	if (r->in_string) {
		if (!r->is_escaped && c == '"')
			r->in_string = false;
		r->is_escaped = !r->is_escaped && c == '\\';
		return;
	}
	if (c == '"')
		r->in_string = true;
	else if (c == '{' || c == '[')
		r->depth++;
	else if ((c == '}' || c == ']') && --r->depth == 0) {
		say(r, ROS_SAID_ROW, 0);
		buf_reset(&r->line);
		r->has_row = true;
		r->where = r->is_array ? ROS_IN_ROWS : ROS_AFTER_ROWS;
	}
}

static void take_row_byte(struct ros_reply *r, char c)
{
	if (c == ' ' || c == '\r' || (c == ',' && r->is_array && r->has_row))
		return;
	if (c == '[' && !r->is_array) {
		r->is_array = true;
	} else if (c == ']' && r->is_array) {
		r->where = ROS_AFTER_ROWS;
	} else if (c == '{') {
		r->where = ROS_IN_OBJECT;
		take_object_byte(r, c);
	} else {
		say_nonsense(r, "rows that are no JSON");
		r->where = ROS_IN_WASTE;
	}
}

static void take_newline(struct ros_reply *r)
{
	switch (r->where) {
	case ROS_IN_LINE:
		end_line(r);
		break;
	case ROS_IN_ROWS:
	case ROS_IN_OBJECT:
		say_nonsense(r, "rows that do not end");
		break;
	case ROS_AFTER_ROWS:
	case ROS_IN_WASTE:
		break;
	}
	start_line(r);
}

/* Most of a list is text inside the strings of rows: taken a run at a time. How many of
 * the n bytes could be taken so. */
static size_t take_text(struct ros_reply *r, const char *p, size_t n)
{
	size_t i = 0;

	if (r->where != ROS_IN_OBJECT || !r->in_string || r->is_escaped)
		return 0;
	while (i < n && p[i] >= ' ' && p[i] <= '~' && p[i] != '"' && p[i] != '\\')
		i++;
	/* What does not fit is left to the byte by byte way, which says so. */
	return i && r->line.len + i <= r->line.max && buf_append(&r->line, p, i) == 0 ? i
										      : 0;
}

void ros_reply_feed(struct ros_reply *r, const char *p, size_t n)
{
	for (size_t i = take_text(r, p, n); i < n;
	     i += 1 + take_text(r, p + i + 1, n - i - 1)) {
		char c = p[i];

		if (c == '\n')
			take_newline(r);
		else if (r->where == ROS_IN_LINE)
			take_line_byte(r, c);
		else if (r->where == ROS_IN_OBJECT)
			take_object_byte(r, c);
		else if (r->where == ROS_IN_ROWS)
			take_row_byte(r, c);
		else if (r->where == ROS_AFTER_ROWS && c != '\r' && c != ' ') {
			say_nonsense(r, "text after the rows");
			r->where = ROS_IN_WASTE;
		}
	}
}

void ros_reply_end(struct ros_reply *r)
{
	take_newline(r);
}

struct stem {
	const char *text;
	enum ros_fault fault;
};

static const struct stem ours[] = {
	{ "@gone", ROS_FAULT_GONE },	 { "@shape", ROS_FAULT_SHAPE },
	{ "@cas", ROS_FAULT_CAS },	 { "@foreign", ROS_FAULT_FOREIGN },
	{ "@held", ROS_FAULT_HELD },	 { "@mounted", ROS_FAULT_MOUNTED },
	{ "@pool", ROS_FAULT_POOL },	 { "@space", ROS_FAULT_SPACE },
	{ "@nqn", ROS_FAULT_NQN },	 { "@leftover", ROS_FAULT_LEFTOVER },
	{ "@larger", ROS_FAULT_LARGER }, { "@inuse", ROS_FAULT_INUSE },
	{ "@still", ROS_FAULT_STILL },	 { "@lost", ROS_FAULT_LOST },
};

/* routeros-script 6: texts seen on RouterOS 7.20 to 7.24, by their beginnings. */
static const struct stem theirs[] = {
	{ "action timed out", ROS_FAULT_TIMED_OUT },
	{ "not enough permissions", ROS_FAULT_PERMISSION },
	{ "failure: not allowed", ROS_FAULT_PERMISSION },
	{ "std failure: not allowed", ROS_FAULT_PERMISSION },
	{ "bad command name", ROS_FAULT_SCRIPT },
	{ "bad parameter", ROS_FAULT_SCRIPT },
	{ "syntax error", ROS_FAULT_SCRIPT },
	{ "expected ", ROS_FAULT_SCRIPT },
	{ "missing ", ROS_FAULT_SCRIPT },
	{ "input does not match", ROS_FAULT_SCRIPT },
	{ "ambiguous value", ROS_FAULT_SCRIPT },
	{ "invalid value", ROS_FAULT_SCRIPT },
	{ "value of ", ROS_FAULT_SCRIPT },
	{ "cannot invert", ROS_FAULT_SCRIPT },
	{ "conditional not boolean", ROS_FAULT_SCRIPT },
	{ "this command requires user input", ROS_FAULT_SCRIPT },
	{ "no such item", ROS_FAULT_OTHER },
	{ "invalid internal item number", ROS_FAULT_OTHER },
	{ "failure: ", ROS_FAULT_OTHER },
	{ "error - contact MikroTik", ROS_FAULT_OTHER },
	{ "interrupted", ROS_FAULT_OTHER },
	{ "compression only", ROS_FAULT_OTHER },
	{ "too much memory", ROS_FAULT_OTHER },
};

static bool says_no_space(const char *text)
{
	return strcasestr(text, "not enough space") ||
	       strcasestr(text, "no space left") || strcasestr(text, "disk full");
}

enum ros_fault ros_console_fault(const char *line)
{
	if (str_starts_with(line, "Script Error: "))
		line += strlen("Script Error: ");
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		if (str_starts_with(line, theirs[i].text))
			return says_no_space(line) ? ROS_FAULT_SPACE : theirs[i].fault;
	return says_no_space(line) ? ROS_FAULT_SPACE : ROS_FAULT_NONE;
}

enum ros_fault ros_fault_of(const char *text)
{
	enum ros_fault fault;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		size_t n = strlen(ours[i].text);

		if (strncmp(text, ours[i].text, n) == 0 && (!text[n] || text[n] == ' '))
			return ours[i].fault;
	}
	fault = ros_console_fault(text);
	return fault == ROS_FAULT_NONE ? ROS_FAULT_OTHER : fault;
}

static int path_of(const struct row *row, struct rds_volume *v)
{
	char path[RDS_PATH_MAX + 1];
	bool has_slash;

	if (row_text(row, "file-path", path, sizeof(path)))
		return -1;
	has_slash = path[0] == '/';
	if (strlen(path) + !has_slash > RDS_PATH_MAX)
		return -1;
	if (path[0])
		(void)snprintf(v->path, sizeof(v->path), "%s%.*s", has_slash ? "" : "/",
			       RDS_PATH_MAX - 1 + has_slash, path);
	return 0;
}

static int port_of(const struct row *row, struct rds_volume *v)
{
	uint64_t port;

	if (row_u64(row, "nvme-tcp-server-port", &port) || port > UINT16_MAX)
		return -1;
	v->port = (uint16_t)port;
	return 0;
}

/* Foreign disks may bear any comment: whatever is no text, or longer than any record, is
 * unreadable, not an error. */
static void record_of(const struct row *row, struct rds_volume *v, const char *cluster_id)
{
	char comment[RDS_RECORD_MAX];

	if (row_text(row, "comment", comment, sizeof(comment)))
		v->record.kind = RDS_RECORD_UNREADABLE;
	else
		disk_record_parse(&v->record, comment, cluster_id);
}

int ros_row_volume(struct rds_volume *v, const struct row *row,
		   const struct ros_site *site, struct err *err)
{
	char type[32];

	*v = (struct rds_volume){ .size_bytes = 0 };
	if (row_text(row, "slot", v->id, sizeof(v->id)) || !v->id[0] ||
	    row_text(row, "type", type, sizeof(type)) ||
	    row_text(row, "nvme-tcp-server-nqn", v->nqn, sizeof(v->nqn)) ||
	    path_of(row, v) || port_of(row, v) || row_u64(row, "size", &v->size_bytes) ||
	    v->size_bytes > INT64_MAX || row_flag(row, "mounted", &v->is_mounted) ||
	    row_flag(row, "mount-filesystem", &v->mount_filesystem) ||
	    row_flag(row, "nvme-tcp-export", &v->is_exported))
		return err_set(err, ERR_UNAVAILABLE,
			       "the box described a disk in a way that makes no sense");
	v->is_file_disk = strcmp(type, "file") == 0;
	v->layout = ros_site_layout(site, v->id, v->path);
	record_of(row, v, site->cluster_id);
	return 0;
}
