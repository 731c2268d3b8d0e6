/* The simulator as a child process, an SSH client and an HTTP client for it. */
#ifndef SIM_TESTS_T_NET_H
#define SIM_TESTS_T_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sim/server.h"
#include "sim/tests/t_sim.h"

struct t_net {
	char dir[128];
	pid_t pid;
	int out; /* its stdout */
	unsigned ssh_port, control_port;
	char reply[1 << 20];
};

static inline void t_child(struct t_net *t, const char *const *args, int out)
{
	static struct server s;
	const char *argv[32] = { "rds-sim", "--dir", t->dir, "--seed", "7" };
	int argc = 5;

	for (; args && *args; args++)
		argv[argc++] = *args;
	dup2(out, 1);
	if (!freopen("/dev/null", "w", stderr))
		_exit(3);
	signal(SIGPIPE, SIG_IGN);
	opts_init(&s.opt);
	if (opts_parse(&s.opt, argc, (char **)(uintptr_t)argv) || server_open(&s) < 0)
		_exit(3);
	server_loop(&s);
	_exit(0);
}

static inline void t_net_start(struct t_net *t, const char *const *args)
{
	char line[256] = "";
	size_t n = 0;
	int p[2];

	cr_assert_eq(pipe(p), 0);
	t->pid = fork();
	if (t->pid == 0)
		t_child(t, args, p[1]);
	close(p[1]);
	while (n < sizeof line - 1 && read(p[0], line + n, 1) == 1 && line[n++] != '\n')
		;
	t->out = p[0];
	cr_assert_eq(sscanf(line, "ready ssh=127.0.0.1:%u control=127.0.0.1:%u",
			    &t->ssh_port, &t->control_port),
		     2, "not ready: %s", line);
}

static inline void t_net_open(struct t_net *t, const char *const *args)
{
	t_tmpdir(t->dir, sizeof t->dir);
	t_net_start(t, args);
}

/* The status of waitpid. */
static inline int t_net_end(struct t_net *t, int sig)
{
	int st = -1;

	kill(t->pid, sig);
	waitpid(t->pid, &st, 0);
	close(t->out);
	return st;
}

static inline void t_net_close(struct t_net *t)
{
	t_net_end(t, SIGKILL);
	t_rmtree(t->dir);
}

static inline int t_dial(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

/* Body of the answer. */
static inline const char *t_http(struct t_net *t, const char *method, const char *target)
{
	char req[2048];
	size_t n = 0;
	ssize_t got;
	int fd = t_dial(t->control_port);
	const char *body;

	snprintf(req, sizeof req, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, target);
	cr_assert_eq(write(fd, req, strlen(req)), (ssize_t)strlen(req));
	while ((got = read(fd, t->reply + n, sizeof t->reply - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	t->reply[n] = 0;
	body = strstr(t->reply, "\r\n\r\n");
	return body ? body + 4 : t->reply;
}

#define t_fault(t, q) cr_assert_str_eq(t_http(t, "POST", "/fault?" q), "ok\n")

static inline long t_stat(struct t_net *t, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof key, "\"%s\":", name);
	at = strstr(t_http(t, "GET", "/stats"), key);
	return at ? atol(at + strlen(key)) : -1;
}

static inline ssh_session t_connect_with(struct t_net *t, const char *key_name)
{
	unsigned port = t->ssh_port;
	ssh_session s = ssh_new();
	long timeout = 60;
	char path[256];
	ssh_key key = NULL;
	bool no = false;
	int yes = 1;

	ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no);
	ssh_options_set(s, SSH_OPTIONS_HOST, "127.0.0.1");
	ssh_options_set(s, SSH_OPTIONS_USER, "csi");
	ssh_options_set(s, SSH_OPTIONS_PORT, &port);
	ssh_options_set(s, SSH_OPTIONS_NODELAY, &yes);
	ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &timeout);
	/* libssh's client would offer no RSA key to libssh's server. */
	ssh_options_set(s, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES,
			"ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ssh-rsa");
	snprintf(path, sizeof path, "%s/%s", t->dir, key_name);
	cr_assert_eq(ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key), SSH_OK);
	if (ssh_connect(s) != SSH_OK ||
	    ssh_userauth_publickey(s, NULL, key) != SSH_AUTH_SUCCESS) {
		ssh_free(s);
		s = NULL;
	}
	ssh_key_free(key);
	return s;
}

static inline ssh_session t_connect(struct t_net *t)
{
	return t_connect_with(t, "client_key");
}

static inline void t_hangup(ssh_session s)
{
	ssh_disconnect(s);
	ssh_free(s);
}

static inline ssh_channel t_begin(ssh_session s, const char *line)
{
	ssh_channel ch = ssh_channel_new(s);

	if (!ch || ssh_channel_open_session(ch) != SSH_OK ||
	    ssh_channel_request_exec(ch, line) != SSH_OK) {
		ssh_channel_free(ch);
		return NULL;
	}
	return ch;
}

static inline int t_exit_status(ssh_channel ch)
{
#if LIBSSH_VERSION_INT >= SSH_VERSION_INT(0, 11, 0)
	uint32_t status;

	return ssh_channel_get_exit_state(ch, &status, NULL, NULL) ? -1 : (int)status;
#else
	return ssh_channel_get_exit_status(ch);
#endif
}

/* All output of the channel, "\n" for CRLF; the exit status, -1 when none came. */
static inline int t_finish(ssh_channel ch, char *out, size_t size)
{
	size_t n = 0;
	int got, st;
	char c;

	while (n < size - 1 && (got = ssh_channel_read(ch, &c, 1, 0)) == 1)
		if (c != '\r')
			out[n++] = c;
	out[n] = 0;
	st = t_exit_status(ch);
	ssh_channel_close(ch);
	ssh_channel_free(ch);
	return st;
}

static inline int t_exec(ssh_session s, const char *line, char *out, size_t size)
{
	ssh_channel ch = t_begin(s, line);

	out[0] = 0;
	return ch ? t_finish(ch, out, size) : -1;
}

#endif
