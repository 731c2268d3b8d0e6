#include "support/t.h"

#include <string.h>

#include "core/log.h"
#include "metrics/registry.h"
#include "support/capture.h"
#include "support/fake_call.h"

/* The seam: dispatch asks for nothing else of the grpc layer. */
const char *grpc_call_path(const struct grpc_call *call)
{
	return call->path;
}

const uint8_t *grpc_call_message(const struct grpc_call *call, size_t *ret_len)
{
	*ret_len = call->len;
	return call->message;
}

void grpc_call_reply(struct grpc_call *call, const void *message, size_t len)
{
	call->n_answers++;
	call->reply_len = len;
	memcpy(call->reply, message,
	       len < sizeof(call->reply) ? len : sizeof(call->reply));
}

void grpc_call_fail(struct grpc_call *call, const struct err *err)
{
	cr_assert_neq(err->code, ERR_OK);
	call->n_answers++;
	call->err = *err;
}

/* A work that waits until it is let go, then succeeds, fails or forgets to answer. */
struct slow {
	struct rpc rpc;
	struct clock_timer timer;
};

enum { ST_START, ST_WAITING, ST_DONE, ST_N };
static const char *const slow_states[ST_N] = { "start", "waiting", "done" };
static const uint32_t slow_next[ST_N] = { OP_BIT(ST_WAITING) | OP_BIT(ST_DONE),
					  OP_BIT(ST_DONE), 0 };
static enum { SLOW_OK, SLOW_FAIL, SLOW_SILENT, SLOW_LONG } slow_ends;
static int n_works, n_fini;

static void on_slow(struct clock_timer *t)
{
	op_wake(&CONTAINER_OF(t, struct slow, timer)->rpc.op);
}

static void slow_answer(struct rpc *rpc)
{
	Csi__V1__DeleteVolumeResponse *resp = rpc_new_response(rpc);

	if (slow_ends == SLOW_FAIL)
		op_fail(&rpc->op, ERR_UNAVAILABLE, "the box is away");
	else if (slow_ends == SLOW_LONG)
		op_fail(&rpc->op, ERR_UNAVAILABLE, "%0230d", 1);
	else if (!resp)
		op_fail(&rpc->op, ERR_EXHAUSTED, "out of memory");
	else if (slow_ends != SLOW_SILENT)
		rpc->resp = &resp->base;
}

static void slow_step(struct op *op)
{
	struct slow *s = CONTAINER_OF(op, struct slow, rpc.op);

	switch (op->state) {
	case ST_START:
		n_works++;
		if (op_failed(op)) {
			op_move(op, ST_DONE);
			return;
		}
		op_move(op, ST_WAITING);
		clock_timer_start(op->loop, &s->timer, 1000, on_slow);
		return;
	case ST_WAITING:
		if (!op_failed(op))
			slow_answer(&s->rpc);
		op_move(op, ST_DONE);
		return;
	}
}

static void slow_interrupt(struct op *op)
{
	struct slow *s = CONTAINER_OF(op, struct slow, rpc.op);

	clock_timer_start(op->loop, &s->timer, 0, on_slow);
}

static const struct op_type slow_type = {
	.name = "slow",
	.states = slow_states,
	.next = slow_next,
	.n_states = ST_N,
	.step = slow_step,
	.interrupt = slow_interrupt,
};

static const char *volume_of(const struct rpc *rpc)
{
	return ((const Csi__V1__DeleteVolumeRequest *)rpc->req)->volume_id;
}

static int check_id(const struct rpc *rpc, struct err *err)
{
	return *volume_of(rpc) ? 0 : err_set(err, ERR_INVALID, "volume_id: missing");
}

static void count_fini(struct rpc *rpc)
{
	(void)rpc;
	n_fini++;
}

static const struct rpc_method slow_methods[] = {
	{ .path = "/csi.v1.Controller/DeleteVolume",
	  .request = &csi__v1__delete_volume_request__descriptor,
	  .response = &csi__v1__delete_volume_response__descriptor,
	  .check = check_id,
	  .volume_id = volume_of,
	  .is_exclusive = true,
	  .work = &slow_type,
	  .size = sizeof(struct slow),
	  .work_timeout_ms = 5000,
	  .operation = 1 + METRIC_DELETE,
	  .fini = count_fini },
	{ .path = NULL },
};
static const struct rpc_method *const tables[] = { identity_methods, slow_methods };

struct setup {
	struct t_loop loop;
	struct csi csi;
	struct dispatch d;
	int n_idle;
};

static void on_idle(struct dispatch *d)
{
	CONTAINER_OF(d, struct setup, d)->n_idle++;
}

