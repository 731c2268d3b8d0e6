#ifndef FAKE_SYS_H
#define FAKE_SYS_H

/* A sysfs made of plain files under root, as the kernel's NVMe host shows itself. */
void fake_put(const char *root, const char *file, const char *text);
void fake_session(const char *root, const char *ctrl, const char *nqn,
		  const char *host_nqn, const char *state);
/* A block device of that name; number as "259:1", size in sectors. */
void fake_disk(const char *root, const char *name, const char *number,
	       unsigned long long sectors, const char *nqn);
#endif
