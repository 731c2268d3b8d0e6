/* Exchanges with an API server over TLS: what they carry, how connections are shared. */
#include "k8s/exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wire_lab.h"

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"
			    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
static const char empty[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static struct wire_lab w;
static struct wire_get g[8];

Test(exchange, gets_an_answer_over_tls)
{
	char want[512];

	wire_open(&w, 0);
	w.peer.answer = hello;
	wire_get(&w, &g[0], "/api/v1/nodes?limit=5");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK, "%s", g[0].err.msg);
	cr_assert_eq(g[0].x.status, 200);
	cr_assert_eq(g[0].len, 11);
	cr_assert_arr_eq(g[0].body, "hello world", 11);
	cr_assert(g[0].x.is_sent);
	cr_assert_str_eq(k8s_client_namespace(w.client), "kube-system");
	snprintf(want, sizeof(want),
		 "GET /base/api/v1/nodes?limit=5 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
		 "User-Agent: rds-csi/test\r\nAccept: application/json\r\n"
		 "Authorization: Bearer first-token\r\n\r\n",
		 w.peer.port);
	cr_assert_str_eq(w.peer.last, want);
	wire_close(&w);
}

Test(exchange, sends_a_body)
{
	static char big[K8S_BODY_OUT_MAX + 2];

	wire_open(&w, 0);
	w.peer.answer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
	wire_ask(&w, &g[0], "POST", "/apis", "{\"a\":1}");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK, "%s", g[0].err.msg);
	cr_assert_eq(g[0].x.status, 201);
	cr_assert_not_null(strstr(w.peer.last, "\r\nContent-Type: application/json\r\n"
					       "Content-Length: 7\r\n\r\n{\"a\":1}"));
	wire_ask(&w, &g[0], "DELETE", "/apis", NULL);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK);
	cr_assert_null(strstr(w.peer.last, "Content-Length"));

	memset(big, 'b', K8S_BODY_OUT_MAX);
	wire_ask(&w, &g[0], "PUT", "/apis", big);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK, "%s", g[0].err.msg);
	cr_assert_str_eq(strstr(w.peer.last, "\r\n\r\n") + 4, big);
	big[K8S_BODY_OUT_MAX] = 'b';
	wire_ask(&w, &g[0], "PUT", "/apis", big);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_EXHAUSTED);
	cr_assert_eq(w.peer.n_requests, 3);
	wire_close(&w);
}

Test(exchange, what_would_forge_a_request_is_refused)
{
	static const char *const bad[] = { "api", "/a b", "/a\r\nX: y", "/\xc3\xa4", "" };
	static char target[K8S_TARGET_MAX + 2];

	wire_open(&w, 0);
	w.peer.answer = empty;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire_get(&w, &g[0], bad[i]);
		cr_assert_eq(wire_wait(&w, &g[0]), ERR_INVALID, "%s", bad[i]);
	}
	memset(target, '/', K8S_TARGET_MAX + 1);
	wire_get(&w, &g[0], target);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_EXHAUSTED);
	target[K8S_TARGET_MAX] = '\0';
	wire_get(&w, &g[0], target);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK);
	cr_assert_eq(w.peer.n_requests, 1);
	wire_close(&w);
}

Test(exchange, a_connection_is_kept)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	for (int i = 0; i < 10; i++)
		wire_expect(&w, 200, "hello world");
	cr_assert_eq(w.peer.n_conns, 1);
	cr_assert_eq(w.peer.n_requests, 10);
	wire_close(&w);
}

Test(exchange, an_answer_may_close_the_connection)
{
	wire_open(&w, 0);
	w.peer.answer =
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
	for (int i = 1; i <= 3; i++) {
		wire_expect(&w, 200, "x");
		cr_assert_eq(w.peer.n_conns, i);
	}
	wire_close(&w);
}

Test(exchange, more_than_an_answer_ends_the_connection)
{
	wire_open(&w, 0);
	w.peer.answer =
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n";
	wire_expect(&w, 200, "x");
	wire_expect(&w, 200, "x");
	cr_assert_eq(w.peer.n_conns, 2);
	wire_close(&w);
}

static struct https_conn *asked[8];
static int n_asked;

static void keep(struct https_peer *p, struct https_conn *c, const char *text)
{
	(void)p;
	(void)text;
	asked[n_asked++] = c;
}

