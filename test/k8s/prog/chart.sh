# The chart and the images, as an operator meets them: installed by helm into a namespace of its own,
# used, upgraded under running pods, taken away.
. "$(dirname "$0")/../scene.sh"
. "$(dirname "$0")/../lives.sh"
. "$(dirname "$0")/../release.sh"
release install

t_1_install() {
	eventually 30 registered
}
registered() { [ "$(k get csinode node-1 -o 'jsonpath={.spec.drivers[*].name}')" = $DRIVER ]; }

# What the chart says of the containers, as the kernel sees them.
t_2_privileges() {
	local name pid n=0
	while read -r name pid; do
		n=$((n + 1))
		same "the user of $name" "$(status_of "$pid" Uid)" "65532 65532 65532 65532"
		for set in CapInh CapPrm CapEff CapBnd CapAmb; do
			same "$set of $name" "$(status_of "$pid" $set)" 0000000000000000
		done
		same "NoNewPrivs of $name" "$(status_of "$pid" NoNewPrivs)" 1
		same "seccomp of $name" "$(status_of "$pid" Seccomp)" 2
		check is_readonly "$pid"
	done < <(containers controller)
	same "the controller's containers" $n 4
	pid=$(driver_pid node)
	check is_readonly "$pid"
	same "the network of the node's plugin" "$(readlink "/proc/$pid/ns/net")" "$(readlink /proc/self/ns/net)"
	check [ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]
	# It asks the API server for nothing: it has no token to ask with.
	check [ ! -e "/proc/$pid/root/var/run/secrets/kubernetes.io" ]
}
status_of() { awk -v name="$2:" '$1 == name { $1 = ""; print substr($0, 2) }' "/proc/$1/status"; }
is_readonly() { awk '$5 == "/" { split($6, o, ","); exit o[1] != "ro" }' "/proc/$1/mountinfo"; }

# Nothing but what the program needs is in an image, and all of that.
t_3_images() {
	local what root file loader
	for what in controller node; do
		root=/proc/$(driver_pid $what)/root
		same "shells of $what" "$(find "$root/usr" -name '*sh' -type f -o -name busybox)" ""
		loader=$(readelf -l "$root/usr/bin/rds-csi" | sed -nE 's/.*interpreter: (.*)\]/\1/p')
		for file in $(find "$root"/usr/{bin,sbin} -type f); do
			chroot "$root" "$loader" --list "/${file#"$root"/}" >"$D/libraries" || fail "$file: $(cat "$D/libraries")"
			! grep 'not found' "$D/libraries" || fail "$file lacks a library"
		done
	done
	! k -n $NS exec "$(pod_of controller)" -c rds-csi-driver -- /bin/sh -c true || fail "there is a shell"
}

t_4_life() {
	life rds-nvme Filesystem &
	life rds-nvme Block
	wait $!
}

# Scheduling knows how much room there is.
t_5_capacity() {
	local room
	eventually 30 capacity_is_told
	room=$(k -n $NS get csistoragecapacities -o 'jsonpath={.items[0].capacity}')
	claim large rds-nvme Filesystem 200Gi
	pod large large
	eventually 30 says_no_room
	never 3 has_volume large
	same "disks on the box" "$(stats disks)" 0
	echo "room: $room"
	w delete pod large --wait=false >/dev/null
	gone pod/large
	w delete pvc large --wait=false >/dev/null
	gone pvc/large
}
capacity_is_told() {
	k -n $NS get csistoragecapacities -o 'jsonpath={range .items[*]}{.storageClassName} {.capacity}{"\n"}{end}' |
		grep -E '^rds-nvme [1-9]'
}
has_volume() { [ -n "$(volume_of "$1")" ]; }
says_no_room() {
	w get events --field-selector involvedObject.name=large -o 'jsonpath={range .items[*]}{.message}{"\n"}{end}' |
		grep -F 'did not have enough free storage'
}

