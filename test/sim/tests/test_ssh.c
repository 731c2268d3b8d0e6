/* The simulator over SSH and its control port: sessions, faults, a kill and what is left.
 */
#include "sim/tests/t_net.h"

#define ADD(slot, more)                                                   \
	"/disk/add type=file slot=" slot " file-path=/storage-pool/" slot \
	".img file-size=1M" more

static bool exists(struct t_net *t, const char *rel)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", t->dir, rel);
	return lstat(path, &st) == 0;
}

Test(ssh, runs_a_line_and_counts)
{
	static struct t_net t;
	char out[4096];
	ssh_session s;
	struct stat st;
	char path[256];

	t_net_open(&t, NULL);
	snprintf(path, sizeof path, "%s/client_key", t.dir);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600u);
	s = t_connect(&t);
	cr_assert_not_null(s);
	cr_expect_eq(t_exec(s, ":put 4", out, sizeof out), 0);
	cr_expect_str_eq(out, "4\n");
	cr_expect_eq(t_exec(s, ":zzz", out, sizeof out), 0);
	cr_expect_str_eq(out, "bad command name zzz (line 1 column 2)\n");
	cr_expect_eq(t_stat(&t, "connections"), 1);
	cr_expect_eq(t_stat(&t, "channels"), 2);
	cr_expect_eq(t_stat(&t, "execs"), 2);
	cr_expect_eq(t_stat(&t, "execs_failed"), 1);
	cr_expect_eq(t_stat(&t, "unknown"), 1);
	cr_expect_eq(t_stat(&t, "channels_peak"), 1);
	t_hangup(s);
	/* Only the one user key is let in. */
	cr_expect_null(t_connect_with(&t, "host_key"));
	t_net_close(&t);
}

Test(ssh, exit_status_has_modes)
{
	static const char *const args[] = { "--exit-status", "1", NULL };
	static struct t_net t;
	char out[4096];
	ssh_session s;

	t_net_open(&t, args);
	s = t_connect(&t);
	cr_expect_eq(t_exec(s, ":put 4", out, sizeof out), 0);
	cr_expect_eq(t_exec(s, ":error x", out, sizeof out), 1);
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, long_output_arrives_whole)
{
	static struct t_net t;
	static char out[3 << 20];
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_exec(s,
	       ":local a \"0123456789abcdef\"; :for i from=1 to=13 do={:set a ($a.$a)}; "
	       ":for i from=1 to=20 do={:put $a}",
	       out, sizeof out);
	cr_expect_eq(strlen(out), 20u * (16u * 8192u + 1u));
	t_hangup(s);
	t_net_close(&t);
}

/* Several channels on one connection, their scripts in turns. */
Test(ssh, scripts_interleave)
{
	static struct t_net t;
	char out[4096];
	ssh_channel a, b;
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_exec(s, ":global x \"\"", out, sizeof out);
	t_fault(&t, "statement-ms=50"); /* some seconds, in which the second begins */
	a = t_begin(s, ":global x; :for i from=1 to=50 do={:set x ($x.\"a\")}");
	b = t_begin(s, ":global x; :for i from=1 to=50 do={:set x ($x.\"b\")}");
	t_finish(a, out, sizeof out);
	t_finish(b, out, sizeof out);
	t_fault(&t, "statement-ms=0");
	t_exec(s, ":global x; :put $x", out, sizeof out);
	cr_expect(strstr(out, "ba") && strstr(out, "ab"), "not interleaved: %s", out);
	cr_expect_eq(t_stat(&t, "channels_peak"), 2);
	cr_expect_eq(t_stat(&t, "execs_peak"), 2);
	t_http(&t, "POST", "/peaks");
	cr_expect_eq(t_stat(&t, "execs_peak"), 0);
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, without_interleaving_scripts_queue)
{
	static const char *const args[] = { "--interleave=off", NULL };
	static struct t_net t;
	char out[4096];
	ssh_channel a, b;
	ssh_session s;

	t_net_open(&t, args);
	s = t_connect(&t);
	t_exec(s, ":global x \"\"", out, sizeof out);
	t_fault(&t, "statement-ms=2");
	a = t_begin(s, ":global x; :for i from=1 to=50 do={:set x ($x.\"a\")}");
	b = t_begin(s, ":global x; :for i from=1 to=50 do={:set x ($x.\"b\")}");
	t_finish(b, out, sizeof out);
	t_finish(a, out, sizeof out);
	t_exec(s, ":global x; :put $x", out, sizeof out);
	cr_expect(!(strstr(out, "ba") && strstr(out, "ab")), "interleaved: %s", out);
	cr_expect_eq(strlen(out), 101u);
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, max_sessions)
{
	static const char *const args[] = { "--max-sessions=2", NULL };
	static struct t_net t;
	char out[64];
	ssh_session a, b;

	t_net_open(&t, args);
	a = t_connect(&t);
	b = t_connect(&t);
	cr_expect_not_null(a);
	cr_expect_not_null(b);
	cr_expect_null(t_connect(&t));
	cr_expect_eq(t_exec(a, ":put 1", out, sizeof out), 0);
	t_hangup(a);
	t_hangup(b);
	t_net_close(&t);
}

