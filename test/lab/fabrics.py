# SPDX-License-Identifier: Apache-2.0
"""The fabrics by name: each a function (Fabric, router's software, speaker) -> Lab."""

from .anycast import Anycast
from .hybrid import UPSTREAM_ASN, Hybrid
from .leaf_spine import LeafSpine
from .router import Neighbor, make_router
from .scenarios import ALL
from .scenarios.page import TOO_MANY
from .topology import ALLOWED, ROUTER_ASN
from .unnumbered import Unnumbered

# As the pages have them.
PAGE_UPSTREAM, PAGE_ROUTER = "192.0.2.1", "192.0.2.2"


def _full(speaker):
    """ExaBGP has neither BFD nor a second kind of check."""
    own = speaker == "anyvip"
    return {"tls": True, "spare": True, "bfd": own, "shared": own, "speaker": speaker}


def anycast4(fabric, software, speaker):
    """Anycast by ECMP, IPv4: a router and three nodes with the VIP and a TLS service."""
    lab = Anycast(fabric, software, families=("ipv4",), **_full(speaker))
    lab.is_measured = True
    return lab


def resilient(fabric, software, speaker):
    """Anycast behind a router with resilient hashing."""
    lab = Anycast(fabric, software, families=("ipv4",), tls=True, spare=True, speaker=speaker)
    lab.is_resilient = lab.is_measured = True
    return lab


def anycast6(fabric, software, speaker):
    """The same in IPv6."""
    return Anycast(fabric, software, families=("ipv6",), **_full(speaker))


def dual_one(fabric, software, speaker):
    """Dual stack: both families of three nodes over one IPv4 session each."""
    return Anycast(fabric, software, sessions=1, **_full(speaker))


def dual_two(fabric, software, speaker):
    """Dual stack: each family over a session of its own."""
    return Anycast(fabric, software, sessions=2, **_full(speaker))


def hybrid(fabric, software, speaker):
    """A router, two load balancers (HAProxy, TLS passed through) with the VIP, three servers."""
    return Hybrid(fabric, software, speaker, bfd=speaker == "anyvip")


def hybrid2(fabric, software, speaker):
    """The same with two routers, and an upstream with ECMP over both."""
    return Hybrid(fabric, software, speaker, bfd=speaker == "anyvip", routers=2)


def leaf_spine(fabric, software, speaker):
    """Two racks with a ToR each, a spine, four nodes."""
    return LeafSpine(fabric, software, speaker, bfd=speaker == "anyvip")


def add_path(fabric, software, speaker):
    """Anycast, and the router shows each node the paths of the others (ADD-PATH)."""
    return Anycast(fabric, software, families=("ipv4",), tls=True, add_path=True, speaker=speaker)


def _page(fabric, page):
    lab = Anycast(fabric, page, tls=True, bfd_all=True, spare=True)
    lab.is_page = True
    for node, bandwidth in zip(lab.nodes, ("1Gbit", "1Gbit", "3Gbit", "1Gbit")):
        node.table("[vip]")["bandwidth"] = bandwidth
        node.table("[peer]")["default_route"] = True
    # Something that is no host route, and more host routes than a node may have.
    network = {"name": "net", "addresses": ["203.0.113.128/25"], "allow_prefix": True}
    lab.nodes[0].tables.append(("[vip]", network))
    lab.spare.tables.append(("[vip]", {"name": "many", "addresses": TOO_MANY}))
    _add_upstream(fabric, lab)
    return lab


def _add_upstream(fabric, lab):
    """Where the page's router learns a default route; BIRD, so that only the page is of interest."""
    namespace = fabric.router_namespace("upstream")
    fabric.link("upstream", "router")
    namespace.ip("address", "add", f"{PAGE_UPSTREAM}/30", "dev", "router")
    fabric.namespaces["router"].ip("address", "add", f"{PAGE_ROUTER}/30", "dev", "upstream")
    # BIRD knows "router" as a word of its own.
    edge = Neighbor("edge", ROUTER_ASN, PAGE_ROUTER, sends=("default",))
    lab.upstream = make_router(
        "bird", fabric, "upstream", UPSTREAM_ASN, PAGE_UPSTREAM, [edge], *ALLOWED
    )


def page_frr(fabric, software, speaker):
    """Anycast with what etc/routers/frr.md says as the router's configuration."""
    return _page(fabric, "page-frr")


def page_bird(fabric, software, speaker):
    """Anycast with what etc/routers/bird.md says as the router's configuration."""
    return _page(fabric, "page-bird")


def unnumbered(fabric, software, speaker):
    """A router and three nodes with nothing but link-local addresses between them (FRR only)."""
    return Unnumbered(fabric)


# What test/run has time for: all that is quick on one fabric, on the others what differs there.
BASICS = ("spread", "service-killed", "drain")
QUICK = {
    "anycast6": (*BASICS, "blackhole-bfd"),
    "hybrid": (
        *BASICS,
        "passthrough",
        "service-hung",
        "server-killed",
        "server-hung",
        "server-drained",
        "servers-all-fail",
    ),
    "hybrid2": (*BASICS, "router-maintenance", "router-off", "uplink-cut", "server-drained"),
    "resilient": ("drain", "node-added"),
    "dual-one": BASICS,
    "dual-two": BASICS,
    "leaf-spine": (*BASICS, "router-maintenance"),
    "unnumbered": BASICS,
    "add-path": ("all-drained",),
    "page-frr": ("router-page",),
    "page-bird": ("router-page",),
}
FABRICS = {
    "anycast4": anycast4,
    "anycast6": anycast6,
    "resilient": resilient,
    "hybrid": hybrid,
    "hybrid2": hybrid2,
    "dual-one": dual_one,
    "dual-two": dual_two,
    "leaf-spine": leaf_spine,
    "unnumbered": unnumbered,
    "add-path": add_path,
    "page-frr": page_frr,
    "page-bird": page_bird,
}


def can_build(name, router, speaker):
    """BIRD and ExaBGP do not learn a neighbor's address from its router advertisements. The guard
    of the last node needs its own path shown, which BIRD never does; ExaBGP has no such guard."""
    if speaker == "exabgp":
        return name not in ("unnumbered", "add-path", "page-frr", "page-bird")
    return router == "frr" or name not in ("unnumbered", "add-path")


def quick_scenarios(fabric):
    every = [one.name for one in ALL.values() if one.is_quick]
    return [name for name in every if name in QUICK.get(fabric, every)]
