#include "csi/call_json.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/str.h"
#include "csi/validate.h"

struct reader {
	struct arena *arena;
	struct err *err;
};

static int read_message(struct reader *r, const ProtobufCMessageDescriptor *desc,
			const json_t *value, ProtobufCMessage **ret);

enum call_json_kind call_json_kind(const ProtobufCMessageDescriptor *desc)
{
	if (strcmp(desc->short_name, "BoolValue") == 0 ||
	    strcmp(desc->short_name, "Int64Value") == 0)
		return CALL_JSON_WRAPPER;
	return strcmp(desc->short_name, "Timestamp") == 0 ? CALL_JSON_TIMESTAMP
							  : CALL_JSON_PLAIN;
}

static void *member(const ProtobufCMessage *m, unsigned offset)
{
	/* Descriptors hold offsets; the compiler cannot know that they are aligned. */
	return (void *)((uintptr_t)m + offset);
}

/* ---- reading ---- */

static int wrong(struct reader *r, const char *want)
{
	return err_set(r->err, ERR_INVALID, "must be %s", want);
}

static int read_integer(struct reader *r, const json_t *value, int64_t *ret)
{
	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return 0;
	}
	if (json_is_string(value) && str_to_i64(json_string_value(value), ret) == 0)
		return 0;
	return wrong(r, "a whole number");
}

static int read_int32(struct reader *r, const json_t *value, int32_t *ret)
{
	int64_t n = 0;

	if (read_integer(r, value, &n))
		return -1;
	if (n < INT32_MIN || n > INT32_MAX)
		return wrong(r, "a number of 32 bits");
	*ret = (int32_t)n;
	return 0;
}

static int read_enum(struct reader *r, const ProtobufCEnumDescriptor *desc,
		     const json_t *value, int32_t *ret)
{
	const ProtobufCEnumValue *v;

	if (!json_is_string(value))
		return read_int32(r, value, ret);
	v = protobuf_c_enum_descriptor_get_value_by_name(desc, json_string_value(value));
	if (!v)
		return err_set(r->err, ERR_INVALID, "no %s is called %.60s",
			       desc->short_name, json_string_value(value));
	*ret = v->value;
	return 0;
}

/* One value of the field's type to where it belongs. */
static int read_value(struct reader *r, const ProtobufCFieldDescriptor *f,
		      const json_t *value, void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (!json_is_string(value))
			return wrong(r, "a string");
		*(char **)at = arena_strdup(r->arena, json_string_value(value));
		return *(char **)at ? 0 : err_nomem(r->err);
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_is_boolean(value))
			return wrong(r, "true or false");
		*(protobuf_c_boolean *)at = json_is_true(value);
		return 0;
	case PROTOBUF_C_TYPE_INT32:
		return read_int32(r, value, at);
	case PROTOBUF_C_TYPE_INT64:
		return read_integer(r, value, at);
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(r, f->descriptor, value, at);
	case PROTOBUF_C_TYPE_MESSAGE:
		return read_message(r, f->descriptor, value, at);
	default:
		return err_set(r->err, ERR_INVALID, "cannot be written in JSON here");
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT64:
		return sizeof(int64_t);
	default:
		return sizeof(int32_t); /* enums, int32 and protobuf_c_boolean */
	}
}

static int read_list(struct reader *r, const ProtobufCFieldDescriptor *f,
		     const json_t *value, ProtobufCMessage *m)
{
	size_t n = json_array_size(value), size = size_of(f);
	char *items;

	if (!json_is_array(value))
		return wrong(r, "a list");
	items = arena_alloc(r->arena, n * size);
	if (!items)
		return err_nomem(r->err);
	for (size_t i = 0; i < n; i++)
		if (read_value(r, f, json_array_get(value, i), items + i * size))
			return err_wrap(r->err, "[%zu]", i);
	*(size_t *)member(m, f->quantifier_offset) = n;
	*(void **)member(m, f->offset) = items;
	return 0;
}

