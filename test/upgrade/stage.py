# SPDX-License-Identifier: Apache-2.0
"""One node with a service, a real router with TCP MD5 and BFD, a client; the daemon's program file is a copy
that a test may replace."""

import json
import os
import re
import shutil

from interop.bfd_routers import make_bfd_router
from lab.client import Load
from lab.node import BIN, Node
from lab.process import LabError, wait_until
from lab.router import Neighbor

ROUTER_ASN, NODE_ASN = 65001, 65010
VIP4, VIP6 = "203.0.113.10", "2001:db8:ffff::10"
VIPS = (VIP4, VIP6)
ALLOWED = ("203.0.113.0/24", "2001:db8:ffff::/48")
CHECK = {"name": "web", "type": "http", "url": "http://127.0.0.1:80/", "interval": "200ms"}
VIP = {"name": "www", "addresses": list(VIPS), "checks": ["web"]}
DRAIN = {"gshut": "1s", "deadline": "10s", "idle": "3s", "keep_last": "never"}
BFD = {"transmit": "50ms", "receive": "50ms", "multiplier": 3}
PASSWORD = "over-every-upgrade"


def require(condition, text):
    if not condition:
        raise LabError(text)


class Since:
    """A time of day as BIRD shows it: made anew from two clocks each time, so good to some ms."""

    def __init__(self, text):
        hours, minutes, seconds = text.split(":")
        self._seconds = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        self._text = text

    def __eq__(self, other):
        return abs(self._seconds - other._seconds) < 0.1

    def __repr__(self):
        return self._text


class Stage:
    """`bfd`: 50 ms x 3 in both directions."""

    def __init__(self, fabric, software, bfd=True, checks=(CHECK,), vip=VIP):
        self.fabric = fabric
        self.software = software
        self.has_bfd = bfd
        fabric.router_namespace("router")
        self.client = fabric.namespace("client")
        client_link = fabric.link("router", "client")
        fabric.default_route("client", client_link.a)
        fabric.namespace("node")
        self.link = fabric.link("router", "node")
        fabric.default_route("node", self.link.a)
        self.there, self.here = self.link.a[0], self.link.b[0]
        peer = {"name": "tor", "address": self.there, "asn": ROUTER_ASN, "password": PASSWORD}
        if bfd:
            peer["bfd"] = BFD
        self.node = Node(fabric, "node", NODE_ASN, [peer], [vip], checks)
        self.node.tables.append(("drain", dict(DRAIN)))
        self.program = f"{fabric.directory}/anyvipd"
        self.install(f"{BIN}/anyvipd")
        self.node.daemon.argv[0] = self.program
        neighbors = [Neighbor("node", NODE_ASN, self.here, password=PASSWORD)]
        self.router = make_bfd_router(
            software, fabric, "router", ROUTER_ASN, "10.0.1.1", neighbors, *ALLOWED, interval=50
        )

    def install(self, path):
        """Puts a copy of this file where the daemon's program is, as a package does."""
        shutil.copy(path, f"{self.program}.new")
        os.rename(f"{self.program}.new", self.program)

    def install_text(self, text, mode=0o755):
        with open(f"{self.program}.new", "w") as file:
            file.write(text)
        os.chmod(f"{self.program}.new", mode)
        os.rename(f"{self.program}.new", self.program)

    def start(self):
        self.router.start()
        self.node.start_service()
        self.node.start()
        self.wait_announced()
        return self

    def wait_announced(self):
        wait_until("the router's session", lambda: self.router.established(self.here), 20)
        for address in VIPS:
            wait_until(f"{address} in the router's kernel", lambda a=address: self.fib(a), 20)
        if self.has_bfd:
            wait_until("BFD is up", lambda: self.router.bfd(self.here)[0] == "up", 20)
            wait_until("the node knows it", lambda: self.node.peer("tor")["bfd"] == "up")

    def fib(self, address):
        return list(self.client_facing().fib(address))

    def client_facing(self):
        return self.fabric.namespaces["router"]

    # ---- upgrades

    def upgrade(self):
        """`anyvip --json reload --upgrade`: its document."""
        return json.loads(self.node.anyvip("--json", "reload", "--upgrade"))

    def upgrade_fails(self):
        """The reason that the command gives."""
        try:
            self.upgrade()
        except LabError as error:
            return str(error)
        raise LabError("the upgrade has succeeded")

    def carries_on(self, reason):
        """An upgrade fails for this reason, and neither router nor clients notice."""
        before, node_before = self.router_view(), self.node_view()
        count = len(self.events("upgrade.failed"))
        with Load(self.client, list(VIPS)) as load:
            said = self.upgrade_fails()
        require(reason in said, f"the command says: {said}")
        require("exit 1" in said, f"exit status: {said}")
        failed = self.events("upgrade.failed")
        require(len(failed) == count + 1, f"{len(failed) - count} events")
        require(reason in failed[-1]["reason"], f"the event says: {failed[-1]}")
        require(reason in self.node.daemon.tail(20), "the log does not say it")
        view, node_view = self.router_view(), self.node_view()
        require(view == before, f"the router saw it: {before} -> {view}")
        require(node_view == node_before, f"the node changed: {node_before} -> {node_view}")
        self.pid()
        failures = dict(load.outcomes.failures())
        require(not failures, f"of {len(load.outcomes)} requests: {failures}")

    def events(self, *names):
        lines = self.node.anyvip("--json", "events").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] in names]

    def pid(self):
        require(self.node.daemon.is_running(), f"anyvipd has ended:\n{self.node.daemon.tail()}")
        return self.node.daemon.pid

    # ---- what must not change

    def router_view(self):
        """Of the router: since when the sessions are up, how often, and how many UPDATEs came."""
        view = self._frr_view() if self.software == "frr" else self._bird_view()
        if self.has_bfd:
            view["bfd"] = self._bfd_view()
        return view

    def _frr_view(self):
        shown = json.loads(self.router.ask(f"show bgp neighbors {self.here} json"))[self.here]
        return {
            "state": shown["bgpState"],
            "sessions": (shown["connectionsEstablished"], shown["connectionsDropped"]),
            "updates": shown["messageStats"]["updatesRecv"],
        }

    def _bird_view(self):
        text = self.router.ask("show protocols all node")
        head = next(line for line in text.splitlines() if line.startswith("node "))
        imports = re.findall(r"Import (?:updates|withdraws): +(\d+)", text)
        return {"state": head.split()[-1], "since": Since(head.split()[4]), "updates": imports}

    def _bfd_view(self):
        if self.software == "bird":
            line = next(
                line for line in self.router.ask("show bfd sessions").splitlines()
                if line.startswith(self.here)
            )  # fmt: skip
            return [line.split()[2], Since(line.split()[3])]
        for peer in json.loads(self.router.ask("show bfd peers counters json", "bfdd")):
            if peer["peer"] == self.here:
                return [peer["session-up"], peer["session-down"]]
        raise LabError("bfdd has no counters for the node")

    def node_view(self):
        """Of the node: what a session or a check that began anew would change."""
        status = self.node.status()
        keys = ("name", "state", "since", "resets", "advertised", "bfd")
        return {
            "pid": status["node"]["pid"],
            "peers": [{key: peer[key] for key in keys} for peer in status["peers"]],
            "vips": [(vip["name"], vip["state"], vip["reason"]) for vip in status["vips"]],
            "checks": [(check["name"], check["state"]) for check in status["checks"]],
        }
