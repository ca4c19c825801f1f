# SPDX-License-Identifier: Apache-2.0
"""The fabric "anycast by ECMP": a client, a router, nodes that all carry the VIP and a service."""

import ssl

from .node import Node
from .process import LabError, run, wait_until
from .router import Neighbor, make_router

ROUTER_ASN = 65001
NODE_ASN = 65010
VIP4 = "203.0.113.10"
VIP6 = "2001:db8:ffff::10"
VIPS = {"ipv4": VIP4, "ipv6": VIP6}
# Out of these the router takes host routes.
ALLOWED = ("203.0.113.0/24", "2001:db8:ffff::/48")
CHECK = {"name": "web", "type": "http", "url": "http://127.0.0.1:80/", "interval": "200ms"}
TLS_CHECK = {"url": "https://127.0.0.1/", "sni": "vip.example"}
VIP = {"name": "www", "addresses": [VIP4, VIP6], "checks": ["web"]}


class Anycast:
    """`sessions` 1: one IPv4 session carries both families; 2: each family has its own session.

    With `tls` all nodes have one certificate for the VIP, which the client verifies."""

    def __init__(self, fabric, software="bird", nodes=3, sessions=1, tls=False):
        self.fabric = fabric
        certificate = _certificate(fabric.directory) if tls else ()
        self.tls = ssl.create_default_context(cafile=certificate[0]) if tls else None
        self.port = 443 if tls else 80
        self.sessions = sessions
        fabric.router_namespace("router")
        self.router_namespace = fabric.namespaces["router"]
        self.client = fabric.namespace("client")
        link = fabric.link("router", "client")
        fabric.default_route("client", link.a)
        neighbors = []
        self.nodes = []
        self.links = {}
        for number in range(1, nodes + 1):
            role = f"node{number}"
            fabric.namespace(role)
            link = self.links[role] = fabric.link("router", role)
            fabric.default_route(role, link.a)
            # (name on the node, name on the router, router's address, node's address, families)
            ends = [("router", role, link.a[0], link.b[0], ["ipv4", "ipv6"])]
            if sessions == 2:
                ends = [
                    ("router", role, link.a[0], link.b[0], ["ipv4"]),
                    ("router6", f"{role}v6", link.a[1], link.b[1], ["ipv6"]),
                ]
            peers = []
            for name, neighbor, there, here, families in ends:
                neighbors.append(Neighbor(neighbor, NODE_ASN, here, tuple(families)))
                peers.append(
                    {"name": name, "address": there, "asn": ROUTER_ASN, "families": families}
                )
            check = {**CHECK, **TLS_CHECK, "ca_file": certificate[0]} if tls else CHECK
            self.nodes.append(Node(fabric, role, NODE_ASN, peers, [VIP], [check], certificate))
        self.router = make_router(
            software, fabric, "router", ROUTER_ASN, "10.0.1.1", neighbors, *ALLOWED
        )

    def start(self):
        self.router.start()
        for node in self.nodes:
            node.start_service()
        for node in self.nodes:
            node.start()
        return self

    def fib(self, address):
        """The nodes to which the router's kernel sends this address."""
        return sorted(self.router_namespace.fib(address))

    def wait_fib(self, roles, families=("ipv4", "ipv6"), deadline=20.0):
        """Waits until the router's kernel sends the VIP to exactly these nodes, in each family."""
        for family in families:
            address = VIPS[family]

            def spread_is_right():
                found = self.fib(address)
                if found != sorted(roles):
                    raise LabError(f"{found}")
                return True

            where = ", ".join(roles) or "nobody"
            wait_until(f"router sends {address} to {where}", spread_is_right, deadline)


def _certificate(directory):
    """(certificate, key) of the service, by its addresses and the name that the check asks for."""
    files = f"{directory}/vip.crt", f"{directory}/vip.key"
    names = f"subjectAltName=DNS:vip.example,IP:127.0.0.1,IP:{VIP4},IP:{VIP6}"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=vip.example", "-addext", names,
        "-out", files[0], "-keyout", files[1])  # fmt: skip
    return files
