# SPDX-License-Identifier: Apache-2.0
"""A router that sends a million prefixes: they cost no memory and delay nothing else."""

import itertools
import time

from lab.fabric import Fabric
from lab.node import Node
from lab.process import LabError, wait_until
from lab.router import Neighbor, make_router
from lab.speaker import Speaker

PREFIXES = 1_000_000
GROWTH_KB = 1024
# So much later than without the table. The goal is 5 ms in all, measured by test/bench; this machine
# may be busy with other tests.
DELAY_SECONDS = 0.025
VIP = "203.0.113.10"


def run(report):
    with Fabric("interop-full-table") as fabric:
        lab = Lab(fabric)
        failed_before = report.failed
        for name, action in (
            ("node starts, VIP is announced", lab.start_node),
            (f"{PREFIXES:,} prefixes of BIRD are received", lab.receive),
            ("memory has grown by less than 1 MB", lab.memory),
            ("a withdraw while the table comes once more waits for nothing", lab.withdraw),
            ("both sessions are as they were", lab.sessions),
        ):
            report.check(f"full table: {name}", action)
        if report.failed > failed_before:
            print(f"--- end of anyvipd's log\n{lab.node.daemon.tail(25)}", flush=True)


def table(count):
    """Distinct /24 prefixes from 16.0.0.0 on."""
    numbers = itertools.islice(itertools.product(range(16, 64), range(256), range(256)), count)
    return [f"{a}.{b}.{c}.0/24" for a, b, c in numbers]


class Lab:
    def __init__(self, fabric):
        fabric.router_namespace("router")
        fabric.namespace("other")
        fabric.namespace("node")
        link = fabric.link("router", "node")
        side = fabric.link("other", "node")
        peers = [
            {"name": "router", "address": link.a[0], "asn": 65001},
            {"name": "other", "address": side.a[0], "asn": 65002},
        ]
        self.node = Node(fabric, "node", 65010, peers, [{"name": "www", "addresses": [VIP]}])
        self.node.tables.append(("drain", {"gshut": "0s"}))
        self.other = Speaker(fabric.namespaces["other"], 65002, "10.0.0.2", side.a[0])
        neighbor = Neighbor("node", 65010, link.b[0], ("ipv4",))
        self.router = make_router(
            "bird", fabric, "router", 65001, "10.0.0.1", [neighbor],
            "203.0.113.0/24", "2001:db8:ffff::/48", table=table(PREFIXES),
        )  # fmt: skip

    def start_node(self):
        self.other.listen()
        self.node.start()
        self.other.wait_announced(f"{VIP}/32")
        self.before = self._resident_kb()

    def _resident_kb(self):
        with open(f"/proc/{self.node.daemon.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise LabError("no VmRSS")

    def receive(self):
        self.router.start()
        self._wait_received()

    def _wait_received(self):
        wait_until(f"{PREFIXES} received", lambda: self._received() == PREFIXES, 90, every=0.2)

    def _received(self):
        return self.node.peer("router")["received"]

    def memory(self):
        grown = self._resident_kb() - self.before
        if grown >= GROWTH_KB:
            raise LabError(f"{self.before} kB before, {grown} kB more after")

    def withdraw(self):
        """While BIRD sends the whole table once more."""
        usual = max(self._drain() for _ in range(3))
        before = self._updates()
        self.router.ask("reload out node")
        wait_until("the table comes again", lambda: self._updates() > before)
        took = self._drain()
        meanwhile = self._updates()
        self._wait_received()  # BoRR has set the count back
        if self._updates() < meanwhile + 100:
            raise LabError(f"the table had come before the withdraw ({meanwhile - before} UPDATEs)")
        if took > usual + DELAY_SECONDS:
            raise LabError(f"{took * 1000:.1f} ms from the command to the withdraw, "
                           f"without the table {usual * 1000:.1f} ms")

    def _drain(self):
        """Seconds from the command to the withdraw; the VIP is back afterwards."""
        begin = time.monotonic()
        self.node.anyvip("drain")
        seen = self.other.wait_withdrawn(f"{VIP}/32", begin)
        back = time.monotonic()
        self.node.anyvip("undrain")
        self.other.wait_announced(f"{VIP}/32", back)
        return seen.at - begin

    def _updates(self):
        for line in self.node.metrics().splitlines():
            if line.startswith('anyvip_bgp_messages_total{peer="router",direction="received"'):
                if 'type="update"' in line:
                    return float(line.split()[-1])
        raise LabError("no counter of UPDATEs")

    def sessions(self):
        for peer in self.node.status()["peers"]:
            if peer["state"] != "Established" or peer["resets"]:
                raise LabError(f"{peer}")