/* The connection is cut after every byte count; whole or nothing is left behind. */
Test(ssh, cut_after_bytes)
{
	static struct t_net t;
	char out[4096], query[128], line[256];
	unsigned cut = 0, made = 0;
	ssh_session s;

	t_net_open(&t, NULL);
	for (int i = 0; i < 40; i++) {
		s = t_connect(&t);
		cr_assert_not_null(s);
		snprintf(query, sizeof query, "/fault?cut-after-out=%d&from=exec",
			 i * 13);
		t_http(&t, "POST", query);
		snprintf(line, sizeof line,
			 "/disk/add type=file slot=c%d file-path=/storage-pool/c%d.img "
			 "file-size=1M; :put \"@ok\"",
			 i, i);
		if (t_exec(s, line, out, sizeof out) != 0)
			cut++;
		t_http(&t, "POST", "/fault/clear");
		t_hangup(s);
		s = t_connect(&t);
		snprintf(line, sizeof line, ":put [:len [/disk find where slot=\"c%d\"]]",
			 i);
		t_exec(s, line, out, sizeof out);
		made += atoi(out) == 1;
		snprintf(line, sizeof line, "pool/c%d.img", i);
		cr_expect_eq(exists(&t, line), atoi(out) == 1);
		t_hangup(s);
	}
	cr_expect_gt(cut, 5u);
	cr_expect_lt(cut, 40u);
	cr_expect_geq(made, 40u - cut);
	t_net_close(&t);
}

Test(ssh, cut_of_input_and_from_connect)
{
	static struct t_net t;
	char out[64];
	ssh_session s;

	t_net_open(&t, NULL);
	t_fault(&t, "cut-after-in=500&from=connect");
	cr_expect_null(t_connect(&t));
	s = t_connect(&t);
	cr_assert_not_null(s, "the cut was for one connection");
	t_fault(&t, "cut-after-in=30&from=now");
	cr_expect_eq(t_exec(s, ":put 1", out, sizeof out), -1);
	cr_expect_eq(t_stat(&t, "execs"), 0);
	t_hangup(s);
	t_net_close(&t);
}

static void cut_in_delay(struct t_net *t, const char *line)
{
	char out[256];
	ssh_session s = t_connect(t);
	ssh_channel ch = t_begin(s, line);

	cr_assert_not_null(ch);
	t_fault(t, "cut-after-in=0&from=now");
	t_finish(ch, out, sizeof out);
	t_hangup(s);
}

/* A script whose client was cut dies at its next statement, or runs on. */
Test(ssh, run_on_after_cut)
{
	static struct t_net t;

	t_net_open(&t, NULL);
	cut_in_delay(&t, ":delay 2s; " ADD("d1", ""));
	for (int i = 0; i < 1000 && t_stat(&t, "execs_now") > 0; i++)
		usleep(20 * 1000);
	cr_expect_eq(t_stat(&t, "execs_now"), 0);
	cr_expect_eq(t_stat(&t, "disks"), 0);
	t_fault(&t, "run-on=5");
	cut_in_delay(&t, ":delay 2s; " ADD("d2", ""));
	for (int i = 0; i < 1000 && t_stat(&t, "disks") == 0; i++)
		usleep(20 * 1000);
	cr_expect_eq(t_stat(&t, "disks"), 1);
	t_net_close(&t);
}

