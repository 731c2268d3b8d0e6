#include "nvme/helper_verbs.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/str.h"
#include "nvme/ask.h"

/* A target that is silent for so long is not going to tell. Bounds the connect too
 * (socket(7), SO_SNDTIMEO). */
enum { ANSWER_TIMEOUT_S = 5 };

static int connect_to(const char *address, const char *port, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	struct addrinfo *list;
	int fd;

	if (getaddrinfo(address, port, &hints, &list))
		return err_set(err, ERR_INVALID, "%.64s port %.8s is no address", address,
			       port);
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, list->ai_addr, list->ai_addrlen))
		fd = err_set(err, ERR_UNAVAILABLE, "connect to %.64s port %.8s: %s",
			     address, port,
			     errno == EINPROGRESS ? "no answer" : strerror(errno));
	freeaddrinfo(list);
	return fd;
}

static int send_all(int fd, const uint8_t *p, size_t n, struct err *err)
{
	ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

	return k == (ssize_t)n
		       ? 0
		       : err_set(err, ERR_UNAVAILABLE, "the target took no question");
}

static int receive_all(int fd, uint8_t *p, size_t n, struct err *err)
{
	ssize_t k = recv(fd, p, n, MSG_WAITALL);

	return k == (ssize_t)n
		       ? 0
		       : err_set(err, ERR_UNAVAILABLE, "the target gave no answer");
}

static int parse_host_id(const char *text, uint8_t out[ASK_ID_SIZE])
{
	size_t n = 0;

	for (; *text && n < ASK_ID_SIZE; text++) {
		unsigned byte;

		if (*text == '-')
			continue;
		if (sscanf(text, "%2x", &byte) != 1)
			return -1;
		out[n++] = (uint8_t)byte;
		text++;
	}
	return n == ASK_ID_SIZE && !*text ? 0 : -1;
}

static int ask(int fd, const struct ask_connect *c, enum ask_answer *ret, struct err *err)
{
	static uint8_t init[ASK_INIT_SIZE], question[ASK_CONNECT_SIZE];
	uint8_t answer[ASK_ANSWER_SIZE];

	ask_init(init);
	if (send_all(fd, init, sizeof(init), err) ||
	    receive_all(fd, init, sizeof(init), err))
		return -1;
	if (!ask_init_is_answer(init))
		return err_set(err, ERR_UNAVAILABLE, "what answers is no NVMe target");
	ask_connect(c, question);
	if (send_all(fd, question, sizeof(question), err) ||
	    receive_all(fd, answer, sizeof(answer), err))
		return -1;
	*ret = ask_answer(answer);
	if (*ret == ASK_GARBAGE)
		return err_set(err, ERR_UNAVAILABLE,
			       "the target's answer makes no sense");
	return 0;
}

static int ask_once(char *const *argv, const struct ask_connect *c, bool *ret_is_refused,
		    struct err *err)
{
	enum ask_answer answer = ASK_GARBAGE;
	int fd = connect_to(argv[0], argv[1], err);

	if (fd < 0 || ask(fd, c, &answer, err))
		return -1;
	(void)close(fd);
	*ret_is_refused = answer == ASK_UNKNOWN_NQN;
	return 0;
}

int helper_ask(char *const *argv, struct reply *r, struct err *err)
{
	struct ask_connect c = { .nqn = argv[2], .host_nqn = argv[3] };
	bool is_refused;
	uint64_t settle;

	if (parse_host_id(argv[4], c.host_id) || str_to_u64(argv[5], &settle) ||
	    settle > ASK_SETTLE_MAX_MS)
		return err_set(err, ERR_INTERNAL, "ask: %.40s, %.12s", argv[4], argv[5]);
	if (ask_once(argv, &c, &is_refused, err))
		return -1;
	/* A box that starts again listens before it has made its exports. No event tells
	 * when it is done. */
	if (is_refused) {
		(void)poll(NULL, 0, (int)settle);
		if (ask_once(argv, &c, &is_refused, err))
			return -1;
	}
	reply_add_u64(r, "refused", is_refused);
	return 0;
}
