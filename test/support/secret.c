#include "support/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int copy(const char *from, const char *to)
{
	char text[16384];
	FILE *in = fopen(from, "re"), *out = in ? fopen(to, "we") : NULL;
	size_t n = in ? fread(text, 1, sizeof(text), in) : 0;
	int rc = out && fwrite(text, 1, n, out) == n ? 0 : -1;

	if (in)
		fclose(in);
	if (out && fclose(out))
		rc = -1;
	return rc;
}

static int write_version(const struct secret *s, const char *key, const char *host_key)
{
	char dir[240], path[300], path2[300];

	snprintf(dir, sizeof(dir), "%s/..v%u", s->dir, s->version);
	snprintf(path, sizeof(path), "%s/rds-private-key", dir);
	snprintf(path2, sizeof(path2), "%s/rds-host-key", dir);
	if (mkdir(dir, 0700) || copy(key, path) || copy(host_key, path2))
		return -1;
	snprintf(dir, sizeof(dir), "..v%u", s->version);
	snprintf(path, sizeof(path), "%s/..data_tmp", s->dir);
	snprintf(path2, sizeof(path2), "%s/..data", s->dir);
	return symlink(dir, path) || rename(path, path2) ? -1 : 0;
}

int secret_open(struct secret *s, const char *dir, const char *key, const char *host_key)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	snprintf(s->key, sizeof(s->key), "%s/rds-private-key", dir);
	snprintf(s->host_key, sizeof(s->host_key), "%s/rds-host-key", dir);
	if (mkdir(dir, 0700) || write_version(s, key, host_key))
		return -1;
	return symlink("..data/rds-private-key", s->key) ||
			       symlink("..data/rds-host-key", s->host_key)
		       ? -1
		       : 0;
}

int secret_swap(struct secret *s, const char *key, const char *host_key)
{
	char path[300];

	s->version++;
	if (write_version(s, key, host_key))
		return -1;
	snprintf(path, sizeof(path), "%s/..v%u/rds-private-key", s->dir, s->version - 1);
	unlink(path);
	snprintf(path, sizeof(path), "%s/..v%u/rds-host-key", s->dir, s->version - 1);
	unlink(path);
	snprintf(path, sizeof(path), "%s/..v%u", s->dir, s->version - 1);
	return rmdir(path);
}

int secret_spoil(const struct secret *s, const char *text)
{
	FILE *f = fopen(s->key, "we");
	int rc = f && fputs(text, f) >= 0 ? 0 : -1;

	if (f && fclose(f))
		rc = -1;
	return rc;
}

int secret_keygen(const char *path, const char *type)
{
	char line[400];
	int rc;

	snprintf(line, sizeof(line), "ssh-keygen -q -N '' -C test -f %s -t %s", path,
		 type);
	rc = system(line);
	return WIFEXITED(rc) && WEXITSTATUS(rc) == 0 ? 0 : -1;
}
