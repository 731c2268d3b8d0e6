#include "check/findings_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEEDED "ssh,read,write,test,ftp"

static const char *const needed[] = { "ssh", "read", "write", "test", "ftp" };
enum { N_NEEDED = sizeof(needed) / sizeof(needed[0]) };

static const enum finding_id about[LOOK_N] = {
	[LOOK_SYSTEM] = FINDING_VERSION,    [LOOK_RIGHTS] = FINDING_POLICIES,
	[LOOK_NVME_TCP] = FINDING_NVME_TCP, [LOOK_POOL] = FINDING_POOL,
	[LOOK_BTRFS] = FINDING_LAYOUT,	    [LOOK_DIRECTORIES] = FINDING_DIRECTORY,
	[LOOK_MOUNTS] = FINDING_MOUNTS,
};

/* Whether the box told this. A question that was cut off or answered with nonsense is a
 * problem of its own; one that it refused or does not know is judged elsewhere, once. */
static bool is_told(struct findings *fs, const struct look_facts *f, enum look_question q)
{
	if (f->answers[q] == LOOK_BROKEN)
		findings_say(
			fs, FINDING_PROBLEM, about[q],
			"the box did not answer this as RouterOS does (%s): run this "
			"once more, and look at /log/print on the box if it stays",
			f->broken);
	return f->answers[q] == LOOK_ANSWERED;
}

/* ---- the user's group ---- */

static void append(char *list, size_t size, const char *word, size_t n)
{
	size_t used = strlen(list);

	(void)snprintf(list + used, size - used, "%s%.*s", used ? "," : "", (int)n, word);
}

/* The next word of "ssh,read;!write ftp": its length, 0 at the end. */
static size_t next_word(const char **p)
{
	*p += strspn(*p, ",; ");
	return strcspn(*p, ",; ");
}

static bool has_policy(const char *policy, const char *want)
{
	size_t n;

	for (; (n = next_word(&policy)) > 0; policy += n)
		if (strlen(want) == n && strncmp(policy, want, n) == 0)
			return true;
	return false;
}

static void split(const char *policy, char missing[64], char more[256])
{
	size_t n;

	missing[0] = more[0] = '\0';
	for (unsigned i = 0; i < N_NEEDED; i++)
		if (!has_policy(policy, needed[i]))
			append(missing, 64, needed[i], strlen(needed[i]));
	for (; (n = next_word(&policy)) > 0; policy += n) {
		char word[32];

		(void)snprintf(word, sizeof(word), "%.*s", (int)n, policy);
		if (*policy != '!' && !has_policy(NEEDED, word))
			append(more, 256, policy, n);
	}
}

static bool is_refused(const struct look_facts *f)
{
	for (unsigned q = 0; q < LOOK_N; q++)
		if (f->answers[q] == LOOK_REFUSED)
			return true;
	return false;
}

/* RouterOS's own groups are not for changing. */
static bool is_built_in(const char *group)
{
	return strcmp(group, "full") == 0 || strcmp(group, "read") == 0 ||
	       strcmp(group, "write") == 0;
}

static void remedy(char out[200], const char *group)
{
	if (is_built_in(group))
		(void)snprintf(out, 200,
			       "give the driver a user and a group of its own, as "
			       "contrib/routeros/setup.rsc makes them");
	else
		(void)snprintf(out, 200,
			       "`/user/group/set %.64s policy=\"" NEEDED
			       "\"` is what it needs",
			       group);
}

static void say_policies(struct findings *fs, const struct look_facts *f,
			 const char *user)
{
	char missing[64], more[256], todo[200];
	bool is_known = is_told(fs, f, LOOK_RIGHTS) && f->policy[0];

	split(f->policy, missing, more);
	remedy(todo, f->group);
	if (is_known && missing[0])
		PROBLEM(POLICIES, "the group %s of user %s lacks %s: %s", f->group, user,
			missing, todo);
	else if (is_refused(f))
		PROBLEM(POLICIES,
			"the box refuses user %s what the driver must read (%s): give "
			"its "
			"group the policies " NEEDED " with `/user/group/set`",
			user, f->broken);
	else if (is_known && more[0])
		NOTE(POLICIES,
		     "the group %s of user %s may more than the driver needs (%s): %s",
		     f->group, user, more, todo);
	else if (is_known)
		OK(POLICIES, "the group %s of user %s has " NEEDED " and no more",
		   f->group, user);
	else if (f->answers[LOOK_RIGHTS] == LOOK_ANSWERED ||
		 f->answers[LOOK_RIGHTS] == LOOK_NO_WORD)
		NOTE(POLICIES,
		     "the box does not tell the policies of user %s; needed are " NEEDED,
		     user);
}

