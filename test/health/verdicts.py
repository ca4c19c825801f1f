# SPDX-License-Identifier: Apache-2.0
"""All cases of the table in one daemon at once, each judged by what `anyvip` and the router say."""

import subprocess
import time

from lab.process import LabError, wait_until

from .cases import SCRIPTS, all_cases
from .real_servers import RealServers
from .stage import QUICK, Stage


class Verdicts:
    def __init__(self, fabric):
        self.stage = Stage(fabric, "verdicts")
        self.servers = RealServers(self.stage)
        self.cases = all_cases(self.stage, self.servers)

    def run(self, report):
        if not report.check("verdicts: servers and daemon start", self._start):
            self.stage.show_log()
            return
        for case in self.cases:
            report.check(f"verdict: {case.name}", lambda case=case: self._judge(case))
        report.check("exec: a killed run leaves no child, an ended one may", self._no_children)
        report.check("exec: a program that is gone is an error, at once", self._missing_program)
        report.check("exec: a program that never was is an error of the file", self._refused)
        report.check("no check is started before the one before it has ended", self._no_overlap)
        self.stage.finish()

    def _start(self):
        with open(self.stage.path("stale.pid"), "w") as file:
            ended = subprocess.Popen(["true"])
            ended.wait()
            file.write(f"{ended.pid}\n")
        self.servers.start()
        subprocess.run(["cp", f"{SCRIPTS}/passes", self.stage.path("vanishes")], check=True)
        vanishing = {"name": "vanishes", "type": "exec", "command": [self.stage.path("vanishes")]}
        checks = [{"name": case.name, **QUICK, **case.keys} for case in self.cases]
        self.stage.configure(
            [*checks, {**QUICK, **vanishing}],
            {case.name: case.vip for case in self.cases},
        ).start()
        wait_until("all checks have a verdict", self._all_judged, 30)

    def _all_judged(self):
        unknown = [
            check["name"]
            for check in self.stage.node.status()["checks"]
            if check["state"] == "unknown"
        ]
        if unknown:
            raise LabError(f"unknown yet: {unknown}")
        return True

    def _judge(self, case):
        """A starved machine may add a late run now and then: so what must hold soon, not now."""

        def holds():
            name = case.name + ("@203.0.113.%d" % self._number(case) if case.uses_vip() else "")
            case.judge(
                self.stage.check(name),
                self.stage.vip(case.name),
                self.stage.is_announced(case.name),
            )
            return True

        wait_until(case.name, holds, 5, every=0.1)

    def _number(self, case):
        return self.cases.index(case) + 1

    def _no_children(self):
        """The children of a killed run go with it; those seen belong to the run under way."""
        self._no_more_than("sleep 4711", 4)
        self._no_more_than("sleep 4713", 1)

    def _no_more_than(self, word, limit):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            alive = [line for line in self.stage.processes_with(word) if line.startswith("sleep")]
            if len(alive) > limit:
                raise LabError(f"{len(alive)} x {word}: they pile up")
            time.sleep(0.2)

    def _missing_program(self):
        self.stage.wait_announced("vanishes")
        begin = time.monotonic()
        subprocess.run(["rm", self.stage.path("vanishes")], check=True)
        self.stage.withdrawn_after("vanishes", begin, 5)
        last = self.stage.check("vanishes")["last"]
        if last["result"] != "error" or "No such file" not in last["detail"]:
            raise LabError(f"{last['result']}: {last['detail']}")

    def _refused(self):
        path = self.stage.path("bad.toml")
        with open(self.stage.node.config) as good, open(path, "w") as bad:
            bad.write(good.read().replace(f"{SCRIPTS}/passes", f"{SCRIPTS}/no-such"))
        command = [self.stage.daemon.argv[0], "--check", "-c", path]
        result = subprocess.run(command, capture_output=True, text=True)
        text = result.stdout + result.stderr
        if result.returncode != 78 or "no-such" not in text:
            raise LabError(f"exit {result.returncode}: {text}")

    def _no_overlap(self):
        scripts = [
            line
            for line in self.stage.processes_with("ignores_sigterm")
            if "checks/ignores_sigterm" in line
        ]
        if len(scripts) > 1:
            raise LabError(f"runs overlap: {scripts}")
