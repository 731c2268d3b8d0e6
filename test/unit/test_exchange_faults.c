/* Exchanges when the server, the network, the memory or the clock is against them. */
#include "k8s/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wire_lab.h"

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"
			    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

static struct wire_lab w;
static struct wire_get g[2];

static bool is_hello(const struct wire_get *get)
{
	return get->err.code == ERR_OK && get->x.status == 200 && get->len == 11 &&
	       memcmp(get->body, "hello world", 11) == 0;
}

Test(exchange_faults, cancel_after_any_number_of_turns)
{
	int turns, n_done = 0;

	for (turns = 0; n_done < 3; turns++) {
		wire_open(&w, 0);
		w.peer.answer = hello;
		g[0].x.is_long = turns % 2;
		wire_get(&w, &g[0], "/x");
		for (int i = 0; i < turns; i++)
			uv_run(&w.l.uv, UV_RUN_NOWAIT);
		if (g[0].dones) {
			n_done++;
			cr_assert(is_hello(&g[0]));
		} else {
			op_cancel(&g[0].x.op, ERR_CANCELLED);
			op_cancel(&g[0].x.op, ERR_CANCELLED);
			wire_wait(&w, &g[0]);
			cr_assert(is_hello(&g[0]) || g[0].err.code == ERR_CANCELLED);
		}
		if (turns < 2)
			cr_assert_eq(w.peer.n_conns, 0, "work was started all the same");
		/* What it leaves behind is fit for others. */
		wire_expect(&w, 200, "hello world");
		wire_close(&w);
		cr_assert_lt(turns, 500);
	}
	cr_assert_gt(turns, 8);
}

static int cancel_in_body(struct k8s_exchange *x, const char *p, size_t n)
{
	(void)p;
	(void)n;
	op_cancel(&x->op, ERR_CANCELLED);
	return 0;
}

Test(exchange_faults, cancel_from_within_on_body)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	wire_get(&w, &g[0], "/x");
	g[0].x.on_body = cancel_in_body;
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_CANCELLED);
	wire_expect(&w, 200, "hello world");
	wire_close(&w);
}

Test(exchange_faults, the_client_stops_at_any_time)
{
	for (int turns = 0; turns < 8; turns++) {
		wire_open(&w, 0);
		for (int i = 0; i < turns; i++)
			uv_run(&w.l.uv, UV_RUN_NOWAIT);
		wire_close(&w);
	}
}

static void one_exchange(void)
{
	wire_open_peer(&w, 0);
	w.peer.answer = hello;
	wire_client(&w);
	if (w.client) {
		for (int i = 0; i < 2; i++) {
			wire_get(&w, &g[i], "/x");
			wire_wait(&w, &g[i]);
			cr_assert(is_hello(&g[i]) || g[i].err.code == ERR_EXHAUSTED ||
					  g[i].err.code == ERR_UNAVAILABLE,
				  "%s", g[i].err.msg);
		}
	}
	wire_close(&w);
}

Test(exchange_faults, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS(one_exchange());
}

/* Cut after so many bytes on the wire: never a success before the last one. The length of
 * a handshake varies a little with its signatures, that of an answer does not. */
static void cut_at_every_byte(int flags)
{
	long opening, answer;

	wire_open(&w, flags);
	w.peer.answer = hello;
	wire_expect(&w, 200, "hello world");
	answer = w.peer.n_answer;
	opening = w.peer.n_wire - answer;
	opening -= opening < 16 ? opening : 16;
	for (long at = 0; at < opening + answer; at++) {
		bool is_opening = at < opening;

		https_end_all(&w.peer, false);
		t_run_until(&w.l, w.peer.n_open == 0);
		w.peer.cut_after = is_opening ? at : -1;
		w.peer.cut_answer = is_opening ? -1 : at - opening;
		wire_get(&w, &g[0], "/x");
		cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE,
			     "%ld of %ld + %ld: %s", at, opening, answer, g[0].err.msg);
		at += is_opening ? 12 : 0;
	}
	w.peer.cut_after = w.peer.cut_answer = -1;
	wire_expect(&w, 200, "hello world");
	wire_close(&w);
}

Test(exchange_faults, cut_at_every_byte_of_tls)
{
	cut_at_every_byte(0);
}

Test(exchange_faults, cut_at_every_byte_of_plain_http)
{
	cut_at_every_byte(WIRE_PLAIN);
}

static void end_rudely(struct https_peer *p, struct https_conn *c, const char *text)
{
	(void)text;
	https_send(c, p->answer, strlen(p->answer));
	https_end(c, p->arg != NULL);
}

Test(exchange_faults, a_body_until_the_end_needs_a_polite_end)
{
	wire_open(&w, 0);
	w.peer.answer = "HTTP/1.1 200 OK\r\n\r\nabc";
	w.peer.on_request = end_rudely;
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	w.peer.arg = &w;
	wire_expect(&w, 200, "abc");
	/* After the last chunk nobody cares. */
	w.peer.arg = NULL;
	w.peer.answer = hello;
	wire_expect(&w, 200, "hello world");
	wire_close(&w);
}

Test(exchange_faults, one_byte_at_a_time)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	w.peer.piece = 1;
	wire_expect(&w, 200, "hello world");
	wire_expect(&w, 200, "hello world");
	cr_assert_eq(w.peer.n_conns, 1);
	wire_close(&w);
}

Test(exchange_faults, garbage_is_unavailable)
{
	static const char *const text[] = {
		"SSH-2.0-x\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	};

	for (int flags = 0; flags < 2; flags++) {
		wire_open(&w, flags);
		for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
			w.peer.answer = text[i];
			wire_get(&w, &g[0], "/x");
			cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE, "%s",
				     text[i]);
		}
		wire_close(&w);
	}
}

