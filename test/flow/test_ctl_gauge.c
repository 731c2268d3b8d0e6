#include "fakes/ctl_cluster.h"

/* rds_csi_nvme_connections_active against a model of it: volumes with one PV or two, of
 * their own name or another; VolumeAttachments that are made and never attached, that
 * lose their status again, that stay when the volume was let go; and a controller that
 * starts anew. */
enum { N_VOLUMES = 6, N_PVS = 8, STEPS = 200, RESTARTS = 10 };

struct object {
	bool is_there, is_attached, is_released;
	bool is_acked; /* Publish said OK to the controller that runs now */
};

static const char *const nodes[] = { "node-a", "node-b" };

struct model {
	struct ctl c;
	struct object objects[N_PVS][2];
	uint64_t seed;
	unsigned n_steps, n_restarts, n_held, most;
	bool is_catching_up;
};

static struct model *m;

static uint32_t chance(uint32_t n)
{
	m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(m->seed >> 33) % n;
}

/* The last two PVs name volumes that others name already. */
static const char *handle_of(unsigned pv)
{
	static char id[2][16];
	static unsigned n;

	n = !n;
	snprintf(id[n], sizeof(id[n]), "pvc-%u", pv % N_VOLUMES);
	return id[n];
}

static void name_pv(unsigned pv, char name[16])
{
	snprintf(name, 16, pv % 2 ? "pv-%u" : "pvc-%u", pv);
}

static void show(unsigned pv, unsigned n)
{
	char name[32], pv_name[16];

	name_pv(pv, pv_name);
	snprintf(name, sizeof(name), "csi-%u-%u", pv, n);
	if (m->objects[pv][n].is_there)
		fake_k8s_va(&m->c.cluster, name, NULL, nodes[n], pv_name,
			    m->objects[pv][n].is_attached);
	else
		fake_k8s_remove(&m->c.cluster, K8S_VA, NULL, name);
}

static bool is_held(unsigned volume)
{
	bool ret = fake_rds_find(&m->c.box, handle_of(volume))->record.n_holders > 0;

	for (unsigned pv = volume; pv < N_PVS; pv += N_VOLUMES)
		for (unsigned n = 0; n < 2; n++) {
			const struct object *o = &m->objects[pv][n];

			ret |= o->is_there && !o->is_released &&
			       (o->is_attached || o->is_acked);
		}
	return ret;
}

static void check_gauge(const char *after)
{
	size_t held = 0, shown = 99;

	if (m->is_catching_up)
		return;
	for (unsigned v = 0; v < N_VOLUMES; v++)
		held += is_held(v);
	cr_assert(attachments_gauge(m->c.csi.attachments, &shown));
	cr_assert_eq(shown, held, "step %u, after %s: %zu shown, %zu held", m->n_steps,
		     after, shown, held);
	m->n_held += held > 0;
	m->most = held > m->most ? (unsigned)held : m->most;
}

static void publish(unsigned pv, unsigned n)
{
	struct object *o = &m->objects[pv][n];

	if (!o->is_there) {
		*o = (struct object){ .is_there = true };
		show(pv, n);
		check_gauge("an object was made");
	}
	if (ctl_publish(&m->c, handle_of(pv), nodes[n]) != ERR_OK)
		return;
	/* Of the volume and the node, whichever PV it was for. */
	for (unsigned k = pv % N_VOLUMES; k < N_PVS; k += N_VOLUMES) {
		m->objects[k][n].is_acked = true;
		m->objects[k][n].is_released = false;
	}
	check_gauge("a publish");
	o->is_attached = chance(4) != 0;
	show(pv, n);
}

