#include "sim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/control.h"
#include "sim/export.h"
#include "sim/keys.h"
#include "sim/menu.h"
#include "sim/users.h"

int server_listen(const char *host, uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t len = sizeof sa;
	int one = 1, fd;

	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
		fprintf(stderr, "rds-sim: not an IPv4 address: %s\n", host);
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
		fprintf(stderr, "rds-sim: %s:%u: %s\n", host, *port, strerror(errno));
		close(fd);
		return -1;
	}
	*port = ntohs(sa.sin_port);
	return fd;
}

static int make_bind(struct server *s, int i, const char *key_name)
{
	bool process_config = false;
	ssh_key key = keys_load(s->opt.box.dir, key_name);

	if (!key)
		return -1;
	s->binds[i] = ssh_bind_new();
	ssh_bind_options_set(s->binds[i], SSH_BIND_OPTIONS_PROCESS_CONFIG,
			     &process_config);
	ssh_bind_options_set(s->binds[i], SSH_BIND_OPTIONS_BANNER, "ROSSSH");
	if (ssh_bind_options_set(s->binds[i], SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0) {
		fprintf(stderr, "rds-sim: host key: %s\n", ssh_get_error(s->binds[i]));
		return -1;
	}
	return 0;
}

static void read_user_keys(struct server *s)
{
	char path[1024];

	while (s->n_user_keys)
		ssh_key_free(s->user_keys[--s->n_user_keys]);
	snprintf(path, sizeof path, "%s/client_key.pub", s->opt.box.dir);
	s->n_user_keys = keys_read_public(path, s->user_keys, MAX_USER_KEYS);
	if (s->opt.authorized_keys)
		s->n_user_keys += keys_read_public(s->opt.authorized_keys,
						   s->user_keys + s->n_user_keys,
						   MAX_USER_KEYS - s->n_user_keys);
}

bool server_accepts(struct server *s, const char *user, struct ssh_key_struct *key)
{
	char *base64 = NULL;
	bool is_known = ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK &&
			users_has_key(s->box->users, user, base64);

	ssh_string_free_char(base64);
	read_user_keys(s);
	for (size_t i = 0; i < s->n_user_keys; i++)
		is_known |= ssh_key_cmp(s->user_keys[i], key, SSH_KEY_CMP_PUBLIC) == 0;
	return is_known && users_may_enter(s->box->users, user);
}

unsigned server_cut_removed(struct server *s)
{
	unsigned n = 0;

	for (struct conn *c = s->conns; c; c = c->next)
		if (c->user_key && !c->is_dead &&
		    !server_accepts(s, c->user, c->user_key)) {
			c->is_dead = true;
			n++;
		}
	return n;
}

static int load_user_keys(struct server *s)
{
	ssh_key own = keys_load(s->opt.box.dir, "client_key");

	if (!own)
		return -1;
	ssh_key_free(own);
	read_user_keys(s);
	return 0;
}

static int stop_open(void)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	return signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
}

int server_open(struct server *s)
{
	uint16_t control_port = s->opt.control_port;

	s->listen_fd = -1;
	s->stop_fd = stop_open();
	if (s->stop_fd < 0) {
		perror("rds-sim: signalfd");
		return -1;
	}
	if (schema_load(s->opt.schema) < 0)
		return -1;
	menu_init();
	s->box = box_open(&s->opt.box);
	if (!s->box)
		return -1;
	s->fault = s->opt.fault;
	s->box->timeouts = &s->fault.action_timeout;
	sched_init(&s->sched, s->box, &s->fault);
	if (s->opt.log && !(s->sched.log = fopen(s->opt.log, "ae"))) {
		fprintf(stderr, "rds-sim: %s: %s\n", s->opt.log, strerror(errno));
		return -1;
	}
	ssh_init();
	if (load_user_keys(s) < 0 || make_bind(s, 0, "host_key") < 0 ||
	    make_bind(s, 1, "host_key2") < 0)
		return -1;
	s->port = s->opt.listen_port;
	s->listen_fd = server_listen(s->opt.listen_host, &s->port);
	if (s->listen_fd < 0 || control_open(s, s->opt.control_host, &control_port) < 0)
		return -1;
	fprintf(stderr, "rds-sim: RouterOS %s, pool %s %s\n", s->opt.box.version_text,
		s->opt.box.pool_fs,
		s->box->real_btrfs ? "with real subvolumes"
				   : "with directories standing in for subvolumes");
	printf("ready ssh=%s:%u control=%s:%u\n", s->opt.listen_host, s->port,
	       s->opt.control_host, control_port);
	fflush(stdout);
	return 0;
}

void server_drop_all(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		c->is_dead = true;
}

static void reap(struct server *s)
{
	struct conn **at = &s->conns, *c;

	while ((c = *at)) {
		if (!c->is_dead) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		conn_free(c);
	}
}

static int sooner(int a, int b)
{
	if (a < 0)
		return b;
	return b < 0 || a < b ? a : b;
}

/* False: a signal asks for the end. */
static bool wait_for_work(struct server *s, int timeout)
{
	struct pollfd
		fds[2 + CONTROL_MAX_CONNS + 1 + NVMET_MAX_CHILDREN + 256 * CONN_FDS];
	unsigned n = 0;

	fds[n++] = (struct pollfd){ .fd = s->stop_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = s->listen_fd, .events = POLLIN };
	n += control_poll(s, fds + n);
	n += box_exports_poll(s->box, fds + n);
	for (struct conn *c = s->conns; c && n + CONN_FDS <= sizeof fds / sizeof *fds;
	     c = c->next) {
		conn_poll(c, fds + n);
		timeout = sooner(timeout, conn_timeout(c));
		n += CONN_FDS;
	}
	if (s->box->opt.dead_ms)
		timeout = sooner(timeout, 20);
	timeout = sooner(timeout, box_exports_timeout(s->box));
	poll(fds, n, timeout);
	return !fds[0].revents;
}

void server_loop(struct server *s)
{
	int timeout = -1, fd;

	while (wait_for_work(s, timeout)) {
		while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
			conn_accept(s, fd);
		for (struct conn *c = s->conns; c; c = c->next)
			conn_step(c);
		control_step(s);
		reap(s);
		box_tick(s->box);
		/* Last: it says how long nothing can happen, which all before may change.
		 */
		timeout = sched_turn(&s->sched);
	}
}

void server_close(struct server *s)
{
	server_drop_all(s);
	reap(s);
	control_close(s);
	sched_fini(&s->sched);
	if (s->sched.log)
		fclose(s->sched.log);
	for (size_t i = 0; i < s->n_user_keys; i++)
		ssh_key_free(s->user_keys[i]);
	for (int i = 0; i < 2; i++)
		if (s->binds[i])
			ssh_bind_free(s->binds[i]);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	close(s->stop_fd);
	box_close(s->box);
}
