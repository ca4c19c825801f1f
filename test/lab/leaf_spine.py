# SPDX-License-Identifier: Apache-2.0
"""The fabric "leaf and spine": two racks, each with a ToR of its own AS and two nodes."""

from .anycast import web_check
from .router import Neighbor, make_router
from .speakers import Session, make_node
from .topology import ALLOWED, NODE_ASN, Lab

FAMILIES = ("ipv4", "ipv6")
SPINE_ASN = 65000
TOR_ASN = 65100


class LeafSpine(Lab):
    def __init__(self, fabric, software, speaker="anyvip", bfd=False, racks=2, nodes=2):
        super().__init__(fabric, FAMILIES)
        self.speaker = speaker
        self.entry = "spine"
        self.bfd_role = f"node{racks * nodes}" if bfd else None
        fabric.router_namespace("spine")
        self.client = fabric.namespace("client")
        fabric.default_route("client", fabric.link("spine", "client").a)
        leaves = []
        for rack in range(1, racks + 1):
            leaves.append(self._rack(software, rack, nodes))
        self.routers["spine"] = make_router(
            software, fabric, "spine", SPINE_ASN, "10.254.0.254", leaves, *ALLOWED
        )
        self.hops["spine"] = {leaf.name for leaf in leaves}
        self.servers = self.announcers

    def _rack(self, software, rack, nodes):
        """The ToR as the spine's neighbor."""
        tor, asn = f"tor{rack}", TOR_ASN + rack
        self.fabric.router_namespace(tor)
        up = self.fabric.link("spine", tor)
        self.default_routes[tor] = up.a
        self.fabric.default_route(tor, up.a)
        neighbors = [Neighbor("spine", SPINE_ASN, up.a[0], sends=("vip",))]
        for number in range(1 + (rack - 1) * nodes, 1 + rack * nodes):
            role = f"node{number}"
            self.fabric.namespace(role)
            link = self.fabric.link(tor, role)
            self.fabric.default_route(role, link.a)
            bfd = role == self.bfd_role
            neighbors.append(Neighbor(role, NODE_ASN, link.b[0], bfd=bfd))
            self.announcers.append(
                make_node(
                    self.speaker,
                    self.fabric,
                    role,
                    [Session(tor, link, asn=asn, bfd=bfd)],
                    FAMILIES,
                    *web_check(self.authority),
                    self.certificate(role),
                )
            )
        self.hops[tor] = {neighbor.name for neighbor in neighbors[1:]}
        self.routers[tor] = make_router(
            software, self.fabric, tor, asn, f"10.254.0.{rack}", neighbors, *ALLOWED
        )
        return Neighbor(tor, asn, up.b[0])
