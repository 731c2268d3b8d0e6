/* Outages under load: a port that nobody reaches, one export that is off, a box that
 * reboots, a namespace that comes back under another name. Where the kernel goes on, so
 * does the pod; where it gives the device up, the user is told and stage brings all back.
 */
#include <stdio.h>
#include <string.h>

#include "vm/answer.h"
#include "vm/lab.h"
#include "vm/wire.h"

enum { OUTAGE_MS = 30000, BATCH = 8, UNSYNCED = 64, BACK_MS = 120000 };
static struct lab lab;

struct load {
	struct vol v;
	struct writer w;
	char device[KERN_NAME];
	uint64_t synced; /* before the cut */
};

static bool begin(struct load *l, const char *id, const char *address)
{
	struct track t;

	lab_vol(&lab, &l->v, id);
	l->v.parameters[0] = "nvmeAddress";
	l->v.parameters[1] = address;
	l->v.parameters[2] = "reconnectDelay";
	l->v.parameters[3] = "2";
	if (!lab_up(&lab, &l->v) ||
	    !CHECK(kern_device(lab_nqn(&l->v), l->device), "%s has no device", l->v.id))
		return false;
	lab_track(&l->v, &t);
	return writer_start(&l->w, &t, BATCH) &&
	       CHECK(writer_advances(&l->w, 4 * BATCH, BACK_MS), "%s: no write", id);
}

static void cut_now(struct load *l)
{
	l->synced = l->w.shared->synced;
}

/* The same device, the same mount, no error: only the time was lost. */
static void resumes(struct load *l)
{
	char device[KERN_NAME] = "";

	CHECK(writer_advances(&l->w, 4 * BATCH, BACK_MS), "%s does not go on", l->v.id);
	CHECK(l->w.shared->errors == 0, "%s: %llu errors, the last %d", l->v.id,
	      (unsigned long long)l->w.shared->errors, l->w.shared->last_errno);
	CHECK(kern_device(lab_nqn(&l->v), device) && strcmp(device, l->device) == 0,
	      "%s was %s and is %s", l->v.id, l->device, device);
	CHECK(kern_layers(l->v.target) == 1, "%u mounts at the target",
	      kern_layers(l->v.target));
	health_is_good(&lab.driver, &l->v, BACK_MS);
}

/* The kernel has given the device up: told, and cured by unstage and stage alone. */
static void is_given_up(struct load *l)
{
	unsigned begun = lab_mkfs_begun();
	uint64_t synced;
	struct track t;

	health_is_bad(&lab.driver, &l->v, "gone", BACK_MS);
	CHECK(driver_said(&lab.driver, "\"event\":\"DeviceGone\""), "no event");
	CHECK(writer_end(&l->w, BACK_MS), "%s: the writer hangs", l->v.id);
	CHECK(l->w.shared->errors > 0, "%s: the writer saw no error", l->v.id);
	synced = l->w.shared->synced;
	CHECK(synced >= l->synced, "counted backwards");
	writer_free(&l->w);
	lab_track(&l->v, &t);
	if (!lab_steps(&lab, &l->v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) ||
	    !lab_is_gone(&l->v, lab_nqn(&l->v)) ||
	    !lab_steps(&lab, &l->v, VOL_STAGE, VOL_NODE_PUBLISH))
		return;
	CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
	health_is_good(&lab.driver, &l->v, BACK_MS);
	track_check(&t, synced);
	CHECK(track_write(&t, synced, BATCH), "%s: not written", t.path);
	l->synced = synced + BATCH;
}

static void end(struct load *l)
{
	char nqn[300];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(&l->v));
	if (l->w.shared) {
		CHECK(writer_end(&l->w, BACK_MS), "%s: the writer hangs", l->v.id);
		l->synced = l->w.shared->synced;
		writer_free(&l->w);
	}
	e2e_note("%s: %llu blocks synced", l->v.id, (unsigned long long)l->synced);
	if (lab_down(&lab, &l->v) && lab_is_gone(&l->v, nqn)) {
		lab_data_right(&lab, &l->v, l->synced);
		lab_steps(&lab, &l->v, VOL_DELETE, VOL_DELETE);
	}
}

static bool post(const char *fmt, const char *id)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s%s", fmt, id);
	return sim_post(&lab.sim, path);
}

static bool is_6_1(void)
{
	return kern_is("6.1");
}

/* Loses its device for good at a refused reconnect, from some kernel after 6.1 on. */
static void resumes_or_not(struct load *l)
{
	if (is_6_1())
		resumes(l);
	else
		is_given_up(l);
}

