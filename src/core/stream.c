#include "core/stream.h"

#include <string.h>
#include <sys/un.h>

#include "core/mem.h"

enum { KEEP_BYTES = 4096 }; /* an empty buffer larger than this is given back */

static struct op *owner_of(struct stream *s)
{
	return s->u.handle.data;
}

static void end(struct stream *s, int status)
{
	if (!s->status)
		s->status = status;
}

void stream_init(struct stream *s)
{
	memset(s, 0, offsetof(struct stream, in));
	buf_init(&s->out, STREAM_OUT_MAX);
	buf_init(&s->flight, STREAM_OUT_MAX);
}

static void open_handle(struct stream *s, struct op *owner, bool is_unix)
{
	if (is_unix)
		(void)uv_pipe_init(owner->loop, &s->u.pipe, 0);
	else
		(void)uv_tcp_init(owner->loop, &s->u.tcp);
	s->u.handle.data = owner;
	s->is_open = true;
	op_ref(owner);
}

int stream_accept(struct stream *s, struct op *owner, uv_stream_t *listener)
{
	int rc;

	open_handle(s, owner, listener->type == UV_NAMED_PIPE);
	rc = uv_accept(listener, &s->u.stream);
	if (rc == 0 && listener->type == UV_TCP)
		(void)uv_tcp_nodelay(&s->u.tcp, 1);
	s->is_connected = rc == 0;
	end(s, rc);
	return rc;
}

static void on_connect(uv_connect_t *req, int status)
{
	struct stream *s = CONTAINER_OF(req, struct stream, connect);

	s->is_connected = status == 0;
	end(s, status);
	op_unref_wake(owner_of(s));
}

void stream_connect(struct stream *s, struct op *owner, const struct sockaddr *to)
{
	int rc = 0;

	open_handle(s, owner, to->sa_family == AF_UNIX);
	if (to->sa_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)to;

		uv_pipe_connect(&s->connect, &s->u.pipe, un->sun_path, on_connect);
	} else {
		(void)uv_tcp_nodelay(&s->u.tcp, 1);
		rc = uv_tcp_connect(&s->connect, &s->u.tcp, to, on_connect);
	}
	if (rc == 0)
		op_ref(owner);
	end(s, rc);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
	struct stream *s = CONTAINER_OF(h, struct stream, u.handle);

	(void)hint;
	*ret = uv_buf_init(s->in + s->in_len, (unsigned)(STREAM_IN_BYTES - s->in_len));
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
	struct stream *s = CONTAINER_OF(h, struct stream, u.stream);

	(void)b;
	if (n == 0)
		return;
	if (n < 0)
		end(s, (int)n);
	else
		s->in_len += (size_t)n;
	if (n < 0 || s->in_len == STREAM_IN_BYTES)
		(void)uv_read_stop(h);
	op_wake(owner_of(s));
}

void stream_read(struct stream *s)
{
	int rc;

	if (!s->is_connected || s->status || s->in_len == STREAM_IN_BYTES ||
	    uv_is_closing(&s->u.handle))
		return;
	rc = uv_read_start(&s->u.stream, on_alloc, on_read);
	end(s, rc == UV_EALREADY ? 0 : rc);
}

void stream_consume(struct stream *s, size_t n)
{
	bug_on(n > s->in_len);
	memmove(s->in, s->in + n, s->in_len - n);
	s->in_len -= n;
}

static void on_written(uv_write_t *req, int status)
{
	struct stream *s = CONTAINER_OF(req, struct stream, write);

	end(s, status);
	buf_reset(&s->flight);
	op_unref_wake(owner_of(s));
}

static void shrink(struct buf *b)
{
	if (b->len == 0 && b->cap > KEEP_BYTES)
		buf_fini(b);
}

void stream_flush(struct stream *s)
{
	struct buf empty = s->flight;
	uv_buf_t b = uv_buf_init(s->out.data, (unsigned)s->out.len);
	int rc;

	if (s->flight.len || !s->out.len || !s->is_connected || s->status)
		goto out;
	rc = uv_try_write(&s->u.stream, &b, 1);
	if (rc > 0)
		buf_consume(&s->out, (size_t)rc);
	if (rc < 0 && rc != UV_EAGAIN)
		end(s, rc);
	if (!s->out.len || s->status)
		goto out;
	s->flight = s->out;
	s->out = empty;
	b = uv_buf_init(s->flight.data, (unsigned)s->flight.len);
	rc = uv_write(&s->write, &s->u.stream, &b, 1, on_written);
	if (rc == 0)
		op_ref(owner_of(s));
	else
		buf_reset(&s->flight);
	end(s, rc);
out:
	shrink(&s->out);
	shrink(&s->flight);
}

void stream_end(struct stream *s)
{
	uv_os_fd_t fd;

	bug_on(stream_queued(s) != 0);
	if (s->is_connected && uv_fileno(&s->u.handle, &fd) == 0)
		(void)shutdown(fd, SHUT_WR);
}

size_t stream_queued(const struct stream *s)
{
	return s->out.len + s->flight.len;
}

void stream_close(struct stream *s)
{
	if (!s->is_open)
		return;
	s->is_open = false;
	op_close_handle(owner_of(s), &s->u.handle);
}

void stream_fini(struct stream *s)
{
	buf_fini(&s->out);
	buf_fini(&s->flight);
}
