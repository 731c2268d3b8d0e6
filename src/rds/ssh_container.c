#include "rds/ssh_container.h"

#include <stdint.h>
#include <string.h>

/* An ed25519 key has some 230 bytes and a comment. Of a larger one this holds the
 * beginning, where the public half is. */
enum {
	BLOB_MAX = SSH_PUBLIC_MAX,
	PUBLIC_BYTES = 32,
	SECRET_BYTES = 64,
	BLOCK = 8,
	PADDING_MAX = 16
};

#define HEAD "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define TAIL "-----END OPENSSH PRIVATE KEY-----"

struct reader {
	const unsigned char *p;
	size_t left;
	bool is_bad;
};

static int digit64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '/')
		return c == '+' ? 62 : 63;
	return -1;
}

/* Line ends are skipped; the number of bytes, or 0. What does not fit is left out. */
static size_t decode(const char *s, size_t n, unsigned char out[BLOB_MAX])
{
	size_t len = 0, digits = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < n && s[i] != '=' && len < BLOB_MAX; i++) {
		int d = digit64(s[i]);

		if (s[i] == '\n' || s[i] == '\r')
			continue;
		if (d < 0)
			return 0;
		bits = bits << 6 | (uint32_t)d;
		if (digits % 4)
			out[len++] = (unsigned char)(bits >> (6 - 2 * (digits % 4)));
		digits++;
	}
	return len;
}

static const unsigned char *take(struct reader *r, size_t n)
{
	const unsigned char *p = r->p;

	if (r->is_bad || n > r->left) {
		r->is_bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint32_t take_u32(struct reader *r)
{
	const unsigned char *p = take(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
			       p[3]
		 : 0;
}

static struct reader take_string(struct reader *r)
{
	size_t n = take_u32(r);
	const unsigned char *p = take(r, n);

	return (struct reader){ p, p ? n : 0, !p };
}

static void expect(struct reader *r, const char *text)
{
	struct reader s = take_string(r);

	if (s.is_bad || s.left != strlen(text) || memcmp(s.p, text, s.left) != 0)
		r->is_bad = true;
}

static const unsigned char *expect_bytes(struct reader *r, size_t n)
{
	struct reader s = take_string(r);

	r->is_bad |= s.left != n;
	return s.p;
}

/* The part that would be encrypted: filled up with 1, 2, 3, … to a multiple of 8 by
 * OpenSSH, of 16 by libssh 0.10. */
static bool is_private_part(struct reader *r, const unsigned char *public)
{
	const unsigned char *again, *secret;
	uint32_t check = take_u32(r);

	r->is_bad |= take_u32(r) != check || r->left % BLOCK;
	expect(r, "ssh-ed25519");
	again = expect_bytes(r, PUBLIC_BYTES);
	secret = expect_bytes(r, SECRET_BYTES);
	(void)take_string(r); /* the comment */
	if (r->is_bad || r->left > PADDING_MAX ||
	    memcmp(again, public, PUBLIC_BYTES) != 0 ||
	    memcmp(secret + SECRET_BYTES - PUBLIC_BYTES, public, PUBLIC_BYTES) != 0)
		return false;
	for (size_t i = 0; i < r->left; i++)
		if (r->p[i] != i + 1)
			return false;
	return true;
}

/* Past what comes before the keys; r is bad when it is no unencrypted container of one
 * key. */
static void expect_head(struct reader *r)
{
	static const char magic[] = "openssh-key-v1"; /* its NUL is part of it */
	const unsigned char *p = take(r, sizeof(magic));

	r->is_bad |= !p || memcmp(p, magic, sizeof(magic)) != 0;
	expect(r, "none"); /* cipher */
	expect(r, "none"); /* key derivation */
	expect(r, "");
	r->is_bad |= take_u32(r) != 1;
}

static bool is_plain_ed25519(const unsigned char *blob, size_t n)
{
	struct reader r = { blob, n, n == BLOB_MAX }, key, private;
	const unsigned char *public;

	expect_head(&r);
	key = take_string(&r);
	expect(&key, "ssh-ed25519");
	public = expect_bytes(&key, PUBLIC_BYTES);
	private = take_string(&r);
	return !r.is_bad && !key.is_bad && key.left == 0 && !private.is_bad &&
	       r.left == 0 && is_private_part(&private, public);
}

/* The length of the binary content, 0 when it is no container. */
static size_t open_container(const char *pem, size_t n, unsigned char blob[BLOB_MAX])
{
	const char *body = pem + strlen(HEAD), *end;

	if (n < strlen(HEAD) || memcmp(pem, HEAD, strlen(HEAD)) != 0)
		return 0;
	end = memmem(body, n - strlen(HEAD), TAIL, strlen(TAIL));
	return end ? decode(body, (size_t)(end - body), blob) : 0;
}

bool ssh_container_is_plain_ed25519(const char *pem, size_t n)
{
	unsigned char blob[BLOB_MAX];
	size_t len = open_container(pem, n, blob);
	bool is_one = len && is_plain_ed25519(blob, len);

	explicit_bzero(blob, sizeof(blob));
	return is_one;
}

size_t ssh_container_public(const char *pem, size_t n, unsigned char out[SSH_PUBLIC_MAX])
{
	unsigned char blob[BLOB_MAX];
	struct reader r = { blob, open_container(pem, n, blob), false }, key;
	size_t len = 0;

	expect_head(&r);
	key = take_string(&r);
	if (!key.is_bad && key.left) {
		len = key.left;
		memcpy(out, key.p, len);
	}
	explicit_bzero(blob, sizeof(blob));
	return len;
}
