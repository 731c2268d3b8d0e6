/* Exchanges with an API server over TLS: what they carry, how connections are shared. */
#include "k8s/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wire_lab.h"

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"
			    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

static struct wire_lab w;
static struct wire_get g[8];

Test(exchange, gets_an_answer_over_tls)
{
	wire_open(&w, 0);
	w.peer.answer = hello;
	wire_get(&w, &g[0], "/api/v1/nodes?limit=5");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_OK, "%s", g[0].err.msg);
	cr_assert_eq(g[0].x.status, 200);
	cr_assert_eq(g[0].len, 11);
	cr_assert_arr_eq(g[0].body, "hello world", 11);
	cr_assert(g[0].x.is_sent);
	cr_assert_str_eq(k8s_client_namespace(w.client), "kube-system");
	char want[512];

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
	wire_close(&w);
}
