/* One CSI request: the check of its bytes, the decoder behind it, and the way through
 * JSON and back. The first byte chooses the method. */
#include <stdint.h>
#include <stdlib.h>

#include "core/mem.h"
#include "csi/call_help.h"
#include "csi/call_json.h"
#include "csi/validate.h"

static void *on_alloc(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void on_free(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

static const ProtobufCMessageDescriptor *request_of(unsigned n)
{
	unsigned i = 0;

	for (;; i = call_services[i + 1] ? i + 1 : 0) {
		if (n < call_services[i]->n_methods)
			return call_services[i]->methods[n].input;
		n -= call_services[i]->n_methods;
	}
}

static void one(const ProtobufCMessageDescriptor *desc, const uint8_t *p, size_t n,
		struct arena *arena)
{
	ProtobufCAllocator from = { on_alloc, on_free, arena };
	struct err err = { .code = ERR_OK };
	ProtobufCMessage *m, *again;
	json_t *value;

	if (validate_request(desc, p, n, &err)) {
		bug_on(err.code != ERR_INVALID || !err.msg[0]);
		return;
	}
	m = protobuf_c_message_unpack(desc, &from, n, p);
	if (!m)
		return;
	value = call_json_write(m);
	bug_on(!value); /* every string is UTF-8 */
	bug_on(call_json_read(desc, value, arena, &again, &err) &&
	       err.code != ERR_EXHAUSTED);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;

	if (size < 1)
		return 0;
	arena_init(&arena, 4 << 20);
	one(request_of(data[0]), data + 1, size - 1, &arena);
	arena_fini(&arena);
	bug_on(mem_live() != 0);
	return 0;
}
