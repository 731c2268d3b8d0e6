#include "sim/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/export.h"
#include "sim/figures.h"
#include "sim/menu.h"
#include "sim/server.h"

struct request {
	int fd;
	struct sb in, out;
	size_t sent;
	bool answered;
	struct nvmet_wait *wait; /* the answer comes when the target has done it */
};

struct control {
	int fd;
	struct request conn[CONTROL_MAX_CONNS];
	unsigned n;
};

int control_open(struct server *s, const char *host, uint16_t *port)
{
	s->control = xmalloc(sizeof *s->control);
	s->control->fd = server_listen(host, port);
	return s->control->fd < 0 ? -1 : 0;
}

static void drop(struct server *s, unsigned i)
{
	struct control *c = s->control;

	if (c->conn[i].wait)
		export_forget(s->box, c->conn[i].wait);
	free(c->conn[i].wait);
	close(c->conn[i].fd);
	sb_fini(&c->conn[i].in);
	sb_fini(&c->conn[i].out);
	c->conn[i] = c->conn[--c->n];
}

void control_close(struct server *s)
{
	if (!s->control)
		return;
	while (s->control->n)
		drop(s, 0);
	if (s->control->fd >= 0)
		close(s->control->fd);
	free(s->control);
	s->control = NULL;
}

void control_stats(struct server *s, struct sb *out)
{
	const struct box *b = s->box;
	const struct box_stats *st = &b->stats;
	unsigned files = 0;

	for (const struct disk *d = b->first; d; d = d->next)
		files += d->path != NULL;
	sb_printf(
		out,
		"{\"connections\":%llu,\"connections_now\":%u,\"channels\":%llu,"
		"\"channels_peak\":%u,\"execs\":%llu,\"execs_now\":%u,\"execs_peak\":%u,"
		"\"execs_failed\":%llu,\"disks\":%u,\"files\":%u,\"subvolumes\":%u,"
		"\"unknown\":%llu,\"shrinks\":%llu,\"history\":%llu,\"free\":%llu}\n",
		(unsigned long long)st->connections, st->sessions_now,
		(unsigned long long)st->channels, st->channels_peak,
		(unsigned long long)st->execs, st->execs_now, st->execs_peak,
		(unsigned long long)st->execs_failed, files, b->n_images, b->n_subvols,
		(unsigned long long)st->unknown, (unsigned long long)st->shrinks,
		(unsigned long long)b->n_events, (unsigned long long)box_free(b));
}

/* All of a disk, by the same properties as print detail as-value, and what only a judge
 * may see: the link, the namespace's uuid, how often it was exported. */
static void disks_json(struct server *s, struct sb *out)
{
	static const char line[] = ":put [:serialize to=json "
				   "options=json.no-string-conversion "
				   "value=[/disk print detail as-value]]";
	struct run r;

	run_init(&r, s->box);
	run_line(&r, line, sizeof line - 1);
	sb_add(out, r.out.p, r.out.len);
	run_fini(&r);
}

static void exports_json(struct server *s, struct sb *out)
{
	bool first = true;

	sb_addc(out, '[');
	for (const struct disk *d = s->box->first; d; d = d->next) {
		if (!d->is_exported)
			continue;
		sb_printf(out,
			  "%s{\"slot\":\"%s\",\"nqn\":\"%s\",\"link\":\"%s\","
			  "\"ns_uuid\":\"%s\",\"exports\":%u}",
			  first ? "" : ",", d->slot, d->nqn, d->link, d->ns_uuid,
			  d->export_count);
		first = false;
	}
	sb_adds(out, "]\n");
}

