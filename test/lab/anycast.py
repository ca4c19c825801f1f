# SPDX-License-Identifier: Apache-2.0
"""The fabric "anycast by ECMP": a client, a router, nodes that all carry the VIP and a service."""

from .node import Server
from .router import Neighbor, make_router
from .speakers import Session, make_node
from .topology import ALLOWED, NODE_ASN, ROUTER_ASN, TLS_CHECK, VIP4, VIP6, VIPS, Lab

__all__ = ["ALLOWED", "NODE_ASN", "ROUTER_ASN", "VIP4", "VIP6", "VIPS", "Anycast"]

ROUTER_ID = "10.0.1.1"
DATABASE_PORT = 5432


def web_check(authority):
    """The same question for both speakers: (keys of a check, shell command)."""
    if not authority:
        check = {"type": "http", "url": "http://127.0.0.1:80/"}
        return check, "curl -sf -o /dev/null http://127.0.0.1/"
    check = {"type": "http", **TLS_CHECK, "ca_file": authority.certificate}
    command = f"curl -sf -o /dev/null --cacert {authority.certificate} https://127.0.0.1/"
    return check, command


class Anycast(Lab):
    """`sessions` 1: one session, over the first of the families, carries all; 2: one for each.

    `spare`: one node more, which `start` leaves out. `bfd`: the last node's sessions have BFD.
    `shared`: all nodes depend on a database. `add_path`: the router shows the nodes all paths."""

    def __init__(
        self,
        fabric,
        software="bird",
        nodes=3,
        sessions=1,
        tls=False,
        speaker="anyvip",
        families=("ipv4", "ipv6"),
        spare=False,
        bfd=False,
        bfd_all=False,
        shared=False,
        add_path=False,
    ):
        super().__init__(fabric, families, tls)
        self.speaker = speaker
        self.sessions = sessions
        self.router_namespace = fabric.router_namespace("router")
        self.client = fabric.namespace("client")
        fabric.default_route("client", fabric.link("router", "client").a)
        self.links = {}
        self.nodes = []
        database = self._database() if shared else ""
        neighbors = []
        for number in range(1, nodes + spare + 1):
            has_bfd = bfd_all or (bfd and number == nodes)
            node, own = self._node(f"node{number}", has_bfd, add_path, database)
            self.nodes.append(node)
            neighbors += own
        self.announcers = self.servers = self.nodes
        self.spare = self.nodes[-1] if spare else None
        self.add_path = add_path
        self.hops["router"] = {node.role for node in self.nodes}
        self.bfd_role = f"node{nodes}" if bfd else None
        self.router = make_router(
            software, fabric, "router", ROUTER_ASN, ROUTER_ID, neighbors, *ALLOWED
        )
        self.routers["router"] = self.router

    def _database(self):
        self.fabric.namespace("database")
        link = self.fabric.link("router", "database")
        self.fabric.default_route("database", link.a)
        self.shared = Server(self.fabric, "database", port=DATABASE_PORT)
        host = link.b[0] if "ipv4" in self.families else f"[{link.b[1]}]"
        return f"{host}:{DATABASE_PORT}"

    def _node(self, role, bfd, add_path, database):
        """(the node, the router's neighbors for it)"""
        self.fabric.namespace(role)
        link = self.links[role] = self.fabric.link("router", role)
        self.fabric.default_route(role, link.a)
        sessions, neighbors = [], []
        groups = [self.families] if self.sessions == 1 else [(one,) for one in self.families]
        for number, families in enumerate(groups):
            name = "router6" if number else "router"
            session = Session(name, link, families[0], families, bfd=bfd)
            sessions.append(session)
            neighbors.append(
                Neighbor(
                    f"{role}v6" if number else role,
                    NODE_ASN,
                    link.b[session.side],
                    families,
                    sends=("vip",) if add_path else (),
                    add_path=add_path,
                    bfd=bfd,
                )
            )
        check, command = web_check(self.authority)
        node = make_node(self.speaker, self.fabric, role, sessions, self.families, check, command,
                         self.certificate(role), database)  # fmt: skip
        if "ipv4" not in self.families and self.speaker == "anyvip":
            # There is neither an IPv4 peer nor an IPv4 default route to take it from.
            node.table("node")["router_id"] = link.b[0]
        return node, neighbors

    def fib(self, address):
        """The nodes to which the router's kernel sends this address."""
        return self.reach(address)

    def wait_fib(self, roles, families=None, deadline=20.0):
        """Waits until the router's kernel sends the VIP to exactly these nodes, in each family."""
        self.wait_reach(roles, deadline, [VIPS[family] for family in families or self.families])
