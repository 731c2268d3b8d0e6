#ifndef VM_KERN_H
#define VM_KERN_H
#include <stdbool.h>

/* What the kernel of this VM knows of NVMe, mounts and devices, read without the driver.
 */
enum { KERN_NAME = 64 };

bool kern_is_multipath(void);
bool kern_is(const char *version); /* "6.1" or "6.12" */

/* Controllers of the NQN (NULL: of any), and those in the state "live". */
unsigned kern_sessions(const char *nqn);
unsigned kern_live(const char *nqn);
/* Controllers of any NQN that begins so. */
unsigned kern_sessions_under(const char *prefix);
/* Deletes those, one after another, whatever uses them. */
void kern_end_under(const char *prefix);
/* The state of the first of them; "" when there is none. */
const char *kern_state(const char *nqn);
/* "/dev/nvme0n1", or false when the NQN has no visible namespace. */
bool kern_device(const char *nqn, char out[KERN_NAME]);
/* The device can be opened with O_EXCL, or is not there. */
bool kern_is_free(const char *device);
long long kern_size(const char *device); /* bytes; -1 */

/* Lines of mountinfo that have the text in them; of the mount point exactly. */
unsigned kern_mounts_with(const char *text);
unsigned kern_layers(const char *mount_point);

void kern_drop_caches(void);
long kern_dirty_kib(void); /* written by somebody, and not to the disk yet */
/* The kernel's log: whether it said the text since the last mark. */
void kern_mark(void);
bool kern_said(const char *text);
/* Lines that match (an extended regular expression) fail this program no more. */
void kern_expect(const char *regex);

/* Looks again every few milliseconds until it is true; false at the time's end. */
bool kern_until(bool (*is_true)(const void *arg), const void *arg, unsigned timeout_ms);
/* Until the NQN has no controller; until one of its controllers is live and a device can
 * be opened; until one has another state than live. */
bool kern_until_gone(const char *nqn, unsigned timeout_ms);
bool kern_until_live(const char *nqn, unsigned timeout_ms);
bool kern_until_lost(const char *nqn, unsigned timeout_ms);

/* Writes the text to a file of sysfs, configfs or procfs in one write; 0 or an errno. */
int kern_put(const char *path, const char *text);
#endif
