#include "rds/ssh_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

/* The blob begins with its own type as a length-prefixed string. */
static bool names_type(const struct ssh_host_key *k)
{
	size_t n = strlen(k->type);

	return k->len > n + 4 && k->blob[0] == 0 && k->blob[1] == 0 && k->blob[2] == 0 &&
	       k->blob[3] == n && memcmp(k->blob + 4, k->type, n) == 0;
}

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
		return -1;
	s = word(&line, &len);
	got = decode64(s, len, k->blob, sizeof(k->blob));
	if (got < 0)
		return -1;
	k->len = (size_t)got;
	(void)snprintf(k->type, sizeof(k->type), "%s", type);
	return names_type(k) ? 0 : -1;
}

int ssh_host_key_parse(struct ssh_host_key *k, const char *text, struct err *err)
{
	while (*text) {
		size_t lead = strspn(text, " \t\r\n");

		text += lead;
		if (*text && *text != '#') {
			if (parse_line(k, text) == 0)
				return 0;
			break;
		}
		text += strcspn(text, "\n");
	}
	return err_set(err, ERR_INVALID, "no host key of the form \"type base64\" in it");
}

const char *ssh_host_key_methods(const struct ssh_host_key *k)
{
	if (strcmp(k->type, "ssh-rsa") == 0)
		return "rsa-sha2-512,rsa-sha2-256,ssh-rsa";
	return k->type;
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
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t got = -1;
	int saved;

	if (fd < 0)
		return err_set(err, ERR_INVALID, "%s %.100s: %s", what, path,
			       strerror(errno));
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
