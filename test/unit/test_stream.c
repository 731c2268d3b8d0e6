/* The byte stream, under a small op that echoes what it reads. */
#include "core/stream.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/t.h"

enum { ST_START, ST_CONNECTING, ST_OPEN, ST_CLOSING, ST_DONE, ST_N };
static const char *const names[] = { "start", "connecting", "open", "closing", "done" };
static const uint32_t next[] = {
	OP_BIT(ST_CONNECTING) | OP_BIT(ST_DONE),
	OP_BIT(ST_OPEN) | OP_BIT(ST_CLOSING),
	OP_BIT(ST_CLOSING),
	OP_BIT(ST_DONE),
	0,
};

struct echo {
	struct op op;
	struct stream s;
	struct sockaddr_un to;
	bool is_deaf; /* leaves the input where it is */
};

static int dones;
static struct err last;

static void on_done(struct op *op)
{
	last = op->err;
	dones++;
}

static void pump(struct echo *e)
{
	if (!e->is_deaf && stream_queued(&e->s) < 65536) {
		if (buf_append(&e->s.out, e->s.in, e->s.in_len))
			op_fail(&e->op, ERR_EXHAUSTED, "out of memory");
		stream_consume(&e->s, e->s.in_len);
	}
	stream_flush(&e->s);
	stream_read(&e->s);
	if (e->s.status == UV_EOF)
		op_fail(&e->op, ERR_ABORTED, "end");
	else if (e->s.status)
		op_fail(&e->op, ERR_UNAVAILABLE, "%s", uv_strerror(e->s.status));
}

static void step(struct op *op)
{
	struct echo *e = CONTAINER_OF(op, struct echo, op);

	for (;;) {
		switch (op->state) {
		case ST_START:
			stream_init(&e->s);
			if (op_failed(op)) {
				op_move(op, ST_DONE);
				return;
			}
			stream_connect(&e->s, op, (struct sockaddr *)&e->to);
			op_move(op, ST_CONNECTING);
			break;
		case ST_CONNECTING:
			if (!e->s.is_connected && !e->s.status && !op_failed(op))
				return;
			if (e->s.status)
				op_fail(op, ERR_UNAVAILABLE, "%s",
					uv_strerror(e->s.status));
			op_move(op, op_failed(op) ? ST_CLOSING : ST_OPEN);
			if (op->state == ST_CLOSING)
				stream_close(&e->s);
			break;
		case ST_OPEN:
			if (!op_failed(op))
				pump(e);
			if (!op_failed(op))
				return;
			stream_close(&e->s);
			stream_close(&e->s); /* harmless */
			op_move(op, ST_CLOSING);
			break;
		case ST_CLOSING:
			if (op->refs)
				return;
			stream_fini(&e->s);
			op_move(op, ST_DONE);
			break;
		default:
			return;
		}
	}
}

static const struct op_type echo_type = { .name = "echo",
					  .states = names,
					  .next = next,
					  .n_states = ST_N,
					  .step = step,
					  .interrupt = op_wake };

struct fixture {
	struct t_loop l;
	struct echo e;
	char dir[128];
	int listener, fd;
};

static void open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	signal(SIGPIPE, SIG_IGN);
	dones = 0;
	t_loop_open(&f->l);
	f->e.to.sun_family = AF_UNIX;
	snprintf(f->e.to.sun_path, sizeof(f->e.to.sun_path), "%.90s/s", t_mkdir(f->dir));
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	f->fd = -1;
	cr_assert_eq(bind(f->listener, (struct sockaddr *)&f->e.to, sizeof(f->e.to)), 0);
	cr_assert_eq(listen(f->listener, 4), 0);
	op_start(&f->e.op, &echo_type, &f->l.uv, on_done);
}

static bool accepted(struct fixture *f)
{
	if (f->fd < 0)
		f->fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return f->fd >= 0;
}

static void close_fixture(struct fixture *f)
{
	if (f->fd >= 0)
		close(f->fd);
	close(f->listener);
	t_loop_close(&f->l);
	cr_assert_eq(dones, 1);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(f->dir);
}