Test(exchange, four_connections_are_shared_first_come_first_served)
{
	int order = 0;

	wire_open(&w, 0);
	w.peer.on_request = keep;
	for (int i = 0; i < 8; i++) {
		g[i].order = &order;
		wire_get(&w, &g[i], "/x");
	}
	t_run_until(&w.l, n_asked == 4);
	for (int i = 0; i < 20; i++)
		uv_run(&w.l.uv, UV_RUN_NOWAIT);
	cr_assert_eq(n_asked, 4);
	cr_assert_eq(w.peer.n_conns, 4);
	for (int i = 0; i < 8; i++) {
		t_run_until(&w.l, n_asked > i);
		https_send(asked[i], empty, strlen(empty));
		t_run_until(&w.l, order == i + 1);
	}
	for (int i = 4; i < 8; i++)
		cr_assert_eq(g[i].at, i + 1, "%d came as number %d", i, g[i].at);
	cr_assert_eq(w.peer.n_conns, 4);
	wire_close(&w);
}

Test(exchange, a_long_one_has_its_own_connection_and_is_streamed)
{
	wire_open(&w, 0);
	w.peer.on_request = keep;
	for (int i = 0; i < 4; i++)
		wire_get(&w, &g[i], "/x");
	t_run_until(&w.l, n_asked == 4);
	g[4].x.is_long = true;
	wire_get(&w, &g[4], "/watch");
	t_run_until(&w.l, n_asked == 5);
	cr_assert_eq(w.peer.n_conns, 5);
	https_send(asked[4], hello, strlen(hello) - 16); /* "hello" and no more */
	t_run_until(&w.l, g[4].len == 5);
	cr_assert_eq(g[4].dones, 0);
	https_send(asked[4], hello + strlen(hello) - 16, 16);
	cr_assert_eq(wire_wait(&w, &g[4]), ERR_OK, "%s", g[4].err.msg);
	cr_assert_eq(g[4].len, 11);
	for (int i = 0; i < 4; i++)
		https_send(asked[i], empty, strlen(empty));
	for (int i = 0; i < 4; i++)
		cr_assert_eq(wire_wait(&w, &g[i]), ERR_OK);
	w.peer.on_request = NULL;
	w.peer.answer = empty;
	wire_expect(&w, 200, "");
	t_run_until(&w.l, w.peer.n_open == 4);
	wire_close(&w);
}

Test(exchange, too_many_waiting_are_refused)
{
	static struct wire_get many[600];
	int n_refused = 0;

	wire_open(&w, 0);
	w.peer.on_request = keep;
	for (int i = 0; i < 600; i++)
		wire_get(&w, &many[i], "/x");
	t_run_until(&w.l, n_asked == 4);
	for (int i = 0; i < 600; i++)
		op_cancel(&many[i].x.op, ERR_CANCELLED);
	for (int i = 0; i < 600; i++)
		n_refused += wire_wait(&w, &many[i]) == ERR_EXHAUSTED;
	cr_assert_gt(n_refused, 0);
	cr_assert_leq(n_refused, 600 - 512);
	wire_close(&w);
}

Test(exchange, a_kept_connection_closed_meanwhile_is_noticed)
{
	for (int polite = 0; polite < 2; polite++) {
		wire_open(&w, 0);
		w.peer.answer = hello;
		wire_expect(&w, 200, "hello world");
		https_end_all(&w.peer, polite);
		t_run_until(&w.l, w.peer.n_open == 0);
		for (int i = 0; i < 5; i++)
			uv_run(&w.l.uv, UV_RUN_NOWAIT);
		wire_expect(&w, 200, "hello world");
		cr_assert_eq(w.peer.n_requests, 2, "nothing was sent twice");
		cr_assert_eq(w.peer.n_conns, 2);
		wire_close(&w);
	}
}

static int n_rude; /* so many requests on kept connections are hung up on */

static void be_rude(struct https_peer *p, struct https_conn *c, const char *text)
{
	(void)text;
	if (p->n_requests == 1 || n_rude-- <= 0)
		https_send(c, hello, strlen(hello));
	else
		https_end(c, p->arg != NULL);
}

Test(exchange, a_GET_on_a_connection_just_closed_is_sent_once_more)
{
	for (int polite = 0; polite < 2; polite++) {
		wire_open(&w, 0);
		w.peer.on_request = be_rude;
		w.peer.arg = polite ? &w : NULL;
		n_rude = 1;
		wire_expect(&w, 200, "hello world");
		wire_expect(&w, 200, "hello world");
		cr_assert_eq(w.peer.n_requests, 3);
		cr_assert_eq(w.peer.n_conns, 2);
		wire_close(&w);
	}
}

Test(exchange, a_GET_is_sent_no_third_time)
{
	wire_open(&w, 0);
	w.peer.on_request = be_rude;
	n_rude = 9;
	wire_expect(&w, 200, "hello world");
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert(g[0].x.is_sent);
	cr_assert_eq(w.peer.n_requests, 3);
	wire_close(&w);
}

