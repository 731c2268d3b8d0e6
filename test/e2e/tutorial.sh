#!/bin/sh
# The tutorial by hand, walked as it is written (test/walk/walk).
set -u
top=$(dirname "$0")/../..
if [ "$(id -u)" != 0 ] || [ ! -w /dev/loop-control ]; then
	echo "skipped: tutorial: needs root and loop devices" | tee -a "${T_RESULT:-/dev/null}"
	echo "passed=0 failed=0" >>"${T_RESULT:-/dev/null}"
	exit 0
fi
passed=0 failed=0
if "$top/test/walk/walk" "$top/docs/tutorial/first-volume.md"; then passed=1; else failed=1; fi
echo "passed=$passed failed=$failed" >>"${T_RESULT:-/dev/null}"
[ "$failed" = 0 ]
