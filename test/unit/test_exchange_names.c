/* An API server by its name: the resolver is the test's own. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/wire_lab.h"

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static struct wire_lab w;
static struct wire_get g[2];

static int n_dead;	 /* addresses where nobody listens, before the good one */
static bool has_no_name; /* there is no such name */
static bool is_alive;	 /* the good address is in the list */
static _Atomic int n_entries;
static int gate[2] = { -1, -1 }; /* a byte lets one lookup go on */

/* As wire_close, with the lookups' memory given back too. */
static void close_all(void)
{
	wire_close(&w);
	cr_assert_eq(n_entries, 0);
}

static struct addrinfo *entry(const char *address, const char *port)
{
	struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct sockaddr_in));

	n_entries++;
	ai->ai_family = AF_INET;
	ai->ai_socktype = SOCK_STREAM;
	ai->ai_addr = (struct sockaddr *)(ai + 1);
	ai->ai_addrlen = sizeof(struct sockaddr_in);
	uv_ip4_addr(address, atoi(port), (void *)ai->ai_addr);
	return ai;
}

/* Takes the place of libc's, for libuv's thread too. The peer is on 127.0.0.1 alone. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	struct addrinfo **at = res;
	char byte;

	(void)hints;
	if (gate[0] >= 0 && read(gate[0], &byte, 1) != 1)
		return EAI_FAIL;
	if (has_no_name || strcmp(node, "localhost") != 0)
		return EAI_NONAME;
	*res = NULL;
	for (int i = 0; i < n_dead; i++, at = &(*at)->ai_next)
		*at = entry("127.0.0.2", service);
	if (is_alive)
		*at = entry("127.0.0.1", service);
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	while (ai) {
		struct addrinfo *next = ai->ai_next;

		free(ai);
		n_entries--;
		ai = next;
	}
}

Test(exchange_names, each_address_is_tried_in_turn)
{
	is_alive = true;
	for (n_dead = 0; n_dead < 4; n_dead++) {
		wire_open(&w, WIRE_BY_NAME);
		w.peer.answer = ok;
		wire_expect(&w, 200, "ok");
		cr_assert_eq(w.peer.n_conns, 1);
		close_all();
	}
}

Test(exchange_names, no_address_answers)
{
	n_dead = 3;
	wire_open(&w, WIRE_BY_NAME);
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(g[0].err.msg, "refused"), "%s", g[0].err.msg);
	close_all();
}

Test(exchange_names, no_such_name)
{
	has_no_name = true;
	wire_open(&w, WIRE_BY_NAME);
	wire_get(&w, &g[0], "/x");
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(g[0].err.msg, "localhost"), "%s", g[0].err.msg);
	close_all();
}

Test(exchange_names, a_resolver_that_hangs_holds_nobody)
{
	is_alive = true;
	cr_assert_eq(pipe(gate), 0);
	wire_open(&w, WIRE_BY_NAME);
	clock_hold(&w.l.uv);
	w.peer.answer = ok;
	wire_get(&w, &g[0], "/x");
	wire_get(&w, &g[1], "/x");
	for (int i = 0; i < 10; i++)
		uv_run(&w.l.uv, UV_RUN_NOWAIT);
	op_cancel(&g[0].x.op, ERR_CANCELLED);
	cr_assert_eq(wire_wait(&w, &g[0]), ERR_CANCELLED);
	clock_advance(&w.l.uv, 10 * 1000);
	cr_assert_eq(wire_wait(&w, &g[1]), ERR_UNAVAILABLE, "given up after ten seconds");
	cr_assert_eq(write(gate[1], "ab", 2), 2);
	wire_stop(&w); /* waits for the lookups */
	cr_assert_eq(w.peer.n_conns, 0);
	close_all();
	close(gate[0]);
	close(gate[1]);
}

Test(exchange_names, cancel_after_any_number_of_turns)
{
	is_alive = true;
	n_dead = 2;
	for (int turns = 0; turns < 40; turns++) {
		wire_open(&w, WIRE_BY_NAME);
		w.peer.answer = ok;
		wire_get(&w, &g[0], "/x");
		for (int i = 0; i < turns && !g[0].dones; i++) {
			usleep(turns % 3 * 200); /* for the resolver's thread */
			uv_run(&w.l.uv, UV_RUN_NOWAIT);
		}
		if (!g[0].dones)
			op_cancel(&g[0].x.op, ERR_CANCELLED);
		wire_wait(&w, &g[0]);
		cr_assert(g[0].err.code == ERR_OK || g[0].err.code == ERR_CANCELLED);
		wire_expect(&w, 200, "ok");
		close_all();
	}
}
