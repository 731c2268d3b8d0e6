#ifndef T_CAPTURE_H
#define T_CAPTURE_H
#include <stddef.h>

/* What is written to stderr between the two, as text: static memory. */
void t_capture(void);
const char *t_captured(size_t *ret_len); /* ret_len may be NULL */
#endif
