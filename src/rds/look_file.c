#include "rds/look_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"
#include "rds/ssh_key.h"

/* OpenSSH's own container names its cipher right behind the magic "openssh-key-v1\0":
 * this is base64 of both with the cipher "none" (OpenSSH, PROTOCOL.key). */
#define CONTAINER "BEGIN OPENSSH PRIVATE KEY-----"
#define CONTAINER_PLAIN "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"

enum look_file look_key_kind(const char *text)
{
	const char *body = strstr(text, CONTAINER);

	text += strspn(text, " \t\r\n");
	if (!*text)
		return LOOK_FILE_EMPTY;
	if (str_starts_with(text, "ssh-") || str_starts_with(text, "ecdsa-") ||
	    strstr(text, "BEGIN PUBLIC KEY") || strstr(text, "BEGIN SSH2 PUBLIC KEY"))
		return LOOK_FILE_PUBLIC;
	if (body) {
		body += strlen(CONTAINER);
		body += strspn(body, "\r\n");
		return str_starts_with(body, CONTAINER_PLAIN) ? LOOK_FILE_GOOD
							      : LOOK_FILE_ENCRYPTED;
	}
	if (strstr(text, "BEGIN ENCRYPTED PRIVATE KEY") || strstr(text, ",ENCRYPTED"))
		return LOOK_FILE_ENCRYPTED;
	return strstr(text, "PRIVATE KEY-----") ? LOOK_FILE_GOOD : LOOK_FILE_WRONG;
}

/* GOOD when text holds what the file does. */
static enum look_file read_file(const char *path, struct buf *text, struct look_facts *f)
{
	struct err err;

	if (access(path, R_OK) == 0) {
		if (ssh_key_read(text, path, "key", &err) == 0)
			return LOOK_FILE_GOOD;
		return strstr(err.msg, ": empty") ? LOOK_FILE_EMPTY : LOOK_FILE_WRONG;
	}
	if (errno == ENOENT || errno == ENOTDIR)
		return LOOK_FILE_MISSING;
	(void)snprintf(f->file_error, sizeof(f->file_error), "%s", strerror(errno));
	return LOOK_FILE_UNREADABLE;
}

static enum look_file private_key(const char *path, struct look_facts *f)
{
	struct buf text, key;
	enum look_file kind;
	struct err err;

	buf_init(&text, 2 * SSH_KEY_FILE_MAX);
	buf_init(&key, 2 * SSH_KEY_FILE_MAX);
	kind = read_file(path, &text, f);
	if (kind == LOOK_FILE_GOOD)
		kind = look_key_kind(text.data);
	if (kind == LOOK_FILE_GOOD && (ssh_key_rewrap(&key, text.data, text.len) ||
				       ssh_check_key(&key, path, &err)))
		kind = LOOK_FILE_WRONG;
	ssh_key_wipe(&text);
	ssh_key_wipe(&key);
	return kind;
}

static enum look_file host_key(const char *path, struct look_facts *f)
{
	struct ssh_pins pins;
	enum look_file kind;
	struct err err;
	struct buf text;

	buf_init(&text, 2 * SSH_KEY_FILE_MAX);
	kind = read_file(path, &text, f);
	if (kind == LOOK_FILE_GOOD && ssh_pins_parse(&pins, text.data, &err))
		kind = LOOK_FILE_WRONG;
	buf_fini(&text);
	return kind;
}

void look_files(struct look_facts *f, const struct ssh_conf *conf)
{
	f->key = private_key(conf->key_file, f);
	f->host_key =
		conf->is_insecure ? LOOK_FILE_UNSEEN : host_key(conf->host_key_file, f);
}
