# Nodes that run an older driver's node plugin, as their CSINode tells, and what happens when
# the one plugin takes the other's place.
. "$(dirname "$0")/../scene.sh"
ZONE=topology.$DRIVER/zone
PLUGIN=topology.$DRIVER/plugin

# What a node's kubelet would have written of its plugin. An entry cannot be changed, only taken
# away and made anew.
entry() { # NODE KEY…
	local node=$1
	shift
	k patch csinode "$node" --type=merge -p '{"spec": {"drivers": []}}' >/dev/null
	k patch csinode "$node" --type=merge -p "{\"spec\": {\"drivers\": [{\"name\": \"$DRIVER\", \"nodeID\": \"$node\",
		\"topologyKeys\": [$(printf '"%s"\n' "$@" | paste -sd,)]}]}}" >/dev/null
}
keys_of() { k get csinode "$1" -o "jsonpath={range .spec.drivers[?(@.name==\"$DRIVER\")].topologyKeys[*]}{@}{\"\n\"}{end}" | sort | paste -sd' '; }
has_keys() { [ "$(keys_of "$1")" = "$PLUGIN $ZONE" ]; }
has_none() { [ -z "$(keys_of "$1")" ]; }
refused() { attach_error "$1" | grep -q 'upgrade the node plugin'; }

t_an_older_plugin_is_told_to_be_upgraded() {
	local pv va
	claim older rds Filesystem 1Gi
	bound older
	pv=$(volume_of older)
	entry node-2 "$ZONE"
	sleep 1
	va=$(attach_by_hand "$pv" node-2)
	eventually 30 refused "$va"
	eventually 10 has_event older NodePluginTooOld node-2
	same "what is exported" "$(exports)" ""
	check [ "$(publish_code "$pv" node-2)" = FAILED_PRECONDITION ]

	# Upgraded: the same demand is granted.
	entry node-2 "$ZONE" "$PLUGIN"
	sleep 1
	poke "$va"
	eventually 30 is_attached "$va"
	k delete volumeattachment "$va" --timeout=30s >/dev/null
	w delete pvc older --wait=false >/dev/null
	eventually 60 all_is_empty
}

# The other one's entry is still there when ours registers, as when it was changed while the
# kubelet was down: the kubelet's first try fails and takes the entry away, the next succeeds.
t_the_place_of_an_older_plugin_is_taken() {
	local starts=0 end
	eventually 10 has_keys node-1
	same "the Node's label" "$(k get node node-1 -o "jsonpath={.metadata.labels.${PLUGIN//./\\.}}")" rds-csi
	stop plugin-node-1
	eventually 30 has_none node-1
	entry node-1 "$ZONE"
	end=$((SECONDS + 60))
	until has_keys node-1; do
		check [ $SECONDS -lt $end ]
		if ! pid_of plugin-node-1 >/dev/null; then # as a kubelet restarts a container
			start plugin-node-1
			starts=$((starts + 1))
		fi
		sleep 0.5
	done
	echo "registered after $starts starts"
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
