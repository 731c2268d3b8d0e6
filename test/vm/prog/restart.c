/* A node plugin that is killed, ended and started anew, and a node that has lost its
 * records, with 20 volumes staged and written to: nobody but the plugin notices. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vm/answer.h"
#include "vm/kubelet.h"
#include "vm/lab.h"

enum { N = 20, N_BLOCK = 8, FIRST = 8, BATCH = 4, MORE_MS = 120000 };
#define PREFIX "nqn.2000-02.com.mikrotik:"

static struct lab lab;
static struct driver node;
static struct vol all[N];
/* These are written without pause: a file system and a raw disk that the kubelet names
 * at the start, and one of each that nobody names. */
static const unsigned busy[] = { 1, N - N_BLOCK + 1, 2, N - N_BLOCK + 2 };
enum { N_BUSY = sizeof(busy) / sizeof(busy[0]) };
static struct writer writers[N_BUSY];
static char kubelet_flag[E2E_PATH + 20];
static const char *const node_args[] = { kubelet_flag, "--kubelet-registration=off",
					 NULL };

static bool is_named(unsigned i)
{
	return i % 2;
}

/* Staged, and no pod has it: the records alone keep its session. */
static bool is_idle(unsigned i)
{
	return i == 6 || i == 7 || i == N - 2 || i == N - 1;
}

static struct driver *who(enum vol_step step)
{
	return step == VOL_CREATE || step == VOL_PUBLISH || step == VOL_UNPUBLISH ||
			       step == VOL_DELETE
		       ? &lab.driver
		       : &node;
}

static bool steps(struct vol *v, enum vol_step first, enum vol_step last)
{
	for (enum vol_step s = first; s <= last; s++)
		if (s != VOL_EXPAND && s != VOL_NODE_EXPAND && !vol_must(who(s), v, s))
			return false;
	return true;
}

static bool open_all(void)
{
	char path[E2E_PATH];

	lab = (struct lab){ .no_node = true };
	node = (struct driver){ .name = "node",
				.is_node = true,
				.is_nvme = true,
				.sim = &lab.sim,
				.args = node_args };
	(void)snprintf(kubelet_flag, sizeof(kubelet_flag), "--kubelet-dir=%s",
		       kubelet_dir(path));
	driver_open(&node);
	return lab_open(&lab) && driver_start(&node);
}

static bool begin(unsigned i)
{
	static const char *const fs[] = { "ext4", "ext4", "ext4", "xfs" };
	struct vol *v = &all[i];
	struct track t;
	char id[40];

	(void)snprintf(id, sizeof(id), "pvc-restart-%02u", i);
	lab_vol(&lab, v, id);
	/* No session may end because the machine is short of CPU time. */
	v->parameters[0] = "keepAliveTmo";
	v->parameters[1] = "120";
	v->is_block = i >= N - N_BLOCK;
	v->fs = v->is_block ? NULL : fs[i % 4];
	if ((is_named(i) && !kubelet_place(v)) || !steps(v, VOL_CREATE, VOL_NODE_PUBLISH))
		return false;
	lab_track(v, &t);
	return CHECK(track_write(&t, 0, FIRST), "%s: not written", t.path) &&
	       (!is_idle(i) || vol_must(&node, v, VOL_NODE_UNPUBLISH));
}

static bool begin_all(void)
{
	struct track t;

	for (unsigned i = 0; i < N; i++)
		if (!begin(i))
			return false;
	for (unsigned i = 0; i < N_BUSY; i++) {
		lab_track(&all[busy[i]], &t);
		writers[i].pause_ms = 50;
		if (!writer_start(&writers[i], &t, BATCH))
			return false;
	}
	return true;
}

/* By the kernel's own log: no session came or went, no file system was unmounted. */
static void is_untouched(const char *when)
{
	CHECK(!kern_said("Removing ctrl") && !kern_said("new ctrl"),
	      "%s: a session came or went", when);
	CHECK(!kern_said("nmounting"), "%s: a file system was unmounted", when);
	CHECK(kern_sessions_under(PREFIX) == N, "%s: %u sessions", when,
	      kern_sessions_under(PREFIX));
	for (unsigned i = 0; i < N; i++) {
		const struct vol *v = &all[i];

		CHECK(kern_live(lab_nqn(v)) == 1, "%s: %s is not live", when, v->id);
		CHECK((access(v->target, F_OK) == 0) == !is_idle(i), "%s: %s: its target",
		      when, v->id);
		CHECK(v->is_block || (kern_layers(v->target) == !is_idle(i) &&
				      kern_layers(v->staging) == 1),
		      "%s: %s: %u mounts at the target, %u at the staging path", when,
		      v->id, kern_layers(v->target), kern_layers(v->staging));
	}
	for (unsigned i = 0; i < N_BUSY; i++)
		CHECK(writer_advances(&writers[i], 2 * BATCH, MORE_MS) &&
			      writers[i].shared->errors == 0,
		      "%s: %s: %llu errors", when, all[busy[i]].id,
		      (unsigned long long)writers[i].shared->errors);
}

