#include "k8s/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/t.h"

/* What came out, as one text: "I<item>" and "M<metadata>", each ended by a NUL-free
 * separator that no test input has. */
struct seen {
	char *text;
	size_t len, n_items, fail_after;
};

static void note(struct seen *s, char kind, const char *p, size_t n)
{
	s->text = realloc(s->text, s->len + n + 3);
	cr_assert_not_null(s->text);
	s->text[s->len] = kind;
	memcpy(s->text + s->len + 1, p, n);
	s->text[s->len + 1 + n] = '|';
	s->len += n + 2;
	s->text[s->len] = '\0';
}

static int on_item(void *ctx, const char *p, size_t n, struct err *err)
{
	struct seen *s = ctx;

	note(s, 'I', p, n);
	s->n_items++;
	if (s->fail_after && s->n_items >= s->fail_after)
		return err_set(err, ERR_ABORTED, "enough");
	return 0;
}

static int on_meta(void *ctx, const char *p, size_t n, struct err *err)
{
	(void)err;
	note(ctx, 'M', p, n);
	return 0;
}

/* Fed in pieces of the size (0: at once), or cut at one point. */
static int split(const char *text, size_t n, size_t piece, size_t cut, struct seen *seen)
{
	struct err err = { .code = ERR_OK };
	struct k8s_list_split s;
	int rc = 0;

	k8s_list_split_init(&s, on_item, on_meta, seen);
	if (cut) {
		rc = k8s_list_split_feed(&s, text, cut, &err);
		if (!rc)
			rc = k8s_list_split_feed(&s, text + cut, n - cut, &err);
	} else {
		piece = piece ? piece : n;
		for (size_t at = 0; !rc && at < n; at += piece)
			rc = k8s_list_split_feed(&s, text + at,
						 n - at < piece ? n - at : piece, &err);
	}
	if (!rc)
		rc = k8s_list_split_end(&s, &err);
	cr_assert_eq(rc != 0, err.code != ERR_OK);
	k8s_list_split_fini(&s);
	return rc;
}

static void same_however_cut(const char *text, const char *want)
{
	size_t n = strlen(text);

	for (size_t cut = 0; cut < n; cut++) {
		struct seen seen = { .len = 0 };

		cr_assert_eq(split(text, n, 0, cut, &seen), 0, "cut at %zu", cut);
		cr_assert_str_eq(seen.text ? seen.text : "", want, "cut at %zu", cut);
		free(seen.text);
	}
	for (size_t piece = 1; piece < 8; piece++) {
		struct seen seen = { .len = 0 };

		cr_assert_eq(split(text, n, piece, 0, &seen), 0);
		cr_assert_str_eq(seen.text ? seen.text : "", want);
		free(seen.text);
	}
	cr_assert_eq(mem_live(), 0);
}

