#ifndef CHECK_FINDINGS_IMPL_H
#define CHECK_FINDINGS_IMPL_H
#include "check/findings.h"
#include "core/mem.h"

/* For the files that make findings: findings.c (what is here: files and the way to
 * the box) and findings_box.c (the box itself). */
void findings_say(struct findings *fs, enum finding_word word, enum finding_id id,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* findings_box.c */
void findings_of_box(struct findings *fs, const struct look_facts *f,
		     const struct check_asked *asked);

#define OK(id, ...) findings_say(fs, FINDING_OK, FINDING_##id, __VA_ARGS__)
#define NOTE(id, ...) findings_say(fs, FINDING_NOTE, FINDING_##id, __VA_ARGS__)
#define PROBLEM(id, ...) findings_say(fs, FINDING_PROBLEM, FINDING_##id, __VA_ARGS__)
#endif
