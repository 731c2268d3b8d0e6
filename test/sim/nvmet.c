#include "sim/nvmet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/util.h"

enum {
	MAX_PORTS = 16,
	LOCK_WAIT_MS = 60 * 1000,
	CLOSE_WAIT_MS = 30 * 1000,
	OUT_FD = 3, /* in a child: its report, and the lock it holds while it lives */
	LOCK_FD = 4,
};

/* pid 0: still queued. */
struct job {
	struct job *next;
	struct nvmet_item *items;
	unsigned count;
	pid_t pid;
	int fd;
	struct sb report; /* "N text": item N failed; nothing: all done */
	struct nvmet_wait *wait;
};

/* A subsystem that is there, or soon is. */
struct sub {
	struct sub *next;
	unsigned disk_id;
	bool is_leaving; /* the last thing asked for was its end */
	char name[NVMET_NAME_MAX];
};

struct nvmet {
	struct nvmet_opt opt;
	struct configfs fs;
	char marks[600];
	int lock_fd;
	struct job *jobs; /* in the order of their coming */
	unsigned n_running;
	struct sub *subs;
	struct {
		unsigned svcid, id;
	} ports[MAX_PORTS];
	unsigned n_ports;
	nvmet_done_fn *done;
	void *data;
};

/* ---- markers ---- */
static void mark_path(const struct nvmet *n, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s", n->marks, name);
}

static struct sub **find_sub(struct nvmet *n, const char *name)
{
	struct sub **at = &n->subs;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void sub_add(struct nvmet *n, const struct nvmet_item *it)
{
	struct sub **at = find_sub(n, it->name);
	char path[1024];
	int fd;

