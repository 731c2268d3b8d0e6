/* The floor under the driver's size: a program that links the same libraries, initialises
 * them as the driver does, and idles on an empty libuv loop. Its RSS is what no care of
 * ours can save.
 *   floor --plain                       no SSH (a node plugin)
 *   floor --ssh HOST PORT KEY           one authenticated, idle SSH session (a
 * controller) It prints "ready" when it idles and ends at SIGTERM. */
#include <arpa/inet.h>
#include <blkid/blkid.h>
#include <jansson.h>
#include <libssh2.h>
#include <nghttp2/nghttp2.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <uv.h>

/* One symbol of each library, so that the linker keeps it. */
const void *const floor_keeps[] = {
	(const void *)uv_version,	  (const void *)nghttp2_version,
	(const void *)protobuf_c_version, (const void *)json_object,
	(const void *)blkid_new_probe,	  (const void *)uuid_generate,
	(const void *)libssh2_version,
};

static int ssh_session(const char *host, const char *port, const char *key)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	LIBSSH2_SESSION *s;

	sa.sin_port = htons((uint16_t)atoi(port));
	if (libssh2_init(0) != 0 || inet_pton(AF_INET, host, &sa.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return -1;
	s = libssh2_session_init();
	if (libssh2_session_handshake(s, fd) != 0)
		return -1;
	return libssh2_userauth_publickey_fromfile(s, "admin", NULL, key, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)handle, (void)number;
}

int main(int argc, char **argv)
{
	static uv_loop_t loop;
	static uv_signal_t never;

	if (argc < 2 || (strcmp(argv[1], "--ssh") == 0 && argc != 5))
		return 2;
	(void)uv_loop_init(&loop);
	(void)uv_signal_init(&loop, &never);
	(void)uv_signal_start(&never, on_signal, SIGUSR1);
	if (strcmp(argv[1], "--ssh") == 0 &&
	    ssh_session(argv[2], argv[3], argv[4]) != 0) {
		fprintf(stderr, "floor: no SSH session\n");
		_exit(1);
	}
	(void)!write(STDOUT_FILENO, "ready\n", 6);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	_exit(0);
}
