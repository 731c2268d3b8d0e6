#include "support/api_sim.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "support/api_sim_impl.h"
#include "support/t.h"

enum { REQUEST_MAX = 256 * 1024, ANY = -1 };

static void on_closed(uv_handle_t *h)
{
	struct sim_conn *c = h->data;
	struct sim_conn **at = &c->s->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->s->n_open--;
	free(c->in);
	free(c->out);
	free(c->writing);
	free(c);
}

void sim_drop(struct sim_conn *c)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	clock_timer_stop(&c->end);
	clock_timer_stop(&c->bookmark);
	clock_timer_stop(&c->delayed);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_written(uv_write_t *w, int status)
{
	struct sim_conn *c = w->data;

	c->is_writing = false;
	free(c->writing);
	c->writing = NULL;
	if (c->is_closing)
		return;
	if (status)
		sim_drop(c);
	else
		sim_flush(c);
}

void sim_flush(struct sim_conn *c)
{
	size_t n = c->n_out;
	uv_buf_t b;

	if (c->is_writing || c->is_closing || c->s->is_frozen)
		return;
	if (c->s->piece && n > c->s->piece)
		n = c->s->piece;
	if (n > c->allow)
		n = c->allow;
	if (!n) {
		if (c->is_ending || (c->n_out && !c->allow))
			sim_drop(c);
		return;
	}
	c->writing = malloc(n);
	memcpy(c->writing, c->out, n);
	memmove(c->out, c->out + n, c->n_out - n);
	c->n_out -= n;
	c->allow -= c->allow == SIZE_MAX ? 0 : n;
	c->s->n_bytes_out += n;
	c->is_writing = true;
	c->write.data = c;
	b = uv_buf_init(c->writing, (unsigned)n);
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written))
		sim_drop(c);
}

static void put(struct sim_conn *c, const char *p, size_t n)
{
	c->out = realloc(c->out, c->n_out + n + 1);
	memcpy(c->out + c->n_out, p, n);
	c->n_out += n;
}

static void put_text(struct sim_conn *c, const char *text)
{
	put(c, text, strlen(text));
}

void sim_put_chunk(struct sim_conn *c, const char *p, size_t n)
{
	char head[32];

	snprintf(head, sizeof(head), "%zx\r\n", n);
	put_text(c, head);
	put(c, p, n);
	put_text(c, "\r\n");
}

void sim_put_head(struct sim_conn *c, unsigned status, const char *more)
{
	char head[256];

	snprintf(head, sizeof(head),
		 "HTTP/1.1 %u Status\r\nContent-Type: application/json\r\n%s\r\n", status,
		 more);
	put_text(c, head);
}

/* Long bodies go in chunks of odd sizes. */
static void answer(struct sim_conn *c, unsigned status, const char *more, char *body)
{
	size_t n = strlen(body);
	char head[160];

	if (n < 4096) {
		snprintf(head, sizeof(head), "%sContent-Length: %zu\r\n", more, n);
		sim_put_head(c, status, head);
		put(c, body, n);
	} else {
		snprintf(head, sizeof(head), "%sTransfer-Encoding: chunked\r\n", more);
		sim_put_head(c, status, head);
		for (size_t at = 0; at < n; at += 10007)
			sim_put_chunk(c, body + at, n - at < 10007 ? n - at : 10007);
		sim_put_chunk(c, "", 0);
	}
	free(body);
	sim_flush(c);
}

void sim_answer_status(struct sim_conn *c, unsigned status, const char *reason,
		       unsigned retry_after_s)
{
	char more[64] = "";

	if (retry_after_s)
		snprintf(more, sizeof(more), "Retry-After: %u\r\n", retry_after_s);
	answer(c, status, more, sim_status_body(status, reason, "by the simulator"));
}

/* ---- requests ---- */

static bool is_match(struct api_sim_fault *f, const char *method, const char *target)
{
	if (f->what == SIM_NONE || (f->method && strcmp(f->method, method) != 0) ||
	    (f->match && !strstr(target, f->match)))
		return false;
	if (f->skip) {
		f->skip--;
		return false;
	}
	return true;
}

static struct api_sim_fault take_fault(struct api_sim *s, const char *method,
				       const char *target)
{
	for (int i = 0; i < SIM_FAULTS; i++) {
		struct api_sim_fault *f = &s->faults[i], was = *f;

		if (!is_match(f, method, target))
			continue;
		if (f->times > 1)
			f->times--;
		else
			f->what = SIM_NONE;
		return was;
	}
	return (struct api_sim_fault){ .what = SIM_NONE };
}

