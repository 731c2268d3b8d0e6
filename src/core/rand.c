#include "core/rand.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "core/mem.h"

void rand_bytes(void *p, size_t n)
{
	char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		bug_on(got < 0 && errno != EINTR);
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}

uint32_t rand_below(uint32_t n)
{
	uint32_t v;

	rand_bytes(&v, sizeof(v));
	return n ? (uint32_t)(((uint64_t)v * n) >> 32) : 0;
}

void rand_hex(char *out, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	rand_bytes(out, n);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[(unsigned char)out[i] & 15];
	out[n] = '\0';
}

int uuid_v5(const char *ns, const char *name, char out[UUID_TEXT])
{
	uuid_t space, id;

	if (uuid_parse(ns, space))
		return -1;
	uuid_generate_sha1(id, space, name, strlen(name));
	uuid_unparse_lower(id, out);
	return 0;
}

void uuid_v4(char out[UUID_TEXT])
{
	uuid_t id;

	uuid_generate_random(id);
	uuid_unparse_lower(id, out);
}
