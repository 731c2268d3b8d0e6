#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/http1.h"
#include "core/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	size_t n_body, n_messages;
	uint64_t sum; /* of what was told, in order */
};

static void add(struct seen *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->sum = s->sum * 31 + (unsigned char)p[i];
}

static int on_body(struct http1 *h, const char *p, size_t n)
{
	struct seen *s = h->ctx;

	if (!h->is_head_done || n == 0)
		abort();
	s->n_body += n;
	add(s, p, n);
	return 0;
}

static int on_head(struct http1 *h)
{
	const char *v = http1_header(h, "a");

	add(h->ctx, http1_target(h), strlen(http1_target(h)));
	if (v)
		add(h->ctx, v, strlen(v));
	return 0;
}

/* All messages of the input, fed in pieces of at most step bytes. */
static struct seen parse(llhttp_type_t kind, const char *p, size_t n, size_t step)
{
	struct seen s = { .sum = 7 };
	struct http1 h;
	struct err err;
	size_t at = 0, used;

	http1_init(&h, kind);
	h.on_head = on_head;
	h.on_body = on_body;
	h.ctx = &s;
	while (at < n) {
		size_t len = n - at < step ? n - at : step;

		if (http1_feed(&h, p + at, len, &used, &err))
			goto out;
		if (used > len || (used < len && !h.is_done))
			abort();
		at += used;
		if (!h.is_done)
			continue;
		s.n_messages++;
		add(&s, "m", 1);
		http1_next(&h);
	}
	if (http1_finish(&h, &err) == 0 && h.is_done)
		s.n_messages++;
out:
	http1_fini(&h);
	if (mem_live())
		abort();
	return s;
}

/* However the input is cut, it says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int kind = 0; size > 0 && kind < 2; kind++) {
		llhttp_type_t type = kind ? HTTP_REQUEST : HTTP_RESPONSE;
		const char *p = (const char *)data + 1;
		struct seen a = parse(type, p, size - 1, size),
			    b = parse(type, p, size - 1, 1 + data[0] % 16);

		if (a.n_messages != b.n_messages || a.n_body != b.n_body ||
		    a.sum != b.sum)
			abort();
	}
	return 0;
}
