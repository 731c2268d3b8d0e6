#ifndef E2E_SIMCTL_H
#define E2E_SIMCTL_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One rds-sim as a child: its directory and its ports stay when it is killed and started
 * again, as a rebooted box's would. */
struct sim {
	pid_t pid;
	char dir[256];
	unsigned ssh_port, control_port; /* 0 until the first start */
	int out; /* its standard output: the statistics at its end fit the pipe */
	const char *const
		*args; /* further arguments, ended by NULL; borrowed, may be NULL */
};

/* Makes dir when it is missing. False, counted as a failed check, when it does not come
 * up. */
bool sim_start(struct sim *s);
void sim_stop(struct sim *s);
void sim_kill(struct sim *s);			      /* SIGKILL */
bool sim_is_gone(struct sim *s, unsigned timeout_ms); /* ended by itself, awaited */

/* The control port. The result of get is owned by the caller; NULL on failure. */
json_t *sim_get(const struct sim *s, const char *path);
char *sim_get_text(const struct sim *s, const char *path);
/* What has happened on the box, from that event on, each in turn (each may be NULL). How
 * many there were, or -1 when it cannot be read. */
long sim_history(const struct sim *s, long from,
		 void (*each)(void *arg, const json_t *event), void *arg);
bool sim_post(const struct sim *s, const char *path);
char *sim_post_quiet(const struct sim *s, const char *path); /* NULL: no answer */
/* Runs a line as the console would (4,000 bytes at most); its output, or NULL. */
char *sim_exec(const struct sim *s, const char *script);
bool sim_fault(const struct sim *s, const char *query); /* POST /fault?query */
bool sim_clear(const struct sim *s);			/* POST /fault/clear */
long sim_stat(const struct sim *s, const char *name);	/* of /stats; -1 */

/* The disk with that slot from /disks (owned by the caller), or NULL. */
json_t *sim_disk(const struct sim *s, const char *slot);
const char *sim_text(const json_t *disk, const char *property); /* "" when unset */
bool sim_is_on(const json_t *disk, const char *property); /* true, "true" or "yes" */
/* The path here of the disk's image file; false when there is no such disk. */
bool sim_image(const struct sim *s, const char *slot, char *out, size_t cap);
/* How many regular files lie under the pool, and how many bear the id in their path. */
unsigned sim_files(const struct sim *s, const char *id);
#endif
