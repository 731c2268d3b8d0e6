#ifndef CSI_CONTROLLER_MESSAGE_H
#define CSI_CONTROLLER_MESSAGE_H
#include <protobuf-c/protobuf-c.h>

#include "core/arena.h"

/* Messages and map<string, string> fields in a call's arena. protoc makes one type per
 * map; all have key = 1 and value = 2, so that the descriptor serves every one. Pure. */
struct message_pair {
	const char *key, *value; /* borrowed; value NULL = leave the pair out */
};

/* Zeroed and initialised by its descriptor; NULL for lack of memory. */
void *message_new(struct arena *a, const ProtobufCMessageDescriptor *desc);
/* An array of entries for a map field, *ret_n of them; texts are copied. NULL for lack of
 * memory. */
void *message_map(struct arena *a, const ProtobufCMessageDescriptor *entry,
		  const struct message_pair *pairs, size_t n, size_t *ret_n);
/* The same pairs as entries of another map field. */
void *message_copy(struct arena *a, const ProtobufCMessageDescriptor *entry,
		   const void *from, size_t n, size_t *ret_n);

const char *message_key(const void *entry);
const char *message_value(const void *entry);
/* The value of a key in a map field, or NULL. */
const char *message_lookup(const void *entries, size_t n, const char *key);
/* Entry i of a map field. */
const void *message_entry(const void *entries, size_t i);
#endif
