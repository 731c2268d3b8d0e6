#include "k8s/place.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

int k8s_place_set(struct k8s_place *p, const char *host, const char *port,
		  struct err *err)
{
	unsigned char v6[sizeof(struct in6_addr)];
	bool is_v6 = inet_pton(AF_INET6, host, v6) == 1;
	bool is_default;
	uint64_t number;

	if (!*host || strlen(host) >= sizeof(p->host) ||
	    (!is_v6 && host[strspn(host, name_chars)]))
		return err_set(err, ERR_INVALID, "not a host name or address");
	if (strlen(port) >= sizeof(p->port) || str_to_u64(port, &number) || number < 1 ||
	    number > 65535)
		return err_set(err, ERR_INVALID, "not a port number");
	is_default = number == (p->is_plain ? 80 : 443);
	(void)snprintf(p->host, sizeof(p->host), "%s", host);
	(void)snprintf(p->port, sizeof(p->port), "%s", port);
	(void)snprintf(p->authority, sizeof(p->authority), "%s%.253s%s%s%.5s",
		       is_v6 ? "[" : "", host, is_v6 ? "]" : "", is_default ? "" : ":",
		       is_default ? "" : port);
	return 0;
}

static int set_prefix(struct k8s_place *p, const char *path, struct err *err)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	if (n >= sizeof(p->prefix))
		return err_set(err, ERR_INVALID, "the path is too long");
	for (size_t i = 0; i < n; i++)
		if (path[i] <= ' ' || path[i] >= 127 || strchr("?#\"<>", path[i]))
			return err_set(err, ERR_INVALID, "not a plain path");
	(void)snprintf(p->prefix, sizeof(p->prefix), "%.*s", (int)n, path);
	return 0;
}

/* host, :port and path of "[v6]:port/path" or "host:port/path". */
static int split(struct k8s_place *p, const char *s, struct err *err)
{
	const char *start = *s == '[' ? s + 1 : s, *rest;
	char host[sizeof(p->host)], port[sizeof(p->port)];
	size_t n = strcspn(start, *s == '[' ? "]" : ":/");

	if (n >= sizeof(host) || (*s == '[' && start[n] != ']'))
		return err_set(err, ERR_INVALID, "not a host name or address");
	(void)snprintf(host, sizeof(host), "%.*s", (int)n, start);
	rest = start + n + (*s == '[');
	(void)snprintf(port, sizeof(port), "%s", p->is_plain ? "80" : "443");
	if (*rest == ':') {
		n = strcspn(++rest, "/");
		if (n >= sizeof(port))
			return err_set(err, ERR_INVALID, "not a port number");
		(void)snprintf(port, sizeof(port), "%.*s", (int)n, rest);
		rest += n;
	}
	if (*rest && *rest != '/')
		return err_set(err, ERR_INVALID, "not a host name or address");
	if (k8s_place_set(p, host, port, err))
		return -1;
	return set_prefix(p, rest, err);
}

int k8s_place_parse(struct k8s_place *p, const char *url, struct err *err)
{
	struct k8s_place got = { .is_plain = str_starts_with(url, "http://") };

	if (!got.is_plain && !str_starts_with(url, "https://"))
		return err_set(err, ERR_INVALID, "server: neither https:// nor http://");
	if (split(&got, url + (got.is_plain ? 7 : 8), err))
		return err_wrap(err, "server");
	*p = got;
	return 0;
}
