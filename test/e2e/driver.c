#include "e2e/driver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/rpc.h"

enum { MAX_ARGS = 64, MAX_TEXT = 300 };

void driver_open(struct driver *d)
{
	char path[E2E_PATH];

	if (!d->name)
		d->name = "driver";
	(void)snprintf(d->address, sizeof(d->address), "unix://%s",
		       e2e_path(path, "%s.sock", d->name));
	CHECK(uv_loop_init(&d->loop) == 0, "no loop");
	clock_open(&d->clock, &d->loop);
}

void driver_close(struct driver *d)
{
	if (d->pid > 0)
		driver_stop(d);
	clock_close(&d->loop);
	(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&d->loop) == 0, "a handle of the client is still open");
}

struct args {
	const char *v[MAX_ARGS];
	char text[MAX_ARGS][MAX_TEXT];
	unsigned n;
};

static void add(struct args *a, const char *flag, const char *value)
{
	if (a->n >= MAX_ARGS - 1)
		return;
	if (value)
		(void)snprintf(a->text[a->n], MAX_TEXT, "%s=%s", flag, value);
	else
		(void)snprintf(a->text[a->n], MAX_TEXT, "%s", flag);
	a->v[a->n] = a->text[a->n];
	a->n++;
}

static void add_box(struct args *a, const struct driver *d)
{
	const struct sim *s = d->sim;
	char text[MAX_TEXT];

	add(a, "--rds-address", d->box_name ? d->box_name : "127.0.0.1");
	(void)snprintf(text, sizeof(text), "%u", s->ssh_port);
	add(a, "--rds-port", text);
	add(a, "--rds-user", "admin");
	(void)snprintf(text, sizeof(text), "%s/client_key", s->dir);
	add(a, "--rds-key-file", text);
	(void)snprintf(text, sizeof(text), "%s/host_key.pub", s->dir);
	add(a, "--rds-host-key", text);
	add(a, "--rds-volume-base-path", "/storage-pool/metal-csi");
	add(a, "--fence-settle", "20ms");
}

static void add_backend(struct args *a, const struct driver *d)
{
	char text[MAX_TEXT];

	add(a, "--node-backend", d->is_nvme ? "nvme" : "loop");
	if (d->is_nvme) {
		add(a, "--refusal-settle", "500ms");
		return;
	}
	(void)snprintf(text, sizeof(text), "%s/exports", d->sim->dir);
	add(a, "--loop-exports", text);
}

static void add_all(struct args *a, const struct driver *d)
{
	add(a, d->bin ? d->bin : getenv("RDS_CSI"), NULL);
	add(a, "--kubernetes", "off");
	add(a, "--cluster-id", "e2e");
	add(a, "--metrics-address", "");
	add(a, "--endpoint", d->address);
	/* All that it can say is judged (e2e/logs.h); where time counts it says less. */
	add(a, "--log-level", d->is_nvme ? "info" : "debug");
	if (d->is_controller) {
		add(a, "--controller", NULL);
		add_box(a, d);
	}
	if (d->is_node) {
		char path[E2E_PATH];

		add(a, "--node", NULL);
		add(a, "--node-id", d->node_id ? d->node_id : "node-a");
		add_backend(a, d);
		add(a, "--state-dir", e2e_path(path, "%s.state", d->name));
	}
	if (d->known_nodes)
		add(a, "--known-nodes", d->known_nodes);
	for (const char *const *x = d->args; x && *x; x++)
		add(a, *x, NULL);
	a->v[a->n] = NULL;
}

bool driver_try_start(struct driver *d)
{
	static struct args a;
	char log[E2E_PATH];
	struct child_conf conf = { .argv = a.v,
				   .env = d->env,
				   .log = e2e_path(log, "%s.log", d->name) };
	uint64_t end = e2e_now_ms() + 60000;

	if (!CHECK(d->bin || getenv("RDS_CSI"), "RDS_CSI is not set"))
		return false;
	a.n = 0;
	add_all(&a, d);
	d->pid = child_start(&conf);
	if (d->pid <= 0)
		return false;
	while (e2e_now_ms() < end) {
		if (driver_is_gone(d, 0))
			return false;
		if (rpc_probe(d))
			return true;
		e2e_sleep_ms(1);
	}
	driver_kill(d);
	return false;
}

bool driver_start(struct driver *d)
{
	return CHECK(driver_try_start(d), "rds-csi did not get ready, see %s.log",
		     d->name);
}

void driver_stop(struct driver *d)
{
	int status = d->pid > 0 ? child_end(d->pid, SIGTERM, 60000) : 0;

	CHECK(status == 0, "rds-csi ended with wait status %d", status);
	d->pid = 0;
}

void driver_kill(struct driver *d)
{
	if (d->pid > 0)
		CHECK(child_end(d->pid, SIGKILL, 60000) != -1,
		      "rds-csi cannot be killed");
	d->pid = 0;
}

bool driver_is_gone(struct driver *d, unsigned timeout_ms)
{
	if (d->pid > 0 && child_wait(d->pid, timeout_ms) == -1)
		return false;
	d->pid = 0;
	return true;
}

long driver_rss_kib(const struct driver *d)
{
	char path[64], line[200];
	long kib = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)d->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

bool driver_said(const struct driver *d, const char *text)
{
	char log[E2E_PATH], line[8192];
	FILE *f = fopen(e2e_path(log, "%s.log", d->name), "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return found;
}