	if (!*at) {
		*at = xmalloc(sizeof **at);
		snprintf((*at)->name, sizeof(*at)->name, "%s", it->name);
	}
	(*at)->disk_id = it->disk_id;
	(*at)->is_leaving = false;
	mark_path(n, it->name, path, sizeof path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	else
		fprintf(stderr, "rds-sim: %s: %s\n", path, strerror(errno));
}

static void sub_remove(struct nvmet *n, const char *name)
{
	struct sub **at = find_sub(n, name), *gone = *at;
	char path[1024];

	mark_path(n, name, path, sizeof path);
	unlink(path);
	if (!gone)
		return;
	*at = gone->next;
	free(gone);
}

/* ---- children ---- */
static bool names(const struct job *j, const char *name)
{
	for (unsigned i = 0; i < j->count; i++)
		if (strcmp(j->items[i].name, name) == 0)
			return true;
	return false;
}

static bool must_wait(const struct nvmet *n, const struct job *j)
{
	for (const struct job *x = n->jobs; x != j; x = x->next)
		for (unsigned i = 0; i < j->count; i++)
			if (names(x, j->items[i].name))
				return true;
	return false;
}

/* Nothing of the parent is held but the lock: a child that the kernel keeps for a minute
 * must not keep a port or a pipe of a dead simulator. */
static void child_fds(const struct nvmet *n, int out)
{
	int hold = fcntl(n->lock_fd, F_DUPFD_CLOEXEC, 10);
	int report = fcntl(out, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	dup2(report, OUT_FD);
	dup2(hold, LOCK_FD);
	close_range(LOCK_FD + 1, ~0U, 0);
}

static _Noreturn void child(struct nvmet *n, const struct job *j, int out, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	child_fds(n, out);
	for (unsigned i = 0; i < j->count; i++) {
		poll(NULL, 0, (int)j->items[i].delay_ms);
		if (configfs_apply(&n->fs, &j->items[i]) < 0) {
			dprintf(OUT_FD, "%u %s", i, n->fs.err);
			_exit(1);
		}
	}
	dprintf(OUT_FD, "%u ", j->count);
	_exit(0);
}

static void job_start(struct nvmet *n, struct job *j)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		perror("rds-sim: pipe");
		abort();
	}
	j->pid = fork();
	if (j->pid < 0) {
		perror("rds-sim: fork");
		abort();
	}
	if (j->pid == 0)
		child(n, j, fds[1], parent);
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	j->fd = fds[0];
	n->n_running++;
}

/* Gone for good, unless it is to be made anew by what comes later. */
static bool is_last_word(const struct nvmet *n, const struct job *j, unsigned at)
{
	for (unsigned i = at + 1; i < j->count; i++)
		if (strcmp(j->items[i].name, j->items[at].name) == 0)
			return false;
	for (const struct job *x = n->jobs; x; x = x->next)
		if (x != j && names(x, j->items[at].name))
			return false;
	return true;
}

static void job_free(struct nvmet *n, struct job *j)
{
	struct job **at = &n->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	sb_fini(&j->report);
	free(j->items);
	free(j);
}

static void wait_failed(struct nvmet_wait *w, const char *name, const char *err)
{
	if (w && !w->err[0])
		snprintf(w->err, sizeof w->err, "nvmet %s: %s", name, err);
}

static void job_end(struct nvmet *n, struct job *j)
{
	const char *text = "0 killed";
	unsigned n_done;
	char *rest;

	close(j->fd);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	n->n_running--;
	if (j->report.len)
		text = j->report.p;
	n_done = (unsigned)strtoul(text, &rest, 10);
	for (unsigned i = 0; i < j->count && i <= n_done; i++) {
		const struct nvmet_item *it = &j->items[i];
		const char *err = i < n_done ? NULL : rest + (*rest == ' ');

		n->done(n->data, it, err);
		if (err) {
			fprintf(stderr, "rds-sim: nvmet: %s %s: %s\n",
				nvmet_act_name(it->act), it->name, err);
			wait_failed(j->wait, nvmet_act_name(it->act), err);
		} else if (it->act == NVMET_OFF && is_last_word(n, j, i)) {
			sub_remove(n, it->name);
		}
	}
	if (j->wait)
		j->wait->pending--;
	job_free(n, j);
}

/* True when the child has told all. */
static bool job_read(struct job *j)
{
	char buf[256];
	ssize_t got;

	while ((got = read(j->fd, buf, sizeof buf)) > 0)
		sb_add(&j->report, buf, (size_t)got);
	return got == 0;
}

unsigned nvmet_poll(const struct nvmet *n, struct pollfd *fds)
{
	unsigned count = 0;

	for (const struct job *j = n->jobs; j; j = j->next)
		if (j->pid)
			fds[count++] = (struct pollfd){ .fd = j->fd, .events = POLLIN };
	return count;
}

static void start_due(struct nvmet *n)
{
	for (struct job *j = n->jobs; j && n->n_running < NVMET_MAX_CHILDREN; j = j->next)
		if (!j->pid && !must_wait(n, j))
			job_start(n, j);
}

void nvmet_step(struct nvmet *n)
{
	struct job *next;

	for (struct job *j = n->jobs; j; j = next) {
		next = j->next;
		if (j->pid && job_read(j))
			job_end(n, j);
	}
	start_due(n);
}

/* ---- asking ---- */
void nvmet_submit(struct nvmet *n, const struct nvmet_item *items, unsigned count,
		  struct nvmet_wait *wait)
{
	struct job *j, **at = &n->jobs;

