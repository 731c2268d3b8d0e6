/* The HTTP/1.1 parser: both kinds of message, cut anywhere, damaged, too large. */
#include "core/http1.h"

#include <stdio.h>
#include <string.h>

#include "support/t.h"

struct seen {
	char body[4096];
	size_t len;
	int heads, stop_at; /* stop_at: the body callback that says -1; 0 = none */
	int bodies;
};

static int on_head(struct http1 *h)
{
	((struct seen *)h->ctx)->heads++;
	return 0;
}

static int on_body(struct http1 *h, const char *p, size_t n)
{
	struct seen *s = h->ctx;

	cr_assert(h->is_head_done);
	cr_assert_gt(n, 0);
	cr_assert_leq(s->len + n, sizeof(s->body));
	memcpy(s->body + s->len, p, n);
	s->len += n;
	return ++s->bodies == s->stop_at ? -1 : 0;
}

static void open_parser(struct http1 *h, llhttp_type_t kind, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	http1_init(h, kind);
	h->on_head = on_head;
	h->on_body = on_body;
	h->ctx = s;
}

/* Feeds text in pieces of at most step bytes until the message is done. */
static int feed(struct http1 *h, const char *text, size_t n, size_t step, struct err *err)
{
	size_t at = 0, used;

	while (at < n && !h->is_done) {
		size_t len = n - at < step ? n - at : step;

		if (http1_feed(h, text + at, len, &used, err))
			return -1;
		cr_assert(used == len || h->is_done);
		at += used;
	}
	return (int)at;
}

static const char chunked[] =
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Empty:\r\n"
	"x-padded:   two words  \r\nTransfer-Encoding: chunked\r\n\r\n"
	"5\r\nhello\r\n1;ext=\"v\"\r\n \r\n5\r\nworld\r\n0\r\nX-Trailer: t\r\n\r\n";

static void check_chunked(struct http1 *h, struct seen *s)
{
	cr_assert(h->is_done);
	cr_assert(h->keeps_alive);
	cr_assert_not(h->is_until_end);
	cr_assert_eq(h->status, 200);
	cr_assert_eq(s->heads, 1);
	cr_assert_eq(s->len, 11);
	cr_assert_arr_eq(s->body, "hello world", 11);
	cr_assert_str_eq(http1_header(h, "content-type"), "application/json");
	cr_assert_str_eq(http1_header(h, "X-EMPTY"), "");
	/* llhttp leaves blanks at the end of a value. */
	cr_assert_eq(strncmp(http1_header(h, "X-Padded"), "two words", 9), 0);
	cr_assert_null(http1_header(h, "X-Trailer"));
	cr_assert_null(http1_header(h, "two words"));
}

