#include "rds/ssh_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const types[] = {
	"ssh-ed25519",	       "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521",
};

static const char base64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Strict: no blanks, padding only at the end. The number of bytes, or -1. */
static ssize_t decode64(const char *s, size_t n, unsigned char *out, size_t max)
{
	uint32_t bits = 0;
	size_t len = 0;

	if (n == 0 || n % 4 != 0)
		return -1;
	if (s[n - 1] == '=')
		n -= s[n - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < n; i++) {
		const char *p = memchr(base64, s[i], 64);

		if (!p)
			return -1;
		bits = bits << 6 | (uint32_t)(p - base64);
		if (i % 4 == 0)
			continue;
		if (len == max)
			return -1;
		out[len++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	return (ssize_t)len;
}

/* The next word of a line; an empty one at its end. */
static const char *word(const char **p, size_t *len)
{
	const char *s = *p + strspn(*p, " \t");

	*len = strcspn(s, " \t\r\n");
	*p = s + *len;
	return s;
}

static const char *known_type(const char *s, size_t len)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == len && memcmp(types[i], s, len) == 0)
			return types[i];
	return NULL;
}

/* The blob is a row of length-prefixed strings, the first of which is its own type; of a
 * line that is cut the last one is not whole. */
static bool is_whole(const struct ssh_host_key *k)
{
	size_t at = 0, n = strlen(k->type);
	const unsigned char *b = k->blob;

	if (k->len <= n + 4 || memcmp(b + 4, k->type, n) != 0)
		return false;
	for (unsigned parts = 0; at + 4 <= k->len; parts++) {
		uint32_t size = (uint32_t)b[at] << 24 | (uint32_t)b[at + 1] << 16 |
				(uint32_t)b[at + 2] << 8 | b[at + 3];

		if (size > k->len - at - 4 || (parts == 0 && size != n))
			return false;
		at += 4 + size;
		if (at == k->len)
			return parts > 0;
	}
	return false;
}

/* 1: a key; 0: of no type that is known; -1: of one, and no whole key. */
static int parse_line(struct ssh_host_key *k, const char *line)
{
	const char *type, *s;
	ssize_t got;
	size_t len;

	s = word(&line, &len);
	type = known_type(s, len);
	if (!type) {
		s = word(&line, &len);
		type = known_type(s, len);
	}
	if (!type)
		return 0;
	s = word(&line, &len);
	got = decode64(s, len, k->blob, sizeof(k->blob));
	if (got < 0)
		return -1;
	k->len = (size_t)got;
	(void)snprintf(k->type, sizeof(k->type), "%s", type);
	return is_whole(k) ? 1 : -1;
}

int ssh_pins_parse(struct ssh_pins *p, const char *text, struct err *err)
{
	struct ssh_host_key over;

	p->n = 0;
	for (; *text; text += strcspn(text, "\n")) {
		bool is_full = p->n == SSH_PINS_MAX;
		int rc;

		text += strspn(text, " \t\r\n");
		if (!*text)
			break;
		if (*text == '#')
			continue;
		rc = parse_line(is_full ? &over : &p->at[p->n], text);
		if (rc < 0)
			return err_set(err, ERR_INVALID, "a host key in it is not whole");
		if (rc && is_full)
			return err_set(err, ERR_INVALID, "more than %d host keys in it",
				       SSH_PINS_MAX);
		p->n += (size_t)rc;
	}
	if (p->n)
		return 0;
	return err_set(err, ERR_INVALID, "no host key of the form \"type base64\" in it");
}

static bool is_key(const struct ssh_host_key *k, const void *blob, size_t len)
{
	return k->len == len && memcmp(k->blob, blob, len) == 0;
}

bool ssh_pins_have(const struct ssh_pins *p, const void *blob, size_t len)
{
	for (size_t i = 0; i < p->n; i++)
		if (is_key(&p->at[i], blob, len))
			return true;
	return false;
}

bool ssh_pins_are_same(const struct ssh_pins *a, const struct ssh_pins *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (!is_key(&a->at[i], b->at[i].blob, b->at[i].len))
			return false;
	return a->n == b->n;
}

static bool is_repeated(const struct ssh_pins *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(p->at[i].type, p->at[n].type) == 0)
			return true;
	return false;
}

const char *ssh_pins_methods(const struct ssh_pins *p, char out[SSH_METHODS_MAX])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->n && used < SSH_METHODS_MAX; i++) {
		const char *type = p->at[i].type;

		if (is_repeated(p, i))
			continue;
		if (strcmp(type, "ssh-rsa") == 0)
			type = "rsa-sha2-512,rsa-sha2-256,ssh-rsa";
		used += (size_t)snprintf(out + used, SSH_METHODS_MAX - used, "%s%s",
					 used ? "," : "", type);
	}
	return out;
}

void ssh_fingerprint(const unsigned char hash[32], char out[SSH_FINGERPRINT])
{
	size_t n = 0;

	(void)memcpy(out, "SHA256:", 7);
	for (size_t bit = 0; bit < 256; bit += 6) {
		unsigned two = (unsigned)hash[bit / 8] << 8;

		two |= bit / 8 + 1 < 32 ? hash[bit / 8 + 1] : 0;
		out[7 + n++] = base64[two >> (10 - bit % 8) & 63];
	}
	out[7 + n] = '\0';
}

int ssh_key_rewrap(struct buf *out, const char *pem, size_t n)
{
	size_t i = 0;

	while (i < n) {
		const char *nl = memchr(pem + i, '\n', n - i);
		size_t len = nl ? (size_t)(nl - pem) - i : n - i;
		bool is_body = !memchr(pem + i, '-', len) && !memchr(pem + i, ':', len);

		for (; is_body && len > 70; i += 70, len -= 70) {
			(void)buf_append(out, pem + i, 70);
			(void)buf_putc(out, '\n');
		}
		(void)buf_append(out, pem + i, len);
		(void)buf_putc(out, '\n');
		i += len + 1;
	}
	return buf_failed(out) ? -1 : 0;
}

int ssh_key_read(struct buf *out, const char *path, const char *what, struct err *err)
{
	/* A pipe's other end may never come, and who waits for it waits with the loop. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got = -1;
	struct stat st;
	int saved;

	if (fd < 0)
		return err_set(err, ERR_INVALID, "%s %.100s: %s", what, path,
			       strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return err_set(err, ERR_INVALID, "%s %.100s: not a file", what, path);
	}
	if (buf_reserve(out, SSH_KEY_FILE_MAX + 1) == 0)
		got = read(fd, out->data, SSH_KEY_FILE_MAX + 1);
	saved = errno;
	(void)close(fd);
	if (buf_failed(out))
		return err_nomem(err);
	if (got < 0)
		return err_set(err, ERR_INVALID, "%s %.100s: %s", what, path,
			       strerror(saved));
	if (got == 0 || got > SSH_KEY_FILE_MAX)
		return err_set(err, ERR_INVALID, "%s %.100s: %s", what, path,
			       got ? "too large" : "empty");
	out->len = (size_t)got;
	out->data[got] = '\0';
	return 0;
}

void ssh_key_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}
