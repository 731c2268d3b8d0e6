#ifndef K8S_CLIENT_IMPL_H
#define K8S_CLIENT_IMPL_H
#include "k8s/client.h"
#include "k8s/conn.h"

/* What an exchange sees of the client. At most CLIENT_SHARED_MAX connections carry the
 * ordinary jobs, first come first served; each long job has its own. */
enum { CLIENT_SHARED_MAX = 4, CLIENT_LONG_MAX = 16, CLIENT_QUEUE_MAX = 512 };

/* Reads credentials anew where they are old; then the room that client_write_head needs
 * at most. */
size_t client_prepare(struct k8s_client *c);
/* Appends the header lines that are the same for each request, the one that proves who we
 * are among them. */
int client_write_head(const struct k8s_client *c, struct buf *head);
const char *client_prefix(const struct k8s_client *c); /* of each request's path */
uv_loop_t *client_loop(const struct k8s_client *c);
/* For j->serial: exchanges make their first step in any order. */
uint64_t client_serial(struct k8s_client *c);
/* Takes a reference of j->op, dropped with a wake when the job is answered or has failed.
 * -1 when too many wait or the client is being closed. */
int client_ask(struct k8s_client *c, struct conn_job *j, struct err *err);
/* The job's op was cancelled. */
void client_cancel(struct k8s_client *c, struct conn_job *j);
#endif
