#ifndef RDS_SSH_HELLO_H
#define RDS_SSH_HELLO_H
#include "rds/ssh.h"

/* The part of a session before it is ready, as calls that ssh.c repeats until they do
 * not say LIBSSH2_ERROR_EAGAIN. Each fails the session's op with a line that tells the
 * operator what to do. */

/* Reads both key files, makes the libssh2 session, pins the host key's types. 0 or -1. */
int ssh_hello_begin(struct ssh *s);
/* Key exchange, then the host key: equal to a pinned one byte for byte, else an audit
 * line and refusal. There is no trust on first use. */
int ssh_hello_greet(struct ssh *s);
/* User authentication; a key that is refused and was exchanged meanwhile, by both. */
int ssh_hello_prove(struct ssh *s);
#endif