static void open_setup(struct setup *s)
{
	memset(s, 0, sizeof(*s));
	log_open(LOG_ERROR, true);
	t_loop_open(&s->loop);
	clock_hold(&s->loop.uv);
	s->csi = (struct csi){ .loop = &s->loop.uv,
			       .driver_name = "rds.csi.srvlab.io",
			       .vendor_version = "v1" };
	map_init(&s->csi.inflight);
	dispatch_init(&s->d, &s->csi, tables, 2);
	s->d.on_idle = on_idle;
	n_works = n_fini = 0;
}

static void close_setup(struct setup *s)
{
	cr_assert(dispatch_is_idle(&s->d));
	cr_assert_eq(s->csi.inflight.count, 0);
	map_fini(&s->csi.inflight);
	t_loop_close(&s->loop);
	cr_assert_eq(mem_live(), 0);
}

static struct grpc_call call_of(const char *path, const void *message, size_t len)
{
	return (struct grpc_call){ .path = path, .message = message, .len = len };
}

static struct grpc_call delete_of(const char *text)
{
	return call_of("/csi.v1.Controller/DeleteVolume", text, strlen(text));
}

#define DELETE_V1 "\x0a\x02v1"

Test(dispatch, answers_from_memory_before_it_returns)
{
	struct setup s;
	struct grpc_call c = call_of("/csi.v1.Identity/GetPluginInfo", NULL, 0);
	Csi__V1__GetPluginInfoResponse *info;

	open_setup(&s);
	dispatch_call(&s.d, &c);
	cr_assert_eq(c.n_answers, 1);
	info = csi__v1__get_plugin_info_response__unpack(NULL, c.reply_len, c.reply);
	cr_assert_str_eq(info->name, "rds.csi.srvlab.io");
	cr_assert_str_eq(info->vendor_version, "v1");
	csi__v1__get_plugin_info_response__free_unpacked(info, NULL);
	close_setup(&s);
}

Test(dispatch, tells_ready_and_the_same_capabilities_whatever_the_mode)
{
	struct setup s;
	struct grpc_call c = call_of("/csi.v1.Identity/Probe", NULL, 0);
	Csi__V1__GetPluginCapabilitiesResponse *caps;

	open_setup(&s);
	dispatch_call(&s.d, &c);
	cr_assert_eq(c.reply_len, 4);
	cr_assert_eq(memcmp(c.reply, "\x0a\x02\x08\x01", 4), 0);
	for (int i = 0; i < 2; i++) {
		s.csi.is_node = i;
		s.csi.is_controller = !i;
		c = call_of("/csi.v1.Identity/GetPluginCapabilities", NULL, 0);
		dispatch_call(&s.d, &c);
		caps = csi__v1__get_plugin_capabilities_response__unpack(
			NULL, c.reply_len, c.reply);
		cr_assert_eq(caps->n_capabilities, 3);
		cr_assert_eq(caps->capabilities[0]->service->type, 1);
		cr_assert_eq(caps->capabilities[1]->service->type, 2);
		cr_assert_eq(caps->capabilities[2]->volume_expansion->type, 1);
		csi__v1__get_plugin_capabilities_response__free_unpacked(caps, NULL);
	}
	close_setup(&s);
}

Test(dispatch, unknown_methods_get_the_texts_of_grpc_go)
{
	static const char *const rows[][2] = {
		{ "/csi.v1.Controller/Nope",
		  "unknown method Nope for service csi.v1.Controller" },
		{ "/csi.v2.Other/Probe", "unknown service csi.v2.Other" },
		{ "/csi.v1.Identity/", "unknown method  for service csi.v1.Identity" },
		{ "nonsense", "malformed method name: \"nonsense\"" },
		{ "", "malformed method name: \"\"" },
		{ "/", "malformed method name: \"/\"" },
	};
	struct setup s;

	open_setup(&s);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct grpc_call c = call_of(rows[i][0], NULL, 0);

		dispatch_call(&s.d, &c);
		cr_assert_eq(c.err.code, ERR_UNIMPLEMENTED);
		cr_assert_str_eq(c.err.msg, rows[i][1]);
	}
	close_setup(&s);
}

Test(dispatch, a_path_of_any_length_is_answered)
{
	static char path[8192];
	struct setup s;
	struct grpc_call c = call_of(path, NULL, 0);

	open_setup(&s);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	dispatch_call(&s.d, &c);
	path[7000] = '/';
	dispatch_call(&s.d, &c);
	cr_assert_eq(c.n_answers, 2);
	cr_assert_eq(c.err.code, ERR_UNIMPLEMENTED);
	close_setup(&s);
}

