# SPDX-License-Identifier: Apache-2.0
"""Upgrades in the middle of something: a drain, a hold-down, clients that wait."""

import json
import subprocess

from lab.node import BIN
from lab.process import LabError, wait_until

from .stage import VIP4, require

GSHUT = {"65535:0", "gracefulShutdown", "graceful-shutdown"}  # in the words of each router


class Drains:
    def __init__(self, stage):
        self.stage = stage

    def steps(self):
        return [
            ("in the middle of GRACEFUL_SHUTDOWN: its clock goes on, the waiting client is told",
             self.in_gshut),
            ("in a drain that waits for a flow: it still waits, and ends with the flow",
             self.in_drain),
            ("while drained: still drained, undrain ends it", self.drained),
            ("`events -f` goes on over the upgrade", self.followers),
        ]  # fmt: skip

    def _background(self, *argv):
        node = self.stage.node
        with node.namespace.entered():
            return subprocess.Popen(
                [f"{BIN}/anyvip", "--socket", node.control, "--json", *argv],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

    def _path(self):
        paths = self.stage.router.paths(f"{VIP4}/32")
        return paths[0] if paths else None

    def _undrain(self):
        self.stage.node.anyvip("undrain")
        self.stage.wait_announced()

    def in_gshut(self):
        stage = self.stage
        waiter = self._background("drain", "--wait")
        wait_until("GRACEFUL_SHUTDOWN", lambda: (p := self._path()) and p.communities & GSHUT)
        stage.upgrade()
        path = self._path()
        require(path and path.communities & GSHUT, f"after the upgrade: {path}")
        wait_until("withdrawn", lambda: not self._path(), 3)
        out, err = waiter.communicate(timeout=15)
        lines = [json.loads(line) for line in out.splitlines()]
        steps = [line["step"] for line in lines if "step" in line]
        require(waiter.returncode == 0, f"exit {waiter.returncode}: {out}{err}")
        require(steps[0] == "graceful-shutdown" and steps[-1] == "finished", f"steps: {steps}")
        require(steps.count("graceful-shutdown") == 1, f"told twice: {steps}")
        self._undrain()

    def in_drain(self):
        """A flow keeps the drain from ending; the upgrade must neither end nor forget it."""
        stage = self.stage
        script = (
            "import socket,sys,time\n"
            f"s=socket.create_connection(('{VIP4}',80))\n"
            "print('open',flush=True)\n"
            "while sys.stdin.readline(): s.sendall(b'x')\n"
            "s.close()\n"
        )
        with stage.client.entered():
            flow = subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)  # fmt: skip
        require(flow.stdout.readline() == "open\n", "no flow")
        waiter = self._background("drain", "--wait", "--deadline", "30s")
        wait_until("withdrawn", lambda: not self._path(), 5)
        for _ in range(3):
            flow.stdin.write("\n")
            flow.stdin.flush()
            stage.upgrade()
            require(stage.node.vip("www")["state"] == "draining", "the drain has ended")
            require(waiter.poll() is None, "the client was told that it is over")
        flow.stdin.close()
        flow.wait()
        _, err = waiter.communicate(timeout=15)
        require(waiter.returncode == 0, f"exit {waiter.returncode}: {err}")

    def drained(self):
        stage = self.stage
        require(stage.node.vip("www")["state"] == "drained", "not drained")
        stage.upgrade()
        require(stage.node.vip("www")["state"] == "drained", "the upgrade ended the drain")
        require(not self._path(), "announced by the upgrade")
        self._undrain()

    def followers(self):
        stage = self.stage
        follower = self._background("events", "-f")
        try:
            stage.upgrade()
            stage.upgrade()
            stage.node.anyvip("drain")
            self._undrain()
            seen = []
            while not seen or seen[-1] != "vip.undrained":
                line = follower.stdout.readline()
                if not line:
                    raise LabError(f"the stream has ended after {seen}")
                seen.append(json.loads(line)["event"])
            require(seen.count("upgrade.done") >= 2, f"events: {seen}")
        finally:
            follower.kill()
