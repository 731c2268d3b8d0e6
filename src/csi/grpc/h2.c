#include "csi/grpc/h2.h"

#include <string.h>

#include "core/mem.h"

enum { MAX_FIELDS = 16 }; /* of one message that we send */

static void *h2_malloc(size_t n, void *ud)
{
	(void)ud;
	return mem_alloc(n);
}

static void h2_free(void *p, void *ud)
{
	(void)ud;
	mem_free(p);
}

static void *h2_calloc(size_t n, size_t size, void *ud)
{
	(void)ud;
	return mem_calloc(n, size);
}

static void *h2_realloc(void *p, size_t n, void *ud)
{
	(void)ud;
	return mem_realloc(p, n);
}

static nghttp2_mem hooks = { NULL, h2_malloc, h2_free, h2_calloc, h2_realloc };

static struct h2stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static struct h2stream *stream_new(struct h2 *h, int32_t id, void *user)
{
	struct h2stream *s = mem_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->h2 = h;
	s->id = id;
	s->user = user;
	fields_init(&s->in);
	list_append(&h->streams, &s->node);
	return s;
}

static void stream_free(struct h2stream *s)
{
	s->h2->n_replies -= s->out.len;
	list_remove(&s->node);
	list_remove(&s->ready);
	fields_fini(&s->in);
	buf_fini(&s->out);
	mem_free(s);
}

static void note(struct h2stream *s, unsigned event)
{
	if ((s->in.is_malformed || s->is_answered) && event != H2_EV_CLOSED)
		return;
	s->events |= event;
	if (!list_is_linked(&s->ready))
		list_append(&s->h2->ready, &s->ready);
}

static void tell(struct h2 *h)
{
	while (!list_is_empty(&h->ready)) {
		struct h2stream *s = CONTAINER_OF(h->ready.next, struct h2stream, ready);
		unsigned events = s->events;

		list_remove(&s->ready);
		s->events = 0;
		h->user->on_event(s, events);
		if (events & H2_EV_CLOSED)
			stream_free(s);
	}
}

/* ---- callbacks of nghttp2: record, submit, nothing else ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame,
			    void *ud)
{
	struct h2 *h = ud;
	struct h2stream *s = stream_of(session, frame->hd.stream_id);

	if (!s && !h->is_client && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s = stream_new(h, frame->hd.stream_id, NULL);
		if (!s)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		(void)nghttp2_session_set_stream_user_data(session, s->id, s);
	} else if (s && (frame->headers.cat == NGHTTP2_HCAT_RESPONSE)) {
		fields_begin(&s->in, FIELDS_RESPONSE);
	} else if (s) {
		fields_begin(&s->in, FIELDS_TRAILERS);
	}
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
		     const uint8_t *name, size_t name_len, const uint8_t *value,
		     size_t value_len, uint8_t flags, void *ud)
{
	struct h2stream *s = stream_of(session, frame->hd.stream_id);
	struct field field = {
		.name = (const char *)name,
		.name_len = name_len,
		.value = (const char *)value,
		.value_len = value_len,
	};

	(void)flags;
	(void)ud;
	if (s && fields_add(&s->in, &field))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

static int refuse(nghttp2_session *session, struct h2stream *s)
{
	s->in.is_malformed = true;
	return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id,
					 NGHTTP2_PROTOCOL_ERROR);
}

/* The peer has half-closed: its content-length must have been the truth (RFC 9113 8.1.1).
 */
static int on_end(nghttp2_session *session, struct h2stream *s)
{
	s->h2->n_idle_frames = 0;
	if (s->in.is_malformed)
		return 0;
	if (s->in.has_length && s->in.length_bytes != s->n_in)
		return refuse(session, s);
	note(s, H2_EV_END);
	return 0;
}

