# The controller is killed while 16 volumes are attached, and started again: it invents and
# forgets nothing, and until it knows it says so.
. "$(dirname "$0")/../scene.sh"
N=16

attached_now() { k get volumeattachments -o 'jsonpath={range .items[*]}{.status.attached}{"\n"}{end}' | grep -c true; }
all_attached() { [ "$(attached_now)" = $N ]; }

# Before the first complete list a controller that is asked must not guess.
t_sixteen_attached() {
	local i pv before after code seen gauge
	for ((i = 1; i <= N; i++)); do claim "sixteen-$i" rds Block 1Gi; done
	w wait --for=jsonpath='{.status.phase}'=Bound --timeout=$LONG pvc --all >/dev/null
	for pv in $(k get pv -o 'jsonpath={.items[*].metadata.name}'); do
		k get pv "$pv" -o 'jsonpath={.spec.csi.volumeAttributes}' >"$D/context.$pv"
		attach_by_hand "$pv" node-2 >/dev/null
	done
	eventually 60 all_attached
	before=$(exports)
	same "how many are exported" "$(echo "$before" | wc -l)" $N
	[ "$MODE" = off ] || same "the gauge" "$(metric nvme_connections_active)" $N

	kill_controller
	seen=
	# The Lease of the one that was killed has to run out first.
	local end=$((SECONDS + 30 * PATIENCE))
	for ((i = 0; SECONDS < end; i++)); do
		gauge=$(metric nvme_connections_active) || gauge= # it does not listen yet
		case $gauge in '' | $N) ;; *) [ "$MODE" = off ] || fail "the gauge says $gauge" ;; esac
		pv=$(ls "$D"/context.* | sed -n "$((i % N + 1))s/.*context\.//p")
		code=$(publish_code "$pv" node-1)
		seen+="$code "
		case $code in
		FAILED_PRECONDITION) break ;;
		UNAVAILABLE | '') sleep 0.1 ;; # not there yet, or not yet sure
		*) fail "a controller that had just started said '$code'" ;;
		esac
	done
	same "the last word" "$code" FAILED_PRECONDITION
	echo "said after the start: $(echo "$seen" | tr ' ' '\n' | sort | uniq -c | paste -sd,)"
	[ "$MODE" = off ] || same "the gauge" "$(metric nvme_connections_active)" $N
	for pv in $(ls "$D"/context.* | sed 's/.*context\.//'); do
		same "who gets $pv" "$(publish_code "$pv" node-1)" FAILED_PRECONDITION
	done
	same "what is exported" "$(exports)" "$before"
	check all_attached

	rm "$D"/context.*
	k delete volumeattachments --all --timeout=$LONG >/dev/null
	eventually 10 nothing_exported
	[ "$MODE" = off ] || same "the gauge" "$(metric nvme_connections_active)" 0
	w delete pvc --all --timeout=$LONG >/dev/null
	eventually 60 all_is_empty
}
nothing_exported() { [ -z "$(exports)" ]; }
kill_controller() {
	stop controller KILL
	start controller
}
scenario
