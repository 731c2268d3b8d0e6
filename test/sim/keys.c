#include "sim/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/util.h"

enum {
	PEM_WIDTH = 70,
};

/* libssh writes the key with mode 0644 and its base64 as one long line (0.10): wrap it as
 * ssh-keygen does. */
static int rewrap(const char *path)
{
	struct sb body = { 0 }, out = { 0 };
	char line[8192];
	FILE *f = fopen(path, "re");
	int rc = -1;

	while (f && fgets(line, sizeof line, f))
		if (line[0] != '-') {
			line[strcspn(line, "\r\n")] = 0;
			sb_adds(&body, line);
		}
	if (f)
		fclose(f);
	sb_adds(&out, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	for (size_t i = 0; i < body.len; i += PEM_WIDTH)
		sb_printf(&out, "%.*s\n", PEM_WIDTH, body.p + i);
	sb_adds(&out, "-----END OPENSSH PRIVATE KEY-----\n");
	f = body.len ? fopen(path, "we") : NULL;
	if (f && fwrite(out.p, 1, out.len, f) == out.len && fchmod(fileno(f), 0600) == 0)
		rc = 0;
	if (f && fclose(f) != 0)
		rc = -1;
	sb_fini(&body);
	sb_fini(&out);
	return rc;
}

static int write_public(ssh_key key, const char *path)
{
	char *b64 = NULL;
	FILE *f = fopen(path, "we");
	int rc = -1;

	if (f && ssh_pki_export_pubkey_base64(key, &b64) == SSH_OK)
		rc = fprintf(f, "ssh-ed25519 %s\n", b64) > 0 ? 0 : -1;
	ssh_string_free_char(b64);
	if (f && fclose(f) != 0)
		rc = -1;
	return rc;
}

ssh_key keys_load(const char *dir, const char *name)
{
	char path[1024], fresh[1024], pub[1024];
	ssh_key key = NULL;
	mode_t was;

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path ||
	    snprintf(fresh, sizeof fresh, "%s/%s.new", dir, name) >= (int)sizeof fresh ||
	    snprintf(pub, sizeof pub, "%s/%s.pub", dir, name) >= (int)sizeof pub)
		return NULL;
	if (access(path, F_OK) == 0) {
		if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) != SSH_OK)
			fprintf(stderr, "rds-sim: %s: cannot be read\n", path);
		return key;
	}
	was = umask(077);
	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_pki_export_privkey_file(key, NULL, NULL, NULL, fresh) != SSH_OK ||
	    rewrap(fresh) < 0 || write_public(key, pub) < 0 || rename(fresh, path) < 0) {
		fprintf(stderr, "rds-sim: cannot make %s: %s\n", path, strerror(errno));
		ssh_key_free(key);
		key = NULL;
	}
	umask(was);
	return key;
}

size_t keys_read_public(const char *path, ssh_key *ret, size_t max)
{
	char line[8192], type[64], b64[8000];
	size_t n = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		fprintf(stderr, "rds-sim: %s: %s\n", path, strerror(errno));
	while (f && n < max && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%63s %7999s", type, b64) != 2 || type[0] == '#')
			continue;
		if (ssh_pki_import_pubkey_base64(b64, ssh_key_type_from_name(type),
						 &ret[n]) == SSH_OK)
			n++;
	}
	if (f)
		fclose(f);
	return n;
}