	if (!count)
		return;
	j = xmalloc(sizeof *j);
	j->items = xmalloc(count * sizeof *items);
	memcpy(j->items, items, count * sizeof *items);
	j->count = count;
	j->wait = wait;
	for (unsigned i = 0; i < count; i++) {
		struct sub *s = *find_sub(n, items[i].name);

		j->items[i].size_fixed = n->opt.size_fixed;
		if (items[i].act == NVMET_ON)
			sub_add(n, &items[i]);
		else if (items[i].act == NVMET_OFF && s)
			s->is_leaving = true;
	}
	if (wait)
		wait->pending++;
	while (*at)
		at = &(*at)->next;
	*at = j;
	start_due(n);
}

bool nvmet_has(struct nvmet *n, const char *name)
{
	const struct sub *s = *find_sub(n, name);

	return s && !s->is_leaving;
}

void nvmet_drop_disk(struct nvmet *n, unsigned disk_id, struct nvmet_wait *wait)
{
	struct nvmet_item it = { .act = NVMET_OFF, .disk_id = disk_id };
	struct sub *next;

	for (struct sub *s = n->subs; s; s = next) {
		next = s->next;
		if (s->disk_id != disk_id || s->is_leaving)
			continue;
		snprintf(it.name, sizeof it.name, "%s", s->name);
		nvmet_submit(n, &it, 1, wait);
	}
}

void nvmet_forget(struct nvmet *n, const struct nvmet_wait *wait)
{
	for (struct job *j = n->jobs; j; j = j->next)
		if (j->wait == wait)
			j->wait = NULL;
}

static void turn(struct nvmet *n, int timeout)
{
	struct pollfd fds[NVMET_MAX_CHILDREN];

	poll(fds, nvmet_poll(n, fds), timeout);
	nvmet_step(n);
}

void nvmet_finish(struct nvmet *n, const struct nvmet_wait *wait)
{
	while (wait->pending)
		turn(n, 1000);
}

void nvmet_finish_all(struct nvmet *n)
{
	while (n->jobs)
		turn(n, 1000);
}

int nvmet_port(struct nvmet *n, unsigned svcid, const char **ret_err)
{
	unsigned id = n->opt.port_id;

	for (unsigned i = 0; i < n->n_ports; i++)
		if (n->ports[i].svcid == svcid)
			return (int)n->ports[i].id;
	*ret_err = "too many ports";
	if (n->n_ports == MAX_PORTS)
		return -1;
	*ret_err = n->fs.err;
	if (configfs_port(&n->fs, n->opt.address, svcid, &id) < 0)
		return -1;
	n->ports[n->n_ports].svcid = svcid;
	n->ports[n->n_ports++].id = id;
	return (int)id;
}

/* ---- opening ---- */
/* A child of a killed simulator holds the lock until the kernel lets it go. */
static int take_lock(struct nvmet *n, const char *dir)
{
	uint64_t until = now_ms() + LOCK_WAIT_MS;
	char path[1024];

	snprintf(path, sizeof path, "%s/nvmet.lock", dir);
	n->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	while (n->lock_fd >= 0 && flock(n->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (now_ms() > until) {
			fprintf(stderr, "rds-sim: %s is held\n", path);
			return -1;
		}
		poll(NULL, 0, 20);
	}
	if (n->lock_fd < 0)
		fprintf(stderr, "rds-sim: %s: %s\n", path, strerror(errno));
	return n->lock_fd < 0 ? -1 : 0;
}

static void clean(struct nvmet *n)
{
	struct nvmet_item it = { .act = NVMET_OFF };
	struct nvmet_wait wait = { 0 };
	struct dirent *e;
	DIR *dir = opendir(n->marks);

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(it.name, sizeof it.name, "%.*s", NVMET_NAME_MAX - 1, e->d_name);
		nvmet_submit(n, &it, 1, &wait);
	}
	if (dir)
		closedir(dir);
	nvmet_finish(n, &wait);
}

static int check_root(const struct nvmet *n)
{
	char path[512];

	snprintf(path, sizeof path, "%s/subsystems", n->opt.root);
	if (access(path, W_OK | X_OK) == 0)
		return 0;
	fprintf(stderr, "rds-sim: %s: %s (is nvmet-tcp loaded, configfs mounted?)\n",
		path, strerror(errno));
	return -1;
}

struct nvmet *nvmet_open(const struct nvmet_opt *opt, const char *dir,
			 nvmet_done_fn *done, void *data)
{
	struct nvmet *n = xmalloc(sizeof *n);

	n->opt = *opt;
	n->done = done;
	n->data = data;
	n->fs.fs = opt->fs ? opt->fs : &configfs_real;
	n->fs.root = n->opt.root;
	snprintf(n->marks, sizeof n->marks, "%s/nvmet", dir);
	mkdir(n->marks, 0755);
	n->lock_fd = -1;
	if (check_root(n) < 0 || take_lock(n, dir) < 0) {
		nvmet_close(n);
		return NULL;
	}
	clean(n);
	return n;
}

void nvmet_close(struct nvmet *n)
{
	uint64_t until = now_ms() + CLOSE_WAIT_MS;
	struct nvmet_item it = { .act = NVMET_OFF };

	if (!n)
		return;
	for (struct job *j = n->jobs; j; j = j->next)
		j->wait = NULL;
	for (const struct sub *s = n->subs; s; s = s->next) {
		snprintf(it.name, sizeof it.name, "%s", s->name);
		nvmet_submit(n, &it, 1, NULL);
	}
	while (n->jobs && now_ms() < until)
		turn(n, 100);
	for (unsigned i = 0; i < n->n_ports; i++)
		configfs_drop_port(&n->fs, n->ports[i].id);
	while (n->jobs) {
		if (n->jobs->pid)
			close(n->jobs->fd);
		job_free(n, n->jobs);
	}
	while (n->subs) {
		struct sub *gone = n->subs;

		n->subs = gone->next;
		free(gone);
	}
	if (n->lock_fd >= 0)
		close(n->lock_fd);
	free(n);
}
