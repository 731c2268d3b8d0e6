#include "check/prove_main.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check/prove.h"
#include "core/mem.h"
#include "nvme/tcp.h"
#include "rds/ros.h"

/* What has to be cleared away after a signal: a kernel may take a minute and a half to
 * end a session whose target falls silent just then, and each step has its own end. */
enum { END_MS = 300 * 1000 };

static void on_done(struct op *op)
{
	loop_stop(&CONTAINER_OF(op, struct prove, op)->loop);
}

static void on_stop(struct loop *l)
{
	struct prove *p = CONTAINER_OF(l, struct prove, loop);

	(void)fprintf(stderr, "rds-csi check: %s is cleared away first\n", p->id);
	prove_stop(p);
}

static void tell_left(const struct prove *p)
{
	struct buf text;

	buf_init(&text, 4096);
	prove_say_left(p, &text);
	if (text.len)
		(void)fputs(text.data, stderr);
	buf_fini(&text);
}

/* The end that a signal asked for takes too long. */
static int on_guard(struct loop *l)
{
	struct prove *p = CONTAINER_OF(l, struct prove, loop);

	if (p->left_node.code == ERR_OK)
		(void)err_set(&p->left_node, ERR_ABORTED, "there was no time to look");
	tell_left(p);
	return PROVE_UNTRIED;
}

static int make_box(struct prove *p, struct err *err)
{
	struct ros_conf conf = ros_conf_of(&p->args->config);

	conf.cluster_id = p->cluster;
	conf.max_sessions = 2;
	return ros_new(&p->csi.rds, &p->loop.uv, &conf, err);
}

static int make_node(struct prove *p, struct err *err)
{
	const struct nvme_tcp_conf conf = {
		.state_dir = p->dir,
		.host_nqn = p->host_nqn,
		.host_id = p->host_id,
	};

	if (nvme_tcp_check_network(err) || nvme_tcp_check_kernel(err))
		return -1;
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/rds-csi-%.40s", p->id);
	if (mkdir(p->dir, 0700)) {
		(void)err_set(err, ERR_PRECONDITION, "%s cannot be made", p->dir);
		p->dir[0] = '\0';
		return -1;
	}
	id_host(p->id, p->host_id, p->host_nqn);
	p->nvme = nvme_tcp_new(&p->loop.uv, &conf, err);
	return p->nvme ? 0 : -1;
}

static int make_memory(struct prove *p, struct err *err)
{
	void *m = MAP_FAILED;

	p->shared_fd = memfd_create("rds-csi-prove", MFD_CLOEXEC);
	if (p->shared_fd >= 0 &&
	    ftruncate(p->shared_fd, sizeof(struct track_shared)) == 0)
		m = mmap(NULL, sizeof(struct track_shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED, p->shared_fd, 0);
	if (m == MAP_FAILED)
		return err_set(err, ERR_EXHAUSTED, "no memory to share with children");
	p->shared = m;
	return 0;
}

static int make(struct prove *p, struct err *err)
{
	const struct check_args *a = p->args;
	char hex[9];

	rand_hex(hex, 8);
	(void)snprintf(p->id, sizeof(p->id), "prove-fence-%s", hex);
	rand_hex(hex, 8);
	(void)snprintf(p->cluster, sizeof(p->cluster), "rds-csi-check-prove-fence-%s",
		       hex);
	p->stop_box = ros_stop;
	p->stop_node = nvme_tcp_stop;
	(void)snprintf(p->seed, sizeof(p->seed), "%u", rand_below(UINT32_MAX));
	id_new_nqn(p->id, 0, p->old_nqn);
	p->record = (struct rds_record){ .kind = RDS_RECORD_OURS };
	(void)snprintf(p->record.claim, sizeof(p->record.claim), "rds-csi/prove-fence");
	p->target = (struct nvme_target){
		.address = *a->nvme_address ? a->nvme_address : a->config.rds_address,
		.port = (uint16_t)a->nvme_port,
		.n_io_queues = NVME_UNSET,
		.queue_size = NVME_UNSET,
		.ctrl_loss_tmo_s = 600,
		.reconnect_delay_s = 1,
		.keep_alive_tmo_s = NVME_UNSET,
		.fast_io_fail_tmo_s = NVME_UNSET,
	};
	p->csi = (struct csi){ .loop = &p->loop.uv,
			       .fence_settle_ms = a->config.fence_settle_ms,
			       .cluster_id = p->cluster };
	proc_registry_init(&p->children, &p->loop.uv);
	return make_memory(p, err) || make_node(p, err) || make_box(p, err) ? -1 : 0;
}

/* What the node's back end has put there are files. */
static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)rmdir(path);
}

static int print_report(struct prove *p)
{
	struct utsname host;
	struct buf text;

	p->facts.kernel = uname(&host) ? "" : host.release;
	p->facts.driver = RDS_CSI_VERSION;
	p->facts.settle_ms = p->csi.fence_settle_ms;
	p->facts.watched_ms = PROVE_WATCH_MS;
	buf_init(&text, 16 * 1024);
	if (prove_report(&p->facts, &text)) {
		buf_fini(&text);
		(void)err_nomem(&p->op.err);
		return PROVE_UNTRIED;
	}
	(void)fputs(text.data, stdout);
	buf_fini(&text);
	return prove_arrived(&p->facts) || prove_is_accepted_late(&p->facts)
		       ? PROVE_LEAKS
		       : PROVE_PROVEN;
}

static int run(struct prove *p)
{
	static char version[32];
	int status = PROVE_UNTRIED;

	(void)printf("The scratch volume will be %s.\n", p->id);
	prove_start(p, on_done);
	p->facts.routeros = version;
	p->version = version;
	loop_run(&p->loop);
	bug_on(!op_is_done(&p->op));
	if (p->op.err.code == ERR_OK)
		status = print_report(p);
	(void)fflush(stdout);
	if (p->op.err.code != ERR_OK)
		(void)fprintf(stderr, "rds-csi check: the fence could not be tried: %s\n",
			      p->op.err.msg);
	tell_left(p);
	(void)loop_close(&p->loop);
	return status;
}

int prove_main(const struct check_args *args)
{
	static struct prove p;
	struct err err = { .code = ERR_OK };
	int status = PROVE_UNTRIED;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGHUP, SIG_IGN); /* a terminal that goes must not leave it all */
	log_open(args->config.log_level == LOG_INFO ? LOG_WARN : args->config.log_level,
		 false);
	json_set_alloc_funcs(mem_alloc, mem_free);
	p.args = args;
	if (loop_open(&p.loop, on_stop, &err) == 0 && make(&p, &err) == 0) {
		p.loop.guard_ms = END_MS;
		p.loop.on_guard = on_guard;
		status = run(&p);
	}
	if (err.code != ERR_OK)
		(void)fprintf(stderr, "rds-csi check: %s\n", err.msg);
	if (*p.dir)
		remove_dir(p.dir);
	return status;
}
