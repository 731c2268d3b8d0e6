#ifndef CHECK_FINDINGS_H
#define CHECK_FINDINGS_H
#include "core/buf.h"
#include "core/config.h"
#include "rds/look_facts.h"

/* What `rds-csi check` has to say: facts in, sentences out. Pure. */
enum finding_word { FINDING_OK, FINDING_NOTE, FINDING_PROBLEM };

/* What a finding is about, in the order in which they are told. */
enum finding_id {
	FINDING_KEY_FILE,
	FINDING_HOST_KEY_FILE,
	FINDING_ADDRESS,
	FINDING_HOST_KEY,
	FINDING_LOGIN,
	FINDING_POLICIES,
	FINDING_VERSION,
	FINDING_PACKAGE,
	FINDING_NVME_TCP,
	FINDING_POOL,
	FINDING_LAYOUT,
	FINDING_DIRECTORY,
	FINDING_SPACE,
	FINDING_MOUNTS,
	FINDING_SESSIONS,
	FINDING_NVME_ADDRESS,
	FINDING_N
};

enum { FINDING_TEXT = 600 };

struct finding {
	enum finding_id id;
	enum finding_word word;
	char text[FINDING_TEXT]; /* a problem says what to do */
};

struct findings {
	unsigned n;
	struct finding f[FINDING_N]; /* one of each at most */
};

struct check_asked {
	const struct config *config;
	const struct ros_site *site;
	const char *nvme_address;
	uint64_t nvme_port;
};

void findings_make(struct findings *fs, const struct look_facts *facts,
		   const struct check_asked *asked);
unsigned findings_problems(const struct findings *fs);
/* One line each: the word, what it is about, the sentence. 0, or -1 for lack of memory.
 */
int findings_print(const struct findings *fs, struct buf *out);
/* The page docs/reference/check.md's table: each id and what is looked at. */
int findings_reference(struct buf *out);
#endif
