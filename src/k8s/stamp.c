#include "k8s/stamp.h"

#include <stdio.h>
#include <time.h>

/* Years beyond 9999 are no RFC 3339; a clock that says so is cut off there. */
enum { YEAR_MAX = 9999 };

static void split(uint64_t wall_us, struct tm *tm)
{
	time_t s = (time_t)(wall_us / 1000000);

	if (!gmtime_r(&s, tm) || tm->tm_year + 1900 > YEAR_MAX)
		*tm = (struct tm){ .tm_year = YEAR_MAX - 1900, .tm_mday = 1 };
}

static void print(const struct tm *tm, const char *tail, char out[K8S_STAMP])
{
	(void)snprintf(out, K8S_STAMP, "%04u-%02u-%02uT%02u:%02u:%02u%.10s",
		       (unsigned)(tm->tm_year + 1900) % 10000,
		       (unsigned)(tm->tm_mon + 1) % 100, (unsigned)tm->tm_mday % 100,
		       (unsigned)tm->tm_hour % 100, (unsigned)tm->tm_min % 100,
		       (unsigned)tm->tm_sec % 100, tail);
}

void k8s_stamp(uint64_t wall_us, char out[K8S_STAMP])
{
	struct tm tm;

	split(wall_us, &tm);
	print(&tm, "Z", out);
}

void k8s_stamp_micro(uint64_t wall_us, char out[K8S_STAMP])
{
	char tail[12];
	struct tm tm;

	split(wall_us, &tm);
	(void)snprintf(tail, sizeof(tail), ".%06uZ", (unsigned)(wall_us % 1000000));
	print(&tm, tail, out);
}
