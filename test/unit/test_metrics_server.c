#include "metrics/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "csi/node/traffic.h"
#include "support/t.h"

static unsigned n_done;
static struct err done_err;
static bool is_ready;

struct fixture {
	struct t_loop l;
	struct metrics_server server;
};

static void on_done(struct op *op)
{
	done_err = op->err;
	n_done++;
}

static bool ready(void *ctx, struct buf *why)
{
	(void)ctx;
	if (!is_ready)
		(void)buf_puts(why, "the box was not reached yet");
	return is_ready;
}

static void open_fixture(struct fixture *f)
{
	struct err err;

	memset(f, 0, sizeof(*f));
	n_done = 0;
	is_ready = true;
	signal(SIGPIPE, SIG_IGN);
	t_loop_open(&f->l);
	f->server.site =
		(struct page_site){ .roles = METRIC_ON_CONTROLLER, .is_ready = ready };
	cr_assert_eq(metrics_server_listen(&f->server, "127.0.0.1:0", &err), 0, "%s",
		     err.msg);
	metrics_server_start(&f->server, &f->l.uv, on_done);
}

static void close_fixture(struct fixture *f)
{
	op_cancel(&f->server.op, ERR_CANCELLED);
	t_run_until(&f->l, n_done == 1);
	t_loop_close(&f->l);
	cr_assert_eq(mem_live(), 0);
}

struct peer {
	int fd;
	char in[448 * 1024];
	size_t n;
	bool is_over;
};

static void dial(const struct fixture *f, struct peer *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)f->server.port) };

	p->n = 0;
	p->in[0] = '\0';
	p->is_over = false;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void say(struct peer *p, const char *text)
{
	cr_assert_eq(send(p->fd, text, strlen(text), MSG_NOSIGNAL),
		     (ssize_t)strlen(text));
}

static bool hear(struct peer *p)
{
	ssize_t n = 1;

	while (n > 0 && p->n < sizeof(p->in) - 1) {
		n = recv(p->fd, p->in + p->n, sizeof(p->in) - 1 - p->n, MSG_DONTWAIT);
		p->n += n > 0 ? (size_t)n : 0;
	}
	p->is_over = n == 0 || (n < 0 && errno != EAGAIN);
	p->in[p->n] = '\0';
	return p->is_over;
}

static bool heard(struct peer *p, const char *text)
{
	(void)hear(p);
	return strstr(p->in, text) != NULL;
}

static struct peer peers[METRICS_MAX_CONNS + 4];

