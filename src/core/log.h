#ifndef CORE_LOG_H
#define CORE_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

/* Levelled structured lines on stderr, one write(2) each: JSON, or key=value for people.
 * Message texts are fixed; what varies goes into typed fields, whose values are escaped
 * and cut at LOG_VALUE_MAX bytes, so that no value can forge a line. Secrets have no
 * field type. log_info("csi", "volume created", KS("volume", id), KU("bytes", n)); error
 * = someone must act; warn = we coped; info = one line per call and per change of the
 * outside world; debug = transitions and commands. Not called from pure code. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum { LOG_VALUE_MAX = 256, LOG_LINE_MAX = 4096 };

struct log_field {
	const char *key; /* NULL ends the list */
	enum { LOG_FIELD_STR, LOG_FIELD_UINT, LOG_FIELD_INT, LOG_FIELD_BOOL } type;
	union {
		const char *s; /* borrowed during the call; NULL is written as "" */
		uint64_t u;
		int64_t i;
	} v;
};

static inline struct log_field KS(const char *key, const char *value) {
	return (struct log_field){ key, LOG_FIELD_STR, { .s = value } };
}

static inline struct log_field
KU(const char *key, uint64_t value) {
	return (struct log_field){ key, LOG_FIELD_UINT, { .u = value } };
}

static inline struct log_field
KI(const char *key, int64_t value) {
	return (struct log_field){ key, LOG_FIELD_INT, { .i = value } };
}

static inline struct log_field
KB(const char *key, bool value) {
	return (struct log_field){ key, LOG_FIELD_BOOL, { .u = value } };
}
#define LOG_END ((struct log_field){ .key = NULL })

void log_open(enum log_level min_level, bool is_json);
void log_set_level(enum log_level min_level);
enum log_level log_level(void);
const char *log_level_name(enum log_level level);
bool log_is_on(enum log_level level);
/* For a line that a fault may repeat without end: true once in interval_ms per site,
 * which keeps a static struct log_rate. The line should say KU("skipped", rate.skipped):
 * how many were not written since the one before it. */
struct log_rate {
	uint64_t next_ms, waiting; /* waiting: not written so far, for the next line */
	uint64_t skipped;
};
bool log_may(struct log_rate *rate, uint64_t now_ms, uint64_t interval_ms);
/* Takes struct log_field values, ended by LOG_END. Use the macros. */
void log_write(enum log_level level, const char *module, const char *msg, ...);

/* What makes a line one of the security record, which is written at every level: it bears
 * audit:true and these, whose words are those of the Go driver (core/audit.h). */
struct log_audit {
	const char *event, *category;
	const char *severity; /* info, warning, error, critical */
	const char *outcome;  /* success, failure, denied */
};
/* As log_write; audit NULL = no such line. */
void log_write_audit(enum log_level level, const struct log_audit *audit,
		     const char *module, const char *msg, ...);

#define log_error(mod, ...) log_write(LOG_ERROR, mod, __VA_ARGS__, LOG_END)
#define log_warn(mod, ...) log_write(LOG_WARN, mod, __VA_ARGS__, LOG_END)
#define log_info(mod, ...) log_write(LOG_INFO, mod, __VA_ARGS__, LOG_END)
#define log_debug(mod, ...)                                              \
	do {                                                             \
		if (log_is_on(LOG_DEBUG))                                \
			log_write(LOG_DEBUG, mod, __VA_ARGS__, LOG_END); \
	} while (0)
#endif