/* The value of a header in the head, into a buffer; false without it. */
static bool header(const char *head, const char *name, char *value, size_t max)
{
	size_t n = strlen(name);

	for (const char *p = strstr(head, "\r\n"); p; p = strstr(p + 2, "\r\n")) {
		const char *line = p + 2;

		if (strncasecmp(line, name, n) != 0 || line[n] != ':')
			continue;
		line += n + 1;
		while (*line == ' ')
			line++;
		snprintf(value, max, "%.*s", (int)strcspn(line, "\r"), line);
		return true;
	}
	return false;
}

/* 0, or the status to refuse with. */
static unsigned check_head(const struct api_sim *s, const char *head, const char *method,
			   bool has_body)
{
	char value[4096], want[4096];
	bool is_patch = strcmp(method, "PATCH") == 0;

	if (!header(head, "Host", value, sizeof(value)))
		return 400;
	if (s->token) {
		snprintf(want, sizeof(want), "Bearer %s", s->token);
		if (!header(head, "Authorization", value, sizeof(value)) ||
		    strcmp(value, want) != 0)
			return 401;
	}
	if (has_body && (!header(head, "Content-Type", value, sizeof(value)) ||
			 strcmp(value, is_patch ? "application/merge-patch+json"
						: "application/json") != 0))
		return 415;
	return 0;
}

static void act(struct sim_conn *c, const char *method, const struct sim_target *t,
		const char *body, bool is_lost)
{
	struct sim_reply r = { .status = 0 };
	json_t *v = *body ? json_loads(body, JSON_ALLOW_NUL, NULL) : json_object();

	if (!v) {
		sim_answer_status(c, 400, "BadRequest", 0);
		return;
	}
	if (strcmp(method, "GET") == 0 && !*t->name) {
		c->s->n_lists++;
		sim_list(c->s, t, &r);
	} else {
		sim_change(c->s, method, t, v, &r);
	}
	json_decref(v);
	if (is_lost) {
		free(r.body);
		sim_drop(c);
	} else {
		answer(c, r.status, "", r.body);
	}
}

static void error_line(struct sim_conn *c, unsigned status)
{
	char *body = sim_status_body(status, "Expired", "by the simulator");
	char line[1024];
	int n = snprintf(line, sizeof(line), "{\"type\":\"ERROR\",\"object\":%s}\n",
			 body);

	free(body);
	sim_put_head(c, 200, "Transfer-Encoding: chunked\r\n");
	sim_put_chunk(c, line, (size_t)n);
	sim_put_chunk(c, "", 0);
	sim_flush(c);
}

static void handle(struct sim_conn *c, const char *head, const char *body)
{
	struct api_sim *s = c->s;
	char method[16], target[4096];
	struct api_sim_fault f;
	struct sim_target t;
	unsigned status;
	char **log = &s->log[s->n_requests++ % 1024];

	cr_assert_eq(sscanf(head, "%15s %4095s", method, target), 2);
	free(*log);
	*log = malloc(strlen(method) + strlen(target) + 2);
	sprintf(*log, "%s %s", method, target);
	if (s->on_request)
		s->on_request(s, method, target);
	f = take_fault(s, method, target);
	status = check_head(s, head, method, *body != '\0');
	if (!status)
		status = sim_parse_target(target, &t);
	if (f.what == SIM_CLOSE)
		sim_drop(c);
	else if (f.what == SIM_HANG)
		c->hangs = true;
	else if (f.what == SIM_STATUS)
		sim_answer_status(c, f.status, "Fault", f.retry_after_s);
	else if (status)
		sim_answer_status(c, status, "Refused", 0);
	else if (f.what == SIM_LINE)
		error_line(c, f.status);
	else {
		if (f.what == SIM_CUT)
			c->allow = f.at;
		(void)header(head, "User-Agent", c->agent, sizeof(c->agent));
		if (t.is_watch)
			sim_begin_watch(c, &t);
		else
			act(c, method, &t, body, f.what == SIM_LOSE);
	}
}