static int read_entry(struct reader *r, const ProtobufCMessageDescriptor *desc,
		      const char *key, const json_t *value, ProtobufCMessage **ret)
{
	ProtobufCMessage *entry = arena_alloc(r->arena, desc->sizeof_message);
	char *name = arena_strdup(r->arena, key);

	if (!entry || !name)
		return err_nomem(r->err);
	protobuf_c_message_init(desc, entry);
	*(char **)member(entry, desc->fields[0].offset) = name;
	*ret = entry;
	return read_value(r, &desc->fields[1], value,
			  member(entry, desc->fields[1].offset));
}

static int read_map(struct reader *r, const ProtobufCFieldDescriptor *f,
		    const json_t *value, ProtobufCMessage *m)
{
	size_t n = json_object_size(value), i = 0;
	ProtobufCMessage **items;
	const char *key;
	json_t *object = (json_t *)(uintptr_t)value,
	       *it; /* jansson's iterator wants it */

	if (!json_is_object(value))
		return wrong(r, "an object");
	items = arena_alloc(r->arena, n * sizeof(*items));
	if (!items)
		return err_nomem(r->err);
	json_object_foreach(
		object, key,
		it) if (read_entry(r, f->descriptor, key, it,
				   &items[i++])) return err_wrap(r->err, "%.60s", key);
	*(size_t *)member(m, f->quantifier_offset) = n;
	*(void **)member(m, f->offset) = items;
	return 0;
}

static int read_field(struct reader *r, const ProtobufCFieldDescriptor *f,
		      const json_t *value, ProtobufCMessage *m)
{
	uint32_t *chosen;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		bool is_map = f->type == PROTOBUF_C_TYPE_MESSAGE &&
			      validate_is_map_entry(f->descriptor);

		return is_map ? read_map(r, f, value, m) : read_list(r, f, value, m);
	}
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		chosen = member(m, f->quantifier_offset);
		if (*chosen)
			return wrong(r, "the only one of its kind");
		*chosen = f->id;
	}
	return read_value(r, f, value, member(m, f->offset));
}

/* volume_id is also called volumeId. */
static bool is_called(const char *name, const char *key)
{
	for (; *name; name++, key++) {
		char c = *name;

		if (c == '_' && *key != '_' && name[1] >= 'a' && name[1] <= 'z')
			c = (char)(*++name - 'a' + 'A');
		if (c != *key)
			return false;
	}
	return !*key;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *desc,
						  const char *key)
{
	for (unsigned i = 0; i < desc->n_fields; i++)
		if (is_called(desc->fields[i].name, key))
			return &desc->fields[i];
	return NULL;
}

static int read_timestamp(struct reader *r, const ProtobufCMessageDescriptor *desc,
			  const json_t *value, ProtobufCMessage *m)
{
	const char *text = json_string_value(value), *end;
	struct tm tm = { .tm_year = 0 };
	int64_t nanos = 0, unit = 100000000;

	end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (end && *end == '.')
		for (end++; *end >= '0' && *end <= '9' && unit; end++, unit /= 10)
			nanos += (*end - '0') * unit;
	if (!end || strcmp(end, "Z") != 0)
		return wrong(r, "a time such as 2026-01-31T12:00:00Z");
	*(int64_t *)member(m, desc->fields[0].offset) = timegm(&tm);
	*(int32_t *)member(m, desc->fields[1].offset) = (int32_t)nanos;
	return 0;
}

static int read_fields(struct reader *r, const ProtobufCMessageDescriptor *desc,
		       const json_t *value, ProtobufCMessage *m)
{
	json_t *object = (json_t *)(uintptr_t)value, *it;
	const char *key;

	if (!json_is_object(value))
		return wrong(r, "an object");
	json_object_foreach(object, key, it)
	{
		const ProtobufCFieldDescriptor *f = find_field(desc, key);

		if (!f)
			return err_set(r->err, ERR_INVALID, "%s has no field %.60s",
				       desc->short_name, key);
		if (!json_is_null(it) && read_field(r, f, it, m))
			return err_wrap(r->err, "%s", f->name);
	}
	return 0;
}