Test(dispatch, the_work_answers_later_and_frees_everything)
{
	struct setup s;
	struct grpc_call c = delete_of(DELETE_V1);

	open_setup(&s);
	slow_ends = SLOW_OK;
	dispatch_call(&s.d, &c);
	cr_assert(!dispatch_is_idle(&s.d));
	t_run_until(&s.loop, n_works == 1);
	cr_assert_eq(c.n_answers, 0);
	clock_advance(&s.loop.uv, 1000);
	t_run_until(&s.loop, s.n_idle == 1);
	cr_assert(c.n_answers == 1 && c.err.code == ERR_OK && c.reply_len == 0);
	cr_assert_eq(n_fini, 1);
	close_setup(&s);
}

Test(dispatch, every_call_is_counted_by_its_outcome)
{
	struct setup s;
	struct grpc_call bad = delete_of("\x0a\x03v1"), none = call_of("/no", NULL, 0);
	unsigned m = metric_label_value(METRIC_RPCS, 0, "DeleteVolume");
	unsigned other = metric_label_value(METRIC_RPCS, 0, "other");

	metric_reset();
	open_setup(&s);
	dispatch_call(&s.d, &bad);
	dispatch_call(&s.d, &none);
	cr_assert_eq(metric_counted(METRIC_RPCS, m, ERR_INVALID), 1);
	cr_assert_eq(metric_counted(METRIC_RPCS, other, ERR_UNIMPLEMENTED), 1);
	m = METRIC_DELETE;
	cr_assert_eq(metric_counted(METRIC_VOLUME_OPERATIONS, m, METRIC_FAILURE), 1);
	close_setup(&s);
}

Test(dispatch, a_second_call_for_the_volume_is_aborted_while_the_first_runs)
{
	struct setup s;
	struct grpc_call a = delete_of(DELETE_V1), b = delete_of(DELETE_V1),
			 other = delete_of("\x0a\x02v2");

	open_setup(&s);
	slow_ends = SLOW_FAIL;
	dispatch_call(&s.d, &a);
	dispatch_call(&s.d, &b);
	dispatch_call(&s.d, &other);
	cr_assert(b.n_answers == 1 && b.err.code == ERR_ABORTED);
	cr_assert_not_null(strstr(b.err.msg, "DeleteVolume"));
	t_run_until(&s.loop, n_works == 2);
	clock_advance(&s.loop.uv, 1000);
	t_run_until(&s.loop, s.n_idle == 1);
	cr_assert_eq(a.err.code, ERR_UNAVAILABLE);
	cr_assert_str_eq(a.err.msg, "the box is away");
	dispatch_call(&s.d, &b);
	cr_assert(!dispatch_is_idle(&s.d));
	dispatch_cancel(&s.d);
	t_run_until(&s.loop, s.n_idle == 2);
	close_setup(&s);
}

Test(dispatch, a_work_without_answer_is_our_bug_not_a_hung_client)
{
	struct setup s;
	struct grpc_call c = delete_of(DELETE_V1);

	open_setup(&s);
	log_open(LOG_ERROR + 1, true); /* quiet: this one is logged as an error */
	slow_ends = SLOW_SILENT;
	dispatch_call(&s.d, &c);
	t_run_until(&s.loop, n_works == 1);
	clock_advance(&s.loop.uv, 1000);
	t_run_until(&s.loop, s.n_idle == 1);
	cr_assert(c.n_answers == 1 && c.err.code == ERR_INTERNAL);
	close_setup(&s);
}

Test(dispatch, the_work_has_a_deadline_of_its_own)
{
	struct setup s;
	struct grpc_call c = delete_of(DELETE_V1);

	open_setup(&s);
	dispatch_call(&s.d, &c);
	clock_advance(&s.loop.uv, 4999); /* before its first step, so its timer waits */
	cr_assert_eq(c.n_answers, 0);
	clock_advance(&s.loop.uv, 1);
	t_run_until(&s.loop, s.n_idle == 1);
	cr_assert_eq(c.err.code, ERR_DEADLINE);
	close_setup(&s);
}

Test(dispatch, cancel_after_n_turns_ends_each_work_once)
{
	for (int turns = 0; turns < 6; turns++) {
		struct setup s;
		struct grpc_call a = delete_of(DELETE_V1), b = delete_of("\x0a\x02v2");

		open_setup(&s);
		dispatch_call(&s.d, &a);
		dispatch_call(&s.d, &b);
		for (int i = 0; i < turns; i++)
			(void)uv_run(&s.loop.uv, UV_RUN_NOWAIT);
		dispatch_cancel(&s.d);
		dispatch_cancel(&s.d);
		clock_advance(&s.loop.uv, 0);
		t_run_until(&s.loop, (clock_advance(&s.loop.uv, 0), s.n_idle == 1));
		cr_assert(a.n_answers == 1 && b.n_answers == 1);
		cr_assert_eq(a.err.code, ERR_CANCELLED);
		cr_assert_eq(n_fini, 2);
		close_setup(&s);
	}
}

