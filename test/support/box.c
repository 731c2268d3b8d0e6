#include "support/box.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"

static void launch(struct t_box *b, const char *opts, const char *listen)
{
	const char *argv[32] = {
		prog_sim(),    "--dir",	 b->dir, "--listen",	 listen, "--control",
		"127.0.0.1:0", "--seed", "1",	 "--pool-label", "pool",
	};
	static char words[512];
	const char *ready;
	int n = 11;

	snprintf(words, sizeof(words), "%s", opts ? opts : "");
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[n++] = w;
	snprintf(b->sim.out, sizeof(b->sim.out), "%s/sim.out", b->dir);
	unlink(b->sim.out);
	prog_start(&b->sim, b->dir, "sim", argv);
	prog_await(b->sim.out, "control=127");
	prog_await(b->sim.out, "\n");
	ready = strstr(prog_text(b->sim.out), "ready ssh=");
	cr_assert_not_null(ready);
	cr_assert_eq(sscanf(ready, "ready ssh=127.0.0.1:%u control=127.0.0.1:%u",
			    &b->ssh_port, &b->control_port),
		     2);
}

void t_box_open(struct t_box *b, const char *opts)
{
	memset(b, 0, sizeof(*b));
	log_open(getenv("T_LOG") ? LOG_DEBUG : LOG_ERROR, false);
	t_mkdir(b->dir);
	launch(b, opts, "127.0.0.1:0");
	snprintf(b->key, sizeof(b->key), "%s/client_key", b->dir);
	snprintf(b->host_key, sizeof(b->host_key), "%s/host_key.pub", b->dir);
	b->conf = (struct ros_conf){
		.address = "127.0.0.1",
		.port = (uint16_t)b->ssh_port,
		.user = "admin",
		.key_file = b->key,
		.host_key_file = b->host_key,
		.base = "/storage-pool/metal-csi",
		.cluster_id = "prod-1",
		.pool_reserve_percent = 5,
	};
	t_loop_open(&b->l);
}

void t_box_connect(struct t_box *b)
{
	struct err err = { .code = ERR_OK };

	cr_assert_eq(ros_new(&b->rds, &b->l.uv, &b->conf, &err), 0, "%s", err.msg);
}

static void on_stopped(void *arg)
{
	((struct t_box *)arg)->is_stopped = true;
}

void t_box_stop_rds(struct t_box *b)
{
	b->is_stopped = false;
	ros_stop(b->rds, on_stopped, b);
	t_run_until(&b->l, b->is_stopped);
	b->rds = NULL;
}

void t_box_kill_sim(struct t_box *b)
{
	if (!b->sim.pid)
		return;
	kill(b->sim.pid, SIGKILL);
	prog_wait(&b->sim);
}

void t_box_start_sim(struct t_box *b, const char *opts)
{
	char listen[32];

	snprintf(listen, sizeof(listen), "127.0.0.1:%u", b->ssh_port);
	launch(b, opts, listen);
}

void t_box_close(struct t_box *b)
{
	if (b->rds)
		t_box_stop_rds(b);
	t_loop_close(&b->l);
	cr_assert_eq(mem_live(), 0);
	t_box_kill_sim(b);
	t_rmdir(b->dir);
}

const char *t_box_control(struct t_box *b, const char *method_and_path, const char *body)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)b->control_port) };
	static char reply[1 << 20];
	char head[512];
	size_t n = 0;
	ssize_t got;
	char *text;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	snprintf(head, sizeof(head),
		 "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\nConnection: "
		 "close\r\n\r\n",
		 method_and_path, body ? strlen(body) : 0);
	cr_assert_eq(write(fd, head, strlen(head)), (ssize_t)strlen(head));
	if (body)
		cr_assert_eq(write(fd, body, strlen(body)), (ssize_t)strlen(body));
	while (n < sizeof(reply) - 1 &&
	       (got = read(fd, reply + n, sizeof(reply) - 1 - n)) > 0) {
		n += (size_t)got;
		reply[n] = '\0';
		text = strstr(reply, "\r\n\r\n");
		const char *len = strcasestr(reply, "content-length:");

		if (text && len &&
		    (size_t)(reply + n - text - 4) >= strtoul(len + 15, NULL, 10))
			break;
	}
	close(fd);
	reply[n] = '\0';
	cr_assert(strncmp(reply, "HTTP/1.1 200", 12) == 0, "%s: %s", method_and_path,
		  reply);
	text = strstr(reply, "\r\n\r\n");
	return text ? text + 4 : reply;
}

