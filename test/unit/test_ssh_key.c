#include "support/t.h"

#include <string.h>

#include "rds/ssh_key.h"

#define ED "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static int parse(const char *text, struct ssh_host_key *k)
{
	struct err err = { .code = ERR_OK };
	int rc = ssh_host_key_parse(k, text, &err);

	cr_assert_eq(err.code, rc ? ERR_INVALID : ERR_OK);
	return rc;
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
		struct ssh_host_key k;

		cr_assert_eq(parse(good[i], &k), 0, "%s", good[i]);
		cr_assert_str_eq(k.type, "ssh-ed25519");
		cr_assert_eq(k.len, 51);
		for (unsigned b = 0; b < 32; b++)
			cr_assert_eq(k.blob[19 + b], b);
		cr_assert_str_eq(ssh_host_key_methods(&k), "ssh-ed25519");
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
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
	};
	struct ssh_host_key k;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i], &k), -1, "%s", bad[i]);
}

Test(ssh_key, a_blob_too_large_is_refused)
{
	static char text[8000];
	struct ssh_host_key k;

	memset(text, 'A', sizeof(text) - 4);
	memcpy(text, "ssh-rsa ", 8);
	cr_assert_eq(parse(text, &k), -1);
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