/* ---- RouterOS ---- */

static bool is_new(const struct look_facts *f)
{
	return features_is_new_enough(f->seen.version);
}

/* Without the package most of the rest is missing too, for one reason. */
static bool has_package(const struct look_facts *f)
{
	return f->seen.has_package && !f->seen.is_package_off;
}

static void say_system(struct findings *fs, const struct look_facts *f)
{
	const char *version = f->seen.version;

	if (!is_told(fs, f, LOOK_SYSTEM))
		return;
	if (is_new(f))
		OK(VERSION, "RouterOS %s; 7.21 or later is needed", version);
	else
		PROBLEM(VERSION,
			"the box runs RouterOS %s, and 7.21 or later is needed, which "
			"knows "
			"nvme-tcp-server-nqn: `/system/package/update/install`",
			version);
	if (has_package(f))
		OK(PACKAGE, "rose-storage is there and enabled");
	else if (f->seen.has_package)
		PROBLEM(PACKAGE,
			"the package rose-storage is disabled: "
			"`/system/package/enable rose-storage`, then `/system/reboot`");
	else
		PROBLEM(PACKAGE,
			"the package rose-storage is missing: upload the one of RouterOS "
			"%s (MikroTik's extra packages) and `/system/reboot`",
			version);
}

static void say_nvme_tcp(struct findings *fs, const struct look_facts *f,
			 const struct check_asked *a)
{
	if (!has_package(f) || !is_new(f))
		return; /* told already, and the reason for the rest */
	if (f->answers[LOOK_NVME_TCP] == LOOK_NO_WORD)
		PROBLEM(NVME_TCP,
			"the box's disks do not know the properties of NVMe/TCP exports "
			"(%s): only a ROSE Data Server, or a box with the whole of "
			"rose-storage, can serve volumes",
			f->broken);
	if (!is_told(fs, f, LOOK_NVME_TCP))
		return;
	OK(NVME_TCP, "disks can be exported; %u are at this moment, at port %" PRIu64,
	   f->exports, a->nvme_port);
}

/* ---- the pool ---- */

static const char *in_units(char out[32], uint64_t bytes)
{
	if (bytes >> 34)
		(void)snprintf(out, 32, "%" PRIu64 " GiB", bytes >> 30);
	else
		(void)snprintf(out, 32, "%" PRIu64 " MiB", bytes >> 20);
	return out;
}

static bool has_subvolumes(const struct look_facts *f)
{
	return strcmp(f->seen.fs, "btrfs") == 0 && f->seen.label[0] && f->seen.has_root;
}

static void say_layout(struct findings *fs, const struct look_facts *f)
{
	if (strcmp(f->seen.fs, "btrfs") != 0)
		NOTE(LAYOUT,
		     "the file system is %s, not btrfs: volumes will be flat files, "
		     "without snapshots and clones",
		     f->seen.fs[0] ? f->seen.fs : "not told");
	else if (!f->seen.label[0])
		NOTE(LAYOUT,
		     "the Btrfs has no label, so volumes will be flat files, without "
		     "snapshots and clones: give it one with "
		     "`/disk/btrfs/filesystem/set` while no volume is there");
	else if (is_told(fs, f, LOOK_BTRFS) && f->seen.has_root)
		OK(LAYOUT, "Btrfs with the label %s: snapshots and clones are possible",
		   f->seen.label);
	else if (f->answers[LOOK_BTRFS] == LOOK_ANSWERED)
		NOTE(LAYOUT,
		     "the root of the Btrfs %s is not what is mounted, so volumes will "
		     "be "
		     "flat files, without snapshots and clones",
		     f->seen.label);
}

