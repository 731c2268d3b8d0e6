#ifndef WIRE_LAB_H
#define WIRE_LAB_H
#include "k8s/client.h"
#include "k8s/exchange.h"
#include "support/https_peer.h"
#include "support/t.h"

/* The wire to an API server in one process: a loop, an https_peer, a kubeconfig in a
 * directory of its own (ca.crt, token, config) and the client made from it. */
struct wire_lab {
	struct t_loop l;
	struct https_peer peer;
	struct certs ca, server;
	char dir[128], path[256];
	struct k8s_client *client;
	bool is_stopped;
};

/* One exchange and what it came to. */
struct wire_get {
	struct k8s_exchange x;
	char body[1 << 16];
	size_t len;
	int n_bodies, dones;
	struct err err;
	int stop_at;	/* the on_body that says -1; 0: none */
	int *order, at; /* at its end it takes its place in *order */
};

enum { WIRE_PLAIN = 1, WIRE_BY_NAME = 2 };

void wire_open(struct wire_lab *w, int flags);
/* With everything but the client; then wire_client. */
void wire_open_peer(struct wire_lab *w, int flags);
void wire_client(struct wire_lab *w);
/* Stops the client; nothing may be left. */
void wire_close(struct wire_lab *w);
void wire_stop(struct wire_lab *w);
const char *wire_path(struct wire_lab *w, const char *name);

void wire_get(struct wire_lab *w, struct wire_get *g, const char *target);
void wire_ask(struct wire_lab *w, struct wire_get *g, const char *method,
	      const char *target, const char *body);
/* Starts it, waits for its end and checks that it is answered so. */
void wire_expect(struct wire_lab *w, unsigned status, const char *body);
/* Waits for its end and gives the code. */
enum err_code wire_wait(struct wire_lab *w, struct wire_get *g);
#endif
