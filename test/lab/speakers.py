# SPDX-License-Identifier: Apache-2.0
"""One description of an announcer, made with anyvip or with ExaBGP."""

import dataclasses

from .exabgp_node import ExaBgpNode
from .node import Node
from .topology import NODE_ASN, ROUTER_ASN, TIMES, VIPS


@dataclasses.dataclass
class Session:
    """From a node's view: the router's name and addresses there, ours, what it carries."""

    name: str
    link: object  # a Link whose end `a` is the router
    transport: str = "ipv4"
    families: tuple = ("ipv4", "ipv6")
    asn: int = ROUTER_ASN
    bfd: bool = False
    more: dict = dataclasses.field(default_factory=dict)

    @property
    def side(self):
        return ("ipv4", "ipv6").index(self.transport)

    def table(self):
        peer = {"name": self.name, "address": self.link.a[self.side], "asn": self.asn}
        peer["families"] = list(self.families)
        if self.bfd:
            peer["bfd"] = True
        return peer | self.more


def make_vip(families):
    return {"name": "www", "addresses": [VIPS[family] for family in families], "checks": ["web"]}


def make_node(
    speaker, fabric, role, sessions, families, check, command, certificate=(), shared=""
):
    """`check` for anyvip and `command` for ExaBGP ask the same; `shared`: what all depend on."""
    vip = make_vip(families)
    peers = [session.table() for session in sessions]
    if speaker == "exabgp":
        for peer, session in zip(peers, sessions):
            is_foreign = session.transport == "ipv4" and "ipv6" in session.families
            peer["next_hop_ipv6"] = session.link.b[1] if is_foreign else ""
        locals = [session.link.b[session.side] for session in sessions]
        return ExaBgpNode(fabric, role, NODE_ASN, peers, [vip], locals, command, certificate)
    checks = [{"name": "web", **check, **TIMES}]
    if shared:
        checks.append({"name": "database", "type": "tcp", "target": shared, "scope": "shared"})
        vip["checks"].append("database")
    return make_anyvip(fabric, role, peers, vip, checks, certificate)


def make_anyvip(fabric, role, peers, vip, checks, certificate=()):
    node = Node(fabric, role, NODE_ASN, peers, [vip], checks, certificate)
    # The few requests that a change of routes cuts stay behind as flows without an end.
    node.tables.append(("drain", {"idle": "2s"}))
    return node
