# What is left over: the attachment of a node that is gone, and volumes on the box that no
# PersistentVolume names. What may be cleared is, at its time; what may not stays for ever.
. "$(dirname "$0")/../fence.sh"
. "$(dirname "$0")/../extra.sh"

is_cut() { ! exports | grep -qxF "$before"; }
is_going() { [ -n "$(k get volumeattachment "$va" -o 'jsonpath={.metadata.deletionTimestamp}')" ]; }
is_no_more() { ! k get volumeattachment "$1"; }
touched() { is_cut || is_going || is_no_more "$va"; }
more_than() { [ "$(metric "$1")" -gt "$2" ]; }

# A pod there still names the claim: then the object stays. Without one the node is cut off, and
# only then the object is deleted; nobody but the controller is there to do either.
# A new name each time: pods of a node that the garbage collector knows as gone go at once.
VANISHED=node-$((RANDOM + 100))
t_vanished_node() {
	local pv va before cleared renamed deleted
	trap 'no_node $VANISHED; start attacher; controller_as_before' EXIT
	controller_with --attachment-reconcile-interval=3s
	node_of_objects "$VANISHED"
	claim stale rds Block 1Gi
	bound stale
	pv=$(volume_of stale)
	va=$(attach_by_hand "$pv" "$VANISHED")
	eventually 30 is_attached "$va"
	before=$(exports)
	cleared=$(metric attachment_stale_cleared_total)
	pod stale stale "$VANISHED"
	no_node "$VANISHED"
	never 17 touched

	stop attacher
	w delete pod stale --force --grace-period=0 >/dev/null 2>&1
	eventually 30 is_going
	check is_cut
	check is_fenced_on_box "$pv"
	eventually 5 more_than attachment_stale_cleared_total "$cleared"
	eventually 10 has_event stale StaleAttachmentCleared "$VANISHED"
	eventually 10 has_event stale NodeFenced "$VANISHED"
	check is_going # for its finalizer
	# Cut off first: it takes two seconds, so that a second's roughness does no harm.
	renamed=$(renamed_at "$pv")
	deleted=$(date -d "$(k get volumeattachment "$va" -o 'jsonpath={.metadata.deletionTimestamp}')" +%s)
	check [ "$renamed" -le $((deleted + 1)) ]
	start attacher
	eventually 40 is_no_more "$va"
	same "the gauge" "$(metric nvme_connections_active)" 0

	va=$(attach_by_hand "$pv" node-1)
	eventually 30 is_attached "$va"
	check is_fenced "$pv"
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	w delete pvc stale --wait=false >/dev/null
	eventually 60 all_is_empty
}
is_fenced_on_box() { nqn_of "$1" | grep -qE '\.g[1-9][0-9]*-[0-9a-f]{8}$'; }
renamed_at() { # VOLUME: as seconds since 1970; the box counts milliseconds since the machine's start
	box history | grep -F "\"$1\"" | grep -F '"prop":"nvme-tcp-server-nqn"' | tail -1 | sed 's/.*"t":\([0-9]*\).*/\1/' |
		awk -v now="$(date +%s)" '{ t = $1; getline <"/proc/uptime"; printf "%d\n", now - ($1 - t / 1000) }'
}

# ---- orphans --------------------------------------------------------------------------------
image() { find "$D/box/pool" -path "*$1*" -type f; }
sum() { sha256sum <"$(image "$1")"; }
# A PersistentVolume that somebody takes away together with its claim, its disk staying.
lose() { # CLAIM [VOLUME]
	local pv=${2:-}
	[ -n "$pv" ] || pv=$(volume_of "$1")
	k delete pv "$pv" --wait=false >/dev/null
	k patch pv "$pv" --type=merge -p '{"metadata": {"finalizers": null}}' >/dev/null 2>&1 || true
	k wait --for=delete --timeout=$LONG "pv/$pv" >/dev/null
	w delete pvc "$1" --timeout=$LONG --ignore-not-found >/dev/null
}
said_of() { # WORDS VOLUME: in the controller's log
	grep -F -- "$1" "$D/log/controller" | grep -F "\"$2\"" >/dev/null
}
not_on_box() { ! on_box "$1" && [ -z "$(image "$1")" ]; }
some_gone() {
	local v
	for v in "${kept[@]}" "${owned[@]}"; do on_box "$v" || return 0; done
	return 1
}
rewrite() { # VOLUME COMMENT
	local i
	i=$(disk_of "$1" | grep -oE '"\.id": *"\*[0-9A-F]+"' | grep -oE '\*[0-9A-F]+')
	box exec --data "/disk/set $i comment=\"$2\""
}
# What a failed test leaves on the box would disturb all that come after it.
sweep() {
	local v
	[ -z "$foreign" ] || rewrite "$foreign" "$mark"
	signal CONT kube-apiserver || true
	controller_as_before
	for v in "${kept[@]}"; do
		k delete pv "$v" --wait=false --ignore-not-found || true
		k patch pv "$v" --type=merge -p '{"metadata": {"finalizers": null}}' || true
		csi controller DeleteVolume "{\"volume_id\": \"$v\"}" || true
	done
} >/dev/null 2>&1