void control_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		unsigned c;

		if (*s == '+') {
			*to++ = ' ';
		} else if (*s == '%' && sscanf(s + 1, "%2x", &c) == 1) {
			*to++ = (char)c;
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

static int set_one_fault(struct server *s, const char *name, const char *value, char *err,
			 size_t size)
{
	uint64_t n;

	if (!strcmp(name, "version")) {
		n = schema_version(value);
		if (!n) {
			snprintf(err, size, "no such version");
			return -1;
		}
		s->box->opt.version = (unsigned)n;
		snprintf(s->box->opt.version_text, sizeof s->box->opt.version_text, "%s",
			 value);
		return 0;
	}
	if (!strcmp(name, "reboot")) {
		if (parse_u64(value, &n) < 0) {
			snprintf(err, size, "reboot: not a number");
			return -1;
		}
		sched_kill_all(&s->sched);
		server_drop_all(s);
		box_exports_down(s->box, n, (uint64_t)s->fault.export_lag);
		return 0;
	}
	return fault_set(&s->fault, name, value, err, size);
}

static int set_faults(struct server *s, char *query, struct sb *out)
{
	char *save = NULL, *eq, err[160] = "";
	int64_t had_in = s->fault.cut_in, had_out = s->fault.cut_out;

	for (char *p = strtok_r(query, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		eq = strchr(p, '=');
		if (eq)
			*eq = 0;
		control_decode(p);
		if (eq)
			control_decode(eq + 1);
		if (set_one_fault(s, p, eq ? eq + 1 : "1", err, sizeof err) < 0) {
			sb_printf(out, "%s\n", err);
			return 400;
		}
	}
	s->box->no_space = s->fault.no_space != 0;
	s->box->is_pool_away = s->fault.pool_away != 0;
	if (s->fault.cut_in != had_in || s->fault.cut_out != had_out)
		server_arm_now(s);
	sb_adds(out, "ok\n");
	return 200;
}

static int set_figures(struct server *s, char *query, struct sb *out)
{
	char *save = NULL, *eq;

	for (char *p = strtok_r(query, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		eq = strchr(p, '=');
		if (!eq)
			return 400;
		*eq = 0;
		control_decode(p);
		control_decode(eq + 1);
		if (figures_set(s->box, p, eq + 1) < 0)
			return 400;
	}
	sb_adds(out, "ok\n");
	return 200;
}

static void clear_faults(struct server *s, struct sb *out)
{
	fault_clear(&s->fault, &s->opt.fault);
	s->box->no_space = s->fault.no_space != 0;
	s->box->is_pool_away = s->fault.pool_away != 0;
	sched_resume(&s->sched);
	sb_adds(out, "ok\n");
}

static void exec_body(struct server *s, const char *body, struct sb *out)
{
	struct run r;

	run_init(&r, s->box);
	run_line(&r, body, strlen(body));
	sb_add(out, r.out.p, r.out.len);
	run_fini(&r);
}

static int get(struct server *s, const char *path, const char *query, struct sb *out)
{
	uint64_t from = 0;

	if (!strcmp(path, "/stats")) {
		control_stats(s, out);
	} else if (!strcmp(path, "/disks")) {
		disks_json(s, out);
	} else if (!strcmp(path, "/exports")) {
		exports_json(s, out);
	} else if (!strcmp(path, "/fault")) {
		fault_show(&s->fault, out);
	} else if (!strcmp(path, "/history")) {
		if (query && strncmp(query, "from=", 5) == 0 &&
		    parse_u64(query + 5, &from) < 0)
			return 400;
		box_history_write(s->box, out, from);
	} else {
		return 404;
	}
	return 200;
}

static int post(struct server *s, const char *path, char *query, const char *body,
		struct sb *out)
{
	if (!strcmp(path, "/peaks")) {
		s->box->stats.channels_peak = s->box->stats.channels_now;
		s->box->stats.execs_peak = s->box->stats.execs_now;
		sb_adds(out, "ok\n");
		return 200;
	}
	if (!strcmp(path, "/fault/clear")) {
		clear_faults(s, out);
		return 200;
	}
	if (!strcmp(path, "/keys/cut")) {
		sb_printf(out, "%u\n", server_cut_removed(s));
		return 200;
	}
	if (!strcmp(path, "/exec")) {
		exec_body(s, body, out);
		return 200;
	}
	if (!strcmp(path, "/fault") && query)
		return set_faults(s, query, out);
	if (!strcmp(path, "/figures") && query)
		return set_figures(s, query, out);
	return 404;
}

static void reply(struct request *q, int code, const struct sb *text)
{
	sb_printf(&q->out,
		  "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
		  "Content-Type: text/plain\r\n\r\n",
		  code,
		  code == 200	? "OK"
		  : code == 404 ? "Not Found"
		  : code == 500 ? "Internal Server Error"
				: "Bad Request",
		  text->len);
	sb_add(&q->out, text->p, text->len);
	q->answered = true;
}

static int start_nvmet(struct server *s, struct request *q, char *query, struct sb *out)
{
	const char *err;

	q->wait = xmalloc(sizeof *q->wait);
	export_begin(s->box, q->wait);
	if (export_query(s->box, query, &err) == 0) {
		export_over(s->box);
		return 200;
	}
	export_over(s->box);
	free(q->wait);
	q->wait = NULL;
	sb_printf(out, "%s\n", err);
	return 400;
}

static void end_nvmet(struct request *q)
{
	struct sb text = { 0 };

	sb_printf(&text, "%s\n", q->wait->err[0] ? q->wait->err : "ok");
	reply(q, q->wait->err[0] ? 500 : 200, &text);
	sb_fini(&text);
	free(q->wait);
	q->wait = NULL;
}

static void answer(struct server *s, struct request *q, char *head, const char *body)
{
	char method[8] = "", target[4096] = "", *query;
	struct sb text = { 0 };
	int code = 400;

	if (sscanf(head, "%7s %4095s", method, target) == 2) {
		query = strchr(target, '?');
		if (query)
			*query++ = 0;
		if (!strcmp(method, "GET"))
			code = get(s, target, query, &text);
		else if (!strcmp(method, "POST") && !strcmp(target, "/nvmet") && query)
			code = start_nvmet(s, q, query, &text);
		else if (!strcmp(method, "POST"))
			code = post(s, target, query, body, &text);
	}
	if (!q->wait)
		reply(q, code, &text);
	sb_fini(&text);
}

static void try_answer(struct server *s, struct request *q)
{
	char *end = strstr(q->in.p, "\r\n\r\n"), *length;
	size_t body = 0, have;

	if (!end)
		return;
	length = strcasestr(q->in.p, "content-length:");
	if (length && length < end)
		body = strtoul(length + 15, NULL, 10);
	have = q->in.len - (size_t)(end + 4 - q->in.p);
	if (have < body)
		return;
	*end = 0;
	end[4 + body] = 0;
	answer(s, q, q->in.p, end + 4);
}

/* false: done with. */
static bool request_step(struct server *s, struct request *q)
{
	char buf[16384];
	ssize_t n;

	if (q->wait && !q->wait->pending)
		end_nvmet(q);
	if (!q->answered && !q->wait) {
		n = recv(q->fd, buf, sizeof buf, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN) ||
		    q->in.len > CONTROL_MAX_REQUEST)
			return false;
		if (n > 0) {
			sb_add(&q->in, buf, (size_t)n);
			try_answer(s, q);
		}
	}
	if (!q->answered)
		return true;
	n = send(q->fd, q->out.p + q->sent, q->out.len - q->sent,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN;
	q->sent += (size_t)n;
	return q->sent < q->out.len;
}

unsigned control_poll(struct server *s, struct pollfd *fds)
{
	struct control *c = s->control;
	unsigned n = 0;

	fds[n++] = (struct pollfd){ .fd = c->n < CONTROL_MAX_CONNS ? c->fd : -1,
				    .events = POLLIN };
	for (unsigned i = 0; i < c->n; i++) {
		const struct request *q = &c->conn[i];
		bool is_held = q->wait && q->wait->pending;

		fds[n++] = (struct pollfd){ .fd = is_held ? -1 : q->fd,
					    .events = q->answered || q->wait ? POLLOUT
									     : POLLIN };
	}
	return n;
}

void control_step(struct server *s)
{
	struct control *c = s->control;
	int fd;

	while (c->n < CONTROL_MAX_CONNS &&
	       (fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		c->conn[c->n++] = (struct request){ .fd = fd };
	for (unsigned i = c->n; i-- > 0;)
		if (!request_step(s, &c->conn[i]))
			drop(s, i);
}
