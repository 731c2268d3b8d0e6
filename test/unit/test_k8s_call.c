#include "k8s/call.h"

#include <string.h>

#include "fakes/exchange_seam.h"
#include "support/t.h"

#define DRIVER "rds.csi.srvlab.io"
#define META(name)                                              \
	"\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"7\"}"
#define NODE(name) "{" META(name) "}"

static struct lab {
	struct t_loop l;
	struct k8s_calls calls;
	struct k8s_request r;
	struct seam_answer script[64];
	unsigned n_done, n_told;
	char told[512];
} lab;

static struct seam_answer answer(unsigned nth, const struct k8s_exchange *x)
{
	(void)x;
	return lab.script[nth < 63 ? nth : 63];
}

static void on_done(struct op *op)
{
	(void)op;
	lab.n_done++;
}

static void on_each(struct k8s_request *r, const struct k8s_object *o)
{
	size_t n = strlen(lab.told);

	cr_assert_eq(r, &lab.r);
	cr_assert_eq(lab.n_done, 0);
	lab.n_told++;
	snprintf(lab.told + n, sizeof(lab.told) - n, "%s ", o->name);
}

static void open_lab(void)
{
	memset(&lab, 0, sizeof(lab));
	t_loop_open(&lab.l);
	clock_hold(&lab.l.uv);
	seam_open(&lab.l.uv, answer);
	k8s_calls_init(&lab.calls, &lab.l.uv, NULL, DRIVER);
	lab.r = (struct k8s_request){
		.verb = K8S_GET, .kind = K8S_NODE, .name = "n1", .each = on_each
	};
}

static void close_lab(void)
{
	cr_assert_eq(seam.n_open, 0);
	cr_assert_null(lab.r.impl);
	k8s_object_free(lab.r.object);
	k8s_calls_fini(&lab.calls);
	seam_close_all();
	t_loop_close(&lab.l);
	cr_assert_eq(mem_live(), 0);
}

/* Time goes in steps of 10 ms, each followed by a few turns. */
static enum err_code run(void)
{
	uint64_t end = uv_hrtime() + UINT64_C(30000000000);

	lab.n_done = 0;
	k8s_call_start(&lab.calls, &lab.r, on_done);
	cr_assert_eq(lab.n_done, 0);
	while (!lab.n_done) {
		cr_assert_lt(uv_hrtime(), end);
		clock_advance(&lab.l.uv, 10);
		for (int i = 0; i < 8; i++)
			(void)uv_run(&lab.l.uv, UV_RUN_NOWAIT);
	}
	cr_assert_eq(lab.n_done, 1);
	return lab.r.op.err.code;
}

Test(k8s_call, get_asks_for_the_object_and_decodes_it)
{
	open_lab();
	lab.script[0] = (struct seam_answer){ .status = 200, .body = NODE("n1") };
	seam.piece = 3;
	cr_assert_eq(run(), ERR_OK, "%s", lab.r.op.err.msg);
	cr_assert_str_eq(lab.r.object->uid, "u-n1");
	cr_assert_eq(seam.n_asked, 1);
	cr_assert_str_eq(seam.methods[0], "GET");
	cr_assert_str_eq(seam.targets[0], "/api/v1/nodes/n1");
	close_lab();
}

Test(k8s_call, verbs_have_their_method_and_target)
{
	static const struct {
		struct k8s_request r;
		const char *method, *target;
	} cases[] = {
		{ { .verb = K8S_CREATE, .kind = K8S_EVENT, .ns = "a b", .body = "{}" },
		  "POST",
		  "/api/v1/namespaces/a%20b/events" },
		{ { .verb = K8S_PATCH,
		    .kind = K8S_PV,
		    .name = "../x",
		    .subresource = "status",
		    .body = "{}" },
		  "PATCH",
		  "/api/v1/persistentvolumes/..%2Fx/status" },
		{ { .verb = K8S_UPDATE,
		    .kind = K8S_LEASE,
		    .ns = "ns",
		    .name = "l",
		    .body = "{}" },
		  "PUT",
		  "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l" },
		{ { .verb = K8S_DELETE, .kind = K8S_VA, .name = "va" },
		  "DELETE",
		  "/apis/storage.k8s.io/v1/volumeattachments/va" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_lab();
		lab.r = cases[i].r;
		lab.script[0] = (struct seam_answer){ .status = 403 };
		cr_assert_eq(run(), ERR_PERMISSION);
		cr_assert_str_eq(seam.methods[0], cases[i].method);
		cr_assert_str_eq(seam.targets[0], cases[i].target);
		close_lab();
	}
}

Test(k8s_call, names_that_are_none_are_refused_before_anything_is_sent)
{
	static const char *const names[] = { NULL, "", ".", ".." };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		open_lab();
		lab.r.name = names[i];
		cr_assert_eq(run(), ERR_INVALID);
		cr_assert_eq(seam.n_asked, 0);
		close_lab();
	}
}

