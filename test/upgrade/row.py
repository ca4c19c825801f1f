# SPDX-License-Identifier: Apache-2.0
"""Many upgrades in a row under traffic: neither the router nor a client may notice."""

import contextlib
import os
import signal
import time

from lab.client import Load
from lab.process import wait_until

from .stage import VIP4, VIP6, require


class Row:
    def __init__(self, stage, count):
        self.stage = stage
        self.count = count

    def steps(self):
        return [
            (f"{self.count} upgrades under 200 requests a second: nobody notices", self.row),
            ("SIGUSR2 does the same", self.by_signal),
            ("the VIP still follows its service", self.still_works),
        ]

    def row(self):
        stage = self.stage
        before, node_before = stage.router_view(), stage.node_view()
        files_before = self._open_files()
        slowest = 0.0
        with Load(stage.client, VIP4) as load4, Load(stage.client, VIP6) as load6:
            for _ in range(self.count):
                begin = time.monotonic()
                document = stage.upgrade()
                slowest = max(slowest, time.monotonic() - begin)
                require("upgraded" in document, f"answer: {document}")
            if stage.has_bfd:
                time.sleep(1)  # longer than any detection time: a flap would show by now
        view, node_view = stage.router_view(), stage.node_view()
        require(view == before, f"the router saw it: {before} -> {view}")
        require(node_view == node_before, f"the node changed: {node_before} -> {node_view}")
        require(stage.pid() == node_before["pid"], "another process")
        files = self._open_files()
        # A probe may be under way at either moment.
        require(files <= files_before + 2, f"{files_before} open files before, {files} after")
        require("anyvip-state" not in self._links(), f"the state is still open: {self._links()}")
        for family, load in (("IPv4", load4), ("IPv6", load6)):
            failures = dict(load.outcomes.failures())
            require(not failures, f"{family}: of {len(load.outcomes)} requests: {failures}")
        done = stage.events("upgrade.done")
        require(len(done) >= min(self.count, 100), f"{len(done)} events upgrade.done")
        took = sorted(float(event["ms"]) for event in done)
        print(
            f"      {len(load4.outcomes) + len(load6.outcomes)} requests, none failed; "
            f"with the trial {took[len(took) // 2]:.0f} ms, at worst {took[-1]:.0f} ms; "
            f"the command at worst {slowest * 1000:.0f} ms",
            flush=True,
        )

    def _open_files(self):
        return len(os.listdir(self._descriptors()))

    def _links(self):
        """What its descriptors lead to."""
        links = []
        for number in os.listdir(self._descriptors()):
            with contextlib.suppress(FileNotFoundError):  # closed in the meantime
                links.append(os.readlink(f"{self._descriptors()}/{number}"))
        return " ".join(links)

    def _descriptors(self):
        return f"/proc/{self.stage.pid()}/fd"

    def by_signal(self):
        stage = self.stage
        before, count = stage.router_view(), len(stage.events("upgrade.done"))
        stage.node.daemon.send(signal.SIGUSR2)
        wait_until("the event", lambda: len(stage.events("upgrade.done")) == count + 1)
        require(stage.router_view() == before, "the router saw it")

    def still_works(self):
        stage = self.stage
        stage.node.kill_service()
        wait_until("withdrawn", lambda: not stage.fib(VIP4) and not stage.fib(VIP6))
        stage.node.start_service()
        stage.wait_announced()
