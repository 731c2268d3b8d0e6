#include "csi/controller/message.h"

#include <string.h>

void *message_new(struct arena *a, const ProtobufCMessageDescriptor *desc)
{
	ProtobufCMessage *m = arena_alloc(a, desc->sizeof_message);

	if (m)
		desc->message_init(m);
	return m;
}

static char **text_at(const void *entry, unsigned field)
{
	const ProtobufCMessage *m = entry;

	/* The cast drops a const that only the accessors below add. */
	return (char **)(uintptr_t)((const char *)entry +
				    m->descriptor->fields[field].offset);
}

void *message_map(struct arena *a, const ProtobufCMessageDescriptor *entry,
		  const struct message_pair *pairs, size_t n, size_t *ret_n)
{
	ProtobufCMessage **entries = arena_alloc(a, (n + 1) * sizeof(*entries));
	size_t used = 0;

	if (!entries)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		ProtobufCMessage *e;

		if (!pairs[i].value)
			continue;
		e = message_new(a, entry);
		if (!e)
			return NULL;
		*text_at(e, 0) = arena_strdup(a, pairs[i].key);
		*text_at(e, 1) = arena_strdup(a, pairs[i].value);
		if (!*text_at(e, 0) || !*text_at(e, 1))
			return NULL;
		entries[used++] = e;
	}
	*ret_n = used;
	return entries;
}

void *message_copy(struct arena *a, const ProtobufCMessageDescriptor *entry,
		   const void *from, size_t n, size_t *ret_n)
{
	struct message_pair *pairs = arena_alloc(a, (n + 1) * sizeof(*pairs));

	if (!pairs)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const void *e = message_entry(from, i);

		pairs[i] = (struct message_pair){ message_key(e), message_value(e) };
	}
	return message_map(a, entry, pairs, n, ret_n);
}

const char *message_key(const void *entry)
{
	return *text_at(entry, 0);
}

const char *message_value(const void *entry)
{
	return *text_at(entry, 1);
}

const void *message_entry(const void *entries, size_t i)
{
	return ((const ProtobufCMessage *const *)entries)[i];
}

const char *message_lookup(const void *entries, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		const void *e = message_entry(entries, i);

		if (strcmp(message_key(e), key) == 0)
			return message_value(e);
	}
	return NULL;
}
