# Nodes that run an older driver's node plugin, as their CSINode tells, and what happens when
# the one plugin takes the other's place.
. "$(dirname "$0")/../scene.sh"
. "$(dirname "$0")/../elder.sh"

t_an_older_plugin_is_told_to_be_upgraded() {
	local pv va
	claim older rds Filesystem 1Gi
	bound older
	pv=$(volume_of older)
	entry node-2 "$ZONE"
	attach_refused "$pv" node-2
	eventually 10 has_event older NodePluginTooOld node-2
	same "what is exported" "$(exports)" ""
	check [ "$(publish_code "$pv" node-2)" = FAILED_PRECONDITION ]

	# Upgraded: the same demand is granted.
	entry node-2 "$ZONE" "$PLUGIN"
	eventually 30 asked_and_attached "$va"
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	w delete pvc older --wait=false >/dev/null
	eventually 60 all_is_empty
}

t_the_place_of_an_older_plugin_is_taken() {
	eventually 10 has_keys node-1
	same "the Node's label" "$(k get node node-1 -o "jsonpath={.metadata.labels.${PLUGIN//./\\.}}")" rds-csi
	old_node_1
	new_node_1
	claim older rds Filesystem 1Gi
	bound older
	pod older older
	running older
	run older 'echo hello >/data/file'
	w delete pod older --wait=false >/dev/null
	gone pod/older
	w delete pvc older --wait=false >/dev/null
	eventually 60 all_is_empty
}
scenario
