# node-2 is lost, or is said to be: its volumes go to node-1 only after the box has given up
# the names under which node-2 knew them, and nothing is cut before somebody asks. The volumes
# are raw blocks: on one machine the two nodes could not both mount a file system.
. "$(dirname "$0")/../fence.sh"

t_out_of_service() {
	local volumes devices before pv va
	on_node_2 service 1
	pv=$(volume_of service-1)
	before=$(exports)
	stop heart
	eventually 60 node_ready node-2 no
	never 8 changed "$before" # NotReady alone cuts nobody off
	k taint node node-2 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
	eventually 60 detached "$pv"
	eventually 20 not_exported_as $before
	eventually 10 has_event service-1 NodeFenced
	# The attacher asks for what is written in the object, however old.
	va=$(attach_by_hand "$pv" node-2)
	eventually 20 refused "$va"
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	pod_with service-new node-1
	running service-new
	check is_fenced "$pv"
	anew
	end_of service
}

# The node is well and has the volume mounted; somebody deletes the object.
t_attachment_deleted_in_use() {
	local volumes devices before pv
	on_node_2 used 1
	pv=$(volume_of used-1)
	before=$(exports)
	k delete volumeattachment "$(attachment_of "$pv")" --wait=false >/dev/null
	eventually 30 not_exported_as $before
	eventually 10 has_event used-1 NodeFenced
	w delete pod used-old --force --grace-period=0 >/dev/null 2>&1
	tidy_node_2 used 1
	eventually 60 detached "$pv"
	pod_with used-new node-1
	running used-new
	check is_fenced "$pv"
	end_of used
}

# The other way round: the node says that it has let go. Nothing needs to be cut.
t_let_go_is_clean() {
	local volumes devices before pv
	on_node_2 clean 1
	pv=$(volume_of clean-1)
	before=$(exports)
	w delete pod clean-old --force --grace-period=0 >/dev/null 2>&1
	never 3 detached "$pv"
	tidy_node_2 clean 1
	eventually 40 detached "$pv"
	pod_with clean-new node-1
	running clean-new
	same "its name" "$(exports)" "$before"
	end_of clean
}
scenario
