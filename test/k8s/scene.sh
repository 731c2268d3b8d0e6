# For the scenarios: what they do again and again. A scenario is a list of tests in bash, each a
# function t_NAME; `scenario` at its end runs them. A test fails at its first failed command or
# check, and the next one begins with whatever it left cleared away.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
w() { k -n work "$@"; }
MODE=${K8S_LAB_KUBERNETES:-on}

where() { # the lines that led here, innermost first
	local i
	for ((i = 2; i < ${#FUNCNAME[@]} - 2; i++)); do
		printf '%s:%s ' "${FUNCNAME[i]}" "${BASH_LINENO[i - 1]}"
	done
}
fail() { # TEXT
	trap - ERR
	echo "      at $(where): $*" >&7 # whatever the command's own output went to
	exit 1
}
check() { # WORD…: the command succeeds
	"$@" || fail "$*"
}
same() { # WHAT IS SHOULD-BE
	[ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}
eventually() { # SECONDS WORD…: until the command succeeds; its output is not shown
	local end=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "not in time: $*"
		sleep 0.2
	done
}
never() { # SECONDS WORD…: the command does not succeed meanwhile
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		! "$@" >/dev/null 2>&1 || fail "came about: $*"
		sleep 0.3
	done
}

# How many times slower than usual this machine is at the moment, which with four labs on two cores needs
# less than half a second to ask the API server something.
slowness() {
	local t0 i
	t0=$(date +%s%N)
	for i in 1 2 3 4 5; do k get --raw /readyz >/dev/null; done
	echo $((1 + ($(date +%s%N) - t0) / 5 / 500000000))
}
within() { # MS BOUND WHAT: a bound for a usual machine
	local slower
	[ "$1" -gt "$2" ] || return 0
	slower=$(slowness)
	[ "$1" -le $(($2 * slower)) ] || fail "$3 took $1 ms, not $2, on a machine $slower times slower than usual"
}

# ---- claims and pods ------------------------------------------------------------------------
claim() { # NAME CLASS MODE SIZE [ACCESS]
	w apply -f - >/dev/null <<-EOF
	{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "$1"}, "spec": {
	 "storageClassName": "$2", "volumeMode": "$3", "accessModes": ["${5:-ReadWriteOnce}"],
	 "resources": {"requests": {"storage": "$4"}}}}
	EOF
}
bound() { w wait --for=jsonpath='{.status.phase}'=Bound --timeout=$((${2:-30} * PATIENCE))s "pvc/$1" >/dev/null || fail "$1 is not bound"; }
volume_of() { w get pvc "$1" -o 'jsonpath={.spec.volumeName}'; }
# A pod that sleeps with the claim: a file system at /data, or the raw device /dev/data.
pod() { # NAME CLAIM [NODE]
	local mode use
	mode=$(w get pvc "$2" -o 'jsonpath={.spec.volumeMode}')
	case $mode in
	Block) use='"volumeDevices": [{"name": "data", "devicePath": "/dev/data"}]' ;;
	*) use='"volumeMounts": [{"name": "data", "mountPath": "/data"}]' ;;
	esac
	w apply -f - >/dev/null <<-EOF
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$1"}, "spec": {
	 ${3:+"\"nodeName\": \"$3\","} "hostNetwork": true, "terminationGracePeriodSeconds": 0,
	 "automountServiceAccountToken": false, "enableServiceLinks": false,
	 "containers": [{"name": "work", "image": "rds-csi.test/busybox:1", "imagePullPolicy": "Never",
	  "command": ["/bin/sleep", "infinity"], $use}],
	 "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "$2"}}]}}
	EOF
}
running() { w wait --for=condition=Ready --timeout=$((${2:-60} * PATIENCE))s "pod/$1" >/dev/null || fail "pod $1 does not run"; }
run() { # POD COMMAND-LINE
	local name=$1
	shift
	w exec "$name" -- sh -c "$*"
}
gone() { # KIND/NAME [SECONDS]
	w wait --for=delete --timeout=$((${2:-60} * PATIENCE))s "$1" >/dev/null || fail "$1 is still there"
}
attachment_of() { # VOLUME [NODE]: name of its VolumeAttachment
	k get volumeattachments -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.source.persistentVolumeName} {.spec.nodeName}{"\n"}{end}' |
		awk -v pv="$1" -v node="${2:-}" '$2 == pv && (node == "" || $3 == node) { print $1 }'
}
detached() { [ -z "$(attachment_of "$1")" ]; }
has_event() { # CLAIM REASON [TEXT]: an Event on the claim
	w get events --field-selector "involvedObject.kind=PersistentVolumeClaim,involvedObject.name=$1,reason=$2" \
		-o 'jsonpath={range .items[*]}{.message}{"\n"}{end}' | grep -F -- "${3:-}" >/dev/null
}
claim_size() { w get pvc "$1" -o 'jsonpath={.status.capacity.storage}'; }

