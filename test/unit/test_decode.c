#include "k8s/decode.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/t.h"

#define DRIVER "rds.csi.srvlab.io"
#define META "\"metadata\":{\"name\":\"x\",\"uid\":\"u-1\",\"resourceVersion\":\"7\"}"

static struct k8s_decoded read_as(enum k8s_kind kind, const char *json)
{
	struct k8s_decoded d;

	k8s_decode(kind, DRIVER, json, strlen(json), &d);
	cr_assert_eq(d.reading == K8S_READ, d.object != NULL);
	cr_assert_eq(d.reading == K8S_READ || d.reading == K8S_FOREIGN,
		     d.err.code == ERR_OK);
	return d;
}

static void expect(enum k8s_kind kind, enum k8s_reading reading, const char *json)
{
	struct k8s_decoded d = read_as(kind, json);

	cr_assert_eq(d.reading, reading, "%s: %s", json, d.err.msg);
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
}

static const char va_json[] =
	"{\"metadata\":{\"name\":\"csi-1\",\"uid\":\"u-1\",\"resourceVersion\":\"7\","
	"\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"managedFields\":[{\"f\":{}}]},"
	"\"spec\":{\"attacher\":\"" DRIVER "\",\"nodeName\":\"node-a\",\"source\":{"
	"\"persistentVolumeName\":\"pv-1\"}},\"status\":{\"attached\":true}}";

Test(decode, volume_attachment)
{
	struct k8s_decoded d = read_as(K8S_VA, va_json);
	const struct k8s_va *va = (const struct k8s_va *)d.object;

	cr_assert_str_eq(d.name, "csi-1");
	cr_assert_str_eq(d.version, "7");
	cr_assert_str_eq(va->o.name, "csi-1");
	cr_assert_str_eq(va->o.uid, "u-1");
	cr_assert_str_eq(va->node, "node-a");
	cr_assert_str_eq(va->pv, "pv-1");
	cr_assert_str_eq(va->handle, "");
	cr_assert(va->is_attached && va->o.is_deleting);
	k8s_object_free(d.object);
	d = read_as(K8S_VA,
		    "{" META ",\"spec\":{\"attacher\":\"" DRIVER "\",\"nodeName\":"
		    "\"n\",\"source\":{\"inlineVolumeSpec\":{\"csi\":{"
		    "\"volumeHandle\":\"vol-9\"}}}}}");
	va = (const struct k8s_va *)d.object;
	cr_assert_str_eq(va->handle, "vol-9");
	cr_assert_str_eq(va->pv, "");
	cr_assert(!va->is_attached && !va->o.is_deleting);
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
	expect(K8S_VA, K8S_FOREIGN,
	       "{" META ",\"spec\":{\"attacher\":\"other\",\"nodeName\":7}}");
}

static const char pv_json[] =
	"{\"metadata\":{\"name\":\"pv-1\",\"uid\":\"u-2\",\"resourceVersion\":\"8\","
	"\"annotations\":{\"" DRIVER
	"/attached-node\":\"node-a\",\"nul\":\"a\\u0000b\"}},"
	"\"spec\":{\"accessModes\":[\"ReadWriteOnce\",\"ReadWriteMany\",\"Future\"],"
	"\"csi\":{\"driver\":\"" DRIVER "\",\"volumeHandle\":\"pv-1\","
	"\"volumeAttributes\":{\"volumePath\":\"/pool/x\"}},\"claimRef\":{\"namespace\":"
	"\"ns\",\"name\":\"c\",\"uid\":\"u-3\"},\"persistentVolumeReclaimPolicy\":"
	"\"Retain\",\"volumeMode\":\"Block\"},\"status\":{\"phase\":\"Bound\"}}";

Test(decode, persistent_volume)
{
	struct k8s_decoded d = read_as(K8S_PV, pv_json);
	const struct k8s_pv *pv = (const struct k8s_pv *)d.object;

	cr_assert_str_eq(pv->handle, "pv-1");
	cr_assert_str_eq(pv->claim_ns, "ns");
	cr_assert_str_eq(pv->claim_name, "c");
	cr_assert_str_eq(pv->claim_uid, "u-3");
	cr_assert_str_eq(pv->attached_node, "node-a");
	cr_assert_str_eq(pv->phase, "Bound");
	cr_assert_str_eq(pv->volume_path, "/pool/x");
	cr_assert_eq(pv->modes, K8S_PV_RWO | K8S_PV_RWX);
	cr_assert(pv->is_block && pv->is_retained);
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
	expect(K8S_PV, K8S_FOREIGN, "{" META ",\"spec\":{\"nfs\":{}}}");
	expect(K8S_PV, K8S_FOREIGN,
	       "{" META ",\"spec\":{\"csi\":{\"driver\":\"o\",\"volumeHandle\":\"h\"}}}");
}