/* Three volumes at the same port, each with a trouble of its own, at the same time. */
static void apart(void)
{
	static const char *const stable[] = { "--ns-uuid", "stable", NULL };
	static struct load far, off, other, calm;
	uint64_t cut_at;

	lab = (struct lab){ .address = wire_box_address, .sim_args = stable };
	if (!CHECK(wire_open(), "no wire") || !lab_open(&lab))
		goto out;
	if (!begin(&far, "pvc-far", wire_address(0)) ||
	    !begin(&off, "pvc-off", wire_address(1)) ||
	    !begin(&other, "pvc-other", wire_address(1)) ||
	    !begin(&calm, "pvc-calm", wire_address(1)))
		goto out;
	cut_now(&far), cut_now(&off), cut_now(&other), cut_now(&calm);
	cut_at = e2e_now_ms();
	wire_silence(0, true);
	post("/nvmet?do=off&ms=30000&slot=", off.v.id);
	post("/nvmet?do=recreate&uuid=new&slot=", other.v.id);
	CHECK(kern_until_lost(lab_nqn(&far.v), BACK_MS), "the silence is not noticed");
	health_is_bad(&lab.driver, &far.v, "does not answer", BACK_MS);
	is_given_up(&other);
	if (e2e_now_ms() < cut_at + OUTAGE_MS)
		e2e_sleep_ms((unsigned)(cut_at + OUTAGE_MS - e2e_now_ms()));
	wire_silence(0, false);
	resumes(&far);
	resumes_or_not(&off);
	resumes(&calm);
	end(&far), end(&off), end(&other), end(&calm);
out:
	lab_close(&lab);
	wire_close();
}

/* The whole box: its port is closed for 5 s, then open without the exports for 10 s. */
static void reboot(void)
{
	static const char *const stable[] = { "--ns-uuid", "stable", NULL };
	static struct load a, b;

	lab = (struct lab){ .sim_args = stable };
	if (!lab_open(&lab) || !begin(&a, "pvc-reboot-a", "127.0.0.1") ||
	    !begin(&b, "pvc-reboot-b", "127.0.0.1"))
		goto out;
	cut_now(&a), cut_now(&b);
	sim_fault(&lab.sim, "export-lag=10000");
	sim_fault(&lab.sim, "reboot=5000");
	CHECK(kern_until_lost(lab_nqn(&a.v), BACK_MS), "the reboot is not noticed");
	e2e_sleep_ms(16000);
	resumes_or_not(&a);
	resumes_or_not(&b);
	end(&a), end(&b);
out:
	lab_close(&lab);
}

/* A pod ends while its box starts: the port is open, the export not there yet, and says
 * "no such name". What the pod wrote last, and did not fsync, still arrives. */
static void closing(void)
{
	static const char *const stable[] = { "--ns-uuid", "stable", NULL };
	static const char *const patient[] = { "--refusal-settle=20s", NULL };
	struct track t;
	struct vol v;
	char nqn[300];

	lab = (struct lab){ .sim_args = stable, .driver_args = patient };
	if (!lab_open(&lab))
		goto out;
	lab_vol(&lab, &v, "pvc-closing");
	v.parameters[0] = "reconnectDelay"; /* the kernel asks when the export is back */
	v.parameters[1] = "22";
	if (!lab_up(&lab, &v))
		goto out;
	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(&v));
	lab_track(&v, &t);
	if (!CHECK(track_write(&t, 0, BATCH), "%s: not written", t.path))
		goto out;
	CHECK(track_dirty(&t, BATCH, UNSYNCED), "%s: not written", t.path);
	sim_fault(&lab.sim, "export-lag=12000");
	sim_fault(&lab.sim, "reboot=1000");
	CHECK(kern_until_lost(nqn, BACK_MS), "the reboot is not noticed");
	e2e_sleep_ms(2000);
	if (lab_steps(&lab, &v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) &&
	    lab_is_gone(&v, nqn)) {
		CHECK(!driver_said(&lab.driver, "FencedLeftover"), "it was cut");
		vol_must(&lab.driver, &v, VOL_UNPUBLISH);
		lab_data_right(&lab, &v, BATCH + UNSYNCED);
		vol_must(&lab.driver, &v, VOL_DELETE);
	}
out:
	lab_close(&lab);
}

static const struct e2e_test tests[] = { { "apart", apart, true },
					 { "reboot", reboot, true },
					 { "closing", closing, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
