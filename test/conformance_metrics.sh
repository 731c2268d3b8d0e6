#!/bin/bash
# What the driver tells over HTTP, judged by Prometheus itself: `promtool check metrics` on the
# pages of a busy controller and node, and a Prometheus that scrapes both (as OpenMetrics) while
# every metric is made to move (test/e2e/prog/metrics.c); then the dashboards' queries are put to it. Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
program=${T_PROG:?}/../e2e/prog/metrics
tools=$PWD/build/tools/prometheus
test/fetch_prometheus "$tools" || { echo "0 passed, 1 failed"; exit 1; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/rds-csi-metrics.XXXXXX")
pids=()
finish() {
	rc=$?
	trap - EXIT INT TERM
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
	rm -rf "$dir"
	exit $rc
}
trap finish EXIT INT TERM
passed=0 failed=0
verdict() { # STATUS WHAT
	echo "$([ "$1" = 0 ] && echo ok || echo FAILED) metrics: $2"
	if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

start=$(date +%s)
METRICS_PAGES=$dir T_RESULT=$dir/result "$program" "each metric moves" >"$dir/program.log" 2>&1 &
program_pid=$!
pids+=($program_pid)
for _ in $(seq 100); do [ ! -s "$dir/targets.json" ] || break; sleep 0.1; done
cat >"$dir/prometheus.yml" <<END
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: rds-csi
    file_sd_configs: [{ files: ["$dir/targets.json"] }]
END
# Its own port: any that is free; the log tells which.
for port in $(shuf -i 20000-30000 -n 5); do
	"$tools/usr/bin/prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
		--web.listen-address="127.0.0.1:$port" --web.console.templates="$dir" --web.console.libraries="$dir" \
		>"$dir/prometheus.log" 2>&1 &
	prometheus_pid=$!
	for _ in $(seq 100); do
		curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null && break 2
		kill -0 $prometheus_pid 2>/dev/null || break
		sleep 0.1
	done
	kill $prometheus_pid 2>/dev/null || true
	wait $prometheus_pid || true
done
pids+=($prometheus_pid)

# The plugins are restarted on the way: what cannot be reached for a moment is no fault of a page.
while kill -0 $program_pid 2>/dev/null; do
	curl -s "http://127.0.0.1:$port/api/v1/targets" | grep -oE '"lastError":"(\\.|[^"\\])*"' |
		grep -vE '"lastError":""|connect|EOF|reset' >>"$dir/errors" || true
	sleep 1
done
wait $program_pid && rc=0 || rc=$?
[ $rc = 0 ] || tail -20 "$dir/program.log"
verdict $rc "each moves for its cause while Prometheus looks on"
rc=0
[ ! -s "$dir/errors" ] || { sort "$dir/errors" | uniq -c; rc=1; }
verdict $rc "Prometheus takes every page"
n=$(curl -s "http://127.0.0.1:$port/api/v1/query" --data-urlencode \
	'query=min(sum_over_time(up[10m]))' | sed -nE 's/.*"value":\[[^,]*,"([0-9]+)".*/\1/p')
[ "${n:-0}" -ge 30 ] && rc=0 || rc=1
verdict $rc "at least 30 scrapes of each plugin (${n:-0})"

rc=0
for board in charts/rds-csi-driver/dashboards/*.json; do
	test/dashboard_check "$board" "http://127.0.0.1:$port" "$start" "$(date +%s)" || rc=1
done
verdict $rc "each query of the dashboards gives data"

# Four names are those that the earlier driver's users look for.
known='^rds_disk_(active_time|read_latency|wait_latency|write_latency)_milliseconds use base unit "seconds"'
for page in controller node; do
	[ -s "$dir/$page.txt" ] && "$tools/usr/bin/promtool" check metrics <"$dir/$page.txt" >"$dir/lint" 2>&1 || true
	rc=0
	[ -s "$dir/$page.txt" ] || rc=1
	grep -vE "$known" "$dir/lint" && rc=1
	verdict $rc "promtool check metrics on the page of a busy $page"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