/* One request after the other, as far as they are there whole. */
void sim_serve(struct sim_conn *c)
{
	while (!c->is_closing && !c->is_watch && !c->hangs && !c->s->is_frozen && c->in) {
		char *end = strstr(c->in, "\r\n\r\n"), length[32], *body;
		unsigned long n = 0;
		size_t used;

		if (!end)
			return;
		end[2] = '\0';
		if (header(c->in, "Content-Length", length, sizeof(length)))
			n = strtoul(length, NULL, 10);
		used = (size_t)(end + 4 - c->in) + n;
		if (c->n_in < used) {
			end[2] = '\r';
			return;
		}
		body = strndup(end + 4, n);
		handle(c, c->in, body);
		free(body);
		memmove(c->in, c->in + used, c->n_in - used + 1);
		c->n_in -= used;
	}
}

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *b)
{
	struct sim_conn *c = h->data;

	(void)n;
	c->in = realloc(c->in, c->n_in + 4096 + 1);
	*b = uv_buf_init(c->in + c->n_in, 4096);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct sim_conn *c = stream->data;

	(void)b;
	if (n < 0) {
		sim_drop(c);
		return;
	}
	c->n_in += (size_t)n;
	c->in[c->n_in] = '\0';
	cr_assert_lt(c->n_in, REQUEST_MAX);
	sim_serve(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct api_sim *s = listener->data;
	struct sim_conn *c = calloc(1, sizeof(*c));

	cr_assert_eq(status, 0);
	c->s = s;
	c->allow = SIZE_MAX;
	c->tcp.data = c;
	c->next = s->conns;
	s->conns = c;
	s->n_conns++;
	s->n_open++;
	uv_tcp_init(s->loop, &c->tcp);
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) || s->is_down) {
		sim_drop(c);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	if (!s->is_frozen)
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void listen_on(struct api_sim *s, int port)
{
	struct sockaddr_in a;
	struct sockaddr_storage got;
	int n = sizeof(got);

	uv_ip4_addr("127.0.0.1", port, &a);
	uv_tcp_init(s->loop, &s->listener);
	s->listener.data = s;
	cr_assert_eq(uv_tcp_bind(&s->listener, (const struct sockaddr *)&a, 0), 0);
	cr_assert_eq(uv_listen((uv_stream_t *)&s->listener, 128, on_connection), 0);
	cr_assert_eq(uv_tcp_getsockname(&s->listener, (struct sockaddr *)&got, &n), 0);
	s->port = ntohs(((struct sockaddr_in *)&got)->sin_port);
}

void api_sim_open(struct api_sim *s, uv_loop_t *loop)
{
	memset(s, 0, sizeof(*s));
	json_use_mem();
	s->loop = loop;
	s->version = 1000;
	listen_on(s, 0);
}

void api_sim_cut_all(struct api_sim *s)
{
	for (struct sim_conn *c = s->conns; c; c = c->next)
		sim_drop(c);
}

void api_sim_close(struct api_sim *s)
{
	api_sim_cut_all(s);
	uv_close((uv_handle_t *)&s->listener, NULL);
	sim_data_close(s);
	for (int i = 0; i < 1024; i++)
		free(s->log[i]);
}

void api_sim_token(struct api_sim *s, const char *path, const char *token)
{
	char file[512];
	FILE *f;

	snprintf(file, sizeof(file), "%s.token", path);
	f = fopen(file, "w");
	cr_assert_not_null(f);
	fprintf(f, "%s\n", token);
	fclose(f);
	s->token = token;
}

void api_sim_kubeconfig(const struct api_sim *s, const char *path)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fprintf(f,
		"{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"clusters\":[{\"name\":"
		"\"c\","
		"\"cluster\":{\"server\":\"http://127.0.0.1:%d\"}}],\"users\":[{\"name\":"
		"\"u\",\"user\":{",
		s->port);
	if (s->token)
		fprintf(f, "\"tokenFile\":\"%s.token\"", path);
	fprintf(f, "}}],\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\","
		   "\"user\":\"u\"}}],\"current-context\":\"x\"}");
	fclose(f);
}

void api_sim_freeze(struct api_sim *s, bool is_frozen)
{
	s->is_frozen = is_frozen;
	for (struct sim_conn *c = s->conns; c; c = c->next) {
		if (c->is_closing)
			continue;
		if (is_frozen) {
			uv_read_stop((uv_stream_t *)&c->tcp);
			continue;
		}
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
		sim_flush(c);
		sim_serve(c);
	}
}

/* Down, it keeps its port, so that nobody else gets it, and closes whoever comes. */
void api_sim_down(struct api_sim *s, bool is_down)
{
	s->is_down = is_down;
	if (is_down)
		api_sim_cut_all(s);
	else
		api_sim_compact(s);
}

void api_sim_fault(struct api_sim *s, struct api_sim_fault fault)
{
	for (int i = 0; i < SIM_FAULTS; i++)
		if (s->faults[i].what == SIM_NONE) {
			s->faults[i] = fault;
			return;
		}
	cr_assert_fail("too many faults");
}
