#include "bench/h2.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct h2 {
	int fd;
	nghttp2_session *session;
	size_t n_open, n_ended;
};

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int send_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t did = send(fd, p, n, MSG_NOSIGNAL);

		if (did < 0 && errno != EINTR)
			return -1;
		p += did > 0 ? did : 0;
		n -= did > 0 ? (size_t)did : 0;
	}
	return 0;
}

/* Frames go out many to a write, as grpc-go's do (its write buffer holds 32 KiB). */
static int flush(struct h2 *h)
{
	uint8_t out[32768];
	const uint8_t *p;
	size_t len = 0;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(h->session, &p)) > 0) {
		if (len + (size_t)n > sizeof(out)) {
			if (send_all(h->fd, out, len) != 0)
				return -1;
			len = 0;
		}
		if ((size_t)n > sizeof(out)) { /* a frame that is larger: alone */
			if (send_all(h->fd, p, (size_t)n) != 0)
				return -1;
			continue;
		}
		memcpy(out + len, p, (size_t)n);
		len += (size_t)n;
	}
	return n < 0 ? -1 : send_all(h->fd, out, len);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len,
		     uint8_t flags, void *arg)
{
	struct h2_call *c = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);

	(void)flags, (void)arg, (void)value_len;
	if (c != NULL && name_len == 11 && memcmp(name, "grpc-status", 11) == 0)
		c->status = atoi((const char *)value);
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p,
		   size_t n, void *arg)
{
	struct h2_call *c = nghttp2_session_get_stream_user_data(s, id);

	(void)flags, (void)arg;
	if (c == NULL)
		return 0;
	c->reply = realloc(c->reply, c->reply_len + n);
	if (c->reply == NULL)
		abort();
	memcpy(c->reply + c->reply_len, p, n);
	c->reply_len += n;
	return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	struct h2_call *c = nghttp2_session_get_stream_user_data(s, id);

	(void)code;
	if (c != NULL)
		c->took_ns = now_ns() - c->took_ns;
	h->n_open--;
	h->n_ended++;
	return 0;
}

static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *out, size_t max,
		       uint32_t *flags, nghttp2_data_source *src, void *arg)
{
	struct h2_call *c = src->ptr;
	size_t did = 0;

	(void)s, (void)id, (void)arg;
	for (; c->sent < 5 && did < max; did++, c->sent++) {
		unsigned shift = 8 * (4 - (unsigned)c->sent);

		out[did] = c->sent == 0 ? 0 : (uint8_t)(c->len >> shift);
	}
	if (did < max && c->len + 5 > c->sent) {
		size_t n = c->len + 5 - c->sent;

		n = n < max - did ? n : max - did;
		memcpy(out + did, c->msg + (c->sent - 5), n);
		did += n;
		c->sent += n;
	}
	if (c->sent == c->len + 5)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)did;
}

struct h2 *h2_open(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 120 };
	nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 << 20 };
	nghttp2_session_callbacks *cb;
	struct h2 *h = calloc(1, sizeof(*h));

	if (h == NULL || strlen(path) >= sizeof(sa.sun_path))
		abort();
	memcpy(sa.sun_path, path, strlen(path));
	h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(h->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(h->fd);
		free(h);
		return NULL;
	}
	(void)setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(h->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_client_new(&h->session, cb, h);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, &window, 1);
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 4 << 20);
	return h;
}

void h2_close(struct h2 *h)
{
	if (h == NULL)
		return;
	nghttp2_session_del(h->session);
	close(h->fd);
	free(h);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	nghttp2_nv v = { (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
			 strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };

	return v;
}

/* The headers are those that grpc-go's clients send on a unix socket. */
static void submit(struct h2 *h, struct h2_call *c)
{
	const nghttp2_nv head[] = {
		nv(":method", "POST"),
		nv(":scheme", "http"),
		nv(":path", c->path),
		nv(":authority", "localhost"),
		nv("content-type", "application/grpc"),
		nv("user-agent", "grpc-go/1.79.3"),
		nv("te", "trailers"),
		nv("grpc-timeout", "60S"),
	};
	nghttp2_data_provider body = { .source.ptr = c, .read_callback = on_read };

	c->status = -1;
	c->sent = 0;
	c->took_ns = now_ns();
	if (nghttp2_submit_request(h->session, NULL, head, sizeof(head) / sizeof(head[0]),
				   &body, c) < 0)
		abort();
	h->n_open++;
}

int h2_run(struct h2 *h, struct h2_call *calls, size_t n, unsigned in_flight)
{
	uint8_t in[65536];
	size_t next = 0;

	h->n_ended = 0;
	while (h->n_ended < n) {
		ssize_t got;

		while (next < n && h->n_open < in_flight)
			submit(h, &calls[next++]);
		if (flush(h) != 0)
			return -1;
		got = recv(h->fd, in, sizeof(in), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || nghttp2_session_mem_recv(h->session, in, (size_t)got) < 0)
			return -1;
	}
	return flush(h);
}

void h2_call_fini(struct h2_call *c)
{
	free(c->reply);
	c->reply = NULL;
	c->reply_len = 0;
}
