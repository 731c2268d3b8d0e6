# Two controllers, as during an update: one leads, the other answers UNAVAILABLE. The leader is
# killed, paused beyond its Lease and resumed, and ended in order.
. "$(dirname "$0")/../fence.sh"

is_refused() { { ask "$1" 2>&1 || true; } | grep -q UNAVAILABLE; }
holder() { k -n $NS get lease $DRIVER-controller -o 'jsonpath={.spec.holderIdentity}'; }
restore() {
	stop_second
	start controller
	eventually 40 leads controller
}
taken_over() { # WHO SECONDS WHAT
	local t0
	t0=$(date +%s%N)
	eventually "$2" leads "$1"
	took=$((($(date +%s%N) - t0) / 1000000))
	echo "$3: taken over after $took ms"
}

t_one_leads() {
	local took was
	trap restore EXIT
	eventually 40 leads controller
	start_second
	never 5 leads second
	check is_refused second
	check leads controller

	stop controller KILL
	taken_over second 20 "killed"
	start controller
	eventually 10 is_refused controller

	signal STOP second
	taken_over controller 20 "paused"
	signal CONT second
	same "whether the one that slept says that it leads" "$(leads second && echo yes || echo no)" no
	check is_refused second
	check leads controller

	was=$(holder)
	stop controller
	check [ "$(holder)" != "$was" ] # given back, not run out
	taken_over second 5 "ended"
	within "$took" 5000 "to take over from one that has ended"
	same "whether somebody holds the Lease" "$([ -n "$(holder)" ] && echo yes)" yes
	stop second
	same "who holds the Lease when both have ended" "$(holder)" ""
}
scenario
