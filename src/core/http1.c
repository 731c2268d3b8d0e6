#include "core/http1.h"

#include <string.h>
#include <strings.h>

#include "core/list.h"
#include "core/mem.h"

/* Names and values arrive in pieces wherever the input was cut, so each is collected in
 * one buffer and ended by a NUL when something else begins. */
enum { PIECE_TARGET, PIECE_NAME, PIECE_NAME_END };

static struct http1 *http1_of(llhttp_t *p)
{
	return CONTAINER_OF(p, struct http1, parser);
}

/* HPE_USER ends llhttp_execute at once. */
static int stop(struct http1 *h, enum err_code code, const char *why)
{
	if (h->err.code == ERR_OK)
		(void)err_set(&h->err, code, "%s", why);
	return HPE_USER;
}

static int collect(struct http1 *h, const char *at, size_t n)
{
	if (memchr(at, '\0', n))
		return stop(h, ERR_INVALID, "not HTTP/1.1: NUL in a header");
	if (h->head.len + n + 2 > HTTP1_HEAD_MAX)
		return stop(h, ERR_EXHAUSTED, "HTTP header too large");
	if (buf_append(&h->head, at, n))
		return stop(h, ERR_EXHAUSTED, "out of memory");
	return 0;
}

static int end_piece(struct http1 *h)
{
	if (buf_append(&h->head, "", 1))
		return stop(h, ERR_EXHAUSTED, "out of memory");
	return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	return collect(http1_of(p), at, n);
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct http1 *h = http1_of(p);

	if (h->is_head_done) /* a trailer */
		return 0;
	if (h->piece != PIECE_NAME) {
		if (++h->n_lines > HTTP1_LINES_MAX)
			return stop(h, ERR_EXHAUSTED, "too many HTTP header lines");
		if (end_piece(h))
			return HPE_USER;
	}
	h->piece = PIECE_NAME;
	return collect(h, at, n);
}

static int on_field_complete(llhttp_t *p)
{
	struct http1 *h = http1_of(p);

	if (h->is_head_done)
		return 0;
	/* llhttp 8.1 takes a line that begins with its colon. */
	if (h->piece != PIECE_NAME || h->head.data[h->head.len - 1] == '\0')
		return stop(h, ERR_INVALID, "not HTTP/1.1: a header without a name");
	h->piece = PIECE_NAME_END;
	return end_piece(h);
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct http1 *h = http1_of(p);

	return h->is_head_done ? 0 : collect(h, at, n);
}

static bool is_passed_over(const struct http1 *h)
{
	return h->parser.type == HTTP_RESPONSE && h->parser.status_code / 100 == 1;
}

static void forget_head(struct http1 *h)
{
	buf_reset(&h->head);
	h->n_lines = 0;
	h->piece = PIECE_TARGET;
}

/* RFC 9112, 6.3; llhttp would believe a Content-Length there. */
static bool has_no_body(const struct http1 *h)
{
	return h->is_to_head || is_passed_over(h) ||
	       (h->parser.type == HTTP_RESPONSE &&
		(h->parser.status_code == 204 || h->parser.status_code == 304));
}

static int take_head(struct http1 *h)
{
	llhttp_t *p = &h->parser;

	if (end_piece(h) || end_piece(h)) /* an empty name ends the list */
		return HPE_USER;
	h->is_head_done = true;
	h->status = p->status_code;
	if (p->type == HTTP_REQUEST)
		h->method = llhttp_method_name((llhttp_method_t)llhttp_get_method(p));
	h->is_until_end = !has_no_body(h) && llhttp_message_needs_eof(p);
	if (h->on_head && h->on_head(h))
		return stop(h, ERR_ABORTED, "stopped");
	return 0;
}

