#include "k8s/target.h"

#include <string.h>

#include "support/t.h"

static const char *build(const struct k8s_target *t)
{
	static char text[2100];
	struct err err = { .code = ERR_OK };
	struct buf b;
	int rc;

	buf_init(&b, 2048);
	rc = k8s_target_build(t, &b, &err);
	cr_assert_eq(rc != 0, err.code != ERR_OK);
	snprintf(text, sizeof(text), "%s", rc ? "!" : b.data);
	buf_fini(&b);
	cr_assert_eq(mem_live(), 0);
	return text;
}

Test(target, paths_of_kinds)
{
	static const char *const want[K8S_KINDS] = {
		[K8S_VA] = "/apis/storage.k8s.io/v1/volumeattachments/x",
		[K8S_PV] = "/api/v1/persistentvolumes/x",
		[K8S_NODE] = "/api/v1/nodes/x",
		[K8S_CSINODE] = "/apis/storage.k8s.io/v1/csinodes/x",
		[K8S_POD] = "/api/v1/namespaces/ns/pods/x",
		[K8S_PVC] = "/api/v1/namespaces/ns/persistentvolumeclaims/x",
		[K8S_LEASE] = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/x",
		[K8S_EVENT] = "/api/v1/namespaces/ns/events/x",
		[K8S_NAMESPACE] = "/api/v1/namespaces/x",
	};

	for (unsigned i = 0; i < K8S_KINDS; i++)
		cr_assert_str_eq(
			build(&(struct k8s_target){ .kind = i, .ns = "ns", .name = "x" }),
			want[i]);
	cr_assert_str_eq(build(&(struct k8s_target){ .kind = K8S_POD }), "/api/v1/pods");
}

Test(target, queries)
{
	cr_assert_str_eq(build(&(struct k8s_target){ .kind = K8S_NODE,
						     .query = "a=b",
						     .limit = 500,
						     .next = "x/y=&z" }),
			 "/api/v1/nodes?a=b&limit=500&continue=x%2Fy%3D%26z");
	cr_assert_str_eq(build(&(struct k8s_target){ .kind = K8S_NODE,
						     .watch_from = "1 2",
						     .timeout_s = 300 }),
			 "/api/v1/nodes?watch=1&allowWatchBookmarks=true&"
			 "resourceVersion=1%202&timeoutSeconds=300");
}

Test(target, no_name_can_mean_another_resource)
{
	static const char *const names[] = { "../../secrets", "a/b",   "a?b=c",
					     "a#b",	      "a b",   "a%2fb",
					     "\xc3\xa4",      "a\r\nb" };
	char long_name[300];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *t =
			build(&(struct k8s_target){ .kind = K8S_NODE, .name = names[i] });

		cr_assert_eq(strncmp(t, "/api/v1/nodes/", 14), 0);
		cr_assert_null(strpbrk(t + 14, "/?# \r\n"));
	}
	cr_assert_str_eq(build(&(struct k8s_target){ .kind = K8S_NODE, .name = ".." }),
			 "!");
	cr_assert_str_eq(build(&(struct k8s_target){ .kind = K8S_NODE, .name = "" }),
			 "!");
	cr_assert_str_eq(
		build(&(struct k8s_target){ .kind = K8S_POD, .ns = ".", .name = "x" }),
		"!");
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	cr_assert_str_eq(
		build(&(struct k8s_target){ .kind = K8S_NODE, .name = long_name }), "!");
}

Test(target, a_token_too_long_is_an_error)
{
	static char token[4096];

	memset(token, 't', sizeof(token) - 1);
	cr_assert_str_eq(build(&(struct k8s_target){ .kind = K8S_NODE, .next = token }),
			 "!");
}
