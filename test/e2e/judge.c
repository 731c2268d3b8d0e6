#include "e2e/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/e2e.h"

enum { MAX_DISKS = 64, TOLD = 5 };

struct disk {
	char slot[160], holder[64];
	bool is_exported, was_off; /* off since the last holder was written */
};

static struct disk disks[MAX_DISKS];
static unsigned n_disks;

bool judge_holder(const char *comment, char out[64])
{
	const char *h = strstr(comment, " h="), *end;

	out[0] = '\0';
	if (!h)
		return true;
	h += 3;
	end = h + strcspn(h, " ");
	if (memchr(h, ',', (size_t)(end - h)))
		return false;
	if (*h != '-')
		(void)snprintf(out, 64, "%.*s", (int)strcspn(h, "/ "), h);
	return true;
}

static struct disk *disk_of(const char *slot)
{
	for (unsigned i = 0; i < n_disks; i++)
		if (strcmp(disks[i].slot, slot) == 0)
			return &disks[i];
	if (n_disks == MAX_DISKS)
		return NULL;
	disks[n_disks] = (struct disk){ .was_off = true };
	(void)snprintf(disks[n_disks].slot, sizeof(disks[0].slot), "%s", slot);
	return &disks[n_disks++];
}

static void tell(unsigned *count, const char *what, const json_t *e)
{
	char *text = json_dumps(e, JSON_COMPACT);

	if ((*count)++ < TOLD)
		e2e_note("%s: %s", what, text ? text : "");
	free(text);
}

static void on_record(struct judge *j, struct disk *d, const json_t *e)
{
	const char *comment = sim_text(e, "new");
	char holder[64];

	if (!judge_holder(comment, holder)) {
		tell(&j->two_holders, "two holders", e);
		return;
	}
	j->fences += strstr(comment, " s=fencing ") != NULL;
	if (holder[0] && d->holder[0] && strcmp(holder, d->holder) != 0 && !d->was_off)
		tell(&j->takeovers, "one holder replaced another", e);
	if (!holder[0] && d->holder[0] && d->is_exported)
		j->leaked++;
	if (holder[0] && strcmp(holder, d->holder) != 0) {
		j->grants++;
		d->was_off = !d->is_exported;
	}
	(void)snprintf(d->holder, sizeof(d->holder), "%s", holder);
}

static void on_event(void *arg, const json_t *e)
{
	const char *prop = sim_text(e, "prop"), *slot = sim_text(e, "slot");
	struct disk *d = *slot ? disk_of(slot) : NULL;
	struct judge *j = arg;

	if (!j->events++)
		j->lost = (unsigned)json_integer_value(json_object_get(e, "n"));
	if (!d || strcmp(sim_text(e, "op"), "set") != 0)
		return;
	if (strcmp(prop, "comment") == 0)
		on_record(j, d, e);
	if (strcmp(prop, "nvme-tcp-export") != 0)
		return;
	d->is_exported = strcmp(sim_text(e, "new"), "yes") == 0;
	if (!d->is_exported)
		d->was_off = true;
	else if (!d->holder[0])
		j->leaked++;
	else
		d->was_off = false;
}

bool judge_history(const struct sim *s, struct judge *j)
{
	memset(j, 0, sizeof(*j));
	n_disks = 0;
	return sim_history(s, 0, on_event, j) >= 0 && j->events > 0;
}
