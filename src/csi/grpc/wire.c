#include "csi/grpc/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "csi/grpc/call.h"

/* Milliseconds = value * mul / div, rounded up. */
static const struct unit {
	char name;
	uint32_t mul, div;
} units[] = {
	{ 'H', 3600000, 1 }, { 'M', 60000, 1 }, { 'S', 1000, 1 },
	{ 'm', 1, 1 },	     { 'u', 1, 1000 },	{ 'n', 1, 1000000 },
};

int wire_parse_timeout(const char *s, uint64_t *ret_ms)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; s[n] >= '0' && s[n] <= '9'; n++) {
		if (n == 8)
			return -1;
		v = v * 10 + (uint64_t)(s[n] - '0');
	}
	if (n == 0 || s[n] == '\0' || s[n + 1] != '\0')
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (units[i].name != s[n])
			continue;
		v = (v * units[i].mul + units[i].div - 1) / units[i].div;
		*ret_ms = v < WIRE_TIMEOUT_MAX_MS ? v : WIRE_TIMEOUT_MAX_MS;
		return 0;
	}
	return -1;
}

void wire_format_timeout(uint64_t ms, char out[WIRE_TIMEOUT_TEXT])
{
	if (ms > WIRE_TIMEOUT_MAX_MS)
		ms = WIRE_TIMEOUT_MAX_MS;
	(void)snprintf(out, WIRE_TIMEOUT_TEXT, "%" PRIu32 "m", (uint32_t)ms);
}

static size_t utf8_len(unsigned char lead)
{
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

size_t wire_encode_text(const char *s, char *out, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	bug_on(size == 0);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool is_plain = c >= 0x20 && c <= 0x7e && c != '%';
		size_t need = is_plain ? 1 : 3 * utf8_len(c);

		if (n + need > size - 1)
			break;
		if (is_plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return n;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

size_t wire_decode_text(const char *s, char *out, size_t size)
{
	size_t n = 0;

	bug_on(size == 0);
	while (*s && n < size - 1) {
		int hi = *s == '%' ? hex_value(s[1]) : -1;
		int lo = hi >= 0 ? hex_value(s[2]) : -1;

		if (lo >= 0) {
			out[n++] = (char)(hi * 16 + lo);
			s += 3;
		} else {
			out[n++] = *s++;
		}
	}
	out[n] = '\0';
	return n;
}

void wire_put_prefix(uint8_t out[WIRE_PREFIX], uint32_t len)
{
	out[0] = 0;
	out[1] = (uint8_t)(len >> 24);
	out[2] = (uint8_t)(len >> 16);
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
}

void wire_frame_init(struct wire_frame *f, bool is_encoded)
{
	*f = (struct wire_frame){ .is_encoded = is_encoded };
	buf_init(&f->message, GRPC_MAX_MESSAGE);
}

void wire_frame_fini(struct wire_frame *f)
{
	buf_fini(&f->message);
}

static int check_prefix(struct wire_frame *f, struct err *err)
{
	const uint8_t *p = f->prefix;

	if (p[0] == 1 && f->is_encoded)
		return err_set(err, ERR_UNIMPLEMENTED,
			       "grpc: the message's compression is not supported");
	if (p[0] != 0)
		return err_set(err, ERR_INTERNAL,
			       "grpc: compressed flag %u without grpc-encoding", p[0]);
	f->len = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	if (f->len > GRPC_MAX_MESSAGE)
		return err_set(err, ERR_EXHAUSTED,
			       "grpc: received message larger than max (%" PRIu32
			       " vs. %d)",
			       f->len, GRPC_MAX_MESSAGE);
	return 0;
}

int wire_frame_feed(struct wire_frame *f, const uint8_t *p, size_t n, struct err *err)
{
	while (n && f->n_prefix < WIRE_PREFIX) {
		f->prefix[f->n_prefix++] = *p++;
		n--;
		if (f->n_prefix == WIRE_PREFIX && check_prefix(f, err))
			return -1;
	}
	if (n > f->len - f->message.len)
		return err_set(err, ERR_INTERNAL,
			       "grpc: more than one message in a unary call");
	if (n && buf_append(&f->message, p, n))
		return err_nomem(err);
	return 0;
}

int wire_frame_end(const struct wire_frame *f, struct err *err)
{
	if (f->n_prefix == 0)
		return err_set(err, ERR_INTERNAL, "grpc: no message in a unary call");
	if (f->n_prefix < WIRE_PREFIX || f->message.len < f->len)
		return err_set(err, ERR_INTERNAL, "grpc: message cut short");
	return 0;
}
