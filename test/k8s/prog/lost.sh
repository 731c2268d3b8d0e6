# node-2 is lost, or is said to be: its volumes go to node-1 only after the box has given up
# the names under which node-2 knew them, and nothing is cut before somebody asks. The volumes
# are raw blocks: on one machine the two nodes could not both mount a file system.
. "$(dirname "$0")/../scene.sh"

# A pod on node-2 with claims NAME-1 … NAME-N, staged and published there by hand. Leaves in
# volumes and devices what another pod with the same claims needs.
on_node_2() { # NAME N
	local i pv
	volumes= devices=
	for ((i = 1; i <= $2; i++)); do
		claim "$1-$i" rds Block 1Gi
		volumes+="${volumes:+, }{\"name\": \"v$i\", \"persistentVolumeClaim\": {\"claimName\": \"$1-$i\"}}"
		devices+="${devices:+, }{\"name\": \"v$i\", \"devicePath\": \"/dev/v$i\"}"
	done
	w wait --for=jsonpath='{.status.phase}'=Bound --timeout=60s pvc --all >/dev/null
	pod_with "$1-old" node-2
	for ((i = 1; i <= $2; i++)); do
		pv=$(volume_of "$1-$i")
		eventually 60 attached_to "$pv" node-2
		by_hand stage "$1-$i"
		by_hand publish "$1-$i"
	done
	w patch pod "$1-old" --subresource=status --type=merge -p '{"status": {"phase": "Running"}}' >/dev/null
}
pod_with() { # NAME NODE: with $volumes and $devices
	w apply -f - >/dev/null <<-EOF
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$1"}, "spec": {
	 "nodeName": "$2", "hostNetwork": true, "terminationGracePeriodSeconds": 0,
	 "automountServiceAccountToken": false, "enableServiceLinks": false,
	 "containers": [{"name": "work", "image": "rds-csi.test/busybox:1", "imagePullPolicy": "Never",
	  "command": ["/bin/sleep", "infinity"], "volumeDevices": [$devices]}], "volumes": [$volumes]}}
	EOF
}
attached_to() { # VOLUME NODE
	local va
	va=$(attachment_of "$1" "$2")
	[ -n "$va" ] && is_attached "$va"
}
not_exported_as() { # NQN…
	local nqn
	for nqn; do [ ! -e "$D/box/exports/$nqn" ] || return 1; done
}
exports_are() { [ "$(exports)" = "$1" ]; }
changed() { ! exports_are "$1"; }
# What its kubelet does when it comes back and the pods are no more.
tidy_node_2() { # NAME N
	local i
	for ((i = 1; i <= $2; i++)); do
		by_hand unpublish "$1-$i"
		by_hand unstage "$1-$i"
	done
}
end_of() { # NAME: of its pods and claims
	w delete pod --all --wait=false >/dev/null
	gone "pod/$1-new"
	w delete pvc --all --wait=false >/dev/null
	eventually 90 all_is_empty
}
# The lost machine comes back as a new one. (It shares the loop devices with the other node, so
# that what is left on it cannot be shown here.)
anew() {
	stop plugin-node-2 KILL
	rm -rf "$D"/node-2/pods/* "$D"/node-2/plugins/{kubernetes.io,$DRIVER/state}
	start plugin-node-2
	node_2_is_back
}

t_node_deleted() {
	local volumes devices before from n=20
	on_node_2 deleted $n
	before=$(exports)
	stop heart
	k delete node node-2 --wait=false >/dev/null
	k delete csinode node-2 --wait=false >/dev/null
	never 5 changed "$before"
	w delete pod deleted-old --force --grace-period=0 >/dev/null 2>&1
	from=$SECONDS
	pod_with deleted-new node-1
	eventually 30 not_exported_as $before
	echo "the old names were given up $((SECONDS - from)) s after the old pod was gone"
	running deleted-new 60
	echo "the pod on the other node runs $((SECONDS - from)) s after the old one was gone"
	check [ $((SECONDS - from)) -le 32 ]
	check not_exported_as $before
	same "how many have a new name" "$(exports | grep -cE '\.g1-[0-9a-f]{8}$')" $n
	eventually 10 has_event deleted-1 NodeFenced
	anew
	end_of deleted
}

t_out_of_service() {
	local volumes devices before pv va
	on_node_2 service 1
	pv=$(volume_of service-1)
	before=$(exports)
	stop heart
	eventually 60 node_ready node-2 no
	never 8 changed "$before" # NotReady alone cuts nobody off
	k taint node node-2 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
	eventually 60 detached "$pv"
	eventually 20 not_exported_as $before
	eventually 10 has_event service-1 NodeFenced
	# The attacher asks for what is written in the object, however old.
	va=$(attach_by_hand "$pv" node-2)
	eventually 20 refused "$va"
	k delete volumeattachment "$va" --timeout=30s >/dev/null
	pod_with service-new node-1
	running service-new
	check is_fenced "$pv"
	anew
	end_of service
}
refused() { attach_error "$1" | grep -q FailedPrecondition; }

# The node is well and has the volume mounted; somebody deletes the object.
t_attachment_deleted_in_use() {
	local volumes devices before pv
	on_node_2 used 1
	pv=$(volume_of used-1)
	before=$(exports)
	k delete volumeattachment "$(attachment_of "$pv")" --wait=false >/dev/null
	eventually 30 not_exported_as $before
	eventually 10 has_event used-1 NodeFenced
	w delete pod used-old --force --grace-period=0 >/dev/null 2>&1
	tidy_node_2 used 1
	eventually 60 detached "$pv"
	pod_with used-new node-1
	running used-new
	check is_fenced "$pv"
	end_of used
}

# The other way round: the node says that it has let go. Nothing needs to be cut.
t_let_go_is_clean() {
	local volumes devices before pv
	on_node_2 clean 1
	pv=$(volume_of clean-1)
	before=$(exports)
	w delete pod clean-old --force --grace-period=0 >/dev/null 2>&1
	never 3 detached "$pv"
	tidy_node_2 clean 1
	eventually 40 detached "$pv"
	pod_with clean-new node-1
	running clean-new
	same "its name" "$(exports)" "$before"
	end_of clean
}
scenario