Test(ssh, hang_garbage_and_error)
{
	static struct t_net t;
	char out[4096];
	ssh_channel hung;
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_fault(&t, "garbage=1&match=%3Aput+4");
	t_exec(s, ":put 4", out, sizeof out);
	cr_expect_str_neq(out, "4\n");
	t_fault(&t, "hang=1");
	hung = t_begin(s, ":put 4");
	cr_assert_not_null(hung);
	cr_expect_eq(t_exec(s, ":put 5", out, sizeof out), 0);
	cr_expect_str_eq(out, "5\n");
	t_http(&t, "POST", "/fault/clear");
	t_finish(hung, out, sizeof out);
	cr_expect_str_eq(out, "4\n");
	t_fault(&t, "action-timeout=1");
	t_exec(s, ADD("a1", ""), out, sizeof out);
	cr_expect_eq(strncmp(out, "action timed out", 16), 0, "%s", out);
	cr_expect_eq(t_stat(&t, "disks"), 1);
	t_fault(&t, "script-error-at-statement=1");
	t_exec(s, ":put 1; " ADD("e1", ""), out, sizeof out);
	cr_expect_eq(strncmp(out, "1\nfailure: simulated error", 26), 0, "%s", out);
	t_exec(s, ":put 1; " ADD("e1", ""), out, sizeof out);
	cr_expect_str_eq(out, "1\n");
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, pause_at_statement)
{
	static struct t_net t;
	char out[4096];
	ssh_channel ch;
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_fault(&t, "pause-at-statement=1");
	ch = t_begin(s, ADD("p1", "") "; " ADD("p2", ""));
	t_exec(s, ":put [:len [/disk find where type=file]]", out, sizeof out);
	cr_expect_str_eq(out, "1\n");
	t_http(&t, "POST", "/fault/clear");
	t_finish(ch, out, sizeof out);
	cr_expect_eq(t_stat(&t, "disks"), 2);
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, no_space_refuse_and_version)
{
	static struct t_net t;
	char out[4096];
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_fault(&t, "no-space=1");
	t_exec(s, ADD("n1", ""), out, sizeof out);
	cr_expect_eq(strncmp(out, "failure: not enough space", 25), 0);
	t_fault(&t, "version=7.20");
	t_exec(s, ":put [/system/resource get version]", out, sizeof out);
	cr_expect_str_eq(out, "7.20 (stable)\n");
	t_fault(&t, "refuse=1");
	cr_expect_null(t_connect(&t));
	cr_expect_eq(strncmp(t_http(&t, "POST", "/fault?bogus=1"), "unknown fault", 13),
		     0);
	t_hangup(s);
	t_net_close(&t);
}

static void host_key_of(struct t_net *t, unsigned char **hash, size_t *n)
{
	ssh_session s = t_connect(t);
	ssh_key key = NULL;

	cr_assert_not_null(s);
	cr_assert_eq(ssh_get_server_publickey(s, &key), SSH_OK);
	ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, hash, n);
	ssh_key_free(key);
	t_hangup(s);
}

Test(ssh, other_host_key)
{
	static struct t_net t;
	unsigned char *h[3] = { NULL };
	size_t n[3];

	t_net_open(&t, NULL);
	host_key_of(&t, &h[0], &n[0]);
	t_fault(&t, "host-key=1");
	host_key_of(&t, &h[1], &n[1]);
	t_net_end(&t, SIGKILL);
	t_net_start(&t, NULL);
	host_key_of(&t, &h[2], &n[2]);
	cr_expect_neq(memcmp(h[0], h[1], n[0]), 0);
	cr_expect_eq(memcmp(h[0], h[2], n[0]), 0);
	for (int i = 0; i < 3; i++)
		ssh_clean_pubkey_hash(&h[i]);
	t_net_close(&t);
}

Test(ssh, reboot_drops_and_exports_come_back)
{
	static struct t_net t;
	char out[4096];
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_exec(s, ADD("r1", " nvme-tcp-export=yes"), out, sizeof out);
	cr_expect(exists(&t, "exports/r1"));
	t_fault(&t, "reboot=2000");
	cr_expect_not(exists(&t, "exports/r1"));
	cr_expect_eq(t_exec(s, ":put 1", out, sizeof out), -1);
	t_hangup(s);
	for (int i = 0; i < 1000 && !exists(&t, "exports/r1"); i++)
		usleep(20 * 1000);
	cr_expect(exists(&t, "exports/r1"));
	t_net_close(&t);
}

