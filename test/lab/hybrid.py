# SPDX-License-Identifier: Apache-2.0
"""The hybrid fabrics: the VIP is on load balancers that pass TLS through to servers behind them."""

from .haproxy import HEALTH_PORT, HaProxy
from .node import Server
from .router import Neighbor, make_router
from .speakers import Session, make_node
from .topology import ALLOWED, NODE_ASN, ROUTER_ASN, Lab

FAMILIES = ("ipv4", "ipv6")
UPSTREAM_ASN = 65000


class Hybrid(Lab):
    """`routers` 1: client, router, load balancers. 2: client, upstream, two routers that each peer
    with every load balancer."""

    def __init__(
        self, fabric, software, speaker="anyvip", bfd=False, routers=1, balancers=2, servers=3
    ):
        super().__init__(fabric, FAMILIES)
        self.speaker = speaker
        self._software = software
        self.balancers = [f"lb{number}" for number in range(1, balancers + 1)]
        self._edges = ["router"] if routers == 1 else [f"router{n}" for n in range(1, routers + 1)]
        for role in self._edges:
            fabric.router_namespace(role)
        self.bfd_role = self.balancers[-1] if bfd else None
        self.entry = "router" if routers == 1 else "upstream"
        self.client = fabric.namespace("client")
        # Neighbors of each router, filled while the links are made.
        self._neighbors = {role: [] for role in self._edges}
        if routers > 1:
            fabric.router_namespace("upstream")
            self._upstream()
        fabric.default_route("client", fabric.link(self.entry, "client").a)
        self.servers = [self._server(f"server{n}") for n in range(1, servers + 1)]
        self.haproxies = {}
        self.announcers = [self._balancer(role) for role in self.balancers]
        for number, role in enumerate(self._edges, 1):
            self._router(role, ROUTER_ASN + number - 1, f"10.254.0.{number}", self._neighbors[role])
            self.hops[role] = set(self.balancers)

    def _router(self, role, asn, router_id, neighbors):
        self.routers[role] = make_router(
            self._software, self.fabric, role, asn, router_id, neighbors, *ALLOWED
        )

    def _upstream(self):
        neighbors = []
        for number, role in enumerate(self._edges):
            link = self.fabric.link("upstream", role)
            neighbors.append(Neighbor(role, ROUTER_ASN + number, link.b[0], sends=("default",)))
            self._neighbors[role].append(
                Neighbor("upstream", UPSTREAM_ASN, link.a[0], sends=("vip",), takes=("default",))
            )
        self._router("upstream", UPSTREAM_ASN, "10.254.0.254", neighbors)
        self.hops["upstream"] = set(self._edges)
        self.learn_default |= {role: {"upstream"} for role in self._edges}

    def _server(self, role):
        self.fabric.namespace(role)
        return Server(self.fabric, role, self.certificate(role))

    def _balancer(self, role):
        self.fabric.namespace(role)
        # It is no router, but its answers leave by two: a dead link is not to be used.
        self.fabric.namespaces[role].sysctl("net.ipv4.conf.all.ignore_routes_with_linkdown", 1)
        self.fabric.namespaces[role].sysctl("net.ipv6.conf.all.ignore_routes_with_linkdown", 1)
        # ExaBGP installs nothing: its host gets a static route over all routers.
        learns = self.speaker == "anyvip" and len(self._edges) > 1
        sends = ("learnt-default",) if len(self._edges) > 1 else ()
        sessions, gateways = [], []
        for number, router in enumerate(self._edges):
            link = self.fabric.link(router, role)
            gateways.append(link.a)
            more = {"default_route": True} if learns else {}
            bfd = role == self.bfd_role
            sessions.append(Session(router, link, asn=ROUTER_ASN + number, bfd=bfd, more=more))
            self._neighbors[router].append(
                # Never one of its own: a router without its uplink would draw answers into nothing.
                Neighbor(role, NODE_ASN, link.b[0], sends=sends, bfd=bfd)
            )
        if learns:
            self.learn_default[role] = set(self._edges)
        else:
            self.fabric.default_route(role, *gateways)
            self.static_default = len(gateways) > 1
        addresses = {one.role: self.fabric.link(role, one.role).b[0] for one in self.servers}
        proxy = HaProxy(self.fabric, role, self.port, addresses, self.authority.certificate)
        self.haproxies[role] = proxy
        check = {"type": "haproxy", "socket": proxy.socket, "backend": "web"}
        command = f"curl -sf -o /dev/null http://127.0.0.1:{HEALTH_PORT}/health"
        node = make_node(self.speaker, self.fabric, role, sessions, FAMILIES, check, command)
        node.service = proxy.process
        node.port = self.port
        return node
