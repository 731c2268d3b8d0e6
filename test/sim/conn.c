/* One TCP connection: the shuttle with its cuts, and libssh behind it. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/server.h"

static int on_pubkey(ssh_session session, const char *user, struct ssh_key_struct *key,
		     char state, void *data)
{
	struct conn *c = data;
	struct server *s = c->server;

	(void)session;
	if (s->opt.refuse_rsa_user && ssh_key_type(key) == SSH_KEYTYPE_RSA)
		return SSH_AUTH_DENIED;
	if (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID)
		return SSH_AUTH_DENIED;
	if (!server_accepts(s, user, key))
		return SSH_AUTH_DENIED;
	snprintf(c->user, sizeof c->user, "%s", user);
	if (state == SSH_PUBLICKEY_STATE_VALID && !c->is_authed) {
		c->is_authed = true;
		c->user_key = ssh_key_dup(key);
	}
	return SSH_AUTH_SUCCESS;
}

/* keepalive@openssh.com and its like are never answered by the box. */
static void on_global_request(ssh_session session, ssh_message message, void *data)
{
	(void)session;
	(void)message;
	(void)data;
}

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int start_ssh(struct conn *c, ssh_bind bind, int fd)
{
	c->session = ssh_new();
	if (!c->session || ssh_bind_accept_fd(bind, c->session, fd) != SSH_OK) {
		fprintf(stderr, "rds-sim: accept: %s\n", ssh_get_error(bind));
		return -1;
	}
	c->ssh_fd = fd;
	ssh_set_blocking(c->session, 0);
	ssh_set_auth_methods(c->session, SSH_AUTH_METHOD_PUBLICKEY);
	c->server_cb.userdata = c;
	c->server_cb.auth_pubkey_function = on_pubkey;
	c->server_cb.channel_open_request_session_function = channel_open;
	ssh_callbacks_init(&c->server_cb);
	ssh_set_server_callbacks(c->session, &c->server_cb);
	c->session_cb.userdata = c;
	c->session_cb.global_request_function = on_global_request;
	ssh_callbacks_init(&c->session_cb);
	ssh_set_callbacks(c->session, &c->session_cb);
	c->event = ssh_event_new();
	if (!c->event || ssh_handle_key_exchange(c->session) == SSH_ERROR ||
	    ssh_event_add_session(c->event, c->session) != SSH_OK)
		return -1;
	return 0;
}

static void arm(struct conn *c)
{
	struct fault *f = &c->server->fault;

	c->in_left = f->cut_in;
	c->out_left = f->cut_out;
	if (--f->cut_times <= 0)
		f->cut_in = f->cut_out = FAULT_OFF;
	if (c->in_left == 0 || c->out_left == 0)
		c->is_dead = true;
}

static bool is_armed(const struct fault *f, enum cut_from from)
{
	return f->cut_from == (int64_t)from &&
	       (f->cut_in != FAULT_OFF || f->cut_out != FAULT_OFF);
}

void conn_arm(struct conn *c, const char *line)
{
	if (is_armed(&c->server->fault, CUT_FROM_EXEC) &&
	    fault_matches(&c->server->fault, line))
		arm(c);
}

void server_arm_now(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		if (is_armed(&s->fault, CUT_FROM_NOW))
			arm(c);
}

void conn_accept(struct server *s, int fd)
{
	struct conn *c = xmalloc(sizeof *c);
	int pair[2], one = 1;

	c->server = s;
	c->fd = fd;
	c->in_left = c->out_left = FAULT_OFF;
	c->pair = c->ssh_fd = -1;
	c->next = s->conns;
	s->conns = c;
	s->box->stats.connections++;
	s->box->stats.sessions_now++;
	set_nonblocking(fd);
	if (!s->opt.nagle)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (s->fault.refuse || s->box->stats.sessions_now > s->opt.max_sessions ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
		c->is_dead = true;
		return;
	}
	set_nonblocking(pair[0]);
	set_nonblocking(pair[1]);
	c->pair = pair[0];
	if (start_ssh(c, s->binds[s->fault.other_host_key ? 1 : 0], pair[1]) < 0)
		c->is_dead = true;
	if (is_armed(&s->fault, CUT_FROM_CONNECT))
		arm(c);
}

