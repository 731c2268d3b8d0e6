/* Where the API server is and who we are: in-cluster files, kubeconfigs, rotation,
 * damage. */
#include "k8s/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "support/capture.h"
#include "support/certs.h"
#include "support/t.h"

struct fixture {
	char dir[128], path[256];
	struct certs ca, ca2, own;
	struct k8s_conf c;
	struct k8s_client_conf args;
	struct err err;
};

static const char *at(struct fixture *f, const char *name)
{
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
	return f->path;
}

static void put(struct fixture *f, const char *name, const char *text)
{
	certs_write_file(at(f, name), text);
}

/* A service account's directory and the environment of a pod. */
static void open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	t_mkdir(f->dir);
	certs_make(&f->ca, NULL, NULL, 10);
	certs_make(&f->ca2, NULL, NULL, 10);
	certs_make(&f->own, &f->ca, NULL, 10);
	certs_write_cert(&f->ca, at(f, "ca.crt"));
	put(f, "token", "first.token-0\n");
	put(f, "namespace", "rds-csi");
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	f->args.service_account_dir = f->dir;
}

static void close_fixture(struct fixture *f)
{
	k8s_conf_fini(&f->c);
	certs_free(&f->ca);
	certs_free(&f->ca2);
	certs_free(&f->own);
	t_rmdir(f->dir);
	cr_assert_eq(mem_live(), 0);
	T_LSAN();
}

static int open_conf(struct fixture *f, uint64_t now_ms)
{
	memset(&f->err, 0, sizeof(f->err));
	return k8s_conf_open(&f->c, &f->args, now_ms, &f->err);
}

/* The header line that goes out. */
static const char *line(struct fixture *f)
{
	static char text[K8S_TOKEN_MAX + 64];
	struct buf b;

	buf_init(&b, sizeof(text));
	cr_assert_eq(k8s_conf_authorize(&f->c, &b), 0);
	snprintf(text, sizeof(text), "%s", b.data ? b.data : "");
	buf_fini(&b);
	return text;
}

static void refused(struct fixture *f, const char *words)
{
	cr_assert_eq(open_conf(f, 0), -1, "%s", words);
	cr_assert_eq(f->err.code, ERR_INVALID, "%s", f->err.msg);
	cr_assert_not_null(strstr(f->err.msg, words), "%s: %s", words, f->err.msg);
	cr_assert_null(strstr(f->err.msg, "token-0"));
	k8s_conf_fini(&f->c);
}

Test(conf, in_cluster)
{
	struct fixture f;

	open_fixture(&f);
	cr_assert_eq(open_conf(&f, 0), 0, "%s", f.err.msg);
	cr_assert_str_eq(f.c.place.host, "10.96.0.1");
	cr_assert_str_eq(f.c.place.port, "443");
	cr_assert_str_eq(f.c.place.authority, "10.96.0.1");
	cr_assert_str_eq(f.c.place.prefix, "");
	cr_assert_str_eq(f.c.server_name, "10.96.0.1");
	cr_assert_not(f.c.place.is_plain);
	cr_assert_str_eq(f.c.ns, "rds-csi");
	cr_assert_not_null(f.c.tls);
	cr_assert_str_eq(line(&f), "Authorization: Bearer first.token-0\r\n");
	k8s_conf_fini(&f.c);

	setenv("KUBERNETES_SERVICE_HOST", "fd00:10:96::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
	cr_assert_eq(open_conf(&f, 0), 0, "%s", f.err.msg);
	cr_assert_str_eq(f.c.place.host, "fd00:10:96::1");
	cr_assert_str_eq(f.c.place.authority, "[fd00:10:96::1]:6443");
	close_fixture(&f);
}

Test(conf, in_cluster_needs_all_of_it)
{
	static char big[KUBECONFIG_DATA_MAX + 2];
	struct fixture f;

	open_fixture(&f);
	unsetenv("KUBERNETES_SERVICE_HOST");
	refused(&f, "not in a cluster");
	setenv("KUBERNETES_SERVICE_HOST", "a b", 1);
	refused(&f, "KUBERNETES_SERVICE_HOST");
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "65536", 1);
	refused(&f, "not a port");
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);

	put(&f, "namespace", "Not A Label");
	refused(&f, "namespace");
	put(&f, "namespace", "ok\n");
	put(&f, "token", "");
	refused(&f, "token");
	put(&f, "token", "\n\n");
	refused(&f, "no token");
	put(&f, "token", "token-0\r\nX-Forged: 1\r\n");
	refused(&f, "no token");
	memset(big, 'x', sizeof(big) - 1);
	big[K8S_TOKEN_MAX + 1] = '\0';
	put(&f, "token", big);
	refused(&f, "too large");
	big[K8S_TOKEN_MAX + 1] = 'x';
	put(&f, "token", "fine");
	put(&f, "ca.crt", big);
	refused(&f, "too large");
	put(&f, "ca.crt", "no PEM at all");
	refused(&f, "certificate authority");
	unlink(at(&f, "ca.crt"));
	refused(&f, "ca.crt");
	cr_assert_eq(mkfifo(at(&f, "ca.crt"), 0600), 0);
	refused(&f, "not a file");
	close_fixture(&f);
}