/* One request on a connection of its own, to its end. */
static const char *ask(struct fixture *f, const char *request)
{
	dial(f, &peers[0]);
	say(&peers[0], request);
	t_run_until(&f->l, hear(&peers[0]));
	close(peers[0].fd);
	return peers[0].in;
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

Test(metrics_server, serves_its_pages)
{
	struct fixture f;
	const char *s;

	open_fixture(&f);
	metric_reset();
	metric_count(METRIC_CONFLICTS, 0, 0);
	s = ask(&f, GET("/metrics"));
	cr_assert(begins(s, "HTTP/1.1 200 OK\r\n"), "%s", s);
	cr_assert_not_null(strstr(s, "\r\nContent-Type: text/plain; version=0.0.4"));
	cr_assert_not_null(strstr(s, "\nrds_csi_attachment_conflicts_total 1\n"));
	s = ask(&f, "GET /metrics?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
		    "Accept: application/openmetrics-text;version=1.0.0,text/plain\r\n"
		    "\r\n");
	cr_assert_not_null(strstr(s, "\r\nContent-Type: application/openmetrics-text"));
	cr_assert_str_eq(s + strlen(s) - 6, "# EOF\n");
	s = ask(&f, "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	cr_assert(begins(s, "HTTP/1.1 200 OK\r\n"));
	cr_assert_str_eq(strstr(s, "\r\n\r\n"), "\r\n\r\n", "a HEAD has no body");
	cr_assert(begins(ask(&f, GET("/healthz")), "HTTP/1.1 200 OK\r\n"));
	cr_assert(begins(ask(&f, GET("/readyz")), "HTTP/1.1 200 OK\r\n"));
	is_ready = false;
	s = ask(&f, GET("/readyz"));
	cr_assert(begins(s, "HTTP/1.1 503 "));
	cr_assert_not_null(strstr(s, "\r\n\r\nthe box was not reached yet\n"));
	cr_assert(begins(ask(&f, GET("/metric")), "HTTP/1.1 404 "));
	cr_assert(begins(ask(&f, GET("/")), "HTTP/1.1 404 "));
	s = ask(&f, "DELETE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	cr_assert(begins(s, "HTTP/1.1 405 "));
	cr_assert_not_null(strstr(s, "\r\nAllow: GET, HEAD\r\n"));
	close_fixture(&f);
}

static void collect_crowd(void *ctx, struct expo *x)
{
	char id[ID_VOLUME];
	const char *const labels[] = { id };

	(void)ctx;
	memset(id, 'a', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	for (unsigned i = 0; i < NODE_TRAFFIC_MAX; i++) {
		id[0] = (char)('a' + i / 16);
		id[1] = (char)('a' + i % 16);
		expo_put(x, 1e15 + i, labels);
	}
}

Test(metrics_server, the_page_of_a_node_with_as_many_volumes_as_are_told_fits)
{
	struct expo_source sources[METRIC_VOLUME_IN_FLIGHT - METRIC_VOLUME_READS + 1];
	unsigned n = sizeof(sources) / sizeof(sources[0]);
	struct fixture f;
	const char *s;

	open_fixture(&f);
	for (unsigned i = 0; i < n; i++)
		sources[i] =
			(struct expo_source){ (enum metric_id)(METRIC_VOLUME_READS + i),
					      collect_crowd, NULL };
	f.server.site.roles = METRIC_ON_BOTH;
	f.server.site.sources = sources;
	f.server.site.n_sources = n;
	s = ask(&f, GET("/metrics"));
	cr_assert(begins(s, "HTTP/1.1 200 OK\r\n"), "%.100s", s);
	for (n = 0; (s = strstr(s, "aaaa\"} 1")) != NULL; s++)
		n++;
	cr_assert_eq(n, NODE_TRAFFIC_MAX * sizeof(sources) / sizeof(sources[0]));
	close_fixture(&f);
}

Test(metrics_server, answers_one_after_the_other_on_one_connection)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
	struct fixture f;
	struct peer *p = &peers[0];

	open_fixture(&f);
	dial(&f, p);
	for (unsigned i = 0; i < 3; i++) {
		p->n = 0;
		say(p, request);
		t_run_until(&f.l, heard(p, "\r\n\r\nok\n"));
		cr_assert(!p->is_over);
	}
	p->n = 0;
	say(p, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
	       "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	t_run_until(&f.l, hear(p));
	cr_assert_not_null(strstr(strstr(p->in, "200 OK") + 1, "200 OK"));
	for (const char *c = request; *c; c++) { /* a byte at a time */
		if (c == request) {
			close(p->fd);
			dial(&f, p);
		}
		cr_assert_eq(send(p->fd, c, 1, MSG_NOSIGNAL), 1);
		uv_run(&f.l.uv, UV_RUN_NOWAIT);
	}
	t_run_until(&f.l, heard(p, "\r\n\r\nok\n"));
	close(p->fd);
	close_fixture(&f);
}

Test(metrics_server, refuses_what_is_no_request)
{
	static char large[20000];
	struct fixture f;

	open_fixture(&f);
	cr_assert(begins(ask(&f, "\x16\x03\x01 hello\r\n\r\n"), "HTTP/1.1 400 "));
	cr_assert(begins(ask(&f, "POST /metrics HTTP/1.1\r\nHost: a\r\n"
				 "Content-Length: 3\r\n\r\nabc"),
			 "HTTP/1.1 400 "));
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large, "GET /metrics HTTP/1.1\r\nA: ", 26);
	cr_assert(begins(ask(&f, large), "HTTP/1.1 431 "));
	cr_assert(begins(ask(&f, GET("/healthz")), "HTTP/1.1 200 "), "it lives");
	close_fixture(&f);
}

Test(metrics_server, the_slow_and_the_silent_are_cut)
{
	struct fixture f;

	open_fixture(&f);
	clock_hold(&f.l.uv);
	dial(&f, &peers[0]); /* says nothing */
	dial(&f, &peers[1]); /* never ends its request */
	dial(&f, &peers[2]); /* is answered and then says nothing */
	say(&peers[1], "GET /metr");
	say(&peers[2], "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	t_run_until(&f.l, f.server.n_conns == 3 && heard(&peers[2], "ok\n"));
	clock_advance(&f.l.uv, CONN_BUSY_MS);
	t_run_until(&f.l, hear(&peers[0]) && hear(&peers[1]));
	cr_assert(!hear(&peers[2]));
	clock_advance(&f.l.uv, CONN_IDLE_MS);
	t_run_until(&f.l, hear(&peers[2]));
	t_run_until(&f.l, f.server.n_conns == 0);
	for (int i = 0; i < 3; i++)
		close(peers[i].fd);
	close_fixture(&f);
}

/* Silent, half a request, or an answer that is not taken: each once gives way. */
Test(metrics_server, of_too_many_the_one_that_waits_longest_gives_way)
{
	enum { N = METRICS_MAX_CONNS };
	struct fixture f;

	open_fixture(&f);
	clock_hold(&f.l.uv);
	for (unsigned i = 0; i < N; i++) {
		dial(&f, &peers[i]);
		t_run_until(&f.l, f.server.n_conns == i + 1);
		clock_advance(&f.l.uv, 1);
	}
	say(&peers[1], "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	t_run_until(&f.l, heard(&peers[1], "ok\n"));
	say(&peers[2], "GET /hea");
	t_run_until(&f.l, f.server.n_conns == N);
	clock_advance(&f.l.uv, 1);
	dial(&f, &peers[N]);
	say(&peers[N], GET("/healthz"));
	t_run_until(&f.l, hear(&peers[N]));
	cr_assert_not_null(strstr(peers[N].in, "ok\n"));
	t_run_until(&f.l, hear(&peers[0]));
	cr_assert(!hear(&peers[1]) && !hear(&peers[2]) && !hear(&peers[3]),
		  "one alone, and none that was answered since");
	close(peers[0].fd);
	close(peers[N].fd);
	dial(&f, &peers[0]);
	dial(&f, &peers[N]);
	t_run_until(&f.l, hear(&peers[3]));
	cr_assert(!hear(&peers[1]));
	cr_assert_leq(f.server.n_conns, N);
	for (unsigned i = 0; i <= N; i++)
		close(peers[i].fd);
	close_fixture(&f);
}

Test(metrics_server, cancel_after_any_number_of_turns)
{
	for (int turns = 0; turns < 12; turns++) {
		struct fixture f;

		open_fixture(&f);
		dial(&f, &peers[0]);
		say(&peers[0], "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
		for (int i = 0; i < turns; i++)
			uv_run(&f.l.uv, UV_RUN_NOWAIT);
		close_fixture(&f);
		cr_assert_eq(done_err.code, ERR_CANCELLED);
		close(peers[0].fd);
	}
}

static void one_request(void)
{
	struct fixture f;

	open_fixture(&f);
	dial(&f, &peers[0]);
	say(&peers[0], GET("/metrics"));
	t_run_until(&f.l, hear(&peers[0]));
	close(peers[0].fd);
	close_fixture(&f);
}

Test(metrics_server, every_allocation_fails)
{
	T_EACH_ALLOC_FAILS(one_request());
	T_LSAN();
}

Test(metrics_server, an_address_is_checked_before_anything_listens)
{
	static const char *const bad[] = { "",		"9809",	      "a:9809",
					   ":x",	":65536",     "::1:9809",
					   "[::1:9809", "1.2.3:1",    "[]x:1",
					   "localhost", "127.0.0.1:", ":-1",
					   "[1.2.3.4" };
	struct metrics_server s, other;
	char taken[32];
	struct err err;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(metrics_server_listen(&s, bad[i], &err), -1, "%s", bad[i]);
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert_not_null(strstr(err.msg, "--metrics-address="));
	}
	cr_assert_eq(metrics_server_listen(&s, ":0", &err), 0, "%s", err.msg);
	snprintf(taken, sizeof(taken), ":%u", s.port);
	cr_assert_eq(metrics_server_listen(&other, taken, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	close(s.fd);
	if (metrics_server_listen(&s, "[::1]:0", &err) == 0)
		close(s.fd);
	else
		cr_assert_eq(err.code, ERR_UNAVAILABLE,
			     "no IPv6 here, which is no error "
			     "of the flag");
}
