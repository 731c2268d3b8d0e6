/* Bytes on the socket that are no gRPC: the process lives, memory stays bounded, other
 * calls are served, the box hears nothing of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/fds.h"
#include "e2e/rpc.h"

static struct sim sim;
static struct driver driver;
static pid_t first_pid;
enum { SESSIONS = 4 }; /* --rds-sessions, by default */

static bool open_both(void)
{
	memset(&sim, 0, sizeof(sim));
	memset(&driver, 0, sizeof(driver));
	e2e_path(sim.dir, "box");
	driver.sim = &sim;
	driver.is_controller = true;
	if (!sim_start(&sim))
		return false;
	driver_open(&driver);
	if (!driver_start(&driver))
		return false;
	first_pid = driver.pid;
	return true;
}

static void close_both(void)
{
	CHECK(!driver_is_gone(&driver, 0) && driver.pid == first_pid, "the driver died");
	driver_close(&driver);
	sim_stop(&sim);
}

/* ---- bytes that are no gRPC ---- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
enum { PREFACE = sizeof(preface) - 1 };

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 5 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%.107s",
		       driver.address + strlen("unix://"));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (!CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "no connection")) {
		close(fd);
		return -1;
	}
	return fd;
}

static void say(int fd, const void *bytes, size_t n)
{
	(void)!send(fd, bytes, n,
		    MSG_NOSIGNAL); /* the server may have hung up: its right */
}

static bool alive(const char *after)
{
	return CHECK(rpc_probe(&driver), "no Probe after %s: %s", after, rpc_message());
}

static void frame(int fd, unsigned type, unsigned flags, unsigned stream, unsigned len)
{
	static const unsigned char zero[65536];
	unsigned char head[9] = { (unsigned char)(len >> 16),
				  (unsigned char)(len >> 8),
				  (unsigned char)len,
				  (unsigned char)type,
				  (unsigned char)flags,
				  0,
				  (unsigned char)(stream >> 16),
				  (unsigned char)(stream >> 8),
				  (unsigned char)stream };

	say(fd, head, sizeof(head));
	if (len)
		say(fd, zero, len);
}

/* :method POST, :scheme http, :path /x, te trailers … as literal fields without a table.
 */
static const unsigned char post[] = { 0x83, 0x86, 0x04, 2,    '/', 'x', 0x01,
				      1,    'a',  0x0f, 0x10, 16,  'a', 'p',
				      'p',  'l',  'i',	'c',  'a', 't', 'i',
				      'o',  'n',  '/',	'g',  'r', 'p', 'c' };

static void open_stream(int fd, unsigned stream)
{
	unsigned char head[9] = { 0,
				  0,
				  sizeof(post),
				  1,
				  4,
				  0,
				  (unsigned char)(stream >> 16),
				  (unsigned char)(stream >> 8),
				  (unsigned char)stream };

	say(fd, head, sizeof(head));
	say(fd, post, sizeof(post));
}

static void noise(void)
{
	for (unsigned round = 0; round < 100; round++) {
		unsigned char bytes[3000];
		int fd = dial();

		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)e2e_random();
		if (round % 2)
			say(fd, preface, PREFACE);
		say(fd, bytes, e2e_below(sizeof(bytes)));
		close(fd);
	}
	alive("noise");
}

static void half_frames(void)
{
	int fds[20];

	for (unsigned i = 0; i < 20; i++) {
		fds[i] = dial();
		say(fds[i], preface, PREFACE);
		open_stream(fds[i], 1);
		frame(fds[i], 0, 0, 1, 0);
		say(fds[i], "\0\1\0\0\0", 1 + i % 5); /* a frame that never ends */
	}
	alive("half frames, their connections open");
	for (unsigned i = 0; i < 20; i++)
		close(fds[i]);
	alive("half frames");
}

static void empty_frames(void)
{
	int fd = dial();

	say(fd, preface, PREFACE);
	open_stream(fd, 1);
	for (unsigned i = 0; i < 10000; i++)
		frame(fd, 0, 0, 1, 0);
	alive("10,000 empty frames");
	close(fd);
	fd = dial();
	say(fd, preface, PREFACE);
	for (unsigned i = 0; i < 10000; i++)
		frame(fd, 4, 0, 0, 0); /* SETTINGS */
	alive("10,000 empty SETTINGS");
	close(fd);
}

static void rapid_reset(void)
{
	int fd = dial();

	say(fd, preface, PREFACE);
	for (unsigned i = 0; i < 20000; i++) {
		open_stream(fd, 2 * i + 1);
		frame(fd, 3, 0, 2 * i + 1, 4);
	}
	alive("20,000 resets");
	close(fd);
}

static void oversized(void)
{
	static uint8_t big[5 << 20];
	struct rpc_call c;
	int fd = dial();

	rpc_start_raw(&driver, &c, "Probe", big, sizeof(big));
	CHECK(rpc_wait(&driver, &c) == ERR_EXHAUSTED, "%s", rpc_message());
	rpc_free(&c);
	say(fd, preface, PREFACE);
	frame(fd, 1, 0, 1, 16384); /* HEADERS, and CONTINUATION without end */
	for (unsigned i = 0; i < 100; i++)
		frame(fd, 9, 0, 1, 16384);
	alive("oversized headers");
	close(fd);
	fd = dial();
	say(fd, preface, PREFACE);
	frame(fd, 0, 0, 1, 65535);
	alive("an oversized frame");
	close(fd);
}

static void on_the_socket(void)
{
	struct fds before, after;
	long rss;

	if (!open_both() || !alive("the start"))
		return;
	noise();
	half_frames();
	rss = driver_rss_kib(&driver);
	fds_settle(&driver, 0, &before);
	for (unsigned i = 0; i < 3; i++) {
		noise();
		half_frames();
		empty_frames();
		rapid_reset();
		oversized();
	}
	fds_settle(&driver, before.own, &after);
	e2e_note("RSS %ld KiB, then %ld; fds %u and %u to the box, then %u and %u", rss,
		 driver_rss_kib(&driver), before.own, before.box, after.own, after.box);
	CHECK(driver_rss_kib(&driver) < rss + 8192, "%ld KiB more",
	      driver_rss_kib(&driver) - rss);
	CHECK(after.box <= SESSIONS, "%u connections with the box", after.box);
	CHECK(sim_stat(&sim, "execs") == 0, "the box was asked");
	close_both();
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "on_the_socket", on_the_socket, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
