# SPDX-License-Identifier: Apache-2.0
"""A router that sends a full table: it costs no memory and delays nothing else.

FRR, BIRD, GoBGP and OpenBGPD have the table from a peer behind them and pass it on, as a router
does that has it from its provider; ExaBGP, which passes nothing on, is told it. GoBGP and ExaBGP
need minutes for a million, which is a run by its own name (`full-table-gobgp-1m`)."""

import socket
import struct
import time

from lab.fabric import Fabric
from lab.node import Node
from lab.process import LabError, wait_until
from lab.router import Neighbor, make_router
from lab.speaker import UPDATE, Speaker, message

MILLION = 1_000_000
FEW = 20_000
SLOW = ("gobgp", "exabgp")
PREFIXES_OF_PATH = 100
GROWTH_KB = 1024
# So much later than without the table. The goal is 5 ms in all, measured by test/bench; here the
# router's own work takes both cores.
DELAY_SECONDS = 0.05
RECEIVE_SECONDS = 600
VIP = "203.0.113.10"
ROUTER_ASN, OTHER_ASN, NODE_ASN, FEED_ASN = 65001, 65002, 65010, 65003


def run(report, software, count=MILLION):
    """`count`: prefixes of the table."""
    with Fabric(f"interop-full-{software}") as fabric:
        lab = Lab(fabric, software, count)
        failed_before = report.failed
        steps = (
            ("node starts, VIP is announced", lab.start_node),
            (f"{count:,} prefixes are received", lab.receive),
            ("memory has grown by less than 1 MB", lab.memory),
            (f"{count:,} prefixes are withdrawn", lab.lose),
            ("a withdraw while the table comes once more waits for nothing", lab.withdraw),
            ("memory has still grown by less than 1 MB", lab.memory),
            *(
                [("its enhanced refresh (BoRR) counts nothing twice", lab.resend)]
                if software == "bird"
                else []
            ),
            ("both sessions are as they were", lab.sessions),
        )
        for name, action in steps:
            # Each builds on the one before.
            if not report.check(f"full table of {software}: {name}", action):
                break
        if report.failed > failed_before:
            print(f"--- end of anyvipd's log\n{lab.node.daemon.tail(25)}", flush=True)