Test(dispatch, malformed_requests_never_reach_the_method)
{
	static const char *const bad[] = {
		"\x0a",		    /* cut behind the tag */
		"\x0a\x05v1",	    /* longer than the message */
		"\x08\x01",	    /* a number where a string belongs */
		"\x0b\x0c",	    /* a group */
		"\x0a\x02\xc3\x28", /* not UTF-8 */
		"\x0a\x02v\x01",    /* a control character */
		"",		    /* check: no volume_id */
	};
	struct setup s;

	open_setup(&s);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct grpc_call c = delete_of(bad[i]);

		dispatch_call(&s.d, &c);
		cr_assert(c.n_answers == 1 && c.err.code == ERR_INVALID, "row %u", i);
	}
	cr_assert_eq(n_works, 0);
	cr_assert_eq(n_fini, (int)(sizeof(bad) / sizeof(bad[0])));
	close_setup(&s);
}

Test(dispatch, a_flood_of_tiny_fields_is_refused_not_decoded)
{
	/* 4 MiB of empty entries of a map would decode to hundreds of MiB. */
	size_t n = 4 * 1024 * 1024;
	char *flood = malloc(n);
	struct setup s;
	struct grpc_call c = call_of("/csi.v1.Controller/DeleteVolume", flood, n);

	open_setup(&s);
	for (size_t i = 0; i < n; i += 2)
		memcpy(flood + i, "\x12", 2);
	memcpy(flood, DELETE_V1, 4);
	dispatch_call(&s.d, &c);
	cr_assert_eq(c.err.code, ERR_EXHAUSTED);
	free(flood);
	close_setup(&s);
}

Test(dispatch, every_allocation_may_fail)
{
	struct setup s;

	open_setup(&s);
	slow_ends = SLOW_OK;
	T_EACH_ALLOC_FAILS({
		struct grpc_call a = delete_of(DELETE_V1);
		struct grpc_call b = call_of("/csi.v1.Identity/GetPluginInfo", NULL, 0);

		dispatch_call(&s.d, &a);
		dispatch_call(&s.d, &b);
		t_run_until(&s.loop, (clock_advance(&s.loop.uv, 1000), a.n_answers == 1));
		cr_assert_eq(b.n_answers, 1);
		cr_assert(a.err.code == ERR_OK || a.err.code == ERR_EXHAUSTED);
		cr_assert(b.err.code == ERR_OK || b.err.code == ERR_EXHAUSTED);
	});
	close_setup(&s);
}

Test(dispatch, one_line_for_each_work_and_none_for_what_is_answered_from_memory)
{
	struct setup s;
	struct grpc_call a = delete_of(DELETE_V1);
	struct grpc_call b = call_of("/csi.v1.Identity/Probe", NULL, 0);
	const char *line;
	size_t n;

	open_setup(&s);
	log_open(LOG_INFO, true);
	slow_ends = SLOW_FAIL;
	t_capture();
	dispatch_call(&s.d, &b);
	dispatch_call(&s.d, &a);
	t_run_until(&s.loop, n_works == 1);
	clock_advance(&s.loop.uv, 1000);
	t_run_until(&s.loop, s.n_idle == 1);
	line = t_captured(&n);
	cr_assert_eq(strchr(line, '\n'), line + n - 1, "%s", line);
	cr_assert_not_null(strstr(line, "\"call\":2,\"method\":\"DeleteVolume\","
					"\"volume\":\"v1\",\"node\":\"\","
					"\"code\":\"UNAVAILABLE\",\"took_us\":"),
			   "%s", line);
	cr_assert_not_null(strstr(line, "\"err\":\"the box is away\""));
	close_setup(&s);
}

Test(dispatch, a_line_keeps_to_525_bytes_and_never_holds_a_secret)
{
	static char message[256] = "\x0a\x80\x01";
	struct setup s;
	struct grpc_call c;
	const char *line;
	size_t n;

	open_setup(&s);
	log_open(LOG_DEBUG, true);
	memset(message + 3, 'v', 128);
	memcpy(message + 131, "\x12\x10\x0a\x03key\x12\x09hunter2!!", 18);
	c = call_of("/csi.v1.Controller/DeleteVolume", message, 149);
	t_capture();
	slow_ends = SLOW_LONG;
	dispatch_call(&s.d, &c);
	t_run_until(&s.loop, n_works == 1);
	clock_advance(&s.loop.uv, 1000);
	t_run_until(&s.loop, s.n_idle == 1);
	line = t_captured(&n);
	cr_assert_eq(strlen(c.err.msg), 230, "%s", c.err.msg);
	cr_assert(n > 475 && n <= 525, "%zu: %s", n, line);
	cr_assert_null(strstr(line, "hunter2"));
	close_setup(&s);
}
