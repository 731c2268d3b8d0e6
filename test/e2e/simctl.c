#include "e2e/simctl.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"

enum { MAX_ARGS = 40, MAX_REPLY = 64 << 20 };

/* Reads "ready ssh=HOST:PORT control=HOST:PORT" from the pipe within the time. */
static bool read_ready(struct sim *s, int fd)
{
	char text[512];
	size_t len = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (len + 1 < sizeof(text) && poll(&p, 1, 60000) > 0) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		char *line = strstr(text, "ready ssh=");

		if (line && strchr(line, '\n'))
			return sscanf(line, "ready ssh=%*[^:]:%u control=%*[^:]:%u",
				      &s->ssh_port, &s->control_port) == 2;
	}
	return false;
}

bool sim_start(struct sim *s)
{
	const char *argv[MAX_ARGS], *bin = getenv("RDS_SIM");
	char listen[40], control[40], log[E2E_PATH];
	unsigned n = 0;
	struct child_conf conf = { .argv = argv, .log = log, .ret_out = &s->out };
	bool ok;

	if (!CHECK(bin != NULL, "RDS_SIM is not set"))
		return false;
	(void)mkdir(s->dir, 0700);
	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", s->ssh_port);
	(void)snprintf(control, sizeof(control), "127.0.0.1:%u", s->control_port);
	e2e_path(log, "sim.log");
	for (const char *const *a =
		     (const char *const[]){ bin, "--listen", listen, "--control", control,
					    "--dir", s->dir, NULL };
	     *a; a++)
		argv[n++] = *a;
	for (const char *const *a = s->args; a && *a && n < MAX_ARGS - 1; a++)
		argv[n++] = *a;
	argv[n] = NULL;
	s->pid = child_start(&conf);
	ok = s->pid > 0 && read_ready(s, s->out);
	return CHECK(ok, "rds-sim did not come up, see sim.log");
}

static void forget(struct sim *s)
{
	if (s->pid > 0)
		close(s->out);
	s->pid = 0;
}

void sim_stop(struct sim *s)
{
	if (s->pid > 0)
		/* It gives the kernel 30 s to let its exports go. */
		CHECK(child_end(s->pid, SIGTERM, 90000) == 0,
		      "rds-sim did not end with 0");
	forget(s);
}

void sim_kill(struct sim *s)
{
	if (s->pid > 0)
		(void)child_end(s->pid, SIGKILL, 60000);
	forget(s);
}

bool sim_is_gone(struct sim *s, unsigned timeout_ms)
{
	if (s->pid > 0 && child_wait(s->pid, timeout_ms) == -1)
		return false;
	forget(s);
	return true;
}

static int dial(const struct sim *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)s->control_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval tv = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One request on a connection of its own; the body, or NULL unless the status is 200. */
static char *http(const struct sim *s, const char *method, const char *path,
		  const char *sent)
{
	char head[4800], *text = malloc(65536), *body = NULL;
	size_t len = 0, cap = 65536;
	ssize_t n;
	int fd = dial(s);

	if (fd < 0 || !text)
		goto out;
	(void)snprintf(head, sizeof(head),
		       "%s %s HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n"
		       "Content-Length: %zu\r\n\r\n%s",
		       method, path, strlen(sent), sent);
	if (send(fd, head, strlen(head), MSG_NOSIGNAL) != (ssize_t)strlen(head))
		goto out;
	while ((n = read(fd, text + len, cap - len - 1)) > 0) {
		len += (size_t)n;
		if (cap - len < 4096 && cap < MAX_REPLY) {
			char *more = realloc(text, cap *= 2);

			if (!more)
				goto out;
			text = more;
		}
	}
	text[len] = '\0';
	body = strstr(text, "\r\n\r\n");
	if (body && strncmp(text, "HTTP/1.1 200", 12) == 0)
		body = strdup(body + 4);
	else
		body = NULL;
out:
	if (fd >= 0)
		close(fd);
	free(text);
	return body;
}

char *sim_get_text(const struct sim *s, const char *path)
{
	return http(s, "GET", path, "");
}

json_t *sim_get(const struct sim *s, const char *path)
{
	char *text = http(s, "GET", path, "");
	json_t *j = text ? json_loads(text, 0, NULL) : NULL;

	free(text);
	CHECK(j != NULL, "GET %s", path);
	return j;
}

char *sim_post_quiet(const struct sim *s, const char *path)
{
	return http(s, "POST", path, "");
}

long sim_history(const struct sim *s, long from,
		 void (*each)(void *arg, const json_t *event), void *arg)
{
	char path[64], *text, *save = NULL;
	long n = 0;

	(void)snprintf(path, sizeof(path), "/history?from=%ld", from);
	text = sim_get_text(s, path);
	if (!text)
		return -1;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		json_t *e = each ? json_loads(line, 0, NULL) : NULL;

		if (e)
			each(arg, e);
		json_decref(e);
		n++;
	}
	free(text);
	return n;
}

bool sim_post(const struct sim *s, const char *path)
{
	char *text = http(s, "POST", path, "");

	free(text);
	return CHECK(text != NULL, "POST %s", path);
}

char *sim_exec(const struct sim *s, const char *script)
{
	return http(s, "POST", "/exec", script);
}

bool sim_fault(const struct sim *s, const char *query)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "/fault?%s", query);
	return sim_post(s, path);
}

bool sim_clear(const struct sim *s)
{
	return sim_post(s, "/fault/clear");
}

long sim_stat(const struct sim *s, const char *name)
{
	json_t *j = sim_get(s, "/stats");
	json_t *v = json_object_get(j, name);
	long n = json_is_integer(v) ? (long)json_integer_value(v) : -1;

	json_decref(j);
	return n;
}

const char *sim_text(const json_t *disk, const char *property)
{
	const char *t = json_string_value(json_object_get(disk, property));

	return t ? t : "";
}

bool sim_is_on(const json_t *disk, const char *property)
{
	const json_t *v = json_object_get(disk, property);

	return json_is_true(v) || strcmp(sim_text(disk, property), "true") == 0 ||
	       strcmp(sim_text(disk, property), "yes") == 0;
}

json_t *sim_disk(const struct sim *s, const char *slot)
{
	json_t *all = sim_get(s, "/disks"), *d, *found = NULL;
	size_t i;

	json_array_foreach(all, i, d) if (strcmp(sim_text(d, "slot"), slot) == 0) found =
		json_incref(d);
	json_decref(all);
	return found;
}

bool sim_image(const struct sim *s, const char *slot, char *out, size_t cap)
{
	json_t *d = sim_disk(s, slot);
	const char *path = sim_text(d, "file-path"), *rest;

	if (!d)
		return false;
	path += *path == '/';
	rest = strchr(path, '/'); /* without the mount point: that is DIR/pool */
	(void)snprintf(out, cap, "%s/pool%s", s->dir, rest ? rest : "");
	json_decref(d);
	return rest != NULL;
}

static const char *wanted;
static unsigned n_files;

/* The whole name between separators: pvc-1 is no part of pvc-10. */
static bool is_of(const char *path)
{
	const char *p = wanted ? strstr(path, wanted) : NULL;

	return !wanted || (p && strchr("./", p[strlen(wanted)]));
}

static int on_file(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (flag == FTW_F && is_of(path))
		n_files++;
	return 0;
}

unsigned sim_files(const struct sim *s, const char *id)
{
	char pool[300];

	(void)snprintf(pool, sizeof(pool), "%s/pool", s->dir);
	wanted = id;
	n_files = 0;
	(void)nftw(pool, on_file, 16, FTW_PHYS);
	return n_files;
}
