#include "support/wire_lab.h"

#include <stdio.h>
#include <string.h>

const char *wire_path(struct wire_lab *w, const char *name)
{
	snprintf(w->path, sizeof(w->path), "%s/%s", w->dir, name);
	return w->path;
}

void wire_open_peer(struct wire_lab *w, int flags)
{
	char text[1024];
	bool is_plain = flags & WIRE_PLAIN;

	memset(w, 0, sizeof(*w));
	t_loop_open(&w->l);
	t_mkdir(w->dir);
	certs_make(&w->ca, NULL, NULL, 10);
	certs_make(&w->server, &w->ca, "IP:127.0.0.1,DNS:localhost", 10);
	https_peer_open(&w->peer, &w->l.uv, is_plain ? NULL : &w->server, NULL);
	certs_write_cert(&w->ca, wire_path(w, "ca.crt"));
	certs_write_file(wire_path(w, "token"), "first-token\n");
	snprintf(text, sizeof(text),
		 "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":"
		 "{\"cluster\":\"k\",\"user\":\"u\",\"namespace\":\"kube-system\"}}],"
		 "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"%s://%s:%d/"
		 "base/\","
		 "\"certificate-authority\":\"ca.crt\"}}],"
		 "\"users\":[{\"name\":\"u\",\"user\":{\"tokenFile\":\"token\"}}]}",
		 is_plain ? "http" : "https",
		 flags & WIRE_BY_NAME ? "localhost" : "127.0.0.1", w->peer.port);
	certs_write_file(wire_path(w, "config"), text);
}

void wire_client(struct wire_lab *w)
{
	struct k8s_client_conf conf = { .user_agent = "rds-csi/test" };
	struct err err = { 0 };

	conf.kubeconfig = wire_path(w, "config");
	w->client = k8s_client_new(&w->l.uv, &conf, &err);
	w->is_stopped = false;
}

void wire_open(struct wire_lab *w, int flags)
{
	wire_open_peer(w, flags);
	wire_client(w);
	cr_assert_not_null(w->client);
}

static void on_stopped(void *arg)
{
	((struct wire_lab *)arg)->is_stopped = true;
}

void wire_stop(struct wire_lab *w)
{
	if (!w->client)
		return;
	k8s_client_stop(w->client, on_stopped, w);
	t_run_until(&w->l, w->is_stopped);
	w->client = NULL;
}

void wire_close(struct wire_lab *w)
{
	wire_stop(w);
	https_peer_close(&w->peer);
	t_loop_close(&w->l);
	certs_free(&w->ca);
	certs_free(&w->server);
	t_rmdir(w->dir);
	cr_assert_eq(mem_live(), 0);
}

static int on_body(struct k8s_exchange *x, const char *p, size_t n)
{
	struct wire_get *g = x->ctx;

	cr_assert_gt(n, 0);
	cr_assert_neq(x->status, 0);
	cr_assert_leq(g->len + n, sizeof(g->body));
	memcpy(g->body + g->len, p, n);
	g->len += n;
	if (++g->n_bodies != g->stop_at)
		return 0;
	op_fail(&x->op, ERR_ABORTED, "enough");
	return -1;
}

static void on_done(struct op *op)
{
	struct k8s_exchange *x = CONTAINER_OF(op, struct k8s_exchange, op);
	struct wire_get *g = x->ctx;

	cr_assert_null(x->impl);
	g->err = op->err;
	g->dones++;
	if (g->order)
		g->at = ++*g->order;
}

void wire_ask(struct wire_lab *w, struct wire_get *g, const char *method,
	      const char *target, const char *body)
{
	g->len = 0;
	g->n_bodies = g->dones = 0;
	g->x.method = method;
	g->x.target = target;
	g->x.body = body;
	g->x.content_type = body ? "application/json" : NULL;
	g->x.on_body = on_body;
	g->x.ctx = g;
	k8s_exchange_start(&g->x, w->client, on_done);
	cr_assert_eq(g->dones, 0);
}

void wire_get(struct wire_lab *w, struct wire_get *g, const char *target)
{
	wire_ask(w, g, "GET", target, NULL);
}

enum err_code wire_wait(struct wire_lab *w, struct wire_get *g)
{
	t_run_until(&w->l, g->dones);
	cr_assert_eq(g->dones, 1);
	return g->err.code;
}

void wire_expect(struct wire_lab *w, unsigned status, const char *body)
{
	static struct wire_get g;

	memset(&g, 0, sizeof(g));
	wire_get(w, &g, "/api");
	cr_assert_eq(wire_wait(w, &g), ERR_OK, "%s", g.err.msg);
	cr_assert_eq(g.x.status, status);
	cr_assert_eq(g.len, strlen(body));
	cr_assert_arr_eq(g.body, body, g.len);
}