Test(http1, a_chunked_response_cut_at_every_size_of_piece)
{
	size_t n = strlen(chunked);

	for (size_t step = 1; step <= n; step++) {
		struct http1 h;
		struct seen s;
		struct err err = { 0 };

		open_parser(&h, HTTP_RESPONSE, &s);
		cr_assert_eq(feed(&h, chunked, n, step, &err), (int)n, "%s", err.msg);
		check_chunked(&h, &s);
		http1_fini(&h);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(http1, a_response_cut_short_at_every_byte_is_told)
{
	size_t n = strlen(chunked), used;

	for (size_t cut = 1; cut < n; cut++) {
		struct http1 h;
		struct seen s;
		struct err err = { 0 };

		open_parser(&h, HTTP_RESPONSE, &s);
		cr_assert_eq(http1_feed(&h, chunked, cut, &used, &err), 0);
		cr_assert_not(h.is_done);
		cr_assert_eq(http1_finish(&h, &err), -1, "cut at %zu", cut);
		cr_assert_eq(err.code, ERR_INVALID);
		/* Not fed any more: the same error. */
		memset(&err, 0, sizeof(err));
		cr_assert_eq(http1_feed(&h, chunked + cut, n - cut, &used, &err), -1);
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert_not(h.is_done);
		http1_fini(&h);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(http1, messages_follow_each_other_on_one_connection)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
		"HTTP/1.1 204 No Content\r\n\r\n"
		"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
		"HTTP/1.1 201 Created\r\nTransfer-Encoding: "
		"chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
		"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	static const unsigned status[] = { 200, 204, 201, 304, 500 };

	for (size_t step = 1; step < sizeof(text); step++) {
		struct http1 h;
		struct seen s;
		struct err err = { 0 };
		size_t at = 0;

		open_parser(&h, HTTP_RESPONSE, &s);
		for (size_t i = 0; i < 5; i++) {
			at += (size_t)feed(&h, text + at, strlen(text) - at, step, &err);
			cr_assert(h.is_done, "%zu: %s", i, err.msg);
			cr_assert_eq(h.status, status[i]);
			cr_assert_eq(h.keeps_alive, i != 4);
			cr_assert_null(http1_header(&h, "X-Early"));
			cr_assert_eq(http1_finish(&h, &err), 0);
			if (i != 4)
				http1_next(&h);
		}
		cr_assert_eq(at, strlen(text));
		cr_assert_eq(s.len, 5);
		cr_assert_arr_eq(s.body, "abcde", 5);
		cr_assert_eq(s.heads, 5);
		http1_fini(&h);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(http1, requests_are_parsed_too)
{
	static const char text[] =
		"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n"
		"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
		"GET / HTTP/1.0\r\n\r\n";
	static const char *const method[] = { "GET", "POST", "GET" };
	static const char *const target[] = { "/metrics?x=1", "/p", "/" };

	for (size_t step = 1; step < sizeof(text); step++) {
		struct http1 h;
		struct seen s;
		struct err err = { 0 };
		size_t at = 0;

		open_parser(&h, HTTP_REQUEST, &s);
		for (size_t i = 0; i < 3; i++) {
			at += (size_t)feed(&h, text + at, strlen(text) - at, step, &err);
			cr_assert(h.is_done, "%s", err.msg);
			cr_assert_str_eq(h.method, method[i]);
			cr_assert_str_eq(http1_target(&h), target[i]);
			cr_assert_eq(h.keeps_alive, i != 2);
			cr_assert_not(h.is_until_end);
			http1_next(&h);
		}
		cr_assert_eq(http1_finish(&h, &err), 0, "nothing was begun");
		cr_assert_not(h.is_done);
		http1_fini(&h);
	}
}

Test(http1, a_body_until_the_end_is_completed_by_the_end)
{
	static const char text[] = "HTTP/1.1 200 OK\r\n\r\nabc";
	struct http1 h;
	struct seen s;
	struct err err = { 0 };

	open_parser(&h, HTTP_RESPONSE, &s);
	cr_assert_eq(feed(&h, text, strlen(text), 1, &err), (int)strlen(text));
	cr_assert_not(h.is_done);
	cr_assert(h.is_until_end);
	cr_assert_eq(http1_finish(&h, &err), 0);
	cr_assert(h.is_done);
	cr_assert_not(h.keeps_alive);
	cr_assert_eq(s.len, 3);
	http1_fini(&h);
}

Test(http1, the_response_to_a_HEAD_has_no_body)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
	struct http1 h;
	struct seen s;
	struct err err = { 0 };

	open_parser(&h, HTTP_RESPONSE, &s);
	h.is_to_head = true;
	cr_assert_eq(feed(&h, text, strlen(text), 7, &err), (int)strlen(text));
	cr_assert(h.is_done);
	http1_fini(&h);
}

/* What each must come to, whole or byte by byte. */
static void refuse(llhttp_type_t kind, const char *text, enum err_code code)
{
	for (size_t step = 1; step <= strlen(text); step += strlen(text) - 1) {
		struct http1 h;
		struct seen s;
		struct err err = { 0 };

		open_parser(&h, kind, &s);
		cr_assert_eq(feed(&h, text, strlen(text), step, &err), -1, "%s", text);
		cr_assert_eq(err.code, code, "%s: %s", text, err.msg);
		cr_assert_neq(err.msg[0], '\0');
		cr_assert_eq(http1_finish(&h, &err), -1);
		http1_fini(&h);
	}
}

Test(http1, garbage_is_refused)
{
	static const char *const responses[] = {
		"SSH-2.0-OpenSSH\r\n",
		"\x15\x03\x01\x00\x02\x02\x50",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 20x OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA B: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
		refuse(HTTP_RESPONSE, responses[i], ERR_INVALID);
	refuse(HTTP_REQUEST, "NONSENSE / HTTP/1.1\r\n\r\n", ERR_INVALID);
	refuse(HTTP_REQUEST, "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", ERR_INVALID);
	refuse(HTTP_REQUEST, "GET / HTTP/1.1\r\nA B: 3\r\n\r\n", ERR_INVALID);
	cr_assert_eq(mem_live(), 0);
}

Test(http1, headers_beyond_the_limits_are_refused)
{
	static char text[HTTP1_HEAD_MAX * 2];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nA: ");
	memset(text + n, 'v', HTTP1_HEAD_MAX + 100);
	refuse(HTTP_RESPONSE, text, ERR_EXHAUSTED);

	memset(text, 0, sizeof(text));
	n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nA:");
	memset(text + n, ' ', HTTP1_HEAD_MAX + 100);
	refuse(HTTP_RESPONSE, text, ERR_EXHAUSTED);

	memset(text, 0, sizeof(text));
	n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i <= HTTP1_LINES_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "a%d: b\r\n", i);
	refuse(HTTP_RESPONSE, text, ERR_EXHAUSTED);

	memset(text, 0, sizeof(text));
	n = (size_t)snprintf(text, sizeof(text), "GET /");
	memset(text + n, 'x', HTTP1_HEAD_MAX + 100);
	refuse(HTTP_REQUEST, text, ERR_EXHAUSTED);

	/* Without end, although each is small. */
	memset(text, 0, sizeof(text));
	for (n = 0; n < HTTP1_HEAD_MAX + 100;)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "HTTP/1.1 100 Continue\r\n\r\n");
	refuse(HTTP_RESPONSE, text, ERR_EXHAUSTED);
	cr_assert_eq(mem_live(), 0);
}

Test(http1, a_callback_can_stop_it)
{
	struct http1 h;
	struct seen s;
	struct err err = { 0 };

	open_parser(&h, HTTP_RESPONSE, &s);
	s.stop_at = 2;
	cr_assert_eq(feed(&h, chunked, strlen(chunked), 1000, &err), -1);
	cr_assert_eq(err.code, ERR_ABORTED);
	cr_assert_eq(s.bodies, 2);
	cr_assert_eq(feed(&h, "x", 1, 1, &err), -1);
	cr_assert_eq(s.bodies, 2);
	http1_fini(&h);
}

static void parse_once(void)
{
	struct http1 h;
	struct seen s;
	struct err err = { 0 };
	int rc;

	open_parser(&h, HTTP_RESPONSE, &s);
	rc = feed(&h, chunked, strlen(chunked), 9, &err);
	if (rc < 0)
		cr_assert_eq(err.code, ERR_EXHAUSTED);
	else
		check_chunked(&h, &s);
	http1_fini(&h);
	cr_assert_eq(mem_live(), 0);
}

Test(http1, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(parse_once());
}
