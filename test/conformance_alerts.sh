#!/bin/bash
# The alerting rules, judged by promtool and by what they name: each alert fires and stays silent
# in its tests and has a page, each page an alert, and each metric is one that the driver has.
# Ends with "N passed, N failed".
. "$(dirname "$0")/conformance_frame.sh"
rules=charts/rds-csi-driver/alerts.yaml pages=docs/how-to/runbooks
promtool=$tools/prometheus/usr/bin/promtool
test/fetch_prometheus "$tools/prometheus" || { echo "0 passed, 1 failed"; exit 1; }

rc=0
"$promtool" check rules --lint=all --lint-fatal $rules || rc=1
verdict $rc "promtool check rules"
rc=0
"$promtool" test rules test/alerts/tests.yaml || rc=1
verdict $rc "promtool test rules"

rc=0
while read -r alert page; do
	for how in fires "stays silent"; do
		grep -q "name: $alert $how$" test/alerts/tests.yaml || { echo "$alert has no test that it $how"; rc=1; }
	done
	[ "$(head -1 "$pages/$page" 2>/dev/null)" = "# $alert" ] || { echo "$alert: $pages/$page is not its page"; rc=1; }
done < <(sed -nE 's/.*(alert|runbook): //p' $rules | paste -d' ' - -)
verdict $rc "each alert has its tests and its page"

rc=0
for page in "$pages"/[a-z]*.md; do # not the index
	grep -q "runbook: ${page##*/}$" $rules || { echo "$page belongs to no alert"; rc=1; }
done
verdict $rc "each page has its alert"

rc=0
for metric in $(grep -ohE '\brds_[a-z0-9_]+' $rules $pages/*.md | sort -u); do
	# A family, as rds_disk_*, ends in an underscore.
	case $metric in
	*_) row="^| \`$metric" ;;
	*) row="^| \`${metric%_bucket}\` " ;;
	esac
	grep -q "$row" docs/reference/metrics.md || { echo "$metric is no metric of the driver"; rc=1; }
done
verdict $rc "each metric is the driver's"
sum_up