Test(decode, node)
{
	struct k8s_decoded d = read_as(
		K8S_NODE,
		"{" META ",\"spec\":{\"taints\":[{\"key\":\"a\"},{\"key\":"
		"\"node.kubernetes.io/out-of-service\",\"effect\":\"NoExecute\"}]},"
		"\"status\":{\"conditions\":[{\"type\":\"DiskPressure\",\"status\":"
		"\"False\"},{\"type\":\"Ready\",\"status\":\"True\"}],\"volumesInUse\":["
		"\"kubernetes.io/csi/" DRIVER "^pv-1\",\"kubernetes.io/csi/other^pv-2\","
		"\"kubernetes.io/csi/" DRIVER ".x^pv-3\",\"kubernetes.io/csi/" DRIVER
		"^a^b\"]}}");
	const struct k8s_node *n = (const struct k8s_node *)d.object;

	cr_assert(n->is_ready && n->is_out_of_service);
	cr_assert_eq(n->n_in_use, 2);
	cr_assert(k8s_list_has(n->in_use, n->n_in_use, "pv-1"));
	cr_assert(k8s_list_has(n->in_use, n->n_in_use, "a^b"));
	k8s_object_free(d.object);
	d = read_as(K8S_NODE, "{" META ",\"status\":{\"conditions\":[{\"type\":\"Ready\","
			      "\"status\":\"Unknown\"}]}}");
	n = (const struct k8s_node *)d.object;
	cr_assert(!n->is_ready && !n->is_out_of_service && !n->n_in_use);
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
}

Test(decode, csinode_and_the_rest)
{
	struct k8s_decoded d = read_as(
		K8S_CSINODE,
		"{" META ",\"spec\":{\"drivers\":[{\"name\":\"o\",\"nodeID\":"
		"\"z\",\"topologyKeys\":[\"o/k\"]},{\"name\":\"" DRIVER
		"\",\"nodeID\":\"node-a\",\"topologyKeys\":[\"k/1\",\"k/2\"]}]}}");
	const struct k8s_csinode *c = (const struct k8s_csinode *)d.object;

	cr_assert(c->has_driver);
	cr_assert_str_eq(c->node_id, "node-a");
	cr_assert_eq(c->n_keys, 2);
	cr_assert(k8s_list_has(c->keys, 2, "k/1") && k8s_list_has(c->keys, 2, "k/2"));
	k8s_object_free(d.object);
	d = read_as(K8S_CSINODE, "{" META ",\"spec\":{\"drivers\":null}}");
	cr_assert_not(((const struct k8s_csinode *)d.object)->has_driver);
	k8s_object_free(d.object);
	d = read_as(K8S_PVC, "{" META ",\"spec\":{\"volumeName\":\"pv-1\"}}");
	cr_assert_str_eq(((const struct k8s_pvc *)d.object)->volume, "pv-1");
	k8s_object_free(d.object);
	d = read_as(K8S_LEASE,
		    "{" META ",\"spec\":{\"holderIdentity\":\"me\",\"renewTime\":\"t\","
		    "\"leaseDurationSeconds\":15,\"leaseTransitions\":3}}");
	cr_assert_str_eq(((const struct k8s_lease *)d.object)->holder, "me");
	cr_assert_str_eq(((const struct k8s_lease *)d.object)->renew_time, "t");
	cr_assert_eq(((const struct k8s_lease *)d.object)->duration_s, 15);
	cr_assert_eq(((const struct k8s_lease *)d.object)->transitions, 3);
	k8s_object_free(d.object);
	d = read_as(K8S_NAMESPACE, "{" META "}");
	cr_assert_str_eq(d.object->uid, "u-1");
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
	expect(K8S_EVENT, K8S_READ, "{" META "}");
}