void conn_free(struct conn *c)
{
	c->server->box->stats.sessions_now--;
	close(c->fd);
	if (c->pair >= 0)
		close(c->pair);
	if (c->event) {
		ssh_event_remove_session(c->event, c->session);
		ssh_event_free(c->event);
	}
	if (c->session) {
		ssh_silent_disconnect(c->session);
		ssh_free(c->session);
	}
	channel_free_all(c);
	ssh_key_free(c->user_key);
	sb_fini(&c->to_ssh);
	sb_fini(&c->to_client);
	free(c);
}

/* Reads what there is, up to the cut. */
static void take(struct conn *c, int fd, struct sb *to, int64_t *left)
{
	char buf[65536];
	size_t want = sizeof buf;
	ssize_t n;

	if (to->len > SHUTTLE_MAX)
		return;
	if (*left != FAULT_OFF && (uint64_t)*left < want)
		want = (size_t)*left;
	if (!want)
		return;
	n = recv(fd, buf, want, 0);
	if (n > 0) {
		sb_add(to, buf, (size_t)n);
		if (*left != FAULT_OFF)
			*left -= n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->is_dead = true;
	}
}

static size_t give(int fd, struct sb *from, size_t max)
{
	ssize_t n;

	if (!from->len)
		return 0;
	n = send(fd, from->p, from->len < max ? from->len : max, MSG_NOSIGNAL);
	if (n <= 0)
		return 0;
	from->len -= (size_t)n;
	memmove(from->p, from->p + n, from->len);
	return (size_t)n;
}

static void give_client(struct conn *c)
{
	int64_t drip = c->server->fault.drip_ms;
	size_t max = drip ? 1 : SIZE_MAX;

	if (drip && now_ms() < c->drip_at)
		return;
	if (give(c->fd, &c->to_client, max) && drip)
		c->drip_at = now_ms() + (uint64_t)drip;
}

static void ssh_step(struct conn *c)
{
	if (ssh_event_dopoll(c->event, 0) == SSH_ERROR ||
	    ssh_get_status(c->session) & (SSH_CLOSED | SSH_CLOSED_ERROR))
		c->is_dead = true;
}

/* The bytes before the cut still arrive, on both sides; nothing after them does. */
static void check_cut(struct conn *c)
{
	if (c->in_left == 0 && !c->to_ssh.len) {
		c->is_dead = true;
		return;
	}
	if (c->out_left == 0) {
		give(c->fd, &c->to_client, SIZE_MAX);
		c->is_dead = true;
	}
}

void conn_step(struct conn *c)
{
	if (c->is_dead)
		return;
	take(c, c->fd, &c->to_ssh, &c->in_left);
	give(c->pair, &c->to_ssh, SIZE_MAX);
	if (c->is_dead)
		return;
	ssh_step(c);
	if (!c->is_dead)
		channel_pump(c);
	if (!c->is_dead && ssh_get_poll_flags(c->session) & SSH_WRITE_PENDING)
		ssh_step(c);
	/* What the session has said last, before it ended, arrives as well. */
	if (c->pair >= 0 && c->out_left != 0)
		take(c, c->pair, &c->to_client, &c->out_left);
	give_client(c);
	check_cut(c);
}

void conn_poll(const struct conn *c, struct pollfd *fds)
{
	bool drip = c->server->fault.drip_ms != 0;

	fds[0] = (struct pollfd){ .fd = c->fd };
	fds[1] = (struct pollfd){ .fd = c->pair };
	fds[2] = (struct pollfd){ .fd = c->ssh_fd };
	if (c->to_ssh.len < SHUTTLE_MAX)
		fds[0].events |= POLLIN;
	if (c->to_client.len && !drip)
		fds[0].events |= POLLOUT;
	if (c->to_client.len < SHUTTLE_MAX && c->out_left != 0)
		fds[1].events |= POLLIN;
	if (c->to_ssh.len)
		fds[1].events |= POLLOUT;
	fds[2].events = POLLIN;
	if (c->session && ssh_get_poll_flags(c->session) & SSH_WRITE_PENDING)
		fds[2].events |= POLLOUT;
}

int conn_timeout(const struct conn *c)
{
	uint64_t now = now_ms();

	if (c->is_dead || channel_busy(c))
		return 0;
	if (!c->server->fault.drip_ms || !c->to_client.len)
		return -1;
	return c->drip_at > now ? (int)(c->drip_at - now) : 0;
}
