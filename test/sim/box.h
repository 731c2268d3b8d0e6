/* The simulated box: disks, image files, Btrfs subvolumes, space, exports. It owns all of
 * it; rows handed out are borrowed and valid until the next change.
 *
 * Under opt.dir: pool/ (the pool's files, real), exports/ (one symlink per exported disk,
 * named by its NQN, exactly while it is exported), state.log (one JSON line per change,
 * so that a killed simulator comes back as a rebooted box would). */
#ifndef SIM_BOX_H
#define SIM_BOX_H

#include "sim/nvmet.h"
#include "sim/schema.h"
#include "sim/value.h"

enum {
	BOX_HISTORY_MAX = 200000,
	BOX_HASH = 16384,
	BOX_OTHER_BYTES = 16 << 20, /* what the file system itself takes */
	BOX_FIGURES = 32,
};

struct box_opt {
	char dir[512];
	unsigned version;
	char version_text[24];
	char pool_fs[8], pool_slot[32], pool_label[32], mount_point[64], base[96];
	uint64_t pool_bytes;
	unsigned comment_max; /* longer comments are refused */
	unsigned op_add_ms, op_remove_ms, op_set_ms, op_print_ms, op_per_gib_ms;
	unsigned dead_ms;      /* a removed subvolume is listed as dead for so long */
	bool set_reexports;    /* any set of an exported disk applies the export anew */
	bool nqn_needs_export; /* an NQN given while the export is off is dropped */
	bool grow_is_lazy;     /* a new file-size shows in size after the next export */
	char package[16];      /* of rose-storage: there, disabled or missing */
	char csi_policy[128];  /* of the group csi */
	bool ns_uuid_random;   /* the namespace's uuid is a new one at each export */
	struct nvmet_opt nvmet;
};

struct prop {
	struct prop *next;
	int index; /* in the /disk property list */
	char *val;
};

struct disk {
	unsigned id;
	char *slot;
	char *path; /* of the image, without the leading slash; NULL: no file disk */
	const char *type;
	struct prop *props; /* set ones except slot, file-path, file-size, the export */
	uint64_t size, file_size;
	bool is_exported, is_mounted, is_pool;
	char ns_uuid[37], link[256]; /* link: name under exports/, "" none */
	unsigned export_count;
	char *other_file; /* what the target serves instead of the image; NULL: the image
			   */
	bool is_down;	  /* by a test, until the target is asked for `back` */
	enum nvmet_act back;
	uint64_t back_ms; /* when that happens by itself; 0: it does not */
	struct disk *prev, *next, *slot_next, *nqn_next, *path_next, *id_next;
	char *nqn; /* effective: set, or the slot */
};

struct image {
	char *path; /* as disk.path */
	uint64_t bytes;
	struct image *next;
};

struct subvol {
	unsigned id; /* also the Btrfs id */
	char *fullname, uuid[37], parent_uuid[37], created[24];
	const char *name; /* last component of fullname */
	bool is_read_only, is_snapshot, is_root;
	uint64_t dead_until; /* 0: alive */
	struct subvol *prev, *next, *hash_next;
};

struct event {
	uint64_t t_ms;
	unsigned exec, stmt;
	char *text; /* JSON members, without the braces */
};

struct box_stats {
	uint64_t connections, channels, execs, execs_failed, unknown, shrinks;
	unsigned channels_now, channels_peak, execs_now, execs_peak, sessions_now;
};

struct run;

struct figure {
	char name[64], value[32];
};

struct users;

