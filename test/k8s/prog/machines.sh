# Virtual machines: volumes that are plugged into one go one after the other, and nobody else
# waits for them. And an unpublish that names no node, which means all of them.
. "$(dirname "$0")/../fence.sh"
. "$(dirname "$0")/../extra.sh"

# KubeVirt's pods of a machine on node-2: the launcher, and one for each volume that is plugged in.
launcher() { # MACHINE
	w apply -f - >/dev/null <<-END
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "virt-launcher-$1", "labels": {"kubevirt.io/vmi": "$1"}}, "spec": {
	 "nodeName": "node-2", "hostNetwork": true, "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
	 "containers": [{"name": "compute", "image": "rds-csi.test/busybox:1", "imagePullPolicy": "Never", "command": ["/bin/sleep", "infinity"]}]}}
	END
}
plug() { # MACHINE CLAIM
	local uid
	uid=$(w get pod "virt-launcher-$1" -o 'jsonpath={.metadata.uid}')
	w apply -f - >/dev/null <<-END
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hp-volume-$2", "ownerReferences": [
	  {"apiVersion": "v1", "kind": "Pod", "name": "virt-launcher-$1", "uid": "$uid", "controller": true, "blockOwnerDeletion": true}]}, "spec": {
	 "nodeName": "node-2", "hostNetwork": true, "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
	 "containers": [{"name": "hotplug-disk", "image": "rds-csi.test/busybox:1", "imagePullPolicy": "Never", "command": ["/bin/sleep", "infinity"],
	  "volumeDevices": [{"name": "data", "devicePath": "/dev/data"}]}],
	 "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "$2"}}]}}
	END
}
has_attachment() { [ -n "$(attachment_of "$1" node-2)" ]; }
is_held() { box fault | grep -qE '"hang": *0'; } # the box has the command and does not answer
exported_after() { # VOLUME VOLUME: the order in which the box exported the two
	box history | grep -F '"prop":"nvme-tcp-export"' | grep -F '"new":"yes"' |
		grep -oE "$1|$2" | paste -sd' ' | grep -qx "$2 $1"
}
holders() { record_of "$1" | grep -oE ' h=[^ ]+'; }

t_plugged_one_after_another() {
	local one two other t0 name
	trap 'box fault/clear -X POST >/dev/null; controller_as_before' EXIT
	controller_with --enable-vmi-serialization
	for name in one two other; do claim "plug-$name" rds Block 1Gi; done
	for name in one two other; do bound "plug-$name"; done
	one=$(volume_of plug-one) two=$(volume_of plug-two) other=$(volume_of plug-other)
	launcher machine-a
	launcher machine-b

	box "fault?hang=1&match=$one" -X POST >/dev/null
	plug machine-a plug-one
	eventually 20 is_held
	plug machine-a plug-two
	plug machine-b plug-other
	t0=$SECONDS
	eventually 15 attached_to "$other" node-2
	echo "the other machine has its volume after $((SECONDS - t0)) s"
	eventually 15 has_attachment "$two"
	never 6 attached_to "$two" node-2
	same "what the box was told of the second" "$(holders "$two")" " h=-"

	box fault/clear -X POST >/dev/null
	eventually 60 attached_to "$one" node-2
	eventually 60 attached_to "$two" node-2
	check exported_after "$two" "$one"

	w delete pod --all --force --grace-period=0 >/dev/null 2>&1
	for name in "$one" "$two" "$other"; do eventually 60 detached "$name"; done
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}

all_nodes() { # VOLUME
	csi controller ControllerUnpublishVolume "{\"volume_id\": \"$1\", \"node_id\": \"\"}" >/dev/null
}
# Each node by its own rule: those that have let go leave cleanly, one that has not is cut off.
t_all_nodes() {
	local pv before va name fences
	shared_class rds-shared 300
	for name in idle used; do claim "all-$name" rds-shared Block 1Gi ReadWriteMany; done
	for name in idle used; do
		bound "all-$name"
		pv=$(volume_of "all-$name")
		for va in node-1 node-2; do va=$(attach_by_hand "$pv" $va); eventually 30 is_attached "$va"; done
		same "who holds $name" "$(holders "$pv")" " h=node-1/x,node-2/x"
	done
	same "the gauge" "$(metric nvme_connections_active)" 2
	fences=$(metric 'fences_total{status="success"}')

	pv=$(volume_of all-idle)
	before=$(nqn_of "$pv")
	all_nodes "$pv"
	same "who holds the idle one" "$(holders "$pv")" " h=-"
	same "what is exported" "$(nqns_of "$pv")" ""
	same "its name" "$(nqn_of "$pv")" "$before"
	same "the gauge" "$(metric nvme_connections_active)" 1
	same "the fences" "$(metric 'fences_total{status="success"}')" "$fences"

	pv=$(volume_of all-used)
	before=$(nqn_of "$pv")
	in_use node-2 "$pv"
	all_nodes "$pv"
	same "who holds the used one" "$(holders "$pv")" " h=-"
	same "what is exported" "$(nqns_of "$pv")" ""
	check [ "$(nqn_of "$pv")" != "$before" ]
	check is_renamed "$pv"
	eventually 10 has_event all-used NodeFenced node-2
	check not has_event all-idle NodeFenced
	same "the gauge" "$(metric nvme_connections_active)" 0
	same "the fences" "$(metric 'fences_total{status="success"}')" $((fences + 1))
	in_use node-2 "$pv" no

	k delete volumeattachments --all --timeout=$LONG >/dev/null
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
	k delete storageclass rds-shared >/dev/null
}
is_renamed() { nqn_of "$1" | grep -qE '\.g1-[0-9a-f]{8}$'; }
not() { ! "$@"; }
scenario