Test(k8s_call, statuses_are_errors_as_the_port_says)
{
	static const struct {
		unsigned status;
		const char *body;
		enum err_code code;
	} cases[] = {
		{ 400, "{}", ERR_INVALID },
		{ 403, "<html>", ERR_PERMISSION },
		{ 404, "{\"reason\":\"NotFound\"}", ERR_NOT_FOUND },
		{ 404, "404 page not found\n", ERR_UNAVAILABLE }, /* the path */
		{ 404, NULL, ERR_UNAVAILABLE },
		{ 405, "", ERR_UNAVAILABLE },
		{ 409, "{\"reason\":\"AlreadyExists\"}", ERR_EXISTS },
		{ 409, "{\"reason\":\"Conflict\"}", ERR_ABORTED },
		{ 409, NULL, ERR_ABORTED },
		{ 410, "{}", ERR_UNAVAILABLE },
		{ 422, "{}", ERR_INVALID },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_lab();
		lab.script[0] = (struct seam_answer){ .status = cases[i].status,
						      .body = cases[i].body };
		cr_assert_eq(run(), cases[i].code, "%u", cases[i].status);
		cr_assert_eq(seam.n_asked, 1);
		close_lab();
	}
}

Test(k8s_call, another_drivers_object_is_told_from_one_that_is_not_there)
{
	open_lab();
	lab.r.kind = K8S_PV;
	lab.script[0] =
		(struct seam_answer){ .status = 200,
				      .body = "{" META("n1") ",\"spec\":{\"nfs\":{}}}" };
	cr_assert_eq(run(), ERR_NOT_FOUND);
	cr_assert(lab.r.is_foreign);
	close_lab();
}

Test(k8s_call, what_can_be_done_twice_is_asked_again)
{
	static const struct seam_answer faults[] = {
		{ .status = 0, .is_unsent = true },
		{ .status = 0 },
		{ .status = 200, .body = "{\"meta", .is_cut = true },
		{ .status = 500 },
		{ .status = 503, .retry_after_ms = 3000 },
		{ .status = 429, .retry_after_ms = 1000 },
		{ .status = 401 },
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		open_lab();
		lab.script[0] = faults[i];
		lab.script[1] = (struct seam_answer){ .status = 200, .body = NODE("n1") };
		cr_assert_eq(run(), ERR_OK, "fault %zu: %s", i, lab.r.op.err.msg);
		cr_assert_eq(seam.n_asked, 2);
		cr_assert_geq(seam.at_ms[1] - seam.at_ms[0], faults[i].retry_after_ms);
		cr_assert_eq(seam.n_distrusted, faults[i].status == 401);
		close_lab();
	}
}

