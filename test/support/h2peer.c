#include "support/h2peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {
	"DATA",		"HEADERS", "PRIORITY", "RST_STREAM",	"SETTINGS",
	"PUSH_PROMISE", "PING",	   "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION",
};

void h2peer_open(struct h2peer *p)
{
	*p = (struct h2peer){ .trace = calloc(1, 1) };
	nghttp2_hd_deflate_new(&p->deflater, 4096);
	nghttp2_hd_inflate_new(&p->inflater);
}

void h2peer_close(struct h2peer *p)
{
	nghttp2_hd_deflate_del(p->deflater);
	nghttp2_hd_inflate_del(p->inflater);
	free(p->out);
	free(p->in);
	free(p->trace);
}

void h2peer_forget(struct h2peer *p)
{
	p->n_out = p->n_trace = p->n_data = 0;
	p->trace[0] = '\0';
}

void h2peer_bytes(struct h2peer *p, const void *bytes, size_t n)
{
	if (p->n_out + n > p->cap_out) {
		p->cap_out = 2 * (p->n_out + n);
		p->out = realloc(p->out, p->cap_out);
	}
	if (n)
		memcpy(p->out + p->n_out, bytes, n);
	p->n_out += n;
}

static void put_u32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
}

void h2peer_frame(struct h2peer *p, uint8_t type, uint8_t flags, uint32_t id,
		  const void *payload, size_t n)
{
	uint8_t head[9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type,
			    flags };

	put_u32(head + 5, id);
	h2peer_bytes(p, head, 9);
	h2peer_bytes(p, payload, n);
}

void h2peer_u32(struct h2peer *p, uint8_t type, uint32_t id, uint32_t value)
{
	uint8_t b[4];

	put_u32(b, value);
	h2peer_frame(p, type, 0, id, b, 4);
}

void h2peer_preface(struct h2peer *p)
{
	h2peer_bytes(p, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	h2peer_frame(p, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* Splits "name: value" lines in place; a pseudo-header's first colon is part of its name.
 */
static size_t split(char *text, nghttp2_nv *nv, size_t max)
{
	size_t n = 0;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line && n < max;
	     line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line + 1, ':');
		char *value = colon[1] == ' ' ? colon + 2 : colon + 1;

		*colon = '\0';
		nv[n++] = (nghttp2_nv){ (uint8_t *)line, (uint8_t *)value, strlen(line),
					strlen(value), 0 };
	}
	return n;
}

void h2peer_headers(struct h2peer *p, uint8_t flags, uint32_t id, const char *fields)
{
	char *text = strdup(fields);
	nghttp2_nv nv[64];
	size_t n_nv = split(text, nv, 64);
	size_t bound = nghttp2_hd_deflate_bound(p->deflater, nv, n_nv);
	uint8_t *block = malloc(bound);
	size_t n = (size_t)nghttp2_hd_deflate_hd(p->deflater, block, bound, nv, n_nv);
	size_t first = n < 16384 ? n : 16384;

	h2peer_frame(p, NGHTTP2_HEADERS,
		     (uint8_t)(flags | (first == n ? NGHTTP2_FLAG_END_HEADERS : 0)), id,
		     block, first);
	for (size_t at = first; at < n; at += first) {
		first = n - at < 16384 ? n - at : 16384;
		h2peer_frame(p, NGHTTP2_CONTINUATION,
			     at + first == n ? NGHTTP2_FLAG_END_HEADERS : 0, id,
			     block + at, first);
	}
	free(block);
	free(text);
}

void h2peer_request(struct h2peer *p, uint8_t flags, uint32_t id, const char *path,
		    const char *extra)
{
	size_t size = strlen(path) + strlen(extra) + 200;
	char *text = malloc(size);

	snprintf(text, size,
		 ":method: POST\n:scheme: http\n:path: %s\n:authority: localhost\n"
		 "content-type: application/grpc\nte: trailers\n%s",
		 path, extra);
	h2peer_headers(p, flags, id, text);
	free(text);
}

void h2peer_message(struct h2peer *p, uint8_t flags, uint32_t id, const char *message)
{
	size_t n = strlen(message);
	uint8_t *b = calloc(1, n + 5);

	put_u32(b + 1, (uint32_t)n);
	memcpy(b + 5, message, n);
	h2peer_frame(p, NGHTTP2_DATA, flags, id, b, n + 5);
	free(b);
}

static void tell(struct h2peer *p, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	p->trace = realloc(p->trace, p->n_trace + (size_t)n + 1);
	memcpy(p->trace + p->n_trace, line, (size_t)n + 1);
	p->n_trace += (size_t)n;
}

static uint32_t get_u32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void tell_fields(struct h2peer *p, const uint8_t *b, size_t n)
{
	nghttp2_nv nv;
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		ssize_t used = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, b, n, 1);

		if (used < 0) {
			tell(p, " BAD-HPACK");
			break;
		}
		b += used;
		n -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			tell(p, " %s=%s", nv.name, nv.value);
	}
	nghttp2_hd_inflate_end_headers(p->inflater);
}

static void tell_frame(struct h2peer *p, const uint8_t *b, size_t n)
{
	const char *name = b[3] < 10 ? types[b[3]] : "?";
	uint32_t id = get_u32(b + 5);
	const uint8_t *payload = b + 9;

	tell(p, "%s(%u", name, id);
	if ((b[3] == NGHTTP2_DATA || b[3] == NGHTTP2_HEADERS) &&
	    b[4] & NGHTTP2_FLAG_END_STREAM)
		tell(p, ",END");
	if ((b[3] == NGHTTP2_SETTINGS || b[3] == NGHTTP2_PING) && b[4] & NGHTTP2_FLAG_ACK)
		tell(p, ",ACK");
	tell(p, ")");
	if (b[3] == NGHTTP2_DATA) {
		p->n_data += n;
		tell(p, " %zu", n);
	} else if (b[3] == NGHTTP2_HEADERS) {
		tell_fields(p, payload, n);
	} else if (b[3] == NGHTTP2_RST_STREAM) {
		tell(p, " %s", nghttp2_http2_strerror(get_u32(payload)));
	} else if (b[3] == NGHTTP2_GOAWAY) {
		tell(p, " %s last=%u", nghttp2_http2_strerror(get_u32(payload + 4)),
		     get_u32(payload));
	}
	tell(p, "\n");
}

void h2peer_receive(struct h2peer *p, const void *bytes, size_t n)
{
	size_t at = 0;

	p->in = realloc(p->in, p->n_in + n + 1);
	if (n)
		memcpy(p->in + p->n_in, bytes, n);
	p->n_in += n;
	while (p->n_in - at >= 9) {
		const uint8_t *b = p->in + at;
		size_t len = (size_t)b[0] << 16 | (size_t)b[1] << 8 | b[2];

		if (p->n_in - at < 9 + len)
			break;
		tell_frame(p, b, len);
		at += 9 + len;
	}
	memmove(p->in, p->in + at, p->n_in - at);
	p->n_in -= at;
}