static void has_stats(const struct vol *v)
{
	struct health h;

	health_get(&node, v, &h);
	CHECK(h.code == ERR_OK && h.has_condition && !h.is_abnormal,
	      "%s: stats: %s, abnormal %d", v->id, h.message, h.is_abnormal);
	CHECK(v->is_block ? h.total_bytes == v->size_bytes
			  : h.total_bytes > v->size_bytes * 8 / 10 &&
				    h.total_bytes <= v->size_bytes,
	      "%s: %lld bytes of %lld", v->id, h.total_bytes, v->size_bytes);
}

/* Another pod comes, reads what the first wrote, and goes. */
static void serves_another(unsigned i)
{
	struct vol other = all[i];
	struct track t;

	if (!is_named(i))
		(void)snprintf(other.target, sizeof(other.target), "%.240s-2",
			       all[i].target);
	else if (!kubelet_second_target(&all[i], other.target))
		return;
	lab_track(&other, &t);
	if (vol_must(&node, &other, VOL_NODE_PUBLISH)) {
		track_check(&t, FIRST);
		vol_must(&node, &other, VOL_NODE_UNPUBLISH);
	}
	CHECK(access(other.target, F_OK) != 0, "%s is left", other.target);
}

/* As a kubelet that has lost its memory too, it stages and publishes again. */
static void is_served(const char *when)
{
	for (unsigned i = 0; i < N; i++) {
		if (is_idle(i))
			continue;
		has_stats(&all[i]);
		if (i % 4 == 1)
			steps(&all[i], VOL_STAGE, VOL_NODE_PUBLISH);
	}
	serves_another(0);
	serves_another(N - 1);
	is_untouched(when);
}

static bool start_again(void)
{
	return driver_start(&node);
}

static void restart(void)
{
	kern_mark();
	driver_kill(&node);
	is_untouched("killed");
	if (!start_again())
		return;
	is_served("after a kill");
	driver_stop(&node);
	is_untouched("ended");
	if (start_again())
		is_served("after an end");
}

/* The state directory is empty, and the kubelet knows only some of the volumes. */
static void reimage(void)
{
	char path[E2E_PATH];
	unsigned n = 0;

	driver_stop(&node);
	for (unsigned i = 0; i < N; i++) {
		CHECK(answer_is_recorded(&node, &all[i]), "%s has no record", all[i].id);
		e2e_path(path, "%s.state/%s.stage", node.name, all[i].id);
		CHECK(unlink(path) == 0, "%s", path);
	}
	if (!start_again())
		return;
	for (unsigned i = 0; i < N; i++) {
		n += answer_is_recorded(&node, &all[i]);
		CHECK(answer_is_recorded(&node, &all[i]) == is_named(i), "%s is %s",
		      all[i].id, is_named(i) ? "not adopted" : "recorded");
	}
	e2e_note("%u of %u volumes adopted by the kubelet's directories", n, N);
	is_served("without records");
}

static void end(unsigned i, uint64_t synced)
{
	struct vol *v = &all[i];
	char nqn[300], device[KERN_NAME];

	(void)snprintf(nqn, sizeof(nqn), "%s", lab_nqn(v));
	if (!CHECK(kern_device(nqn, device), "%s has no device", nqn) ||
	    !steps(v, VOL_NODE_UNPUBLISH, VOL_UNSTAGE) || !lab_is_gone(v, nqn))
		return;
	CHECK(kern_is_free(device), "%s is held", device);
	CHECK(!answer_is_recorded(&node, v), "%s is still on record", v->id);
	lab_data_right(&lab, v, synced);
	steps(v, VOL_UNPUBLISH, VOL_DELETE);
}

static void end_all(void)
{
	uint64_t synced[N];

	for (unsigned i = 0; i < N; i++)
		synced[i] = FIRST;
	for (unsigned i = 0; i < N_BUSY; i++) {
		CHECK(writer_end(&writers[i], MORE_MS), "the writer hangs");
		synced[busy[i]] = writers[i].shared->synced;
		CHECK(writers[i].shared->errors == 0, "%s: the writer saw errors",
		      all[busy[i]].id);
	}
	for (unsigned i = 0; i < N; i++)
		end(i, synced[i]);
}

static double since(uint64_t began)
{
	return (double)(e2e_now_ms() - began) / 1000;
}

static void restarted(void)
{
	uint64_t began = e2e_now_ms();

	if (open_all() && begin_all()) {
		unsigned begun = lab_mkfs_begun();

		e2e_note("%u volumes up after %.0f s", N, since(began));
		restart();
		e2e_note("started anew twice after %.0f s", since(began));
		reimage();
		e2e_note("without records after %.0f s", since(began));
		end_all();
		CHECK(lab_mkfs_begun() == begun, "a mkfs was begun");
	}
	for (unsigned i = 0; i < N_BUSY; i++)
		writer_free(&writers[i]);
	driver_close(&node);
	lab_close(&lab);
}

static const struct e2e_test tests[] = { { "restarted", restarted, true }, { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