Test(k8s_call, what_could_be_done_twice_is_not)
{
	static const struct {
		enum k8s_verb verb;
		const char *body;
		struct seam_answer fault;
		unsigned n_asked;
	} cases[] = {
		{ K8S_CREATE, "{}", { .status = 0 }, 1 },
		{ K8S_CREATE, "{}", { .status = 0, .is_unsent = true }, 2 },
		{ K8S_CREATE, "{}", { .status = 500 }, 1 },
		{ K8S_CREATE, "{}", { .status = 429 }, 2 },
		{ K8S_CREATE, "{}", { .status = 401 }, 2 },
		{ K8S_UPDATE, "{}", { .status = 0 }, 1 },
		{ K8S_UPDATE, "{}", { .status = 503 }, 1 },
		{ K8S_PATCH, "{}", { .status = 0 }, 2 },
		{ K8S_DELETE, NULL, { .status = 0 }, 1 },
		{ K8S_DELETE, "{\"preconditions\":{}}", { .status = 504 }, 1 },
		{ K8S_DELETE, "{\"preconditions\":{\"uid\":\"u\"}}", { .status = 0 }, 2 },
		{ K8S_DELETE,
		  "{\"preconditions\":{\"uid\":\"u\"}}",
		  { .status = 504 },
		  2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_lab();
		lab.r.verb = cases[i].verb;
		lab.r.body = cases[i].body;
		lab.script[0] = cases[i].fault;
		lab.script[1] = (struct seam_answer){ .status = 201, .body = NODE("n1") };
		cr_assert_eq(run() == ERR_OK, cases[i].n_asked == 2, "case %zu: %s", i,
			     lab.r.op.err.msg);
		cr_assert_eq(seam.n_asked, cases[i].n_asked, "case %zu", i);
		close_lab();
	}
}

Test(k8s_call, a_token_is_read_anew_once)
{
	open_lab();
	for (int i = 0; i < 64; i++)
		lab.script[i] = (struct seam_answer){ .status = 401 };
	cr_assert_eq(run(), ERR_UNAVAILABLE);
	cr_assert_eq(seam.n_asked, 2);
	cr_assert_eq(seam.n_distrusted, 1);
	close_lab();
}

Test(k8s_call, a_server_that_stays_away_ends_with_the_deadline_without_a_storm)
{
	open_lab();
	cr_assert_eq(run(), ERR_DEADLINE);
	cr_assert_leq(seam.n_asked, 20);
	cr_assert_geq(seam.n_asked, 6);
	close_lab();
}

Test(k8s_call, an_attempt_that_hangs_is_given_up_before_the_request)
{
	open_lab();
	lab.script[0] = (struct seam_answer){ .status = 200, .hangs = true };
	lab.script[1] = (struct seam_answer){ .status = 200, .body = NODE("n1") };
	cr_assert_eq(run(), ERR_OK);
	cr_assert_eq(seam.n_asked, 2);
	cr_assert_geq(seam.at_ms[1] - seam.at_ms[0], K8S_ATTEMPT_MS);
	close_lab();
}

Test(k8s_call, an_answer_that_is_no_object_is_an_error)
{
	static const char *const bodies[] = { "", "{}", "[]", "{\"metadata\":{}}" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		open_lab();
		lab.script[0] = (struct seam_answer){ .status = 200, .body = bodies[i] };
		cr_assert_eq(run(), ERR_UNAVAILABLE);
		cr_assert_null(lab.r.object);
		cr_assert_eq(seam.n_asked, 1);
		close_lab();
	}
	open_lab();
	lab.r.kind = K8S_PV;
	lab.script[0] = (struct seam_answer){ .status = 200,
					      .body = "{" META("n1") ",\"spec\":{}}" };
	cr_assert_eq(run(), ERR_NOT_FOUND);
	close_lab();
}

#define PAGE(items, more)                                               \
	"{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"" more \
	"\"},\"items\":[" items "]}"

Test(k8s_call, list_goes_page_by_page_and_tells_each_once)
{
	open_lab();
	lab.r.verb = K8S_LIST;
	lab.r.query = "fieldSelector=a%3Db";
	lab.script[0] =
		(struct seam_answer){ .status = 200,
				      .body = PAGE(NODE("a") "," NODE("b"), "to/2") };
	lab.script[1] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("c"), "") };
	seam.piece = 5;
	cr_assert_eq(run(), ERR_OK, "%s", lab.r.op.err.msg);
	cr_assert_str_eq(lab.told, "a b c ");
	cr_assert_str_eq(seam.targets[0], "/api/v1/nodes?fieldSelector=a%3Db&limit=500");
	cr_assert_str_eq(seam.targets[1], "/api/v1/nodes?fieldSelector=a%3Db&limit=500"
					  "&continue=to%2F2");
	close_lab();
}

Test(k8s_call, a_list_begun_anew_tells_nothing_twice)
{
	open_lab();
	lab.r.verb = K8S_LIST;
	lab.script[0] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("a"), "2") };
	lab.script[1] = (struct seam_answer){ .status = 200,
					      .body = "{\"items\":[" NODE("b") ",",
					      .is_cut = true };
	lab.script[2] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("b"), "3") };
	lab.script[3] = (struct seam_answer){ .status = 410 };
	lab.script[4] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("a"), "4") };
	lab.script[5] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("c"), "") };
	cr_assert_eq(run(), ERR_OK, "%s", lab.r.op.err.msg);
	cr_assert_str_eq(lab.told, "a c ");
	cr_assert_str_eq(seam.targets[2], "/api/v1/nodes?limit=500&continue=2");
	cr_assert_str_eq(seam.targets[4], "/api/v1/nodes?limit=500");
	close_lab();
}

Test(k8s_call, a_page_that_is_cut_and_asked_for_again_tells_nothing_twice)
{
	open_lab();
	lab.r.verb = K8S_LIST;
	lab.script[0] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("a"), "2") };
	lab.script[1] = (struct seam_answer){ .status = 200,
					      .body = "{\"items\":[" NODE("b") ",",
					      .is_cut = true };
	lab.script[2] = (struct seam_answer){ .status = 200,
					      .body = PAGE(NODE("b") "," NODE("c"), "") };
	cr_assert_eq(run(), ERR_OK, "%s", lab.r.op.err.msg);
	cr_assert_str_eq(lab.told, "a b c ");
	close_lab();
}

Test(k8s_call, a_list_that_fails_tells_nothing)
{
	open_lab();
	lab.r.verb = K8S_LIST;
	lab.script[0] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("a"), "2") };
	lab.script[1] = (struct seam_answer){ .status = 403 };
	cr_assert_eq(run(), ERR_PERMISSION);
	cr_assert_eq(lab.n_told, 0);
	close_lab();
	open_lab();
	lab.r.verb = K8S_LIST;
	lab.script[0] =
		(struct seam_answer){ .status = 200,
				      .body = PAGE(NODE("a") ",{\"metadata\":{}}", "") };
	cr_assert_eq(run(), ERR_UNAVAILABLE);
	cr_assert_eq(lab.n_told, 0);
	cr_assert_eq(seam.n_asked, 1);
	close_lab();
}

