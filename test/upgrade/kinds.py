# SPDX-License-Identifier: Apache-2.0
"""Other kinds of node: an ordinary user with a few capabilities, hooks, a changed configuration."""

import json
import os
import shutil
import subprocess
import time

from lab.node import BIN
from lab.process import wait_until

from .stage import VIP4, require

CAPABILITIES = "-all,+net_admin,+net_raw,+net_bind_service"
USER = "nobody"
# It prints after its sleep: a closed pipe would kill it.
HOOK = """#!/bin/sh
event=$(cat)
echo "begin" >> {log}
sleep 2
echo "to standard output"
echo "$event" >> {log}
"""
HANGING_HOOK = """#!/bin/sh
echo "begin" >> {log}
exec sleep 1000
"""
HOOK_TIME = 10


class Kinds:
    def __init__(self, stage):
        self.stage = stage
        self.log = f"{stage.node.directory}/hooks"

    def steps(self):
        return [
            ("a changed file is applied by the new program", self.changed_file),
            ("a listener keeps its TCP MD5 key: the router connects after it", self.listener),
            ("a client that waits for a probe is told its result", self.probe_waiter),
            ("a hook that runs goes on over two upgrades, and is reaped", self.hook),
            ("a hook that hangs over two upgrades is killed at its 10 s", self.hanging_hook),
            ("an ordinary user's few capabilities go over", self.ordinary_user),
        ]

    def _status(self, key):
        with open(f"/proc/{self.stage.pid()}/status") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith(key))

    def changed_file(self):
        stage = self.stage
        stage.node.table("[vip]")["med"] = 77
        stage.node.write_configuration()
        document = stage.upgrade()
        require(any("www" in change for change in document["changes"]), f"changes: {document}")
        wait_until("MED", lambda: [path.med for path in stage.router.paths(f"{VIP4}/32")] == [77])

    def _apply(self):
        self.stage.node.write_configuration()
        self.stage.node.anyvip("reload")

    def listener(self):
        """The node itself never connects: what is accepted has come by the listener handed over."""
        stage = self.stage
        peer = stage.node.table("[peer]")
        peer["passive"] = True
        self._apply()
        stage.wait_announced()
        stage.upgrade()
        resets = stage.node.peer("tor")["resets"]
        stage.node.anyvip("reset", "tor")
        wait_until("the session has ended", lambda: stage.node.peer("tor")["resets"] > resets)
        stage.wait_announced()
        del peer["passive"]
        self._apply()
        stage.wait_announced()

    def probe_waiter(self):
        stage = self.stage
        slow = {"name": "slow", "type": "exec", "command": ["/bin/sleep", "1"], "interval": "1h",
                "timeout": "10s"}  # fmt: skip
        stage.node.tables.append(("[check]", slow))
        self._apply()
        wait_until("its first result", lambda: self._check("slow")["last"])
        with stage.node.namespace.entered():
            waiter = subprocess.Popen(
                [f"{BIN}/anyvip", "--socket", stage.node.control, "--json", "check", "slow"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        wait_until("it is probed", self._children)
        stage.upgrade()
        require(waiter.poll() is None, "the client was told something too early")
        output, _ = waiter.communicate(timeout=10)
        require(waiter.returncode == 0, f"exit {waiter.returncode}: {output}")
        stage.node.tables.pop()
        self._apply()

    def _check(self, name):
        return next(one for one in self.stage.node.status()["checks"] if one["name"] == name)

    def hook(self):
        """It begins before the upgrades and ends after them; nobody waits for it, nobody kills it."""
        stage = self.stage
        path = f"{stage.node.directory}/hook"
        self._write_hook(path, HOOK)
        stage.node.tables.append(("[hook]", {"event": "vip.draining", "command": [path]}))
        self._apply()
        self._run_over_two_upgrades()
        wait_until("the hook has ended", lambda: len(self._lines()) == 2)
        require(json.loads(self._lines()[1])["event"] == "vip.draining", f"{self._lines()}")
        wait_until("it is reaped", lambda: not self._children(), 1)

    def hanging_hook(self):
        self._write_hook(f"{self.stage.node.directory}/hook", HANGING_HOOK)
        begin = self._run_over_two_upgrades()
        wait_until("the hook is gone", lambda: not self._children(), HOOK_TIME + 2)
        took = time.monotonic() - begin
        require(HOOK_TIME - 1 < took < HOOK_TIME + 1, f"it is gone after {took:.1f} s")

    def _write_hook(self, path, text):
        with open(path, "w") as file:
            file.write(text.format(log=self.log))
        os.chmod(path, 0o755)

    def _run_over_two_upgrades(self):
        """When the hook has begun. The drain that started it has ended."""
        stage = self.stage
        if os.path.exists(self.log):
            os.remove(self.log)
        stage.node.anyvip("drain")
        wait_until("the hook has begun", lambda: os.path.exists(self.log))
        begin = time.monotonic()
        for _ in range(2):
            stage.upgrade()
            require(len(self._lines()) == 1 and self._children(), "the hook has ended too early")
        stage.node.anyvip("undrain")
        stage.wait_announced()
        return begin

    def _lines(self):
        with open(self.log) as file:
            return file.read().splitlines()

    def _children(self):
        pid = self.stage.pid()
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return file.read().split()

    def ordinary_user(self):
        stage = self.stage
        stage.node.stop()
        for path, directories, files in os.walk(stage.node.directory):
            for name in [".", *directories, *files]:
                shutil.chown(os.path.join(path, name), USER)
        stage.node.daemon.argv = [
            "setpriv", "--reuid", USER, "--regid", "nogroup", "--clear-groups",
            "--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES, "--bounding-set",
            CAPABILITIES, "--no-new-privs", *stage.node.daemon.argv,
        ]  # fmt: skip
        stage.node.start()
        stage.wait_announced()
        before = [self._status(key) for key in ("Uid", "CapEff", "CapAmb", "CapBnd")]
        view = stage.router_view()
        stage.upgrade()
        stage.upgrade()
        after = [self._status(key) for key in ("Uid", "CapEff", "CapAmb", "CapBnd")]
        require(after == before, f"{before} -> {after}")
        require(stage.router_view() == view, "the router saw it")
        # It can still do what needs them.
        stage.node.namespace.ip("address", "del", f"{VIP4}/32", "dev", "lo")
        wait_until("the address is back", lambda: stage.node.namespace.has_address(VIP4))
