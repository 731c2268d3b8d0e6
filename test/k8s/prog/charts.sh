# The chart as the API server judges it, without pods of it: every combination of values in its ci/,
# strictly; and a release of the Go driver's shape taken over by an upgrade, given back and taken over again.
. "$(dirname "$0")/../scene.sh"
top=$(readlink -f "$(dirname "$0")/../../..")
chart=$top/charts/rds-csi-driver
export KUBECONFIG=$D/admin.kubeconfig HELM_CONFIG_HOME=$D/helm HELM_CACHE_HOME=$D/helm HELM_DATA_HOME=$D/helm
OTHER=other.csi.example.org # the lab has the driver's own name already
no_release() { helm -n work uninstall --ignore-not-found rds-csi-driver >/dev/null; }
release() { helm -n work "$@" >/dev/null || fail "helm $*"; }

t_the_api_server_takes_every_combination() {
	local f
	no_release
	k apply -f "$top/test/chart/monitoring.yaml" >/dev/null
	k wait --for=condition=Established --timeout=$LONG crd/servicemonitors.monitoring.coreos.com \
		crd/podmonitors.monitoring.coreos.com crd/prometheusrules.monitoring.coreos.com >/dev/null
	for f in "$chart"/ci/*-values.yaml; do
		helm template rds-csi-driver "$chart" -n work -f "$f" >"$D/rendered" || fail "$f does not render"
		k apply -n work --dry-run=server --validate=strict -f "$D/rendered" >"$D/said" 2>&1 ||
			fail "$(basename "$f"): $(grep -vE '\(server dry run\)|^Warning' "$D/said" | head -c 2000)"
		same "$(basename "$f"): objects judged" "$(grep -c '(server dry run)' "$D/said")" \
			"$(grep -c '^kind:' "$D/rendered")"
	done
	k delete -f "$top/test/chart/monitoring.yaml" >/dev/null
}

kept=(deployment/rds-csi-driver-controller daemonset/rds-csi-driver-node serviceaccount/rds-csi-driver-controller
	serviceaccount/rds-csi-driver-node service/rds-csi-driver-metrics csidriver/$OTHER storageclass/rds-nvme)
uids() { w get "${kept[@]}" -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{"\n"}{end}'; }
strategy() { w get deployment rds-csi-driver-controller -o 'jsonpath={.spec.strategy.type}{.spec.strategy.rollingUpdate}'; }
containers() { w get "$1" -o 'jsonpath={.spec.template.spec.containers[*].name}'; }
old_roles() { k get clusterroles,clusterrolebindings -o name | grep -E 'rds-csi-driver-(controller|node)-(role|binding)$' || true; }

t_an_upgrade_adopts_the_earlier_release() {
	local before nowhere='example\.org/nowhere=true'
	local values=(--set "driverName=$OTHER" --set rds.managementIP=192.0.2.10 --set rds.storageIP=198.51.100.10)
	local ours=("${values[@]}" --set-string "controller.nodeSelector.$nowhere" --set-string "node.nodeSelector.$nowhere")
	no_release
	release install rds-csi-driver "$top/test/chart/older" "${values[@]}"
	before=$(uids)
	same "what there is to adopt" "$(wc -l <<<"$before")" ${#kept[@]}

	release upgrade rds-csi-driver "$chart" "${ours[@]}"
	same "what was there" "$(uids)" "$before"
	same "the strategy" "$(strategy)" Recreate
	same "the node's containers" "$(containers daemonset/rds-csi-driver-node)" rds-csi-driver
	same "the controller's" "$(containers deployment/rds-csi-driver-controller)" \
		"rds-csi-driver csi-provisioner csi-attacher csi-resizer"
	same "the earlier roles" "$(old_roles)" ""

	# The way back, and on again.
	release rollback rds-csi-driver 1
	same "what was there, back" "$(uids)" "$before"
	same "the strategy, back" "$(strategy | grep -o '^RollingUpdate')" RollingUpdate
	same "the node's containers, back" "$(containers daemonset/rds-csi-driver-node)" "rds-csi-driver liveness-probe"
	release upgrade rds-csi-driver "$chart" "${ours[@]}"
	same "what was there, again" "$(uids)" "$before"

	release uninstall rds-csi-driver
	same "what is left" "$({ w get all,cm,sa,pvc,secret,role,rolebinding,networkpolicy -o name
		k get clusterrole,clusterrolebinding,storageclass,csidriver -o name; } | grep -E 'rds-csi-driver|rds-nvme|example' || true)" ""
}
scenario
check all_is_empty
