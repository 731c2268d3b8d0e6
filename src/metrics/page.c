#include "metrics/page.h"

#include <string.h>

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

struct page {
	unsigned status;
	const char *type;
	struct buf body;
};

static int put(struct buf *out, const struct page *p, bool is_head, bool is_last)
{
	size_t before = out->len;

	(void)buf_printf(out,
			 "HTTP/1.1 %u %s\r\n"
			 "Content-Type: %s\r\n"
			 "Content-Length: %zu\r\n"
			 "%s%s\r\n",
			 p->status, reason(p->status), p->type, p->body.len,
			 p->status == 405 ? "Allow: GET, HEAD\r\n" : "",
			 is_last ? "Connection: close\r\n" : "");
	if (!is_head && p->body.len)
		(void)buf_append(out, p->body.data, p->body.len);
	if (!buf_failed(out))
		return 0;
	out->len = before;
	return -1;
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

	p->type = format == EXPO_OPENMETRICS ? openmetrics : prometheus;
	if (expo_write(&p->body, format, site->roles, site->sources, site->n_sources)) {
		buf_reset(&p->body);
		p->status = 500;
		p->type = text_plain;
	}
}

static void fill_ready(struct page *p, const struct page_site *site)
{
	if (!site->is_ready || site->is_ready(site->ctx, &p->body)) {
		buf_reset(&p->body);
		(void)buf_puts(&p->body, "ok");
	} else {
		p->status = 503;
	}
	(void)buf_putc(&p->body, '\n');
}

static void fill(struct page *p, const struct page_site *site, const struct http1 *req)
{
	const char *path = http1_target(req);
	size_t n = strcspn(path, "?");

	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		p->status = 405;
	} else if (n == 8 && strncmp(path, "/metrics", n) == 0) {
		fill_metrics(p, site, req);
	} else if (n == 8 && strncmp(path, "/healthz", n) == 0) {
		(void)buf_puts(&p->body, "ok\n");
	} else if (n == 7 && strncmp(path, "/readyz", n) == 0) {
		fill_ready(p, site);
	} else {
		p->status = 404;
	}
}

int page_answer(struct buf *out, const struct page_site *site, const struct http1 *req,
		bool is_last)
{
	struct page p = { .status = 200, .type = text_plain };
	int rc;

	buf_init(&p.body, PAGE_MAX);
	fill(&p, site, req);
	if (p.status != 200 && !p.body.len)
		(void)buf_printf(&p.body, "%s\n", reason(p.status));
	rc = buf_failed(&p.body)
		     ? -1
		     : put(out, &p, strcmp(req->method, "HEAD") == 0, is_last);
	buf_fini(&p.body);
	return rc;
}

int page_refuse(struct buf *out, unsigned status)
{
	struct page p = { .status = status, .type = text_plain };
	int rc;

	buf_init(&p.body, 128);
	rc = buf_printf(&p.body, "%s\n", reason(status)) ? -1 : put(out, &p, false, true);
	buf_fini(&p.body);
	return rc;
}
