# For lab, the parts it starts, and the scenarios. K8S_LAB is the lab's directory. A process of
# the lab NAME has run/NAME ("PID STARTTIME", as its own PID namespace counts), cmd/NAME (the
# command; edit it, then `lab restart NAME`) and log/NAME.
set -euo pipefail
umask 022
D=${K8S_LAB:?}
PATH=$D/bin:$PATH:/usr/sbin:/sbin
NS=rds-csi			# where our ServiceAccounts and Leases live
DRIVER=rds.csi.srvlab.io
API=https://127.0.0.1:6443
# How long anything is waited for only keeps a run from hanging: what a usual machine needs at most, times this.
PATIENCE=${K8S_LAB_PATIENCE:-4}
LONG=$((60 * PATIENCE))s	# for kubectl and helm

# Field 22 of /proc/PID/stat: with it a number that was given to another process is not ours.
start_time() { { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; } 2>/dev/null; }
pid_of() { # NAME: prints its pid, if it lives
	local pid since
	{ read -r pid since <"$D/run/$1"; } 2>/dev/null || return 1
	[ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ] || return 1
	[ "$({ sed 's/.*) //' "/proc/$pid/stat" | cut -c1; } 2>/dev/null)" != Z ] && echo "$pid"
}
define() { # NAME WORD…: the command of NAME
	local name=$1
	shift
	{
		echo '#!/bin/bash'
		printf 'exec'
		printf ' %q' "$@"
		echo
	} >"$D/cmd/$name"
	chmod +x "$D/cmd/$name"
}
start() { # NAME…
	local name
	for name; do
		! pid_of "$name" >/dev/null || continue
		(
			cd "$D"
			exec 8>&- 9>&-
			setsid "$D/cmd/$name" >>"$D/log/$name" 2>&1 </dev/null &
			echo "$! $(start_time $!)" >"$D/run/$name"
		)
	done
}
signal() { # SIGNAL NAME
	local pid
	pid=$(pid_of "$2") && kill "-$1" "$pid"
}
# Whoever does not end within 15 s, on a usual machine, is killed, and that is an error.
stop() { # NAME [SIGNAL]
	local i
	signal "${2:-TERM}" "$1" || { rm -f "$D/run/$1"; return 0; }
	for ((i = 0; i < 300 * PATIENCE; i++)); do
		pid_of "$1" >/dev/null || { rm -f "$D/run/$1"; return 0; }
		sleep 0.05
	done
	echo "$1 did not end within $((15 * PATIENCE)) s and was killed" >&2
	signal KILL "$1" || true
	return 1
}
wait_for() { # SECONDS WHAT WORD…: until the command succeeds
	local end=$((SECONDS + $1 * PATIENCE)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "not within its time: $what" >&2; return 1; }
		sleep 0.1
	done
}
# The loop devices on the box's images, however who made them calls the file: "DEVICE FILE".
loops_of_box() {
	losetup -n -l -O NAME,BACK-MAJ:MIN,BACK-INO,BACK-FILE | awk -v top="$D/box/" -v dev="$(stat -c %Hd:%Ld "$D")" '
		NR == FNR { is_ours[$1] = $2; next }
		$2 == dev && $3 in is_ours { print $1, is_ours[$3]; next }
		index($4, top) == 1 { print $1, $4 }' <(find "$D/box/pool" -type f -printf '%i %p\n') -
}
k() { kubectl --kubeconfig "$D/admin.kubeconfig" "$@"; }
