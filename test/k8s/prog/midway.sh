# The leader is stopped in the midst of its work for longer than its Lease lasts. Another leads
# and finishes; the one that slept wakes up with half a plan in its hands and changes nothing.
. "$(dirname "$0")/../fence.sh"

awake() {
	signal CONT controller || true
	stop_second
	controller_as_before
}
# It wakes up, and nothing changes on the box.
wakes_and_changes_nothing() { # SECONDS
	local end
	end=$(history_end)
	signal CONT controller
	never "$1" grew "$end"
	same "what changed on the box" "$(box "history?from=$end")" ""
}
grew() { [ "$(history_end)" != "$1" ]; }
# The sleeper's log since a line number says this.
said_since() { tail -n "+$(($1 + 1))" "$D/log/controller" | grep -F -- "$2" >/dev/null; }

# A call has begun a fence, and waits for it to settle.
pv= # not local: the trap outlives the function
t_paused_while_a_fence_settles() {
	local va start lines said
	trap 'awake; let_go_of "$pv"' EXIT
	controller_with --fence-settle=8s
	start_second
	held midway
	start=$(history_end)
	lines=$(wc -l <"$D/log/controller")
	k delete volumeattachment "$va" --wait=false >/dev/null
	eventually 20 is_fencing "$pv"
	signal STOP controller
	check is_fencing "$pv"
	eventually 20 leads second
	check is_fencing "$pv" # nobody asked for anything yet
	# As the attacher beside it would.
	csi second ControllerUnpublishVolume "{\"volume_id\": \"$pv\", \"node_id\": \"node-2\"}" >/dev/null
	said=$(judge_fences "$pv" "$start")
	same "what the second did" "$said" "1 finished, 2 begun"
	publish_to second "$pv" node-1
	wakes_and_changes_nothing 10
	eventually 10 said_since "$lines" "not sent: this is no longer ours to decide"
	check leads second
	same "what happened since" "$(judge_fences "$pv" "$start")" "$said"
	csi second ControllerUnpublishVolume "{\"volume_id\": \"$pv\", \"node_id\": \"node-1\"}" >/dev/null
	awake
	eventually 60 poked_away "$va"
	in_use node-2 "$pv" no
	w delete pvc midway --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}
# No object says that node-1 has it.
let_go_of() {
	csi controller ControllerUnpublishVolume "{\"volume_id\": \"$1\", \"node_id\": \"node-1\"}" >/dev/null || true
}
publish_to() { # controller|second VOLUME NODE
	csi "$1" ControllerPublishVolume "{\"volume_id\": \"$2\", \"node_id\": \"$3\",
		\"volume_capability\": {\"block\": {}, \"access_mode\": {\"mode\": \"SINGLE_NODE_WRITER\"}},
		\"volume_context\": $(k get pv "$2" -o 'jsonpath={.spec.csi.volumeAttributes}')}" >/dev/null
}

# A round has begun to fence what a vanished node held, and has many more to do.
t_paused_in_a_round() {
	local pv va i start lines n=24 pvs=()
	trap 'awake; node_2_is_back' EXIT
	controller_with --fence-settle=8s
	start_second
	for ((i = 1; i <= n; i++)); do claim "round-$i" rds Block 1Gi; done
	w wait --for=jsonpath='{.status.phase}'=Bound --timeout=$LONG pvc --all >/dev/null
	pvs=($(k get pv -o 'jsonpath={.items[*].metadata.name}'))
	for pv in "${pvs[@]}"; do attach_by_hand "$pv" node-2 >/dev/null; done
	eventually 60 all_attached $n
	start=$(history_end)
	lines=$(wc -l <"$D/log/controller")
	stop heart
	k delete node node-2 --wait=false >/dev/null
	k delete csinode node-2 --wait=false >/dev/null
	eventually 40 some_fencing
	signal STOP controller
	echo "stopped with $(count_fencing) fences begun and $(exports | wc -l) volumes untouched"
	check [ "$(count_fencing)" -gt 0 ]
	check [ "$(exports | wc -l)" -gt 0 ]
	eventually 20 leads second
	eventually 90 no_more_work
	for pv in "${pvs[@]}"; do fenced_once "$pv" "$start" >/dev/null; done
	wakes_and_changes_nothing 15
	check leads second
	eventually 10 said_since "$lines" "leader no more"

	awake
	node_2_is_back
	for ((i = 0; i < 60; i++)); do
		for va in $(k get volumeattachments -o name); do poke "${va#*/}" 2>/dev/null || true; done
		[ -n "$(k get volumeattachments -o name)" ] || break
		sleep 1
	done
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}
all_attached() { [ "$(k get volumeattachments -o 'jsonpath={range .items[*]}{.status.attached}{"\n"}{end}' | grep -c true)" = "$1" ]; }
count_fencing() { box disks | grep -o ' s=fencing ' | wc -l; }
some_fencing() { [ "$(count_fencing)" -gt 0 ]; }
no_more_work() { [ -z "$(exports)" ] && ! some_fencing; }
scenario
