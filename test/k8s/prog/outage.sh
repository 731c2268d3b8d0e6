# The API server is away, is another one, or does not answer: what the controller knows neither
# shrinks nor grows, whoever asks for what it cannot know is told so, and when the server is
# back nobody storms it.
. "$(dirname "$0")/../scene.sh"

rss() { awk '/^VmRSS:/ { print $2 }' "/proc/$(pid_of controller)/status"; }
# How often our controller has asked, by the audit log.
asked() { grep -c '"userAgent":"rds-csi' "$D/log/audit" || true; }
api_ready() { k --request-timeout=3s get --raw /readyz; }

# For SECONDS, the volume of node-2 is asked for by node-1.
besiege() { # VOLUME SECONDS
	local end=$((SECONDS + $2)) code
	while [ $SECONDS -lt $end ]; do
		code=$(publish_code "$1" node-1)
		case $code in
		FAILED_PRECONDITION | UNAVAILABLE | DEADLINE_EXCEEDED | ABORTED) ;;
		*) fail "node-1 was told '$code'" ;;
		esac
		sleep 2
	done
}
t_outages() {
	local pv other va before size asked0
	claim outage rds Filesystem 1Gi
	claim outage-other rds Filesystem 1Gi
	bound outage
	bound outage-other
	other=$(volume_of outage-other)
	pv=$(volume_of outage)
	k get pv "$pv" -o 'jsonpath={.spec.csi.volumeAttributes}' >"$D/context.$pv"
	va=$(attach_by_hand "$pv" node-2)
	eventually 30 is_attached "$va"
	before=$(exports)
	size=$(rss)

	echo "-- stopped for 60 s"
	stop kube-apiserver
	besiege "$pv" 60
	start kube-apiserver
	back_again
	echo "-- restarted: every watch is too old"
	stop kube-apiserver KILL
	start kube-apiserver
	back_again
	echo "-- frozen for 60 s"
	signal STOP kube-apiserver
	besiege "$pv" 60
	signal CONT kube-apiserver
	back_again

	echo "RSS $size KiB before, $(rss) KiB after"
	check [ "$(rss)" -lt $((size + 4096)) ]
	# How long the others wait before they look again is not our subject.
	stop kube-controller-manager
	stop kube-scheduler
	start kube-controller-manager kube-scheduler
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	rm "$D/context.$pv"
	w delete pvc outage outage-other --wait=false >/dev/null
	eventually 90 all_is_empty
}
# Everything is as it was, and new things are seen.
back_again() {
	local new
	eventually 60 api_ready
	asked0=$(asked)
	eventually 30 sure
	check is_attached "$va"
	same "what is exported" "$(exports)" "$before"
	eventually 60 node_ready node-2 yes
	# The sidecars have given up meanwhile, were started again, and have to become leaders.
	new=$(attach_by_hand "$other" node-2)
	eventually 60 is_attached "$new"
	k delete volumeattachment "$new" --timeout=$LONG >/dev/null
	echo "the controller asked $(($(asked) - asked0)) times"
	check [ $(($(asked) - asked0)) -lt 100 ]
}
sure() { [ "$(publish_code "$pv" node-1)" = FAILED_PRECONDITION ]; }
scenario