Test(conf, the_token_is_read_anew_each_minute)
{
	struct fixture f;

	open_fixture(&f);
	cr_assert_eq(open_conf(&f, 1000), 0, "%s", f.err.msg);
	/* As the kubelet does it: another directory behind a symlink. */
	put(&f, "token", "second");
	k8s_conf_refresh(&f.c, 1000 + K8S_CONF_FRESH_MS - 1);
	cr_assert_str_eq(line(&f), "Authorization: Bearer first.token-0\r\n");
	k8s_conf_refresh(&f.c, 1000 + K8S_CONF_FRESH_MS);
	cr_assert_str_eq(line(&f), "Authorization: Bearer second\r\n");
	cr_assert_eq(f.c.generation, 1, "the certificates are what they were");
	/* A 401 does not wait for the minute. */
	put(&f, "token", "third");
	f.c.is_distrusted = true;
	k8s_conf_refresh(&f.c, 1000 + K8S_CONF_FRESH_MS + 1);
	cr_assert_str_eq(line(&f), "Authorization: Bearer third\r\n");
	close_fixture(&f);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

Test(conf, a_damaged_token_changes_nothing_and_is_told_once)
{
	struct fixture f;
	uint64_t now = 0;
	const char *said;

	open_fixture(&f);
	log_open(LOG_INFO, true);
	cr_assert_eq(open_conf(&f, now), 0, "%s", f.err.msg);
	t_capture();
	put(&f, "token", "token-0 with a blank");
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	unlink(at(&f, "token"));
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	said = t_captured(NULL);
	cr_assert_eq(count(said, "\n"), 1, "%s", said);
	cr_assert_null(strstr(said, "token-0"));
	cr_assert_str_eq(line(&f), "Authorization: Bearer first.token-0\r\n");
	t_capture();
	put(&f, "token", "fresh");
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	said = t_captured(NULL);
	cr_assert_eq(count(said, "\n"), 1, "%s", said);
	cr_assert_str_eq(line(&f), "Authorization: Bearer fresh\r\n");
	close_fixture(&f);
}

Test(conf, a_new_authority_is_taken_and_a_broken_one_is_not)
{
	struct fixture f;
	uint64_t now = 0;
	SSL_CTX *first;
	const char *said;
	char *pem;

	open_fixture(&f);
	log_open(LOG_INFO, true);
	cr_assert_eq(open_conf(&f, now), 0, "%s", f.err.msg);
	first = f.c.tls;
	cr_assert_eq(f.c.generation, 1);
	certs_write_cert(&f.ca, at(&f, "ca.crt")); /* the same again */
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	cr_assert_eq(f.c.tls, first);

	t_capture();
	put(&f, "ca.crt",
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	for (int i = 0; i < 3; i++)
		k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	pem = certs_cert_pem(&f.ca2);
	pem[strlen(pem) / 2] = '\0';
	put(&f, "ca.crt", pem);
	free(pem);
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	put(&f, "ca.crt", "");
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	said = t_captured(NULL);
	cr_assert_eq(count(said, "\n"), 1, "%s", said);
	cr_assert_eq(f.c.tls, first);
	cr_assert_eq(f.c.generation, 1);

	/* The good old one comes back, then another. */
	t_capture();
	certs_write_cert(&f.ca, at(&f, "ca.crt"));
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	said = t_captured(NULL);
	cr_assert_eq(count(said, "\n"), 1, "%s", said);
	unsigned before = f.c.generation;

	certs_write_cert(&f.ca2, at(&f, "ca.crt"));
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	cr_assert_eq(f.c.generation, before + 1);
	/* Gone for a while, and the same again: nothing new. */
	unlink(at(&f, "ca.crt"));
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	certs_write_cert(&f.ca2, at(&f, "ca.crt"));
	k8s_conf_refresh(&f.c, now += K8S_CONF_FRESH_MS);
	cr_assert_eq(f.c.generation, before + 1);
	cr_assert_not(f.c.has_bad_trust);
	close_fixture(&f);
}

static void base64(char *out, const char *text)
{
	EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text,
			(int)strlen(text));
}

/* A kubeconfig with these members of cluster and user. */
static void kubeconfig(struct fixture *f, const char *cluster, const char *user)
{
	static char text[32768], path[256];

	snprintf(text, sizeof(text),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"b\","
		 "\"contexts\":[{\"name\":\"a\",\"context\":{\"cluster\":\"x\",\"user\":"
		 "\"x\"}},{\"name\":\"b\",\"context\":{\"cluster\":\"k\",\"user\":\"u\","
		 "\"namespace\":\"there\"}}],"
		 "\"clusters\":[{\"name\":\"k\",\"cluster\":{%s}}],"
		 "\"users\":[{\"name\":\"u\",\"user\":{%s}}]}",
		 cluster, user);
	put(f, "config", text);
	snprintf(path, sizeof(path), "%s", at(f, "config"));
	f->args.kubeconfig = path;
}

Test(conf, a_kubeconfig_with_files)
{
	struct fixture f;
	char user[512];

	open_fixture(&f);
	certs_write_cert(&f.own, at(&f, "own.crt"));
	certs_write_key(&f.own, at(&f, "own.key"));
	snprintf(user, sizeof(user),
		 "\"client-certificate\":\"own.crt\",\"client-key\":\"%s/own.key\","
		 "\"token\":\"in-the-text\",\"tokenFile\":\"token\"",
		 f.dir);
	kubeconfig(&f,
		   "\"server\":\"https://[::1]:6443/k8s/clusters/c/\","
		   "\"certificate-authority\":\"ca.crt\",\"tls-server-name\":\"api\"",
		   user);
	cr_assert_eq(open_conf(&f, 0), 0, "%s", f.err.msg);
	cr_assert_str_eq(f.c.place.host, "::1");
	cr_assert_str_eq(f.c.place.authority, "[::1]:6443");
	cr_assert_str_eq(f.c.place.prefix, "/k8s/clusters/c");
	cr_assert_str_eq(f.c.server_name, "api");
	cr_assert_str_eq(f.c.ns, "there");
	cr_assert_str_eq(line(&f), "Authorization: Bearer first.token-0\r\n");
	cr_assert_not_null(SSL_CTX_get0_certificate(f.c.tls));
	close_fixture(&f);
}

Test(conf, a_kubeconfig_with_data)
{
	struct fixture f;
	static char ca[4096], cert[4096], key[4096], cluster[8192], user[16384];
	char *pem[3];

	open_fixture(&f);
	pem[0] = certs_cert_pem(&f.ca);
	pem[1] = certs_cert_pem(&f.own);
	pem[2] = certs_key_pem(&f.own);
	base64(ca, pem[0]);
	base64(cert, pem[1]);
	base64(key, pem[2]);
	snprintf(cluster, sizeof(cluster),
		 "\"server\":\"https://api.example\",\"certificate-authority\":\"/"
		 "nowhere\","
		 "\"certificate-authority-data\":\"%s\"",
		 ca);
	snprintf(user, sizeof(user),
		 "\"client-certificate-data\":\"%s\",\"client-key-data\":\"%s\","
		 "\"token\":\"in-the-text\"",
		 cert, key);
	kubeconfig(&f, cluster, user);
	cr_assert_eq(open_conf(&f, 0), 0, "%s", f.err.msg);
	cr_assert_str_eq(f.c.place.port, "443");
	cr_assert_str_eq(f.c.place.authority, "api.example");
	cr_assert_str_eq(line(&f), "Authorization: Bearer in-the-text\r\n");
	cr_assert_not_null(SSL_CTX_get0_certificate(f.c.tls));
	f.c.is_distrusted = true; /* there is nothing else to read */
	k8s_conf_refresh(&f.c, 1);
	cr_assert_str_eq(line(&f), "Authorization: Bearer in-the-text\r\n");
	k8s_conf_fini(&f.c);

	/* A key cut in its base64, an odd one without its certificate, no base64. */
	user[strlen(user) - 40] = '*';
	kubeconfig(&f, cluster, user);
	refused(&f, "client-key-data");
	snprintf(user, sizeof(user), "\"client-certificate-data\":\"%s\"", cert);
	kubeconfig(&f, cluster, user);
	refused(&f, "go together");
	snprintf(user, sizeof(user),
		 "\"client-certificate-data\":\"%s\",\"client-key-data\":\"%s\"", cert,
		 ca);
	kubeconfig(&f, cluster, user);
	refused(&f, "client key");
	for (int i = 0; i < 3; i++)
		free(pem[i]);
	close_fixture(&f);
}

Test(conf, what_a_kubeconfig_asks_in_vain_is_named)
{
	static const char good[] = "\"server\":\"https://h\",\"certificate-authority\":"
				   "\"ca.crt\"";
	static const struct {
		const char *cluster, *user, *words;
	} row[] = {
		{ good, "\"exec\":{\"command\":\"aws\"}", "exec is not supported" },
		{ good, "\"auth-provider\":{\"name\":\"gcp\"}", "auth-provider is not" },
		{ good, "\"username\":\"u\",\"password\":\"p\"", "username is not" },
		{ good, "\"as\":\"admin\"", "as is not supported" },
		{ good, "\"tokenFile\":\"missing\"", "missing" },
		{ good, "\"token\":\"token-0 \\r\\nX: y\"", "no token" },
		{ "\"server\":\"https://h\"", "\"token\":\"t\"",
		  "certificate-authority" },
		{ "\"certificate-authority\":\"ca.crt\"", "\"token\":\"t\"",
		  "no server" },
		{ "\"server\":\"ftp://h\"", "\"token\":\"t\"", "neither https" },
		{ "\"server\":\"https://h:0\"", "\"token\":\"t\"", "port" },
		{ "\"server\":\"https://h:\"", "\"token\":\"t\"", "port" },
		{ "\"server\":\"https://h:123456\"", "\"token\":\"t\"", "port" },
		{ "\"server\":\"https://\"", "\"token\":\"t\"", "host name" },
		{ "\"server\":\"https://[::1\"", "\"token\":\"t\"", "host name" },
		{ "\"server\":\"https://u:p@h\"", "\"token\":\"t\"", "server" },
		{ "\"server\":\"https://h/a?b\"", "\"token\":\"t\"", "plain path" },
		{ "\"server\":\"https://h/a b\"", "\"token\":\"t\"", "plain path" },
		{ "\"server\":\"https://h\",\"insecure-skip-tls-verify\":true",
		  "\"token\":\"t\"", "insecure-skip-tls-verify" },
		{ "\"server\":\"https://h\",\"proxy-url\":\"http://p\"",
		  "\"token\":\"t\"", "proxy-url" },
		{ "\"server\":\"https://h\",\"certificate-authority-data\":\"####\"",
		  "\"token\":\"t\"", "certificate-authority-data" },
	};
	struct fixture f;

	open_fixture(&f);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		kubeconfig(&f, row[i].cluster, row[i].user);
		refused(&f, row[i].words);
	}
	put(&f, "config", "apiVersion: v1\nusers:\n- token: token-0\n");
	refused(&f, "not JSON");
	put(&f, "config", "{\"token\": \"token-0\" oops}");
	refused(&f, "not JSON");
	put(&f, "config", "{}");
	refused(&f, "current-context");
	put(&f, "config", "[]");
	refused(&f, "current-context");
	put(&f, "config",
	    "{\"current-context\":\"b\",\"contexts\":[{\"name\":\"b\",\"context\":{"
	    "\"cluster\":\"k\",\"user\":\"u\"}}],\"clusters\":3}");
	refused(&f, "cluster");
	unlink(at(&f, "config"));
	refused(&f, "config");
	close_fixture(&f);
}

