# For the scenarios about nodes that are lost, on top of scene.sh: raw blocks on node-2 (on one
# machine two nodes could not both mount a file system), the box's own history as the judge, and
# a second controller.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
SYNC=${K8S_LAB_SYNC:-10} # s between two looks of the attach-detach controller

# A pod on node-2 with claims NAME-1 … NAME-N, staged and published there by hand. Leaves in
# volumes and devices what another pod with the same claims needs.
on_node_2() { # NAME N
	local i pv
	some_claims "$1" "$2"
	pod_with "$1-old" node-2
	for ((i = 1; i <= $2; i++)); do
		pv=$(volume_of "$1-$i")
		eventually 60 attached_to "$pv" node-2
		by_hand stage "$1-$i"
		by_hand publish "$1-$i"
	done
	w patch pod "$1-old" --subresource=status --type=merge -p '{"status": {"phase": "Running"}}' >/dev/null
}
some_claims() { # NAME N
	local i
	volumes= devices=
	for ((i = 1; i <= $2; i++)); do
		claim "$1-$i" rds Block 1Gi
		volumes+="${volumes:+, }{\"name\": \"v$i\", \"persistentVolumeClaim\": {\"claimName\": \"$1-$i\"}}"
		devices+="${devices:+, }{\"name\": \"v$i\", \"devicePath\": \"/dev/v$i\"}"
	done
	w wait --for=jsonpath='{.status.phase}'=Bound --timeout=$LONG pvc --all >/dev/null
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
refused() { attach_error "$1" | grep -q FailedPrecondition; } # VOLUMEATTACHMENT
lose_node_2() {
	stop heart
	eventually 60 node_ready node-2 no
}
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

# A volume that node-2 uses, without a pod: held NAME; then its volume is $pv, and $va says so.
held() { # NAME
	claim "$1" rds Block 1Gi
	bound "$1"
	pv=$(volume_of "$1")
	va=$(attach_by_hand "$pv" node-2)
	eventually 30 is_attached "$va"
	in_use node-2 "$pv"
}
# The volume goes to node-1, is given back, and nothing is left.
end_of_held() { # NAME VOLUME VOLUMEATTACHMENT-OF-NODE-1
	check attached_to "$2" node-1
	eventually 30 poked_away "$(attachment_of "$2" node-2)"
	k delete volumeattachment "$3" --timeout=$LONG >/dev/null
	in_use node-2 "$2" no
	w delete pvc "$1" --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}
poked_away() { # VOLUMEATTACHMENT, if any: being deleted
	[ -z "$1" ] || ! poke "$1" 2>/dev/null || { sleep 0.5; return 1; }
}
# Meanwhile the attacher asks again and again, as it would with less patience.
soon_attached() { # SECONDS VOLUMEATTACHMENT
	local end=$((SECONDS + $1 * PATIENCE)) other
	until is_attached "$2"; do
		[ $SECONDS -lt $end ] || fail "not attached in time: $(attach_error "$2")"
		for other in $(k get volumeattachments -o name); do poke "${other#*/}" 2>/dev/null || true; done
		sleep 1
	done
}

# ---- what the box saw -----------------------------------------------------------------------
history_end() { box history | wc -l; }
is_fencing() { box disks | tr '{' '\n' | grep -F "\"slot\":\"$1\"" | grep -q ' s=fencing '; }
# All changes of a volume since then: whoever was cut off was cut off whole before anybody else
# was let in. Off, then 2 s, then a name that was never there, then the record; and no export
# before that. Says how many fences were finished, and how often one was begun.
judge_fences() { # VOLUME FROM [off]: it was not exported then
	box "history?from=$2" | awk -v slot="$1" -v off="${3:+1}" -v settle="${SETTLE_MS:-2000}" '
		function field(name) {
			return match($0, "\"" name "\":\"[^\"]*\"") ? \
				substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5) : ""
		}
		function bad(text) { print "BAD: " text ": " $0; n_bad++ }
		function holder(comment) { return match(comment, / h=[^ ]*/) ? substr(comment, RSTART + 3, RLENGTH - 3) : "" }
		index($0, "\"slot\":\"" slot "\"") == 0 || field("op") != "set" { next }
		{ match($0, /"t":[0-9]+/); t = substr($0, RSTART + 4, RLENGTH - 4); new = field("new"); old = field("old") }
		field("prop") == "nvme-tcp-export" {
			if (new == "yes" && fencing) bad("exported before its fence was finished")
			if (new == "no") { off = 1; since = t } else off = 0
		}
		field("prop") == "nvme-tcp-server-nqn" {
			if (fencing && !off) bad("renamed while exported")
			if (fencing && t - since < settle) bad("renamed after " t - since " ms")
			if (new in names) bad("an old name")
			names[old]; names[new]; renamed = 1
		}
		field("prop") == "comment" && new ~ / s=fencing / {
			if (!fencing) renamed = 0
			fencing = 1; since = t; begun++
		}
		field("prop") == "comment" && new ~ / s=ok / {
			if (fencing && (!off || !renamed)) bad("called cut off too early")
			if (!fencing && holder(old) != "-" && holder(new) != "-" && holder(old) != holder(new)) bad("handed over")
			if (fencing) finished++
			fencing = 0
		}
		END { printf "%d finished, %d begun\n", finished, begun; exit n_bad > 0 || fencing }'
}
fenced_once() { # VOLUME FROM: at least one begin, one end
	local said
	said=$(judge_fences "$1" "$2") || fail "$said"
	echo "fences: $said"
	same "how many fences were finished" "${said%% *}" 1
}

# ---- controllers ----------------------------------------------------------------------------
controller_with() { # FLAG…: from here on; PROGRAM: another than rds-csi
	[ -e "$D/controller.before" ] || cp "$D/cmd/controller" "$D/controller.before"
	stop controller
	sed "\$s/\$/ $*/; s,$D/rds-csi ,${PROGRAM:-$D/rds-csi} ," "$D/controller.before" >"$D/cmd/controller"
	start controller
	eventually 40 leads controller
}
controller_as_before() {
	[ -e "$D/controller.before" ] || return 0
	stop controller
	mv "$D/controller.before" "$D/cmd/controller"
	chmod +x "$D/cmd/controller"
	start controller
	eventually 40 leads controller
}
# A call that only the leader answers, and that changes nothing: the volume is not there.
ask() { # controller|second
	timeout $((20 * PATIENCE)) "$D/rds-csi" call --endpoint "unix://$D/$1/csi.sock" ControllerUnpublishVolume \
		'{"volume_id": "pvc-00000000-0000-4000-8000-000000000000", "node_id": "node-2"}'
}
leads() { ask "$1" >/dev/null 2>&1; }
# One like the first, which no sidecar knows.
start_second() {
	mkdir -p "$D/second"
	sed "s,$D/controller/csi.sock,$D/second/csi.sock,; s,127.0.0.1:9809,127.0.0.1:9909," "$D/cmd/controller" >"$D/cmd/second"
	chmod +x "$D/cmd/second"
	start second
	eventually 10 test -S "$D/second/csi.sock"
}
stop_second() {
	signal CONT second || true
	stop second || true
}
