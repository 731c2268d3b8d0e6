#ifndef HTTPS_PEER_H
#define HTTPS_PEER_H
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "support/certs.h"

/* A small HTTP/1.1 server over TLS (or plain) on 127.0.0.1, in the loop of the test and
 * with nothing of src/. It answers each request with the bytes that it is told, which
 * need be no HTTP, and can cut the connection after any byte on the wire. */
struct https_conn;

struct https_peer {
	/* The script; may be changed at any time. */
	const char *answer; /* for every request, unless on_request is set; NULL: none */
	size_t answer_len;  /* 0: strlen */
	void (*on_request)(struct https_peer *p, struct https_conn *c, const char *text);
	long cut_answer; /* the same, counted from the first request on */
	long cut_after;	 /* bytes on the wire of each connection, then it is closed; < 0:
			    not */
	size_t piece;	 /* bytes of each write; 0: as many as there are */
	bool is_deaf;	 /* accepts, but reads nothing */
	bool does_key_update; /* before each answer, and asks for one */
	bool closes;	      /* after each answer, with close_notify */
	void *arg;
	/* What it has seen. */
	int n_conns, n_open, n_requests, n_handshakes;
	long n_wire;	      /* bytes written on the last connection, */
	long n_answer;	      /* and of these since its first request */
	char last[96 * 1024]; /* the last request, whole */
	int port;
	/* Private. */
	SSL_CTX *ctx;
	uv_tcp_t listener;
	struct https_conn *conns;
};

/* cert NULL: plain HTTP. client_ca: a certificate by it is demanded; NULL: none. */
void https_peer_open(struct https_peer *p, uv_loop_t *loop, const struct certs *cert,
		     const struct certs *client_ca);
/* From now on new connections see another certificate. */
void https_peer_use(struct https_peer *p, const struct certs *cert);
void https_peer_close(struct https_peer *p); /* the loop must turn once more */

void https_send(struct https_conn *c, const char *bytes, size_t n);
void https_end(struct https_conn *c, bool is_polite); /* after what was sent */
void https_end_all(struct https_peer *p, bool is_polite);
#endif
