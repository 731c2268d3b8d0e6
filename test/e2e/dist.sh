#!/bin/bash
# The source of a release: it is the commit and the version, twice the same bytes, its checksums verify,
# and what is built of it without git tells the version.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
out=${T_RESULT:-/dev/null}
if ! git -C "$top" rev-parse HEAD >/dev/null 2>&1; then
	echo "skipped: dist: this is no clone" | tee -a "$out"
	echo "passed=0 failed=0" >>"$out"
	exit 0
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/rds-csi-dist-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
check() { # WHAT COMMAND…
	local what=$1
	shift
	if "$@" >"$dir/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $what"
		tail -n 20 "$dir/log"
	fi
}
# In a clone of its own, so that build/dist of this tree stays.
clone() { # NAME
	git clone -q --no-hardlinks "$top" "$dir/$1" && "$dir/$1/tools/dist" source
}
sums() { cd "$dir/one/build/dist" && sha256sum --strict -c SHA256SUMS; }
same_files() {
	diff <(cd "$dir/$name" && find . -type f -o -type l | sed 's|^\./||' | grep -vx VERSION | sort) \
		<(git -C "$dir/one" ls-files | sort) && diff -r -x .git -x build "$dir/one" "$dir/$name" | (! grep -v ': VERSION$')
}
build() { # with the objects that are there, but for those that know the version
	local objects=${T_PROG:?}/../..
	mkdir -p "$dir/$name/build/out" && cp -a "$top/build/gen" "$dir/$name/build/" &&
		cp -a "$objects/src" "$objects/gen" "$dir/$name/build/out/" &&
		{ [ ! -d "$objects/third_party" ] || cp -a "$objects/third_party" "$dir/$name/build/out/"; } &&
		rm -f "$dir/$name"/build/out/src/{main,app,app_metrics}.o &&
		GIT_DIR=/nonexistent make -C "$dir/$name" -s BUILD=build/out all
}
tells() {
	local said
	said=$("$dir/$name/build/out/rds-csi" --version | head -n 1) && echo "$said" &&
		[ "$said" = "rds-csi $(awk '{ print $1 " (commit " $2 ")" }' "$dir/$name/VERSION")" ]
}
no_git() { [ "$("$dir/$name/tools/version")" = "$(cat "$dir/$name/VERSION")" ] && ! "$dir/$name/tools/dist" source; }
refuses() { # nothing half made is left where a part is missing
	! "$dir/two/tools/dist" source images && [ ! -e "$dir/two/build/dist" ]
}

check "make dist" clone one
name=$(basename "$dir"/one/build/dist/*.tar.gz .tar.gz)
check "and again" clone two
check "the same bytes" diff -r "$dir/one/build/dist" "$dir/two/build/dist"
check "the checksums" sums
check "unpacks" tar -C "$dir" -xzf "$dir/one/build/dist/$name.tar.gz"
check "the files of the commit" same_files
check "its version without git" no_git
check "builds" build
check "--version" tells
check "no images, no release" refuses
echo "passed=$passed failed=$failed" >>"$out"
[ "$failed" = 0 ]