static int on_headers_frame(nghttp2_session *session, struct h2stream *s, uint8_t flags)
{
	bool is_end = flags & NGHTTP2_FLAG_END_STREAM;

	fields_end(&s->in);
	/* A second section is the trailers and must end the stream. */
	if (s->in.kind == FIELDS_TRAILERS && !is_end)
		s->in.is_malformed = true;
	if (s->in.is_malformed)
		return refuse(session, s);
	if (s->in.kind != FIELDS_TRAILERS)
		note(s, H2_EV_HEADERS);
	return is_end ? on_end(session, s) : 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ud)
{
	struct h2 *h = ud;
	struct h2stream *s = stream_of(session, frame->hd.stream_id);
	bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (frame->hd.type == NGHTTP2_PRIORITY ||
	    (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 && !is_end))
		h->n_idle_frames++;
	if (h->n_idle_frames > H2_MAX_IDLE_FRAMES)
		return nghttp2_session_terminate_session(session,
							 NGHTTP2_ENHANCE_YOUR_CALM);
	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		return on_headers_frame(session, s, frame->hd.flags);
	if (frame->hd.type == NGHTTP2_DATA && is_end)
		return on_end(session, s);
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
			 const uint8_t *p, size_t n, void *ud)
{
	struct h2 *h = ud;
	struct h2stream *s = stream_of(session, id);

	(void)flags;
	h->n_idle_frames = 0;
	if (!s || s->in.is_malformed || s->is_answered)
		return 0;
	s->n_in += n;
	if (s->in.has_length && s->n_in > s->in.length_bytes)
		return refuse(session, s);
	h->user->on_data(s, p, n);
	note(s, H2_EV_DATA);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *ud)
{
	struct h2stream *s = stream_of(session, id);

	(void)ud;
	if (!s)
		return 0;
	s->close_code = code;
	note(s, H2_EV_CLOSED);
	return 0;
}

/* RFC 9113 8.1: a server that has answered in full before the request ended says so. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ud)
{
	struct h2 *h = ud;

	if (h->is_client || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
	    nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) != 0)
		return 0;
	return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					 NGHTTP2_NO_ERROR);
}

static size_t to_nv(nghttp2_nv *nv, const struct h2_field *fields, size_t n)
{
	bug_on(n > MAX_FIELDS);
	for (size_t i = 0; i < n; i++) {
		/* nghttp2 copies both and does not write into them. */
		nv[i] = (nghttp2_nv){
			.name = (uint8_t *)(uintptr_t)fields[i].name,
			.value = (uint8_t *)(uintptr_t)fields[i].value,
			.namelen = strlen(fields[i].name),
			.valuelen = strlen(fields[i].value),
		};
	}
	return n;
}

static ssize_t on_want_body(nghttp2_session *session, int32_t id, uint8_t *dst, size_t n,
			    uint32_t *flags, nghttp2_data_source *source, void *ud)
{
	struct h2stream *s = source->ptr;
	nghttp2_nv nv[MAX_FIELDS];
	size_t left = s->out.len - s->n_out;

	(void)ud;
	if (n > left)
		n = left;
	if (n)
		memcpy(dst, s->out.data + s->n_out, n);
	s->n_out += n;
	if (n < left)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (!s->trailers)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	if (nghttp2_submit_trailer(session, id, nv,
				   to_nv(nv, s->trailers, s->n_trailers)))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return (ssize_t)n;
}

/* ---- the session ---- */

static nghttp2_session_callbacks *callbacks_new(void)
{
	nghttp2_session_callbacks *cb;

	/* This and the options are all that nghttp2 allocates past the hooks. */
	if (nghttp2_session_callbacks_new(&cb))
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	return cb;
}

static int session_new(struct h2 *h)
{
	nghttp2_session_callbacks *cb = callbacks_new();
	nghttp2_option *option = NULL;
	int rc = NGHTTP2_ERR_NOMEM;

	if (!cb || nghttp2_option_new(&option))
		goto out;
	nghttp2_option_set_no_http_messaging(option, 1);
	rc = h->is_client
		     ? nghttp2_session_client_new3(&h->session, cb, h, option, &hooks)
		     : nghttp2_session_server_new3(&h->session, cb, h, option, &hooks);
out:
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	return rc ? -1 : 0;
}

int h2_init(struct h2 *h, bool is_client, const struct h2_user *user, void *ctx)
{
	nghttp2_settings_entry iv[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_MAX_STREAMS },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, FIELDS_MAX },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	size_t n = is_client ? 4 : 3; /* a server must not mention push */

	*h = (struct h2){ .user = user, .ctx = ctx, .is_client = is_client };
	list_init(&h->streams);
	list_init(&h->ready);
	if (session_new(h))
		return -1;
	if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, iv, n) ||
	    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
						  H2_WINDOW)) {
		nghttp2_session_del(h->session);
		h->session = NULL;
		return -1;
	}
	return 0;
}

