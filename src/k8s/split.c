#include "k8s/split.h"

#include <string.h>

/* Where in the list the next byte stands. Values are scanned by depth alone. */
enum {
	AT_START,    /* before the list's { */
	AT_KEY,	     /* a member's name, or } */
	IN_KEY,	     /* in the name */
	AT_COLON,    /* behind it */
	AT_VALUE,    /* a member's value */
	IN_NESTED,   /* in a value that is an object or an array */
	IN_STRING,   /* in a value that is a string */
	IN_SCALAR,   /* in a number, true, false, null */
	AFTER_VALUE, /* , or } */
	AT_ITEM,     /* an element of items, or ] */
	AFTER_ITEM,  /* , or ] */
	AT_END,	     /* behind the list's } */
};

enum { MEMBER_OTHER, MEMBER_META, MEMBER_ITEMS };

enum {
	DEPTH_MAX = 64, /* what is kept is parsed with a smaller limit */
	KEY_MAX = 256,
	PART_KEPT = 64 * 1024, /* memory kept between texts */
};

void k8s_list_split_init(struct k8s_list_split *s, k8s_piece_fn *on_item,
			 k8s_piece_fn *on_meta, void *ctx)
{
	*s = (struct k8s_list_split){ .on_item = on_item,
				      .on_meta = on_meta,
				      .ctx = ctx };
	buf_init(&s->part, K8S_OBJECT_MAX);
}

void k8s_list_split_fini(struct k8s_list_split *s)
{
	buf_fini(&s->part);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int junk(const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "the list is no JSON: %s", what);
}

static int keep(struct buf *part, const char *p, size_t n, struct err *err)
{
	if (buf_append(part, p, n) == 0)
		return 0;
	if (part->len + n > part->max)
		return err_set(err, ERR_EXHAUSTED, "an object of more than %zu bytes",
			       part->max);
	return err_nomem(err);
}

/* One large object must not be paid for until the stream ends. */
static void forget(struct buf *part)
{
	size_t max = part->max;

	buf_reset(part);
	if (part->cap <= PART_KEPT)
		return;
	buf_fini(part);
	buf_init(part, max);
}

/* The text ends: handed on from where it lies, or from the buffer with its beginning. */
static int hand_on(struct k8s_list_split *s, const char *p, size_t n, struct err *err)
{
	k8s_piece_fn *to = s->member == MEMBER_META ? s->on_meta : s->on_item;
	int rc;

	if (!s->part.len && n <= s->part.max)
		return to(s->ctx, p, n, err);
	if (keep(&s->part, p, n, err))
		return -1;
	rc = to(s->ctx, s->part.data, s->part.len, err);
	forget(&s->part);
	return rc;
}

/* Goes on in a nested value: its end's offset in *used, or all of n. 1 = the end was
 * seen. */
static int scan_nested(struct k8s_list_split *s, const char *p, size_t n, size_t *used)
{
	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (s->is_escaped)
			s->is_escaped = false;
		else if (s->in_string && c == '\\')
			s->is_escaped = true;
		else if (c == '"')
			s->in_string = !s->in_string;
		else if (s->in_string)
			continue;
		else if ((c == '{' || c == '[') && ++s->depth > DEPTH_MAX)
			return -1;
		else if ((c == '}' || c == ']') && --s->depth == 0) {
			*used = i + 1;
			return 1;
		}
	}
	*used = n;
	return 0;
}

static int do_nested(struct k8s_list_split *s, const char *p, size_t n, size_t *used,
		     struct err *err)
{
	int rc = scan_nested(s, p, n, used);

	if (rc < 0)
		return junk("nested too deep", err);
	if (!s->is_kept) {
		s->state = rc ? AFTER_VALUE : IN_NESTED;
		return 0;
	}
	if (!rc)
		return keep(&s->part, p, *used, err);
	if (s->member == MEMBER_META && s->has_meta)
		return junk("metadata twice", err);
	s->has_meta |= s->member == MEMBER_META;
	s->state = s->member == MEMBER_ITEMS ? AFTER_ITEM : AFTER_VALUE;
	return hand_on(s, p, *used, err);
}

static int keep_name(struct k8s_list_split *s, const char *p, size_t n, struct err *err)
{
	if (s->part.len + n > KEY_MAX)
		return junk("a name too long", err);
	return keep(&s->part, p, n, err);
}

/* A string outside of nested values: a name (kept) or a value (skipped). */
static int do_string(struct k8s_list_split *s, const char *p, size_t n, size_t *used,
		     struct err *err)
{
	bool is_key = s->state == IN_KEY;

	for (size_t i = 0; i < n; i++) {
		*used = i + 1;
		if (s->is_escaped)
			s->is_escaped = false;
		else if (p[i] == '\\')
			s->is_escaped = true;
		else if (p[i] == '"') {
			s->state = is_key ? AT_COLON : AFTER_VALUE;
			return is_key ? keep_name(s, p, i, err) : 0;
		}
	}
	return is_key ? keep_name(s, p, n, err) : 0;
}

static void name_member(struct k8s_list_split *s)
{
	const struct buf *key = &s->part;

	s->member = MEMBER_OTHER;
	if (key->len == 5 && memcmp(key->data, "items", 5) == 0)
		s->member = MEMBER_ITEMS;
	else if (key->len == 8 && memcmp(key->data, "metadata", 8) == 0)
		s->member = MEMBER_META;
	buf_reset(&s->part);
}

