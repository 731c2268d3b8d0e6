#!/bin/sh
# The whole process with Kubernetes, by the benchmark's own rows, as far as no time is in them:
# memory beside 10,000 volumes that are attached, requests for their lists, and what publishes
# and unpublishes cost on the box while the API server stands still.
set -u
base=${TMPDIR:-/tmp}
dir=$(mktemp -d "$base/rds-csi-size.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# at_most NAME BOUND
at_most() {
	value=$(sed -n "s/^ *\"$1\": \([0-9.e+-]*\),*$/\1/p" "$dir/out.json")
	if awk -v v="${value:-none}" -v b="$2" 'BEGIN { exit !(v ~ /^[0-9]/ && v + 0 <= b) }'; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$1 is ${value:-absent}, $2 at most expected"
	fi
}

"${T_PROG:?}/bench" --csi "${RDS_CSI:?}" --sim "${RDS_SIM:?}" --floor "$T_PROG/floor" \
	--api "$T_PROG/api_server" --dir "$dir" --json "$dir/out.json" \
	kube-size kube-life kube-burst || { failed=1; tail -n 5 "$dir"/*.log; }
at_most kube_10000_peak_mib 32
at_most kube_10000_requests 60 # of 500 objects a page
# Of 25 calls each; a look of the background's at the box may fall among them.
at_most kube_publish_execs 1.2
at_most kube_unpublish_execs 1.2
at_most kube_burst_1000_execs 200 # joined: some 85
at_most kube_burst_1000_rss_mib 32
echo "$passed passed, $failed failed"
echo "passed=$passed failed=$failed" >>"${T_RESULT:-/dev/null}"
[ "$failed" = 0 ]