static void unpublish(unsigned pv, unsigned n)
{
	struct object *o = &m->objects[pv][n];

	if (!o->is_there)
		return;
	cr_assert_eq(ctl_unpublish(&m->c, handle_of(pv), nodes[n]), ERR_OK);
	for (unsigned k = pv % N_VOLUMES; k < N_PVS; k += N_VOLUMES) {
		m->objects[k][n].is_acked = false;
		m->objects[k][n].is_released = true;
	}
	check_gauge("an unpublish");
	o->is_there = chance(4) == 0; /* sometimes its end comes later */
	show(pv, n);
}

/* The attacher goes on where no status says that it is done. */
static void restart(void)
{
	m->n_restarts++;
	m->is_catching_up = true;
	ctl_restart(&m->c);
	for (unsigned pv = 0; pv < N_PVS; pv++)
		for (unsigned n = 0; n < 2; n++)
			m->objects[pv][n].is_acked = m->objects[pv][n].is_released =
				false;
	for (unsigned v = 0; v < N_VOLUMES; v++) {
		const struct rds_record *r =
			&fake_rds_find(&m->c.box, handle_of(v))->record;

		for (unsigned n = 0; n < 2 && r->n_holders; n++)
			if (strcmp(r->holders[0].node, nodes[n]) == 0)
				publish(v, n);
	}
	m->is_catching_up = false;
}

static void step(void)
{
	unsigned pv = chance(N_PVS), n = chance(2);
	struct object *o = &m->objects[pv][n];
	uint32_t dice = chance(10);

	if (dice < 5) {
		publish(pv, n);
	} else if (dice < 8) {
		unpublish(pv, n);
	} else if (o->is_there) {
		/* Somebody writes into the status. */
		o->is_attached = !o->is_attached;
		show(pv, n);
	}
	check_gauge("a step");
}

Test(ctl_gauge, it_is_the_number_of_volumes_that_somebody_holds)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		char name[16];

		m = calloc(1, sizeof(*m));
		m->seed = seed;
		ctl_open_k8s(&m->c);
		for (unsigned pv = 0; pv < N_PVS; pv++) {
			name_pv(pv, name);
			fake_k8s_pv(&m->c.cluster, name, handle_of(pv));
			if (pv < N_VOLUMES)
				cr_assert_eq(ctl_create(&m->c, handle_of(pv), GIB),
					     ERR_OK);
		}
		for (m->n_steps = 0; m->n_steps < STEPS; m->n_steps++) {
			step();
			if (m->n_steps % (STEPS / RESTARTS) == 0) {
				restart();
				check_gauge("a restart");
			}
		}
		cr_assert_eq(m->n_restarts, RESTARTS);
		cr_assert_gt(m->n_held, STEPS);
		cr_assert_geq(m->most, 4);
		ctl_close(&m->c);
		free(m);
	}
}

/* Sixteen volumes, a new process: right at once, and absent before the lists are whole.
 */
Test(ctl_gauge, a_new_process_knows_it_from_the_objects_alone)
{
	struct ctl c;
	size_t n = 99;

	ctl_open_k8s(&c);
	for (unsigned i = 0; i < 16; i++) {
		char id[16], va[16];

		snprintf(id, sizeof(id), "pvc-%u", i);
		snprintf(va, sizeof(va), "va-%u", i);
		fake_k8s_pv(&c.cluster, id, id);
		cr_assert_eq(ctl_create(&c, id, GIB), ERR_OK);
		cr_assert_eq(ctl_publish(&c, id, "node-a"), ERR_OK);
		fake_k8s_va(&c.cluster, va, NULL, "node-a", id, true);
	}
	fake_k8s_incomplete(&c.cluster);
	ctl_restart(&c);
	cr_assert(!attachments_gauge(c.csi.attachments, &n));
	fake_k8s_relist(&c.cluster);
	cr_assert(attachments_gauge(c.csi.attachments, &n));
	cr_assert_eq(n, 16);
	/* An outage changes nothing. */
	fake_k8s_stale(&c.cluster, true);
	cr_assert(attachments_gauge(c.csi.attachments, &n));
	cr_assert_eq(n, 16);
	ctl_close(&c);
}
