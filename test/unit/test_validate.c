#include "support/t.h"

#include <string.h>

#include "core/buf.h"
#include "csi.pb-c.h"
#include "csi/validate.h"

static struct err e;

static int check(const ProtobufCMessageDescriptor *desc, const void *p, size_t n)
{
	e = (struct err){ .code = ERR_OK };
	return validate_request(desc, p, n, &e);
}

/* One string field: tag, length, text. */
static void put_string(struct buf *b, unsigned id, const void *s, size_t n)
{
	(void)buf_putc(b, (char)(id << 3 | 2));
	for (size_t left = n; left > 127; left >>= 7)
		(void)buf_putc(b, (char)(0x80 | (left & 0x7f)));
	for (size_t left = n;; left >>= 7)
		if (left <= 127) {
			(void)buf_putc(b, (char)left);
			break;
		}
	(void)buf_append(b, s, n);
}

static int check_field(const ProtobufCMessageDescriptor *desc, unsigned id, const char *s,
		       size_t n)
{
	struct buf b;
	int rc;

	buf_init(&b, 65536);
	put_string(&b, id, s, n);
	rc = check(desc, b.data, b.len);
	buf_fini(&b);
	return rc;
}

static const ProtobufCMessageDescriptor *const stage =
	&csi__v1__node_stage_volume_request__descriptor;
static const ProtobufCMessageDescriptor *const publish =
	&csi__v1__controller_publish_volume_request__descriptor;
static const ProtobufCMessageDescriptor *const create =
	&csi__v1__create_volume_request__descriptor;

Test(validate, an_empty_request_is_well_formed)
{
	cr_assert_eq(check(create, NULL, 0), 0);
	cr_assert_eq(check(create, "", 0), 0);
}

Test(validate, strings_are_held_to_the_sizes_of_the_specification)
{
	static const struct {
		const ProtobufCMessageDescriptor *const *desc;
		unsigned id;
		size_t max;
		const char *msg;
	} rows[] = {
		{ &create, 1, 128, "name: larger than 128 bytes" },
		{ &publish, 1, 128, "volume_id: larger than 128 bytes" },
		{ &publish, 2, 256, "node_id: larger than 256 bytes" },
		{ &stage, 3, 4095, "staging_target_path: larger than 4095 bytes" },
	};
	static char text[8192];

	memset(text, 'a', sizeof(text));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(check_field(*rows[i].desc, rows[i].id, text, rows[i].max), 0,
			     "%s", e.msg);
		cr_assert_eq(check_field(*rows[i].desc, rows[i].id, text,
					 rows[i].max + 1),
			     -1);
		cr_assert_eq(e.code, ERR_INVALID);
		cr_assert_str_eq(e.msg, rows[i].msg);
	}
}

Test(validate, every_byte_is_allowed_or_refused_as_the_specification_says)
{
	for (int byte = 0; byte < 256; byte++) {
		char s[] = { 'a', (char)byte, 'b' };
		bool is_ok = byte == '\t' || byte == '\n' || byte == '\r' ||
			     (byte >= ' ' && byte < 0x7f);

		cr_assert_eq(check_field(create, 1, s, 3), is_ok ? 0 : -1, "byte %d",
			     byte);
	}
	cr_assert_eq(check_field(create, 1, "\xc2\x9f", 2), -1); /* U+009F */
	cr_assert_eq(check_field(create, 1, "\xc2\xa0", 2), 0);
	cr_assert_eq(check_field(create, 1, "\xe2\x98\xba", 3), 0);
	cr_assert_eq(check_field(create, 1, "\xed\xa0\x80", 3), -1); /* a surrogate */
	cr_assert_eq(check_field(create, 1, "\xc2", 1), -1);
	cr_assert_eq(check_field(create, 1, "v1\0x", 4), -1);
	cr_assert_str_eq(e.msg, "name: holds a NUL");
}

/* A request with one map of n entries of key and value each of the given sizes. */
static int check_map(const ProtobufCMessageDescriptor *desc, unsigned id, unsigned n,
		     size_t key, size_t value)
{
	static char text[8192];
	struct buf b, entry;
	int rc;

	memset(text, 'k', sizeof(text));
	buf_init(&b, 1 << 20);
	buf_init(&entry, 65536);
	while (n--) {
		buf_reset(&entry);
		put_string(&entry, 1, text, key);
		put_string(&entry, 2, text, value);
		put_string(&b, id, entry.data, entry.len);
	}
	rc = check(desc, b.data, b.len);
	buf_fini(&entry);
	buf_fini(&b);
	return rc;
}

Test(validate, a_map_holds_four_kib_in_all)
{
	cr_assert_eq(check_map(create, 4, 1, 96, 4000), 0, "%s", e.msg);
	cr_assert_eq(check_map(create, 4, 1, 97, 4000), -1);
	cr_assert_str_eq(e.msg, "parameters: larger than 4096 bytes");
	cr_assert_eq(check_map(create, 4, 4, 1024, 0), 0);
	cr_assert_eq(check_map(create, 4, 5, 1024, 0), -1);
	cr_assert_eq(check_map(create, 4, 1, 1, 5000), -1);
	cr_assert_str_eq(e.msg, "parameters: larger than 4096 bytes");
}