# ---- the box --------------------------------------------------------------------------------
box() { curl -s -m 10 "http://127.0.0.1:2280/$1" "${@:2}"; }
on_box() { box disks | grep -F "\"$1\"" >/dev/null; }
stats() { box stats | grep -oE "\"$1\": *[0-9]+" | grep -oE '[0-9]+$'; }
box_is_empty() { [ "$(stats disks)" = 0 ] && [ "$(stats files)" = 0 ] && [ -z "$(ls "$D/box/exports")" ]; }

metric() { # NAME, or NAME{LABELS}, of the controller; nothing where it is absent
	curl -s -m 5 http://127.0.0.1:9809/metrics | awk -v name="rds_csi_$1" '$1 == name { print $2 }'
}
# Under which NQNs the box exports a volume now.
nqns_of() { ls "$D/box/exports" | grep -F ":$1" || true; }
exports() { ls "$D/box/exports"; }
is_fenced() { nqns_of "$1" | grep -qE ":$1\.g[1-9][0-9]*-[0-9a-f]{8}$"; } # exported again, under a new name

# ---- the nodes ------------------------------------------------------------------------------
csi() { # controller|second|NODE METHOD JSON
	local s=$D/controller/csi.sock
	case $1 in
	second) s=$D/second/csi.sock ;;
	node-1) s=$D/kubelet/plugins/$DRIVER/csi.sock ;;
	node-2) s=$D/node-2/plugins/$DRIVER/csi.sock ;;
	esac
	"$D/rds-csi" call --endpoint "unix://$s" "$2" "$3"
}
# A kubelet's steps on node-2, which has none, for a claim: the directories are a kubelet's.
by_hand() { # stage|publish|unpublish|unstage CLAIM
	local pv va access stage target request top=$D/node-2
	pv=$(volume_of "$2")
	request="\"volume_id\": \"$pv\""
	if [ "$(w get pvc "$2" -o 'jsonpath={.spec.volumeMode}')" = Block ]; then
		stage=$top/plugins/kubernetes.io/csi/volumeDevices/staging/$pv
		target=$top/plugins/kubernetes.io/csi/volumeDevices/publish/$pv/pod
		access='"block": {}'
	else
		stage=$top/plugins/kubernetes.io/csi/$DRIVER/$pv/globalmount
		target=$(data_dir "$2")
		access="\"mount\": {\"fs_type\": \"$(k get pv "$pv" -o 'jsonpath={.spec.csi.fsType}')\"}"
	fi
	case $1 in
	stage | publish)
		va=$(attachment_of "$pv" node-2)
		request="$request, \"staging_target_path\": \"$stage\",
			\"volume_capability\": {$access, \"access_mode\": {\"mode\": \"SINGLE_NODE_WRITER\"}},
			\"volume_context\": $(k get pv "$pv" -o 'jsonpath={.spec.csi.volumeAttributes}'),
			\"publish_context\": $(k get volumeattachment "$va" -o 'jsonpath={.status.attachmentMetadata}')"
		;;
	esac
	case $1 in
	stage)
		in_use node-2 "$pv"
		mkdir -p "$stage"
		csi node-2 NodeStageVolume "{$request}"
		;;
	publish)
		mkdir -p "${target%/*}"
		csi node-2 NodePublishVolume "{$request, \"target_path\": \"$target\"}"
		;;
	unpublish) csi node-2 NodeUnpublishVolume "{$request, \"target_path\": \"$target\"}" ;;
	unstage)
		csi node-2 NodeUnstageVolume "{$request, \"staging_target_path\": \"$stage\"}"
		rm -r "${target%/*}"
		[ ! -d "$stage" ] || rmdir "$stage"
		in_use node-2 "$pv" no
		;;
	esac
} >/dev/null
data_dir() { echo "$D/node-2/pods/$1/volumes/kubernetes.io~csi/$(volume_of "$1")/mount"; } # CLAIM
# The same as its plugin sees it, which has mounts of its own.
seen_by_node_2() { echo "/proc/$(pid_of plugin-node-2)/root$(data_dir "$1")"; }
in_use() { # NODE VOLUME [no]: what the node says is mounted on it
	local list name="kubernetes.io/csi/$DRIVER^$2"
	list=$(k get node "$1" -o 'jsonpath={range .status.volumesInUse[*]}{@}{"\n"}{end}' | grep -vxF "$name" || true)
	[ "${3:-}" = no ] || list="$list"$'\n'"$name"
	k patch node "$1" --subresource=status --type=merge -p \
		"{\"status\": {\"volumesInUse\": [$(echo "$list" | sed '/^$/d; s/.*/"&"/' | paste -sd,)]}}" >/dev/null
}
attach_by_hand() { # VOLUME NODE: a VolumeAttachment as the attach-detach controller makes it; prints its name
	local name
	name=csi-by-hand-$(printf '%s%s%s' "$1" $DRIVER "$2" | sha256sum | cut -d' ' -f1)
	k create -f - >/dev/null <<-EOF
	{"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "$name"},
	 "spec": {"attacher": "$DRIVER", "nodeName": "$2", "source": {"persistentVolumeName": "$1"}}}
	EOF
	echo "$name"
}
is_attached() { [ "$(k get volumeattachment "$1" -o 'jsonpath={.status.attached}')" = true ]; }
attach_error() { k get volumeattachment "$1" -o 'jsonpath={.status.attachError.message}'; }
publish() { # VOLUME NODE: what the controller answers the attacher; status of rds-csi call
	csi controller ControllerPublishVolume "{\"volume_id\": \"$1\", \"node_id\": \"$2\",
		\"volume_capability\": {\"mount\": {\"fs_type\": \"xfs\"}, \"access_mode\": {\"mode\": \"SINGLE_NODE_WRITER\"}},
		\"volume_context\": $(cat "$D/context.$1" 2>/dev/null || k get pv "$1" -o 'jsonpath={.spec.csi.volumeAttributes}')}" 2>&1
}
# The answer's code, as rds-csi call prints it.
publish_code() { { publish "$@" || true; } | sed -nE 's/^(rds-csi call: )?([A-Z_]+):.*/\2/p' | head -1; }
node_ready() { # NODE yes|no
	local is
	is=$(k get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')
	case $2 in yes) [ "$is" = True ] ;; no) [ "$is" != True ] ;; esac
}
# The attacher waits longer after each failure; a change of the object makes it look at once.
poke() { k annotate --overwrite volumeattachment "$1" poke="$(date +%N)" >/dev/null; }

