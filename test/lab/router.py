# SPDX-License-Identifier: Apache-2.0
"""What the routers of a lab have in common: a namespace that forwards, and BGP software in it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Neighbor:
    """A node as the router's configuration names it; `local` is the router's own address."""

    name: str
    asn: int
    address: str
    families: tuple = ("ipv4", "ipv6")
    local: str = ""
    passive: bool = False
    password: str = ""
    ttl_security: bool = False
    extended_next_hop: bool = False
    interface: str = ""  # unnumbered; `address` is empty then
    # What the router tells it: "vip", a "default" of its own, a "learnt-default", "all" it has.
    sends: tuple = ()
    takes: tuple = ("vip",)  # what the router takes of it: "vip", "default" or "all"
    add_path: bool = False  # all paths of what it is told (RFC 7911)
    bfd: bool = False  # 300 ms x 3


@dataclasses.dataclass
class Path:
    """One path of a prefix in the router's BGP table, in the same words for every router."""

    neighbor: str
    next_hop: str
    as_path: list
    origin: str = ""
    med: int | None = None
    local_pref: int | None = None
    communities: set = dataclasses.field(default_factory=set)


class Router:
    """One BGP router in its namespace. Subclasses know how to configure and to ask the software."""

    software = ""
    can_refresh = True

    def __init__(self, fabric, role, asn, router_id, neighbors, import_v4, import_v6):
        self.fabric = fabric
        self.role = role
        self.namespace = fabric.namespaces[role]
        self.asn = asn
        self.router_id = router_id
        self.neighbors = list(neighbors)
        self.import_v4 = import_v4
        self.import_v6 = import_v6
        # A full table is for the neighbors alone: its kernel routes would cost more than its BGP.
        self.installs = not any("all" in neighbor.takes for neighbor in self.neighbors)

    def neighbor_at(self, address):
        for neighbor in self.neighbors:
            if neighbor.address == address:
                return neighbor.name
        return address

    def start(self):
        """Starts with the present configuration; returns when it can be asked."""
        raise NotImplementedError

    def stop(self):
        """The orderly end that an operator causes."""
        raise NotImplementedError

    def kill(self):
        """Its end without a word."""
        raise NotImplementedError

    def established(self, address):
        """Whether the session with this neighbor is Established."""
        raise NotImplementedError

    def paths(self, prefix):
        """All paths of a prefix in the BGP table."""
        raise NotImplementedError

    def count(self, family):
        """How many prefixes of a family are in the BGP table."""
        raise NotImplementedError

    def refresh(self, neighbor):
        """Has the router ask this neighbor for all its routes again (RFC 2918)."""
        raise NotImplementedError

    def told_of_shutdown(self, neighbor, message):
        """Whether the router says that this neighbor has ended by Cease/2 with this message."""
        raise NotImplementedError


def make_router(software, *arguments, **options):
    from .bird import Bird
    from .exabgp import ExaBgp
    from .frr import Frr
    from .gobgp import GoBgp
    from .openbgpd import OpenBgpd
    from .pages import PageBird, PageFrr

    kinds = {kind.software: kind for kind in (Bird, Frr, GoBgp, OpenBgpd, ExaBgp)}
    kinds |= {"page-frr": PageFrr, "page-bird": PageBird}
    return kinds[software](*arguments, **options)
