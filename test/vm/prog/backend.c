/* The NVMe back end's own verbs against the kernel, without the driver around them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/child.h"
#include "nvme/reply.h"
#include "nvme/tcp.h"
#include "vm/hand.h"
#include "vm/kern.h"
#include "vm/proxy.h"
#include "vm/track.h"

#define NQN "nqn.2000-02.com.mikrotik:pvc-backend"
#define OTHER "nqn.2000-02.com.mikrotik:pvc-backend.g1-0a1b2c3d"
#define BESIDE "nqn.2000-02.com.mikrotik:pvc-backend-2"
#define HOST_ID "6f7a2b1e-1111-4222-8333-444455556666"
#define HOST "nqn.2014-08.org.nvmexpress:uuid:" HOST_ID
#define FOREIGN_ID "11112222-1111-4222-8333-444455556666"
#define FOREIGN "nqn.2014-08.org.nvmexpress:uuid:" FOREIGN_ID
#define UUID "0badcafe-0000-4000-8000-00000000cafe"
#define NS "/sys/kernel/config/nvmet/subsystems/" NQN "/namespaces/1/enable"
enum { PORT = 4530, PROXY_PORT = 4531, SIZE = 64 << 20 };

/* ---- the helper ---- */

static char answer[REPLY_MAX];

static int run(const char *const *argv)
{
	uint64_t code = 99;

	answer[0] = '\0';
	if (child_run(argv, answer, sizeof(answer)) != 0 || !reply_is_valid(answer) ||
	    reply_get_u64(answer, "code", &code))
		return -1;
	return (int)code;
}

#define HELPER(...) \
	run((const char *const[]){ getenv("RDS_CSI"), "helper", __VA_ARGS__, NULL })

static int attach_at(const char *nqn, const char *hosts, const char *address,
		     unsigned port)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", port);
	return HELPER("nvme-attach", nqn, HOST, HOST_ID, hosts, address, text,
		      "1,-2147483648,-1,-2147483648,5,-2147483648", "rw", "any");
}

static int attach(const char *nqn)
{
	return attach_at(nqn, HOST, "127.0.0.1", PORT);
}

static int detach(const char *nqn)
{
	return HELPER("nvme-detach", nqn, HOST);
}

static const char *text_of(const char *key)
{
	static char text[256];

	if (reply_get_str(answer, key, text, sizeof(text)))
		text[0] = '\0';
	return text;
}

static uint64_t number_of(const char *key)
{
	uint64_t v = 0;

	(void)reply_get_u64(answer, key, &v);
	return v;
}

#define IS(call, want)                                                \
	do {                                                          \
		int code_ = (call);                                   \
		CHECK(code_ == (want), "code %d, %s", code_, answer); \
	} while (0)

/* ---- the targets ---- */

static char images[3][E2E_PATH];
static struct hand_export exports[3];

/* The second is always there, so that the port stays open. */
static bool open_targets(void)
{
	static const char *const nqns[3] = { NQN, BESIDE, OTHER };

	for (unsigned i = 0; i < 3; i++) {
		exports[i] =
			(struct hand_export){ .nqn = nqns[i],
					      .image = e2e_path(images[i], "image-%u", i),
					      .size_bytes = SIZE,
					      .port_id = 100,
					      .port = PORT,
					      .uuid = i ? NULL : UUID };
		if (!hand_export(&exports[i]))
			return false;
	}
	return true;
}

static void close_targets(void)
{
	for (unsigned i = 0; i < 3; i++)
		CHECK(hand_unexport(&exports[i]), "the export stays");
}

/* ---- the tests ---- */

static void life(void)
{
	struct track t = { .seed = 3, .base = 1 << 20, .slots = 64 };
	char device[KERN_NAME] = "";
	uint64_t began;

	if (!open_targets())
		return;
	began = e2e_now_ms();
	IS(attach(NQN), 0);
	e2e_note("attach took %llu ms", (unsigned long long)(e2e_now_ms() - began));
	CHECK(kern_device(NQN, device) && !strcmp(device, text_of("device")), "%s, %s",
	      device, answer);
	CHECK(number_of("size") == SIZE && !strcmp(text_of("ns_id"), UUID), "%s", answer);
	began = e2e_now_ms();
	IS(attach(NQN), 0);
	e2e_note("attach again took %llu ms", (unsigned long long)(e2e_now_ms() - began));
	CHECK(kern_sessions(NQN) == 1, "%u sessions", kern_sessions(NQN));
	snprintf(t.path, sizeof(t.path), "%s", device);
	CHECK(track_write(&t, 0, 20), "not written");
	IS(attach(BESIDE), 0);
	began = e2e_now_ms();
	IS(detach(NQN), 0);
	e2e_note("detach took %llu ms", (unsigned long long)(e2e_now_ms() - began));
	CHECK(!kern_sessions(NQN) && kern_live(BESIDE) == 1, "the wrong one went");
	IS(detach(NQN), 0);
	snprintf(t.path, sizeof(t.path), "%s", images[0]);
	track_check(&t, 20);
	IS(detach(BESIDE), 0);
	close_targets();
}

static void refusals(void)
{
	if (!open_targets())
		return;
	IS(attach("nqn.2000-02.com.mikrotik:nobody"), 14);
	CHECK(strstr(text_of("msg"), "refuses"), "%s", answer);
	IS(attach_at(NQN, HOST, "127.0.0.1", PORT + 5), 14);
	CHECK(strstr(text_of("msg"), "Connection refused"), "%s", answer);
	IS(HELPER("ask", "127.0.0.1", "4530", NQN, HOST, HOST_ID, "100"), 0);
	CHECK(!number_of("refused"), "%s", answer);
	IS(HELPER("ask", "127.0.0.1", "4530", NQN "x", HOST, HOST_ID, "100"), 0);
	CHECK(number_of("refused") == 1, "%s", answer);
	CHECK(kern_sessions_under("nqn.2000-02.com.mikrotik:") == 0, "a session is left");
	close_targets();
}

