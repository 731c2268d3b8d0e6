#include "vm/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"

static bool attach(struct store *s, const char *image)
{
	const char *const argv[] = { "/bin/losetup", "-f", "--show", image, NULL };

	if (!CHECK(child_run(argv, s->loop, sizeof(s->loop)) == 0, "losetup of %s",
		   image))
		return false;
	s->loop[strcspn(s->loop, "\n")] = '\0';
	return true;
}

bool store_open(struct store *s, const char *image, long bad_bytes)
{
	char table[300];
	const char *const argv[] = { "/bin/dmsetup", "create",
				     "--noudevsync", "--addnodeoncreate",
				     s->name,	     "--table",
				     table,	     NULL };
	/* Nobody else makes the nodes here. */
	const char *const mknodes[] = { "/bin/dmsetup", "mknodes", s->name, NULL };
	long bad = bad_bytes / 512;
	struct stat st;
	int n = 0;

	(void)snprintf(s->device, sizeof(s->device), "/dev/mapper/%.40s", s->name);
	s->loop[0] = '\0';
	if (!CHECK(stat(image, &st) == 0, "no %s", image) || !attach(s, image))
		return false;
	if (bad)
		n = snprintf(table, sizeof(table), "0 %ld error\n", bad);
	(void)snprintf(table + n, sizeof(table) - (size_t)n, "%ld %ld linear %s %ld", bad,
		       (long)(st.st_size / 512) - bad, s->loop, bad);
	return CHECK(child_run(argv, NULL, 0) == 0, "dmsetup create: %s", table) &&
	       CHECK(child_run(mknodes, NULL, 0) == 0 && access(s->device, F_OK) == 0,
		     "no %s", s->device);
}

void store_close(struct store *s)
{
	const char *const remove[] = { "/bin/dmsetup", "remove", "--noudevsync",
				       "--retry",      s->name,	 NULL };
	const char *const detach[] = { "/bin/losetup", "-d", s->loop, NULL };

	if (!s->loop[0])
		return;
	CHECK(child_run(remove, NULL, 0) == 0, "dmsetup remove %s", s->name);
	CHECK(child_run(detach, NULL, 0) == 0, "losetup -d %s", s->loop);
	s->loop[0] = '\0';
}

bool store_stop(struct store *s, bool is_stopped)
{
	const char *const stop[] = {
		"/bin/dmsetup", "suspend", "--noudevsync", "--nolockfs", "--noflush",
		s->name,	NULL
	};
	const char *const go[] = { "/bin/dmsetup", "resume", "--noudevsync", s->name,
				   NULL };

	return CHECK(child_run(is_stopped ? stop : go, NULL, 0) == 0, "dmsetup %s %s",
		     is_stopped ? "suspend" : "resume", s->name);
}

bool store_serve(const struct sim *box, const char *id, const char *uuid,
		 const char *file)
{
	char path[500];

	(void)snprintf(path, sizeof(path),
		       "/nvmet?slot=%.60s&do=recreate&uuid=%.40s&file=%.300s", id, uuid,
		       file);
	return sim_post(box, path);
}