Test(conf, plain_http_needs_no_authority)
{
	struct fixture f;

	open_fixture(&f);
	kubeconfig(&f, "\"server\":\"http://127.0.0.1:8001\"", "");
	cr_assert_eq(open_conf(&f, 0), 0, "%s", f.err.msg);
	cr_assert(f.c.place.is_plain);
	cr_assert_null(f.c.tls);
	cr_assert_str_eq(line(&f), "");
	k8s_conf_refresh(&f.c, 10 * K8S_CONF_FRESH_MS);
	close_fixture(&f);
}

/* Opening fails with the lack of memory; reading anew goes on with what is there. */
static void starve(struct fixture *f)
{
	long n;

	mem_fail_at(-1);
	cr_assert_eq(open_conf(f, 0), 0, "%s", f->err.msg);
	n = mem_count();
	k8s_conf_fini(&f->c);
	for (long i = 0; i < n; i++) {
		mem_fail_at(i);
		cr_assert_eq(open_conf(f, 0), -1, "%ld", i);
		cr_assert_eq(f->err.code, ERR_EXHAUSTED, "%s", f->err.msg);
		k8s_conf_fini(&f->c);
		cr_assert_eq(mem_live(), 0);
	}
	for (long i = 0; i < n; i++) {
		mem_fail_at(-1);
		cr_assert_eq(open_conf(f, 0), 0, "%s", f->err.msg);
		mem_fail_at(i);
		k8s_conf_refresh(&f->c, K8S_CONF_FRESH_MS);
		mem_fail_at(-1);
		cr_assert_not_null(f->c.tls);
		cr_assert_str_eq(line(f), "Authorization: Bearer first.token-0\r\n");
		k8s_conf_fini(&f->c);
		cr_assert_eq(mem_live(), 0);
	}
}

Test(conf, every_allocation_may_fail)
{
	struct fixture f;

	open_fixture(&f);
	log_open(LOG_ERROR, true);
	starve(&f);
	kubeconfig(&f, "\"server\":\"https://h\",\"certificate-authority\":\"ca.crt\"",
		   "\"tokenFile\":\"token\"");
	starve(&f);
	close_fixture(&f);
}
