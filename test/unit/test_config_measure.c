#include "support/t.h"

#include <string.h>

#include "core/config.h"

static char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

static int parse(struct config *c, const char *word, struct err *err)
{
	static char line[] = "rds-csi --controller --kubernetes=off --cluster-id=p "
			     "--rds-address=10.0.0.1 --rds-insecure-skip-verify "
			     "--endpoint=/s ";
	static char text[512];
	char *argv[16];
	int n = 0;

	snprintf(text, sizeof(text), "%s%s", line, word);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		argv[n++] = w;
	return config_parse(c, n, argv, no_env, err);
}

Test(config_measure, the_box_is_looked_at_every_minute_or_so)
{
	static const char *const good[] = { "1s", "24h", "0" };
	static const char *const bad[] = { "999ms", "1ms", "25h", "-1s", "soon" };
	char word[64];
	struct config c;
	struct err err;

	cr_assert_eq(parse(&c, "--log-level=error", &err), 0, "%s", err.msg);
	cr_assert_eq(c.figures_interval_ms, 60000);
	cr_assert_eq(c.log_level, LOG_ERROR);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(word, sizeof(word), "--rds-metrics-interval=%s", good[i]);
		cr_assert_eq(parse(&c, word, &err), 0, "%s", err.msg);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(word, sizeof(word), "--rds-metrics-interval=%s", bad[i]);
		cr_assert_eq(parse(&c, word, &err), -1, "%s", bad[i]);
		cr_assert_not_null(strstr(err.msg, "--rds-metrics-interval"));
	}
}
