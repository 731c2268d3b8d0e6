/* The SSH server. One poll loop, one thread. Each TCP connection is shuttled, byte by
 * counted byte, to a socket pair whose other end libssh serves: so a connection can be
 * cut after exactly N bytes, dripped or refused.
 *
 * libssh traps (0.10, 0.11): one ssh_event for all connections disturbs innocent ones, so
 * each has its own; nothing is answered inside a callback; key exchange must have been
 * called once before the session joins its event. */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <poll.h>

#include "sim/opts.h"
#include "sim/sched.h"

enum {
	MAX_USER_KEYS = 64,
	SHUTTLE_MAX = 1 << 18,
};

struct chan {
	struct chan *next;
	struct conn *conn;
	ssh_channel ch;
	struct ssh_channel_callbacks_struct cb;
	char *line; /* exec request not yet started */
	struct exec *exec;
	size_t sent;
	bool got_exec, is_finished, is_closed;
};

struct conn {
	struct conn *next;
	struct server *server;
	int fd, pair, ssh_fd;
	ssh_session session;
	ssh_event event;
	struct ssh_server_callbacks_struct server_cb;
	struct ssh_callbacks_struct session_cb;
	struct sb to_ssh, to_client;
	int64_t in_left, out_left; /* bytes until the cut; FAULT_OFF: none */
	uint64_t drip_at;
	bool is_authed, is_dead;
	char user[64];
	ssh_key user_key; /* by which it was let in; NULL before */
	struct chan *chans;
};

struct server {
	struct opts opt;
	struct box *box;
	struct sched sched;
	struct fault fault;
	ssh_bind binds[2];
	ssh_key user_keys[MAX_USER_KEYS];
	size_t n_user_keys;
	int listen_fd, stop_fd;
	uint16_t port;
	struct conn *conns;
	struct control *control;
};

/* -1 with a line on stderr. From its call on SIGTERM and SIGINT are blocked, here and in
 * the children: they are read from a descriptor, so that one which comes just before the
 * loop sleeps ends it too. */
int server_open(struct server *s);
void server_close(struct server *s);
/* Runs until SIGTERM or SIGINT. */
void server_loop(struct server *s);
void server_drop_all(struct server *s);
/* By the files as they are now, and what the box was told. */
bool server_accepts(struct server *s, const char *user, struct ssh_key_struct *key);
/* Cuts the connections whose user key is accepted no more; how many. */
unsigned server_cut_removed(struct server *s);
int server_listen(const char *host, uint16_t *port);
/* For a cut counted from now on the connections there are. */
void server_arm_now(struct server *s);

/* ---- conn.c ---- */
void conn_accept(struct server *s, int fd);
void conn_free(struct conn *c);
/* Adds what it waits for; n_fds grows by CONN_FDS. */
enum { CONN_FDS = 3 };
void conn_poll(const struct conn *c, struct pollfd *fds);
void conn_step(struct conn *c);
int conn_timeout(const struct conn *c); /* ms until the next drip, -1 none */
void conn_arm(struct conn *c, const char *line);

/* ---- channel.c ---- */
ssh_channel channel_open(ssh_session session, void *userdata);
void channel_pump(struct conn *c); /* starts execs, sends output, ends channels */
void channel_free_all(struct conn *c);
bool channel_busy(const struct conn *c); /* something could be sent at once */

#endif