struct box {
	struct box_opt opt;
	struct users *users; /* users.h */
	struct box_stats stats;
	const struct menu_schema *disk_schema;
	struct disk *first, *last, *slots[BOX_HASH], *nqns[BOX_HASH], *paths[BOX_HASH];
	struct disk *ids[BOX_HASH];
	unsigned n_disks, next_id;
	struct image *images[BOX_HASH];
	unsigned n_images, n_mounted_files;
	uint64_t charged;
	struct subvol *sv_first, *sv_last, *svs[BOX_HASH];
	unsigned next_subvol, n_subvols, n_nested; /* nested: with "/" in the full name */
	bool real_btrfs, no_space, is_pool_away;
	int64_t *timeouts; /* so many changes are done and reported as timed out */
	struct global *globals;
	int log_fd;
	struct event *history;
	uint64_t n_events; /* ever */
	uint64_t started_ms, exports_down_until;
	struct exports *exports;	    /* export.c */
	struct figure figures[BOX_FIGURES]; /* that a test has set (figures.h) */
	unsigned n_figures;
};

/* Opens or makes the state under opt.dir. NULL with a line on stderr. */
struct box *box_open(const struct box_opt *opt);
void box_close(struct box *b);

/* ---- disks ---- */
struct disk *box_disk_by_slot(struct box *b, const char *slot);
struct disk *box_disk_by_id(struct box *b, unsigned id);
struct disk *box_disk_by_path(struct box *b, const char *path);
struct disk *box_disk_new(struct box *b, const char *slot, const char *type);
void box_disk_index(struct box *b, struct disk *d, bool add);
void box_disk_free(struct box *b, struct disk *d); /* unlinks it too */
const char *disk_prop(const struct disk *d, int index);
/* val NULL removes it. The NQN's index is kept right. */
void box_disk_set_prop(struct box *b, struct disk *d, int index, const char *val);
int box_prop(const struct box *b, const char *name); /* its index in /disk */
/* The other exported disk with this NQN, or NULL. */
struct disk *box_nqn_holder(struct box *b, const char *nqn, const struct disk *except);
bool box_take_timeout(struct box *b); /* counts down b->timeouts */
void box_tick(struct box *b);	      /* exports that are due, dead subvolumes */

/* ---- files and space (files.c) ---- */
/* "/storage-pool/a" -> "storage-pool/a"; NULL if it is not a plain path on the pool. */
const char *box_pool_path(const struct box *b, const char *path);
void box_host_path(const struct box *b, const char *path, char *ret, size_t size);
struct image *box_image(struct box *b, const char *path);
void box_image_charge(struct box *b, const char *path, uint64_t bytes);
void box_image_forget(struct box *b, const char *path);
uint64_t box_free(const struct box *b);
/* 0, or -1 with errno. */
int box_file_create(struct box *b, const char *path, uint64_t bytes);
int box_file_grow(struct box *b, const char *path, uint64_t bytes);
int box_file_remove(struct box *b, const char *path); /* file or empty directory */
/* "ext4", "xfs", "btrfs" or NULL: what a kernel would mount. */
const char *box_file_fs(const struct box *b, const char *path);
void box_image_scan(struct box *b);

/* ---- subvolumes (subvol.c) ---- */
struct subvol *box_subvol_by_name(struct box *b, const char *fullname);
struct subvol *box_subvol_by_id(struct box *b, unsigned id);
/* from: snapshot of it. NULL with errno. */
struct subvol *box_subvol_add(struct box *b, const char *fullname, struct subvol *from,
			      bool read_only);
int box_subvol_remove(struct box *b, struct subvol *s);
struct subvol *box_subvol_link(struct box *b, unsigned id, const char *fullname);
void box_subvol_unlink(struct box *b, struct subvol *s);
bool box_is_btrfs(const char *dir);

/* ---- journal and history (journal.c) ---- */
int box_load(struct box *b);
void box_save_disk(struct box *b, const struct disk *d);
void box_save_subvol(struct box *b, const struct subvol *s);
void box_save_gone(struct box *b, const char *kind, unsigned id);
/* One effect; any text may be NULL. */
void box_history(struct box *b, const struct run *r, const char *op,
		 const char *const *kv);
void box_history_write(const struct box *b, struct sb *out, uint64_t from);

/* ---- variables that outlive a script ---- */
void box_set_global(struct box *b, const char *name, const struct value *v);
struct value box_get_global(struct box *b, const char *name);

void box_uuid(char *ret); /* 37 bytes */

#endif