static struct seam_answer always_fine(unsigned nth, const struct k8s_exchange *x)
{
	(void)nth, (void)x;
	return (struct seam_answer){ .status = 200, .body = NODE("n1") };
}

Test(k8s_call, requests_keep_to_the_rate_first_come_first_served)
{
	enum { N = 100 };
	static struct k8s_request all[N];

	open_lab();
	seam.answer = always_fine;
	for (int i = 0; i < N; i++) {
		all[i] = lab.r;
		k8s_call_start(&lab.calls, &all[i], on_done);
	}
	while (lab.n_done < N) {
		clock_advance(&lab.l.uv, 10);
		for (int i = 0; i < 8; i++)
			(void)uv_run(&lab.l.uv, UV_RUN_NOWAIT);
	}
	cr_assert_leq(seam.at_ms[K8S_RATE_BURST - 1] - seam.at_ms[0], 20);
	cr_assert_gt(seam.at_ms[K8S_RATE_BURST] - seam.at_ms[0], 20);
	cr_assert_geq(seam.at_ms[N - 1] - seam.at_ms[0],
		      (N - K8S_RATE_BURST) * 1000 / K8S_RATE_PER_S - 20);
	cr_assert_leq(seam.at_ms[N - 1] - seam.at_ms[0],
		      (N - K8S_RATE_BURST) * 1000 / K8S_RATE_PER_S + 100);
	for (int i = 0; i < N; i++)
		k8s_object_free(all[i].object);
	close_lab();
}

Test(k8s_call, a_cancel_at_any_turn_is_answered_once_and_leaves_nothing)
{
	for (int list = 0; list < 2; list++)
		for (int n = 0; n < 60; n++) {
			open_lab();
			lab.r.verb = list ? K8S_LIST : K8S_GET;
			seam.piece = 40;
			lab.script[0] = (struct seam_answer){ .status = 500 };
			lab.script[1] =
				(struct seam_answer){ .status = 200,
						      .body = list ? PAGE(NODE("a"), "2")
								   : NODE("n1") };
			lab.script[2] =
				(struct seam_answer){ .status = 200,
						      .body = PAGE(NODE("b"), "") };
			k8s_call_start(&lab.calls, &lab.r, on_done);
			for (int i = 0; i < n; i++) {
				clock_advance(&lab.l.uv, 10);
				(void)uv_run(&lab.l.uv, UV_RUN_NOWAIT);
			}
			op_cancel(&lab.r.op, ERR_CANCELLED);
			for (int i = 0; i < 40; i++) {
				clock_advance(&lab.l.uv, 0);
				(void)uv_run(&lab.l.uv, UV_RUN_NOWAIT);
			}
			cr_assert_eq(lab.n_done, 1, "turn %d", n);
			cr_assert(lab.r.op.err.code == ERR_OK ||
				  (lab.r.op.err.code == ERR_CANCELLED && !lab.n_told &&
				   !lab.r.object));
			close_lab();
		}
}

/* Counts from the start of the request alone; libuv's table is filled before. */
static void run_starved(bool is_list, long nth)
{
	open_lab();
	lab.r.verb = is_list ? K8S_LIST : K8S_GET;
	lab.r.body = is_list ? NULL : "{}";
	seam.piece = 40;
	lab.script[0] = (struct seam_answer){ .status = 200,
					      .body = is_list ? PAGE(NODE("a"), "2")
							      : NODE("n1") };
	lab.script[1] =
		(struct seam_answer){ .status = 200, .body = PAGE(NODE("b"), "") };
	mem_fail_at(nth);
	run();
	if (lab.r.op.err.code == ERR_OK)
		cr_assert(is_list ? lab.n_told == 2 : lab.r.object != NULL);
	else
		cr_assert(lab.r.op.err.code == ERR_EXHAUSTED && !lab.n_told &&
				  !lab.r.object,
			  "%s", lab.r.op.err.msg);
}

Test(k8s_call, want_of_memory_anywhere_is_an_error_and_leaves_nothing)
{
	for (int list = 0; list < 2; list++) {
		unsigned n_failed = 0;
		long n;

		run_starved(list, -1);
		n = mem_count();
		cr_assert_eq(lab.r.op.err.code, ERR_OK);
		close_lab();
		for (long i = 0; i < n; i++) {
			run_starved(list, i);
			n_failed += lab.r.op.err.code != ERR_OK;
			mem_fail_at(-1);
			close_lab();
		}
		cr_assert_gt(n_failed, 5);
	}
}
