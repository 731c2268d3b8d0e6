#!/bin/bash
# What the driver tells over HTTP, judged by Prometheus itself: `promtool check metrics` on the
# pages of a busy controller and node, and two that scrape both for a minute and more, while volumes
# come and go and every metric is made to move (test/e2e/prog/metrics.c): one gets OpenMetrics, the
# other the text format. Then the dashboards' queries are put to each. Ends with "N passed, N failed".
. "$(dirname "$0")/conformance_frame.sh"
program=${T_PROG:?}/../e2e/prog/metrics
tools=$tools/prometheus
test/fetch_prometheus "$tools" || { echo "0 passed, 1 failed"; exit 1; }

start=$(date +%s)
METRICS_PAGES=$dir T_RESULT=$dir/result "$program" "each metric moves" >"$dir/program.log" 2>&1 &
program_pid=$!
pids+=($program_pid)
await test -s "$dir/targets.json"
test/text_proxy "$dir/proxy" "$dir/kinds" &
pids+=($!)
await test -s "$dir/proxy"

serve() { # NAME LINE: a Prometheus, on any port that is free; sets port_NAME
	local port pid
	cat >"$dir/$1.yml" <<-END
		global: { scrape_interval: 1s, scrape_timeout: 1s }
		scrape_configs:
		  - job_name: rds-csi
		    file_sd_configs: [{ files: ["$dir/targets.json"] }]
		    $2
	END
	for port in $(shuf -i 20000-30000 -n 5); do
		"$tools/usr/bin/prometheus" --config.file="$dir/$1.yml" --storage.tsdb.path="$dir/$1.data" \
			--web.listen-address="127.0.0.1:$port" --web.console.templates="$dir" --web.console.libraries="$dir" \
			>"$dir/$1.log" 2>&1 &
		pid=$!
		pids+=($pid)
		for _ in $(seq 600); do
			curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null && { eval "port_$1=$port"; return; }
			kill -0 $pid 2>/dev/null || break
			sleep 0.1
		done
	done
	echo "no Prometheus: $(tail -1 "$dir/$1.log")"
}
port_openmetrics='' port_text=''
serve openmetrics ''
serve text "proxy_url: http://127.0.0.1:$(cat "$dir/proxy")"

# The plugins are restarted on the way, and the machine may be busy: what cannot be reached for a moment, or
# not within the second, is no fault of a page. How many come is counted below.
while kill -0 $program_pid 2>/dev/null; do
	for name in openmetrics text; do
		port=port_$name
		curl -s "http://127.0.0.1:${!port}/api/v1/targets" | grep -oE '"lastError":"(\\.|[^"\\])*"' |
			grep -vE '"lastError":""|connect|EOF|reset|502 Bad Gateway|context deadline exceeded' | sed "s/^/$name: /" >>"$dir/errors" || true
	done
	sleep 1
done
wait $program_pid && rc=0 || rc=$?
[ $rc = 0 ] || tail -20 "$dir/program.log"
verdict $rc "each moves for its cause while Prometheus looks on"
rc=0
[ ! -s "$dir/errors" ] || { sort "$dir/errors" | uniq -c; rc=1; }
verdict $rc "Prometheus takes every page"
for name in openmetrics text; do
	port=port_$name
	n=$(curl -s "http://127.0.0.1:${!port}/api/v1/query" --data-urlencode \
		'query=min(sum_over_time(up[10m]))' | sed -nE 's/.*"value":\[[^,]*,"([0-9]+)".*/\1/p')
	[ "${n:-0}" -ge 60 ] && rc=0 || rc=1
	verdict $rc "at least 60 scrapes of each plugin, one a second, as $name (${n:-0})"
done
rc=0
[ "$(sort -u "$dir/kinds")" = "text/plain; version=0.0.4; charset=utf-8" ] || { sort "$dir/kinds" | uniq -c; rc=1; }
verdict $rc "what was asked for as text came as text"

rc=0
for board in charts/rds-csi-driver/dashboards/*.json; do
	for port in $port_openmetrics $port_text; do
		test/dashboard_check "$board" "http://127.0.0.1:$port" "$start" "$(date +%s)" || rc=1
	done
done
verdict $rc "each query of the dashboards gives data, in both formats"

# Four names are those that the earlier driver's users look for.
known='^rds_disk_(active_time|read_latency|wait_latency|write_latency)_milliseconds use base unit "seconds"'
for page in controller node; do
	[ -s "$dir/$page.txt" ] && "$tools/usr/bin/promtool" check metrics <"$dir/$page.txt" >"$dir/lint" 2>&1 || true
	rc=0
	[ -s "$dir/$page.txt" ] || rc=1
	grep -vE "$known" "$dir/lint" && rc=1
	verdict $rc "promtool check metrics on the page of a busy $page"
done
sum_up
