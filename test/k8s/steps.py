#!/usr/bin/env python3
"""steps.py SEED STEPS RESTARTS: attaches and detaches volumes at random, by VolumeAttachments that
the attacher then acts on, and restarts the controller now and then, while it compares the gauge of
held volumes with what the API server tells: never below what is acknowledged, never above that and
what is in flight; at rest equal to it and to what the box has. Run in the lab by prog/steps.sh.

Among the volumes are some that two PVs name, under names that are not the handle's, and some that
two nodes share; among the VolumeAttachments some of a node that is out of service, which stay
attached=false, and one of another driver."""
import hashlib
import http.client
import json
import os
import random
import ssl
import subprocess
import sys
import time

D = os.environ["K8S_LAB"]
DRIVER = "rds.csi.srvlab.io"
HERE = os.path.dirname(os.path.abspath(__file__))
ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"
N_VOLUMES = 14
HOPELESS = "node-9"  # out of service: nothing is ever attached there


class Wrong(Exception):
    pass


class Api:
    def __init__(self):
        self.tls = ssl.create_default_context(cafile=f"{D}/pki/ca.crt")
        self.tls.load_cert_chain(f"{D}/pki/admin.crt", f"{D}/pki/admin.key")
        self.conn = None

    def ask(self, method, path, body=None, kind="json"):
        for attempt in (0, 1):
            try:
                if not self.conn:
                    self.conn = http.client.HTTPSConnection("127.0.0.1", 6443, context=self.tls, timeout=120)
                self.conn.request(method, path, json.dumps(body) if body else None,
                                  {"Content-Type": f"application/{kind}"})
                answer = self.conn.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                self.conn = None
                if attempt:
                    raise

    def must(self, method, path, body=None, kind="json", also=()):
        status, answer = self.ask(method, path, body, kind)
        if status >= 300 and status not in also:
            raise Wrong(f"{method} {path}: {status} {answer.get('message')}")
        return answer


