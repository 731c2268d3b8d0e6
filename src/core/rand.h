#ifndef CORE_RAND_H
#define CORE_RAND_H
#include <stddef.h>
#include <stdint.h>

/* Random numbers from the kernel, and name-based UUIDs. */
void rand_bytes(void *p, size_t n);
uint32_t rand_below(uint32_t n); /* 0 … n-1; 0 for n = 0; for jitter, not for secrets */
/* n lower-case hex digits and a NUL, so out has n + 1 bytes. */
void rand_hex(char *out, size_t n);

enum { UUID_TEXT = 37 }; /* 36 characters and NUL */
/* RFC 4122 version 5 (SHA-1) of name in the namespace given as text; lower case.
 * 0, or -1 when ns is not a UUID. */
int uuid_v5(const char *ns, const char *name, char out[UUID_TEXT]);
void uuid_v4(char out[UUID_TEXT]);

/* RFC 4122 appendix C: the namespace of domain names. */
#define UUID_NS_DNS "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#endif