# What the nodes have of volumes: of all, or of one.
loops() { loops_of_box | grep -F -- "${1:-}" || true; }
mounts() { grep -E " $D/(kubelet|node-2)/[^ ]*(kubernetes.io~csi|$DRIVER|volumeDevices)[^ ]*${1:-}" \
	/proc/self/mountinfo "/proc/$(pid_of plugin-node-2)/mountinfo" || true; }
records() { find "$D"/{kubelet,node-2}/plugins/$DRIVER/state -name "*${1:-}*.stage" 2>/dev/null || true; }
node_is_clean() { [ -z "$(loops "$@")$(mounts "$@")$(records "$@")" ]; }
all_is_empty() {
	[ -z "$(k get pv,volumeattachments -o name)" ] && box_is_empty && node_is_clean
}

node_2_is_back() {
	"$(dirname "${BASH_SOURCE[0]}")/node-2"
	start heart
	k taint node node-2 node.kubernetes.io/out-of-service- >/dev/null 2>&1 || true
	eventually 30 node_ready node-2 yes
}
# After a failure.
clear_away() {
	exec 7>&1
	stop plugin-node-2 KILL
	rm -rf "$D"/node-2/pods/* "$D"/node-2/plugins/{kubernetes.io,$DRIVER/state}
	node_2_is_back
	k patch node node-2 --subresource=status --type=merge -p '{"status": {"volumesInUse": []}}' >/dev/null
	rm -f "$D"/context.*
	local va
	w delete pod --all --grace-period=0 --force >/dev/null 2>&1 || true
	for va in $(k get volumeattachments -o name); do
		case $va in */csi-by-hand-*) k delete "$va" --wait=false >/dev/null 2>&1 || true ;; esac
	done
	w delete pvc --all --timeout=$LONG >/dev/null 2>&1 || true
	wait_for 60 "nothing is mounted" no_loops || true # its own mounts begin as a copy of those there are
	start plugin-node-2
	eventually 90 all_is_empty
}
no_loops() { [ -z "$(loops)" ]; }

# One test: its output, then its verdict in one line. Always in the background: in what a
# condition waits for, bash ignores errexit.
one_test() { # NAME
	local began=$SECONDS rc
	set +e
	(
		exec 7>&1
		set -eE
		trap 'fail "status $? of $BASH_COMMAND"' ERR
		"t_$1"
	)
	rc=$?
	echo "$([ $rc = 0 ] && echo passed || echo FAILED) $1 after $((SECONDS - began)) s"
	exit $rc
}
# Runs the tests one after another, or all `at once` where they do not touch the same things.
scenario() {
	local passed=0 failed=0 t pids=() names=()
	for t in $(declare -F | sed -n 's/^declare -f t_//p'); do
		case $t in *"${E2E_K8S_ARGS:-}"*) names+=("$t") ;; esac
	done
	for t in "${names[@]}"; do
		if [ "${1:-}" = at-once ]; then
			one_test "$t" >"$D/said.$t" 2>&1 &
			pids+=($!)
			continue
		fi
		one_test "$t" &
		if wait $!; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			(clear_away) || echo "what $t left cannot be cleared away"
		fi
	done
	for t in "${!pids[@]}"; do
		if wait "${pids[t]}"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
		cat "$D/said.${names[t]}"
		rm "$D/said.${names[t]}"
	done
	[ $failed = 0 ] || [ ${#pids[@]} = 0 ] || (clear_away) || echo "what they left cannot be cleared away"
	echo "passed=$passed failed=$failed" >>"${T_RESULT:-/dev/null}"
	[ $failed = 0 ]
}
