#include "csi/node/kubelet_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fsio.h"
#include "core/log.h"
#include "core/mem.h"
#include "csi/node/vol_data.h"
#include "csi/node/work.h"

/* The kubelet's directory is at most 120 bytes long (--kubelet-dir), a name 255. */
enum { ROOT_SIZE = 256, PATH_SIZE = 1024 };

/* One of the three layouts. */
struct layout {
	const char *dir;  /* whose entries are looked at, below …/csi */
	const char *data; /* the data file within an entry */
	/* Where an entry is staged: below dir, with the entry's name in between. */
	const char *before, *after;
	bool is_block;
};

struct reading {
	struct kubelet_volumes *v;
	const char *root, *driver; /* root: <kubelet>/plugins/kubernetes.io/csi */
	struct layout layout;
};

static int grow(struct kubelet_volumes *v, struct err *err)
{
	size_t cap = v->cap ? v->cap * 2 : 16;
	struct kubelet_volume *at;

	if (v->n < v->cap)
		return 0;
	if (v->n >= KUBELET_MAX_VOLUMES)
		return err_set(err, ERR_EXHAUSTED, "more than %d volume directories",
			       KUBELET_MAX_VOLUMES);
	at = mem_realloc(v->at, cap * sizeof(*at));
	if (!at)
		return err_nomem(err);
	v->at = at;
	v->cap = cap;
	return 0;
}

static int add(const struct reading *r, const char *name, const char *id, struct err *err)
{
	const struct layout *l = &r->layout;
	char path[PATH_SIZE], canonical[NVME_PATH_MAX + 1];
	struct kubelet_volume *vol;
	int n = snprintf(path, sizeof(path), "%s/%s/%s%s%s", r->root, l->dir, l->before,
			 name, l->after);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, ERR_INVALID, "path too long");
	if (grow(r->v, err))
		return -1;
	node_path_canonical(path, canonical);
	vol = &r->v->at[r->v->n];
	vol->staging = mem_strdup(canonical);
	if (!vol->staging)
		return err_nomem(err);
	memcpy(vol->id, id, strlen(id) + 1);
	vol->is_block = l->is_block;
	r->v->n++;
	return 0;
}

/* 1 ours, 0 not ours or nothing, -1. Only a plain file is opened: a pipe would hang. */
static int read_data(const struct reading *r, const char *name, char id[ID_VOLUME],
		     struct err *err)
{
	char path[PATH_SIZE];
	struct stat st;
	struct buf b;
	int n = snprintf(path, sizeof(path), "%s/%s/%s/%s", r->root, r->layout.dir, name,
			 r->layout.data);

	if (n < 0 || (size_t)n >= sizeof(path) || lstat(path, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "vol_data.json is no plain file");
	buf_init(&b, VOL_DATA_MAX);
	n = fsio_read(path, &b, err);
	if (!n)
		n = vol_data_parse(b.data ? b.data : "", b.len, r->driver, id, err);
	buf_fini(&b);
	return n;
}

static int read_entry(const struct reading *r, const char *name, struct err *err)
{
	struct err why = { .code = ERR_OK };
	char id[ID_VOLUME];
	int rc = read_data(r, name, id, &why);

	if (rc > 0)
		return add(r, name, id, err);
	if (rc < 0)
		log_warn("node", "a volume directory of the kubelet is passed over",
			 KS("dir", r->layout.dir), KS("name", name), KS("err", why.msg));
	return 0;
}

static int read_layout(const struct reading *r, struct err *err)
{
	char path[PATH_SIZE];
	struct dirent *e;
	DIR *d;
	int rc = 0;

	(void)snprintf(path, sizeof(path), "%s/%.100s", r->root, r->layout.dir);
	d = opendir(path);
	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	while (!rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = read_entry(r, e->d_name, err);
	(void)closedir(d);
	return rc;
}

int kubelet_volumes_read(struct kubelet_volumes *v, const char *kubelet_dir,
			 const char *driver, struct err *err)
{
	const struct layout layouts[] = {
		{ driver, "vol_data.json", "", "/globalmount", false },
		{ "pv", "vol_data.json", "", "/globalmount", false },
		{ "volumeDevices", "data/vol_data.json", "staging/", "", true },
	};
	struct reading r = { .v = v, .driver = driver };
	char root[ROOT_SIZE];

	*v = (struct kubelet_volumes){ .n = 0 };
	r.root = root;
	(void)snprintf(root, sizeof(root), "%s/plugins/kubernetes.io/csi", kubelet_dir);
	for (unsigned i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		r.layout = layouts[i];
		if (read_layout(&r, err))
			return -1;
	}
	return 0;
}

void kubelet_volumes_fini(struct kubelet_volumes *v)
{
	for (size_t i = 0; i < v->n; i++)
		mem_free(v->at[i].staging);
	mem_free(v->at);
	*v = (struct kubelet_volumes){ .n = 0 };
}

bool kubelet_volumes_have(const struct kubelet_volumes *v, const char *id)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->at[i].id, id) == 0)
			return true;
	return false;
}