/* Killed hard, the box comes back with what it had, down to the last statement. */
Test(ssh, state_survives_a_kill)
{
	static struct t_net t;
	char out[4096], before[8192], *after;
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_exec(s, "/disk/btrfs/subvolume/add fs=pool name=vol-k", out, sizeof out);
	t_exec(s,
	       "/disk/add type=file slot=k1 file-path=/storage-pool/vol-k/volume.img "
	       "file-size=1M nvme-tcp-server-nqn=nqn.k1 comment=\"a \\\"b\\\" \\FF\"",
	       out, sizeof out);
	t_exec(s, ADD("k2", "") "; " ADD("k3", "") "; /disk/remove k2", out, sizeof out);
	t_exec(s, "/disk/set k1 nvme-tcp-export=yes comment=\"new\"", out, sizeof out);
	snprintf(before, sizeof before, "%s", t_http(&t, "GET", "/disks"));
	t_fault(&t, "die-at-statement=1");
	t_exec(s, ADD("k4", "") "; " ADD("k5", ""), out, sizeof out);
	t_hangup(s);
	t_net_end(&t, SIGKILL);
	t_net_start(&t, NULL);
	cr_expect_eq(t_stat(&t, "disks"), 3);
	cr_expect_eq(t_stat(&t, "subvolumes"), 1);
	cr_expect(exists(&t, "exports/nqn.k1"));
	cr_expect(exists(&t, "pool/k4.img"));
	cr_expect_not(exists(&t, "pool/k5.img"));
	s = t_connect(&t);
	t_exec(s, ":put [/disk get k4 size]; /disk remove k4", out, sizeof out);
	cr_expect_str_eq(out, "1048576\n");
	t_exec(s, "/file remove [find where name=\"storage-pool/k4.img\"]", out,
	       sizeof out);
	after = strdup(t_http(&t, "GET", "/disks"));
	cr_expect_str_eq(after, before);
	free(after);
	t_exec(s,
	       "/disk/remove k1; /disk/btrfs/subvolume/remove [find where "
	       "name=\"vol-k\"]",
	       out, sizeof out);
	cr_expect_str_eq(out, "");
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, history_tells_every_effect)
{
	static struct t_net t;
	char out[4096];
	const char *h;
	ssh_session s;

	t_net_open(&t, NULL);
	s = t_connect(&t);
	t_exec(s, ADD("h1", ""), out, sizeof out);
	t_exec(s, "/disk/set h1 comment=one nvme-tcp-export=yes", out, sizeof out);
	t_exec(s, "/disk/set h1 nvme-tcp-export=yes", out, sizeof out);
	t_exec(s, "/disk/remove h1", out, sizeof out);
	h = t_http(&t, "GET", "/history");
	cr_expect_not_null(strstr(h, "\"op\":\"add\",\"slot\":\"h1\""));
	cr_expect_not_null(strstr(h,
				  "\"exec\":2,\"stmt\":1,\"op\":\"set\",\"slot\":\"h1\","
				  "\"prop\":\"comment\",\"old\":\"\",\"new\":\"one\""));
	cr_expect_not_null(
		strstr(h, "\"prop\":\"nvme-tcp-export\",\"old\":\"no\",\"new\":\"yes\""));
	cr_expect_not_null(
		strstr(h, "\"exec\":4,\"stmt\":1,\"op\":\"set\",\"slot\":\"h1\","
			  "\"prop\":\"nvme-tcp-export\",\"old\":\"yes\",\"new\":\"no\""));
	cr_expect_eq(t_stat(&t, "history"), 5);
	cr_expect_eq(strncmp(t_http(&t, "GET", "/history?from=4"), "{\"n\":4,", 7), 0);
	t_hangup(s);
	t_net_close(&t);
}

Test(ssh, rsa_users_can_be_refused)
{
	static const char *const args[] = { "--refuse-rsa-user", "--authorized-keys",
					    NULL, NULL };
	const char *with[4];
	static struct t_net t;
	char path[256], pub[256];
	ssh_key key = NULL;
	ssh_session s;

	t_tmpdir(t.dir, sizeof t.dir);
	cr_assert_eq(ssh_pki_generate(SSH_KEYTYPE_RSA, 2048, &key), SSH_OK);
	snprintf(path, sizeof path, "%s/rsa", t.dir);
	snprintf(pub, sizeof pub, "%s/rsa.pub", t.dir);
	cr_assert_eq(ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path), SSH_OK);
	cr_assert_eq(ssh_pki_export_pubkey_file(key, pub), SSH_OK);
	ssh_key_free(key);
	memcpy(with, args, sizeof with);
	with[2] = pub;
	t_net_start(&t, with + 1);
	s = t_connect_with(&t, "rsa");
	cr_expect_not_null(s);
	t_hangup(s);
	t_net_end(&t, SIGKILL);
	t_net_start(&t, with);
	cr_expect_null(t_connect_with(&t, "rsa"));
	s = t_connect(&t);
	cr_expect_not_null(s);
	t_hangup(s);
	t_net_close(&t);
}