# A day is six seconds long here.
t_orphans() {
	local kept=() owned=() vas=() foreign= mark dry lost retain i before name
	local flags=(--attachment-reconcile-interval=2s --enable-orphan-reconciler --orphan-check-interval=2s)
	local PROGRAM=$D/rds-csi-short-day
	trap sweep EXIT
	controller_with "${flags[@]}"
	for name in dry lost retain foreign owned-{1,2}; do claim "$name" rds Block 1Gi; done
	w wait --for=jsonpath='{.status.phase}'=Bound --timeout=$LONG pvc --all >/dev/null
	# Only a volume that somebody had counts as one that a PersistentVolume has named.
	for name in dry lost retain foreign owned-{1,2}; do vas+=("$(attach_by_hand "$(volume_of "$name")" node-1)"); done
	for i in "${vas[@]}"; do eventually 20 is_attached "$i"; done
	k delete volumeattachments --all --timeout=$LONG >/dev/null
	for i in 1 2; do owned+=("$(volume_of owned-$i)"); done
	dry=$(volume_of dry) lost=$(volume_of lost) retain=$(volume_of retain)
	kept=("$dry" "$lost" "$retain" "$(volume_of foreign)")

	before=$(record_of "$dry")
	lose dry
	eventually 20 said_of 'dry run: nothing is done' "$dry"
	never 7 some_gone
	same "its record" "$(record_of "$dry")" "$before"

	controller_with "${flags[@]}" --orphan-dry-run=false
	echo "kept data" | dd of="$(image "$retain")" conv=notrunc status=none
	before=$(sum "$retain")
	k patch pv "$retain" --type=merge -p '{"spec": {"persistentVolumeReclaimPolicy": "Retain"}}' >/dev/null
	w delete pvc retain --timeout=$LONG >/dev/null
	lose retain "$retain"
	# Even what another cluster calls released is not for us.
	foreign=$(volume_of foreign)
	mark=$(record_of "$foreign")
	rewrite "$foreign" "$(echo "$mark" | sed -E 's/ c=[^ ]+/ c=5b0d1c1e-7c1b-4a3e-9c55-0e2f6f0f7d11/; s/ b=[0-9.]+/ b=2.1763763763/')"
	lose foreign
	lose lost "$lost"
	eventually 20 is_released "$lost"

	# A day passes in which no list is whole.
	stop controller
	signal STOP kube-apiserver
	start controller
	never 8 not_on_box "$lost"
	signal CONT kube-apiserver
	kept=("$dry" "$retain" "$foreign") # this controller did not see the first one's go
	eventually 60 not_on_box "$lost"
	never 9 some_gone
	check said_of 'orphan on the box, kept' "$dry"
	check said_of 'orphan on the box, kept' "$retain"
	check unmentioned "$foreign"
	same "the data" "$(sum "$retain")" "$before"
	same "the foreign record" "$(record_of "$foreign" | grep -oE ' [cb]=[^ ]+' | paste -sd,)" \
		" c=5b0d1c1e-7c1b-4a3e-9c55-0e2f6f0f7d11, b=2.1763763763"

	sweep
	trap - EXIT
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}
is_released() { record_of "$1" | grep -q ' b=2'; }
unmentioned() { ! said_of 'on the box' "$1" && ! said_of 'dry run' "$1"; }
scenario
