#include "fakes/ctl_scenario.h"

void ctl_scenario_repeat(struct ctl *c, const struct ctl_scenario *s, const char *what,
			 long n)
{
	struct grpc_call call;

	c->cluster.fault.what = FAKE_K8S_FINE;
	cr_assert_eq(ctl_call(c, &call, s->method, s->request()), ERR_OK,
		     "%s, %s %ld: %s", s->name, what, n, call.err.msg);
	ctl_call_free(&call);
	s->check(c);
	ctl_close(c);
}

bool ctl_scenario_cancel(ctl_open_fn *open, const struct ctl_scenario *s, int turns,
			 int *ret_cancelled)
{
	struct grpc_call call;
	struct ctl c;
	bool is_cut;

	open(&c);
	s->prepare(&c);
	ctl_start(&c, &call, s->method, s->request());
	for (int i = 0; i < turns && !call.n_answers; i++)
		uv_run(&c.l.uv, UV_RUN_ONCE);
	is_cut = !call.n_answers;
	dispatch_cancel(&c.dispatch);
	ctl_finish(&c, &call);
	/* Behind the last state a cancel comes too late, and is harmless. */
	cr_assert(call.err.code == ERR_OK || (is_cut && call.err.code == ERR_CANCELLED),
		  "%s, turn %d: %s", s->name, turns, call.err.msg);
	*ret_cancelled += call.err.code == ERR_CANCELLED;
	ctl_call_free(&call);
	ctl_scenario_repeat(&c, s, "after turn", turns);
	return is_cut;
}

/* Lack of memory for a belief alone fails no call. What the API server was not asked for
 * lack of it is not known. */
static bool is_starved_code(const struct ctl *c, enum err_code code)
{
	return code == ERR_EXHAUSTED || code == ERR_OK ||
	       (c->csi.k8s && code == ERR_UNAVAILABLE);
}

bool ctl_scenario_starve(ctl_open_fn *open, const struct ctl_scenario *s, long nth)
{
	struct grpc_call call;
	struct ctl c;
	bool has_failed;

	open(&c);
	s->prepare(&c);
	mem_fail_at(nth);
	ctl_start(&c, &call, s->method, s->request());
	ctl_finish(&c, &call);
	has_failed = mem_count() > nth;
	mem_fail_at(-1);
	cr_assert(is_starved_code(&c, call.err.code), "%s, allocation %ld: %s", s->name,
		  nth, call.err.msg);
	ctl_call_free(&call);
	ctl_scenario_repeat(&c, s, "after allocation", nth);
	return has_failed;
}