Test(exchange, what_changes_something_is_sent_once)
{
	static const char *const method[] = { "POST", "PUT", "PATCH", "DELETE" };

	for (int i = 0; i < 4; i++) {
		wire_open(&w, 0);
		w.peer.on_request = be_rude;
		n_rude = 1;
		wire_expect(&w, 200, "hello world");
		wire_ask(&w, &g[0], method[i], "/x", "{}");
		cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
		cr_assert(g[0].x.is_sent);
		cr_assert_eq(w.peer.n_requests, 2);
		wire_close(&w);
	}
}

static void half(struct https_peer *p, struct https_conn *c, const char *text)
{
	(void)text;
	https_send(c, hello, p->n_requests == 1 ? strlen(hello) : 30);
	if (p->n_requests > 1)
		https_end(c, true);
}

Test(exchange, a_GET_whose_answer_had_begun_is_not_sent_again)
{
	wire_open(&w, 0);
	w.peer.on_request = half;
	wire_expect(&w, 200, "hello world");
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_eq(w.peer.n_requests, 2);
	wire_close(&w);
}

Test(exchange, statuses_and_retry_after_are_told)
{
	static const struct {
		const char *answer;
		unsigned status, ms;
	} row[] = {
		{ "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 429,
		  7000 },
		{ "HTTP/1.1 503 No\r\nretry-after: 3600\r\nContent-Length: 0\r\n\r\n",
		  503, 60000 },
		{ "HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
		  "Content-Length: 0\r\n\r\n",
		  503, 0 },
		{ "HTTP/1.1 429 Slow\r\nRetry-After: 99999999999999999999\r\n"
		  "Content-Length: 0\r\n\r\n",
		  429, 0 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: "
		  "0\r\n\r\n",
		  404, 0 },
		{ "HTTP/1.1 204 No Content\r\n\r\n", 204, 0 },
	};

	wire_open(&w, 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		w.peer.answer = row[i].answer;
		wire_get(&w, &g[0], "/x");
		cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK, "%s", g[0].err.msg);
		cr_assert_eq(g[0].x.status, row[i].status);
		cr_assert_eq(g[0].x.retry_after_ms, row[i].ms);
	}
	cr_assert_eq(w.peer.n_conns, 1);
	wire_close(&w);
}

Test(exchange, plain_http_where_the_kubeconfig_says_so)
{
	wire_open(&w, WIRE_PLAIN);
	w.peer.answer = hello;
	wire_expect(&w, 200, "hello world");
	wire_expect(&w, 200, "hello world");
	cr_assert_eq(w.peer.n_conns, 1);
	wire_close(&w);
}

static int n_looked;

static void look(uv_handle_t *h, void *arg)
{
	struct sockaddr_in to;
	int len = sizeof(to), on = 0, idle = 0, every = 0;
	socklen_t n = sizeof(int);
	unsigned unacked = 0;
	uv_os_fd_t fd;

	(void)arg;
	if (h->type != UV_TCP ||
	    uv_tcp_getpeername((uv_tcp_t *)h, (struct sockaddr *)&to, &len) ||
	    ntohs(to.sin_port) != w.peer.port)
		return;
	cr_assert_eq(uv_fileno(h, &fd), 0);
	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &n);
	getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &n);
	getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, &n);
	getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, &n);
	cr_assert(on && idle == 30 && every == 30 && unacked == 30000);
	n_looked++;
}

Test(exchange, a_dead_network_is_noticed_by_the_kernel)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	wire_expect(&w, 200, "hello world");
	uv_walk(&w.l.uv, look, NULL);
	cr_assert_eq(n_looked, 1);
	wire_close(&w);
}

Test(exchange, many_bytes_go_through_in_order)
{
	size_t n = 40000;
	char *text = malloc(n + 100);

	wire_open(&w, 0);
	cr_assert_not_null(text);
	int head =
		snprintf(text, 100, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);

	for (size_t i = 0; i < n; i++)
		text[(size_t)head + i] = (char)('a' + i % 23);
	w.peer.answer = text;
	w.peer.answer_len = (size_t)head + n;
	w.peer.does_key_update = true;
	for (int turn = 0; turn < 3; turn++) {
		wire_get(&w, &g[0], "/x");
		cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK, "%s", g[0].err.msg);
		cr_assert_eq(g[0].len, n);
		cr_assert_arr_eq(g[0].body, text + head, n);
	}
	cr_assert_eq(w.peer.n_conns, 1);
	wire_close(&w);
	free(text);
}

Test(exchange, the_consumer_can_stop_it)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	g[0].stop_at = 1;
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_ABORTED);
	cr_assert_str_eq(g[0].err.msg, "enough");
	cr_assert_eq(g[0].n_bodies, 1);
	wire_expect(&w, 200, "hello world");
	wire_close(&w);
}