Test(decode, pod_with_its_claims_and_machine)
{
	struct k8s_decoded d = read_as(
		K8S_POD,
		"{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\",\"uid\":\"u\","
		"\"resourceVersion\":\"1\",\"labels\":{\"kubevirt.io/vmi\":\"lab\"},"
		"\"ownerReferences\":[{\"kind\":\"Job\",\"name\":\"j\"},{\"kind\":"
		"\"VirtualMachineInstance\",\"name\":\"vm-1\"},{\"kind\":\"Pod\","
		"\"name\":\"launcher\"}]},\"spec\":{\"nodeName\":"
		"\"node-a\",\"volumes\":[{\"name\":\"a\",\"emptyDir\":{}},{\"name\":"
		"\"b\","
		"\"persistentVolumeClaim\":{\"claimName\":\"c-1\"}},{\"name\":"
		"\"scratch\","
		"\"ephemeral\":{\"volumeClaimTemplate\":{}}}]},\"status\":{\"phase\":"
		"\"Running\"}}");
	const struct k8s_pod *p = (const struct k8s_pod *)d.object;

	cr_assert_str_eq(p->o.ns, "ns");
	cr_assert_str_eq(p->vmi, "vm-1");
	cr_assert_str_eq(p->owner_pod, "launcher");
	cr_assert_str_eq(p->node, "node-a");
	cr_assert_str_eq(p->phase, "Running");
	cr_assert_eq(p->n_claims, 2);
	cr_assert(k8s_list_has(p->claims, p->n_claims, "c-1"));
	cr_assert(k8s_list_has(p->claims, p->n_claims, "p-scratch"));
	k8s_object_free(d.object);
	d = read_as(K8S_POD, "{\"metadata\":{\"name\":\"p\",\"uid\":\"u\","
			     "\"resourceVersion\":\"1\",\"labels\":{"
			     "\"vm.kubevirt.io/name\":\"vm-2\"}}}");
	cr_assert_str_eq(((const struct k8s_pod *)d.object)->vmi, "vm-2");
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
}

Test(decode, what_does_not_fit_makes_the_object_unreadable_but_not_its_name)
{
	struct k8s_decoded d = read_as(
		K8S_VA,
		"{\"metadata\":{\"name\":\"x\",\"uid\":\"u\","
		"\"resourceVersion\":\"1\"},\"spec\":{\"attacher\":\"" DRIVER
		"\",\"nodeName\":{},\"source\":{\"persistentVolumeName\":\"p\"}}}");

	cr_assert_eq(d.reading, K8S_UNREADABLE);
	cr_assert_str_eq(d.name, "x");
	cr_assert_str_eq(d.version, "1");
	cr_assert(strstr(d.err.msg, "nodeName"));
	expect(K8S_VA, K8S_UNREADABLE, "{");
	expect(K8S_VA, K8S_UNREADABLE, "7");
	expect(K8S_VA, K8S_UNREADABLE, "[]");
	expect(K8S_VA, K8S_UNREADABLE, "{}");
	expect(K8S_VA, K8S_UNREADABLE, "{" META "}");
	expect(K8S_VA, K8S_UNREADABLE, "{\"metadata\":[]}");
	expect(K8S_NODE, K8S_UNREADABLE, "{\"metadata\":{\"name\":\"\"}}");
	expect(K8S_NODE, K8S_UNREADABLE,
	       "{\"metadata\":{\"name\":\"a\\u0000b\",\"uid\":\"u\","
	       "\"resourceVersion\":\"1\"}}");
	expect(K8S_NODE, K8S_UNREADABLE, "{" META ",\"status\":{\"volumesInUse\":[1]}}");
	expect(K8S_NODE, K8S_UNREADABLE,
	       "{" META ",\"status\":{\"volumesInUse\":[\"kubernetes.io/csi/" DRIVER
	       "^a\\u0000\"]}}");
	expect(K8S_NODE, K8S_UNREADABLE, "{" META ",\"status\":{\"conditions\":{}}}");
	expect(K8S_PV, K8S_UNREADABLE, "{" META "}");
	expect(K8S_PV, K8S_UNREADABLE, "{" META ",\"spec\":{\"csi\":[]}}");
	expect(K8S_PV, K8S_UNREADABLE,
	       "{" META ",\"spec\":{\"csi\":{\"driver\":\"" DRIVER "\"}}}");
	expect(K8S_LEASE, K8S_UNREADABLE,
	       "{" META ",\"spec\":{\"leaseDurationSeconds\":-1}}");
	expect(K8S_LEASE, K8S_UNREADABLE,
	       "{" META ",\"spec\":{\"leaseDurationSeconds\":\"15\"}}");
}

