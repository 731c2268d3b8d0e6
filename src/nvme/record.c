#include "nvme/record.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/fsio.h"
#include "core/mem.h"
#include "core/str.h"

static const char *const stages[] = { "attaching", "formatting", "ready", "staged" };

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

int record_format(const struct nvme_record *rec, const char *id, const char *boot_id,
		  struct buf *out, struct err *err)
{
	if (!is_plain(rec->nqn) || !is_plain(rec->source) || !is_plain(rec->staging) ||
	    !is_plain(rec->fs_type) || !is_plain(rec->fs_uuid) || !is_plain(rec->ns_id))
		return err_set(err, ERR_INVALID, "a control character in a path or name");
	(void)buf_printf(out, "version=%d\nboot=%s\nvolume=%s\nstage=%s\n",
			 RECORD_VERSION, boot_id, id, stages[rec->stage]);
	(void)buf_printf(out,
			 "block=%d\nreadonly=%d\nmounted=%d\nadopted=%d\nsize=%llu\n",
			 rec->is_block, rec->is_readonly, rec->was_mounted,
			 rec->is_adopted, (unsigned long long)rec->size_bytes);
	(void)buf_printf(out, "nqn=%s\nsource=%s\nnsid=%s\nfs=%s\nuuid=%s\n", rec->nqn,
			 rec->source, rec->ns_id, rec->fs_type, rec->fs_uuid);
	(void)buf_printf(out, "staging=%s\nend=1\n", rec->staging);
	return buf_failed(out) ? err_nomem(err) : 0;
}

/* The value of the next line, which must bear the key. */
static const char *value(char **text, const char *key)
{
	char *line = *text, *end = strchr(line, '\n');
	size_t n = strlen(key);

	if (!end || strncmp(line, key, n) != 0 || line[n] != '=')
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line + n + 1;
}

static int text_value(char **text, const char *key, char *out, size_t size)
{
	const char *v = value(text, key);

	if (!v || strlen(v) >= size)
		return -1;
	memcpy(out, v, strlen(v) + 1);
	return 0;
}

static int bool_value(char **text, const char *key, bool *ret)
{
	const char *v = value(text, key);

	if (!v || (strcmp(v, "0") != 0 && strcmp(v, "1") != 0))
		return -1;
	*ret = v[0] == '1';
	return 0;
}

static int stage_value(char **text, enum nvme_stage *ret)
{
	const char *v = value(text, "stage");

	for (unsigned i = 0; v && i < sizeof(stages) / sizeof(stages[0]); i++)
		if (strcmp(v, stages[i]) == 0) {
			*ret = (enum nvme_stage)i;
			return 0;
		}
	return -1;
}

static int parse_head(char **text, const char *id, const char *boot_id,
		      struct nvme_record *rec)
{
	const char *version = value(text, "version");
	const char *boot = version ? value(text, "boot") : NULL;
	const char *volume = boot ? value(text, "volume") : NULL;

	if (!volume || strcmp(version, "1") != 0 || strcmp(volume, id) != 0)
		return -1;
	rec->is_this_boot = strcmp(boot, boot_id) == 0;
	return stage_value(text, &rec->stage);
}

static int parse_rest(char **text, struct nvme_record *rec)
{
	const char *size;

	if (bool_value(text, "block", &rec->is_block) ||
	    bool_value(text, "readonly", &rec->is_readonly) ||
	    bool_value(text, "mounted", &rec->was_mounted) ||
	    bool_value(text, "adopted", &rec->is_adopted))
		return -1;
	size = value(text, "size");
	if (!size || str_to_u64(size, &rec->size_bytes))
		return -1;
	if (text_value(text, "nqn", rec->nqn, sizeof(rec->nqn)) ||
	    text_value(text, "source", rec->source, sizeof(rec->source)) ||
	    text_value(text, "nsid", rec->ns_id, sizeof(rec->ns_id)) ||
	    text_value(text, "fs", rec->fs_type, sizeof(rec->fs_type)) ||
	    text_value(text, "uuid", rec->fs_uuid, sizeof(rec->fs_uuid)) ||
	    text_value(text, "staging", rec->staging, sizeof(rec->staging)))
		return -1;
	return strcmp(*text, "end=1\n") == 0 ? 0 : -1;
}

/* What a newer driver wrote is whole, and not for this one to judge. */
static bool is_newer(const char *text)
{
	static const char key[] = "version=";
	char version[16];
	uint64_t n;

	if (strncmp(text, key, sizeof(key) - 1) != 0)
		return false;
	text += sizeof(key) - 1;
	(void)snprintf(version, sizeof(version), "%.*s", (int)strcspn(text, "\n"), text);
	return !str_to_u64(version, &n) && n > RECORD_VERSION;
}

int record_parse(char *text, const char *id, const char *boot_id, struct nvme_record *ret,
		 struct err *err)
{
	struct nvme_record *rec;
	int rc;

	if (is_newer(text))
		return err_set(err, ERR_PRECONDITION,
			       "the stage record of %s was written by a newer version of "
			       "this driver",
			       id);
	rec = mem_calloc(1, sizeof(*rec));
	if (!rec)
		return err_nomem(err);
	rc = parse_head(&text, id, boot_id, rec) || parse_rest(&text, rec);
	if (!rc)
		*ret = *rec;
	mem_free(rec);
	return rc ? err_set(err, ERR_DATA_LOSS, "the stage record of %s is damaged", id)
		  : 0;
}

