# SPDX-License-Identifier: Apache-2.0
"""The fabric "one router, every kind of session": one node for each, with VIPs of its own."""

import dataclasses

from .node import Node
from .process import LabError, wait_until
from .router import Neighbor, make_router

ROUTER_ASN = 65001
NODE_ASN = 65010
ALLOWED = ("198.18.0.0/15", "2001:db8:ffff::/48")
PASSWORD = "correct-horse"


@dataclasses.dataclass(frozen=True)
class Kind:
    """How one node and the router speak; `dials`: "node", "router" or "both"."""

    role: str
    family: str
    dials: str = "both"
    internal: bool = False
    password: str = ""
    ttl_security: bool = False


KINDS = (
    Kind("ebgp4", "ipv4", "node"),
    Kind("ebgp6", "ipv6", "router"),
    Kind("ibgp4", "ipv4", "router", internal=True),
    Kind("ibgp6", "ipv6", "node", internal=True),
    Kind("both4", "ipv4"),
    Kind("both6", "ipv6"),
    Kind("md5v4", "ipv4", password=PASSWORD),
    Kind("md5v6", "ipv6", password=PASSWORD),
    Kind("gtsm4", "ipv4", ttl_security=True),
    Kind("gtsm6", "ipv6", ttl_security=True),
)


class Peering:
    """One node, its session and what it announces."""

    def __init__(self, fabric, number, kind):
        self.kind = kind
        fabric.namespace(kind.role)
        self.link = fabric.link("router", kind.role)
        side = ("ipv4", "ipv6").index(kind.family)
        self.router_address, self.address = self.link.a[side], self.link.b[side]
        self.asn = ROUTER_ASN if kind.internal else NODE_ASN
        self.vips = {"ipv4": f"198.18.0.{number}", "ipv6": f"2001:db8:ffff::{number:x}"}
        self.node = self._node(fabric)
        self.neighbor = Neighbor(
            kind.role,
            self.asn,
            self.address,
            local=self.router_address,
            passive=kind.dials == "node",
            password=kind.password,
            ttl_security=kind.ttl_security,
        )

    def _node(self, fabric):
        peer = {"name": "router", "address": self.router_address, "asn": ROUTER_ASN}
        if self.kind.dials == "router":
            peer["passive"] = True
        if self.kind.password:
            peer["password"] = self.kind.password
        if self.kind.ttl_security:
            peer["ttl_security"] = 1
        vip = {"name": "www", "addresses": list(self.vips.values())}
        node = Node(fabric, self.kind.role, self.asn, [peer], [vip])
        # There is neither an IPv4 peer on every node nor a default route to take it from.
        node.table("node")["router_id"] = self.link.b[0]
        return node

    def prefix(self, family):
        return f"{self.vips[family]}/{32 if family == 'ipv4' else 128}"

    def next_hop(self, family):
        return self.link.b[("ipv4", "ipv6").index(family)]


class Peerings:
    def __init__(self, fabric, software, kinds=KINDS, **options):
        fabric.router_namespace("router")
        self.peerings = [Peering(fabric, number, kind) for number, kind in enumerate(kinds, 1)]
        self.router = make_router(
            software,
            fabric,
            "router",
            ROUTER_ASN,
            "10.0.1.1",
            [peering.neighbor for peering in self.peerings],
            *ALLOWED,
            **options,
        )

    def start(self):
        self.router.start()
        for peering in self.peerings:
            peering.node.start()

    def wait_established(self, peering, deadline=30.0):
        """Both sides say so."""
        address = peering.neighbor.address
        wait_until("the router's session", lambda: self.router.established(address), deadline)

        def node_agrees():
            state = peering.node.peer("router")["state"]
            if state != "Established":
                raise LabError(f"the node says {state}")
            return True

        wait_until("the node's session", node_agrees, deadline)

    def paths(self, peering, family):
        """The router's paths of this node's VIP that came from this node."""
        paths = self.router.paths(peering.prefix(family))
        return [path for path in paths if path.neighbor == peering.kind.role]

    def wait_announced(self, peering, deadline=30.0):
        for family in peering.vips:
            what = f"{peering.prefix(family)} in the router's table"
            wait_until(what, lambda f=family: self.paths(peering, f), deadline)

    def wait_gone(self, peering, deadline=30.0):
        for family in peering.vips:
            what = f"{peering.prefix(family)} out of the router's table"
            wait_until(what, lambda f=family: not self.paths(peering, f), deadline)