void h2_fini(struct h2 *h)
{
	if (!h->session)
		return;
	nghttp2_session_del(h->session);
	h->session = NULL;
	LIST_FOREACH (it, &h->streams) {
		struct h2stream *s = CONTAINER_OF(it, struct h2stream, node);

		if (!(s->events & H2_EV_CLOSED))
			s->close_code = H2_LOST;
		note(s, H2_EV_CLOSED);
	}
	tell(h);
}

static int fatal(const char *what, ssize_t rc, struct err *err)
{
	return err_set(err, rc == NGHTTP2_ERR_NOMEM ? ERR_EXHAUSTED : ERR_UNAVAILABLE,
		       "http2: %s: %s", what, nghttp2_strerror((int)rc));
}

int h2_feed(struct h2 *h, const void *p, size_t n, struct err *err)
{
	ssize_t rc;

	bug_on(h->is_inside);
	h->is_inside = true;
	rc = nghttp2_session_mem_recv(h->session, p, n);
	h->is_inside = false;
	tell(h);
	return rc < 0 ? fatal("receive", rc, err) : 0;
}

int h2_take(struct h2 *h, struct buf *out, size_t limit, struct err *err)
{
	const uint8_t *p;
	ssize_t n = 0;

	bug_on(h->is_inside);
	while (out->len < limit) {
		h->is_inside = true;
		n = nghttp2_session_mem_send(h->session, &p);
		h->is_inside = false;
		if (n <= 0)
			break;
		if (buf_append(out, p, (size_t)n))
			return err_nomem(err);
	}
	tell(h);
	return n < 0 ? fatal("send", n, err) : 0;
}

bool h2_is_over(const struct h2 *h)
{
	return !nghttp2_session_want_read(h->session) &&
	       !nghttp2_session_want_write(h->session);
}

/* ---- what the user submits ---- */

static nghttp2_data_provider *take_body(struct h2stream *s, const struct h2_message *m,
					nghttp2_data_provider *ret)
{
	if (!m->body_take)
		return NULL;
	s->out = *m->body_take;
	*m->body_take = (struct buf){ .max = s->out.max };
	s->h2->n_replies += s->out.len;
	s->trailers = m->trailers;
	s->n_trailers = m->n_trailers;
	*ret = (nghttp2_data_provider){ .source = { .ptr = s },
					.read_callback = on_want_body };
	return ret;
}

struct h2stream *h2_request(struct h2 *h, const struct h2_message *m, void *user)
{
	struct h2stream *s = h->session ? stream_new(h, 0, user) : NULL;
	nghttp2_data_provider body;
	nghttp2_nv nv[MAX_FIELDS];

	if (!s) {
		if (m->body_take)
			buf_fini(m->body_take);
		return NULL;
	}
	s->id = nghttp2_submit_request(h->session, NULL, nv,
				       to_nv(nv, m->fields, m->n_fields),
				       take_body(s, m, &body), s);
	if (s->id < 0) {
		stream_free(s);
		return NULL;
	}
	h2_kick(h);
	return s;
}

int h2_respond(struct h2stream *s, const struct h2_message *m)
{
	nghttp2_data_provider body;
	nghttp2_nv nv[MAX_FIELDS];
	int rc = nghttp2_submit_response(s->h2->session, s->id, nv,
					 to_nv(nv, m->fields, m->n_fields),
					 take_body(s, m, &body));

	s->is_answered = true;
	if (rc)
		h2_reset(s, NGHTTP2_INTERNAL_ERROR);
	h2_kick(s->h2);
	return rc ? -1 : 0;
}

void h2_reset(struct h2stream *s, uint32_t code)
{
	s->is_answered = true;
	(void)nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
	h2_kick(s->h2);
}

void h2_shutdown_notice(struct h2 *h)
{
	(void)nghttp2_submit_shutdown_notice(h->session);
	h2_kick(h);
}

void h2_goaway(struct h2 *h)
{
	int32_t last =
		h->is_client ? 0 : nghttp2_session_get_last_proc_stream_id(h->session);

	(void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR,
				    NULL, 0);
	h2_kick(h);
}

void h2_kick(struct h2 *h)
{
	if (h->kick)
		h->kick(h);
}