static int on_headers_complete(llhttp_t *p)
{
	struct http1 *h = http1_of(p);

	if (llhttp_get_http_major(p) != 1)
		return stop(h, ERR_INVALID, "not HTTP/1.1: another version");
	if (p->type == HTTP_RESPONSE && p->status_code == 101)
		return stop(h, ERR_INVALID, "the server switches protocols");
	if (!is_passed_over(h) && take_head(h))
		return HPE_USER;
	return has_no_body(h) ? 1 : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct http1 *h = http1_of(p);

	if (n && h->on_body && h->on_body(h, at, n))
		return stop(h, ERR_ABORTED, "stopped");
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	struct http1 *h = http1_of(p);

	if (is_passed_over(h)) {
		forget_head(h);
		return 0;
	}
	h->keeps_alive = llhttp_should_keep_alive(p);
	h->is_done = true;
	return HPE_PAUSED; /* what follows is not of this message */
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_field_complete = on_field_complete,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

static void begin(struct http1 *h, llhttp_type_t kind)
{
	llhttp_init(&h->parser, kind, &settings);
	forget_head(h);
	h->is_begun = h->is_head_done = h->is_done = false;
	h->keeps_alive = h->is_until_end = false;
	h->status = 0;
	h->method = NULL;
	h->fed = 0;
}

void http1_init(struct http1 *h, llhttp_type_t kind)
{
	*h = (struct http1){ .is_begun = false };
	buf_init(&h->head, HTTP1_HEAD_MAX + 8);
	begin(h, kind);
}

void http1_fini(struct http1 *h)
{
	buf_fini(&h->head);
}

void http1_next(struct http1 *h)
{
	bug_on(!h->is_done);
	buf_fini(&h->head); /* an idle connection keeps nothing */
	begin(h, (llhttp_type_t)h->parser.type);
}

static int failed(const struct http1 *h, struct err *err)
{
	*err = h->err;
	return -1;
}

int http1_feed(struct http1 *h, const char *p, size_t n, size_t *ret_used,
	       struct err *err)
{
	llhttp_errno_t rc;
	size_t used = n;

	if (h->err.code != ERR_OK)
		return failed(h, err);
	*ret_used = 0;
	if (h->is_done || n == 0)
		return 0;
	h->is_begun = true;
	rc = llhttp_execute(&h->parser, p, n);
	if (h->is_done && (rc == HPE_PAUSED || rc == HPE_PAUSED_UPGRADE))
		used = (size_t)(llhttp_get_error_pos(&h->parser) - p);
	/* The texts of llhttp are fixed; its codes differ between 8.1 and 9.2. */
	else if (rc != HPE_OK && h->err.code == ERR_OK)
		(void)err_set(&h->err, ERR_INVALID, "not HTTP/1.1: %.120s",
			      llhttp_get_error_reason(&h->parser));
	/* Also what llhttp skips without telling, such as blanks before a value. */
	h->fed += h->is_head_done ? 0 : n;
	if (h->fed > HTTP1_HEAD_MAX)
		(void)stop(h, ERR_EXHAUSTED, "HTTP header too large");
	if (h->err.code != ERR_OK)
		return failed(h, err);
	*ret_used = used;
	return 0;
}

int http1_finish(struct http1 *h, struct err *err)
{
	if (h->err.code != ERR_OK)
		return failed(h, err);
	if (h->is_done || !h->is_begun)
		return 0;
	/* Ends a body that lasts until the end: on_message_complete is called. */
	if (llhttp_finish(&h->parser) != HPE_OK && !h->is_done)
		(void)stop(h, ERR_INVALID, "the HTTP message was cut short");
	return h->err.code != ERR_OK ? failed(h, err) : 0;
}

const char *http1_target(const struct http1 *h)
{
	return h->head.data ? h->head.data : "";
}

const char *http1_header(const struct http1 *h, const char *name)
{
	const char *p = h->head.data;

	if (!h->is_head_done)
		return NULL;
	for (p += strlen(p) + 1; *p; p += strlen(p) + 1) {
		const char *value = p + strlen(p) + 1;

		if (strcasecmp(p, name) == 0)
			return value;
		p = value;
	}
	return NULL;
}
