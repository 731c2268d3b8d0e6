# The kubelet of node-1 is silent while its pod goes on. The pod is deleted by force, and after
# six minutes the attach-detach controller no longer waits for the node to let go: what it then
# asks for is a fence, and the other node gets the volume under another name.
. "$(dirname "$0")/../fence.sh"

said_nqn() { k get volumeattachment "$1" -o 'jsonpath={.status.attachmentMetadata.nvme_nqn}'; }
silent() {
	trap 'start kubelet' EXIT
	stop kubelet
	eventually 60 node_ready node-1 no
}

t_forced_detach() {
	local volumes devices before from start pv va
	some_claims forced 1
	pv=$(volume_of forced-1)
	pod_with forced-old node-1
	running forced-old
	before=$(exports)
	same "the name that the holder was told" "$(said_nqn "$(attachment_of "$pv" node-1)")" "$before"
	start=$(history_end)
	silent
	from=$SECONDS
	w delete pod forced-old --force --grace-period=0 >/dev/null 2>&1
	pod_with forced-new node-2
	never $((from + 335 - SECONDS)) changed "$before" # nobody has asked for anything yet
	eventually 90 is_fenced "$pv"
	echo "fenced $((SECONDS - from)) s after the pod was deleted by force"
	check not_exported_as $before
	eventually $((30 + SYNC)) attached_to "$pv" node-2
	va=$(attachment_of "$pv" node-2)
	echo "the other node had it $((SECONDS - from)) s after"
	same "the name that the next holder was told" "$(said_nqn "$va")" "$(exports)"
	fenced_once "$pv" "$start"
	check has_event forced-1 NodeFenced "Cut off from the volume: node-1"
	same "what the lost node is told" "$(publish_code "$pv" node-1)" FAILED_PRECONDITION

	# node-2 does not stage it: on one machine both have the same loop device, which goes now.
	check has_record "$pv"
	start kubelet
	eventually 60 node_ready node-1 yes
	before=$(exports)
	eventually 90 kubelet_has_let_go "$pv"
	same "what is exported after its return" "$(exports)" "$before"
	w delete pod forced-new --force --grace-period=0 >/dev/null 2>&1
	w delete pvc --all --wait=false >/dev/null
	eventually 90 all_is_empty
}
has_record() { [ -e "$D/kubelet/plugins/$DRIVER/state/$1.stage" ]; }
kubelet_has_let_go() { ! has_record "$1"; }
scenario
