# A dry run of the reconciler of attachments: it says what it would do, and does nothing.
. "$(dirname "$0")/../fence.sh"

node_3() {
	k apply -f - >/dev/null <<-END
	{"apiVersion": "v1", "kind": "List", "items": [
	 {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-3"},
	  "spec": {"taints": [{"key": "rds-csi.test/by-hand", "effect": "NoSchedule"}]}},
	 {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "node-3"},
	  "spec": {"drivers": [{"name": "$DRIVER", "nodeID": "node-3", "topologyKeys": ["topology.$DRIVER/zone", "topology.$DRIVER/plugin"]}]}}]}
	END
	k patch node node-3 --subresource=status --type=merge -p \
		'{"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}}' >/dev/null
}
no_node_3() { k delete node/node-3 csinode/node-3 --wait=false --ignore-not-found >/dev/null; }
said() { grep -F 'dry run: a stale attachment is not cleared' "$D/log/controller" | grep -F "\"$1\"" >/dev/null; }
is_no_more() { ! k get volumeattachment "$1"; }
touched() { changed "$before" || [ -n "$(k get volumeattachment "$va" -o 'jsonpath={.metadata.deletionTimestamp}')" ]; }

t_a_dry_run_changes_nothing() {
	local pv va before
	trap 'no_node_3; controller_as_before' EXIT
	controller_with --attachment-reconcile-interval=3s --attachment-reconcile-dry-run
	node_3
	claim dry rds Block 1Gi
	bound dry
	pv=$(volume_of dry)
	va=$(attach_by_hand "$pv" node-3)
	eventually 30 is_attached "$va"
	before=$(exports)
	no_node_3
	eventually 40 said "$pv"
	never 5 touched

	controller_with --attachment-reconcile-interval=3s
	eventually 40 is_no_more "$va"
	check changed "$before"
	eventually 10 has_event dry NodeFenced node-3
	w delete pvc dry --wait=false >/dev/null
	eventually 60 all_is_empty
}
scenario
