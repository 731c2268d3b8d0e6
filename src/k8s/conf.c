#include "k8s/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "k8s/tls.h"

static const char default_dir[] = "/var/run/secrets/kubernetes.io/serviceaccount";

static ssize_t read_all(int fd, struct buf *b, size_t n)
{
	ssize_t got = 0;

	while (b->len < n && (got = read(fd, b->data + b->len, n - b->len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		b->len += (size_t)got;
	}
	b->data[b->len] = '\0';
	return (ssize_t)b->len;
}

/* The whole file in one allocation, so that no copy of a secret is left behind. b must be
 * empty; its maximum is the file's. */
static int read_file(struct buf *b, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 0;
	struct stat st;

	if (fd < 0)
		return err_set(err, ERR_INVALID, "%.120s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		rc = err_set(err, ERR_INVALID, "%.120s: not a file", path);
	else if (st.st_size <= 0 || (uint64_t)st.st_size > b->max)
		rc = err_set(err, ERR_INVALID, "%.120s: %s", path,
			     st.st_size > 0 ? "too large" : "empty");
	else if (buf_reserve(b, (size_t)st.st_size))
		rc = err_nomem(err);
	else if (read_all(fd, b, (size_t)st.st_size) != st.st_size)
		rc = err_set(err, ERR_INVALID, "%.120s: it changed while being read",
			     path);
	(void)close(fd);
	return rc;
}

/* The text itself, or the file's, in b, which may then hold nothing. */
static int read_text(const struct kubeconfig_text *t, struct buf *b, size_t max,
		     struct err *err)
{
	buf_init(b, max);
	if (t->path)
		return read_file(b, t->path, err);
	if (t->data.len > max)
		return err_set(err, ERR_INVALID, "too large");
	if (buf_reserve(b, t->data.len) || buf_append(b, t->data.data, t->data.len))
		return err_nomem(err);
	return 0;
}

/* RFC 6750, 2.1; anything else could end the header line. */
static int check_token(struct buf *b, struct err *err)
{
	while (b->len && strchr(" \t\r\n", b->data[b->len - 1]))
		b->data[--b->len] = '\0';
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] <= ' ' || b->data[i] >= 127)
			return err_set(err, ERR_INVALID, "it holds no token");
	return b->len ? 0 : err_set(err, ERR_INVALID, "it holds no token");
}

static int read_token(struct k8s_conf *c, struct err *err)
{
	const struct kubeconfig_text *t = &c->from.token;
	struct buf fresh;

	if (!t->path && !t->data.len)
		return 0;
	if (read_text(t, &fresh, K8S_TOKEN_MAX, err) || check_token(&fresh, err)) {
		kubeconfig_wipe(&fresh);
		return err_wrap(err, "token");
	}
	kubeconfig_wipe(&c->token.text);
	c->token.text = fresh;
	return 0;
}

struct trust {
	struct buf ca, cert, key;
};

static void digest_of(const struct trust *t, unsigned char out[32])
{
	const struct buf *const part[] = { &t->ca, &t->cert, &t->key };
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	memset(out, 0, 32);
	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		goto out;
	for (size_t i = 0; i < 3; i++) {
		(void)EVP_DigestUpdate(md, &part[i]->len, sizeof(part[i]->len));
		(void)EVP_DigestUpdate(md, part[i]->data, part[i]->len);
	}
	(void)EVP_DigestFinal_ex(md, out, NULL);
out:
	EVP_MD_CTX_free(md);
}

/* A new context from new texts; the old one stays when they are none. */
static int use_trust(struct k8s_conf *c, const struct trust *t, struct err *err)
{
	struct tls_pem pem = { .ca = &t->ca };
	unsigned char digest[32];
	SSL_CTX *fresh;

	if (t->cert.len) {
		pem.cert = &t->cert;
		pem.key = &t->key;
	}
	digest_of(t, digest);
	if (c->tls && memcmp(digest, c->digest, sizeof(digest)) == 0)
		return c->is_digest_bad ? err_set(err, ERR_INVALID, "as before") : 0;
	memcpy(c->digest, digest, sizeof(digest));
	fresh = tls_ctx_new(&pem, err);
	c->is_digest_bad = !fresh;
	if (!fresh)
		return -1;
	SSL_CTX_free(c->tls);
	c->tls = fresh;
	c->generation++;
	return 0;
}

static int read_trust(struct k8s_conf *c, struct err *err)
{
	struct trust t = { .ca = { .max = 0 } };
	int rc = -1;

	if (c->place.is_plain)
		return 0;
	buf_init(&t.cert, KUBECONFIG_DATA_MAX);
	buf_init(&t.key, KUBECONFIG_DATA_MAX);
	if (read_text(&c->from.ca, &t.ca, KUBECONFIG_DATA_MAX, err))
		(void)err_wrap(err, "certificate authority");
	else if (read_text(&c->from.cert, &t.cert, KUBECONFIG_DATA_MAX, err))
		(void)err_wrap(err, "client certificate");
	else if (read_text(&c->from.key, &t.key, KUBECONFIG_DATA_MAX, err))
		(void)err_wrap(err, "client key");
	else
		rc = use_trust(c, &t, err);
	buf_fini(&t.ca);
	buf_fini(&t.cert);
	kubeconfig_wipe(&t.key);
	return rc;
}

static void note(bool is_bad, bool *was_bad, const char *what, const struct err *err)
{
	if (is_bad && !*was_bad)
		log_warn("k8s", "credentials cannot be read anew, the last ones go on",
			 KS("what", what), KS("error", err->msg));
	if (!is_bad && *was_bad)
		log_info("k8s", "credentials can be read again", KS("what", what));
	*was_bad = is_bad;
}

void k8s_conf_refresh(struct k8s_conf *c, uint64_t now_ms)
{
	struct err err = { .code = ERR_OK };

	if (!c->is_distrusted && now_ms - c->read_ms < K8S_CONF_FRESH_MS)
		return;
	c->is_distrusted = false;
	c->read_ms = now_ms;
	note(read_token(c, &err) != 0, &c->has_bad_token, "token", &err);
	note(read_trust(c, &err) != 0, &c->has_bad_trust, "certificates", &err);
}

static int set_path(struct kubeconfig_text *t, const char *dir, const char *name,
		    struct err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, ERR_INVALID, "the path of %.60s is too long", name);
	mem_free(t->path);
	t->path = mem_strdup(path);
	return t->path ? 0 : err_nomem(err);
}

