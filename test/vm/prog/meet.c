/* What the scenarios in two VMs build on: they see each other, what A exports can be
 * attached by B, a VM that is paused says nothing, and one that ends by itself is no
 * failure. */
#include <stdio.h>
#include <string.h>

#include "vm/hand.h"
#include "vm/lab.h"
#include "vm/peer.h"

enum { BLOCKS = 32, TIMEOUT_MS = 360000 };

static void make_track(struct track *t, const char *path)
{
	*t = (struct track){ .seed = 3, .base = 1 << 20, .slots = BLOCKS };
	(void)snprintf(t->path, sizeof(t->path), "%s", path);
}

static void side_a(void)
{
	struct lab lab = { .no_node = true, .address = peer_own_address() };
	char image[E2E_PATH];
	struct track t;
	struct vol v;

	if (lab_open(&lab)) {
		lab_vol(&lab, &v, "pvc-meet");
		v.is_block = true;
		v.node = "node-b";
		if (lab_steps(&lab, &v, VOL_CREATE, VOL_PUBLISH) && peer_say_vol(&v) &&
		    peer_await("written", TIMEOUT_MS) &&
		    CHECK(sim_image(&lab.sim, v.id, image, sizeof(image)), "no image")) {
			kern_drop_caches();
			make_track(&t, image);
			track_check(&t, BLOCKS);
			peer_pause_other();
			e2e_sleep_ms(1000);
			peer_resume_other();
			peer_say("die");
			lab_steps(&lab, &v, VOL_UNPUBLISH, VOL_DELETE);
		}
	}
	lab_close(&lab);
}

static void side_b(void)
{
	struct hand_session s = { .hostnqn = "nqn.2014-08.org.nvmexpress:uuid:"
					     "6f7a2b1e-1111-4222-8333-444455556666",
				  .hostid = "6f7a2b1e-1111-4222-8333-444455556666",
				  .port = 4420 };
	char device[KERN_NAME];
	struct track t;
	struct vol v;
	int number;

	if (!peer_hear_vol(&v, TIMEOUT_MS))
		return;
	s.nqn = lab_nqn(&v);
	s.address = lab_context(&v, "nvmeAddress");
	number = hand_connect(&s);
	if (!CHECK(number >= 0, "%s at %s: %s", s.nqn, s.address, strerror(-number)) ||
	    !CHECK(kern_until_live(s.nqn, 60000) && kern_device(s.nqn, device),
		   "no device"))
		return;
	make_track(&t, device);
	CHECK(track_write(&t, 0, BLOCKS), "%s: not written", device);
	peer_say("written");
	if (peer_await("die", TIMEOUT_MS) && !e2e_failed())
		peer_die(); /* with the session open */
}

static void meet(void)
{
	if (peer_open())
		(peer_is_a() ? side_a : side_b)();
	peer_close();
}

static const struct e2e_test tests[] = { { "meet", meet, true }, { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
