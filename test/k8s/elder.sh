# On top of fence.sh and extra.sh, for the scenarios about the move from the driver written in Go
# and back: a cluster as that one leaves it, and what it does itself, done by hand. Its node plugin
# reads the volume_context alone, makes the NQN of the volume's id, and keeps nothing on record.
OLD=nqn.2000-02.com.mikrotik:
ZONE=topology.$DRIVER/zone
PLUGIN=topology.$DRIVER/plugin

ros() { # LINE: on the box, which must say nothing
	local said
	said=$(box exec -X POST --data-binary "$1")
	[ -z "$said" ] || fail "the box said '$said' to: $1"
}
old_class() { # the one of its chart
	k apply -f - >/dev/null <<-END
	{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "rds-nvme"}, "provisioner": "$DRIVER",
	 "allowVolumeExpansion": true, "volumeBindingMode": "Immediate", "reclaimPolicy": "Delete", "parameters": {
	  "csi.storage.k8s.io/fstype": "ext4", "nvmeAddress": "127.0.0.1", "nvmePort": "4420", "volumePath": "/storage-pool/metal-csi"}}
	END
}
old_context() { # VOLUME: its volume_context, with what the provisioner adds
	echo "{\"rdsAddress\": \"127.0.0.1\", \"nvmeAddress\": \"127.0.0.1\", \"nvmePort\": \"4420\",
	 \"nqn\": \"$OLD$1\", \"volumePath\": \"/storage-pool/metal-csi/$1.img\", \"ctrlLossTmo\": \"-1\",
	 \"reconnectDelay\": \"5\", \"keepAliveTmo\": \"0\", \"migrationTimeoutSeconds\": \"300\",
	 \"storage.kubernetes.io/csiProvisionerIdentity\": \"1771000000000-8081-$DRIVER\"}"
}
# A claim and its volume of 1 GiB, made while no provisioner of ours runs.
old_volume() { # NAME MODE FS
	local pv uid
	claim "$1" rds-nvme "$2" 1Gi
	uid=$(w get pvc "$1" -o 'jsonpath={.metadata.uid}')
	pv=pvc-$uid
	ros "/disk add type=file file-path=/storage-pool/metal-csi/$pv.img file-size=1G slot=$pv nvme-tcp-export=yes nvme-tcp-server-port=4420 nvme-tcp-server-nqn=$OLD$pv"
	k create -f - >/dev/null <<-END
	{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "$pv",
	  "finalizers": ["kubernetes.io/pv-protection"], "annotations": {
	   "pv.kubernetes.io/provisioned-by": "$DRIVER", "volume.kubernetes.io/provisioner-deletion-secret-name": "",
	   "volume.kubernetes.io/provisioner-deletion-secret-namespace": ""}},
	 "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "volumeMode": "$2",
	  "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "rds-nvme",
	  "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "work", "name": "$1", "uid": "$uid"},
	  "csi": {"driver": "$DRIVER", "volumeHandle": "$pv", "fsType": "$3", "volumeAttributes": $(old_context "$pv")}}}
	END
	bound "$1"
	old_data "$1" "$2" "$3"
}
# What it holds, from long ago; its sum in $D/sum.NAME.
old_data() { # NAME MODE FS
	local at device image
	image=$(readlink -f "$D/box/exports/$OLD$(volume_of "$1")")
	at=$(mktemp -d "$D/old.XXXXXX")
	dd if=/dev/urandom of="$at.data" bs=1M count=8 2>/dev/null
	sha256sum <"$at.data" >"$D/sum.$1"
	device=$(losetup --find --show "$image")
	if [ "$2" = Block ]; then
		dd if="$at.data" of="$device" bs=1M seek=4 conv=fsync 2>/dev/null
	else
		"mkfs.$3" -q "$device"
		mount -t "$3" "$device" "$at"
		cp "$at.data" "$at/file"
		umount "$at"
	fi
	losetup -d "$device"
	rm "$at.data"
	rmdir "$at"
}
has_old_data() { # NAME: its pod NAME reads what it held
	case $(w get pvc "$1" -o 'jsonpath={.spec.volumeMode}') in
	Block) run "$1" 'dd if=/dev/data bs=1M count=8 skip=4 2>/dev/null | sha256sum' ;;
	*) run "$1" 'sha256sum </data/file' ;;
	esac | cmp -s - "$D/sum.$1"
}

