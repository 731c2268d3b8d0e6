/* Credentials that change under a client that is at work. */
#include <string.h>

#include "core/log.h"
#include "support/wire_lab.h"

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static struct wire_lab w;
static struct wire_get g;

static bool was_sent(const char *token)
{
	return strstr(w.peer.last, token) != NULL;
}

Test(exchange_rotate, a_new_token_is_used_after_a_minute)
{
	wire_open(&w, 0);
	w.peer.answer = ok;
	clock_hold(&w.l.uv);
	wire_expect(&w, 200, "ok");
	cr_assert(was_sent("Bearer first-token\r\n"));
	certs_write_file(wire_path(&w, "token"), "second-token");
	clock_advance(&w.l.uv, 59 * 1000);
	wire_expect(&w, 200, "ok");
	cr_assert(was_sent("Bearer first-token\r\n"));
	clock_advance(&w.l.uv, 1000);
	wire_expect(&w, 200, "ok");
	cr_assert(was_sent("Bearer second-token\r\n"));
	cr_assert_eq(w.peer.n_conns, 1, "the connection goes on");
	wire_close(&w);
}

Test(exchange_rotate, a_distrusted_token_is_read_at_once)
{
	wire_open(&w, 0);
	w.peer.answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
	wire_expect(&w, 401, "");
	certs_write_file(wire_path(&w, "token"), "second-token");
	k8s_client_distrust_token(w.client);
	w.peer.answer = ok;
	wire_expect(&w, 200, "ok");
	cr_assert(was_sent("Bearer second-token\r\n"));
	wire_close(&w);
}

/* The server shows a certificate of another authority; then ca.crt names that. */
Test(exchange_rotate, a_new_authority_is_trusted_after_a_minute)
{
	struct certs ca, leaf;

	wire_open(&w, 0);
	w.peer.answer = ok;
	clock_hold(&w.l.uv);
	wire_expect(&w, 200, "ok");
	certs_make(&ca, NULL, NULL, 10);
	certs_make(&leaf, &ca, "IP:127.0.0.1", 10);
	https_peer_use(&w.peer, &leaf);
	clock_advance(&w.l.uv, 30 * 1000);
	wire_expect(&w, 200, "ok");
	cr_assert_eq(w.peer.n_conns, 1, "the kept connection knows nothing of it");
	certs_write_cert(&ca, wire_path(&w, "ca.crt"));
	clock_advance(&w.l.uv, 30 * 1000);
	wire_expect(&w, 200, "ok");
	cr_assert_eq(w.peer.n_conns, 2, "what was made with the old trust is closed");
	t_run_until(&w.l, w.peer.n_open == 1);
	/* And the old authority is trusted no more. */
	https_peer_use(&w.peer, &w.server);
	https_end_all(&w.peer, true);
	t_run_until(&w.l, w.peer.n_open == 0);
	wire_get(&w, &g, "/x");
	cr_assert_eq(wire_wait(&w, &g), ERR_UNAVAILABLE);
	cr_assert_not(g.x.is_sent);
	certs_free(&ca);
	certs_free(&leaf);
	wire_close(&w);
}

Test(exchange_rotate, a_broken_authority_keeps_the_old_one)
{
	wire_open(&w, 0);
	w.peer.answer = ok;
	clock_hold(&w.l.uv);
	log_open(LOG_ERROR, true);
	wire_expect(&w, 200, "ok");
	certs_write_file(wire_path(&w, "ca.crt"), "half a certif");
	clock_advance(&w.l.uv, 61 * 1000);
	t_run_until(&w.l, w.peer.n_open == 0);
	wire_expect(&w, 200, "ok");
	cr_assert_eq(w.peer.n_conns, 2);
	wire_close(&w);
}
