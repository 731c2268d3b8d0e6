#ifndef E2E_SCRAPE_H
#define E2E_SCRAPE_H
#include <stdbool.h>
#include <stddef.h>

/* What a driver tells over HTTP, asked for without its loop: the answer must not need
 * anybody else. */
enum { SCRAPE_MAX = 512 * 1024 };

unsigned scrape_free_port(void); /* of 127.0.0.1 */
/* GET path on 127.0.0.1:port; the body, which the caller frees, or NULL. status may be
 * NULL. accept: the value of that header, or NULL. */
char *scrape_get(unsigned port, const char *path, const char *accept, int *ret_status);
/* The sum over the series of that name whose labels contain labels ("" = all); of a
 * histogram its count. False when there is no such series. */
bool scrape_sum(const char *page, const char *name, const char *labels, double *ret);
#endif
