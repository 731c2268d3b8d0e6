# 200 attach and detach steps at random and 10 restarts of the controller: what the gauge says.
# STEPS_SEED repeats a run.
. "$(dirname "$0")/../fence.sh"
. "$(dirname "$0")/../extra.sh"

out_of_service() {
	node_of_objects node-9
	k taint node node-9 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
}
away() { # whatever a failed run has left
	local va pv
	set +e
	signal CONT kube-apiserver
	start controller
	eventually 40 leads controller
	for va in $(k get volumeattachments -o name); do k delete "$va" --wait=false; done
	eventually 120 no_attachment
	for pv in $(k get pv -o 'jsonpath={.items[*].metadata.name}'); do k delete pv "$pv" --wait=false; done
	for pv in $(box disks | grep -oE '"slot": *"steps-[0-9]+"' | grep -oE 'steps-[0-9]+'); do
		csi controller DeleteVolume "{\"volume_id\": \"$pv\"}"
	done
	no_node node-9
} >/dev/null 2>&1
no_attachment() { [ -z "$(k get volumeattachments -o name)" ]; }

t_the_gauge() {
	trap away EXIT
	out_of_service
	python3 "$(dirname "$0")/../steps.py" "${STEPS_SEED:-$RANDOM}" 200 10
	trap - EXIT
	no_node node-9
	eventually 30 all_is_empty
}
scenario
