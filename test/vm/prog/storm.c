/* A node comes back and the kubelet wants all of its 300 volumes at once: every call is
 * answered with success, however long it waits, and the box sees a few connects at a
 * time. */
#include <stdio.h>
#include <stdlib.h>

#include "vm/crowd.h"
#include "vm/kubelet.h"

enum { N = 300, AT_A_TIME = 5, GROUP = 10 };
#define PREFIX "nqn.2000-02.com.mikrotik:"

static struct lab lab;
static char kubelet_flag[E2E_PATH + 20];
static const char *const flags[] = { kubelet_flag, "--kubelet-registration=off", NULL };

static bool start(void)
{
	lab.no_driver = false;
	driver_open(&lab.driver);
	return driver_start(&lab.driver);
}

static void is_staged(const struct vol *all, unsigned n)
{
	CHECK(kern_sessions_under(PREFIX) == n, "%u sessions of %u",
	      kern_sessions_under(PREFIX), n);
	CHECK(kern_mounts_with("/globalmount ") == n, "%u mounts of %u",
	      kern_mounts_with("/globalmount "), n);
	for (unsigned i = 0; i < n; i++)
		if (!crowd_is_staged(&all[i]))
			return;
}

static void stage(struct vol *all, unsigned n)
{
	unsigned begun = lab_mkfs_begun();
	struct crowd_connects seen;
	struct crowd_watch watch;
	int64_t took;

	if (!crowd_watch_start(&watch, &lab.driver))
		return;
	took = crowd_do(&lab.driver, all, n, VOL_STAGE);
	seen = crowd_watch_end(&watch, n);
	CHECK(seen.n == n && seen.lost == 0, "%u connects, %u times blind", seen.n,
	      seen.lost);
	CHECK(seen.most > 1 && seen.most <= AT_A_TIME, "%u connects at a time",
	      seen.most);
	e2e_note("%u volumes staged in %.1f s, %u connects at a time, RSS %ld KiB", n,
		 (double)took / 1e6, seen.most, driver_rss_kib(&lab.driver));
	is_staged(all, n);
	CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
}

/* Not all at once: a kernel 6.1 short of CPU time, that must let go of hundreds, was seen
 * to send a keep-alive for a controller that it had freed. */
static void unstage(struct vol *all, unsigned n)
{
	uint64_t began = e2e_now_ms();

	for (unsigned i = 0; i < n; i += GROUP)
		crowd_do(&lab.driver, all + i, n - i < GROUP ? n - i : GROUP,
			 VOL_UNSTAGE);
	e2e_note("%u volumes unstaged in %.1f s", n,
		 (double)(e2e_now_ms() - began) / 1000);
}

static void all_at_once(void)
{
	unsigned n = (unsigned)e2e_ops(N);
	struct vol *all = calloc(n, sizeof(*all));
	uint64_t began = e2e_now_ms();
	char path[E2E_PATH];

	lab = (struct lab){ .no_driver = true,
			    .no_controller = true,
			    .driver_args = flags };
	(void)snprintf(kubelet_flag, sizeof(kubelet_flag), "--kubelet-dir=%s",
		       kubelet_dir(path));
	if (CHECK(all, "memory") && lab_open(&lab) &&
	    crowd_make(&lab, all, n, "pvc-storm") && start()) {
		e2e_note("%u volumes made in %.1f s", n,
			 (double)(e2e_now_ms() - began) / 1000);
		stage(all, n);
		unstage(all, n);
	}
	lab_close(&lab);
	free(all);
}

static const struct e2e_test tests[] = { { "all_at_once", all_at_once, true }, { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
