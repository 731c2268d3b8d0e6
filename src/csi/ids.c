#include "csi/ids.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum_dash(const char *s, size_t max)
{
	size_t n;

	for (n = 0; s[n]; n++)
		if (n >= max || (!is_alnum(s[n]) && s[n] != '-'))
			return false;
	return n > 0;
}

bool id_is_volume(const char *id)
{
	return is_alnum(id[0]) && is_alnum_dash(id, ID_VOLUME - 1);
}

bool id_is_cluster(const char *id)
{
	return is_alnum_dash(id, 36);
}

bool id_is_node(const char *node)
{
	size_t n;

	for (n = 0; node[n]; n++)
		if (n >= 253 ||
		    (!is_lower_alnum(node[n]) && node[n] != '-' && node[n] != '.'))
			return false;
	return n > 0 && is_lower_alnum(node[0]) && is_lower_alnum(node[n - 1]);
}

void id_base_nqn(const char *id, char out[ID_NQN])
{
	int n = snprintf(out, ID_NQN, "%s%s", ID_NQN_PREFIX, id);

	bug_on(n < 0 || n >= ID_NQN);
	for (char *p = out; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
}

void id_new_nqn(const char *id, uint32_t generation, char out[ID_NQN])
{
	char base[ID_NQN], suffix[9];
	int n;

	id_base_nqn(id, base);
	rand_hex(suffix, 8);
	n = snprintf(out, ID_NQN, "%.190s.g%u-%s", base, generation, suffix);
	bug_on(n < 0 || n >= ID_NQN);
}

/* ".g<generation>-<8 lower-case hex>" */
static bool parse_suffix(const char *s, uint32_t *ret_generation)
{
	uint64_t g = 0;
	size_t digits;

	if (!str_starts_with(s, ".g"))
		return false;
	s += 2;
	digits = strspn(s, "0123456789");
	if (digits == 0 || digits > 10 || (s[0] == '0' && digits > 1))
		return false;
	for (size_t i = 0; i < digits; i++)
		g = g * 10 + (uint64_t)(s[i] - '0');
	s += digits;
	if (g > UINT32_MAX || *s != '-' || strspn(s + 1, "0123456789abcdef") != 8 || s[9])
		return false;
	*ret_generation = (uint32_t)g;
	return true;
}

bool id_nqn_is_of(const char *nqn, const char *id, uint32_t *ret_generation)
{
	char base[ID_NQN];
	size_t n;

	id_base_nqn(id, base);
	n = strlen(base);
	if (strncmp(nqn, base, n) != 0)
		return false;
	if (nqn[n])
		return parse_suffix(nqn + n, ret_generation);
	*ret_generation = 0;
	return true;
}

static void named_uuid(const char *kind, const char *name, char out[UUID_TEXT])
{
	char ns[UUID_TEXT], text[300];
	int n = snprintf(text, sizeof(text), "%s%s", kind, name);

	bug_on(n < 0 || (size_t)n >= sizeof(text));
	bug_on(uuid_v5(UUID_NS_DNS, "rds.csi.srvlab.io", ns));
	bug_on(uuid_v5(ns, text, out));
}

void id_fs_uuid(const char *id, char out[UUID_TEXT])
{
	named_uuid("fs:", id, out);
}

void id_host(const char *node, char ret_uuid[UUID_TEXT], char ret_nqn[ID_NQN])
{
	named_uuid("host:", node, ret_uuid);
	(void)snprintf(ret_nqn, ID_NQN, "nqn.2014-08.org.nvmexpress:uuid:%s", ret_uuid);
}

void id_record_node(const char *node, char out[ID_NODE])
{
	if (strlen(node) < ID_NODE)
		memcpy(out, node, strlen(node) + 1);
	else
		named_uuid("node:", node, out);
}