def http_get(port, path):
    """Status and text; None where nobody listens."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        conn.request("GET", path)
        answer = conn.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return None
    finally:
        conn.close()


def gauge():
    """'away', 'absent', or the number."""
    answer = http_get(9809, "/metrics")
    if not answer:
        return "away"
    for line in answer[1].splitlines():
        if line.startswith("rds_csi_nvme_connections_active "):
            return int(line.split()[1])
    return "absent"


def ready():
    answer = http_get(9809, "/readyz")
    return bool(answer) and answer[0] == 200


def lab(*words):
    subprocess.run([f"{HERE}/lab", *words], check=True, env={**os.environ, "K8S_LAB_INSIDE": "1"},
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def call(method, request):
    done = subprocess.run([f"{D}/rds-csi", "call", "--endpoint", f"unix://{D}/controller/csi.sock", method,
                           json.dumps(request)], capture_output=True, text=True)
    if done.returncode:
        raise Wrong(f"{method}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Look:
    """The VolumeAttachments at one moment."""

    def __init__(self, objects, handle_of):
        self.all = {}
        self.sure, self.perhaps = set(), set()
        for o in objects:
            if o["spec"]["attacher"] != DRIVER:
                continue
            handle = handle_of[o["spec"]["source"]["persistentVolumeName"]]
            going = "deletionTimestamp" in o["metadata"]
            attached = o.get("status", {}).get("attached", False)
            self.all[o["metadata"]["name"]] = (handle, o["spec"]["nodeName"], attached, going)
            if attached and not going:
                self.sure.add(handle)
            if o["spec"]["nodeName"] != HOPELESS:
                self.perhaps.add(handle)

    def unsettled(self):
        """Those that somebody still has something to do for."""
        for name, (handle, node, attached, going) in self.all.items():
            if going or not (attached or node == HOPELESS or handle in self.sure):
                yield name


class Steps:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.api = Api()
        self.handle_of, self.shared = {}, set()
        self.is_known = True  # the gauge must be there
        self.seen = {"away": 0, "absent": 0, "numbers": 0, "absent while the API server hangs": 0}
        self.widest = 0

    # ---- volumes ----
    def furnish(self):
        for i in range(N_VOLUMES):
            handle = f"steps-{i:02}"
            use = {"access_mode": {"mode": "SINGLE_NODE_WRITER"}, "mount": {"fs_type": "xfs"}}
            if i % 5 == 0:
                self.shared.add(handle)
                use = {"access_mode": {"mode": "MULTI_NODE_MULTI_WRITER"}, "block": {}}
            volume = call("CreateVolume", {"name": handle, "capacity_range": {"required_bytes": 1 << 30},
                                           "volume_capabilities": [use]})["volume"]
            names = [handle] if i % 3 == 0 else [f"named-{i}"] if i % 3 == 1 else [f"one-of-{i}", f"other-of-{i}"]
            for name in names:
                self.pv(name, handle, volume["volume_context"])
        name = "steps-of-another-driver"
        self.api.must("POST", ATTACHMENTS, self.attachment(name, "another.test", "node-1", "nothing"))
        self.api.must("PATCH", f"{ATTACHMENTS}/{name}/status", {"status": {"attached": True}}, "merge-patch+json")

    def pv(self, name, handle, context):
        self.handle_of[name] = handle
        is_shared = handle in self.shared
        self.api.must("POST", "/api/v1/persistentvolumes", {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
                "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "by-hand", "volumeMode": "Block" if is_shared else "Filesystem",
                "accessModes": ["ReadWriteMany" if is_shared else "ReadWriteOnce"],
                "csi": {"driver": DRIVER, "volumeHandle": handle, "volumeAttributes": context}}})

    def clear(self):
        for name in self.look().all:
            self.detach(name)
        self.api.must("DELETE", f"{ATTACHMENTS}/steps-of-another-driver", also=(404,))
        self.at_rest("everything is detached")
        for name in self.handle_of:
            self.api.must("DELETE", f"/api/v1/persistentvolumes/{name}")
        for handle in set(self.handle_of.values()):
            call("DeleteVolume", {"volume_id": handle})

    # ---- steps ----
    @staticmethod
    def attachment(name, attacher, node, pv):
        return {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name},
                "spec": {"attacher": attacher, "nodeName": node, "source": {"persistentVolumeName": pv}}}

    def attach(self, pv, node):
        """Named as the attach-detach controller does: by handle and node, whatever the PV."""
        name = "csi-by-hand-" + hashlib.sha256((self.handle_of[pv] + DRIVER + node).encode()).hexdigest()
        self.api.must("POST", ATTACHMENTS, self.attachment(name, DRIVER, node, pv), also=(409,))

    def detach(self, name):
        self.api.must("DELETE", f"{ATTACHMENTS}/{name}", also=(404,))

    def step(self):
        now = self.look()
        free = [name for name, va in now.all.items() if not va[3]]
        if free and self.random.random() < len(free) / N_VOLUMES / 1.6:
            self.detach(self.random.choice(free))
        else:
            node = self.random.choice(["node-1", "node-2"] * 5 + [HOPELESS])
            self.attach(self.random.choice(sorted(self.handle_of)), node)

    # ---- what is compared ----
    def look(self):
        return Look(self.api.must("GET", ATTACHMENTS)["items"], self.handle_of)

    def compare(self, what):
        before = self.look()
        says = gauge()
        after = self.look()
        if not isinstance(says, int):
            self.seen[says] += 1
            if self.is_known:
                raise Wrong(f"{what}: the gauge is {says}")
            return says
        self.is_known = True
        self.seen["numbers"] += 1
        least = len(before.sure & after.sure)
        most = len(before.perhaps | after.perhaps)
        self.widest = max(self.widest, most - least)
        if not least <= says <= most:
            raise Wrong(f"{what}: the gauge says {says}; {least} are acknowledged, {most} with those in flight")
        return says

    def at_rest(self, what):
        """Nobody has anything to do any more. The attacher waits after failures; a change of an
        object makes it look at once."""
        end, poked = time.monotonic() + 240, time.monotonic()
        while True:
            self.compare(what)
            now = self.look()
            waiting = list(now.unsettled())
            if not waiting:
                break
            if time.monotonic() > end:
                raise Wrong(f"{what}: not at rest after 240 s: {[now.all[n] for n in waiting]}")
            if time.monotonic() - poked > 1:
                poked = time.monotonic()
                for name in waiting:
                    self.api.must("PATCH", f"{ATTACHMENTS}/{name}",
                                  {"metadata": {"annotations": {"poke": str(time.time_ns())}}},
                                  "merge-patch+json", also=(404,))
            time.sleep(0.1)
        says = self.compare(what)
        exported = len(os.listdir(f"{D}/box/exports"))
        if not says == len(now.sure) == exported:
            raise Wrong(f"{what}: the gauge says {says}, the objects {len(now.sure)}, the box exports {exported}")
        return says

    def restart(self, how):
        """killed: the Lease has to run out. hung: the API server does not answer at first."""
        lab("kill" if how == "killed" else "stop", "controller")
        self.is_known = False
        if how == "hung":
            lab("pause", "kube-apiserver")
            try:
                lab("start", "controller")
                was, began = self.seen["absent while the API server hangs"], time.monotonic()
                end = began + 3  # from when it listens
                while time.monotonic() < end and time.monotonic() < began + 60:
                    says = gauge()
                    if says not in ("absent", "away"):
                        raise Wrong(f"before the first whole list the gauge says {says}")
                    self.seen["absent while the API server hangs"] += says == "absent"
                    if self.seen["absent while the API server hangs"] == was:
                        end = time.monotonic() + 3
                    time.sleep(0.05)
            finally:
                lab("resume", "kube-apiserver")
        else:
            lab("start", "controller")
        end = time.monotonic() + 120
        while True:
            was_ready = ready()
            self.is_known = self.is_known or was_ready
            self.compare(f"after the controller was {how}")
            if was_ready:
                return
            if time.monotonic() > end:
                raise Wrong(f"not ready 120 s after it was {how}")
            time.sleep(0.02)


def main():
    seed, n_steps, n_restarts = (int(word) for word in sys.argv[1:4])
    print(f"seed {seed}", flush=True)
    steps = Steps(seed)
    steps.furnish()
    hows = ["ended", "hung", "ended", "killed", "ended"]
    began = time.monotonic()
    try:
        for i in range(1, n_steps + 1):
            steps.step()
            if steps.random.random() < 0.5:
                time.sleep(steps.random.uniform(0, 0.12))
            steps.compare(f"step {i}")
            if i % (n_steps // n_restarts) == 0:
                how = hows[i // (n_steps // n_restarts) % len(hows)]
                steps.restart(how)
                says = steps.at_rest(f"step {i}, {how}")
                print(f"step {i}, the controller {how}: {says} volumes held, "
                      f"{time.monotonic() - began:.0f} s", flush=True)
        steps.clear()
    except Wrong as e:
        print(f"WRONG (seed {seed}): {e}", flush=True)
        return 1
    print(f"the gauge was compared {steps.seen['numbers']} times, the bounds up to {steps.widest} apart; {steps.seen}")
    if not steps.seen["absent while the API server hangs"]:
        print("nobody saw it without its first whole list")
        return 1
    return 0


sys.exit(main())
