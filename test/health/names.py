# SPDX-License-Identifier: Apache-2.0
"""A name server that does not answer, and what a check leaves in sessions of its own: neither takes
anything down, not over an upgrade in place, nor delays a stop."""

import signal
import socket
import time

from lab.process import LabError, wait_until

from .cases import SCRIPTS
from .stage import QUICK, Stage

PORT = 8098
KNOWN = "known.example"
HOSTS = "127.0.0.1 localhost\n"
# As resolv.conf(5) has it by default: a name is given up after 10 s.
RESOLVER = "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"
MOUNT = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'


class DeadNames:
    dead = ("dead1", "dead2", "dead3", "dead4")
    alive = ("localhost", "known", "leaves")

    def __init__(self, fabric):
        self.stage = Stage(fabric, "names")

    def checks(self):
        return [
            *({"name": name, "type": "tcp", "target": f"{name}.example:5432", **QUICK}
              for name in self.dead),
            {"name": "localhost", "type": "tcp", "target": f"localhost:{PORT}", **QUICK},
            {"name": "known", "type": "tcp", "target": f"{KNOWN}:{PORT}", **QUICK},
            {"name": "leaves", "type": "exec", "command": [f"{SCRIPTS}/leaves_sessions"], **QUICK},
        ]  # fmt: skip

    def run(self, report):
        if not report.check("names: servers and daemon start", self._start):
            self.stage.show_log()
            return
        for name, action in (
            ("four names that do not resolve hold no other name up", self._others),
            ("an upgrade while no name resolves withdraws nothing", self._upgrade),
            ("what a check leaves in other sessions is killed, after an upgrade too", self._strays),
            ("a stop does not wait for a look-up", self._stop),
        ):
            report.check(f"names: {name}", action)
        self.stage.finish()

    def _start(self):
        self._write("resolv.conf", RESOLVER)
        self._write("hosts", f"{HOSTS}127.0.0.1 {KNOWN}\n")
        with self.stage.namespace.entered():
            self.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.silent.bind(("127.0.0.1", 53))
            self.service = socket.create_server(("127.0.0.1", PORT), backlog=512)
        self.stage.configure(self.checks())
        daemon = self.stage.daemon
        files = [self.stage.path("resolv.conf"), self.stage.path("hosts")]
        daemon.argv = ["unshare", "-m", "sh", "-c", MOUNT, "sh", *files, *daemon.argv]
        self.stage.start()

    def _write(self, name, text):
        with open(self.stage.path(name), "w") as file:
            file.write(text)

    def _others(self):
        self.stage.wait_announced(*self.alive, deadline=5)
        for name in self.dead:
            wait_until(f"{name} is not resolved", lambda name=name: self._is_unresolved(name), 5)

    def _is_unresolved(self, name):
        last = self.stage.check(name)["last"]
        return bool(last) and "resolve timeout" in last["detail"]

    def _upgrade(self):
        self._write("hosts", HOSTS)
        began = time.monotonic()
        self.stage.daemon.send(signal.SIGUSR2)
        wait_until("the new program runs", lambda: self._upgrades() == 1)
        before = {name: self._timeouts(name) for name in self.dead}
        for name in self.dead:
            wait_until(f"{name} is not resolved three times",
                       lambda name=name: self._timeouts(name) >= before[name] + 3, 15)  # fmt: skip
        for name in self.alive:
            if any(what == "-" for _, what in self.stage.updates(name, began)):
                raise LabError(f"{name} was withdrawn: {self.stage.check(name)['reason']}")

    def _timeouts(self, name):
        sample = f'anyvip_check_results_total{{check="{name}",result="timeout"}}'
        for line in self.stage.node.metrics().splitlines():
            if line.startswith(sample):
                return float(line.split()[-1])
        return 0.0

    def _upgrades(self):
        events = self.stage.node.anyvip("--json", "events")
        return events.count('"upgrade.done"')

    def _strays(self):
        def few():
            left = self.stage.processes_with("sleep 4714")
            if len(left) > 8:  # some have a second to live
                raise LabError(f"{len(left)} are left")
            return True

        wait_until("they are killed", few, 5)

    def _stop(self):
        daemon = self.stage.daemon
        daemon.send(signal.SIGTERM)
        wait_until("it has stopped", lambda: "info: stopped" in daemon.tail(5), 20, every=0.01)
        began = time.monotonic()
        status = daemon.popen.wait(15)
        if (took := time.monotonic() - began) > 1 or status != 0:
            raise LabError(f"status {status}, {took:.1f} s after its last word")
        if left := self.stage.processes_with("sleep 4714"):
            raise LabError(f"left behind: {left}")