# A line every tenth of a second, each synced.
writer() {
	run "$1" '(i=0; while sleep 0.1; do i=$((i + 1)); { echo $i >>/data/log && sync; } || echo $i >>/data/bad; done) >/dev/null 2>&1 &'
}
lines() { run "$1" 'wc -l </data/log 2>/dev/null || echo 0'; }
writes_on() { # POD
	local before
	before=$(lines "$1")
	eventually 15 more_lines "$1" "$((before + 3))"
	same "lines that are missing" "$(run "$1" "awk '\$1 != NR' /data/log; cat /data/bad 2>/dev/null || true")" ""
}
more_lines() { [ "$(lines "$1")" -ge "$2" ]; }

# ---- its controller and its attacher --------------------------------------------------------
# What it answers to an attach, at its worst: a port that it could not read, a file system that
# nobody asked for, and an NQN with a blank where the box had wrapped the line.
old_attached() { # NAME NODE: the VolumeAttachment is there, and it answers
	local pv va
	pv=$(volume_of "$1")
	eventually 30 attachment_of_some "$pv" "$2"
	va=$(attachment_of "$pv" "$2")
	k patch volumeattachment "$va" --type=merge -p "{\"metadata\": {
		\"annotations\": {\"csi.alpha.kubernetes.io/node-id\": \"$2\"},
		\"finalizers\": [\"external-attacher/${DRIVER//./-}\"]}}" >/dev/null
	k patch pv "$pv" --type=merge -p "{\"metadata\": {
		\"annotations\": {\"$DRIVER/attached-node\": \"$2\", \"$DRIVER/attached-at\": \"2026-02-18T10:00:00Z\"},
		\"finalizers\": [\"kubernetes.io/pv-protection\", \"external-attacher/${DRIVER//./-}\"]}}" >/dev/null
	k patch volumeattachment "$va" --subresource=status --type=merge -p "{\"status\": {\"attached\": true,
		\"attachmentMetadata\": {\"nvme_address\": \"127.0.0.1\", \"nvme_port\": \"0\",
		 \"nvme_nqn\": \"$OLD${pv:0:20} ${pv:20}\", \"fs_type\": \"ext4\"}}}" >/dev/null
}
attachment_of_some() { [ -n "$(attachment_of "$@")" ]; }
# It says yes to every detach, and touches nothing on the box.
old_detached() { # NAME NODE
	local va
	va=$(attachment_of "$(volume_of "$1")" "$2")
	eventually 60 is_being_deleted "$va"
	k patch volumeattachment "$va" --type=merge -p '{"metadata": {"finalizers": null}}' >/dev/null
}
is_being_deleted() { [ -n "$(k get volumeattachment "$1" -o 'jsonpath={.metadata.deletionTimestamp}')" ]; }

