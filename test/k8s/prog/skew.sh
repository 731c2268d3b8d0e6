# Two versions at a time: the controller of the driver written in Go with our node plugin, our
# controller with its node plugin, and the way back to it after volumes were made and fenced by us.
. "$(dirname "$0")/../fence.sh"
. "$(dirname "$0")/../extra.sh"
. "$(dirname "$0")/../elder.sh"

controller_off() {
	stop provisioner
	stop resizer
	stop attacher
	stop controller
}
controller_on() {
	start controller
	eventually 40 leads controller
	start provisioner attacher resizer
}
as_before() {
	signal CONT kubelet || true
	start controller provisioner attacher resizer
	has_keys node-1 || new_node_1
	entry node-2 "$ZONE" "$PLUGIN"
	k delete storageclass rds-nvme rds-flat --ignore-not-found >/dev/null
}
no_pod() { # NAME
	w delete pod "$1" --wait=false >/dev/null
	gone "pod/$1"
}
end_of_all() {
	w delete pod --all --wait=false >/dev/null
	w delete pvc --all --wait=false >/dev/null
	eventually 90 all_is_empty
}

# Our node plugin reads the volume_context: the other controller's publish_context is wrong in all
# but the address. And it leaves the box alone.
t_its_controller_our_node() {
	local pv before round
	trap as_before EXIT
	controller_off
	old_class
	old_volume under Filesystem xfs
	pv=$(volume_of under)
	before=$(disk_of "$pv")
	for round in 1 2; do
		pod under under node-1
		old_attached under node-1
		running under
		check has_old_data under
		run under 'echo round >>/data/rounds && sync'
		same "the rounds" "$(run under 'wc -l </data/rounds')" $round
		no_pod under
		old_detached under node-1
		eventually 30 detached "$pv"
		check node_is_clean "$pv"
	done
	same "the disk" "$(disk_of "$pv")" "$before"
	controller_on
	end_of_all
}

fence_from_node_2() { # NAME: its volume is detached there while in use
	local pv va
	pv=$(volume_of "$1")
	va=$(attach_by_hand "$pv" node-2)
	eventually 30 is_attached "$va"
	in_use node-2 "$pv"
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	in_use node-2 "$pv" no
	check is_renamed "$pv"
	same "what is exported" "$(nqns_of "$pv")" ""
}
is_renamed() { nqn_of "$1" | grep -qE '\.g1-[0-9a-f]{8}$'; }
old_sees_data() { # NAME: under the mount that its node plugin made
	sha256sum <"$(old_stage_dir "$(volume_of "$1")")/globalmount/file" | cmp -s - "$D/sum.$1"
}

# Its node plugin makes the NQN of the id. So it is given what bears that NQN, and not what was
# fenced; and what it has mounted is ours when our plugin comes.
t_our_controller_its_node() {
	local pv cut va mount
	trap as_before EXIT
	stop provisioner
	old_class
	old_volume plain Filesystem xfs
	old_volume cut Block ''
	start provisioner
	pv=$(volume_of plain) cut=$(volume_of cut)
	old_node_1
	pod plain plain node-1
	eventually 30 attached_to "$pv" node-1
	same "what is exported of it" "$(nqns_of "$pv")" "$OLD$pv"
	signal STOP kubelet
	old_mount plain
	check old_sees_data plain
	mount=$(mount_of "$pv")
	start plugin-node-1
	eventually 20 adopted_is "$pv"
	signal CONT kubelet
	new_node_1
	running plain
	check has_old_data plain
	same "the mount" "$(mount_of "$pv")" "$mount"

	fence_from_node_2 cut
	entry node-2 "$ZONE"
	attach_refused "$cut" node-2
	eventually 10 has_event cut NodePluginTooOld node-2
	same "what is exported of it" "$(nqns_of "$cut")" ""
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	pod cut cut node-1
	running cut
	check has_old_data cut
	end_of_all
}
adopted_is() { [ -n "$(records "$1")" ]; }

export_all() { # WORD…: with the controller's own flags; its status in $D/status
	sed '$s,rds-csi --controller ,rds-csi export-all ,; $s,$, "$@",' "$D/cmd/controller" >"$D/export-all"
	{ bash "$D/export-all" "$@" 2>&1 || echo "status $?"; } >"$D/said-export-all"
	cat "$D/said-export-all"
}
said() { grep -qF -- "$1" "$D/said-export-all"; } # TEXT

# kept: its volume, used by a pod all the while. cut: its volume, fenced by us. mine: made by us.
three_volumes() {
	stop provisioner
	old_class
	old_volume kept Filesystem xfs
	old_volume cut Filesystem xfs
	start provisioner
	k apply -f - >/dev/null <<-END
	{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "rds-flat"}, "provisioner": "$DRIVER",
	 "volumeBindingMode": "Immediate", "parameters": {"layout": "file", "csi.storage.k8s.io/fstype": "xfs"}}
	END
	claim mine rds-flat Filesystem 1Gi
	bound mine
	fence_from_node_2 cut
	for name in kept cut mine; do pod "$name" "$name" node-1; done
	for name in kept cut mine; do running "$name"; done
	run mine 'dd if=/dev/urandom of=/data/file bs=1M count=8 2>/dev/null && sync && sha256sum </data/file' >"$D/sum.mine"
	for name in kept cut; do check has_old_data "$name"; done
	writer kept
	writes_on kept
}
exports_come_on() {
	local before
	before=$(exports)
	export_all
	check said "$(volume_of kept): was exported"
	check said "$(volume_of mine): would be exported"
	check said "$(volume_of cut): left: it was fenced"
	same "what is exported" "$(exports)" "$before"
	export_all --yes
	check said "$(volume_of mine): exported"
	check said "status 1"
	same "what is exported of mine" "$(nqns_of "$(volume_of mine)")" "$OLD$(volume_of mine)"
	same "what is exported of cut" "$(nqns_of "$(volume_of cut)")" ""
	export_all --yes "--even=$(volume_of cut)"
	check said "$(volume_of cut): exported"
	check not said status
	same "what is exported of cut" "$(nqns_of "$(volume_of cut)")" "$OLD$(volume_of cut)"
}
not() { ! "$@"; }
t_and_back() {
	local name mount
	trap as_before EXIT
	three_volumes
	mount=$(mount_of "$(volume_of kept)")
	# What bears a name of ours must be let go of by us.
	for name in cut mine; do no_pod "$name"; done
	for name in cut mine; do eventually 60 detached "$(volume_of "$name")"; done
	controller_off
	exports_come_on

	old_node_1
	for name in cut mine; do
		pod "$name" "$name" node-1
		old_attached "$name" node-1
	done
	signal STOP kubelet
	for name in cut mine; do
		old_mount "$name"
		check old_sees_data "$name"
	done
	same "the mount" "$(mount_of "$(volume_of kept)")" "$mount"

	# And here again.
	start plugin-node-1
	for name in kept cut mine; do eventually 20 adopted_is "$(volume_of "$name")"; done
	signal CONT kubelet
	new_node_1
	for name in cut mine; do running "$name"; done
	for name in kept cut mine; do check has_old_data "$name"; done
	writes_on kept
	same "the mount" "$(mount_of "$(volume_of kept)")" "$mount"
	controller_on
	same "the gauge" "$(metric nvme_connections_active)" 3
	end_of_all
	same "fences" "$(metric 'fences_total{status="success"}')" 0
}
scenario