/* With the directory it lies in: the plugin's own, which no kubelet makes. */
static int make_dirs(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	int n;

	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT || !slash)
		return -1;
	n = snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (n <= 0 || n >= (int)sizeof(parent) || mkdir(parent, 0750))
		return -1;
	return mkdir(path, 0700);
}

int record_open(struct record_dir *d, const char *path, struct err *err)
{
	struct buf b;
	int rc;

	if (make_dirs(path))
		return err_set(err, ERR_PRECONDITION, "state directory %s: %s", path,
			       strerror(errno));
	if (access(path, R_OK | W_OK | X_OK))
		return err_set(err, ERR_PRECONDITION, "state directory %s: %s", path,
			       strerror(errno));
	d->path = path;
	buf_init(&b, sizeof(d->boot_id) - 1);
	rc = fsio_read("/proc/sys/kernel/random/boot_id", &b, err);
	if (!rc)
		(void)snprintf(d->boot_id, sizeof(d->boot_id), "%.36s", b.data);
	buf_fini(&b);
	return rc;
}

static int file_of(const struct record_dir *d, const char *id, const char *suffix,
		   char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/%s.%s", d->path, id, suffix);

	bug_on(strchr(id, '/') || id[0] == '.');
	return n > 0 && n < PATH_MAX ? 0 : -1;
}

/* By its last write, and the clock. A clock that is behind, as of a machine without one
 * before it has asked the network, makes an old file look new: then it is told of. */
static bool is_of_earlier_boot(const char *path)
{
	struct timespec now, up;
	struct stat st;

	return stat(path, &st) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	       clock_gettime(CLOCK_BOOTTIME, &up) == 0 &&
	       st.st_mtim.tv_sec < now.tv_sec - up.tv_sec;
}

/* What another boot wrote is a hint, and may have been cut short with it, since not each
 * write of it is synced: then the hint is lost, and no more. */
static int read_whole(const struct record_dir *d, const char *id, const char *path,
		      struct nvme_record *ret, struct err *err)
{
	struct buf b;
	int rc;

	buf_init(&b, RECORD_MAX);
	rc = fsio_read(path, &b, err);
	if (!rc)
		rc = b.len ? record_parse(b.data, id, d->boot_id, ret, err)
			   : err_set(err, ERR_DATA_LOSS, "%s is empty", path);
	buf_fini(&b);
	if (!rc || err->code != ERR_DATA_LOSS || !is_of_earlier_boot(path))
		return rc;
	(void)unlink(path);
	return err_set(err, ERR_NOT_FOUND, "%s was cut short with an earlier boot", path);
}

int record_read(const struct record_dir *d, const char *id, struct nvme_record *ret,
		struct err *err)
{
	char path[PATH_MAX];

	if (file_of(d, id, "stage", path))
		return err_set(err, ERR_INVALID, "path too long");
	return read_whole(d, id, path, ret, err);
}

int record_write(const struct record_dir *d, const char *id,
		 const struct nvme_record *rec, struct err *err)
{
	bool may_be_lost = rec->may_be_lost && rec->stage != NVME_FORMATTING;
	char path[PATH_MAX];
	struct buf b;
	int rc;

	if (file_of(d, id, "stage", path))
		return err_set(err, ERR_INVALID, "path too long");
	buf_init(&b, RECORD_MAX);
	rc = record_format(rec, id, d->boot_id, &b, err);
	if (!rc)
		rc = may_be_lost ? fsio_overwrite(path, b.data, b.len, err)
				 : fsio_write(path, b.data, b.len, err);
	buf_fini(&b);
	return rc;
}

/* 1 when the name is that of a record, whose id is then out. */
static bool id_of(const char *name, char out[NVME_ID_MAX + 1])
{
	static const char suffix[] = ".stage";
	size_t n = strlen(name), s = sizeof(suffix) - 1;

	if (name[0] == '.' || n <= s || n - s > NVME_ID_MAX ||
	    strcmp(name + n - s, suffix) != 0)
		return false;
	memcpy(out, name, n - s);
	out[n - s] = '\0';
	return true;
}

int record_each(const struct record_dir *d, bool (*each)(void *arg, const char *id),
		void *arg, struct err *err)
{
	char id[NVME_ID_MAX + 1];
	bool goes_on = true;
	struct dirent *e;
	DIR *dir = opendir(d->path);

	if (!dir)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", d->path, strerror(errno));
	while (goes_on && (e = readdir(dir)))
		if (id_of(e->d_name, id))
			goes_on = each(arg, id);
	(void)closedir(dir);
	return 0;
}

/* The lock goes first: a record without a lock is found and forgotten again, a lock
 * without a record never. It is taken for that: a child of a killed driver that still
 * connects makes a session that only the record would tell of. A lock that cannot be made
 * (a full disk) is held by nobody. */
int record_forget(const struct record_dir *d, const char *id, struct err *err)
{
	struct err e = { .code = ERR_OK };
	char path[PATH_MAX];
	int fd = -1, rc;

	if (record_lock(d, id, &fd, &e) && e.code == ERR_ABORTED) {
		*err = e;
		return -1;
	}
	rc = file_of(d, id, "lock", path);
	if (!rc) {
		(void)unlink(path);
		rc = file_of(d, id, "stage", path);
	}
	rc = rc ? err_set(err, ERR_INVALID, "path too long") : fsio_remove(path, err);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int record_lock(const struct record_dir *d, const char *id, int *ret_fd, struct err *err)
{
	char path[PATH_MAX];

	if (file_of(d, id, "lock", path))
		return err_set(err, ERR_INVALID, "path too long");
	return fsio_lock(path, ret_fd, err);
}
