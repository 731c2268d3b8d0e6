# Events cannot be made: refused, failing, or never answered. No call is slower or fails for it.
. "$(dirname "$0")/../scene.sh"

hook() { # NAME URL: whoever creates an Event has to ask there first
	k apply -f - >/dev/null <<-EOF
	{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "events"},
	 "webhooks": [{"name": "events.rds-csi.test", "admissionReviewVersions": ["v1"], "sideEffects": "None",
	  "failurePolicy": "Fail", "timeoutSeconds": 30, "clientConfig": {"url": "$1"},
	  "rules": [{"apiGroups": ["", "events.k8s.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["events"]}],
	  "matchConditions": [{"name": "ours", "expression": "request.userInfo.username.startsWith('system:serviceaccount:$NS:')"}]}]}
	EOF
}
forbid() {
	k apply -f - >/dev/null <<-EOF
	{"apiVersion": "v1", "kind": "List", "items": [
	 {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "events"},
	  "spec": {"failurePolicy": "Fail",
	   "matchConstraints": {"resourceRules": [{"apiGroups": ["", "events.k8s.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["events"]}]},
	   "matchConditions": [{"name": "ours", "expression": "request.userInfo.username.startsWith('system:serviceaccount:$NS:')"}],
	   "validations": [{"expression": "false", "reason": "Forbidden", "message": "no Events today"}]}},
	 {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "events"},
	  "spec": {"policyName": "events", "validationActions": ["Deny"]}}]}
	EOF
}
# An Event of our own, made as the controller would.
one_event() {
	k --as="system:serviceaccount:$NS:controller" --as-group="system:serviceaccounts:$NS" --request-timeout=2s -n work create -f - <<-EOF
	{"apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "probe-"}, "reason": "Probe", "type": "Normal",
	 "involvedObject": {"kind": "PersistentVolumeClaim", "namespace": "work", "name": "events"}}
	EOF
}
no_event() { ! one_event; }
no_answer() { # not even a refusal, as by the hook before
	local said
	! said=$(one_event 2>&1) && [ "${said/refused/}" = "$said" ]
}

# Attach, be refused elsewhere, detach: each makes an Event.
calls() { # WHAT; a machine that stumbles gets two more tries, a call that waits for an Event has none
	local try t0 t1 t2
	for try in 1 2 3; do
		one_call "$1"
		[ $((t1 - t0)) -ge 3000000000 ] || [ $((t2 - t1)) -ge 1000000000 ] || return 0
	done
	fail "an Event was waited for"
}
one_call() {
	local va
	va=$(attach_by_hand "$pv" node-2)
	t0=$(date +%s%N)
	eventually 20 is_attached "$va"
	t1=$(date +%s%N)
	same "the answer to node-1" "$(publish_code "$pv" node-1)" FAILED_PRECONDITION
	t2=$(date +%s%N)
	k delete volumeattachment "$va" --timeout=$LONG >/dev/null
	echo "$1: attached after $(((t1 - t0) / 1000000)) ms, refused within $(((t2 - t1) / 1000000)) ms," \
		"detached within $((($(date +%s%N) - t2) / 1000000)) ms"
}
complaints() { grep -c '"level":"warn".*[Ee]vent' "$D/log/controller" || true; }

t_events_cannot_be_made() {
	local pv n
	claim events rds Filesystem 1Gi
	bound events
	pv=$(volume_of events)
	k get pv "$pv" -o 'jsonpath={.spec.csi.volumeAttributes}' >"$D/context.$pv"
	calls "as always"
	eventually 10 has_event events VolumeAttached
	n=$(complaints)

	printf '%s events\n' create patch >>"$D/log/expected-refusals"
	forbid
	eventually 20 no_event
	calls "refused (403)"
	k delete validatingadmissionpolicybinding,validatingadmissionpolicy events >/dev/null

	hook https://127.0.0.1:9/
	eventually 20 no_event
	calls "failing (500)"

	# An address of a link with nobody on it: nothing ever answers.
	ip link add void type veth peer name void-end
	ip address add 10.96.0.1/24 dev void
	ip link set void-end up
	ip link set void arp off up
	hook https://10.96.0.2/
	eventually 20 no_answer
	calls "never answered"
	echo "the controller complained $(($(complaints) - n)) times"
	check [ $(($(complaints) - n)) -le 6 ]
	k delete validatingwebhookconfiguration events >/dev/null
	ip link del void
	rm "$D/context.$pv"
	w delete pvc events --wait=false >/dev/null
	eventually 60 all_is_empty
}
scenario
