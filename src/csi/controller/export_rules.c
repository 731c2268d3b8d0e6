#include "csi/controller/export_rules.h"

#include <string.h>

#include "csi/ids.h"

/* …-8-4-4-4-12 hex digits: made of the UID of a claim, which never comes twice. */
static bool is_never_reused(const char *id)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t n = strlen(id), m = sizeof(form) - 1;

	if (n < m || (n > m && id[n - m - 1] != '-'))
		return false;
	for (size_t i = 0; i < m; i++)
		if (form[i] == '-' ? id[n - m + i] != '-'
				   : !strchr("0123456789abcdef", id[n - m + i]))
			return false;
	return true;
}

static enum export_verdict leave(struct export_plan *ret, const char *why)
{
	(void)err_set(&ret->why, ERR_PRECONDITION, "%s", why);
	return EXPORT_LEFT;
}

/* What no word of anybody makes safe. */
static const char *bar(const struct rds_volume *v, bool is_own)
{
	if (v->record.kind != RDS_RECORD_OURS)
		return "its record cannot be read";
	if (!v->is_file_disk || v->layout == RDS_LAYOUT_AUTO)
		return "its file does not lie where volumes lie";
	if (!is_own)
		return "its NQN is none of this volume's";
	if (v->record.is_fencing)
		return "a fence has begun and is not finished; a controller finishes it "
		       "when the volume is attached or detached next";
	return NULL;
}

static enum export_verdict leave_held(const struct rds_volume *v, struct export_plan *ret)
{
	const struct rds_holder *h = &v->record.holders[0];

	(void)err_set(&ret->why, ERR_PRECONDITION,
		      h->use == 'u'
			      ? "%s was let go and is not cut off yet"
			      : "%s holds it, and not under the plain NQN; detach it "
				"first",
		      h->node);
	return EXPORT_LEFT;
}

/* What depends on who may still ask for the plain NQN. */
static const char *doubt(const struct rds_volume *v, uint32_t generation, bool is_plain)
{
	if (generation)
		return "it was fenced: a host that was cut off may still ask for the "
		       "plain NQN. Once each that was has been rebooted, or has never "
		       "had it, --even=ID";
	if (!is_plain && !is_never_reused(v->id))
		return "an older volume of this name may have had the plain NQN, and a "
		       "host may still ask for it. If none does, --even=ID";
	return NULL;
}

enum export_verdict export_decide(const struct rds_volume *v, bool is_even,
				  struct export_plan *ret)
{
	uint32_t generation = 0;
	bool is_own, is_plain;
	const char *why;

	*ret = (struct export_plan){ .record = v->record };
	if (!id_is_volume(v->id))
		return leave(ret, "its name is none of a volume");
	id_base_nqn(v->id, ret->nqn);
	is_own = id_nqn_is_of(v->nqn, v->id, &generation);
	is_plain = strcmp(v->nqn, ret->nqn) == 0;
	why = bar(v, is_own);
	if (why)
		return leave(ret, why);
	if (is_plain && v->is_exported)
		return EXPORT_WAS;
	if (v->record.n_holders)
		return leave_held(v, ret);
	if (v->is_exported)
		return leave(ret, "exported under another NQN, and nobody holds it; a "
				  "controller with --export-policy=attached switches "
				  "that off");
	if (v->is_mounted)
		return leave(ret, "the box itself has it mounted");
	if (generation < v->record.generation)
		generation = v->record.generation;
	why = is_even ? NULL : doubt(v, generation, is_plain);
	if (why)
		return leave(ret, why);
	/* From here on it is as one that never was fenced. */
	ret->record.generation = 0;
	return EXPORT_MAY;
}