Test(validate, two_maps_are_counted_apart)
{
	static char text[4000];
	struct buf b, entry;

	memset(text, 'v', sizeof(text));
	buf_init(&b, 65536);
	buf_init(&entry, 65536);
	put_string(&entry, 2, text, sizeof(text));
	put_string(&b, 4, entry.data, entry.len);
	put_string(&b, 5, entry.data, entry.len);
	cr_assert_eq(check(create, b.data, b.len), 0, "%s", e.msg);
	put_string(&b, 4, entry.data, entry.len);
	cr_assert_eq(check(create, b.data, b.len), -1);
	buf_fini(&entry);
	buf_fini(&b);
}

Test(validate, secrets_may_hold_control_characters_and_are_never_shown)
{
	cr_assert_eq(check(create, "\x2a\x06\x0a\x01k\x12\x01\x07", 8), 0, "%s", e.msg);
	cr_assert_eq(check(create, "\x22\x06\x0a\x01k\x12\x01\x07", 8), -1);
	cr_assert_str_eq(e.msg, "parameters: holds a control character");
	cr_assert_eq(check(create, "\x2a\x08\x0a\x01k\x12\x03pw\xff", 10), -1);
	cr_assert_str_eq(e.msg, "secrets: not UTF-8");
}

Test(validate, mount_flags_hold_four_kib_in_all)
{
	static char text[4097];
	struct buf mount, cap, b;

	memset(text, 'f', sizeof(text));
	buf_init(&mount, 65536);
	buf_init(&cap, 65536);
	buf_init(&b, 65536);
	put_string(&mount, 2, text, 4000);
	put_string(&mount, 2, text, 96);
	put_string(&cap, 2, mount.data, mount.len);
	put_string(&b, 3, cap.data, cap.len);
	cr_assert_eq(check(create, b.data, b.len), 0, "%s", e.msg);
	buf_reset(&cap);
	buf_reset(&b);
	put_string(&mount, 2, "x", 1);
	put_string(&cap, 2, mount.data, mount.len);
	put_string(&b, 3, cap.data, cap.len);
	cr_assert_eq(check(create, b.data, b.len), -1);
	cr_assert_str_eq(e.msg, "mount_flags: larger than 4096 bytes");
	buf_fini(&mount);
	buf_fini(&cap);
	buf_fini(&b);
}

Test(validate, unknown_fields_are_skipped_whatever_their_form)
{
	/* field 100: varint, fixed64, bytes, fixed32; the string in it is no UTF-8 */
	static const char ok[] = "\xa0\x06\x01"
				 "\xa1\x06\x01\x02\x03\x04\x05\x06\x07\x08"
				 "\xa2\x06\x01\xff"
				 "\xa5\x06\x01\x02\x03\x04";

	cr_assert_eq(check(create, ok, sizeof(ok) - 1), 0, "%s", e.msg);
}

Test(validate, what_is_no_message_is_refused)
{
	static const struct {
		const char *p;
		size_t n;
	} rows[] = {
		{ "\x0a", 1 }, /* no length */
		{ "\x0a\x05"
		  "abc",
		  5 },							/* cut */
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* 2^64-1 */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 }, /* endless tag */
		{ "\x00\x01", 2 },					/* field 0 */
		{ "\x0b", 1 },						/* a group */
		{ "\x0e\x00", 2 },					/* wire type 6 */
		{ "\x09\x01\x02", 3 },					/* 64 bits, cut */
		{ "\x08\x01", 2 },	   /* name as a number */
		{ "\x10\x01", 2 },	   /* capacity_range as a number */
		{ "\x12\x01\x08", 3 },	   /* cut inside the message below */
		{ "\x12\x02\x0a\x00", 4 }, /* required_bytes as bytes */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(check(create, rows[i].p, rows[i].n), -1, "row %u", i);
		cr_assert_eq(e.code, ERR_INVALID);
		cr_assert_not_null(strstr(e.msg, "malformed"), "%s", e.msg);
	}
}

Test(validate, random_bytes_never_pass_what_the_decoder_refuses_silently)
{
	unsigned seed = 12345, n_ok = 0;

	for (int round = 0; round < 200000; round++) {
		uint8_t bytes[24];
		size_t n = (seed >> 8) % sizeof(bytes);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			/* Small numbers, so that tags and lengths often fit. */
			bytes[i] =
				(uint8_t)((seed >> 16) & ((seed & 0x70) ? 0x1f : 0xff));
		}
		seed = seed * 1103515245 + 12345;
		if (check(create, bytes, n))
			continue;
		n_ok++;
		ProtobufCMessage *m = protobuf_c_message_unpack(create, NULL, n, bytes);

		if (m)
			protobuf_c_message_free_unpacked(m, NULL);
	}
	cr_assert_gt(n_ok, 1000);
}

Test(validate, tells_maps_from_other_lists)
{
	cr_assert(validate_is_map_entry(
		&csi__v1__create_volume_request__parameters_entry__descriptor));
	cr_assert(!validate_is_map_entry(
		&csi__v1__list_volumes_response__entry__descriptor));
	cr_assert(!validate_is_map_entry(&csi__v1__volume_capability__descriptor));
}
