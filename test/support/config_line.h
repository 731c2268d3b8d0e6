#ifndef CONFIG_LINE_H
#define CONFIG_LINE_H
#include "support/t.h"

#include <string.h>

#include "core/config.h"
#include "core/config_flags.h"

/* Command lines for the tests of the configuration. */
static const char *env_value;

static inline char *get_env(const char *name)
{
	static char text[64];

	cr_assert_str_eq(name, "CSI_MANAGED_NQN_PREFIX");
	snprintf(text, sizeof(text), "%s", env_value ? env_value : "");
	return env_value ? text : NULL;
}

enum { MAX_ARGS = 64 };

/* Parses words parted by blanks, after a base that makes a complete command line. */
static inline int parse(struct config *c, const char *base, const char *words,
			struct err *err)
{
	static char text[4096], name[] = "rds-csi";
	char *argv[MAX_ARGS] = { name };
	int argc = 1;

	err->code = ERR_OK;
	snprintf(text, sizeof(text), "%s %s", base, words);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	return config_parse(c, argc, argv, get_env, err);
}

#define CTL                                                                       \
	"--controller --rds-address=10.0.0.1 --rds-host-key=/k --kubernetes=off " \
	"--cluster-id=c1"
#define ON "--kubernetes=on "
#define NODE "-node -node-id n1 -node-backend loop -loop-exports /e"

#endif
