#include "metrics/page.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

static const char text_plain[] = "text/plain; charset=utf-8";
static const char prometheus[] = "text/plain; version=0.0.4; charset=utf-8";
static const char openmetrics[] =
	"application/openmetrics-text; version=1.0.0; charset=utf-8";

static const char *reason(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

/* A response is written where it leaves from, so that a large page is held once: its
 * length is put in when its body is there. */
struct page {
	struct buf *out;
	size_t at_length, at_body; /* in out */
	bool is_last;
};

enum { DIGITS = 10, WHY_MAX = 4096 };

static void begin(struct page *p, unsigned status, const char *type)
{
	(void)buf_printf(p->out,
			 "HTTP/1.1 %u %s\r\n"
			 "Content-Type: %s\r\n"
			 "%s%sContent-Length: ",
			 status, reason(status), type,
			 status == 405 ? "Allow: GET, HEAD\r\n" : "",
			 p->is_last ? "Connection: close\r\n" : "");
	p->at_length = p->out->len;
	(void)buf_printf(p->out, "%*s\r\n\r\n", DIGITS, "");
	p->at_body = p->out->len;
}

static int end(struct page *p, bool is_head)
{
	char length[DIGITS + 1];

	if (buf_failed(p->out))
		return -1;
	(void)snprintf(length, sizeof(length), "%*zu", DIGITS, p->out->len - p->at_body);
	memcpy(p->out->data + p->at_length, length, DIGITS);
	if (is_head)
		p->out->len = p->at_body;
	return 0;
}

/* One line that says it. */
static void say(struct page *p, unsigned status)
{
	begin(p, status, text_plain);
	(void)buf_printf(p->out, "%s\n", reason(status));
}

/* Prometheus asks for OpenMetrics before the text format (Accept with q=…); whoever names
 * it gets it. */
static enum expo_format format_of(const struct http1 *req)
{
	const char *accept = http1_header(req, "accept");

	return accept && strstr(accept, "application/openmetrics-text") ? EXPO_OPENMETRICS
									: EXPO_PROMETHEUS;
}

static void fill_metrics(struct page *p, const struct page_site *site,
			 const struct http1 *req)
{
	enum expo_format format = format_of(req);

	begin(p, 200, format == EXPO_OPENMETRICS ? openmetrics : prometheus);
	if (expo_write(p->out, format, site->roles, site->sources, site->n_sources)) {
		buf_reset(p->out);
		say(p, 500);
	}
}

static void fill_ready(struct page *p, const struct page_site *site)
{
	struct buf why;
	bool is_ready;

	buf_init(&why, WHY_MAX);
	is_ready = !site->is_ready || site->is_ready(site->ctx, &why);
	begin(p, is_ready ? 200 : 503, text_plain);
	(void)buf_append(p->out, is_ready ? "ok" : why.data, is_ready ? 2 : why.len);
	(void)buf_putc(p->out, '\n');
	buf_fini(&why);
}

static void fill(struct page *p, const struct page_site *site, const struct http1 *req)
{
	const char *path = http1_target(req);
	size_t n = strcspn(path, "?");

	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		say(p, 405);
	} else if (n == 8 && strncmp(path, "/metrics", n) == 0) {
		fill_metrics(p, site, req);
	} else if (n == 8 && strncmp(path, "/healthz", n) == 0) {
		begin(p, 200, text_plain);
		(void)buf_puts(p->out, "ok\n");
	} else if (n == 7 && strncmp(path, "/readyz", n) == 0) {
		fill_ready(p, site);
	} else {
		say(p, 404);
	}
}

int page_answer(struct buf *out, const struct page_site *site, const struct http1 *req,
		bool is_last)
{
	struct page p = { .out = out, .is_last = is_last };

	bug_on(out->len != 0);
	fill(&p, site, req);
	return end(&p, strcmp(req->method, "HEAD") == 0);
}

int page_refuse(struct buf *out, unsigned status)
{
	struct page p = { .out = out, .is_last = true };

	say(&p, status);
	return end(&p, false);
}
