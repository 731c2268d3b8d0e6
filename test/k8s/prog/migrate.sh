# A raw block volume moves between two nodes as in a live migration: both have it for a while, a
# third is refused, the time that a migration may take passes, the source is lost. The survivor
# keeps the name under which it knows the volume until it lets go itself.
. "$(dirname "$0")/../fence.sh"
. "$(dirname "$0")/../extra.sh"

writes() { run moving-target 'dd if=/dev/zero of=/dev/data bs=4096 count=16 oflag=direct 2>/dev/null'; }
migrations() { metric "migration_migrations_total{result=\"$1\"}"; }
at_least() { [ "$(migrations timeout)" -ge "$1" ]; }
still_shared() { # nothing was cut, and the volume is counted once
	same "$1: what is exported" "$(exports)" "$before"
	check is_attached "$target"
	same "$1: the gauge" "$(metric nvme_connections_active)" 1
	check writes
}
is_cut() { ! exports | grep -qxF "$before"; }
ungauged() { [ "$(metric nvme_connections_active)" = 0 ]; }

t_source_lost() {
	local pv source target third before timeouts success failed pending
	trap 'no_node node-3' EXIT
	shared_class rds-moving 45
	claim moving rds-moving Block 1Gi ReadWriteMany
	bound moving
	pv=$(volume_of moving)
	pod moving-source moving node-2
	eventually 30 attached_to "$pv" node-2
	source=$(attachment_of "$pv" node-2)
	by_hand stage moving
	by_hand publish moving
	before=$(exports)
	timeouts=$(migrations timeout) success=$(migrations success) failed=$(migrations failed)
	pending=$(metric fences_pending_total)

	pod moving-target moving node-1
	running moving-target
	target=$(attachment_of "$pv" node-1)
	check is_attached "$source"
	still_shared "two nodes"
	same "migrations under way" "$(metric migration_active_migrations)" 1
	eventually 10 has_event moving MigrationStarted node-1

	node_of_objects node-3
	third=$(attach_by_hand "$pv" node-3)
	eventually 20 refused "$third"
	check told "$third" "two nodes share"
	still_shared "a third node"

	eventually 40 at_least $((timeouts + 1))
	eventually 10 has_event moving MigrationFailed timeout
	check is_attached "$source"
	still_shared "past its time"
	poke "$third"
	never 5 is_attached "$third"

	stop heart
	k delete node node-2 --wait=false >/dev/null
	k delete csinode node-2 --wait=false >/dev/null
	w delete pod moving-source --force --grace-period=0 >/dev/null 2>&1
	eventually 60 is_no_more "$source"
	eventually 10 has_event moving NodeFencePending
	check [ "$(metric fences_pending_total)" -gt "$pending" ]
	still_shared "the source is lost"
	poke "$third"
	never 5 is_attached "$third"
	check told "$third" "a lost node is cut off once nobody else has the volume"
	still_shared "and others want it"
	same "how many migrations were too late" "$(migrations timeout)" $((timeouts + 1))
	same "how many went well" "$(migrations success)" "$success"
	same "how many went back" "$(migrations failed)" "$failed"

	# The third one must not take it the moment it is free.
	k delete volumeattachment "$third" --timeout=$LONG >/dev/null
	w delete pod moving-target --wait=false >/dev/null
	gone pod/moving-target
	eventually 60 detached "$pv"
	eventually 20 is_cut
	same "what is exported for nobody" "$(nqns_of "$pv")" ""
	check is_renamed "$pv"
	eventually 10 has_event moving NodeFenced node-2
	eventually 10 ungauged

	# Whoever comes next gets it, under the new name.
	third=$(attach_by_hand "$pv" node-1)
	eventually 30 is_attached "$third"
	check is_fenced "$pv"
	k delete volumeattachment "$third" --timeout=$LONG >/dev/null

	anew
	w delete pvc moving --wait=false >/dev/null
	eventually 60 all_is_empty
	k delete storageclass rds-moving >/dev/null
}
is_no_more() { ! k get volumeattachment "$1"; }
told() { attach_error "$1" | grep -F "$2" >/dev/null; }
is_renamed() { nqn_of "$1" | grep -qE '\.g1-[0-9a-f]{8}$'; }
scenario
