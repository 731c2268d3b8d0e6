#include "rds/features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "rds/ros_text.h"
#include "rds/row.h"

static void copy(char *out, size_t size, const char *s)
{
	(void)snprintf(out, size, "%s", s ? s : "");
}

/* A text too long for its place is none that we could use. */
static void text(const struct row *row, const char *key, char *out, size_t size)
{
	if (row_text(row, key, out, size))
		out[0] = '\0';
}

static void note_package(struct features_seen *seen, const struct row *row)
{
	char name[32];
	bool is_off;

	text(row, "name", name, sizeof(name));
	if (strcmp(name, "rose-storage") != 0)
		return;
	(void)row_flag(row, "disabled", &is_off);
	seen->has_package = true;
	seen->is_package_off = is_off;
}

/* A Btrfs of several disks lists the mount point at each of them. */
static void note_pool(struct features_seen *seen, const struct row *row)
{
	char uuid[sizeof(seen->uuid)];

	text(row, "fs-uuid", uuid, sizeof(uuid));
	if (seen->n_pools++) {
		seen->is_ambiguous |= !uuid[0] || strcmp(uuid, seen->uuid) != 0;
		return;
	}
	copy(seen->uuid, sizeof(seen->uuid), uuid);
	text(row, "slot", seen->pool_slot, sizeof(seen->pool_slot));
	text(row, "fs", seen->fs, sizeof(seen->fs));
	text(row, "fs-label", seen->label, sizeof(seen->label));
}

/* Subvolumes are made by the file system's label and found again by path, so the pool
 * must show its root, not another subvolume, at the mount point, and the properties must
 * mean what we take them for: fs the label, name the last component. */
static void note_subvolume(struct features_seen *seen, const struct row *row)
{
	char fs[sizeof(seen->label)], name[16], full[16];

	text(row, "fs", fs, sizeof(fs));
	text(row, "name", name, sizeof(name));
	text(row, "fullname", full, sizeof(full));
	if (seen->label[0] && strcmp(fs, seen->label) == 0 &&
	    strcmp(name, "<FS_ROOT>") == 0 && strcmp(full, "<FS_ROOT>") == 0)
		seen->has_root = true;
}

void features_note(struct features_seen *seen, const struct ros_event *ev)
{
	struct err err;
	struct row row;

	seen->is_nonsense |= ev->word == ROS_SAID_NONSENSE;
	if (ev->word == ROS_SAID_VERSION)
		copy(seen->version, sizeof(seen->version), ev->text);
	if (ev->word != ROS_SAID_ROW)
		return;
	if (row_parse(&row, ev->text, ev->len, &err))
		seen->is_nonsense = true;
	else if (ev->tag == 'b')
		note_package(seen, &row);
	else if (ev->tag == 'c')
		note_pool(seen, &row);
	else if (ev->tag == 'd')
		note_subvolume(seen, &row);
}

bool features_is_new_enough(const char *version)
{
	char *end;
	long major = strtol(version, &end, 10), minor;

	if (end == version || *end != '.')
		return false;
	minor = strtol(end + 1, NULL, 10);
	return major > 7 || (major == 7 && minor >= 21);
}

int features_decide(const struct features_seen *seen, struct ros_site *site,
		    struct rds_features *f, struct err *err)
{
	if (seen->is_nonsense || !seen->version[0])
		return err_set(err, ERR_UNAVAILABLE,
			       "the box did not tell its version as RouterOS does");
	if (!features_is_new_enough(seen->version))
		return err_set(err, ERR_PRECONDITION,
			       "the box runs RouterOS %s; 7.21 or later is needed, which "
			       "knows nvme-tcp-server-nqn",
			       seen->version);
	if (!seen->has_package || seen->is_package_off)
		return err_set(err, ERR_PRECONDITION,
			       "the package rose-storage is %s on the box",
			       seen->has_package ? "disabled" : "missing");
	if (!seen->n_pools || !ros_is(ROS_SLOT, seen->pool_slot))
		return err_set(err, ERR_PRECONDITION,
			       "no mounted disk of the box has the mount point %s",
			       site->pool);
	if (seen->is_ambiguous)
		return err_set(err, ERR_PRECONDITION,
			       "several file systems of the box have the mount point %s",
			       site->pool);
	copy(site->pool_slot, sizeof(site->pool_slot), seen->pool_slot);
	f->has_subvolumes = strcmp(seen->fs, "btrfs") == 0 && seen->has_root &&
			    ros_is(ROS_LABEL, seen->label);
	copy(site->label, sizeof(site->label), f->has_subvolumes ? seen->label : "");
	copy(f->version, sizeof(f->version), seen->version);
	f->version[strcspn(f->version, " ")] = '\0';
	f->is_known = true;
	return 0;
}
