#include "vm/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "vm/kern.h"

#define NVMET "/sys/kernel/config/nvmet"
#define PORT NVMET "/ports/1"
#define KEEPER "nqn.2000-02.com.mikrotik:wire-keeper"

const char wire_box_address[] = "0.0.0.0";
static const char *const addresses[WIRE_N] = { "10.9.0.2", "10.9.1.2" };
static const char *const near_ends[WIRE_N] = { "near0", "near1" };
static const char *const far_ends[WIRE_N] = { "far0", "far1" };
static const char near_mac[] = "02:00:00:00:00:01", far_mac[] = "02:00:00:00:00:02";
static int home = -1, away = -1; /* the two namespaces */

const char *wire_address(unsigned pair)
{
	return addresses[pair];
}

static bool enter(int ns)
{
	return CHECK(setns(ns, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
}

/* One command, its words separated by single blanks. */
__attribute__((format(printf, 1, 2))) static bool run(const char *fmt, ...)
{
	enum { MAX_WORDS = 24 };
	char text[300], *argv[MAX_WORDS], *save = NULL, whole[300];
	unsigned n = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(whole, text, sizeof(whole));
	for (char *w = strtok_r(text, " ", &save); w && n < MAX_WORDS - 1;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n] = NULL;
	return CHECK(child_run((const char *const *)argv, NULL, 0) == 0, "%s", whole);
}

/* Addresses of the link layer are fixed: a silent pair answers no question for them, and
 * a host that cannot find one is told so at once. */
static bool make_pair(unsigned i)
{
	int subnet = (int)i;

	return run("/bin/ip link add %s address %s type veth peer name %s address %s",
		   near_ends[i], near_mac, far_ends[i], far_mac) &&
	       run("/bin/ip link set %s netns /proc/%d/fd/%d", far_ends[i], getpid(),
		   away) &&
	       run("/bin/ip addr add 10.9.%d.1/24 dev %s", subnet, near_ends[i]) &&
	       run("/bin/ip link set %s up", near_ends[i]) &&
	       run("/bin/ip neigh add %s lladdr %s dev %s nud permanent", addresses[i],
		   far_mac, near_ends[i]);
}

/* In the target's namespace. */
static bool finish_pair(unsigned i)
{
	int subnet = (int)i;

	return run("/bin/ip addr add %s/24 dev %s", addresses[i], far_ends[i]) &&
	       run("/bin/ip link set %s up", far_ends[i]) &&
	       run("/bin/ip neigh add 10.9.%d.1 lladdr %s dev %s nud permanent", subnet,
		   near_mac, far_ends[i]);
}

static bool put(const char *path, const char *text)
{
	int rc = kern_put(path, text);

	return CHECK(rc == 0, "%s: %s", path, strerror(rc));
}

static bool make_port(void)
{
	return CHECK(mkdir(PORT, 0700) == 0, "%s: %s", PORT, strerror(errno)) &&
	       put(PORT "/addr_trtype", "tcp") && put(PORT "/addr_adrfam", "ipv4") &&
	       put(PORT "/addr_traddr", wire_box_address) &&
	       put(PORT "/addr_trsvcid", "4420") &&
	       CHECK(mkdir(NVMET "/subsystems/" KEEPER, 0700) == 0, "the keeper: %s",
		     strerror(errno)) &&
	       CHECK(symlink(NVMET "/subsystems/" KEEPER, PORT "/subsystems/" KEEPER) ==
			     0,
		     "the port: %s", strerror(errno));
}

bool wire_open(void)
{
	bool ok = true;

	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (!CHECK(unshare(CLONE_NEWNET) == 0, "unshare: %s", strerror(errno)))
		return false;
	away = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ok = run("/bin/ip link set lo up") && enter(home);
	for (unsigned i = 0; ok && i < WIRE_N; i++)
		ok = make_pair(i);
	ok = ok && enter(away);
	for (unsigned i = 0; ok && i < WIRE_N; i++)
		ok = finish_pair(i);
	ok = ok && make_port();
	return enter(home) && ok;
}

void wire_close(void)
{
	(void)unlink(PORT "/subsystems/" KEEPER);
	(void)rmdir(NVMET "/subsystems/" KEEPER);
	(void)rmdir(PORT);
	for (unsigned i = 0; i < WIRE_N; i++)
		(void)run("/bin/ip link del %s", near_ends[i]);
	close(away);
	close(home);
}

static bool lose_all(const char *device, bool is_silent)
{
	return is_silent ? run("/bin/tc qdisc add dev %s root netem loss 100%%", device)
			 : run("/bin/tc qdisc del dev %s root", device);
}

bool wire_silence(unsigned pair, bool is_silent)
{
	bool ok = lose_all(near_ends[pair], is_silent) && enter(away) &&
		  lose_all(far_ends[pair], is_silent);

	return enter(home) && ok;
}