static void refused(const char *text)
{
	for (size_t piece = 0; piece < 3; piece++) {
		struct seen seen = { .len = 0 };

		cr_assert_neq(split(text, strlen(text), piece, 0, &seen), 0, "%s", text);
		free(seen.text);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(split, list_is_the_same_however_it_is_cut)
{
	same_however_cut(
		"{\"kind\":\"XList\",\"apiVersion\":\"v1\",\"metadata\":{"
		"\"resourceVersion\":\"12\",\"continue\":\"abc\"},\"items\":[{\"a\":1},"
		"{\"b\":{\"items\":[{\"x\":\"}]\"}]}}]}\n",
		"M{\"resourceVersion\":\"12\",\"continue\":\"abc\"}|I{\"a\":1}|"
		"I{\"b\":{\"items\":[{\"x\":\"}]\"}]}}|");
}

Test(split, metadata_may_come_last_and_blanks_anywhere)
{
	same_however_cut(" { \"n\" : -1.5e3 , \"t\":true,\"s\":\"a\\\"}]\", \"items\" :\n"
			 "[ {\"a\":\"\\\\\"} , {\"b\":\"\\u007b{[\\\"\"}\t] ,"
			 "\"other\":{\"items\":[1]},\"metadata\":{ }\r}\n",
			 "I{\"a\":\"\\\\\"}|I{\"b\":\"\\u007b{[\\\"\"}|M{ }|");
	same_however_cut("{\"items\":[],\"metadata\":{}}", "M{}|");
	same_however_cut("{\"items\":null,\"metadata\":{}}", "M{}|");
	same_however_cut("{\"items\":[{\"k\":\"\xc3\xa4\xf0\x9f\x98\x80\"}],"
			 "\"metadata\":{}}",
			 "I{\"k\":\"\xc3\xa4\xf0\x9f\x98\x80\"}|M{}|");
}

Test(split, what_is_no_list_is_refused)
{
	refused("[]");
	refused("x");
	refused("{}");
	refused("{\"items\":[]}");
	refused("{\"metadata\":{}}");
	refused("{\"items\":{},\"metadata\":{}}");
	refused("{\"items\":7,\"metadata\":{}}");
	refused("{\"items\":[1],\"metadata\":{}}");
	refused("{\"items\":[[]],\"metadata\":{}}");
	refused("{\"items\":[{} {}],\"metadata\":{}}");
	refused("{\"items\":[],\"metadata\":[]}");
	refused("{\"items\":[],\"metadata\":null}");
	refused("{\"items\":[],\"items\":[],\"metadata\":{}}");
	refused("{\"metadata\":{},\"items\":[],\"metadata\":{}}");
	refused("{\"items\":[],\"metadata\":{}}x");
	refused("{\"items\":[],\"metadata\":{}");
	refused("{\"items\" [],\"metadata\":{}}");
	refused("{items:[],\"metadata\":{}}");
	refused("{\"a\":,\"items\":[],\"metadata\":{}}");
	refused("{\"a\":1\"b\":2}");
	refused("{\"a\":t[}");
	for (int n = 256; n <= 257; n++) {
		char text[512], name[300];

		memset(name, 'n', sizeof(name));
		snprintf(text, sizeof(text), "{\"%.*s\":1,\"items\":[],\"metadata\":{}}",
			 n, name);
		if (n > 256)
			refused(text);
		else
			same_however_cut(text, "M{}|");
	}
}

Test(split, every_shorter_list_is_refused)
{
	const char *text = "{\"a\":[{}],\"items\":[{\"b\":\"\xc3\xa4\"},{}],\"metadata\":"
			   "{\"resourceVersion\":\"1\"}}";

	for (size_t n = 0; n < strlen(text); n++) {
		struct seen seen = { .len = 0 };

		cr_assert_neq(split(text, n, 0, 0, &seen), 0, "%zu bytes", n);
		free(seen.text);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(split, absurd_sizes_and_depths_are_refused_with_bounded_memory)
{
	size_t n = K8S_OBJECT_MAX + 4096;
	char *text = malloc(n + 64);
	struct seen seen = { .len = 0 };
	int at = sprintf(text, "{\"items\":[{\"a\":\"");

	memset(text + at, 'x', n);
	cr_assert_neq(split(text, n, 4096, 0, &seen), 0);
	cr_assert_neq(split(text, n, 0, 0, &seen), 0);
	memset(text, '[', n);
	at = sprintf(text, "{\"items\":[{\"a\":");
	text[at] = '[';
	cr_assert_neq(split(text, n, 4096, 0, &seen), 0);
	at = sprintf(text, "{\"other\":");
	text[at] = '[';
	cr_assert_neq(split(text, n, 4096, 0, &seen), 0);
	memset(text, 'k', n);
	text[0] = '{';
	text[1] = '"';
	cr_assert_neq(split(text, n, 4096, 0, &seen), 0);
	cr_assert_eq(seen.len, 0);
	/* Skipped values may be of any size: nothing of them is kept. */
	at = sprintf(text, "{\"other\":\"");
	text[at] = 'k';
	memcpy(text + n - 30, "\",\"items\":[],\"metadata\":{}}   ", 30);
	cr_assert_eq(split(text, n, 4096, 0, &seen), 0);
	cr_assert_str_eq(seen.text, "M{}|");
	free(seen.text);
	free(text);
	cr_assert_eq(mem_live(), 0);
}

Test(split, a_receiver_that_fails_ends_it)
{
	const char *text = "{\"items\":[{},{},{}],\"metadata\":{}}";
	struct seen seen = { .fail_after = 2 };

	cr_assert_neq(split(text, strlen(text), 0, 0, &seen), 0);
	cr_assert_eq(seen.n_items, 2);
	free(seen.text);
	cr_assert_eq(mem_live(), 0);
}

Test(split, want_of_memory_is_an_error)
{
	const char *text = "{\"items\":[{\"a\":1},{\"b\":2}],\"metadata\":{\"c\":3}}";
	unsigned n_failed = 0;

	T_EACH_ALLOC_FAILS({
		struct seen seen = { .len = 0 };

		n_failed += split(text, strlen(text), 1, 0, &seen) != 0;
		free(seen.text);
		cr_assert_eq(mem_live(), 0);
	});
	cr_assert_gt(n_failed, 0);
}

static int on_line(void *ctx, const char *p, size_t n, struct err *err)
{
	return on_item(ctx, p, n, err);
}

static int lines(const char *text, size_t n, size_t piece, struct seen *seen)
{
	struct err err = { .code = ERR_OK };
	struct k8s_line_split s;
	int rc = 0;

	k8s_line_split_init(&s, on_line, seen);
	for (size_t at = 0; !rc && at < n; at += piece)
		rc = k8s_line_split_feed(&s, text + at, n - at < piece ? n - at : piece,
					 &err);
	cr_assert_eq(rc != 0, err.code != ERR_OK);
	k8s_line_split_fini(&s);
	return rc;
}

Test(split, lines_are_the_same_however_they_are_cut)
{
	const char *text = "{\"a\":\"\xc3\xa4\"}\n\n{\"b\":1}\r\n\r\n{\"c\":2}\nrest";

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		struct seen seen = { .len = 0 };

		cr_assert_eq(lines(text, strlen(text), piece, &seen), 0);
		cr_assert_str_eq(seen.text,
				 "I{\"a\":\"\xc3\xa4\"}|I{\"b\":1}|I{\"c\":2}|");
		free(seen.text);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(split, a_line_without_end_is_refused_with_bounded_memory)
{
	size_t n = K8S_OBJECT_MAX + 4096;
	char *text = malloc(n);
	struct seen seen = { .len = 0 };

	memset(text, 'x', n);
	cr_assert_neq(lines(text, n, 4096, &seen), 0);
	text[n - 1] = '\n';
	cr_assert_neq(lines(text, n, n, &seen), 0);
	cr_assert_eq(seen.len, 0);
	text[K8S_OBJECT_MAX] = '\n';
	cr_assert_eq(lines(text, n, 4096, &seen), 0);
	cr_assert_eq(seen.n_items, 2);
	free(seen.text);
	free(text);
	cr_assert_eq(mem_live(), 0);
}