static void say_directories(struct findings *fs, const struct look_facts *f,
			    const struct ros_site *site)
{
	char list[FINDING_TEXT / 2] = "";

	if (!is_told(fs, f, LOOK_DIRECTORIES))
		return;
	for (unsigned i = 0; i < site->n_bases; i++)
		if (!f->has_base[i])
			append(list, sizeof(list), site->bases[i],
			       strlen(site->bases[i]));
	if (!list[0])
		OK(DIRECTORY, "/%s is there", site->bases[0]);
	else if (has_subvolumes(f))
		NOTE(DIRECTORY,
		     "the box has no directory %s; it is needed for flat files only: "
		     "`/file/add type=directory name=…`",
		     list);
	else
		PROBLEM(DIRECTORY,
			"the box has no directory %s: make each with `/file/add "
			"type=directory name=…`",
			list);
}

static void say_space(struct findings *fs, const struct look_facts *f, uint64_t percent)
{
	char is_free[32], size[32];

	(void)in_units(is_free, f->pool_free);
	(void)in_units(size, f->pool_size);
	if (f->pool_free <= f->pool_size / 100 * percent)
		PROBLEM(SPACE,
			"%s of %s are free on the pool and %" PRIu64
			" %% are kept in reserve, so nothing can be made or grown: "
			"delete "
			"volumes or snapshots, or add drives",
			is_free, size, percent);
	else
		OK(SPACE,
		   "%s of %s are free on the pool, of which %" PRIu64
		   " %% of the whole stay in reserve",
		   is_free, size, percent);
}

static void say_pool(struct findings *fs, const struct look_facts *f,
		     const struct check_asked *a)
{
	const char *pool = a->site->pool;

	if (!is_told(fs, f, LOOK_POOL))
		return;
	if (!f->seen.n_pools) {
		PROBLEM(POOL,
			"no mounted disk of the box has the mount point %s, on which %s "
			"would lie: mount the pool there (`/disk/set … "
			"mount-point-template=%s`), or give another "
			"--rds-volume-base-path",
			pool, a->config->first_base, pool);
		return;
	}
	if (f->seen.is_ambiguous) {
		PROBLEM(POOL,
			"several file systems of the box have the mount point %s: give "
			"each a mount point of its own",
			pool);
		return;
	}
	OK(POOL, "disk %s is mounted at %s", f->seen.pool_slot, pool);
	say_layout(fs, f);
	say_directories(fs, f, a->site);
	say_space(fs, f, a->config->pool_reserve_percent);
}

static void say_mounts(struct findings *fs, const struct look_facts *f)
{
	if (!is_told(fs, f, LOOK_MOUNTS))
		return;
	if (f->n_mounted)
		PROBLEM(MOUNTS,
			"the box itself has %u of our volumes mounted, of %u that it may "
			"mount (%s), and a node that writes there too destroys the file "
			"system: "
			"stop the pods, then `/disk/set SLOT mount-filesystem=no` for "
			"each",
			f->n_mounted, f->n_mounting, f->mounting);
	else if (f->n_mounting)
		PROBLEM(MOUNTS,
			"the box may mount %u of our volumes itself (%s), under the "
			"nodes "
			"that write to them: `/disk/set SLOT mount-filesystem=no` for "
			"each; "
			"the "
			"controller does it for its own",
			f->n_mounting, f->mounting);
	else
		OK(MOUNTS, "the box mounts no volume itself");
}

static void say_sessions(struct findings *fs, const struct look_facts *f, uint64_t want)
{
	if (!f->sessions)
		return;
	if (f->sessions >= want)
		OK(SESSIONS, "%u SSH sessions at once are possible", f->sessions);
	else
		PROBLEM(SESSIONS,
			"only %u of %" PRIu64
			" SSH sessions could be open at once: raise `/ip/service/set ssh "
			"max-sessions=…`, close others (/user/active), or give a smaller "
			"--rds-sessions",
			f->sessions, want);
}

void findings_of_box(struct findings *fs, const struct look_facts *f,
		     const struct check_asked *asked)
{
	if (!f->is_in)
		return;
	say_policies(fs, f, asked->config->rds_user);
	say_system(fs, f);
	say_nvme_tcp(fs, f, asked);
	say_pool(fs, f, asked);
	say_mounts(fs, f);
	say_sessions(fs, f, asked->config->rds_sessions);
}
