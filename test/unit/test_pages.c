#include "support/t.h"

#include <stdio.h>
#include <string.h>

#include "core/pages.h"

/* The number after that name in /proc/self/status, -1 when it is not there. */
static long status(const char *name)
{
	char line[128];
	size_t n = strlen(name);
	long v = -1;
	FILE *f = fopen("/proc/self/status", "re");

	cr_assert_not_null(f);
	while (v < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			(void)sscanf(line + n + 1, "%ld", &v);
	(void)fclose(f);
	return v;
}

Test(pages, huge_ones_are_off)
{
	pages_small();
	cr_assert_eq(status("THP_enabled"), 0);
}

static const char *const words[] = { "constants", "with", "relocations", NULL };

Test(pages, what_the_loader_read_is_given_back_and_all_goes_on)
{
	long before = status("RssFile"), after;
	char text[64] = "";

	pages_drop_loaders();
	after = status("RssFile");
	cr_assert_lt(after, before, "%ld KiB, %ld before", after, before);
	for (const char *const *w = words; *w; w++)
		strncat(text, *w, sizeof(text) - strlen(text) - 1);
	cr_assert_str_eq(text, "constantswithrelocations");
	pages_drop_loaders();
}
