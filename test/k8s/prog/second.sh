# A volume for one node is wanted on a second one. The attach-detach controller would never ask
# for that as long as it remembers the first; somebody with rights does, or a controller that
# has forgotten.
. "$(dirname "$0")/../scene.sh"

t_refused_then_granted() {
	local pv first second error from took conflicts
	claim second rds Filesystem 1Gi
	bound second
	pv=$(volume_of second)
	pod second second
	running second
	[ "$MODE" = off ] || same "the gauge" "$(metric nvme_connections_active)" 1
	run second 'echo of node-1 >/data/file && sync'
	conflicts=$(metric attachment_conflicts_total)
	first=$(attachment_of "$pv")

	second=$(attach_by_hand "$pv" node-2)
	eventually 30 refused "$second"
	error=$(attach_error "$second")
	same "whom the refusal names" "$(echo "$error" | grep -o 'node-1' | head -1)" node-1
	check is_attached "$first"
	never 3 is_attached "$second"
	if [ "$MODE" = on ]; then
		eventually 10 has_event second AttachmentConflict node-1
		check [ "$(metric attachment_conflicts_total)" -gt "$conflicts" ]
	fi
	run second 'cat /data/file' >/dev/null

	w delete pod second --wait=false >/dev/null
	eventually 60 is_no_more "$first"
	# The attacher's own next try may be a minute away, but the controller is ready at once.
	from=$(date +%s%N)
	eventually 10 publish "$pv" node-2
	took=$((($(date +%s%N) - from) / 1000000))
	echo "granted $took ms after the holder had gone"
	within $took 1000 "to be granted after the holder had gone"
	poke "$second"
	eventually 10 is_attached "$second"

	by_hand stage second
	by_hand publish second
	same "what node-1 wrote" "$(cat "$(seen_by_node_2 second)/file")" "of node-1"
	echo "of node-2" >"$(seen_by_node_2 second)/file"
	by_hand unpublish second
	by_hand unstage second
	k delete volumeattachment "$second" --timeout=$LONG >/dev/null
	pod second second
	running second
	same "what node-2 wrote" "$(run second 'cat /data/file')" "of node-2"
	w delete pod second --wait=false >/dev/null
	gone pod/second
	w delete pvc second --wait=false >/dev/null
	eventually 60 all_is_empty
}
refused() { attach_error "$1" | grep -q FailedPrecondition; }
is_no_more() { ! k get volumeattachment "$1"; }
scenario
