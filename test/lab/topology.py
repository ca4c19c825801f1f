# SPDX-License-Identifier: Apache-2.0
"""What every fabric has: routers, announcers of a VIP, servers behind it, a client, and questions
about where the routers' kernels send the VIP."""

import time

from .certificates import Authority
from .process import LabError
from .watch import RouteWatch, UpdateCount

ROUTER_ASN = 65001
NODE_ASN = 65010
VIP4 = "203.0.113.10"
VIP6 = "2001:db8:ffff::10"
VIPS = {"ipv4": VIP4, "ipv6": VIP6}
# Out of these the router takes host routes.
ALLOWED = ("203.0.113.0/24", "2001:db8:ffff::/48")
TLS_CHECK = {"url": "https://127.0.0.1/", "sni": "vip.example"}
NOBODY = "02:00:00:00:00:01"  # a MAC address that no device has
# The same for both speakers (see exabgp_node.py): anyvip's defaults.
TIMES = {"interval": "1s", "timeout": "1s", "fall": 3, "rise": 2}


class Lab:
    """Subclasses build the namespaces and fill the lists.

    `announcers` carry the VIP and announce it; `servers` have the service (in an anycast fabric
    both are the same nodes); `spare` is an announcer that `start` leaves out."""

    def __init__(self, fabric, families=("ipv4",), tls=True):
        self.fabric = fabric
        self.families = tuple(families)
        self.addresses = [VIPS[family] for family in self.families]
        self.authority = Authority(fabric.directory, VIPS.values()) if tls else None
        self.tls = self.authority.context() if tls else None
        self.port = 443 if tls else 80
        self.routers = {}  # role -> Router
        self.entry = "router"  # the first router on the way from the client
        self.announcers = []
        self.servers = []
        self.spare = None
        self.shared = None  # the Server of a dependency that all nodes have
        self.client = None
        self.bfd_role = None  # the announcer whose sessions have BFD
        self.speaker = "anyvip"
        self.routes = self.updates = None

    def certificate(self, role):
        """(certificate, key) of a server, its key in the server's own directory."""
        directory = self.fabric.path(role, "")[:-1]
        return self.authority.issue(role, directory) if self.authority else ()

    def start(self):
        namespaces = {role: self.fabric.namespaces[role] for role in self.routers}
        self.routes = RouteWatch(namespaces, self.addresses)
        self.updates = UpdateCount(namespaces)
        self.fabric.at_exit += [self.routes.close, self.updates.close]
        for router in self.routers.values():
            router.start()
        if self.shared:
            self.shared.start_service()
        services = {one.role: one for one in (*self.servers, *self.announcers)}
        for one in services.values():
            if one is not self.spare:
                one.start_service()
        for announcer in self.active():
            announcer.start()
        return self

    def active(self):
        return [one for one in self.announcers if one is not self.spare]

    def roles(self, but=()):
        """The names of the announcers in use, without some."""
        return sorted(one.role for one in self.active() if one not in but)

    def reach(self, address, router=None):
        """The announcers to which the routers' kernels send this address, whatever the way."""
        found = set()
        for hop in self.fabric.namespaces[router or self.entry].fib(address):
            if hop in self.routers:
                found |= set(self.reach(address, hop))
            else:
                found.add(hop)
        return sorted(found)

    def wait_reach(self, roles, deadline=30.0, addresses=None):
        """Until every address goes to exactly these announcers; returns when that was.

        The moment is that of the last change in the kernels, not that of the question."""
        end = time.monotonic() + deadline
        wanted = sorted(roles)
        while True:
            found = {one: self.reach(one) for one in addresses or self.addresses}
            if all(one == wanted for one in found.values()):
                self.routes.wait(0.02)  # Its event may be a little later than its answer.
                events = self.routes.since(0)
                return events[-1].at if events else time.monotonic()
            if time.monotonic() > end:
                where = ", ".join(wanted) or "nobody"
                raise LabError(f"VIP not sent to {where} within {deadline:g} s; last: {found}")
            self.routes.wait(0.05)

    def wait_all(self, deadline=40.0):
        return self.wait_reach(self.roles(), deadline)

    def path_length(self, address, router=None):
        """The least and the greatest AS_PATH length of the VIP in a router's table."""
        prefix = f"{address}/{128 if ':' in address else 32}"
        paths = self.routers[router or self.entry].paths(prefix)
        return sorted(len(path.as_path) for path in paths)

    # ---- the path between an announcer and its routers

    def cut(self, node):
        """Frames between the node and its routers vanish from now on; the links stay up."""
        for here, device, there, other in self._ends(node):
            for address in there.addresses(other):
                here.ip("neighbor", "replace", address, "lladdr", NOBODY, "dev", device)

    def mend(self, node):
        for here, device, there, other in self._ends(node):
            for address in there.addresses(other):
                here.ip("neighbor", "del", address, "dev", device)

    def _ends(self, node):
        """(namespace, device, namespace at the other end, its device), both ways of each link."""
        for role in self.routers:
            router = self.fabric.namespaces[role]
            if router.has_device(node.role):
                yield node.namespace, role, router, node.role
                yield router, node.role, node.namespace, role
