# SPDX-License-Identifier: Apache-2.0
"""What the routers of a lab have in common: a namespace that forwards, and BGP software in it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Neighbor:
    """A node as the router's configuration names it."""

    name: str
    asn: int
    address: str
    families: tuple = ("ipv4", "ipv6")


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

    def __init__(self, fabric, role, asn, router_id, neighbors, import_v4, import_v6):
        self.fabric = fabric
        self.role = role
        self.namespace = fabric.namespaces[role]
        self.asn = asn
        self.router_id = router_id
        self.neighbors = list(neighbors)
        self.import_v4 = import_v4
        self.import_v6 = import_v6

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

    def established(self, address):
        """Whether the session with this neighbor is Established."""
        raise NotImplementedError

    def paths(self, prefix):
        """All paths of a prefix in the BGP table."""
        raise NotImplementedError


def make_router(software, *arguments):
    from .bird import Bird
    from .frr import Frr

    return {"bird": Bird, "frr": Frr}[software](*arguments)