static int read_message(struct reader *r, const ProtobufCMessageDescriptor *desc,
			const json_t *value, ProtobufCMessage **ret)
{
	ProtobufCMessage *m = arena_alloc(r->arena, desc->sizeof_message);

	if (!m)
		return err_nomem(r->err);
	protobuf_c_message_init(desc, m);
	*ret = m;
	switch (call_json_kind(desc)) {
	case CALL_JSON_WRAPPER:
		return read_field(r, &desc->fields[0], value, m);
	case CALL_JSON_TIMESTAMP:
		return read_timestamp(r, desc, value, m);
	default:
		return read_fields(r, desc, value, m);
	}
}

int call_json_read(const ProtobufCMessageDescriptor *desc, const json_t *value,
		   struct arena *arena, ProtobufCMessage **ret, struct err *err)
{
	struct reader r = { arena, err };

	return read_message(&r, desc, value, ret);
}

/* ---- writing ---- */

static json_t *write_enum(const ProtobufCEnumDescriptor *desc, int32_t n)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, n);

	return v ? json_string(v->name) : json_integer(n);
}

static json_t *write_value(const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return json_string(*(char *const *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_INT32:
		return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
		return json_integer(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return write_enum(f->descriptor, *(const int32_t *)at);
	case PROTOBUF_C_TYPE_MESSAGE:
		return call_json_write(*(ProtobufCMessage *const *)at);
	default:
		return NULL;
	}
}

static json_t *write_list(const ProtobufCFieldDescriptor *f, const char *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(list, write_value(f, items + i * size_of(f)))) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

static json_t *write_map(const ProtobufCFieldDescriptor *f,
			 ProtobufCMessage *const *entries, size_t n)
{
	const ProtobufCMessageDescriptor *desc = f->descriptor;
	json_t *object = json_object();

	for (size_t i = 0; object && i < n; i++) {
		const char *key = *(char **)member(entries[i], desc->fields[0].offset);
		void *at = member(entries[i], desc->fields[1].offset);

		if (json_object_set_new(object, key, write_value(&desc->fields[1], at))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

/* The value has the default of its type and stands outside a oneof: proto3 leaves it
 * out. */
static bool is_absent(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const void *at = member(m, f->offset);

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(size_t *)member(m, f->quantifier_offset) == 0;
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(uint32_t *)member(m, f->quantifier_offset) != f->id;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !**(char *const *)at;
	if (size_of(f) == sizeof(int64_t))
		return *(const int64_t *)at == 0; /* a NULL message, too */
	return *(const int32_t *)at == 0;
}

static json_t *write_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const void *at = member(m, f->offset);
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return write_value(f, at);
	n = *(size_t *)member(m, f->quantifier_offset);
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && validate_is_map_entry(f->descriptor))
		return write_map(f, *(ProtobufCMessage *const *const *)at, n);
	return write_list(f, *(const char *const *)at, n);
}

static json_t *write_timestamp(const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f = m->descriptor->fields;
	time_t seconds = *(int64_t *)member(m, f[0].offset);
	int32_t nanos = *(int32_t *)member(m, f[1].offset);
	char text[48], fraction[16] = "";
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || nanos < 0 || nanos > 999999999)
		return NULL;
	if (nanos)
		(void)snprintf(fraction, sizeof(fraction), ".%09d", nanos);
	if (!strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return NULL;
	return json_sprintf("%s%sZ", text, fraction);
}

json_t *call_json_write(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *desc = message->descriptor;
	json_t *object;

	if (call_json_kind(desc) == CALL_JSON_TIMESTAMP)
		return write_timestamp(message);
	if (call_json_kind(desc) == CALL_JSON_WRAPPER)
		return write_field(message, &desc->fields[0]);
	object = json_object();
	for (unsigned i = 0; object && i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];

		if (is_absent(message, f))
			continue;
		if (json_object_set_new(object, f->name, write_field(message, f))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}
