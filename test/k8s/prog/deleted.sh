# node-2 is deleted from the API with 20 volumes on it. Nothing is cut before somebody asks; then
# the old names go, and a pod on the other node gets the volumes under new ones.
. "$(dirname "$0")/../fence.sh"

t_node_deleted() {
	local volumes devices before from n=20
	on_node_2 deleted $n
	before=$(exports)
	stop heart
	k delete node node-2 --wait=false >/dev/null
	k delete csinode node-2 --wait=false >/dev/null
	never 5 changed "$before"
	w delete pod deleted-old --force --grace-period=0 >/dev/null 2>&1
	from=$SECONDS
	pod_with deleted-new node-1
	eventually $((20 + SYNC)) not_exported_as $before
	echo "the old names were given up $((SECONDS - from)) s after the old pod was gone"
	running deleted-new $((60 + SYNC))
	echo "the pod on the other node runs $((SECONDS - from)) s after the old one was gone"
	within $(((SECONDS - from) * 1000)) $(((20 + SYNC + 2) * 1000)) "to run on the other node"
	check not_exported_as $before
	same "how many have a new name" "$(exports | grep -cE '\.g1-[0-9a-f]{8}$')" $n
	eventually 10 has_event deleted-1 NodeFenced
	anew
	end_of deleted
}
scenario
