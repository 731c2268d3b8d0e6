#ifndef CSI_GRPC_ENDPOINT_H
#define CSI_GRPC_ENDPOINT_H
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "core/err.h"

/* Where a gRPC server listens: unix:///path/x.sock, unix:/path, /path, or tcp://host:port
 * with a loopback address in figures, since nothing here authenticates. */
enum { ENDPOINT_TEXT = 128 };

/* Connections that wait to be accepted. The kubelet makes one for each call, hundreds at
 * once when a node comes back, and a unix socket turns the next one away at once when its
 * queue is full. The kernel has a bound of its own (net.core.somaxconn, 4096). */
enum { ENDPOINT_QUEUE = 1024 };

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t len;
};

int endpoint_parse(const char *text, struct endpoint *ret, struct err *err); /* pure */
void endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT]);     /* pure */
static inline bool endpoint_is_unix(const struct endpoint *e)
{
	return e->addr.any.sa_family == AF_UNIX;
}

/* A listening socket, bound synchronously. */
struct endpoint_listener {
	struct endpoint where; /* with the real port */
	int fd;		       /* owned until handed on; -1 = none */
	dev_t dev;	       /* of the socket's file, to tell it from a successor's */
	ino_t ino;
};

/* A unix socket is made under a hidden name beside its place (.NAME.new), mode 0600, and
 * renamed over it when it listens already: nobody who dials is ever turned away. A socket
 * file there that nobody serves is replaced; one that answers, or anything that is no
 * socket, is left alone and refused. */
int endpoint_listen(const struct endpoint *e, struct endpoint_listener *ret,
		    struct err *err);
/* Removes the socket's file if it is still the one we made. */
void endpoint_unlink(const struct endpoint_listener *l);
#endif
