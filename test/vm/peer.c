#include "vm/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "vm/kern.h"

enum { PORT = 7000, MEET_MS = 360000 };

static int fd = -1;
static char held[PEER_LINE]; /* received, not heard yet */
static size_t n_held;

bool peer_is_a(void)
{
	const char *role = getenv("VM_ROLE");

	return role && strcmp(role, "a") == 0;
}

const char *peer_address(void)
{
	const char *text = getenv("VM_PEER");

	return text ? text : "";
}

const char *peer_own_address(void)
{
	const char *text = getenv("VM_ADDRESS");

	return text ? text : "";
}

static bool fill_address(struct sockaddr_in *in, const char *text)
{
	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_port = htons(PORT);
	return inet_pton(AF_INET, text, &in->sin_addr) == 1;
}

/* A waits for B to call. */
static int wait_for_call(void)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), got = -1;
	struct pollfd p = { .fd = s, .events = POLLIN };
	struct sockaddr_in in;

	if (s < 0 || !fill_address(&in, peer_own_address()))
		return -1;
	(void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(s, (struct sockaddr *)&in, sizeof(in)) == 0 && listen(s, 1) == 0 &&
	    poll(&p, 1, MEET_MS) > 0)
		got = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	close(s);
	return got;
}

static int call(void)
{
	uint64_t end = e2e_now_ms() + MEET_MS;
	struct sockaddr_in in;

	if (!fill_address(&in, peer_address()))
		return -1;
	while (e2e_now_ms() < end) {
		int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (s >= 0 && connect(s, (struct sockaddr *)&in, sizeof(in)) == 0)
			return s;
		if (s >= 0)
			close(s);
		e2e_sleep_ms(100);
	}
	return -1;
}

bool peer_open(void)
{
	fd = peer_is_a() ? wait_for_call() : call();
	n_held = 0;
	return CHECK(fd >= 0, "the other VM does not come");
}

void peer_close(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

bool peer_say(const char *fmt, ...)
{
	char line[PEER_LINE + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, PEER_LINE, fmt, ap);
	va_end(ap);
	if (!CHECK(n >= 0 && n < PEER_LINE, "a line too long"))
		return false;
	line[n++] = '\n';
	return CHECK(send(fd, line, (size_t)n, MSG_NOSIGNAL) == n,
		     "the other VM has gone");
}

bool peer_hear(char out[PEER_LINE], unsigned timeout_ms)
{
	uint64_t end = e2e_now_ms() + timeout_ms, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *nl;
	ssize_t n;

	while (!(nl = memchr(held, '\n', n_held))) {
		now = e2e_now_ms();
		if (!CHECK(n_held < sizeof(held) && now < end &&
				   poll(&p, 1, (int)(end - now)) > 0,
			   "the other VM says nothing"))
			return false;
		n = read(fd, held + n_held, sizeof(held) - n_held);
		if (!CHECK(n > 0, "the other VM has gone"))
			return false;
		n_held += (size_t)n;
	}
	*nl++ = '\0';
	(void)snprintf(out, PEER_LINE, "%s", held);
	n_held -= (size_t)(nl - held);
	memmove(held, nl, n_held);
	return true;
}

bool peer_await(const char *line, unsigned timeout_ms)
{
	char heard[PEER_LINE];

	return peer_hear(heard, timeout_ms) &&
	       CHECK(strcmp(heard, line) == 0, "'%s' awaited, '%s' heard", line, heard);
}

/* One pair a line: values have no tab in them. */
static bool say_context(const struct vol_context *c)
{
	bool ok = peer_say("%zu", c->n);

	for (size_t i = 0; ok && i < c->n; i++)
		ok = peer_say("%s\t%s", c->pairs[2 * i], c->pairs[2 * i + 1]);
	return ok;
}

static bool hear_context(struct vol_context *c, unsigned timeout_ms)
{
	char line[PEER_LINE];

	if (!peer_hear(line, timeout_ms))
		return false;
	c->n = (size_t)strtoul(line, NULL, 10);
	if (!CHECK(c->n <= VOL_PAIRS, "%s pairs", line))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		char *key = c->text[2 * i], *value = c->text[2 * i + 1], *tab;

		if (!peer_hear(line, timeout_ms) ||
		    !CHECK((tab = strchr(line, '\t')) != NULL, "no pair: %s", line))
			return false;
		*tab = '\0';
		(void)snprintf(key, sizeof(c->text[0]), "%.299s", line);
		(void)snprintf(value, sizeof(c->text[0]), "%.299s", tab + 1);
		c->pairs[2 * i] = key;
		c->pairs[2 * i + 1] = value;
	}
	return true;
}

bool peer_say_vol(const struct vol *v)
{
	return peer_say("%s", v->id) &&
	       peer_say("%lld %d %d %d", v->size_bytes, v->is_block, v->is_readonly,
			v->mode) &&
	       say_context(&v->context) && say_context(&v->publish);
}

bool peer_hear_vol(struct vol *v, unsigned timeout_ms)
{
	char line[PEER_LINE];
	int block, readonly;

	if (!peer_hear(line, timeout_ms))
		return false;
	line[sizeof(v->id) - 1] = '\0';
	vol_init(v, line);
	if (!peer_hear(line, timeout_ms) ||
	    !CHECK(sscanf(line, "%lld %d %d %d", &v->size_bytes, &block, &readonly,
			  &v->mode) == 4,
		   "no volume: %s", line))
		return false;
	v->is_block = block;
	v->is_readonly = readonly;
	v->want_bytes = v->size_bytes;
	return hear_context(&v->context, timeout_ms) &&
	       hear_context(&v->publish, timeout_ms);
}

void peer_pause_other(void)
{
	fprintf(stderr, "vm: pause %c\n", peer_is_a() ? 'b' : 'a');
}

void peer_resume_other(void)
{
	fprintf(stderr, "vm: resume %c\n", peer_is_a() ? 'b' : 'a');
}

void peer_die(void)
{
	fprintf(stderr, "vm: lost\n");
	(void)tcdrain(STDERR_FILENO);
	(void)kern_put("/proc/sys/kernel/sysrq", "1");
	for (;;) /* at once, nothing is written: with -no-reboot the machine ends */
		(void)kern_put("/proc/sysrq-trigger", "b");
}