def paths(count):
    """(AS numbers behind the router, first octets of /24 prefixes); 16.0.0.0/24 is the first."""
    first = 16 << 16
    for number in range(count // PREFIXES_OF_PATH):
        path = [3000 + (number * 7 + hop * 13) % 60000 for hop in range(2 + number % 4)]
        begin = first + number * PREFIXES_OF_PATH
        yield path, [n.to_bytes(3, "big") for n in range(begin, begin + PREFIXES_OF_PATH)]


class Feed:
    """A peer of the router, made of octets, that has the table."""

    def __init__(self, fabric, link, count):
        self.speaker = Speaker(fabric.namespaces["feed"], FEED_ASN, "10.0.0.3", link.b[0])
        self.announcements, self.withdrawals = [], []
        next_hop = b"\x40\x03\x04" + socket.inet_aton(link.b[0])
        for path, prefixes in paths(count):
            hops = [FEED_ASN, *path]
            as_path = struct.pack("!BB", 2, len(hops)) + struct.pack(f"!{len(hops)}I", *hops)
            attributes = b"\x40\x01\x01\0" + struct.pack("!BBB", 0x40, 2, len(as_path)) + as_path
            attributes += next_hop
            nlri = b"".join(b"\x18" + octets for octets in prefixes)
            body = struct.pack("!HH", 0, len(attributes)) + attributes + nlri
            self.announcements.append(message(UPDATE, body))
            body = struct.pack("!H", len(nlri)) + nlri + b"\0\0"
            self.withdrawals.append(message(UPDATE, body))

    def start(self):
        self.speaker.listen()

    def announce(self):
        self.speaker.send(_blocks(self.announcements))

    def withdraw(self):
        self.speaker.send(_blocks(self.withdrawals))


def _blocks(messages):
    for first in range(0, len(messages), 100):
        yield b"".join(messages[first : first + 100])


class ExaBgpFeed:
    """The same table as commands to ExaBGP's API."""

    def __init__(self, router, next_hop, count):
        self._router = router
        # It puts its own number only before an empty path.
        self._lines = [
            f"attributes next-hop {next_hop} as-path [ {' '.join(map(str, (ROUTER_ASN, *path)))} ] nlri "
            + " ".join(f"{a}.{b}.{c}.0/24" for a, b, c in prefixes)
            for path, prefixes in paths(count)
        ]

    def start(self):
        pass

    def announce(self):
        self._router.command(*(f"announce {line}" for line in self._lines))

    def withdraw(self):
        self._router.command(*(f"withdraw {line}" for line in self._lines))


class Lab:
    def __init__(self, fabric, software, count):
        self.count = count
        fabric.router_namespace("router")
        fabric.namespace("other")
        fabric.namespace("node")
        link = fabric.link("router", "node")
        side = fabric.link("other", "node")
        peers = [
            {"name": "router", "address": link.a[0], "asn": ROUTER_ASN},
            {"name": "other", "address": side.a[0], "asn": OTHER_ASN},
        ]
        self.node = Node(fabric, "node", NODE_ASN, peers, [{"name": "www", "addresses": [VIP]}])
        self.node.tables.append(("drain", {"gshut": "0s"}))
        self.other = Speaker(fabric.namespaces["other"], OTHER_ASN, "10.0.0.2", side.a[0])
        neighbors = [
            Neighbor("node", NODE_ASN, link.b[0], ("ipv4",), local=link.a[0], sends=("all",))
        ]
        if software != "exabgp":
            fabric.namespace("feed")
            behind = fabric.link("router", "feed")
            neighbors.append(
                Neighbor("feed", FEED_ASN, behind.b[0], ("ipv4",), local=behind.a[0], takes=("all",))
            )
        self.router = make_router(
            software, fabric, "router", ROUTER_ASN, "10.0.0.1", neighbors,
            "203.0.113.0/24", "2001:db8:ffff::/48",
        )  # fmt: skip
        if software == "exabgp":
            self.feed = ExaBgpFeed(self.router, link.a[0], count)
        else:
            self.feed = Feed(fabric, behind, count)

    def start_node(self):
        self.other.listen()
        self.node.start()
        self.other.wait_announced(f"{VIP}/32")
        self.before = self._resident_kb()
        self.usual = max(self._drain() for _ in range(3))

    def _resident_kb(self):
        with open(f"/proc/{self.node.daemon.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise LabError("no VmRSS")

    def receive(self):
        self.feed.start()
        self.router.start()
        for neighbor in self.router.neighbors:
            what = f"the router's session with {neighbor.name}"
            wait_until(what, lambda n=neighbor: self.router.established(n.address), 30)
        self.feed.announce()
        self._wait_received(self.count)

    def _wait_received(self, wanted):
        """Or one more: some routers tell a node of its own VIP, too."""

        def has_come():
            received = self._received()
            if not 0 <= received - wanted <= 1:
                raise LabError(f"{received}")
            return True

        wait_until(f"{wanted} received", has_come, RECEIVE_SECONDS, every=0.2)

    def _received(self):
        return self.node.peer("router")["received"]

    def memory(self):
        grown = self._resident_kb() - self.before
        if grown >= GROWTH_KB:
            raise LabError(f"{self.before} kB before, {grown} kB more after")

    def lose(self):
        self.feed.withdraw()
        self._wait_received(0)

    def withdraw(self):
        """Of the VIP, while the router sends the whole table once more."""
        self.feed.announce()
        wait_until("the table comes again", lambda: self._received() > 1, RECEIVE_SECONDS)
        took = self._drain()
        if (received := self._received()) >= self.count:
            raise LabError("the table had come before the withdraw")
        self._wait_received(self.count)
        if took > self.usual + DELAY_SECONDS:
            raise LabError(
                f"{took * 1000:.1f} ms from the command to the withdraw with {received} prefixes "
                f"received, without the table {self.usual * 1000:.1f} ms"
            )

    def resend(self):
        before = self._updates()
        self.router.ask("reload out node")
        wanted = before + self.count // PREFIXES_OF_PATH
        wait_until("all has come again", lambda: self._updates() >= wanted, 60)
        self._wait_received(self.count)

    def _updates(self):
        for line in self.node.metrics().splitlines():
            if line.startswith('anyvip_bgp_messages_total{peer="router",direction="received"'):
                if 'type="update"' in line:
                    return float(line.split()[-1])
        raise LabError("no counter of UPDATEs")

    def _drain(self):
        """Seconds from the command to the withdraw; the VIP is back afterwards."""
        begin = time.monotonic()
        self.node.anyvip("drain")
        seen = self.other.wait_withdrawn(f"{VIP}/32", begin)
        back = time.monotonic()
        self.node.anyvip("undrain")
        self.other.wait_announced(f"{VIP}/32", back)
        return seen.at - begin

    def sessions(self):
        for peer in self.node.status()["peers"]:
            if peer["state"] != "Established" or peer["resets"]:
                raise LabError(f"{peer}")
