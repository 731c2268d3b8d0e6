#include "k8s/kubeconfig.h"

#include <openssl/evp.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"

/* The keys of the two sections; of what they hold these are understood. */
static const char *const refused_user[] = {
	"exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups",
};
static const char *const refused_cluster[] = { "proxy-url" };

void kubeconfig_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}

void kubeconfig_text_fini(struct kubeconfig_text *t)
{
	mem_free(t->path);
	t->path = NULL;
	kubeconfig_wipe(&t->data);
}

void kubeconfig_fini(struct kubeconfig *k)
{
	mem_free(k->server);
	mem_free(k->server_name);
	mem_free(k->ns);
	kubeconfig_text_fini(&k->ca);
	kubeconfig_text_fini(&k->cert);
	kubeconfig_text_fini(&k->key);
	kubeconfig_text_fini(&k->token);
	*k = (struct kubeconfig){ .server = NULL };
}

/* jansson keeps copies of the secret texts; they are not left lying about. */
static void wipe_strings(json_t *v)
{
	const char *key;
	size_t i;
	json_t *m;

	if (json_is_string(v)) {
		union {
			const char *read;
			char *write;
		} text = { .read = json_string_value(v) };

		explicit_bzero(text.write, json_string_length(v));
	}
	if (json_is_object(v))
		json_object_foreach(v, key, m) wipe_strings(m);
	if (json_is_array(v))
		json_array_foreach(v, i, m) wipe_strings(m);
}

/* The member called what of the list's entry of that name; borrowed. */
static json_t *find(const json_t *root, const char *list, const char *name,
		    const char *what)
{
	const json_t *all = json_object_get(root, list);
	json_t *entry;
	size_t i;

	if (!name)
		return NULL;
	json_array_foreach(all, i, entry)
	{
		const char *its = json_get_str(entry, "name");

		if (its && strcmp(its, name) == 0)
			return json_object_get(entry, what);
	}
	return NULL;
}

static int copy(char **ret, const json_t *obj, const char *key, struct err *err)
{
	const char *s = json_get_str(obj, key);

	if (!s || !*s)
		return 0;
	*ret = mem_strdup(s);
	return *ret ? 0 : err_nomem(err);
}

static bool has_any(const json_t *obj, const char *const *keys, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(obj, keys[i]);

		if (v && !json_is_null(v)) {
			(void)err_set(err, ERR_INVALID, "%s is not supported", keys[i]);
			return true;
		}
	}
	return false;
}

static int decode(struct buf *b, const char *text, const char *key, struct err *err)
{
	size_t n = strlen(text), pad = 0;
	int got;

	if (n == 0 || n % 4 || n / 4 * 3 > KUBECONFIG_DATA_MAX)
		return err_set(err, ERR_INVALID, "%s: no base64, or too much", key);
	while (pad < 2 && text[n - 1 - pad] == '=')
		pad++;
	if (buf_reserve(b, n / 4 * 3))
		return err_nomem(err);
	got = EVP_DecodeBlock((unsigned char *)b->data, (const unsigned char *)text,
			      (int)n);
	if (got < 0)
		return err_set(err, ERR_INVALID, "%s: no base64", key);
	b->len = (size_t)got - pad;
	b->data[b->len] = '\0';
	return 0;
}

/* The data win over the file, as client-go has it. */
static int take_pem(struct kubeconfig_text *t, const json_t *obj,
		    const char *const key[2], struct err *err)
{
	const char *data = json_get_str(obj, key[1]);

	if (data && *data)
		return decode(&t->data, data, key[1], err);
	return copy(&t->path, obj, key[0], err);
}

/* The file wins over the text, as client-go has it. */
static int take_token(struct kubeconfig_text *t, const json_t *user, struct err *err)
{
	const char *text = json_get_str(user, "token");

	if (copy(&t->path, user, "tokenFile", err))
		return -1;
	if (t->path || !text || !*text)
		return 0;
	if (buf_reserve(&t->data, strlen(text)) || buf_puts(&t->data, text))
		return err_set(err, ERR_EXHAUSTED, "token: no memory, or too long");
	return 0;
}

static int take_user(struct kubeconfig *k, const json_t *user, struct err *err)
{
	static const char *const cert[] = { "client-certificate",
					    "client-certificate-data" };
	static const char *const key[] = { "client-key", "client-key-data" };

	if (has_any(user, refused_user, sizeof(refused_user) / sizeof(refused_user[0]),
		    err))
		return -1;
	if (take_pem(&k->cert, user, cert, err) || take_pem(&k->key, user, key, err) ||
	    take_token(&k->token, user, err))
		return -1;
	if ((k->cert.path || k->cert.data.len) != (k->key.path || k->key.data.len))
		return err_set(err, ERR_INVALID,
			       "client-certificate and client-key go together");
	return 0;
}

static int take_cluster(struct kubeconfig *k, const json_t *cluster, struct err *err)
{
	static const char *const ca[] = { "certificate-authority",
					  "certificate-authority-data" };

	if (has_any(cluster, refused_cluster, 1, err))
		return -1;
	if (json_is_true(json_object_get(cluster, "insecure-skip-tls-verify")))
		return err_set(err, ERR_INVALID,
			       "insecure-skip-tls-verify is not supported");
	if (copy(&k->server, cluster, "server", err) ||
	    copy(&k->server_name, cluster, "tls-server-name", err) ||
	    take_pem(&k->ca, cluster, ca, err))
		return -1;
	return k->server ? 0 : err_set(err, ERR_INVALID, "the cluster has no server");
}

static int take_all(struct kubeconfig *k, const json_t *root, struct err *err)
{
	const char *name = json_get_str(root, "current-context");
	const json_t *context = find(root, "contexts", name, "context"), *cluster, *user;

	if (!context)
		return err_set(err, ERR_INVALID,
			       "no context of the name in "
			       "current-context");
	cluster = find(root, "clusters", json_get_str(context, "cluster"), "cluster");
	if (!cluster)
		return err_set(err, ERR_INVALID, "the context's cluster is not in it");
	user = find(root, "users", json_get_str(context, "user"), "user");
	if (!user)
		return err_set(err, ERR_INVALID, "the context's user is not in it");
	if (take_cluster(k, cluster, err) || take_user(k, user, err))
		return -1;
	return copy(&k->ns, context, "namespace", err);
}

int kubeconfig_parse(struct kubeconfig *k, const char *text, size_t n, struct err *err)
{
	json_t *root = json_parse(text, n, err);
	int rc;

	*k = (struct kubeconfig){ .server = NULL };
	buf_init(&k->ca.data, KUBECONFIG_DATA_MAX);
	buf_init(&k->cert.data, KUBECONFIG_DATA_MAX);
	buf_init(&k->key.data, KUBECONFIG_DATA_MAX);
	buf_init(&k->token.data, KUBECONFIG_DATA_MAX);
	if (!root && err->code == ERR_INVALID)
		return err_set(err, ERR_INVALID,
			       "not JSON (kubectl config view --raw -o json writes it)");
	if (!root)
		return -1;
	rc = take_all(k, root, err);
	if (rc)
		kubeconfig_fini(k);
	wipe_strings(root);
	json_decref(root);
	return rc;
}