void t_box_fault(struct t_box *b, const char *query)
{
	char path[256];

	snprintf(path, sizeof(path), "POST /fault?%s", query);
	t_box_control(b, strcmp(query, "clear") == 0 ? "POST /fault/clear" : path, NULL);
}

long t_box_stat(struct t_box *b, const char *name)
{
	const char *stats = t_box_control(b, "GET /stats", NULL);
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":", name);
	const char *at = strstr(stats, key);
	cr_assert_not_null(at, "%s in %s", key, stats);
	return strtol(at + strlen(key), NULL, 10);
}

const char *t_box_script(struct t_box *b, const char *script)
{
	return t_box_control(b, "POST /exec", script);
}

static void on_row(struct rds_req *req, const struct rds_volume *row)
{
	struct t_req *q = CONTAINER_OF(req, struct t_req, req);

	cr_assert(row->id[0] && row->size_bytes);
	q->rows++;
}

static void on_done(struct op *op)
{
	struct t_req *q =
		CONTAINER_OF(CONTAINER_OF(op, struct rds_req, op), struct t_req, req);

	q->dones++;
	q->err = op->err;
}

void t_req_init(struct t_req *q, enum rds_kind kind, const char *id)
{
	static unsigned made;

	memset(q, 0, sizeof(*q));
	snprintf(q->id, sizeof(q->id), "%s", id ? id : "");
	snprintf(q->nqn, sizeof(q->nqn), "nqn.2000-02.com.mikrotik:%s.g0-%08x", q->id,
		 ++made);
	q->record = (struct rds_record){ .kind = RDS_RECORD_OURS };
	snprintf(q->record.claim, sizeof(q->record.claim), "ns/%.100s", q->id);
	q->req = (struct rds_req){
		.kind = kind,
		.id = q->id,
		.size_bytes = 1 << 30,
		.nvme_port = 4420,
		.nqn = q->nqn,
		.record = &q->record,
		.on_row = on_row,
	};
}

void t_req_change(struct t_req *q, enum rds_kind kind, const struct rds_volume *from)
{
	t_req_init(q, kind, from->id);
	snprintf(q->nqn, sizeof(q->nqn), "%s", from->nqn);
	snprintf(q->nonce, sizeof(q->nonce), "%s", from->record.nonce);
	q->record = from->record;
	q->req.expect_nonce = q->nonce;
	if (kind == RDS_PUBLISH) {
		q->record.n_holders = 1;
		q->record.holders[0] =
			(struct rds_holder){ .node = "node-a", .use = 'w' };
	}
	if (kind == RDS_UNPUBLISH) {
		q->record.n_holders = 0;
		q->req.switch_off = true;
	}
	if (kind == RDS_FENCE_BEGIN) {
		q->record.generation++;
		q->record.is_fencing = true;
		q->record.n_holders = 0;
	}
	if (kind == RDS_FENCE_FINISH) {
		q->record.is_fencing = false;
		snprintf(q->nqn, sizeof(q->nqn),
			 "nqn.2000-02.com.mikrotik:%s.g%u-0badcafe", q->id,
			 q->record.generation);
	}
	if (kind == RDS_EXPORT) {
		q->record.generation = 0;
		q->record.n_holders = 0;
		snprintf(q->nqn, sizeof(q->nqn), "nqn.2000-02.com.mikrotik:%s", q->id);
	}
}

void t_req_delete(struct t_box *b, struct t_req *q, const char *id)
{
	struct t_req seen;

	t_req_init(&seen, RDS_GET, id);
	t_req_run(b, &seen);
	cr_assert_eq(seen.err.code, ERR_OK, "%s", seen.err.msg);
	t_req_init(q, RDS_DELETE, id);
	q->req.nqn = NULL;
	if (seen.req.outcome == RDS_ABSENT)
		return;
	t_req_change(q, RDS_DELETE, &seen.req.volume);
	if (seen.req.volume.record.kind == RDS_RECORD_NONE)
		q->req.expect_nonce = NULL;
}

void t_req_start(struct t_box *b, struct t_req *q)
{
	rds_start(b->rds, &q->req, on_done);
}

void t_req_wait(struct t_box *b, struct t_req *q)
{
	t_run_until(&b->l, q->dones);
	cr_assert_eq(q->dones, 1);
}

void t_req_run(struct t_box *b, struct t_req *q)
{
	t_req_start(b, q);
	t_req_wait(b, q);
}

void t_box_create(struct t_box *b, const char *id)
{
	struct t_req q;

	t_req_init(&q, RDS_CREATE, id);
	t_req_run(b, &q);
	cr_assert_eq(q.err.code, ERR_OK, "%s", q.err.msg);
}