Test(exchange_faults, no_tls_at_all)
{
	wire_open_peer(&w, 0);
	/* A plain server behind an https:// address. */
	SSL_CTX_free(w.peer.ctx);
	w.peer.ctx = NULL;
	w.peer.on_request = NULL;
	wire_client(&w);
	wire_get(&w, &g[0], "/x");
	for (int i = 0; i < 20; i++)
		uv_run(&w.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(g[0].dones, 0);
	https_end_all(&w.peer, false);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_not(g[0].x.is_sent, "nothing of the request left in the clear");
	wire_close(&w);
}

Test(exchange_faults, huge_headers_are_exhausted)
{
	char *text = malloc(3 * K8S_HEADER_MAX);
	size_t n = 0;

	cr_assert_not_null(text);
	n += (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nX: ");
	memset(text + n, 'x', 2 * K8S_HEADER_MAX);
	strcpy(text + n + 2 * K8S_HEADER_MAX, "\r\n\r\n");
	wire_open(&w, 0);
	w.peer.answer = text;
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_EXHAUSTED, "%s", g[0].err.msg);
	wire_close(&w);
	free(text);
}

Test(exchange_faults, refused_connections_are_unavailable)
{
	wire_open(&w, 0);
	uv_close((uv_handle_t *)&w.peer.listener, NULL);
	uv_run(&w.l.uv, UV_RUN_NOWAIT);
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_not(g[0].x.is_sent);
	uv_tcp_init(&w.l.uv, &w.peer.listener);
	wire_close(&w);
}

static void expect_untrusted(const char *words)
{
	w.peer.answer = hello;
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(g[0].err.msg, words), "%s", g[0].err.msg);
	cr_assert_not(g[0].x.is_sent);
	cr_assert_eq(w.peer.n_requests, 0);
	wire_close(&w);
}

Test(exchange_faults, a_server_of_another_authority_sees_no_request)
{
	struct certs other, leaf;

	wire_open(&w, 0);
	certs_make(&other, NULL, NULL, 10);
	certs_make(&leaf, &other, "IP:127.0.0.1", 10);
	https_peer_use(&w.peer, &leaf);
	certs_free(&other);
	certs_free(&leaf);
	expect_untrusted("certificate");
}

Test(exchange_faults, a_server_of_another_name_sees_no_request)
{
	struct certs leaf;

	wire_open(&w, 0);
	certs_make(&leaf, &w.ca, "IP:127.0.0.2,DNS:127.0.0.1", 10);
	https_peer_use(&w.peer, &leaf);
	certs_free(&leaf);
	expect_untrusted("IP address mismatch");
}

Test(exchange_faults, an_expired_server_sees_no_request)
{
	struct certs leaf;

	wire_open(&w, 0);
	certs_make(&leaf, &w.ca, "IP:127.0.0.1", -1);
	https_peer_use(&w.peer, &leaf);
	certs_free(&leaf);
	expect_untrusted("expired");
}

Test(exchange_faults, a_silent_server_is_given_up)
{
	wire_open(&w, 0);
	w.peer.is_deaf = true;
	clock_hold(&w.l.uv);
	g[1].x.is_long = true;
	wire_get(&w, &g[0], "/x");
	wire_get(&w, &g[1], "/x");
	t_run_until(&w.l, w.peer.n_conns == 2);
	clock_advance(&w.l.uv, 9999);
	cr_assert_eq(g[0].dones, 0);
	clock_advance(&w.l.uv, 2);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_eq(wire_wait(&w, &g[1]), ERR_UNAVAILABLE);
	wire_close(&w);
}

static struct https_conn *asked;

static void keep(struct https_peer *p, struct https_conn *c, const char *text)
{
	(void)p;
	(void)text;
	asked = c;
}

Test(exchange_faults, an_answer_that_never_ends_meets_the_deadline)
{
	wire_open(&w, 0);
	w.peer.on_request = keep;
	clock_hold(&w.l.uv);
	wire_get(&w, &g[0], "/x");
	t_run_until(&w.l, asked);
	https_send(asked, hello, 90);
	t_run_until(&w.l, g[0].x.status == 200);
	clock_advance(&w.l.uv, K8S_EXCHANGE_MS - 1);
	cr_assert_eq(g[0].dones, 0);
	clock_advance(&w.l.uv, 1);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_DEADLINE);
	t_run_until(&w.l, w.peer.n_open == 0);
	wire_close(&w);
}

Test(exchange_faults, a_long_one_waits_for_its_header_only_so_long)
{
	wire_open(&w, 0);
	w.peer.on_request = keep;
	clock_hold(&w.l.uv);
	g[0].x.is_long = true;
	wire_get(&w, &g[0], "/x");
	t_run_until(&w.l, asked);
	clock_advance(&w.l.uv, 30001);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	/* With a header there, it waits as long as its owner does. */
	asked = NULL;
	wire_get(&w, &g[0], "/x");
	t_run_until(&w.l, asked);
	https_send(asked, hello, 90);
	t_run_until(&w.l, g[0].x.status == 200);
	clock_advance(&w.l.uv, 3600 * 1000);
	cr_assert_eq(g[0].dones, 0);
	https_send(asked, hello + 90, strlen(hello) - 90);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK);
	cr_assert(is_hello(&g[0]));
	wire_close(&w);
}

Test(exchange_faults, an_idle_connection_is_closed_after_a_minute)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	clock_hold(&w.l.uv);
	wire_expect(&w, 200, "hello world");
	clock_advance(&w.l.uv, 59999);
	for (int i = 0; i < 5; i++)
		uv_run(&w.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(w.peer.n_open, 1);
	clock_advance(&w.l.uv, 1);
	t_run_until(&w.l, w.peer.n_open == 0);
	wire_close(&w);
}