/* The namespace goes and comes back under a session that stays live. */
static void empty(void)
{
	if (!open_targets())
		return;
	IS(attach(NQN), 0);
	CHECK(kern_put(NS, "0") == 0, "cannot disable");
	e2e_sleep_ms(500);
	CHECK(kern_live(NQN) == 1, "the session went");
	IS(attach(NQN), 14);
	CHECK(strstr(text_of("msg"), "no namespace"), "%s", answer);
	CHECK(kern_put(NS, "1") == 0, "cannot enable");
	IS(attach(NQN), 0);
	CHECK(kern_sessions(NQN) == 1, "%u sessions", kern_sessions(NQN));
	IS(detach(NQN), 0);
	close_targets();
}

static int loop_over(const char *device, char path[32])
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd, backing;
	struct loop_config conf = { 0 };

	snprintf(path, 32, "/dev/loop%d", ioctl(ctl, LOOP_CTL_GET_FREE));
	close(ctl);
	fd = open(path, O_RDWR | O_CLOEXEC);
	backing = open(device, O_RDWR | O_CLOEXEC);
	conf.fd = (uint32_t)backing;
	CHECK(ioctl(fd, LOOP_CONFIGURE, &conf) == 0, "loop: %s", strerror(errno));
	close(backing);
	return fd;
}

static void busy(void)
{
	char device[KERN_NAME] = "", loop[32];
	int fd;

	if (!open_targets())
		return;
	IS(attach(NQN), 0);
	CHECK(kern_device(NQN, device), "no device");
	fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);
	IS(detach(NQN), 10);
	close(fd);
	fd = loop_over(device, loop);
	IS(detach(NQN), 10);
	CHECK(strstr(text_of("msg"), loop + 5), "%s", answer);
	CHECK(kern_live(NQN) == 1, "it went under its user");
	ioctl(fd, LOOP_CLR_FD);
	close(fd);
	IS(detach(NQN), 0);
	close_targets();
}

static void others(void)
{
	const struct hand_session foreign = {
		.nqn = NQN, .hostnqn = FOREIGN, .hostid = FOREIGN_ID, .port = PORT
	};
	int number;

	if (!open_targets())
		return;
	IS(attach(NQN), 0);
	IS(attach(OTHER), 0);
	IS(attach(BESIDE), 0);
	IS(HELPER("nvme-cut-others", OTHER, NQN, HOST), 0);
	CHECK(!kern_sessions(NQN) && kern_live(OTHER) == 1 && kern_live(BESIDE) == 1,
	      "the wrong one went");
	number = hand_connect(&foreign);
	CHECK(number >= 0 && kern_until_live(NQN, 60000), "no foreign session");
	IS(detach(NQN), 0);
	IS(HELPER("nvme-cut", NQN, HOST), 0);
	CHECK(kern_live(NQN) == 1, "another's session is gone");
	IS(attach_at(NQN, HOST "," FOREIGN, "127.0.0.1", PORT), 0);
	CHECK(kern_sessions(NQN) == 1, "not joined");
	IS(HELPER("nvme-detach", NQN, HOST "," FOREIGN), 0);
	CHECK(!kern_sessions(NQN), "not detached");
	IS(detach(OTHER), 0);
	IS(detach(BESIDE), 0);
	close_targets();
}

static void growth(void)
{
	if (!open_targets())
		return;
	IS(attach(NQN), 0);
	CHECK(truncate(images[0], 2 * SIZE) == 0, "not grown");
	IS(HELPER("nvme-rescan", text_of("device"), "", ""), 0);
	CHECK(number_of("size") == 2 * SIZE, "%s", answer);
	CHECK(truncate(images[0], 3 * SIZE) == 0, "not grown");
	IS(attach(NQN), 0);
	e2e_note("a second attach sees %llu", (unsigned long long)number_of("size"));
	IS(detach(NQN), 0);
	close_targets();
}

/* Idle and live, the target falls silent. */
static void silent(void)
{
	struct proxy p;
	uint64_t began;

	if (!open_targets() || !proxy_start(&p, PROXY_PORT, PORT))
		return;
	IS(attach_at(NQN, HOST, "127.0.0.1", PROXY_PORT), 0);
	proxy_stop(&p);
	began = e2e_now_ms();
	IS(detach(NQN), 0);
	e2e_note("silent detach took %llu ms",
		 (unsigned long long)(e2e_now_ms() - began));
	CHECK(!kern_sessions(NQN), "the session stays");
	proxy_continue(&p);
	proxy_end(&p);
	close_targets();
}

static void checks(void)
{
	struct err err = { .code = ERR_OK };
	int status;
	pid_t pid;

	CHECK(nvme_tcp_check_network(&err) == 0, "%s", err.msg);
	CHECK(nvme_tcp_check_kernel(&err) == 0, "%s", err.msg);
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) ? 2 : nvme_tcp_check_network(&err) ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0,
	      "another network namespace is not told: %#x", status);
}

static const struct e2e_test tests[] = { { "life", life, true },
					 { "refusals", refusals, true },
					 { "empty", empty, true },
					 { "busy", busy, true },
					 { "others", others, true },
					 { "growth", growth, true },
					 { "silent", silent, true },
					 { "checks", checks, true },
					 { 0 } };

int main(int argc, char **argv)
{
	return e2e_main(argc, argv, tests);
}