Test(decode, too_long_texts_make_it_unreadable)
{
	char json[4096], name[512];

	memset(name, 'n', sizeof(name));
	for (int over = 0; over < 2; over++) {
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"%.*s\",\"uid\":\"u\","
			 "\"resourceVersion\":\"1\"}}",
			 K8S_NAME_MAX + over, name);
		expect(K8S_NODE, over ? K8S_UNREADABLE : K8S_READ, json);
		snprintf(json, sizeof(json),
			 "{" META ",\"spec\":{\"csi\":{\"driver\":\"" DRIVER
			 "\",\"volumeHandle\":\"%.*s\"}}}",
			 K8S_HANDLE_MAX + over, name);
		expect(K8S_PV, over ? K8S_UNREADABLE : K8S_READ, json);
		snprintf(json, sizeof(json),
			 "{" META
			 ",\"status\":{\"volumesInUse\":[\"kubernetes.io/csi/" DRIVER
			 "^%.*s\"]}}",
			 K8S_HANDLE_MAX + over, name);
		expect(K8S_NODE, over ? K8S_UNREADABLE : K8S_READ, json);
	}
}

Test(decode, no_cut_and_no_changed_byte_harms_it)
{
	size_t n = sizeof(pv_json) - 1;
	char *json = malloc(n); /* no NUL behind it: a read too far is seen */
	struct k8s_decoded d;

	memcpy(json, pv_json, n);
	for (size_t cut = 0; cut < n; cut++) {
		k8s_decode(K8S_PV, DRIVER, json, cut, &d);
		cr_assert_eq(d.reading, K8S_UNREADABLE);
	}
	for (size_t at = 0; at < n; at++)
		for (unsigned c = 1; c < 256; c = c * 3 + 1) {
			json[at] = (char)c;
			k8s_decode(K8S_PV, DRIVER, json, n, &d);
			k8s_object_free(d.object);
			json[at] = pv_json[at];
		}
	free(json);
	cr_assert_eq(mem_live(), 0);
	T_LSAN();
}

Test(decode, want_of_memory_is_said_as_such)
{
	unsigned n_failed = 0, n_calls = 0;

	T_EACH_ALLOC_FAILS({
		struct k8s_decoded d;

		k8s_decode(K8S_VA, DRIVER, va_json, sizeof(va_json) - 1, &d);
		n_calls++;
		n_failed += d.reading == K8S_NO_MEMORY;
		cr_assert(d.reading == K8S_READ || d.reading == K8S_NO_MEMORY);
		k8s_object_free(d.object);
		cr_assert_eq(mem_live(), 0);
	});
	cr_assert_gt(n_failed, n_calls / 2);
}

Test(decode, an_object_is_small)
{
	struct k8s_decoded d;
	char json[2048];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"pvc-%1$s\",\"uid\":\"%1$s\","
		 "\"resourceVersion\":\"123456789\",\"annotations\":{\"" DRIVER
		 "/attached-node\":\"worker-07.example.internal\"}},\"spec\":{"
		 "\"accessModes\":[\"ReadWriteOnce\"],\"csi\":{\"driver\":\"" DRIVER
		 "\",\"volumeHandle\":\"pvc-%1$s\",\"volumeAttributes\":{\"volumePath\":"
		 "\"/storage-pool/"
		 "metal-csi\"}},\"claimRef\":{\"namespace\":\"production\","
		 "\"name\":\"data-postgres-0\",\"uid\":\"%1$s\"}},\"status\":{\"phase\":"
		 "\"Bound\"}}",
		 "01234567-89ab-cdef-0123-456789abcdef");
	k8s_decode(K8S_PV, DRIVER, json, strlen(json), &d);
	cr_assert_eq(d.reading, K8S_READ, "%s", d.err.msg);
	/* With the allocator's own word; a bucket of the store comes to 8 more. */
	cr_assert_leq(malloc_usable_size(d.object) + sizeof(size_t) + 8, 400);
	k8s_object_free(d.object);
	cr_assert_eq(mem_live(), 0);
}
