#ifndef E2E_UNWIND_H
#define E2E_UNWIND_H
#include "e2e/life.h"
#include "e2e/states.h"

/* Faults that lead the ops off the successful way, one after another on the box and the
 * driver of a life; every state met is marked. */
void unwind_all(struct life *l, struct states *s);
#endif
