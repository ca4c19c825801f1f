# SPDX-License-Identifier: Apache-2.0
"""BFD with FRR over link-local addresses: unnumbered, and by `fe80::…%interface`; strict mode."""

import json

from lab.fabric import Fabric
from lab.node import Node
from lab.process import LabError, wait_until
from lab.router import Neighbor

from .bfd_life import BfdLife
from .bfd_routers import BfdFrr

ROUTER_ASN = 65001
NODE_ASN = 65010
ALLOWED = ("203.0.113.0/24", "2001:db8:ffff::/48")
VIP = {"name": "www", "addresses": ["203.0.113.10"]}
INTERVAL = 50


class LinkLocalFrr(BfdFrr):
    """The neighbor is an interface, or a link-local address on it."""

    def configuration(self):
        texts = super().configuration()
        for neighbor in self.neighbors:
            if neighbor.address:
                remote = f" neighbor {neighbor.address} bfd\n"
                more = f" neighbor {neighbor.address} interface node\n"
            else:
                remote = f" neighbor node interface remote-as {neighbor.asn}\n"
                more = " neighbor node bfd\n neighbor node bfd profile lab\n"
            texts["bgpd"] = texts["bgpd"].replace(remote, remote + more)
        return texts

    def session(self):
        for peer in json.loads(self.ask("show bfd peers json", "bfdd") or "[]"):
            if peer.get("interface") == "node":
                return peer["status"]
        return "none"


class Life:
    """`is_numbered`: the peer is configured by the router's link-local address."""

    def __init__(self, fabric, is_numbered, strict=False):
        self.router_ns = fabric.router_namespace("router")
        self.node_ns = fabric.namespace("node")
        link = fabric.link("router", "node")
        for namespace, device in ((self.router_ns, "node"), (self.node_ns, "router")):
            namespace.ip("-4", "address", "flush", "dev", device)
            namespace.ip("-6", "address", "flush", "dev", device, "scope", "global")
        time = f"{INTERVAL}ms"
        peer = {"name": "tor", "asn": ROUTER_ASN, "extended_next_hop": True}
        peer["bfd"] = {"transmit": time, "receive": time, "strict": strict}
        if is_numbered:
            peer["address"] = f"{self.link_local(self.router_ns, 'node')}%router"
        else:
            peer["interface"] = "router"
        self.link = link
        self.node = Node(fabric, "node", NODE_ASN, [peer], [VIP])
        self.node.table("node")["router_id"] = "10.0.0.11"
        if is_numbered:
            here = self.link_local(self.node_ns, "router")
            neighbor = Neighbor("node", NODE_ASN, here, extended_next_hop=True)
        else:
            neighbor = Neighbor("node", NODE_ASN, "", interface="node")
        self.router = LinkLocalFrr(
            fabric, "router", ROUTER_ASN, "10.0.0.1", [neighbor], *ALLOWED, interval=INTERVAL
        )

    @staticmethod
    def link_local(namespace, device):
        (link,) = json.loads(namespace.ip("-6", "-j", "address", "show", "dev", device))
        return next(a["local"] for a in link["addr_info"] if a["scope"] == "link")

    def start(self):
        self.router.start()
        self.node.start()

    def is_up(self):
        peer = self.node.peer("tor")
        there = self.router.session()
        if (peer["bfd"], peer["state"], there) != ("up", "Established", "up"):
            raise LabError(f"BFD {peer['bfd']}, BGP {peer['state']}, there {there}")
        return True

    def wait_up(self):
        wait_until("BFD and BGP", self.is_up, 30)

    def silent(self):
        """Our packets go to a wrong MAC address: the router's session falls and says so."""
        before = self.node.peer("tor")["resets"]
        address = self.link_local(self.router_ns, "node")
        wrong = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        self.node_ns.ip("neighbor", "replace", address, *wrong, "dev", "router")
        try:
            wait_until("the session is reset", lambda: self.node.peer("tor")["resets"] > before)
        finally:
            self.node_ns.ip("neighbor", "del", address, "dev", "router")
        self.wait_up()

    def waits(self):
        """FRR 8.4 asks for BFD only once BGP is Established: in strict mode each waits for the other."""
        wait_until("the router is found", lambda: "BFD" in self.first_line())
        if self.node.peer("tor")["state"] != "Idle":
            raise LabError(f"BGP is {self.node.peer('tor')['state']}")

    def first_line(self):
        return self.node.anyvip("explain", "www").splitlines()[0]


def run(report):
    for is_numbered, strict in ((False, False), (True, False), (False, True)):
        title = f"frr, {'fe80::%interface' if is_numbered else 'unnumbered'}, {INTERVAL} ms x 3"
        with Fabric("interop-bfd") as fabric:
            life = Life(fabric, is_numbered, strict)
            failed_before = report.failed
            started = report.check(f"{title}: router and node start", life.start)
            if started and strict:
                report.check(f"{title}, strict: the deadlock is explained", life.waits)
            elif started:
                report.check(f"{title}: up on both sides, BGP Established", life.wait_up)
                report.check(f"{title}: our packets vanish: reset, and back", life.silent)
            if report.failed > failed_before:
                print(f"--- end of anyvipd's log\n{life.node.daemon.tail(25)}", flush=True)
    strict_with_bird(report)


def strict_with_bird(report):
    title = f"bird, ipv4, {INTERVAL} ms x 3, strict"
    with Fabric("interop-bfd") as fabric:
        life = BfdLife(fabric, "bird", "ipv4", INTERVAL)
        life.peer["bfd"]["strict"] = True

        def falls():
            life.router.admin_down()
            wait_until("no session", lambda: life.node.peer("tor")["state"] == "Idle")
            line = life.node.anyvip("explain", "www").splitlines()[0]
            if "BFD" not in line:
                raise LabError(line)

        def returns():
            life.router.admin_up()
            life.wait_up()

        if report.check(f"{title}: router and node start", life.start):
            report.check(f"{title}: BFD comes up first, then BGP", life.wait_up)
            report.check(f"{title}: no BFD there, no session, and the reason", falls)
            report.check(f"{title}: back", returns)