static int begin_items(struct k8s_list_split *s, char c, struct err *err)
{
	if (s->has_items)
		return junk("items twice", err);
	s->has_items = true;
	if (c == '[')
		s->state = AT_ITEM;
	else if (c == 'n') /* null: none; Go's nil */
		s->state = IN_SCALAR;
	else
		return junk("items is no array", err);
	return 0;
}

/* The first byte of a member's value. A nested one is taken by the next state with its
 * first byte, so nothing is used up here. */
static int begin_value(struct k8s_list_split *s, char c, size_t *used, struct err *err)
{
	if (s->member == MEMBER_ITEMS)
		return begin_items(s, c, err);
	if (s->member == MEMBER_META && c != '{')
		return junk("metadata is no object", err);
	s->is_kept = s->member == MEMBER_META;
	if (c == '{' || c == '[') {
		s->state = IN_NESTED;
		*used = 0;
	} else if (c == '"') {
		s->state = IN_STRING;
	} else if (c == '}' || c == ']' || c == ',' || c == ':') {
		return junk("no value", err);
	} else {
		s->state = IN_SCALAR;
	}
	return 0;
}

static int begin_item(struct k8s_list_split *s, char c, size_t *used, struct err *err)
{
	if (c != '{')
		return junk("an item is no object", err);
	s->is_kept = true;
	s->state = IN_NESTED;
	*used = 0;
	return 0;
}

static int do_scalar(struct k8s_list_split *s, char c, size_t *used, struct err *err)
{
	if (c == ',' || c == '}') {
		s->state = AFTER_VALUE;
		*used = 0;
	} else if (c == '{' || c == '[' || c == '"' || c == ':' || c == ']') {
		return junk("a broken value", err);
	}
	return 0;
}

/* One byte that is no blank, between texts. */
static int do_between(struct k8s_list_split *s, char c, size_t *used, struct err *err)
{
	switch (s->state) {
	case AT_START:
		s->state = AT_KEY;
		return c == '{' ? 0 : junk("no object", err);
	case AT_KEY:
		s->state = c == '}' ? AT_END : IN_KEY;
		return c == '"' || c == '}' ? 0 : junk("no name", err);
	case AT_COLON:
		name_member(s);
		s->state = AT_VALUE;
		return c == ':' ? 0 : junk("no colon", err);
	case AT_VALUE:
		return begin_value(s, c, used, err);
	case AFTER_VALUE:
		s->state = c == ',' ? AT_KEY : AT_END;
		return c == ',' || c == '}' ? 0 : junk("no comma", err);
	case AT_ITEM:
		if (c != ']')
			return begin_item(s, c, used, err);
		s->state = AFTER_VALUE;
		return 0;
	case AFTER_ITEM:
		s->state = c == ',' ? AT_ITEM : AFTER_VALUE;
		return c == ',' || c == ']' ? 0 : junk("no comma", err);
	default:
		return junk("bytes behind its end", err);
	}
}

/* What the next bytes are; *used says how many were taken. */
static int take(struct k8s_list_split *s, const char *p, size_t n, size_t *used,
		struct err *err)
{
	*used = 1;
	switch (s->state) {
	case IN_NESTED:
		return do_nested(s, p, n, used, err);
	case IN_KEY:
	case IN_STRING:
		return do_string(s, p, n, used, err);
	case IN_SCALAR:
		return do_scalar(s, *p, used, err);
	default:
		return is_blank(*p) ? 0 : do_between(s, *p, used, err);
	}
}

int k8s_list_split_feed(struct k8s_list_split *s, const char *p, size_t n,
			struct err *err)
{
	while (n) {
		size_t used = 1;

		if (take(s, p, n, &used, err))
			return -1;
		p += used;
		n -= used;
	}
	return 0;
}

int k8s_list_split_end(const struct k8s_list_split *s, struct err *err)
{
	if (s->state != AT_END)
		return junk("it ends too early", err);
	if (!s->has_items || !s->has_meta)
		return junk("no items or no metadata", err);
	return 0;
}

void k8s_line_split_init(struct k8s_line_split *s, k8s_piece_fn *on_line, void *ctx)
{
	*s = (struct k8s_line_split){ .on_line = on_line, .ctx = ctx };
	buf_init(&s->part, K8S_OBJECT_MAX);
}

void k8s_line_split_fini(struct k8s_line_split *s)
{
	buf_fini(&s->part);
}

static int end_line(struct k8s_line_split *s, const char *p, size_t n, struct err *err)
{
	int rc;

	if (s->part.len) {
		if (keep(&s->part, p, n, err))
			return -1;
		p = s->part.data;
		n = s->part.len;
	}
	if (n && p[n - 1] == '\r')
		n--;
	if (n > s->part.max)
		return err_set(err, ERR_EXHAUSTED, "a line of more than %zu bytes",
			       s->part.max);
	rc = n ? s->on_line(s->ctx, p, n, err) : 0;
	forget(&s->part);
	return rc;
}

int k8s_line_split_feed(struct k8s_line_split *s, const char *p, size_t n,
			struct err *err)
{
	const char *end;

	while (n && (end = memchr(p, '\n', n))) {
		if (end_line(s, p, (size_t)(end - p), err))
			return -1;
		n -= (size_t)(end - p) + 1;
		p = end + 1;
	}
	return n ? keep(&s->part, p, n, err) : 0;
}
