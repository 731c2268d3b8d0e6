#ifndef K8S_SPLIT_H
#define K8S_SPLIT_H
#include "core/buf.h"
#include "core/err.h"
#include "k8s/decode.h"

/* Bytes of a response, as they come, -> the JSON texts in it. Pure. Memory is bounded by
 * the largest text; one that lies whole in the bytes given is not copied. Only what is
 * needed to find the ends is checked: whoever reads the texts parses them. After a
 * failure (-1, err set; the receiver's own -1 too) the splitter must not be fed again. */
typedef int k8s_piece_fn(void *ctx, const char *p, size_t n, struct err *err);

/* A list: each element of the top-level "items", and "metadata", wherever it stands. */
struct k8s_list_split {
	k8s_piece_fn *on_item, *on_meta;
	void *ctx;
	/* Private. */
	struct buf part; /* of the text under way, from earlier bytes */
	unsigned state, depth;
	unsigned member; /* which of the top-level members the value belongs to */
	bool in_string, is_escaped, is_kept, has_items, has_meta;
};

void k8s_list_split_init(struct k8s_list_split *s, k8s_piece_fn *on_item,
			 k8s_piece_fn *on_meta, void *ctx);
int k8s_list_split_feed(struct k8s_list_split *s, const char *p, size_t n,
			struct err *err);
/* At the end of the bytes: 0 when a whole list was seen. */
int k8s_list_split_end(const struct k8s_list_split *s, struct err *err);
void k8s_list_split_fini(struct k8s_list_split *s); /* accepts a zeroed struct */

/* A watch: one line at a time, without its end; empty lines are skipped. */
struct k8s_line_split {
	k8s_piece_fn *on_line;
	void *ctx;
	struct buf part;
};

void k8s_line_split_init(struct k8s_line_split *s, k8s_piece_fn *on_line, void *ctx);
int k8s_line_split_feed(struct k8s_line_split *s, const char *p, size_t n,
			struct err *err);
void k8s_line_split_fini(struct k8s_line_split *s); /* accepts a zeroed struct */
#endif
