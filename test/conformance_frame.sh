# Sourced first by test/conformance and its parts: the top of the tree as working directory, $dir
# for files, which goes at the end, the processes in pids, which end before it, and the counts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
part=$(basename "$0" .sh) part=${part#conformance_}
tools=$PWD/build/tools
mkdir -p "$tools"
dir=$(mktemp -d "${TMPDIR:-/tmp}/rds-csi-conformance.XXXXXX")
pids=() passed=0 failed=0

stop_all() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
	pids=()
}
undo() { :; } # what else a part has to undo when its processes have ended
finish() {
	rc=$?
	trap - EXIT INT TERM
	stop_all
	undo
	rm -rf "$dir"
	exit $rc
}
trap finish EXIT INT TERM

ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAIL: $*"; }
verdict() { # STATUS WHAT
	if [ "$1" = 0 ]; then ok; echo "ok $part: $2"; else bad "$part: $2"; fi
}
await() { # COMMAND…: until it is true, for a minute
	for _ in $(seq 1200); do "$@" && break; sleep 0.05; done
}
sum_up() { # the last line, and the status of the whole
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
