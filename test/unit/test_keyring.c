#include "rds/keyring.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "rds/ssh.h"
#include "support/capture.h"
#include "support/secret.h"
#include "support/t.h"

/* A Secret with the key a; others lie beside it. */
static char dir[128];
static struct secret secret;
static struct keyring ring;

static const char *at(const char *name)
{
	static char path[4][200];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void begin(void)
{
	struct err err;

	log_open(LOG_INFO, true);
	t_mkdir(dir);
	cr_assert_eq(secret_keygen(at("a"), "ed25519"), 0);
	cr_assert_eq(secret_keygen(at("b"), "ed25519"), 0);
	cr_assert_eq(secret_keygen(at("rsa"), "rsa -b 2048"), 0);
	cr_assert_eq(secret_keygen(at("pem"), "rsa -b 2048 -m PEM"), 0);
	cr_assert_eq(secret_open(&secret, at("secret"), at("a"), at("a.pub")), 0);
	cr_assert_eq(ssh_open(&err), 0);
	cr_assert_eq(keyring_open(&ring, secret.key, secret.host_key, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(ring.version, 1);
}

static void end(void)
{
	keyring_fini(&ring);
	cr_assert_eq(mem_live(), 0);
	t_rmdir(dir);
}

static void swap(const char *key, const char *host_key)
{
	cr_assert_eq(secret_swap(&secret, at(key), at(host_key)), 0);
}

/* After a look: the version, and how many lines warned. */
static unsigned look(uint64_t version)
{
	const char *lines;
	unsigned n = 0;
	struct err err;

	t_capture();
	cr_assert_eq(keyring_look(&ring, &err), 0);
	lines = t_captured(NULL);
	cr_assert_null(strstr(lines, "PRIVATE"), "%s", lines);
	for (const char *p = lines; (p = strstr(p, "\"level\":\"warn\"")); p++)
		n++;
	cr_assert_eq(ring.version, version, "%s", lines);
	return n;
}

static void is_key_of(const char *name)
{
	char line[400], told[100] = "";
	FILE *f;

	snprintf(line, sizeof(line), "ssh-keygen -lf %s.pub", at(name));
	f = popen(line, "r");
	cr_assert_eq(fscanf(f, "%*s %99s", told), 1);
	pclose(f);
	cr_assert_str_eq(ring.fingerprint, told);
}

Test(keyring, takes_what_the_swapped_link_leads_to)
{
	begin();
	is_key_of("a");
	cr_assert_eq(look(1), 0);
	swap("b", "a.pub");
	cr_assert_eq(look(2), 0);
	is_key_of("b");
	swap("b", "b.pub");
	cr_assert_eq(look(3), 0, "the host key is another");
	swap("b", "b.pub");
	cr_assert_eq(look(3), 0, "the same in another file");
	swap("rsa", "b.pub");
	cr_assert_eq(look(4), 0);
	is_key_of("rsa");
	swap("pem", "b.pub");
	cr_assert_eq(look(5), 0);
	cr_assert_str_eq(ring.fingerprint, "", "not known of this form");
	end();
}

Test(keyring, keeps_what_was_good_and_says_so_once)
{
	static const char *const bad[] = {
		"",
		"garbage\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n",
	};

	begin();
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(secret_spoil(&secret, bad[i]), 0);
		cr_assert_eq(look(1), 1, "%u", i);
		cr_assert_eq(look(1), 0, "%u", i);
		cr_assert(ring.is_key_bad);
		is_key_of("a");
	}
	unlink(secret.key);
	cr_assert_eq(look(1), 1, "gone");
	cr_assert_eq(look(1), 0);
	cr_assert_eq(symlink("..data/rds-private-key", secret.key), 0);
	swap("b", "rsa");
	cr_assert_eq(look(2), 1, "a private key for the host's");
	is_key_of("b");
	cr_assert(ring.is_pin_bad && !ring.is_key_bad);
	swap("a", "a.pub");
	cr_assert_eq(look(3), 0);
	cr_assert_not(ring.is_pin_bad);
	end();
}

/* As a writer in place leaves it, cut at any byte. */
static void cut_everywhere(const char *name, size_t step)
{
	char text[8192];
	FILE *f = fopen(at(name), "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	struct err err;

	fclose(f);
	text[n] = '\0';
	/* The last line may lack its end. */
	for (size_t len = 0; len < n - strlen("KEY-----\n"); len += step) {
		char was = text[len];

		text[len] = '\0';
		cr_assert_eq(secret_spoil(&secret, text), 0);
		text[len] = was;
		cr_assert_eq(keyring_read(&ring, &err), 0);
		cr_assert_eq(ring.version, 1, "%s cut after %zu", name, len);
	}
}

Test(keyring, no_cut_key_is_taken)
{
	begin();
	log_open(LOG_ERROR, true);
	cut_everywhere("b", 3);
	cut_everywhere("rsa", 41);
	cut_everywhere("pem", 41);
	end();
}

Test(keyring, bears_every_failing_allocation)
{
	struct err err;
	char first[SSH_FINGERPRINT];

	begin();
	snprintf(first, sizeof(first), "%s", ring.fingerprint);
	for (long i = 0; ring.version == 1; i++) {
		swap("b", "b.pub");
		mem_fail_at(i);
		if (keyring_look(&ring, &err)) {
			cr_assert_eq(err.code, ERR_EXHAUSTED);
			cr_assert_leq(ring.version, 2);
		}
		mem_fail_at(-1);
		cr_assert(i < 50);
	}
	cr_assert_eq(keyring_look(&ring, &err), 0, "a failed one looks again");
	cr_assert_eq(ring.version, 3);
	is_key_of("b");
	end();
}
