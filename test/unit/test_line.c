#include "k8s/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/t.h"

#define DRIVER "rds.csi.srvlab.io"
#define OBJECT "{\"metadata\":{\"name\":\"x\",\"uid\":\"u-1\",\"resourceVersion\":\"7\"}}"

static struct k8s_line read_line(const char *json)
{
	struct k8s_line l;

	k8s_line_read(K8S_NODE, DRIVER, json, strlen(json), &l);
	return l;
}

Test(line, events)
{
	static const struct {
		const char *type;
		enum k8s_change change;
	} types[] = {
		{ "ADDED", K8S_PUT },
		{ "MODIFIED", K8S_PUT },
		{ "DELETED", K8S_GONE },
	};
	char json[256];

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct k8s_line l;

		snprintf(json, sizeof(json), "{\"type\":\"%s\",\"object\":" OBJECT "}",
			 types[i].type);
		l = read_line(json);
		cr_assert_eq(l.change, types[i].change);
		cr_assert_eq(l.decoded.reading, K8S_READ);
		cr_assert_str_eq(l.decoded.version, "7");
		k8s_object_free(l.decoded.object);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(line, bookmark_and_error)
{
	struct k8s_line l = read_line("{\"object\":{\"kind\":\"Node\",\"metadata\":{"
				      "\"resourceVersion\":\"99\"}},\"type\":"
				      "\"BOOKMARK\"}");

	cr_assert_eq(l.change, K8S_BOOKMARK);
	cr_assert_str_eq(l.decoded.version, "99");
	l = read_line("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
		      "\"reason\":\"Expired\",\"message\":\"too old\"}}");
	cr_assert_eq(l.change, K8S_ERROR);
	cr_assert_eq(l.code, 410);
	cr_assert(strstr(l.decoded.err.msg, "Expired too old"));
	l = read_line("{\"type\":\"ERROR\",\"object\":{\"code\":\"410\"}}");
	cr_assert_eq(l.change, K8S_ERROR);
	cr_assert_eq(l.code, 0);
	cr_assert_eq(mem_live(), 0);
}

Test(line, what_is_no_event_is_junk)
{
	static const char *const junk[] = {
		"",
		"{",
		"[]",
		"7",
		"{}",
		"{\"type\":\"ADDED\"}",
		"{\"type\":\"ADDED\",\"object\":[]}",
		"{\"type\":7,\"object\":" OBJECT "}",
		"{\"type\":\"NEW\",\"object\":" OBJECT "}",
		"{\"type\":\"BOOKMARK\",\"object\":{}}",
		"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":7}}"
		"}",
		"{\"type\":\"ADDED\",\"object\":" OBJECT "} x",
	};

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		struct k8s_line l = read_line(junk[i]);

		cr_assert_eq(l.change, K8S_JUNK, "%s", junk[i]);
		cr_assert_neq(l.decoded.err.code, ERR_OK);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(line, every_cut_is_junk)
{
	const char *json = "{\"type\":\"ADDED\",\"object\":" OBJECT "}";

	for (size_t n = 0; n < strlen(json); n++) {
		char *part = malloc(n + 1);
		struct k8s_line l;

		memcpy(part, json, n);
		k8s_line_read(K8S_NODE, DRIVER, part, n, &l);
		cr_assert_eq(l.change, K8S_JUNK);
		free(part);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(line, want_of_memory_is_never_an_event)
{
	const char *json = "{\"type\":\"ADDED\",\"object\":" OBJECT "}";

	T_EACH_ALLOC_FAILS({
		struct k8s_line l = read_line(json);
		const struct err *err = &l.decoded.err;

		if (l.change == K8S_JUNK || l.decoded.reading != K8S_READ)
			cr_assert_eq(err->code, ERR_EXHAUSTED, "%s", err->msg);
		k8s_object_free(l.decoded.object);
		cr_assert_eq(mem_live(), 0);
	});
}

static int meta(const char *json, struct k8s_list_meta *m)
{
	struct err err = { .code = ERR_OK };
	int rc = k8s_list_meta_read(json, strlen(json), m, &err);

	cr_assert_eq(rc != 0, err.code != ERR_OK);
	return rc;
}

Test(line, list_metadata)
{
	struct k8s_list_meta m;
	char json[4096], token[3000];

	cr_assert_eq(meta("{\"resourceVersion\":\"12\",\"continue\":\"abc\"}", &m), 0);
	cr_assert_str_eq(m.version, "12");
	cr_assert_str_eq(m.next, "abc");
	cr_assert_eq(meta("{\"resourceVersion\":\"12\"}", &m), 0);
	cr_assert_str_eq(m.next, "");
	cr_assert_eq(meta("{\"resourceVersion\":\"12\",\"continue\":\"\"}", &m), 0);
	cr_assert_neq(meta("{\"resourceVersion\":\"12\",\"continue\":7}", &m), 0);
	cr_assert_neq(meta("{\"continue\":\"a\"}", &m), 0);
	cr_assert_neq(meta("{\"resourceVersion\":12}", &m), 0);
	cr_assert_neq(meta("{", &m), 0);
	/* A list whose rest cannot be asked for is not taken for a whole one. */
	memset(token, 't', sizeof(token));
	snprintf(json, sizeof(json), "{\"resourceVersion\":\"1\",\"continue\":\"%.*s\"}",
		 2000, token);
	cr_assert_neq(meta(json, &m), 0);
	cr_assert_eq(mem_live(), 0);
}

Test(line, status)
{
	const char *json =
		"{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":"
		"\"m\",\"code\":409}";
	struct k8s_status s;

	k8s_status_read(json, strlen(json), &s);
	cr_assert_str_eq(s.reason, "AlreadyExists");
	cr_assert_str_eq(s.message, "m");
	k8s_status_read("<html>", 6, &s);
	cr_assert_str_eq(s.reason, "");
	cr_assert_str_eq(s.message, "");
	cr_assert_eq(mem_live(), 0);
}