# ---- its node plugin ------------------------------------------------------------------------
# What a node's kubelet would have written of its plugin. An entry cannot be changed, only taken
# away and made anew.
entry() { # NODE KEY…
	local node=$1
	shift
	k patch csinode "$node" --type=merge -p '{"spec": {"drivers": []}}' >/dev/null
	k patch csinode "$node" --type=merge -p "{\"spec\": {\"drivers\": [{\"name\": \"$DRIVER\", \"nodeID\": \"$node\",
		\"topologyKeys\": [$(printf '"%s"\n' "$@" | paste -sd,)]}]}}" >/dev/null
}
too_old() { attach_error "$1" | grep 'upgrade the node plugin' >/dev/null; }
# The controller's watch brings it a changed entry in its own time; until then it grants what the old one allowed.
attach_refused() { # VOLUME NODE: its VolumeAttachment, refused, in $va
	local end=$((SECONDS + 30 * PATIENCE))
	while :; do
		va=$(attach_by_hand "$1" "$2")
		eventually 30 is_answered "$va"
		! too_old "$va" || return 0
		check [ $SECONDS -lt $end ]
		k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	done
}
is_answered() { too_old "$1" || is_attached "$1"; }
asked_and_attached() { # VOLUMEATTACHMENT
	! is_attached "$1" || return 0
	poke "$1"
	sleep 1
	return 1
}
keys_of() { k get csinode "$1" -o "jsonpath={range .spec.drivers[?(@.name==\"$DRIVER\")].topologyKeys[*]}{@}{\"\n\"}{end}" 2>/dev/null | sort | paste -sd' '; }
has_keys() { [ "$(keys_of "$1")" = "$PLUGIN $ZONE" ]; }
has_none() { [ -z "$(keys_of "$1")" ]; }
# node-1 has its plugin, as far as anybody can tell. What ours has on record there stays.
old_node_1() {
	stop plugin-node-1
	eventually 30 has_none node-1
	entry node-1 "$ZONE"
}
# Ours takes its place. The other one's entry is still there when ours registers, as when it was
# changed while the kubelet was down: the kubelet's first try fails and takes the entry away, the
# next succeeds.
new_node_1() {
	local starts=0 end=$((SECONDS + 60 * PATIENCE))
	until has_keys node-1; do
		check [ $SECONDS -lt $end ]
		if ! pid_of plugin-node-1 >/dev/null; then # as a kubelet restarts a container
			start plugin-node-1
			starts=$((starts + 1))
		fi
		sleep 0.5
	done
	echo "registered after $starts starts"
}
old_stage_dir() { # VOLUME
	echo "$D/kubelet/plugins/kubernetes.io/csi/$DRIVER/$(printf %s "$1" | sha256sum | cut -d' ' -f1)"
}
# Staged and published on node-1 for the pod of its name, with what a kubelet notes beside.
# A device stands under the NQN that the id makes, or it fails.
old_mount() { # NAME
	local pv uid device stage target
	pv=$(volume_of "$1")
	uid=$(w get pod "$1" -o 'jsonpath={.metadata.uid}')
	device=$(losetup --find --show "$(readlink -e "$D/box/exports/$OLD$pv")") || fail "no $OLD$pv"
	if [ "$(w get pvc "$1" -o 'jsonpath={.spec.volumeMode}')" = Block ]; then
		old_raw "$pv" "$uid" "$device"
		return
	fi
	stage=$(old_stage_dir "$pv")
	target=$D/kubelet/pods/$uid/volumes/kubernetes.io~csi/$pv
	mkdir -p "$stage/globalmount" "$target/mount"
	echo "{\"driverName\":\"$DRIVER\",\"volumeHandle\":\"$pv\"}" >"$stage/vol_data.json"
	old_vol_data "$pv" >"$target/vol_data.json"
	mount -t "$(k get pv "$pv" -o 'jsonpath={.spec.csi.fsType}')" "$device" "$stage/globalmount"
	mount --bind "$stage/globalmount" "$target/mount"
	mount -o remount,bind,nosuid,nodev,noexec "$target/mount"
}
old_vol_data() { # VOLUME
	echo "{\"attachmentID\":\"$(attachment_of "$1" node-1)\",\"driverName\":\"$DRIVER\",\"nodeName\":\"node-1\",\"specVolID\":\"$1\",\"volumeHandle\":\"$1\",\"volumeLifecycleMode\":\"Persistent\"}"
}
old_raw() { # VOLUME POD-UID DEVICE
	local top=$D/kubelet/plugins/kubernetes.io/csi/volumeDevices
	mkdir -p "$top/staging/$1" "$top/publish/$1" "$top/$1/data" "$top/$1/dev"
	old_vol_data "$1" >"$top/$1/data/vol_data.json"
	mknod "$top/publish/$1/$2" b "$(stat -c '0x%t' "$3")" "$(stat -c '0x%T' "$3")"
}
old_unmount() { # VOLUME POD-UID: unpublished, unstaged, disconnected
	local device stage
	stage=$(old_stage_dir "$1")
	device=$(findmnt -n -o SOURCE "$stage/globalmount")
	umount "$D/kubelet/pods/$2/volumes/kubernetes.io~csi/$1/mount"
	umount "$stage/globalmount"
	losetup -d "$device"
}
# The mount's id and device as the kernel has them: another mount would have another.
mount_of() { # VOLUME
	awk -v at="$(old_stage_dir "$1")/globalmount" '$5 == at { print $1, $3 }' /proc/self/mountinfo
}
