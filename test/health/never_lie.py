# SPDX-License-Identifier: Apache-2.0
"""A starved node withdraws nothing by mistake: stopped, without CPU, without descriptors."""

import os
import signal
import subprocess
import sys
import time

from lab.process import LabError, wait_until

from . import real_servers as real
from .certificates import NAME
from .real_servers import RealServers
from .stage import Stage

# Sharp on purpose: a false timeout would be a withdraw after two of them.
SHARP = {"interval": "100ms", "timeout": "200ms", "fall": 2, "rise": 1}
BURN = "while True: pass"


def sharp_checks(servers):
    return [
        {"name": "tcp", "type": "tcp", "target": f"127.0.0.1:{real.HTTP}", **SHARP},
        {"name": "http", "type": "http", "url": f"http://127.0.0.1:{real.HTTP}/healthz",
         "host": "good.example", **SHARP},
        {"name": "haproxy", "type": "haproxy", "socket": servers.haproxy_socket,
         "backend": "web", **SHARP},
        {"name": "dns", "type": "dns", "server": f"127.0.0.1:{real.DNS}", "query": "www.test",
         **SHARP},
        {"name": "file", "type": "file", "path": "/etc/hostname", **SHARP},
        {"name": "vip", "type": "tcp", "target": f"{{vip}}:{real.HTTP}", **SHARP},
        {"name": "exec", "type": "exec", "command": ["/bin/true"], **SHARP},
        {"name": "tls", "type": "tls", "target": f"127.0.0.1:{real.TLS['good']}",
         "ca_file": servers.certificates.authority, "sni": NAME, **SHARP},
    ]  # fmt: skip


class Starved:
    """One node with sharp checks of healthy services, and what is done to it."""

    def __init__(self, fabric, role):
        self.stage = Stage(fabric, role)
        self.servers = RealServers(self.stage)

    def start(self):
        self.servers.start()
        self.stage.configure(sharp_checks(self.servers)).start()
        self.stage.wait_announced(*self.stage.prefixes)

    def all_pass_again(self, deadline):
        def passing():
            bad = [
                check["name"]
                for check in self.stage.node.status()["checks"]
                if check["state"] != "up" or not check["last"]["ok"]
            ]
            if bad:
                raise LabError(f"not passing: {bad}")
            return True

        wait_until("all pass", passing, deadline)


class Stopped(Starved):
    def __init__(self, fabric):
        super().__init__(fabric, "stopped")

    def run(self, report):
        if report.check("stopped: servers and daemon start", self.start):
            report.check("never lie: daemon stopped for 3 s, no withdraw", self._stopped)
            report.check("never lie: daemon stopped 20 times for 300 ms", self._stutters)
        self.stage.finish()

    def _stopped(self):
        began = time.monotonic()
        self.stage.daemon.send(signal.SIGSTOP)
        time.sleep(3)
        self.stage.daemon.send(signal.SIGCONT)
        self.all_pass_again(10)
        time.sleep(1)
        self.stage.require_no_withdraw(began)

    def _stutters(self):
        began = time.monotonic()
        for _ in range(20):
            self.stage.daemon.send(signal.SIGSTOP)
            time.sleep(0.3)
            self.stage.daemon.send(signal.SIGCONT)
            time.sleep(0.05)
        self.all_pass_again(10)
        self.stage.require_no_withdraw(began)


class NoDescriptors(Starved):
    """The limit is taken away from below the running daemon: every socket() fails."""

    def __init__(self, fabric):
        super().__init__(fabric, "descriptors")

    def run(self, report):
        if report.check("no descriptors: servers and daemon start", self.start):
            report.check("never lie: no descriptors for 5 s, no withdraw", self._for_a_while)
            report.check("never lie: no descriptors for long, `starved`", self._for_long)
        self.stage.finish()

    def _limit(self, number):
        pid = str(self.stage.daemon.pid)
        subprocess.run(["prlimit", "--pid", pid, f"--nofile={number}:1024"], check=True)

    def _for_a_while(self):
        began = time.monotonic()
        self._limit(3)
        time.sleep(5)
        self._limit(1024)
        self.all_pass_again(10)
        self.stage.require_no_withdraw(began)
        runs = self.stage.check("tcp")["history"]
        if not any(run["result"] == "error" and "Too many open" in run["detail"] for run in runs):
            raise LabError(f"no error with its reason among {runs}")

    def _for_long(self):
        """Nothing is announced on stale information: down as `starved` after 10 s, not before."""
        began = time.monotonic()
        self._limit(3)
        try:
            took = self.stage.withdrawn_after("tcp", began, 16)
        finally:
            self._limit(1024)
        if took < 9.5:
            raise LabError(f"withdrawn after {took:.1f} s")
        self.all_pass_again(10)
        reasons = [entry["reason"] for entry in self.stage.check("tcp")["transitions"]]
        if not any("starved" in reason for reason in reasons):
            raise LabError(f"no `starved` among {reasons}")


class NoProcessor(Starved):
    """All cores are kept busy by others, and the daemon is the last in the queue."""

    seconds = 10

    def __init__(self, fabric):
        super().__init__(fabric, "processor")

    def run(self, report):
        if report.check("no processor: servers and daemon start", self.start):
            report.check("never lie: all cores busy, daemon nice 19, no withdraw", self._burn)
        self.stage.finish()

    def _burn(self):
        began = time.monotonic()
        os.setpriority(os.PRIO_PROCESS, self.stage.daemon.pid, 19)
        burners = [
            subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(4 * os.cpu_count())
        ]
        try:
            time.sleep(self.seconds)
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()
        self.all_pass_again(10)
        self.stage.require_no_withdraw(began)
