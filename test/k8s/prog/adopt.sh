# A cluster that the driver written in Go has run until now: its objects, its disks, its mounts,
# and no record of ours anywhere. We take its place, and nobody's data or mount is disturbed.
. "$(dirname "$0")/../fence.sh"
. "$(dirname "$0")/../extra.sh"
. "$(dirname "$0")/../elder.sh"

ours_off() {
	stop provisioner
	stop resizer
	stop attacher
	stop controller
	stop plugin-node-1
}
all_of_ours() { start controller provisioner attacher resizer plugin-node-1; }
forgotten() { # as on a machine that has never seen us
	rm -rf "$D/kubelet/plugins/$DRIVER/state"
	[ -z "$(records)" ] || fail "there is a record: $(records)"
}
adopted_at_start() { # BYTES-OF-LOG N
	tail -c +"$(($1 + 1))" "$D/log/plugin-node-1" | grep -qE "\"adopted\":$2[,}]"
}
log_size() { stat -c %s "$D/log/plugin-node-1"; }
# What each volume is when we come:
#   used      mounted in a running pod          raw      a raw block, published to a running pod
#   granted   attached, and not yet staged      away     attached to the other node, used by nobody
#   idle      held by nobody                    idle-raw the same, raw
#   left      held by nobody and wanted by nobody any more
a_cluster_of_the_other() {
	local name
	ours_off
	forgotten
	old_class
	old_volume used Filesystem xfs
	old_volume raw Block ''
	old_volume granted Filesystem xfs
	old_volume away Block ''
	old_volume idle Filesystem ext4
	old_volume idle-raw Block ''
	old_volume left Filesystem ext4
	for name in used raw granted; do
		pod "$name" "$name" node-1
		old_attached "$name" node-1
	done
	attach_by_hand "$(volume_of away)" node-2 >/dev/null
	old_attached away node-2
	signal STOP kubelet # it would write its directories while we write them
	for name in used raw; do old_mount "$name"; done
}
is_as_it_was() { # WHEN: mounts, devices and what the box has
	same "the mount ($1)" "$(mount_of "$(volume_of used)")" "$mount"
	same "the raw device ($1)" "$(stat -c %t:%T "$node")" "$number"
	same "the loop devices ($1)" "$(loops "$(volume_of used)"; loops "$(volume_of raw)")" "$devices"
	check run raw 'dd if=/dev/urandom of=/dev/data bs=4k count=1 seek=9000 conv=fsync 2>/dev/null'
}
the_nodes_come_first() {
	local size pv
	pv=$(volume_of raw)
	mount=$(mount_of "$(volume_of used)")
	devices=$(loops "$(volume_of used)"; loops "$pv")
	node=$D/kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/$pv/$(w get pod raw -o 'jsonpath={.metadata.uid}')
	number=$(stat -c %t:%T "$node")
	start plugin-node-1
	eventually 20 adopted_at_start 0 2
	signal CONT kubelet
	running used
	running raw
	running granted # staged by us, with an attachmentMetadata of which nothing is true
	for pv in used raw granted; do check has_old_data "$pv"; done
	writer used
	writes_on used
	is_as_it_was "adopted"

	# The pods go on; we know of nothing once more.
	size=$(log_size)
	stop plugin-node-1
	forgotten
	writes_on used
	start plugin-node-1
	eventually 20 adopted_at_start "$size" 3
	writes_on used
	is_as_it_was "adopted with its pod"
}
then_the_controller() {
	local name before
	before=$(exports)
	start controller
	eventually 40 leads controller
	same "the gauge" "$(metric nvme_connections_active)" 4
	start provisioner attacher resizer
	same "what is exported" "$(exports)" "$before"
	for name in used raw granted; do
		eventually 20 refuses "$(volume_of "$name")" node-2 # the attacher may be at it
	done
	is_as_it_was "the controller leads"
	writes_on used
}
refuses() { [ "$(publish_code "$1" "$2")" = FAILED_PRECONDITION ]; }
idle_ones_are_served() {
	local name
	for name in idle idle-raw; do pod "$name" "$name"; done
	for name in idle idle-raw; do
		running "$name"
		check has_old_data "$name"
		same "its NQN" "$(nqn_of "$(volume_of "$name")")" "$OLD$(volume_of "$name")"
		check [ -n "$(record_of "$(volume_of "$name")")" ]
	done
	same "the gauge" "$(metric nvme_connections_active)" 6
}
not() { ! "$@"; }
figures() { # NAME PATH: what the kubelet is told
	csi node-1 NodeGetVolumeStats "{\"volume_id\": \"$(volume_of "$1")\", \"volume_path\": \"$2\"}"
}
the_mounted_ones_grow() {
	local name pv
	pv=$(volume_of used)
	figures used "$D/kubelet/pods/$(w get pod used -o 'jsonpath={.metadata.uid}')/volumes/kubernetes.io~csi/$pv/mount" >"$D/figures"
	check grep -qE '"total": *"?10[0-9]{8}' "$D/figures"
	check not grep -q '"abnormal": *true' "$D/figures"
	rm "$D/figures"
	for name in used raw; do
		w patch pvc "$name" --type=merge -p '{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}' >/dev/null
	done
	for name in used raw; do eventually 60 grown "$name"; done
	eventually 30 sees_two_gib
	for name in used raw; do check has_old_data "$name"; done
	is_as_it_was "grown"
	writes_on used
}
grown() { [ "$(claim_size "$1")" = 2Gi ]; }
sees_two_gib() {
	[ "$(run used "df -k /data | awk 'END { print \$2 }'")" -gt 1900000 ] &&
		[ "$(run raw 'blockdev --getsize64 /dev/data')" = 2147483648 ]
}
all_come_off() {
	local name
	k delete volumeattachment "$(attachment_of "$(volume_of away)" node-2)" --timeout=$LONG >/dev/null
	same "the gauge" "$(metric nvme_connections_active)" 5
	w delete pod --all --wait=false >/dev/null
	for name in used raw granted idle idle-raw; do eventually 60 detached "$(volume_of "$name")"; done
	eventually 10 node_is_clean
	same "the gauge" "$(metric nvme_connections_active)" 0
	# From here on like any other: attached once more, the data is there.
	for name in used raw; do pod "$name" "$name"; done
	for name in used raw; do running "$name"; done
	for name in used raw; do check has_old_data "$name"; done
	same "fences" "$(metric 'fences_total{status="success"}')" 0
	w delete pod --all --wait=false >/dev/null
	for name in used raw; do eventually 60 detached "$(volume_of "$name")"; done
}
t_all_is_taken_over() {
	local mount devices node number
	trap 'signal CONT kubelet; all_of_ours' EXIT
	a_cluster_of_the_other
	the_nodes_come_first
	then_the_controller
	idle_ones_are_served
	the_mounted_ones_grow
	all_come_off
	w delete pvc --all --wait=false >/dev/null
	eventually 90 all_is_empty
	k delete storageclass rds-nvme >/dev/null
}
scenario
