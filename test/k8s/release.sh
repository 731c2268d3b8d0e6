# For scenarios, on top of scene.sh, in a lab that `pods` has furnished: a release of the chart, by helm.
RELEASE=rds
CHART=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../charts/rds-csi-driver
MODE=on

# The values of every release here: the lab's addresses and images, and loop devices for NVMe. A machine
# that lacks CAP_SYS_RESOURCE grows no mounted ext4: xfs.
values() {
	local name sidecars=
	for name in provisioner attacher resizer; do
		sidecars+="${sidecars:+, }\"$name\": {\"image\": {\"repository\": \"rds-csi.test/csi-$name\", \"tag\": \"lab\"}}"
	done
	cat <<-END
	{"rds": {"managementIP": "box.rds.test", "storageIP": "10.98.0.1", "sshPort": 2222, "sshUser": "admin", "nvmePort": 4420},
	 "controller": {"image": {"repository": "localhost/rds-csi-controller", "tag": "lab"}},
	 "node": {"image": {"repository": "localhost/rds-csi-node", "tag": "lab"}, "kubeletPath": "$D/kubelet",
	  "extraArgs": ["--node-backend=loop", "--loop-exports=$D/box/exports", "--kubelet-registration=on"],
	  "extraVolumes": [{"name": "box", "hostPath": {"path": "$D/box", "type": "Directory"}}],
	  "extraVolumeMounts": [{"name": "box", "mountPath": "$D/box"}]},
	 "sidecars": {$sidecars},
	 "storageClasses": [{"name": "rds-nvme", "fsType": "xfs"}]}
	END
}
h() { HOME=$D KUBECONFIG=$D/admin.kubeconfig helm "$@" --namespace $NS; }
release() { # install|upgrade [WORD…]: until everything runs
	values >"$D/values.json"
	h "$1" $RELEASE "$CHART" -f "$D/values.json" --wait --timeout $LONG "${@:2}" >/dev/null
	# Helm calls a DaemonSet ready that lacks as many pods as an update may take away.
	k -n $NS rollout status daemonset --timeout $LONG >/dev/null
}
pod_of() { # controller|node: its pod that is not on its way out
	k -n $NS get pods -l "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component=$1" \
		-o 'jsonpath={range .items[*]}{.metadata.deletionTimestamp}{"x "}{.metadata.name}{"\n"}{end}' |
		awk '$1 == "x" { print $2 }'
}
# "CONTAINER PID" of each container of a pod of ours, as the lab counts processes.
containers() { # controller|node
	local pod name id
	pod=$(pod_of "$1")
	k -n $NS get pod "$pod" \
		-o 'jsonpath={range .status.containerStatuses[*]}{.name} {.containerID}{"\n"}{end}' |
		while read -r name id; do
			echo "$name $(ctr -a "$D/containerd/sock" -n k8s.io task ls | awk -v id="${id#*://}" '$1 == id { print $2 }')"
		done
}
driver_pid() { containers "$1" | awk '$1 == "rds-csi-driver" { print $2 }'; }
log_of() { k -n $NS logs "$(pod_of "$1")" -c rds-csi-driver "${@:2}"; }
metric() { # NAME of the controller
	curl -s -m 5 "http://$(k -n $NS get pod "$(pod_of controller)" -o 'jsonpath={.status.podIP}'):9809/metrics" |
		awk -v name="rds_csi_$1" '$1 == name { print $2 }'
}
mounts() {
	grep -E " $D/kubelet/[^ ]*(kubernetes.io~csi|$DRIVER|volumeDevices)[^ ]*${1:-}" /proc/self/mountinfo || true
}
# After a failure.
clear_away() {
	exec 7>&1
	w delete pod --all --grace-period=0 --force >/dev/null 2>&1 || true
	w delete pvc --all --timeout=$LONG >/dev/null 2>&1 || true
	eventually 60 all_is_empty
}
