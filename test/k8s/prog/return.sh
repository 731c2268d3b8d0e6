# node-2 was not ready, and is again just when its volumes are detached. What it still uses is
# fenced all the same; what it has let go may go either way.
. "$(dirname "$0")/../fence.sh"

# Some of the objects go before it is back, some after, some just then.
t_ready_again_and_in_use() {
	local pv va i start n=6 pvs=() vas=()
	for ((i = 0; i < n; i++)); do
		held "return-$i"
		pvs+=("$pv")
		vas+=("$va")
	done
	start=$(history_end)
	trap 'start heart' EXIT
	lose_node_2
	for ((i = 0; i < n; i++)); do
		[ $i != 2 ] || start heart
		[ $i != 4 ] || eventually 30 node_ready node-2 yes
		k delete volumeattachment "${vas[i]}" --wait=false >/dev/null
	done
	for ((i = 0; i < n; i++)); do
		eventually 40 detached "${pvs[i]}"
		fenced_once "${pvs[i]}" "$start"
		in_use node-2 "${pvs[i]}" no
	done
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}

# Its kubelet has unmounted before it said that it is ready, or right after.
t_ready_again_and_let_go() {
	local pv va first second start other
	held let-go-1
	first=$pv
	other=$va
	held let-go-2
	second=$pv
	start=$(history_end)
	trap 'start heart' EXIT
	lose_node_2
	in_use node-2 "$first" no
	k delete volumeattachment "$other" --wait=false >/dev/null # while not ready: no proof of anything
	eventually 30 detached "$first"
	fenced_once "$first" "$start"
	start heart
	eventually 30 node_ready node-2 yes
	in_use node-2 "$second" no
	k delete volumeattachment "$va" --wait=false >/dev/null
	eventually 30 detached "$second"
	judge_fences "$second" "$start"
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}

# Mounted a moment ago: the controller's watch may not have told it yet.
t_used_a_moment_ago() {
	local pv va i start
	for i in 1 2 3 4; do
		claim "moment-$i" rds Block 1Gi
		bound "moment-$i"
		pv=$(volume_of "moment-$i")
		va=$(attach_by_hand "$pv" node-2)
		eventually 30 is_attached "$va"
		start=$(history_end)
		in_use node-2 "$pv"
		k delete volumeattachment "$va" --wait=false >/dev/null
		eventually 30 detached "$pv"
		fenced_once "$pv" "$start"
		in_use node-2 "$pv" no
	done
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}
scenario
