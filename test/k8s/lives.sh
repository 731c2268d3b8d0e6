# For scenarios, on top of scene.sh: a volume's whole life, as a user of Kubernetes sees it: claimed,
# bound, used by a pod on the real kubelet, grown while it is used, read back, released, deleted.
life() { # CLASS MODE
	local name pv sum size
	name=life-${1}-${2,,}
	claim "$name" "$1" "$2" 1Gi
	[ "$(k get storageclass "$1" -o 'jsonpath={.volumeBindingMode}')" != Immediate ] || bound "$name"
	pod "$name" "$name"
	running "$name"
	bound "$name"
	pv=$(volume_of "$name")
	check on_box "$pv"
	same "the claim" "$(w get pvc "$name" -o 'jsonpath={.status.phase} {.status.capacity.storage}')" "Bound 1Gi"
	same "the volume" "$(k get pv "$pv" -o 'jsonpath={.spec.csi.driver} {.spec.csi.volumeHandle} {.spec.claimRef.name}')" \
		"$DRIVER $pv $name"
	same "the attachment" "$(k get volumeattachment "$(attachment_of "$pv")" \
		-o 'jsonpath={.spec.attacher} {.spec.nodeName} {.status.attached}')" "$DRIVER node-1 true"
	"write_$2" "$name" >/dev/null
	sum=$("sum_$2" "$name")

	w patch pvc "$name" --type=merge -p '{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}' >/dev/null
	eventually 60 grown "$name" 2Gi
	eventually 30 "sees_$2" "$name" 2147483648
	same "what was written" "$("sum_$2" "$name")" "$sum"

	w delete pod "$name" --wait=false >/dev/null
	gone "pod/$name"
	eventually 60 detached "$pv"
	check node_is_clean "$pv"
	# A second pod finds the data.
	pod "$name-again" "$name"
	running "$name-again"
	same "what was written, in another pod" "$("sum_$2" "$name-again")" "$sum"
	w delete pod "$name-again" --wait=false >/dev/null
	gone "pod/$name-again"
	w delete pvc "$name" --wait=false >/dev/null
	gone "pvc/$name"
	eventually 60 is_no_more "$pv"
	check node_is_clean "$pv"
}
is_no_more() { ! k get pv "$1" && ! on_box "$1"; }
grown() { [ "$(claim_size "$1")" = "$2" ]; }
write_Filesystem() { run "$1" 'dd if=/dev/urandom of=/data/file bs=1M count=8 2>/dev/null && sync'; }
sum_Filesystem() { run "$1" 'sha256sum </data/file'; }
sees_Filesystem() { # POD BYTES: the file system has grown, but for its own structures
	[ $(($(run "$1" "df -k /data | awk 'END { print \$2 }'") * 1024)) -gt $(($2 * 9 / 10)) ]
}
write_Block() { run "$1" 'dd if=/dev/urandom of=/dev/data bs=1M count=8 seek=4 2>/dev/null && sync'; }
sum_Block() { run "$1" 'dd if=/dev/data bs=1M count=8 skip=4 2>/dev/null | sha256sum'; }
sees_Block() { [ "$(run "$1" 'blockdev --getsize64 /dev/data')" = "$2" ]; }
