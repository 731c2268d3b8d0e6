#include "support/t.h"

#include <string.h>
#include <sys/stat.h>

#include "rds/ssh_key.h"

#define ED "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
/* Two RSA keys of made-up, short numbers. */
#define RSA "AAAAB3NzaC1yc2EAAAADAQABAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define RSA2 "AAAAB3NzaC1yc2EAAAADAQABAAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"

static struct ssh_pins pins;

static int parse(const char *text)
{
	struct err err = { .code = ERR_OK };
	int rc = ssh_pins_parse(&pins, text, &err);

	cr_assert_eq(err.code, rc ? ERR_INVALID : ERR_OK);
	return rc;
}

static const char *methods(void)
{
	static char out[SSH_METHODS_MAX];

	return ssh_pins_methods(&pins, out);
}

Test(ssh_key, reads_a_host_key_in_both_forms)
{
	static const char *const good[] = {
		"ssh-ed25519 " ED,
		"ssh-ed25519 " ED " root@box\n",
		"\n# a comment\r\n  ssh-ed25519\t" ED "\r\n",
		"10.0.0.1 ssh-ed25519 " ED,
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(parse(good[i]), 0, "%s", good[i]);
		cr_assert_eq(pins.n, 1);
		cr_assert_str_eq(pins.at[0].type, "ssh-ed25519");
		cr_assert_eq(pins.at[0].len, 51);
		for (unsigned b = 0; b < 32; b++)
			cr_assert_eq(pins.at[0].blob[19 + b], b);
		cr_assert_str_eq(methods(), "ssh-ed25519");
	}
}

Test(ssh_key, refuses_every_other_line)
{
	static const char *const bad[] = {
		"",
		"# only a comment\n",
		"ssh-ed25519",
		"ssh-ed25519 !!!!",
		"ssh-ed25519 AAAA",
		"ssh-rsa " ED,
		"ssh-dss " ED,
		ED,
		"ssh-ed25519 " ED "=",
		"ssh-ed25519 " ED "AAAA",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]), -1, "%s", bad[i]);
}

Test(ssh_key, every_line_is_a_key_of_the_box)
{
	cr_assert_eq(parse("# old and new\nssh-rsa " RSA "\nssh-dss AAAA\n"
			   "box ssh-ed25519 " ED "\nssh-rsa " RSA2 "\n"),
		     0);
	cr_assert_eq(pins.n, 3);
	cr_assert_str_eq(methods(), "rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed25519");
	for (unsigned i = 0; i < 3; i++)
		cr_assert(ssh_pins_have(&pins, pins.at[i].blob, pins.at[i].len));
	cr_assert_not(ssh_pins_have(&pins, pins.at[0].blob, pins.at[0].len - 1));
	cr_assert_not(ssh_pins_have(&pins, "", 0));
}

Test(ssh_key, a_cut_line_spoils_the_file)
{
	static const char text[] = "ssh-rsa " RSA "\nssh-ed25519 " ED;

	for (size_t n = 8 + strlen(RSA) + 1; n < sizeof(text) - 1; n++) {
		char cut[sizeof(text)];
		/* As long as the type is not whole it is one that nobody knows. */
		bool is_known = n > 8 + strlen(RSA) + strlen("ssh-ed25519");

		snprintf(cut, sizeof(cut), "%.*s", (int)n, text);
		cr_assert_eq(parse(cut), is_known ? -1 : 0, "%s", cut);
	}
}

Test(ssh_key, tells_a_changed_set_from_the_same)
{
	static struct ssh_pins old;

	cr_assert_eq(parse("ssh-rsa " RSA "\nssh-ed25519 " ED), 0);
	old = pins;
	cr_assert_eq(parse("# the same\nssh-rsa " RSA "\nbox ssh-ed25519 " ED), 0);
	cr_assert(ssh_pins_are_same(&old, &pins));
	cr_assert_eq(parse("ssh-rsa " RSA), 0);
	cr_assert_not(ssh_pins_are_same(&old, &pins));
	cr_assert_not(ssh_pins_are_same(&pins, &old));
	cr_assert_eq(parse("ssh-rsa " RSA2 "\nssh-ed25519 " ED), 0);
	cr_assert_not(ssh_pins_are_same(&old, &pins));
}

Test(ssh_key, too_many_are_refused)
{
	char text[1024] = "";

	for (int i = 0; i < SSH_PINS_MAX; i++)
		strcat(text, "ssh-ed25519 " ED "\n");
	cr_assert_eq(parse(text), 0);
	cr_assert_eq(pins.n, SSH_PINS_MAX);
	strcat(text, "ssh-ed25519 " ED "\n");
	cr_assert_eq(parse(text), -1);
}

Test(ssh_key, a_blob_too_large_is_refused)
{
	static char text[8000];

	memset(text, 'A', sizeof(text) - 4);
	memcpy(text, "ssh-rsa ", 8);
	cr_assert_eq(parse(text), -1);
}

Test(ssh_key, fingerprints_as_ssh_keygen_does)
{
	/* printf '' | sha256sum, in unpadded base64. */
	static const unsigned char hash[32] = {
		0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
		0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
		0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
	};
	char out[SSH_FINGERPRINT];

	ssh_fingerprint(hash, out);
	cr_assert_str_eq(out, "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
}

Test(ssh_key, breaks_long_lines_of_the_body_only)
{
	char pem[400] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	struct buf out;
	size_t longest = 0, joined = 0;

	memset(pem + strlen(pem), 'A', 324);
	strcat(pem, "\n-----END OPENSSH PRIVATE KEY-----\n");
	buf_init(&out, 4096);
	cr_assert_eq(ssh_key_rewrap(&out, pem, strlen(pem)), 0);
	for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n")) {
		longest = strlen(line) > longest ? strlen(line) : longest;
		joined += strspn(line, "A") == strlen(line) ? strlen(line) : 0;
	}
	cr_assert_eq(longest, 70);
	cr_assert_eq(joined, 324);
	buf_fini(&out);
}

Test(ssh_key, a_pipe_or_a_directory_is_no_key_file)
{
	char dir[128], path[160];
	struct err err = { .code = ERR_OK };
	struct buf b;

	snprintf(path, sizeof(path), "%s/pipe", t_mkdir(dir));
	buf_init(&b, 2 * SSH_KEY_FILE_MAX);
	cr_assert_eq(ssh_key_read(&b, dir, "key", &err), -1);
	cr_assert(strstr(err.msg, ": not a file"), "%s", err.msg);
	cr_assert_eq(mkfifo(path, 0600), 0);
	/* Nobody ever writes into it: an open that waits would not return. */
	cr_assert_eq(ssh_key_read(&b, path, "key", &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert(strstr(err.msg, ": not a file"), "%s", err.msg);
	ssh_key_wipe(&b);
	t_rmdir(dir);
}
