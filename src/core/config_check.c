/* What one flag alone cannot tell: what is missing in this mode, and what two flags say
 * together. */
#include "core/config_flags.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"

enum {
	SOCKET_PATH_MAX = 100, /* sun_path is 108 bytes, and ".NAME.new" must fit too */
	DEFAULT_RECONCILE_MS = 5 * 60 * 1000,
	DEFAULT_ORPHANS_MS = 3600 * 1000,
	MIN_ORPHAN_AGE_MS = 24 * 3600 * 1000,
};

static int missing(struct err *err, const char *name, const char *why)
{
	return err_set(err, ERR_INVALID, "--%s: must be given %s", name, why);
}

/* Absolute, without empty, "." and ".." components and without a slash at the end. */
static bool is_clean_path(const char *s)
{
	if (*s != '/' || !s[1])
		return false;
	while (*s == '/') {
		size_t n = strcspn(++s, "/");

		if (n == 0 || (n == 1 && s[0] == '.') ||
		    (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
	}
	return true;
}

static int check_path(const char *name, const char *path, struct err *err)
{
	if (is_clean_path(path))
		return 0;
	return err_set(err, ERR_INVALID,
		       "--%s: must be an absolute path without empty, . or .. parts",
		       name);
}

static bool is_loopback(const char *hostport)
{
	const char *port = strrchr(hostport, ':');
	uint64_t n;

	if (!port || str_to_u64(port + 1, &n) || n > 65535)
		return false;
	return str_starts_with(hostport, "[::1]:") ||
	       (str_starts_with(hostport, "127.") &&
		strspn(hostport, "0123456789.") == (size_t)(port - hostport));
}

static int check_endpoint(struct config *c, struct err *err)
{
	const char *path = c->endpoint;

	if (!*path) {
		(void)snprintf(c->endpoint_text, sizeof(c->endpoint_text),
			       "unix://%s/plugins/%s/csi.sock", c->kubelet_dir,
			       c->driver_name);
		c->endpoint = path = c->endpoint_text;
	}
	if (str_starts_with(path, "tcp://")) {
		if (is_loopback(path + 6))
			return 0;
		return err_set(err, ERR_INVALID,
			       "--endpoint: tcp:// takes a loopback address and a port, "
			       "such as 127.0.0.1:10000");
	}
	path += str_starts_with(path, "unix://") ? 7 : 0;
	if (!is_clean_path(path) || strlen(path) > SOCKET_PATH_MAX)
		return err_set(err, ERR_INVALID,
			       "--endpoint: must be unix:// and an absolute path of at "
			       "most %d bytes, or tcp://",
			       SOCKET_PATH_MAX);
	return 0;
}

static int check_driver_name(const struct config *c, struct err *err)
{
	static const char edge[] = ".-";
	size_t n = strlen(c->driver_name);

	if (n && !strchr(edge, c->driver_name[0]) &&
	    !strchr(edge, c->driver_name[n - 1]) && !strstr(c->driver_name, ".."))
		return 0;
	return err_set(err, ERR_INVALID,
		       "--driver-name: must begin and end with a letter or digit");
}

/* Directories parted by commas, the first for new volumes. The Go driver's charts write
 * one with or without a slash at its end. */
static int check_bases(struct config *c, struct err *err)
{
	static const char name[] = "rds-volume-base-path";
	const char *s = c->volume_base;
	size_t used = 0;

	while (*s) {
		size_t n = strcspn(s, ",");
		char *at = c->base_text + used;

		if (used + n + 2 > sizeof(c->base_text))
			return err_set(err, ERR_INVALID, "--%s: too long", name);
		memcpy(at, s, n);
		s += n + (s[n] == ',');
		n -= n > 1 && at[n - 1] == '/';
		at[n] = '\0';
		if (check_path(name, at, err))
			return -1;
		used += n;
		c->base_text[used++] = ',';
	}
	if (!used)
		return missing(err, name, "a directory");
	c->base_text[used - 1] = '\0';
	c->volume_base = c->base_text;
	c->first_base = c->first_text;
	used = strcspn(c->base_text, ",");
	if (used >= sizeof(c->first_text))
		return err_set(err, ERR_INVALID, "--%s: too long", name);
	memcpy(c->first_text, c->base_text, used);
	return 0;
}

static int check_box(struct config *c, struct err *err)
{
	if (!*c->rds_address)
		return missing(err, "rds-address", "with --controller");
	if (!*c->rds_user)
		return missing(err, "rds-user", "with --controller");
	if (!*c->rds_key_file)
		return missing(err, "rds-key-file", "with --controller");
	if (!*c->rds_host_key && !c->rds_insecure)
		return missing(err, "rds-host-key",
			       "with --controller (or --rds-insecure-skip-verify)");
	return check_bases(c, err);
}

static int check_nodes(const struct config *c, struct err *err)
{
	const char *s = c->known_nodes;

	while (*s) {
		size_t n = strcspn(s, ",");

		if (!n || n > 253 || (s[n] && !s[n + 1]))
			return err_set(err, ERR_INVALID,
				       "--known-nodes: must be names parted by commas");
		s += n + (s[n] == ',');
	}
	return 0;
}

static int check_standalone(const struct config *c, struct err *err)
{
	if (!*c->cluster_id)
		return missing(err, "cluster-id", "with --kubernetes=off");
	if (*c->kubeconfig)
		return err_set(err, ERR_INVALID,
			       "--kubeconfig: only with --kubernetes=on");
	if (c->orphans || c->vmi_serialization)
		return err_set(err, ERR_INVALID, "--%s: only with --kubernetes=on",
			       c->orphans ? "enable-orphan-reconciler"
					  : "enable-vmi-serialization");
	return check_nodes(c, err);
}

/* What an old chart may say: zero is the default, and an orphan was never old. */
static int check_kubernetes(struct config *c, struct err *err)
{
	if (*c->known_nodes)
		return err_set(err, ERR_INVALID,
			       "--known-nodes: only with --kubernetes=off");
	if (*c->kubeconfig && check_path("kubeconfig", c->kubeconfig, err))
		return -1;
	if (!c->attachment_interval_ms)
		c->attachment_interval_ms = DEFAULT_RECONCILE_MS;
	if (!c->orphan_interval_ms)
		c->orphan_interval_ms = DEFAULT_ORPHANS_MS;
	if (c->orphan_grace_ms < MIN_ORPHAN_AGE_MS)
		c->orphan_grace_ms = MIN_ORPHAN_AGE_MS;
	return 0;
}

static int check_controller(struct config *c, struct err *err)
{
	if (check_box(c, err))
		return -1;
	if (c->figures_interval_ms && c->figures_interval_ms < 1000)
		return err_set(err, ERR_INVALID,
			       "--rds-metrics-interval: must be 0 or at least 1s");
	return c->kubernetes == CONFIG_KUBERNETES_ON ? check_kubernetes(c, err)
						     : check_standalone(c, err);
}

/* Beside the socket, since that directory of the host outlives the pod. */
static int check_state_dir(struct config *c, struct err *err)
{
	const char *path = c->endpoint;

	if (*c->state_dir)
		return check_path("state-dir", c->state_dir, err);
	if (str_starts_with(path, "tcp://"))
		return missing(err, "state-dir", "with --node on a tcp:// endpoint");
	path += str_starts_with(path, "unix://") ? 7 : 0;
	(void)snprintf(c->state_text, sizeof(c->state_text), "%.*s/state",
		       (int)(strrchr(path, '/') - path), path);
	c->state_dir = c->state_text;
	return 0;
}

/* 8-4-4-4-12 hex digits. */
static bool is_uuid(const char *s)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	static const char hex[] = "0123456789abcdefABCDEF";

	if (strlen(s) != sizeof(form) - 1)
		return false;
	for (unsigned i = 0; form[i]; i++)
		if (form[i] == '-' ? s[i] != '-' : !strchr(hex, s[i]))
			return false;
	return true;
}

static int check_backend(const struct config *c, struct err *err)
{
	if (*c->host_nqn && (!str_starts_with(c->host_nqn, "nqn.") || !c->host_nqn[4]))
		return err_set(err, ERR_INVALID, "--host-nqn: must begin with \"nqn.\"");
	if (*c->host_id && !is_uuid(c->host_id))
		return err_set(err, ERR_INVALID, "--host-id: must be a UUID");
	if (c->node_backend == CONFIG_BACKEND_LOOP) {
		if (!*c->loop_exports)
			return missing(err, "loop-exports", "with --node-backend=loop");
		return check_path("loop-exports", c->loop_exports, err);
	}
	if (*c->loop_exports)
		return err_set(err, ERR_INVALID,
			       "--loop-exports: only with --node-backend=loop");
	return 0;
}

/* Where to register, and what to tell there: from the one flag that says on, off, nothing
 * or a path. A demonstration over loop devices meddles with no kubelet unless told to. */
static int check_registration(struct config *c, struct err *err)
{
	static const char name[] = "kubelet-registration";
	const char *said = c->registered, *path = c->endpoint;
	bool is_tcp = str_starts_with(path, "tcp://");
	int n;

	c->registry = "";
	c->registered = "";
	if (strcmp(said, "off") == 0 ||
	    (!*said && (is_tcp || c->node_backend == CONFIG_BACKEND_LOOP)))
		return 0;
	path += str_starts_with(path, "unix://") ? 7 : 0;
	if (*said && strcmp(said, "on") != 0) {
		if (check_path(name, said, err))
			return -1;
		path = said;
	} else if (is_tcp) {
		return err_set(err, ERR_INVALID,
			       "--%s: the kubelet takes no tcp:// endpoint", name);
	}
	n = snprintf(c->registry_text, sizeof(c->registry_text),
		     "%s/plugins_registry/%s-reg.sock", c->kubelet_dir, c->driver_name);
	if (n > SOCKET_PATH_MAX)
		return err_set(err, ERR_INVALID,
			       "--%s: %.100s is longer than %d bytes: choose a shorter "
			       "--driver-name or --kubelet-dir",
			       name, c->registry_text, SOCKET_PATH_MAX);
	c->registry = c->registry_text;
	c->registered = path;
	return 0;
}

static int check_node(struct config *c, struct err *err)
{
	if (!*c->node_id)
		return missing(err, "node-id", "with --node");
	if (check_backend(c, err) || check_state_dir(c, err))
		return -1;
	return check_registration(c, err);
}

int config_check(struct config *c, struct err *err)
{
	if (!c->is_controller && !c->is_node)
		return err_set(err, ERR_INVALID,
			       "--controller, --node: one must be given");
	if (check_driver_name(c, err) || check_path("kubelet-dir", c->kubelet_dir, err) ||
	    check_endpoint(c, err))
		return -1;
	if (c->is_controller && check_controller(c, err))
		return -1;
	return c->is_node ? check_node(c, err) : 0;
}
