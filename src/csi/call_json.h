#ifndef CSI_CALL_JSON_H
#define CSI_CALL_JSON_H
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "core/arena.h"
#include "core/err.h"

/* JSON <-> protobuf messages by walking the descriptors, after the proto3 JSON mapping
 * (protobuf.dev, "ProtoJSON Format"). Pure.
 *
 * Read: field names as in the .proto or in lowerCamelCase, enums by name or number,
 * 64-bit numbers as numbers or strings, maps as objects, wrappers as plain values,
 * Timestamp as RFC 3339 in UTC, null as absent. Written: names as in the .proto, numbers
 * as numbers, default values left out. A field of type bytes is refused. */

/* The message lives in the arena. 0, or -1 naming the field: ERR_INVALID, ERR_EXHAUSTED.
 */
int call_json_read(const ProtobufCMessageDescriptor *desc, const json_t *value,
		   struct arena *arena, ProtobufCMessage **ret, struct err *err);
/* A new reference; NULL for lack of memory or a string that is not UTF-8. */
json_t *call_json_write(const ProtobufCMessage *message);

enum call_json_kind { CALL_JSON_PLAIN, CALL_JSON_WRAPPER, CALL_JSON_TIMESTAMP };
/* Messages that JSON shows as one value. */
enum call_json_kind call_json_kind(const ProtobufCMessageDescriptor *desc);
#endif
