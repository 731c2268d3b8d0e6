# A fence is cut: the box dies, the controller is killed, the box does not answer. Whoever comes
# next finishes it first, and nobody else is let in before. And nobody whom a fence is about to
# cut off is let in again meanwhile.
. "$(dirname "$0")/../fence.sh"

revive() {
	signal CONT box || true
	start box
	eventually 20 box stats
	box fault/clear -X POST >/dev/null
	start controller
}
# The box dies in the midst of what it was told. The controller ends too: the next one has only
# the record to go by. The volume is node-2's, and is to become node-1's.
cut_by_the_box() { # NAME FAULT [off]: whether it dies with the export off
	local pv va other
	held "$1"
	trap revive EXIT
	box "fault?$2" -X POST >/dev/null
	k delete volumeattachment "$va" --wait=false >/dev/null
	other=$(attach_by_hand "$pv" node-1)
	eventually 20 box_is_dead
	stop controller
	! is_attached "$other" || fail "node-1 was let in"
	revive
	check is_fencing "$pv"
	soon_attached 60 "$other"
	fenced_after_death "$pv" ${3:-}
	end_of_held "$1" "$pv" "$other"
}
box_is_dead() { ! pid_of box; }
# What the box remembered of its history went with it.
fenced_after_death() { # VOLUME [off]
	local said
	said=$(judge_fences "$1" 0 ${2:-}) || fail "$said"
	echo "after the box's death: $said"
	same "how many fences were finished" "${said%% *}" 1
	check is_fenced "$1"
}

t_box_dies_between_record_and_export() { cut_by_the_box cut-first "die-after-mutation=1&match=fencing"; }
t_box_dies_when_the_export_is_off() { cut_by_the_box cut-off "die-after-mutation=2&match=fencing" off; }
t_box_dies_when_the_name_is_new() { cut_by_the_box cut-name "die-after-mutation=1&match=v1%20nvme-tcp-server-nqn" off; }

t_controller_killed_while_it_settles() {
	local pv va other start
	trap controller_as_before EXIT
	controller_with --fence-settle=8s # time enough to kill it meanwhile
	held cut-settle
	start=$(history_end)
	k delete volumeattachment "$va" --wait=false >/dev/null
	eventually 20 is_fencing "$pv"
	stop controller KILL
	check is_fencing "$pv" # it was killed in time
	other=$(attach_by_hand "$pv" node-1)
	never 3 moved_on "$pv" "$start"
	start controller
	soon_attached 60 "$other"
	SETTLE_MS=8000 fenced_once "$pv" "$start"
	end_of_held cut-settle "$pv" "$other"
}
# Beyond what the fence had done when it was cut.
moved_on() { [ "$(judge_fences "$1" "$2" || true)" != '0 finished, 1 begun' ]; }

t_box_does_not_answer() {
	local pv va other start back
	trap 'revive; controller_as_before' EXIT
	controller_with --fence-settle=8s # time enough to silence the box meanwhile
	held cut-silent
	start=$(history_end)
	k delete volumeattachment "$va" --wait=false >/dev/null
	eventually 20 is_fencing "$pv"
	signal STOP box
	other=$(attach_by_hand "$pv" node-1)
	never 30 is_attached "$other"
	back=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
	signal CONT box
	soon_attached 90 "$other"
	check [ "$(renamed_at "$pv" "$start")" -ge "$back" ] # it was silent in time
	SETTLE_MS=8000 fenced_once "$pv" "$start"
	eventually 10 has_event cut-silent NodeFenced node-2
	end_of_held cut-silent "$pv" "$other"
}

renamed_at() { # VOLUME FROM: first; as ms since the machine's start
	box "history?from=$2" | grep -F "\"$1\"" | grep -F '"prop":"nvme-tcp-server-nqn"' | sed '2,$d; s/.*"t":\([0-9]*\).*/\1/'
}

# The attacher asks again for what an object says to be attached. A fence that the other node's
# demand began takes its time, and the lost node's object is still there.
t_lost_node_asks_in_a_fence() {
	local pv va other start code codes=
	trap 'controller_as_before; node_2_is_back' EXIT
	controller_with --fence-settle=8s
	held cut-again
	same "what the holder is told" "$(publish_code "$pv" node-2)" ""
	k taint node node-2 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
	eventually 10 is_called_lost "$pv" # whatever its object says
	start=$(history_end)
	other=$(attach_by_hand "$pv" node-1)
	eventually 20 is_fencing "$pv"
	while ! is_attached "$other"; do
		code=$(publish_code "$pv" node-2)
		codes+="$code "
		case $code in
		ABORTED | FAILED_PRECONDITION | UNAVAILABLE) ;;
		*) fail "the lost node was told '$code'" ;;
		esac
		poke "$va"
		poke "$other"
		sleep 0.3
	done
	echo "the lost node was told $(echo $codes | tr ' ' '\n' | sort | uniq -c | paste -sd,)"
	check [ "${codes#*ABORTED*ABORTED}" != "$codes" ] # while the fence took its time
	check is_called_lost "$pv"
	SETTLE_MS=8000 fenced_once "$pv" "$start"
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	end_of_held cut-again "$pv" "$other"
}
is_called_lost() { { publish "$1" node-2 || true; } | grep -F "FAILED_PRECONDITION: node node-2 is lost" >/dev/null; }
scenario
