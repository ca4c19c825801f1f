# SPDX-License-Identifier: Apache-2.0
"""A fault at each step of an upgrade: either the old program carries on and nobody notices, or the
process is gone, its routes with its sockets, and the next start carries on."""

import os
import signal
import subprocess

from lab.fabric import ROOT
from lab.process import wait_until

from .stage import VIPS, require

KILLED_TRIAL = "crashed in its trial: Killed"
NO_MEMORY = "no memory for the state: "
# Steps in their order (fault.c): what the old program says when it is killed there, and when the call fails.
# None: the process is gone. A missing one: that call cannot fail, or it does not matter.
GONE = None
STEPS = [
    ("trial-memory", {"kill": GONE, "fail": "Cannot allocate memory"}),
    ("trial-write", {"kill": GONE, "fail": "No space left on device"}),
    ("trial-pipe", {"kill": GONE, "fail": "Too many open files"}),
    ("trial-exec", {"kill": KILLED_TRIAL, "fail": "Cannot allocate memory"}),
    ("trial-start", {"kill": KILLED_TRIAL}),
    ("trial-read", {"kill": KILLED_TRIAL, "fail": "the state cannot be read: Input/output error"}),
    ("commit", {"kill": GONE}),
    ("state-memory", {"kill": GONE, "fail": f"{NO_MEMORY}Cannot allocate memory"}),
    ("state-write", {"kill": GONE, "fail": f"{NO_MEMORY}No space left on device"}),
    ("close-range", {"kill": GONE}),
    ("bfd-write", {"kill": GONE, "fail": f"{NO_MEMORY}No space left on device"}),
    ("exec", {"kill": GONE, "fail": "cannot run the new program: Cannot allocate memory"}),
    ("start", {"kill": GONE}),
    ("read", {"kill": GONE, "fail": GONE}),
    ("bfd-start", {"kill": GONE, "fail": GONE}),
    ("netlink", {"kill": GONE, "fail": GONE}),
    ("settled", {"kill": GONE}),
]
# A closed socket says it at once; the hold time is 9 s.
WITHDRAWN_WITHIN = 3


class Kills:
    def __init__(self, stage):
        self.stage = stage
        self.fault = f"{stage.fabric.directory}/fault"

    def steps(self):
        faults = [
            (f"step {step}, {kind}: {'gone, and back after a start' if end is GONE else 'carries on'}",
             lambda step=step, kind=kind, end=end: self._meet(step, kind, end))
            for step, kinds in STEPS
            for kind, end in kinds.items()
        ]  # fmt: skip
        return [
            ("a library that brings faults is loaded", self._preload),
            *faults,
            ("after all that an upgrade that nobody notices", self._recovers),
        ]

    def _preload(self):
        stage = self.stage
        library = f"{self.fault}.so"
        source = f"{ROOT}/test/upgrade/fault.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        stage.node.stop()
        stage.node.daemon.env = {"LD_PRELOAD": library, "ANYVIP_FAULT": self.fault}
        stage.node.start()
        stage.wait_announced()

    def _meet(self, step, kind, end):
        with open(self.fault, "w") as file:
            file.write(f"{step} {kind}")
        if end is GONE:
            self._gone()
        else:
            self.stage.carries_on(end)
        require(not os.path.exists(self.fault), "this step was not reached")
        with open(f"{self.fault}.met") as file:
            require(file.read().splitlines()[-1] == f"{step} {kind}", "another step was reached")

    def _gone(self):
        stage = self.stage
        stage.node.daemon.send(signal.SIGUSR2)
        wait_until("the process is gone", lambda: not stage.node.daemon.is_running())
        for address in VIPS:
            wait_until(f"{address} is withdrawn", lambda a=address: not stage.fib(a), WITHDRAWN_WITHIN)
        stage.node.start()
        stage.wait_announced()
        addresses = stage.node.vip("www")["addresses"]
        require(all(one["owned"] for one in addresses), f"not adopted: {addresses}")

    def _recovers(self):
        stage = self.stage
        before, node_before = stage.router_view(), stage.node_view()
        stage.upgrade()
        view, node_view = stage.router_view(), stage.node_view()
        require(view == before, f"the router saw it: {before} -> {view}")
        require(node_view == node_before, f"the node changed: {node_before} -> {node_view}")
        stage.node.stop()
        stage.node.daemon.env = None
        stage.node.start()
        stage.wait_announced()
