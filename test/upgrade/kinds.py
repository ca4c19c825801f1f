# SPDX-License-Identifier: Apache-2.0
"""Other kinds of node: an ordinary user with a few capabilities, hooks, a changed configuration."""

import json
import os
import shutil

from lab.process import wait_until

from .stage import VIP4, require

CAPABILITIES = "-all,+net_admin,+net_raw,+net_bind_service"
USER = "nobody"
HOOK = """#!/bin/sh
event=$(cat)
echo "begin" >> {log}
sleep 1
echo "$event" >> {log}
"""


class Kinds:
    def __init__(self, stage):
        self.stage = stage
        self.log = f"{stage.node.directory}/hooks"

    def steps(self):
        return [
            ("a changed file is applied by the new program", self.changed_file),
            ("a hook that runs goes on, and is reaped", self.hook),
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

    def hook(self):
        """It begins before the upgrade and ends after it; nobody waits for it, nobody kills it."""
        stage = self.stage
        path = f"{stage.node.directory}/hook"
        with open(path, "w") as file:
            file.write(HOOK.format(log=self.log))
        os.chmod(path, 0o755)
        stage.node.tables.append(("[hook]", {"event": "vip.draining", "command": [path]}))
        stage.node.write_configuration()
        stage.node.anyvip("reload")
        stage.node.anyvip("drain")
        wait_until("the hook has begun", lambda: os.path.exists(self.log))
        stage.upgrade()
        wait_until("the hook has ended", lambda: len(self._lines()) == 2)
        require(json.loads(self._lines()[1])["event"] == "vip.draining", f"{self._lines()}")
        wait_until("it is reaped", lambda: not self._children())
        stage.node.anyvip("undrain")
        stage.wait_announced()

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
