/* The pure gRPC codecs: text both ways, timeouts, the message frame cut in two ways. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "csi/grpc/call.h"
#include "csi/grpc/wire.h"

static void text(const char *s)
{
	char enc[WIRE_STATUS_TEXT_MAX + 1], dec[WIRE_STATUS_TEXT_MAX + 1];
	char fmt[WIRE_TIMEOUT_TEXT];
	uint64_t ms, again;
	size_t n = wire_encode_text(s, enc, sizeof(enc));

	bug_on(n >= sizeof(enc) || strlen(enc) != n);
	for (size_t i = 0; i < n; i++)
		bug_on(enc[i] < 0x20 || enc[i] > 0x7e);
	n = wire_decode_text(enc, dec, sizeof(dec));
	bug_on(strncmp(dec, s, n) != 0);
	(void)wire_decode_text(s, dec, 100);
	if (wire_parse_timeout(s, &ms) == 0) {
		bug_on(ms > WIRE_TIMEOUT_MAX_MS);
		wire_format_timeout(ms, fmt);
		bug_on(wire_parse_timeout(fmt, &again) || again != ms);
	}
}

static enum err_code frame(const uint8_t *p, size_t n, size_t piece)
{
	struct err err = { .code = ERR_OK };
	struct wire_frame f;
	size_t at = 0, m;

	wire_frame_init(&f, n & 1);
	for (; at < n && err.code == ERR_OK; at += m) {
		m = n - at < piece ? n - at : piece;
		(void)wire_frame_feed(&f, p + at, m, &err);
	}
	if (err.code == ERR_OK)
		(void)wire_frame_end(&f, &err);
	bug_on(err.code == ERR_OK && f.message.len != n - WIRE_PREFIX);
	wire_frame_fini(&f);
	return err.code;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *s = malloc(n + 1);

	memcpy(s, p, n);
	s[n] = '\0';
	text(s);
	free(s);
	bug_on(frame(p, n, 1) != frame(p, n, n ? n : 1));
	bug_on(mem_live() != 0);
	return 0;
}
