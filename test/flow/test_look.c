#include "support/box.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rds/look.h"

#if defined(__SANITIZE_ADDRESS__) /* as in test_rds_edges.c */
#define LSAN_OFF() __lsan_disable()
#else
#define LSAN_OFF() ((void)0)
#endif

static struct t_box b;
static struct look l;
static struct ros_site site;
static struct ssh_conf conf;
static int dones;

static void on_done(struct op *op)
{
	(void)op;
	dones++;
}

static void open_box(const char *opts)
{
	struct err err;

	t_box_open(&b, opts);
	cr_assert_eq(ssh_open(&err), 0);
	cr_assert_eq(ros_site_bases(&site, b.conf.base, &err), 0);
	conf = (struct ssh_conf){
		.address = b.conf.address,
		.port = b.conf.port,
		.user = "csi",
		.key_file = b.key,
		.host_key_file = b.host_key,
	};
	l.conf = &conf;
	l.site = &site;
	l.nvme_address = "127.0.0.1";
	l.nvme_port = (uint16_t)b.control_port; /* something that listens */
	l.max_sessions = 3;
}

static void start(void)
{
	dones = 0;
	look_start(&l, &b.l.uv, on_done);
}

static void run(void)
{
	start();
	t_run_until(&b.l, dones);
	cr_assert_eq(dones, 1);
}

Test(look, everything_is_seen_over_one_session)
{
	open_box(NULL);
	run();
	cr_assert_eq(l.op.err.code, ERR_OK, "%s", l.op.err.msg);
	for (unsigned q = 0; q < LOOK_N; q++)
		cr_assert_eq(l.facts.answers[q], LOOK_ANSWERED, "question %u", q);
	cr_assert(l.facts.is_in && l.facts.sessions == 3);
	cr_assert_str_eq(l.facts.group, "csi");
	cr_assert(l.facts.has_base[0] && l.facts.pool_size > l.facts.pool_free);
	cr_assert_eq(l.facts.nvme, REACH_OPEN);
	cr_assert_eq(t_box_stat(&b, "connections"), 4); /* and one that says nothing */
	t_box_close(&b);
}

Test(look, it_may_be_cancelled_at_any_turn)
{
	bool was_cancelled = true;

	LSAN_OFF();
	open_box(NULL);
	for (int turns = 0; was_cancelled; turns++) {
		start();
		for (int i = 0; i < turns && !dones; i++)
			uv_run(&b.l.uv, UV_RUN_ONCE);
		was_cancelled = !dones;
		if (was_cancelled) {
			op_cancel(&l.op, ERR_CANCELLED);
			op_cancel(&l.op, ERR_DEADLINE);
		}
		t_run_until(&b.l, dones);
		cr_assert_eq(dones, 1);
		cr_assert(!was_cancelled || l.op.err.code == ERR_CANCELLED ||
				  l.op.err.code == ERR_OK,
			  "turn %d: %s", turns, l.op.err.msg);
	}
	t_box_close(&b);
}

Test(look, every_allocation_may_fail)
{
	long n = 0;

	LSAN_OFF();
	open_box(NULL);
	run();
	for (long i = 0; i < 400; i += 1 + i / 40) {
		mem_fail_at(i);
		run();
		n = mem_count();
		mem_fail_at(-1);
	}
	cr_assert_gt(n, 50);
	t_box_close(&b);
}

Test(look, a_box_that_hangs_up_at_each_byte)
{
	char query[64];

	LSAN_OFF();
	open_box(NULL);
	for (unsigned at = 0; at < 3000; at += 97) {
		snprintf(query, sizeof(query), "cut-after-out=%u&from=connect", at);
		t_box_fault(&b, query);
		run();
		t_box_fault(&b, "cut-after-out=off");
		cr_assert_eq(l.op.err.code, ERR_OK, "%s", l.op.err.msg);
	}
	t_box_close(&b);
}

Test(look, an_exec_that_hangs_costs_the_session_and_no_more)
{
	open_box(NULL);
	t_box_fault(&b, "hang=1&match=btrfs");
	start();
	t_run_until(&b.l, dones || l.q == LOOK_BTRFS);
	clock_hold(&b.l.uv);
	for (int i = 0; i < 300 && !dones; i++) {
		clock_advance(&b.l.uv, 100);
		uv_run(&b.l.uv, UV_RUN_NOWAIT);
	}
	t_run_until(&b.l, dones);
	cr_assert_eq(l.op.err.code, ERR_OK, "%s", l.op.err.msg);
	cr_assert_eq(l.facts.answers[LOOK_POOL], LOOK_ANSWERED);
	cr_assert_eq(l.facts.answers[LOOK_BTRFS], LOOK_BROKEN);
	cr_assert_eq(l.facts.answers[LOOK_MOUNTS], LOOK_UNASKED);
	t_box_close(&b);
}

/* ---- reach ---- */

static struct t_loop loop;
static struct reach r;

/* Silence ends by the time; all else comes long before. */
static enum reach_how reach(const char *host, uint16_t port, unsigned timeout_ms)
{
	r.host = host;
	r.port = port;
	r.timeout_ms = timeout_ms;
	dones = 0;
	reach_start(&r, &loop.uv, on_done);
	t_run_until(&loop, dones);
	cr_assert_eq(dones, 1);
	cr_assert_eq(r.op.err.code, ERR_OK);
	return r.how;
}

static int bound(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static int listener(uint16_t *port)
{
	int fd = bound(port);

	cr_assert_eq(listen(fd, 0), 0);
	return fd;
}

Test(reach, open_and_refused_and_silent)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	uint16_t port, shut;
	int fd = listener(&port), shut_fd = bound(&shut), full[4];

	a.sin_port = htons(port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t_loop_open(&loop);
	cr_assert_eq(reach("127.0.0.1", port, 60000), REACH_OPEN);
	/* A queue that is full drops what comes, as a firewall does. */
	for (unsigned i = 0; i < 4; i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(full[i], (struct sockaddr *)&a, sizeof(a));
	}
	cr_assert_eq(reach("127.0.0.1", port, 300), REACH_SILENT);
	cr_assert_eq(reach("127.0.0.1", shut, 60000), REACH_REFUSED);
	close(fd);
	close(shut_fd);
	for (unsigned i = 0; i < 4; i++)
		close(full[i]);
	t_loop_close(&loop);
}

Test(reach, it_may_be_cancelled_at_any_turn)
{
	uint16_t port;
	int fd = listener(&port);
	bool was_cancelled = true;

	t_loop_open(&loop);
	for (int turns = 0; was_cancelled; turns++) {
		r = (struct reach){ .host = "127.0.0.1",
				    .port = port,
				    .timeout_ms = 300 };
		dones = 0;
		reach_start(&r, &loop.uv, on_done);
		for (int i = 0; i < turns && !dones; i++)
			uv_run(&loop.uv, UV_RUN_ONCE);
		was_cancelled = !dones;
		if (was_cancelled)
			op_cancel(&r.op, ERR_CANCELLED);
		t_run_until(&loop, dones);
		cr_assert_eq(dones, 1);
	}
	close(fd);
	t_loop_close(&loop);
}