# An upgrade replaces both pods. What runs on the node does not see it: the mount stays the same one, a
# writer writes on, and the new plugin knows the volume by its record on the host.
t_6_upgrade() {
	local pv old_node old_controller before lines
	claim upgrade rds-nvme Filesystem 1Gi
	pod upgrade upgrade
	running upgrade
	pv=$(volume_of upgrade)
	run upgrade 'dd if=/dev/urandom of=/data/file bs=1M count=8 2>/dev/null && sync; sha256sum </data/file >/data/sum
		(while :; do sync; echo . >>/data/log || exit; sleep 0.2; done) >/data/errors 2>&1 &'
	before=$(run upgrade 'grep " /data " /proc/self/mountinfo')
	old_node=$(pod_of node) old_controller=$(pod_of controller)
	release upgrade --set node.logLevel=debug --set controller.logLevel=debug
	check [ "$(pod_of node)" != "$old_node" ]
	check [ "$(pod_of controller)" != "$old_controller" ]
	eventually 10 node_said '"level":"debug"' # the value has reached it
	eventually 10 node_said '"records":'
	same "adopted" "$(log_of node | grep -o '"records":[0-9]*')" '"records":1'
	same "the mount in the pod" "$(run upgrade 'grep " /data " /proc/self/mountinfo')" "$before"
	same "what the writer met" "$(run upgrade 'cat /data/errors')" ""
	lines=$(run upgrade 'wc -l </data/log')
	eventually 10 wrote_more "$lines"
	same "what was written" "$(run upgrade 'sha256sum </data/file')" "$(run upgrade 'cat /data/sum')"
	w patch pvc upgrade --type=merge -p '{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}' >/dev/null
	eventually 60 grown upgrade 2Gi
	w delete pod upgrade --wait=false >/dev/null
	gone pod/upgrade
	eventually 60 detached "$pv"
	check node_is_clean "$pv"
	w delete pvc upgrade --wait=false >/dev/null
	gone pvc/upgrade
	eventually 60 all_is_empty
}
node_said() { log_of node | grep -F "$1"; }
wrote_more() { [ "$(run upgrade 'wc -l </data/log')" -gt "$1" ]; }

t_7_helm_test() {
	if ! h test $RELEASE --timeout $LONG; then
		k -n $NS logs --all-containers --prefix -l "app.kubernetes.io/instance=$RELEASE" --tail=30
		fail "helm test"
	fi
	eventually 60 all_is_empty
}

# What the node's container must have, and what is said when it has not.
t_8_taken_away() {
	local set pod said
	set=$(k -n $NS get daemonset -l app.kubernetes.io/instance=$RELEASE -o name)
	said=$(k -n $NS patch "$set" --dry-run=server --type=json -p '[{"op": "replace",
		"path": "/spec/template/spec/containers/0/securityContext/privileged", "value": false}]' 2>&1 || true)
	grep -F 'Bidirectional mount propagation is available only to privileged containers' <<<"$said" ||
		fail "a container that is not privileged would do"
	same "the mount of" "$(k -n $NS get "$set" -o 'jsonpath={.spec.template.spec.containers[0].volumeMounts[0].name}')" kubelet
	k -n $NS patch "$set" --type=json -p '[{"op": "replace",
		"path": "/spec/template/spec/containers/0/volumeMounts/0/mountPropagation", "value": "HostToContainer"}]'
	eventually 40 says_why
	pod=$(pod_of node)
	same "readiness" "$(k -n $NS get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].ready}')" false
	k -n $NS rollout undo "$set"
	k -n $NS rollout status "$set" --timeout $LONG
}
says_why() { log_of node | grep -F 'needs mountPropagation: Bidirectional'; }

t_9_uninstall() {
	h uninstall $RELEASE --wait --timeout $LONG
	same "cluster-wide" "$(k get clusterroles,clusterrolebindings,csidrivers,storageclasses,priorityclasses -o name \
		-l app.kubernetes.io/instance=$RELEASE)" ""
	wait_for 30 "the namespace is empty" nothing_in_namespace || true
	same "in the namespace" "$(left_in_namespace)" ""
	eventually 30 unregistered
	check all_is_empty
	same "in the kubelet's plugins_registry" "$(ls "$D/kubelet/plugins_registry")" ""
}
# But for what was there before, and the Leases, which are no release's: their holders made them.
left_in_namespace() {
	k -n $NS get all,secrets,configmaps,serviceaccounts,roles,rolebindings,csistoragecapacities,networkpolicies,poddisruptionbudgets \
		-o name | grep -vxE 'secret/rds-csi-secret|configmap/kube-root-ca.crt|serviceaccount/default' || true
}
nothing_in_namespace() { [ -z "$(left_in_namespace)" ]; }
unregistered() { [ -z "$(k get csinode node-1 -o 'jsonpath={.spec.drivers[*].name}')" ]; }
scenario
