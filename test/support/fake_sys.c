#include "support/fake_sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "support/t.h"

void fake_put(const char *root, const char *file, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	cr_assert_not_null(f, "%s", path);
	fputs(text, f);
	fclose(f);
}

static void put_line(const char *root, const char *dir, const char *file,
		     const char *text)
{
	static char line[8192];
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(line, sizeof(line), "%s\n", text);
	fake_put(root, path, line);
}

void fake_session(const char *root, const char *ctrl, const char *nqn,
		  const char *host_nqn, const char *state)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "class/nvme/%s", ctrl);
	put_line(root, dir, "subsysnqn", nqn);
	put_line(root, dir, "hostnqn", host_nqn);
	put_line(root, dir, "hostid", "6f7a2b1e-1111-4222-8333-444455556666");
	put_line(root, dir, "transport", "tcp");
	put_line(root, dir, "address", "traddr=fe80::1,trsvcid=4420,src_addr=fe80::2");
	put_line(root, dir, "state", state);
}

void fake_disk(const char *root, const char *name, const char *number,
	       unsigned long long sectors, const char *nqn)
{
	char dir[64], text[32];

	snprintf(dir, sizeof(dir), "block/%s", name);
	snprintf(text, sizeof(text), "%llu", sectors);
	put_line(root, dir, "dev", number);
	put_line(root, dir, "size", text);
	put_line(root, dir, "device/subsysnqn", nqn);
	snprintf(dir, sizeof(dir), "dev/block/%s", number);
	put_line(root, dir, "device/subsysnqn", nqn);
}
