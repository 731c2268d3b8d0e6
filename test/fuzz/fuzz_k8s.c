#include <stdlib.h>
#include <string.h>

#include "k8s/line.h"
#include "k8s/split.h"
#include "k8s/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DRIVER "rds.csi.srvlab.io"

/* What came out of one feeding: how many texts, their bytes, and whether it was whole. */
struct seen {
	struct k8s_store *store;
	size_t n, bytes;
	int rc;
};

static int on_item(void *ctx, const char *p, size_t n, struct err *err)
{
	struct seen *s = ctx;
	struct k8s_decoded d;

	(void)err;
	s->n++;
	s->bytes += n;
	k8s_decode(s->store->kind, DRIVER, p, n, &d);
	if ((d.reading == K8S_READ) != (d.object != NULL))
		abort();
	if (d.object && strlen(d.object->name) > K8S_NAME_MAX)
		abort();
	if (d.object)
		(void)k8s_store_put_take(s->store, d.object);
	else if (d.name[0])
		(void)k8s_store_put_unreadable(s->store, d.name);
	return 0;
}

static int on_meta(void *ctx, const char *p, size_t n, struct err *err)
{
	struct seen *s = ctx;
	struct k8s_list_meta m;

	s->bytes += n;
	if (k8s_list_meta_read(p, n, &m, err))
		*err = (struct err){ .code = ERR_OK };
	return 0;
}

static int on_line(void *ctx, const char *p, size_t n, struct err *err)
{
	struct seen *s = ctx;
	struct k8s_line l;

	(void)err;
	s->n++;
	s->bytes += n;
	k8s_line_read(s->store->kind, DRIVER, p, n, &l);
	if (l.change == K8S_PUT && l.decoded.object) {
		(void)k8s_store_put_take(s->store, l.decoded.object);
		return 0;
	}
	if (l.change == K8S_GONE && l.decoded.name[0])
		k8s_store_remove(s->store, l.decoded.name);
	k8s_object_free(l.decoded.object);
	return 0;
}

static void feed_list(struct seen *s, const uint8_t *data, size_t size, size_t piece)
{
	struct err err = { .code = ERR_OK };
	struct k8s_list_split split;

	k8s_list_split_init(&split, on_item, on_meta, s);
	for (size_t i = 0; !s->rc && i < size; i += piece)
		s->rc = k8s_list_split_feed(&split, (const char *)data + i,
					    size - i < piece ? size - i : piece, &err);
	if (!s->rc)
		s->rc = k8s_list_split_end(&split, &err);
	if ((s->rc != 0) != (err.code != ERR_OK))
		abort();
	k8s_list_split_fini(&split);
}

static void feed_lines(struct seen *s, const uint8_t *data, size_t size, size_t piece)
{
	struct err err = { .code = ERR_OK };
	struct k8s_line_split split;

	k8s_line_split_init(&split, on_line, s);
	for (size_t i = 0; !s->rc && i < size; i += piece)
		s->rc = k8s_line_split_feed(&split, (const char *)data + i,
					    size - i < piece ? size - i : piece, &err);
	k8s_line_split_fini(&split);
}

/* The first byte chooses the kind and what it is; the same comes out however the rest is
 * cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void (*feed)(struct seen * s, const uint8_t *data, size_t size, size_t piece);
	struct seen whole = { .n = 0 }, cut = { .n = 0 };
	struct k8s_store store;
	struct k8s_decoded d;
	struct k8s_status status;

	if (!size)
		return 0;
	feed = data[0] & 0x10 ? feed_lines : feed_list;
	k8s_store_init(&store, (enum k8s_kind)((data[0] & 0x0f) % K8S_KINDS));
	whole.store = cut.store = &store;
	feed(&whole, data + 1, size - 1, size);
	feed(&cut, data + 1, size - 1, 3);
	if (whole.n != cut.n || whole.bytes != cut.bytes || whole.rc != cut.rc)
		abort();
	k8s_store_fini(&store);
	k8s_decode(store.kind, DRIVER, (const char *)data + 1, size - 1, &d);
	k8s_object_free(d.object);
	k8s_status_read((const char *)data + 1, size - 1, &status);
	return 0;
}
