#ifndef NODE_ADOPT_RULES_H
#define NODE_ADOPT_RULES_H
#include "nvme/nvme.h"

/* What is to be done at start about one volume that the kubelet's directories name, or
 * that has a record, or both. Pure. */
struct adopt_facts {
	bool is_named; /* by a directory of the kubelet, which says: */
	bool is_block;
	const char *staging;	       /* where it is or was staged */
	const struct nvme_view *view;  /* looked at staging */
	const struct nvme_record *rec; /* NULL = none */
	const char *base_nqn, *nqn_prefix;
};

enum adopt_do {
	ADOPT_NOTHING, /* as it should be, or not ours to touch; *ret_why says which */
	ADOPT_RECORD,  /* staged without a record that says so: write one */
	ADOPT_DETACH,  /* connected by us and never staged: a kill came between */
	ADOPT_FORGET,  /* a record of an earlier boot of which nothing is left */
};
/* *ret_why: for the log, "" = nothing that anybody must know. */
enum adopt_do adopt_decide(const struct adopt_facts *f, const char **ret_why);

/* The record to write for ADOPT_RECORD. */
void adopt_record(const struct adopt_facts *f, struct nvme_record *ret);
/* Whether the record goes once its session is gone; a mkfs that was begun stays on
 * record: only so may it be done again. */
bool adopt_forgets(const struct nvme_record *rec);
#endif
