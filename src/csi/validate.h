#ifndef CSI_VALIDATE_H
#define CSI_VALIDATE_H
#include <protobuf-c/protobuf-c.h>

#include "core/err.h"

/* Checks the bytes of one request against its descriptor, before they are decoded: a
 * decoder hands strings on as C strings and would hide a NUL inside them. Pure.
 *
 * Every string must be UTF-8 without NUL and without the control characters that the CSI
 * specification forbids in names; secrets may hold any text. Sizes are those of spec.md
 * v1.12.0, "Size Limits": 128 bytes, node ids 256, paths PATH_MAX, a map or a list of
 * mount flags 4 KiB in all. Fields that the descriptor does not know are skipped. Returns
 * 0, or -1 with ERR_INVALID naming the field, never its value. */
int validate_request(const ProtobufCMessageDescriptor *desc, const uint8_t *p, size_t n,
		     struct err *err);

enum {
	VALIDATE_STRING_MAX = 128,
	VALIDATE_NODE_ID_MAX = 256,
	VALIDATE_PATH_MAX = 4095, /* PATH_MAX of Linux counts the NUL */
	VALIDATE_MAP_MAX = 4096,
};

/* A message that protoc made for a map<,>: key = 1, value = 2. */
int validate_is_map_entry(const ProtobufCMessageDescriptor *desc);
#endif
