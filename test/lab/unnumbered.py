# SPDX-License-Identifier: Apache-2.0
"""The fabric "unnumbered": no address on the links but link-local ones; IPv4 by RFC 8950."""

from .anycast import web_check
from .router import Neighbor, make_router
from .speakers import make_anyvip, make_vip
from .topology import ALLOWED, NODE_ASN, ROUTER_ASN, TIMES, Lab

FAMILIES = ("ipv4", "ipv6")


class Unnumbered(Lab):
    """FRR is the only free router that learns its neighbors from router advertisements."""

    def __init__(self, fabric, nodes=3):
        super().__init__(fabric, FAMILIES)
        fabric.router_namespace("router")
        self.client = fabric.namespace("client")
        self.bfd_role = f"node{nodes}"
        fabric.default_route("client", fabric.link("router", "client").a)
        neighbors = []
        for number in range(1, nodes + 1):
            role = f"node{number}"
            fabric.namespace(role)
            fabric.link("router", role)
            self._bare("router", role)
            self._bare(role, "router")
            self._default_route(role, number)
            bfd = role == self.bfd_role
            neighbors.append(Neighbor(role, NODE_ASN, "", interface=role, bfd=bfd))
            self.announcers.append(self._node(role, number))
        self.servers = self.announcers
        self.hops["router"] = {one.role for one in self.announcers}
        self.routers["router"] = make_router(
            "frr", fabric, "router", ROUTER_ASN, "10.254.0.1", neighbors, *ALLOWED
        )

    def _bare(self, role, device):
        namespace = self.fabric.namespaces[role]
        namespace.ip("-4", "address", "flush", "dev", device)
        namespace.ip("-6", "address", "flush", "dev", device, "scope", "global")

    def _default_route(self, role, number):
        """By the router's link-local address in both families; the host's own address is on lo."""
        router, node = self.fabric.namespaces["router"], self.fabric.namespaces[role]
        (gateway,) = router.addresses(role)
        node.ip("address", "add", f"10.255.0.{number}/32", "dev", "lo")
        node.ip("-6", "route", "add", "default", "via", gateway, "dev", "router")
        node.ip("-4", "route", "add", "default", "via", "inet6", gateway, "dev", "router")

    def _node(self, role, number):
        check, _ = web_check(self.authority)
        vip = make_vip(FAMILIES)
        peer = {"name": "router", "interface": "router", "asn": ROUTER_ASN}
        peer["bfd"] = role == self.bfd_role
        checks = [{"name": "web", **check, **TIMES}]
        node = make_anyvip(self.fabric, role, [peer], vip, checks, self.certificate(role))
        node.table("node")["router_id"] = f"10.255.0.{number}"
        return node
