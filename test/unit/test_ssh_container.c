#include "rds/ssh_container.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "support/t.h"

/* A container as ssh-keygen -t ed25519 writes it, with a key of made-up bytes. */
struct parts {
	const char *cipher, *type;
	unsigned n_keys, check, padding, width;
	bool other_public;
};
static const struct parts plain = { "none", "ssh-ed25519", 1, 7, 1, 70, false };

static void put_u32(struct buf *b, size_t n)
{
	const char be[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	(void)buf_append(b, be, 4);
}

static void put_string(struct buf *b, const void *p, size_t n)
{
	put_u32(b, n);
	(void)buf_append(b, p, n);
}

static void put_text(struct buf *b, const char *s)
{
	put_string(b, s, strlen(s));
}

static void put_private(struct buf *b, const struct parts *parts, const char *key)
{
	struct buf in;

	buf_init(&in, 4096);
	put_u32(&in, 7);
	put_u32(&in, parts->check);
	put_text(&in, parts->type);
	put_string(&in, key + 32 + parts->other_public, 32);
	put_string(&in, key, 64);
	put_text(&in, "somebody@somewhere");
	for (unsigned i = parts->padding; in.len % 8; i++)
		(void)buf_putc(&in, (char)i);
	put_string(b, in.data, in.len);
	buf_fini(&in);
}

static void put_base64(struct buf *b, const struct buf *in, unsigned width)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)in->data;
	unsigned column = 0;

	for (size_t bit = 0; bit < in->len * 8; bit += 6) {
		unsigned two = (unsigned)p[bit / 8] << 8;

		two |= bit / 8 + 1 < in->len ? p[bit / 8 + 1] : 0;
		(void)buf_putc(b, set[two >> (10 - bit % 8) & 63]);
		if (++column % width == 0)
			(void)buf_putc(b, '\n');
	}
	for (; column % 4; column++)
		(void)buf_putc(b, '=');
}

static void make(struct buf *pem, const struct parts *parts)
{
	char key[65];
	struct buf in, public;

	for (int i = 0; i < 65; i++)
		key[i] = (char)(i * 37);
	buf_init(&in, 4096);
	buf_init(&public, 4096);
	buf_init(pem, 4096);
	(void)buf_append(&in, "openssh-key-v1", 15);
	put_text(&in, parts->cipher);
	put_text(&in, "none");
	put_text(&in, "");
	put_u32(&in, parts->n_keys);
	put_text(&public, parts->type);
	put_string(&public, key + 32, 32);
	put_string(&in, public.data, public.len);
	put_private(&in, parts, key);
	(void)buf_puts(pem, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	put_base64(pem, &in, parts->width);
	(void)buf_puts(pem, "\n-----END OPENSSH PRIVATE KEY-----\n");
	buf_fini(&in);
	buf_fini(&public);
}

static bool is_taken(struct parts parts)
{
	struct buf pem;
	bool yes;

	make(&pem, &parts);
	yes = ssh_container_is_plain_ed25519(pem.data, pem.len);
	buf_fini(&pem);
	return yes;
}

Test(ssh_container, takes_a_plain_ed25519_key_however_its_lines_are_broken)
{
	struct parts p = plain;

	for (p.width = 1; p.width < 500; p.width += 33)
		cr_assert(is_taken(p), "lines of %u", p.width);
}

static size_t public_of(struct parts parts, unsigned char out[SSH_PUBLIC_MAX])
{
	struct buf pem;
	size_t n;

	make(&pem, &parts);
	n = ssh_container_public(pem.data, pem.len, out);
	buf_fini(&pem);
	return n;
}

Test(ssh_container, shows_the_public_half)
{
	static const unsigned char head[] = "\0\0\0\013ssh-ed25519\0\0\0 ";
	unsigned char out[SSH_PUBLIC_MAX];
	struct parts p = plain;

	cr_assert_eq(public_of(p, out), 51);
	cr_assert_arr_eq(out, head, 19);
	for (int i = 0; i < 32; i++)
		cr_assert_eq(out[19 + i], (unsigned char)((32 + i) * 37));
	p.cipher = "aes256-ctr";
	cr_assert_eq(public_of(p, out), 0, "encrypted");
	p = plain;
	p.n_keys = 2;
	cr_assert_eq(public_of(p, out), 0, "two keys");
	cr_assert_eq(ssh_container_public("", 0, out), 0);
	cr_assert_eq(ssh_container_public("-----BEGIN RSA PRIVATE KEY-----\n", 32, out),
		     0);
}

Test(ssh_container, leaves_every_other_key_to_libssh2)
{
	struct parts p = plain;

	cr_assert(is_taken(p));
	p.cipher = "aes256-ctr";
	cr_assert_not(is_taken(p), "encrypted");
	p = plain;
	p.type = "ssh-rsa";
	cr_assert_not(is_taken(p), "another type");
	p = plain;
	p.n_keys = 2;
	cr_assert_not(is_taken(p), "two keys");
	p = plain;
	p.check = 8;
	cr_assert_not(is_taken(p), "check numbers differ");
	p = plain;
	p.padding = 2;
	cr_assert_not(is_taken(p), "padding");
	p = plain;
	p.other_public = true;
	cr_assert_not(is_taken(p), "public key differs");
}

Test(ssh_container, no_cut_or_changed_file_is_taken)
{
	struct buf pem;

	make(&pem, &plain);
	for (size_t n = 0; n < pem.len - 1; n++)
		cr_assert_not(ssh_container_is_plain_ed25519(pem.data, n), "%zu bytes",
			      n);
	/* A character lost: everything behind it moves. */
	for (size_t at = 0; at < pem.len - 40; at++) {
		char text[4096];

		if (pem.data[at] == '\n' || pem.data[at] == '=')
			continue;
		memcpy(text, pem.data, at);
		memcpy(text + at, pem.data + at + 1, pem.len - at - 1);
		cr_assert_not(ssh_container_is_plain_ed25519(text, pem.len - 1), "at %zu",
			      at);
	}
	cr_assert_not(ssh_container_is_plain_ed25519("", 0));
	cr_assert_not(
		ssh_container_is_plain_ed25519("-----BEGIN RSA PRIVATE KEY-----\n", 32));
	buf_fini(&pem);
}
