#include "support/t.h"

#include <ctype.h>
#include <string.h>

#include "csi/ids.h"

Test(ids, volume_ids_are_what_may_reach_the_box)
{
	static const char *const bad[] = {
		"",    "-a",  "a b", "a/b", "a.b",	"..",	"a\nb", "a\"b",
		"a$b", "a[b", "a;b", "a_b", "\xc3\xa4", "a\\b", " a",	"a ",
	};
	char id[131];

	cr_assert(id_is_volume("pvc-0d3b51a4-6c1e-4b7e-9f0a-c5d1d0e2f3a4"));
	cr_assert(id_is_volume("A"));
	cr_assert(id_is_volume("0-"));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(!id_is_volume(bad[i]), "%s", bad[i]);
	memset(id, 'a', sizeof(id));
	id[128] = '\0';
	cr_assert(id_is_volume(id));
	id[128] = 'a';
	id[129] = '\0';
	cr_assert(!id_is_volume(id));
}

Test(ids, no_byte_but_letters_digits_and_dashes)
{
	for (int byte = 1; byte < 256; byte++) {
		char id[] = { 'a', (char)byte, '\0' };
		bool is_ok = byte < 128 && (isalnum(byte) || byte == '-');

		cr_assert_eq(id_is_volume(id), is_ok, "byte %d", byte);
		cr_assert_eq(id_is_cluster(id), is_ok, "byte %d", byte);
	}
}

Test(ids, cluster_ids_and_node_names)
{
	char name[256];

	cr_assert(id_is_cluster("8f7f3e52-0c1b-4f6e-9f44-0c41c1a9d2b7"));
	cr_assert(!id_is_cluster("8f7f3e52-0c1b-4f6e-9f44-0c41c1a9d2b7x"));
	cr_assert(!id_is_cluster(""));
	cr_assert(id_is_node("worker-1.example"));
	cr_assert(!id_is_node("Worker"));
	cr_assert(!id_is_node(".a"));
	cr_assert(!id_is_node("a-"));
	cr_assert(!id_is_node(""));
	cr_assert(!id_is_node("a,b"));
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	cr_assert(id_is_node(name));
	name[253] = 'a';
	name[254] = '\0';
	cr_assert(!id_is_node(name));
}

Test(ids, the_base_nqn_is_the_id_in_lower_case)
{
	char nqn[ID_NQN], id[129];
	uint32_t g = 9;

	id_base_nqn("PVC-1a", nqn);
	cr_assert_str_eq(nqn, "nqn.2000-02.com.mikrotik:pvc-1a");
	cr_assert(id_nqn_is_of(nqn, "pvc-1a", &g) && g == 0);
	memset(id, 'a', 128);
	id[128] = '\0';
	id_new_nqn(id, UINT32_MAX, nqn);
	cr_assert_lt(strlen(nqn), ID_NQN);
	cr_assert(id_nqn_is_of(nqn, id, &g) && g == UINT32_MAX);
}

Test(ids, new_names_carry_their_generation_and_are_never_the_same)
{
	char a[ID_NQN], b[ID_NQN];
	uint32_t g = 0;

	id_new_nqn("pvc-1", 12, a);
	id_new_nqn("pvc-1", 12, b);
	cr_assert_str_neq(a, b);
	cr_assert_eq(strncmp(a, "nqn.2000-02.com.mikrotik:pvc-1.g12-", 35), 0);
	cr_assert(id_nqn_is_of(a, "pvc-1", &g) && g == 12);
	cr_assert(!id_nqn_is_of(a, "pvc-", &g));
	cr_assert(!id_nqn_is_of(a, "pvc-12", &g));
	id_new_nqn("PVC-1", 0, a);
	cr_assert_eq(strncmp(a, "nqn.2000-02.com.mikrotik:pvc-1.g0-", 34), 0);
	cr_assert(id_nqn_is_of(a, "pvc-1", &g) && g == 0);
}

Test(ids, a_name_that_only_looks_like_ours_is_not)
{
	static const char *const bad[] = {
		"nqn.2000-02.com.mikrotik:pvc-10",
		"nqn.2000-02.com.mikrotik:pvc-1.",
		"nqn.2000-02.com.mikrotik:pvc-1.g",
		"nqn.2000-02.com.mikrotik:pvc-1.g-0123abcd",
		"nqn.2000-02.com.mikrotik:pvc-1.g00-0123abcd",
		"nqn.2000-02.com.mikrotik:pvc-1.g01-0123abcd",
		"nqn.2000-02.com.mikrotik:pvc-1.g1-0123abc",
		"nqn.2000-02.com.mikrotik:pvc-1.g1-0123abcde",
		"nqn.2000-02.com.mikrotik:pvc-1.g1-0123ABCD",
		"nqn.2000-02.com.mikrotik:pvc-1.g4294967296-0123abcd",
		"nqn.2000-02.com.mikrotik:pvc-1.g99999999999-0123abcd",
		"nqn.2000-02.com.mikrotik:PVC-1",
		"nqn.2000-02.com.mikrotik:",
		"",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t g = 42;

		cr_assert(!id_nqn_is_of(bad[i], "pvc-1", &g), "%s", bad[i]);
		cr_assert_eq(g, 42);
	}
}

Test(ids, named_uuids_never_change)
{
	char out[UUID_TEXT], nqn[ID_NQN], node[ID_NODE], name[65];

	id_fs_uuid("pvc-1", out);
	cr_assert_str_eq(out, "7ceb5c5e-4778-5907-899c-ddd4f63feac8");
	id_host("worker-1", out, nqn);
	cr_assert_str_eq(out, "5277b0d3-2d05-56cb-8de0-69d9538bf026");
	cr_assert_str_eq(nqn, "nqn.2014-08.org.nvmexpress:"
			      "uuid:5277b0d3-2d05-56cb-8de0-69d9538bf026");
	memset(name, 'n', 64);
	name[63] = '\0';
	id_record_node(name, node);
	cr_assert_str_eq(node, name);
	name[63] = 'n';
	name[64] = '\0';
	id_record_node(name, node);
	cr_assert_str_eq(node, "3cc36ce8-9d1b-58ae-991d-93c1d49da7e3");
}
