# SPDX-License-Identifier: Apache-2.0
"""Without IPv4 between node and router (RFC 8950): by address on FRR and BIRD, unnumbered on FRR."""

import json

from lab.fabric import Fabric
from lab.node import Node
from lab.process import LabError, wait_until
from lab.router import Neighbor, make_router

ROUTER_ASN = 65001
NODE_ASN = 65010
VIPS = {"ipv4": "198.18.0.1", "ipv6": "2001:db8:ffff::1"}
ALLOWED = ("198.18.0.0/15", "2001:db8:ffff::/48")


def run(report):
    for software, unnumbered in (("frr", False), ("bird", False), ("frr", True)):
        title = f"{software}, {'unnumbered' if unnumbered else 'IPv6 link with RFC 8950'}"
        with Fabric(f"interop-{software}") as fabric:
            lab = Lab(fabric, software, unnumbered)
            failed_before = report.failed
            for name, action in (
                ("router and node start", lab.start),
                ("session is Established", lab.wait_established),
                ("IPv4 and IPv6 VIP are in the router's kernel", lab.reaches),
                ("an upgrade in place: nobody notices", lab.upgraded),
                ("router restarted: back", lab.router_restarted),
                ("daemon stopped: gone", lab.stopped),
            ):
                report.check(f"{title}: {name}", action)
            if report.failed > failed_before:
                print(f"--- end of anyvipd's log\n{lab.node.daemon.tail(25)}", flush=True)


class Lab:
    def __init__(self, fabric, software, unnumbered):
        self.unnumbered = unnumbered
        self.namespace = fabric.router_namespace("router")
        fabric.namespace("node")
        link = fabric.link("router", "node")
        peer = {"name": "router", "asn": ROUTER_ASN}
        if unnumbered:
            peer["interface"] = "router"
            neighbor = Neighbor("node", NODE_ASN, "", interface="node")
        else:
            peer |= {"address": link.a[1], "extended_next_hop": True}
            neighbor = Neighbor("node", NODE_ASN, link.b[1], extended_next_hop=True)
        # What is left are the link-local addresses and, on the numbered link, global IPv6.
        for side, device in (("router", "node"), ("node", "router")):
            namespace = fabric.namespaces[side]
            namespace.ip("-4", "address", "flush", "dev", device)
            if unnumbered:
                namespace.ip("-6", "address", "flush", "dev", device, "scope", "global")
        vip = {"name": "www", "addresses": list(VIPS.values())}
        self.node = Node(fabric, "node", NODE_ASN, [peer], [vip])
        self.node.table("node")["router_id"] = "10.0.0.11"
        self.router = make_router(
            software, fabric, "router", ROUTER_ASN, "10.0.0.1", [neighbor], *ALLOWED
        )

    def start(self):
        self.router.start()
        self.node.start()

    def wait_established(self):
        wait_until("the node's session", lambda: self._state() == "Established", 20)

    def _state(self):
        return self.node.peer("router")["state"]

    def reaches(self):
        for address in VIPS.values():
            wait_until(f"{address} in the router's kernel", lambda a=address: self._reaches_node(a), 20)

    def _reaches_node(self, address):
        """The next hop is an IPv6 address, or FRR's stand-in for one: 169.254.0.1 at the node's MAC.

        FRR learns that MAC from router advertisements alone, so only on the unnumbered link."""
        hop = str(self.namespace.fib(address).get("node"))
        if ":" in hop or (hop == "169.254.0.1" and not self.unnumbered):
            return True
        neighbors = json.loads(self.namespace.ip("-j", "neigh", "show", "dev", "node"))
        macs = [entry.get("lladdr") for entry in neighbors if entry["dst"] == hop]
        (link,) = json.loads(self.node.namespace.ip("-j", "link", "show", "dev", "router"))
        if macs != [link["address"]]:
            raise LabError(f"next hop {hop} at {macs}")
        return True

    def upgraded(self):
        """What of the link was learnt from router advertisements goes over, too."""
        before = self._session()
        self.node.anyvip("reload", "--upgrade")
        heard = self._keepalives()
        wait_until("the router's next KEEPALIVE", lambda: self._keepalives() > heard, 20)
        if self._session() != before:
            raise LabError(f"{before} -> {self._session()}")
        self.reaches()

    def _keepalives(self):
        document = json.loads(self.node.anyvip("--json", "peers", "router"))
        return document["messages"]["received"]["keepalive"]

    def _session(self):
        peer = self.node.peer("router")
        return [peer[key] for key in ("state", "since", "resets", "advertised")]

    def router_restarted(self):
        self.router.stop()
        wait_until("the session ends", lambda: self._state() != "Established", 20)
        self.router.start()
        self.wait_established()
        self.reaches()

    def stopped(self):
        status = self.node.stop()
        if status != 0:
            raise LabError(f"exit status {status}")
        for address in VIPS.values():
            wait_until(f"{address} is gone", lambda a=address: not self.namespace.fib(a))
