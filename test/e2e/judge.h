#ifndef E2E_JUDGE_H
#define E2E_JUDGE_H
#include "e2e/simctl.h"

/* Reads the box's own history of what happened to volumes that one node at a time may
 * hold, and counts what must never be in it. */
struct judge {
	unsigned events, grants, fences;
	unsigned two_holders; /* a record that names two */
	unsigned takeovers;   /* one holder replaced another, the export on in between */
	unsigned leaked; /* the export came on, or stayed on, with nobody in the record */
	unsigned lost;	 /* events that the ring no longer had */
};

/* False when the history cannot be read. Tells the first few violations. */
bool judge_history(const struct sim *s, struct judge *j);
/* The holder's name in a record ("" when none); false when it names several. */
bool judge_holder(const char *comment, char out[64]);
#endif