/* Sends and receives what it can; returns whether total bytes have come back in order. */
static bool exchange(struct fixture *f, size_t *sent, size_t *got, size_t total)
{
	char b[8192];
	ssize_t n;

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (char)((*sent + i) % 251);
	n = send(f->fd, b, total - *sent < sizeof(b) ? total - *sent : sizeof(b),
		 MSG_NOSIGNAL);
	*sent += n > 0 ? (size_t)n : 0;
	n = recv(f->fd, b, sizeof(b), 0);
	for (ssize_t i = 0; i < n; i++)
		cr_assert_eq(b[i], (char)((*got + (size_t)i) % 251));
	*got += n > 0 ? (size_t)n : 0;
	return *got == total;
}

Test(stream, carries_bytes_both_ways)
{
	struct fixture f;
	size_t sent = 0, got = 0;

	open_fixture(&f);
	t_run_until(&f.l, accepted(&f));
	for (int i = 0; i < 20000 && !exchange(&f, &sent, &got, 1000000); i++)
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(got, 1000000);
	cr_assert_eq(dones, 0);
	shutdown(f.fd, SHUT_WR);
	t_run_until(&f.l, dones == 1);
	cr_assert_eq(last.code, ERR_ABORTED);
	close_fixture(&f);
}

Test(stream, a_peer_that_does_not_read_fills_the_queue_only_so_far)
{
	static char junk[4 << 20];
	struct fixture f;
	size_t sent = 0;

	open_fixture(&f);
	t_run_until(&f.l, accepted(&f));
	for (int i = 0; i < 2000; i++) {
		ssize_t n = send(f.fd, junk, sizeof(junk) - sent, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
		cr_assert_leq(stream_queued(&f.e.s), 65536 + STREAM_IN_BYTES);
	}
	cr_assert_lt(sent, sizeof(junk), "input was not held back");
	close(f.fd); /* with a write under way */
	f.fd = -1;
	t_run_until(&f.l, dones == 1);
	close_fixture(&f);
}

Test(stream, unread_input_stops_at_the_buffer)
{
	static char junk[STREAM_IN_BYTES * 2];
	struct fixture f;

	open_fixture(&f);
	f.e.is_deaf = true;
	t_run_until(&f.l, accepted(&f));
	cr_assert_eq(send(f.fd, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk));
	t_run_until(&f.l, f.e.s.in_len == STREAM_IN_BYTES);
	for (int i = 0; i < 5; i++)
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(dones, 0);
	f.e.is_deaf = false;
	op_wake(&f.e.op);
	t_run_until(&f.l, f.e.s.in_len == 0);
	op_cancel(&f.e.op, ERR_CANCELLED);
	close_fixture(&f);
}

Test(stream, cannot_connect)
{
	struct fixture f;

	open_fixture(&f);
	unlink(f.e.to.sun_path);
	t_run_until(&f.l, dones == 1);
	cr_assert_eq(last.code, ERR_UNAVAILABLE);
	close_fixture(&f);
}

Test(stream, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 8; turns++) {
		struct fixture f;

		open_fixture(&f);
		for (int i = 0; i < turns; i++) {
			if (accepted(&f))
				cr_assert_gt(send(f.fd, "hello", 5, MSG_NOSIGNAL), 0);
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
		}
		op_cancel(&f.e.op, ERR_CANCELLED);
		t_run_until(&f.l, dones == 1);
		cr_assert_eq(last.code, ERR_CANCELLED);
		close_fixture(&f);
	}
}

static void one_exchange(void)
{
	struct fixture f;
	size_t sent = 0, got = 0;

	open_fixture(&f);
	t_run_until(&f.l, accepted(&f));
	t_run_until(&f.l, dones || exchange(&f, &sent, &got, 20000));
	if (!dones)
		op_cancel(&f.e.op, ERR_CANCELLED);
	close_fixture(&f);
	cr_assert(last.code == ERR_CANCELLED || last.code == ERR_EXHAUSTED);
}

Test(stream, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_exchange());
}
