#include "e2e/states.h"

#include <string.h>

#include "e2e/e2e.h"

static const struct states_beyond beyond[] = {
	{ "http2 connection", "connecting", "none: the client side, `rds-csi call`" },
	{ "node request", "queued",
	  "more attaches than turns, which the loop back end does not limit: "
	  "test/unit/test_request" },
	{ "node publish", "undoing",
	  "the bind is there and cannot be proven: test/flow/test_node_faults" },
	{ "node publish", "clearing",
	  "the device is gone under its target: test/flow/test_node_session" },
	{ "stage", "unmounting_target",
	  "the device is gone under a fenced target: test/flow/test_node_session" },
	{ "stage", "cutting_others",
	  "a session under an older name: test/flow/test_node_session" },
	{ "node unpublish", "asking",
	  "busy, and the session is lost: test/flow/test_node_busy" },
	{ "node unpublish", "cutting",
	  "busy, and the target refuses the name for good: test/flow/test_node_busy" },
	{ "node unpublish", "unmounting_freed",
	  "after the cut: test/flow/test_node_busy" },
	{ "unstage", "asking",
	  "a target that does not answer: test/flow/test_node_session" },
	{ "unstage", "cutting",
	  "a target that refuses the name for good: test/flow/test_node_session" },
	{ "stage", "undoing_mount",
	  "the record cannot be written after the mount: test/flow/test_node_faults" },
	{ "controller_publish", "queued",
	  "another volume of its virtual machine is at work: test/flow/test_ctl_vmi" },
	{ "controller_unpublish", "queued",
	  "another volume of its virtual machine is at work: test/flow/test_ctl_vmi" },
	{ "change", "resolving",
	  "with Kubernetes, an attachment of an unknown PV: "
	  "test/flow/test_ctl_k8s_objects" },
	{ "change", "checking",
	  "with Kubernetes, a node that looks lost: test/flow/test_ctl_k8s_faults" },
	{ "delete", "resolving",
	  "with Kubernetes, an attachment of an unknown PV: "
	  "test/flow/test_ctl_k8s_objects" },
	{ 0 },
};

void states_mark(struct states *s, const struct crash_file *c, const struct crash_move *m,
		 enum states_mark mark)
{
	(void)c;
	if (!m->count)
		return;
	s->marks[m->type][m->to] |= (unsigned char)mark;
	if (mark != STATES_KILLED)
		s->marks[m->type][m->from] |= (unsigned char)mark;
}

bool states_is_beyond(const struct states_beyond *table, const char *type,
		      const char *state)
{
	for (; table->type; table++)
		if (strcmp(table->type, type) == 0 && strcmp(table->state, state) == 0)
			return true;
	return false;
}

void states_check_table(const struct states_beyond *table, const struct crash_file *c)
{
	for (; table->type; table++)
		for (unsigned t = 0; t < c->n_types; t++) {
			bool known = strcmp(c->types[t].name, table->type) != 0;

			for (unsigned s = 0; s < c->types[t].n_states; s++)
				known |= strcmp(c->types[t].states[s], table->state) == 0;
			CHECK(known, "op %s has no state %s any more", table->type,
			      table->state);
		}
}

void states_check(const struct states *s, const struct crash_file *c)
{
	unsigned seen = 0, killed = 0;

	states_check_table(beyond, c);
	for (unsigned t = 0; t < c->n_types; t++)
		for (unsigned st = 0; st < c->types[t].n_states; st++) {
			const char *type = c->types[t].name,
				   *state = c->types[t].states[st];
			unsigned m = s->marks[t][st];

			seen += (m & STATES_SEEN) != 0;
			killed += (m & STATES_SEEN) && (m & STATES_KILLED);
			if (m & STATES_SEEN)
				CHECK(m & STATES_KILLED, "op %s was never killed in %s",
				      type, state);
			else if (!(m & STATES_MET))
				CHECK(states_is_beyond(beyond, type, state),
				      "op %s: state %s was never entered and no fault is "
				      "named that does",
				      type, state);
		}
	e2e_note("%u op types; killed in %u of the %u states of the successful way",
		 c->n_types, killed, seen);
}
