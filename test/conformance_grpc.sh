#!/bin/bash
# The gRPC layer against others' clients: the grpc-go interop client and h2spec. h2spec also runs
# against nghttpd, a server on the same release of nghttp2: a test that fails there may fail here.
# T_PROG is the directory of the built test programs. Ends with "N passed, N failed".
. "$(dirname "$0")/conformance_frame.sh"
prog=${T_PROG:?}
PATH=$PATH:/usr/local/go/bin:/usr/sbin
(cd test/tools/h2spec && go build -o "$tools/h2spec" github.com/summerwind/h2spec/cmd/h2spec)
(cd test/tools/interop && go build -o "$tools/grpc-interop-client" google.golang.org/grpc/interop/client)

serve() { # NAME ARGS...: starts grpc_interop, sets $port
	local name=$1
	shift
	"$prog/grpc_interop" "$@" tcp://127.0.0.1:0 >"$dir/$name.out" 2>"$dir/$name.err" &
	pids+=($!)
	await grep -q '^ready ' "$dir/$name.out"
	port=$(sed -n 's/^ready .*:\([0-9]*\)$/\1/p' "$dir/$name.out")
	[ -n "$port" ] || { cat "$dir/$name.err"; echo "FAIL: $name did not start"; exit 1; }
}
quit() { # NAME: SIGTERM drains the one started last; it checks itself for leaks
	kill "${pids[-1]}"
	if wait "${pids[-1]}"; then ok; else bad "$1 did not end clean: $(cat "$dir/$1.err")"; fi
	unset 'pids[-1]'
}

serve interop
for c in empty_unary large_unary special_status_message unimplemented_method unimplemented_service; do
	if timeout 120 "$tools/grpc-interop-client" --server_host=127.0.0.1 --server_port="$port" \
		--test_case=$c >"$dir/$c.log" 2>&1; then
		ok
	else
		bad "interop $c: $(tail -1 "$dir/$c.log")"
	fi
done
echo "grpc-go interop client: $((passed)) of 5 cases pass"
quit interop

spec() { # NAME PORT: h2spec, its failures one a line into NAME.failed
	timeout 600 "$tools/h2spec" -S -h 127.0.0.1 -p "$2" -o 2 -j "$dir/$1.xml" >"$dir/$1.log" 2>&1 || true
	awk '/<testsuite / { sub(/.* package="/, ""); sub(/".*/, ""); suite = $0; i = 0 }
		/<testcase / { n++; i++; name = $0; sub(/.* classname="/, "", name); sub(/".*/, "", name); at = suite "/" i ": " name }
		/<skipped/ { skipped++ }
		/<(failure|error)[ >]/ { failed++; print at }
		END { print n - failed - skipped, failed + 0, skipped + 0 >"/dev/stderr" }' \
		"$dir/$1.xml" >"$dir/$1.failed" 2>"$dir/$1.sum" || true
	read -r sp sf ss <"$dir/$1.sum" && [ "$sp" -gt 0 ] || { tail -5 "$dir/$1.log"; echo "FAIL: h2spec gave no report for $1"; exit 1; }
	echo "h2spec against $1: $sp passed, $sf failed, $ss skipped"
}
serve ours --h2spec
spec ours "$port"
ours_passed=$sp
quit ours
echo hello >"$dir/index.html"
answers() { (: <"/dev/tcp/127.0.0.1/$nport") 2>/dev/null; }
serve_nghttpd() { # on any port where nobody answers before; sets $nport
	local pid
	for nport in $(shuf -i 20000-30000 -n 5); do
		! answers || continue
		nghttpd --no-tls -a 127.0.0.1 -d "$dir" "$nport" >"$dir/nghttpd.out" 2>&1 &
		pid=$!
		pids+=($pid)
		for _ in $(seq 1200); do
			kill -0 $pid 2>/dev/null || break
			! answers || return 0
			sleep 0.05
		done
	done
	echo "FAIL: nghttpd did not start: $(cat "$dir/nghttpd.out")"
	exit 1
}
serve_nghttpd
spec nghttpd "$nport"
passed=$((passed + ours_passed))
while read -r line; do
	if grep -qxF "$line" "$dir/nghttpd.failed"; then
		echo "fails with nghttpd too: $line"
	else
		bad "h2spec: $line"
	fi
done <"$dir/ours.failed"
sum_up
