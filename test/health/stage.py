# SPDX-License-Identifier: Apache-2.0
"""A node of checks and a router beside it. Each check has a VIP of its own, so that every verdict
is also seen where it matters: on the wire."""

import json
import os
import subprocess

from lab.node import Node
from lab.process import LabError, wait_until
from lab.speaker import Speaker

NODE_ASN = 65010
ROUTER_ASN = 65001

# Quick enough for a test, slow enough for a machine that does other things too.
QUICK = {"interval": "300ms", "timeout": "800ms", "fall": 2, "rise": 1}


class Stage:
    """Made first, so that servers can be started in it; then configured, then started."""

    def __init__(self, fabric, role):
        self.fabric = fabric
        self.role = role
        self.namespace = fabric.namespace(role)
        router = f"{role}r"
        fabric.namespace(router)
        self.link = fabric.link(router, role)
        fabric.default_route(role, self.link.a)
        self.router = Speaker(
            fabric.namespaces[router], ROUTER_ASN, self.link.a[0], self.link.a[0]
        )
        self.prefixes = {}
        self.node = self.daemon = None

    def configure(self, checks, vips=None):
        """`checks`: the tables of the configuration; `vips`: name of a check -> keys of its VIP."""
        tables = []
        for number, check in enumerate(checks, 1):
            name = check["name"]
            address = f"203.0.113.{number}"
            self.prefixes[name] = f"{address}/32"
            tables.append(
                {"name": f"vip-{name}", "addresses": [address], "checks": [name],
                 **(vips or {}).get(name, {})}
            )  # fmt: skip
        peers = [{"name": "router", "address": self.link.a[0], "asn": ROUTER_ASN}]
        self.node = Node(self.fabric, self.role, NODE_ASN, peers, tables, checks)
        self.daemon = self.node.daemon
        return self

    def start(self):
        self.router.listen()
        self.node.start()
        wait_until("session up", lambda: self.node.peer("router")["state"] == "Established")
        return self

    def spawn(self, name, argv, env=None):
        return self.fabric.process(self.role, name, argv, env).start()

    def path(self, name):
        return self.fabric.path(self.role, name)

    def check(self, name):
        return json.loads(self.node.anyvip("--json", "checks", name))

    def probe(self, name):
        """`anyvip check NAME`: its exit status is not of interest here."""
        return self.node.anyvip("--json", "check", name, check=False)

    def vip(self, check_name):
        return self.node.vip(f"vip-{check_name}")

    def updates(self, name, since=0.0):
        """What the router was told of the VIP of this check: (time, "+" or "-") each."""
        prefix = self.prefixes[name]
        told = []
        for message in list(self.router.messages):
            if message.at >= since:
                told += [(message.at, "-")] * message.withdrawn().count(prefix)
                told += [(message.at, "+")] * message.announced().count(prefix)
        return told

    def is_announced(self, name):
        told = self.updates(name)
        return bool(told) and told[-1][1] == "+"

    def wait_announced(self, *names, deadline=20.0):
        def all_there():
            missing = [name for name in names if not self.is_announced(name)]
            if missing:
                raise LabError(f"not announced: {missing}")
            return True

        wait_until("announced", all_there, deadline)

    def withdrawn_after(self, name, since, deadline):
        """Seconds from `since` to the withdraw on the wire."""
        return self.router.wait_withdrawn(self.prefixes[name], since, deadline).at - since

    def require_no_withdraw(self, since):
        for name in self.prefixes:
            told = [f"{at - since:+.2f} s" for at, what in self.updates(name, since) if what == "-"]
            if told:
                raise LabError(f"{name} was withdrawn at {told}: {self.check(name)['reason']}")

    def processes_with(self, word):
        """Command lines in the namespace that contain this word."""
        found = []
        for pid in self.namespace.pids():
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    line = file.read().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if word in line:
                found.append(line)
        return found

    def cpu_seconds(self):
        with open(f"/proc/{self.daemon.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def show_log(self):
        if self.daemon:
            print(f"--- {self.role}: end of anyvipd's log\n{self.daemon.tail(25)}", flush=True)

    def finish(self):
        self.daemon.kill()
        self.router.end("fin")


def wait_listening(stage, *ports):
    def listening():
        text = stage.namespace.run("ss", "-Hltun")
        missing = [port for port in ports if f":{port} " not in text]
        if missing:
            raise LabError(f"nobody listens on {missing}")
        return True

    wait_until("servers listen", listening, 20)


def quiet(argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
