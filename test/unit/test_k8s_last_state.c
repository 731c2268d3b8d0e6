#include "k8s/watch.h"

#include <string.h>

#include "fakes/exchange_seam.h"
#include "support/t.h"

#define DRIVER "rds.csi.srvlab.io"
#define PV(version, policy)                                                            \
	"{\"kind\":\"PersistentVolume\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":" \
	"\"pv-1\",\"uid\":\"u-1\",\"resourceVersion\":\"" version "\"},\"spec\":{"     \
	"\"persistentVolumeReclaimPolicy\":\"" policy "\",\"accessModes\":["           \
	"\"ReadWriteOnce\"],\"csi\":{\"driver\":\"" DRIVER "\",\"volumeHandle\":"      \
	"\"vol-1\"}},\"status\":{\"phase\":\"Released\"}}"
#define LIST(items)                                                               \
	"{\"kind\":\"PersistentVolumeList\",\"apiVersion\":\"v1\",\"metadata\":{" \
	"\"resourceVersion\":\"5\"},\"items\":[" items "]}"

/* One request can take the finalizers from an object and change it too: then no event
 * but the one of its deletion bears its last state. */
static struct t_loop l;
static struct k8s_calls calls;
static struct k8s_store store;
static struct k8s_watch w;
static bool is_done;
static struct {
	struct k8s_listener listener;
	unsigned n_gone;
	bool was_retained, was_seen;
} ear;

static void on_change(struct k8s_listener *listener, const struct k8s_object *before,
		      const struct k8s_object *after)
{
	cr_assert_eq(listener, &ear.listener);
	if (after)
		return;
	ear.n_gone++;
	ear.was_retained = K8S_PV_OF(before)->is_retained;
	ear.was_seen = k8s_store_saw_it_go(before);
}

static struct seam_answer answer(unsigned nth, const struct k8s_exchange *x)
{
	static const char *const bodies[] = {
		LIST(PV("4", "Delete")),
		"{\"type\":\"DELETED\",\"object\":" PV("9", "Retain") "}\n",
	};

	(void)x;
	if (nth > 1)
		return (struct seam_answer){ .status = 200, .hangs = true };
	return (struct seam_answer){ .status = 200,
				     .body = bodies[nth],
				     .hangs = nth == 1 };
}

static void on_done(struct op *op)
{
	(void)op;
	is_done = true;
}

Test(k8s_last_state, listeners_are_told_of_an_object_as_it_was_at_its_end)
{
	t_loop_open(&l);
	clock_hold(&l.uv);
	seam_open(&l.uv, answer);
	k8s_calls_init(&calls, &l.uv, NULL, DRIVER);
	k8s_store_init(&store, K8S_PV);
	ear.listener.changed = on_change;
	k8s_store_listen(&store, &ear.listener);
	w = (struct k8s_watch){ .calls = &calls, .store = &store };
	k8s_watch_start(&w, on_done);
	t_run_until(&l, (clock_advance(&l.uv, 1), ear.n_gone));
	cr_assert(ear.was_seen);
	cr_assert(ear.was_retained);
	cr_assert_eq(store.objects.count, 0);
	k8s_watch_stop(&w);
	t_run_until(&l, (clock_advance(&l.uv, 1), is_done));
	k8s_store_fini(&store);
	k8s_calls_fini(&calls);
	seam_close_all();
	t_loop_close(&l);
}
