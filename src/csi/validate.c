#include "csi/validate.h"

#include <stdbool.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"

enum { MAX_DEPTH = 16, MAX_FIELDS = 32 };

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct cursor {
	const uint8_t *p, *end;
};

/* What one message and those below it share. */
struct walk {
	struct err *err;
	unsigned depth;
	const char *map; /* the field's name while inside a map's entry */
	size_t *total;	 /* bytes of its strings so far; NULL outside a map */
};

static int walk_message(struct walk *w, const ProtobufCMessageDescriptor *desc,
			struct cursor c);

static int malformed(struct walk *w, const ProtobufCMessageDescriptor *desc)
{
	return err_set(w->err, ERR_INVALID, "malformed %s", desc->short_name);
}

static int take_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte;

		if (c->p == c->end)
			return -1;
		byte = *c->p++;
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -1;
}

static int take_bytes(struct cursor *c, uint64_t n, struct cursor *ret)
{
	if (n > (uint64_t)(c->end - c->p))
		return -1;
	*ret = (struct cursor){ c->p, c->p + n };
	c->p += n;
	return 0;
}

/* U+0000-0008, 000B, 000C, 000E-001F, 007F-009F: spec.md, CreateVolumeRequest.name. */
static bool has_control(struct cursor c)
{
	for (const uint8_t *p = c.p; p < c.end; p++) {
		if (*p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r')
			return true;
		/* The text is UTF-8, so a lead byte has its second byte. */
		if (*p == 0x7f || (*p == 0xc2 && p[1] <= 0x9f))
			return true;
	}
	return false;
}

static size_t max_of(const ProtobufCFieldDescriptor *f, const char *map)
{
	size_t n = strlen(f->name);

	if (map || strcmp(f->name, "mount_flags") == 0)
		return VALIDATE_MAP_MAX;
	if (strcmp(f->name, "node_id") == 0)
		return VALIDATE_NODE_ID_MAX;
	if (n > 5 && strcmp(f->name + n - 5, "_path") == 0)
		return VALIDATE_PATH_MAX;
	return VALIDATE_STRING_MAX;
}

static int too_large(struct walk *w, const char *name, size_t max)
{
	return err_set(w->err, ERR_INVALID, "%s: larger than %zu bytes", name, max);
}

static int check_string(struct walk *w, const ProtobufCFieldDescriptor *f,
			struct cursor c)
{
	const char *name = w->map ? w->map : f->name;
	size_t n = (size_t)(c.end - c.p), max = max_of(f, w->map);

	if (n > max)
		return too_large(w, name, max);
	if (w->total)
		*w->total += n;
	if (n && memchr(c.p, '\0', n))
		return err_set(w->err, ERR_INVALID, "%s: holds a NUL", name);
	if (n && !str_is_utf8((const char *)c.p, n))
		return err_set(w->err, ERR_INVALID, "%s: not UTF-8", name);
	if ((!w->map || strcmp(w->map, "secrets") != 0) && has_control(c))
		return err_set(w->err, ERR_INVALID, "%s: holds a control character",
			       name);
	return 0;
}

/* sum: the bytes that the field's earlier occurrences took together. */
static int check_field(struct walk *w, const ProtobufCFieldDescriptor *f, size_t *sum,
		       struct cursor c)
{
	const ProtobufCMessageDescriptor *child = f->descriptor;
	struct walk below = { .err = w->err, .depth = w->depth + 1 };

	if (f->type == PROTOBUF_C_TYPE_STRING) {
		*sum += (size_t)(c.end - c.p);
		if (check_string(w, f, c))
			return -1;
	} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		if (validate_is_map_entry(child)) {
			below.map = f->name;
			below.total = sum;
		}
		if (walk_message(&below, child, c))
			return -1;
	}
	/* sum counts strings only: of mount flags, and of a map's entries. */
	if (f->label == PROTOBUF_C_LABEL_REPEATED && *sum > VALIDATE_MAP_MAX &&
	    (below.map || strcmp(f->name, "mount_flags") == 0))
		return too_large(w, f->name, VALIDATE_MAP_MAX);
	return 0;
}

/* Repeated numbers may come packed, so bytes fit those too. */
static bool fits(const ProtobufCFieldDescriptor *f, unsigned wire)
{
	bool is_text = f->type == PROTOBUF_C_TYPE_STRING ||
		       f->type == PROTOBUF_C_TYPE_BYTES ||
		       f->type == PROTOBUF_C_TYPE_MESSAGE;

	if (wire == WIRE_BYTES)
		return is_text || f->label == PROTOBUF_C_LABEL_REPEATED;
	return !is_text;
}

static int take_value(struct cursor *c, unsigned wire, struct cursor *ret)
{
	uint64_t n = 0;

	switch (wire) {
	case WIRE_VARINT:
		return take_varint(c, &n);
	case WIRE_64:
		return take_bytes(c, 8, ret);
	case WIRE_32:
		return take_bytes(c, 4, ret);
	case WIRE_BYTES:
		return take_varint(c, &n) ? -1 : take_bytes(c, n, ret);
	default:
		return -1; /* groups left the language with proto3 */
	}
}

static int walk_message(struct walk *w, const ProtobufCMessageDescriptor *desc,
			struct cursor c)
{
	size_t sums[MAX_FIELDS] = { 0 };

	bug_on(desc->n_fields > MAX_FIELDS);
	if (w->depth > MAX_DEPTH)
		return malformed(w, desc);
	while (c.p < c.end) {
		const ProtobufCFieldDescriptor *f;
		struct cursor value = { NULL, NULL };
		uint64_t tag;
		unsigned wire;

		if (take_varint(&c, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
			return malformed(w, desc);
		wire = (unsigned)(tag & 7);
		if (take_value(&c, wire, &value))
			return malformed(w, desc);
		f = protobuf_c_message_descriptor_get_field(desc, (unsigned)(tag >> 3));
		if (!f)
			continue;
		if (!fits(f, wire))
			return malformed(w, desc);
		if (wire == WIRE_BYTES &&
		    check_field(w, f, &sums[f - desc->fields], value))
			return -1;
	}
	return 0;
}

int validate_request(const ProtobufCMessageDescriptor *desc, const uint8_t *p, size_t n,
		     struct err *err)
{
	struct walk w = { .err = err };

	return n ? walk_message(&w, desc, (struct cursor){ p, p + n }) : 0;
}

int validate_is_map_entry(const ProtobufCMessageDescriptor *desc)
{
	size_t n = strlen(desc->short_name);

	return desc->n_fields == 2 && n > 5 &&
	       strcmp(desc->short_name + n - 5, "Entry") == 0 &&
	       strcmp(desc->fields[0].name, "key") == 0 &&
	       strcmp(desc->fields[1].name, "value") == 0;
}
