# On top of fence.sh, for the scenarios that need more nodes than the lab has, or other volumes.

# A node that is objects alone, and that nobody attaches to but the scenario.
node_of_objects() { # NAME
	k apply -f - >/dev/null <<-END
	{"apiVersion": "v1", "kind": "List", "items": [
	 {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "$1", "labels": {
	   "topology.$DRIVER/zone": "default", "topology.$DRIVER/plugin": "rds-csi"}},
	  "spec": {"taints": [{"key": "rds-csi.test/by-hand", "effect": "NoSchedule"}]}},
	 {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "$1"},
	  "spec": {"drivers": [{"name": "$DRIVER", "nodeID": "$1", "topologyKeys": ["topology.$DRIVER/zone", "topology.$DRIVER/plugin"]}]}}]}
	END
	k patch node "$1" --subresource=status --type=merge -p \
		'{"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}}' >/dev/null
	define "heart-$1" "$(dirname "${BASH_SOURCE[0]}")/heart" "$1"
	start "heart-$1"
	eventually 10 node_ready "$1" yes
}
no_node() { # NAME
	stop "heart-$1" || true
	k delete node "$1" --wait=false --ignore-not-found >/dev/null
	k delete csinode "$1" --wait=false --ignore-not-found >/dev/null
}

shared_class() { # NAME SECONDS: raw block for live migration, which may take so long
	k apply -f - >/dev/null <<-END
	{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "$1"}, "provisioner": "$DRIVER",
	 "volumeBindingMode": "Immediate", "parameters": {"migrationTimeoutSeconds": "$2"}}
	END
}
# The disk's own words on the box: its NQN, its record.
disk_of() { box disks | tr -d '\n' | sed 's/}, *{/}\n{/g' | grep -F "\"$1\""; }
nqn_of() { disk_of "$1" | grep -oE '"nvme-tcp-server-nqn": *"[^"]*"' | sed 's/.*"\(.*\)"/\1/'; }
record_of() { disk_of "$1" | grep -oE '"comment": *"[^"]*"' | sed 's/.*: *"\(.*\)"/\1/'; }
