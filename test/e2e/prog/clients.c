/* Many who ask the metrics server and are slow, silent or never take their answer: what
 * they cost is bounded, and who asks at once is answered. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/rpc.h"
#include "e2e/scrape.h"

enum { N_CLIENTS = 1000, N_ASKED = 50, GROWTH_KIB = 8 * 1024, N_SCRAPES = 300 };

static struct sim sim;
static struct driver ctl;
static unsigned port;

static bool open_all(void)
{
	static char flag[64];
	static const char *const args[] = { flag, NULL };
	char path[E2E_PATH];

	port = scrape_free_port();
	snprintf(flag, sizeof(flag), "--metrics-address=127.0.0.1:%u", port);
	sim = (struct sim){ .pid = 0 };
	ctl = (struct driver){
		.name = "ctl", .sim = &sim, .is_controller = true, .args = args
	};
	snprintf(sim.dir, sizeof(sim.dir), "%s", e2e_path(path, "box"));
	driver_open(&ctl);
	return sim_start(&sim) && driver_start(&ctl);
}

static void close_all(void)
{
	driver_close(&ctl);
	sim_stop(&sim);
}

/* Every third says nothing, half a request, or asks and takes no answer. */
static int dial(unsigned i)
{
	static const char *const words[] = { "", "GET /metr",
					     "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" };
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int small = 1;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	(void)connect(fd, (struct sockaddr *)&a, sizeof(a));
	e2e_sleep_ms(1);
	(void)send(fd, words[i % 3], strlen(words[i % 3]), MSG_NOSIGNAL);
	return fd;
}

static bool is_served(void)
{
	int status = 0;
	char *page = scrape_get(port, "/metrics", NULL, &status);
	bool ok = page && status == 200 && strstr(page, "rds_csi_build_info");

	free(page);
	return ok;
}

static void others_are_served(void)
{
	static int fds[N_CLIENTS];
	struct rlimit room = { 4096, 4096 };
	long before, now;

	if (setrlimit(RLIMIT_NOFILE, &room) && getrlimit(RLIMIT_NOFILE, &room) == 0 &&
	    room.rlim_cur < N_CLIENTS + 50) {
		e2e_skip("too few file descriptors");
		return;
	}
	if (!open_all())
		return;
	CHECK(is_served(), "not even before");
	before = driver_rss_kib(&ctl);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		fds[i] = dial(i);
		if (i % (N_CLIENTS / N_ASKED) == 0)
			CHECK(is_served(), "not served beside %u", i);
	}
	CHECK(is_served() && rpc_probe(&ctl), "not served beside all");
	now = driver_rss_kib(&ctl);
	e2e_note("%ld KiB more for %d clients", now - before, N_CLIENTS);
	CHECK(now - before < GROWTH_KIB, "%ld KiB before, %ld now", before, now);
	for (unsigned i = 0; i < N_CLIENTS; i++)
		close(fds[i]);
	CHECK(is_served(), "not served when they have gone");
	close_all();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Both formats; the time is told, not judged. */
static void while_the_box_hangs(void)
{
	static uint64_t took_us[N_SCRAPES];
	struct rpc_call call;
	Csi__V1__GetCapacityRequest *req;

	if (!open_all())
		return;
	CHECK(sim_fault(&sim, "hang=100"), "no fault");
	req = rpc_request("GetCapacity");
	rpc_start(&ctl, &call, "GetCapacity", req, 3000);
	for (unsigned i = 0; i < N_SCRAPES; i++) {
		uint64_t begun = uv_hrtime();
		int status = 0;
		char *page = scrape_get(port, "/metrics",
					i & 1 ? "application/openmetrics-text" : NULL,
					&status);

		took_us[i] = (uv_hrtime() - begun) / 1000;
		CHECK(page && status == 200, "scrape %u: %d", i, status);
		CHECK(!page || !(i & 1) ||
			      strcmp(page + strlen(page) - 6, "# EOF\n") == 0,
		      "scrape %u does not end", i);
		free(page);
		rpc_turn(&ctl, 5);
	}
	qsort(took_us, N_SCRAPES, sizeof(took_us[0]), compare);
	e2e_note("%d scrapes: p50 %llu us, p99 %llu us", N_SCRAPES,
		 (unsigned long long)took_us[N_SCRAPES / 2],
		 (unsigned long long)took_us[N_SCRAPES * 99 / 100]);
	CHECK(rpc_wait(&ctl, &call) != ERR_OK, "the box did not hang");
	rpc_free(&call);
	rpc_reset();
	(void)sim_clear(&sim);
	close_all();
}

static const struct e2e_test tests[] = {
	{ "others are served beside 1,000 slow clients", others_are_served, false },
	{ "a scrape waits for nothing", while_the_box_hangs, false },
	{ NULL, NULL, false },
};

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
