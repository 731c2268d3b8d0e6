#include "csi/grpc/fields.h"

#include <stdio.h>
#include <string.h>

#include "support/t.h"

static void add(struct fields *f, const char *name, const char *value)
{
	struct field field = { name, value, strlen(name), strlen(value) };

	cr_assert_eq(fields_add(f, &field), 0);
}

/* "name=value" pairs, judged as one section. */
static bool is_ok(enum fields_kind kind, const char *const *pairs)
{
	struct fields f;
	bool ok;

	fields_init(&f);
	fields_begin(&f, kind);
	for (; *pairs; pairs++) {
		char name[100];
		const char *eq = strchr(*pairs, '=');

		snprintf(name, sizeof(name), "%.*s", (int)(eq - *pairs), *pairs);
		add(&f, name, eq + 1);
	}
	fields_end(&f);
	ok = !f.is_malformed;
	fields_fini(&f);
	cr_assert_eq(mem_live(), 0);
	return ok;
}

#define REQ ":method=POST", ":scheme=http", ":path=/a/b"
#define OK_IF(want, kind, ...)                                                      \
	cr_assert_eq(is_ok(kind, (const char *const[]){ __VA_ARGS__, NULL }), want, \
		     #__VA_ARGS__)

Test(fields, every_authority_that_clients_send)
{
	OK_IF(true, FIELDS_REQUEST, REQ);
	OK_IF(true, FIELDS_REQUEST, REQ, ":authority=localhost");
	OK_IF(true, FIELDS_REQUEST, REQ, ":authority=");
	OK_IF(true, FIELDS_REQUEST, REQ, ":authority=/csi/csi.sock");
	OK_IF(true, FIELDS_REQUEST, REQ, ":authority=unix:///csi/csi.sock");
	OK_IF(true, FIELDS_REQUEST, REQ, ":authority=%2Fcsi%2Fcsi.sock");
}

Test(fields, pseudo_headers)
{
	OK_IF(false, FIELDS_REQUEST, ":scheme=http", ":path=/a/b");
	OK_IF(false, FIELDS_REQUEST, ":method=POST", ":path=/a/b");
	OK_IF(false, FIELDS_REQUEST, ":method=POST", ":scheme=http");
	OK_IF(false, FIELDS_REQUEST, ":method=POST", ":scheme=http", ":path=");
	OK_IF(false, FIELDS_REQUEST, REQ, ":path=/again");
	OK_IF(false, FIELDS_REQUEST, REQ, ":status=200");
	OK_IF(false, FIELDS_REQUEST, REQ, ":test=x");
	OK_IF(false, FIELDS_REQUEST, REQ, "a=b", ":authority=x");
	OK_IF(true, FIELDS_REQUEST, ":method=CONNECT", ":authority=x:1");
	OK_IF(false, FIELDS_REQUEST, ":method=CONNECT", ":authority=x:1", ":path=/");
	OK_IF(true, FIELDS_RESPONSE, ":status=200");
	OK_IF(false, FIELDS_RESPONSE, "a=b");
	OK_IF(false, FIELDS_TRAILERS, ":status=200");
	OK_IF(true, FIELDS_TRAILERS, "grpc-status=0");
}

Test(fields, names_and_values)
{
	OK_IF(true, FIELDS_REQUEST, REQ, "x-y_z.1=\xe2\x82\xac a");
	OK_IF(false, FIELDS_REQUEST, REQ, "Upper=1");
	OK_IF(false, FIELDS_REQUEST, REQ, "a b=1");
	OK_IF(false, FIELDS_REQUEST, REQ, "=1");
	OK_IF(false, FIELDS_REQUEST, REQ, "a=b\r\nc");
	OK_IF(false, FIELDS_REQUEST, REQ, "a= b");
	OK_IF(false, FIELDS_REQUEST, REQ, "a=b\t");
	OK_IF(false, FIELDS_REQUEST, REQ, "connection=close");
	OK_IF(false, FIELDS_REQUEST, REQ, "transfer-encoding=chunked");
	OK_IF(false, FIELDS_REQUEST, REQ, "te=gzip");
	OK_IF(true, FIELDS_REQUEST, REQ, "te=trailers");
	OK_IF(true, FIELDS_REQUEST, REQ, "content-length=12");
	OK_IF(false, FIELDS_REQUEST, REQ, "content-length=12", "content-length=12");
	OK_IF(false, FIELDS_REQUEST, REQ, "content-length=-1");
	OK_IF(false, FIELDS_REQUEST, REQ, "content-length=99999999999999999999");
}

Test(fields, a_nul_in_a_value_is_malformed)
{
	struct field field = { "a", "b\0c", 1, 3 };
	struct fields f;

	fields_init(&f);
	cr_assert_eq(fields_add(&f, &field), 0);
	cr_assert(f.is_malformed);
	fields_fini(&f);
}

Test(fields, found_by_name_over_both_sections)
{
	struct fields f;

	fields_init(&f);
	fields_begin(&f, FIELDS_RESPONSE);
	add(&f, ":status", "200");
	add(&f, "a", "");
	fields_begin(&f, FIELDS_TRAILERS);
	add(&f, "grpc-status", "5");
	add(&f, "a", "2");
	cr_assert_str_eq(fields_find(&f, "grpc-status"), "5");
	cr_assert_str_eq(fields_find(&f, "a"), "");
	cr_assert_null(fields_find(&f, "200"));
	cr_assert_eq(fields_count(&f, "a"), 2);
	fields_fini(&f);
}

Test(fields, more_than_the_limit_is_dropped_and_noted)
{
	char value[1001];
	struct fields f;

	memset(value, 'x', 1000);
	value[1000] = '\0';
	fields_init(&f);
	for (int i = 0; i < 15; i++)
		add(&f, "k", value);
	cr_assert(!f.is_too_large);
	for (int i = 0; i < 100; i++)
		add(&f, "k", value);
	cr_assert(f.is_too_large && !f.is_malformed);
	cr_assert_leq(f.text.len, FIELDS_MAX);
	fields_fini(&f);
	cr_assert_eq(mem_live(), 0);
}