static bool is_label(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 64 && n == strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static int set_ns(struct k8s_conf *c, const char *ns, struct err *err)
{
	if (!is_label(ns))
		return err_set(err, ERR_INVALID, "not the name of a namespace");
	(void)snprintf(c->ns, sizeof(c->ns), "%s", ns);
	return 0;
}

static int read_ns(struct k8s_conf *c, const char *dir, struct err *err)
{
	struct kubeconfig_text t = { .path = NULL };
	struct buf b;
	int rc;

	buf_init(&b, 256);
	rc = set_path(&t, dir, "namespace", err);
	if (rc == 0)
		rc = read_file(&b, t.path, err);
	kubeconfig_text_fini(&t);
	if (rc == 0) {
		b.data[strcspn(b.data, "\r\n")] = '\0';
		rc = set_ns(c, b.data, err);
	}
	buf_fini(&b);
	return rc ? err_wrap(err, "namespace") : 0;
}

static int open_in_cluster(struct k8s_conf *c, const char *dir, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (!host || !port)
		return err_set(err, ERR_INVALID,
			       "not in a cluster: KUBERNETES_SERVICE_HOST and "
			       "KUBERNETES_SERVICE_PORT are not set");
	if (k8s_place_set(&c->place, host, port, err))
		return err_wrap(err, "KUBERNETES_SERVICE_HOST and _PORT");
	if (set_path(&c->from.token, dir, "token", err) ||
	    set_path(&c->from.ca, dir, "ca.crt", err) || read_ns(c, dir, err))
		return -1;
	return 0;
}

/* Paths in a kubeconfig are relative to it. */
static int resolve(struct kubeconfig_text *t, const char *kubeconfig, struct err *err)
{
	const char *slash = strrchr(kubeconfig, '/');
	char dir[PATH_MAX];

	if (!t->path || t->path[0] == '/')
		return 0;
	(void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - kubeconfig) : 1,
		       slash ? kubeconfig : ".");
	return set_path(t, dir, t->path, err);
}

static int use_kubeconfig(struct k8s_conf *c, const char *path, struct err *err)
{
	struct kubeconfig *k = &c->from;

	if (k8s_place_parse(&c->place, k->server, err))
		return -1;
	if (!c->place.is_plain && !k->ca.path && !k->ca.data.len)
		return err_set(err, ERR_INVALID,
			       "the cluster has no certificate-authority");
	if (k->server_name && strlen(k->server_name) >= sizeof(c->server_name))
		return err_set(err, ERR_INVALID, "tls-server-name: too long");
	if (k->server_name)
		(void)snprintf(c->server_name, sizeof(c->server_name), "%s",
			       k->server_name);
	if (k->ns && set_ns(c, k->ns, err))
		return -1;
	if (resolve(&k->ca, path, err) || resolve(&k->cert, path, err) ||
	    resolve(&k->key, path, err) || resolve(&k->token, path, err))
		return -1;
	return 0;
}

static int open_kubeconfig(struct k8s_conf *c, const char *path, struct err *err)
{
	struct buf b;
	int rc;

	buf_init(&b, KUBECONFIG_MAX);
	rc = read_file(&b, path, err);
	if (rc == 0) {
		rc = kubeconfig_parse(&c->from, b.data, b.len, err);
		if (rc == 0)
			rc = use_kubeconfig(c, path, err);
		if (rc)
			(void)err_wrap(err, "%.120s", path);
	}
	kubeconfig_wipe(&b);
	return rc;
}

int k8s_conf_open(struct k8s_conf *c, const struct k8s_client_conf *args, uint64_t now_ms,
		  struct err *err)
{
	const char *dir = args->service_account_dir;
	int rc;

	*c = (struct k8s_conf){ .ns = "default", .read_ms = now_ms };
	rc = args->kubeconfig ? open_kubeconfig(c, args->kubeconfig, err)
			      : open_in_cluster(c, dir ? dir : default_dir, err);
	if (rc)
		return -1;
	if (!c->server_name[0])
		(void)snprintf(c->server_name, sizeof(c->server_name), "%s",
			       c->place.host);
	return read_token(c, err) || read_trust(c, err) ? -1 : 0;
}

void k8s_conf_fini(struct k8s_conf *c)
{
	kubeconfig_wipe(&c->token.text);
	kubeconfig_fini(&c->from);
	SSL_CTX_free(c->tls);
	c->tls = NULL;
}

int k8s_conf_authorize(const struct k8s_conf *c, struct buf *head)
{
	if (!c->token.text.len)
		return 0;
	(void)buf_puts(head, "Authorization: Bearer ");
	(void)buf_append(head, c->token.text.data, c->token.text.len);
	return buf_puts(head, "\r\n");
}
