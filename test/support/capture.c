#include "support/capture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char text[64 * 1024];
static int saved = -1, file = -1;

void t_capture(void)
{
	char path[] = "/tmp/rds-csi-stderr.XXXXXX";

	fflush(stderr);
	saved = dup(STDERR_FILENO);
	file = mkstemp(path);
	cr_assert_geq(file, 0);
	unlink(path);
	dup2(file, STDERR_FILENO);
}

const char *t_captured(size_t *ret_len)
{
	ssize_t n;

	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(file, text, sizeof(text) - 1, 0);
	cr_assert_geq(n, 0);
	text[n] = '\0';
	close(file);
	if (ret_len)
		*ret_len = (size_t)n;
	return text;
}
