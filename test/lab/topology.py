# SPDX-License-Identifier: Apache-2.0
"""What every fabric has: routers, announcers of a VIP, servers behind it, a client, and questions
about where the routers' kernels send the VIP."""

import time

from .certificates import Authority
from .process import LabError, wait_until
from .resilient import ResilientFib
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
        self.hops = {}  # router's role -> roles to which it can send the VIP
        self.routers_out = set()  # routers that are not in use at the moment
        self.default_routes = {}  # router's role -> where its static default route leads, as Link.a
        self.learn_default = {}  # role -> routers from which its default route is learnt by BGP
        self.entry = "router"  # the first router on the way from the client
        self.announcers = []
        self.servers = []
        self.spare = None
        self.shared = None  # the Server of a dependency that all nodes have
        self.client = None
        self.bfd_role = None  # the announcer whose sessions have BFD
        self.speaker = "anyvip"
        self.add_path = False  # the announcers are shown all paths of the VIP
        self.static_default = False  # the announcers' default route leads through several routers
        self.is_measured = False  # the long measurements are made here
        self.is_resilient = False  # the first router hashes resiliently
        self.resilient = None  # its copy of the routes
        self.is_page = False  # the router runs a page of etc/routers
        self.upstream = None  # a page's: where its router learns a default route
        self.times = 20  # how often they repeat
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
        if self.is_resilient:
            entry = self.fabric.namespaces[self.entry]
            self.resilient = ResilientFib(entry, self.addresses[0], self.routes)
            self.fabric.at_exit.insert(0, self.resilient.close)
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

    def _wanted(self, roles, router):
        """The hops that a router has when these announcers have the VIP."""
        return {
            hop
            for hop in self.hops[router] - self.routers_out
            if hop in roles or (hop in self.hops and self._wanted(roles, hop))
        }

    def reach(self, address, router=None):
        """The announcers to which the routers' kernels send this address, whatever the way."""
        found = set()
        for hop in self.fabric.namespaces[router or self.entry].fib(address):
            if hop in self.routers:
                found |= set(self.reach(address, hop))
            else:
                found.add(hop)
        return sorted(found)

    def _differences(self, roles, addresses):
        """Hops that are not as they have to be: {(router, address): hops}."""
        found = {}
        for router in set(self.routers) - self.routers_out:
            for address in addresses:
                hops = set(self.fabric.namespaces[router].fib(address))
                if hops != self._wanted(roles, router):
                    found[router, address] = sorted(hops)
        return found

    def wait_reach(self, roles, deadline=30.0, addresses=None):
        """Until every router sends every address to exactly these announcers, by all its ways;
        returns when that was.

        The moment is that of the last change in the kernels, not that of the question."""
        end = time.monotonic() + deadline
        while True:
            found = self._differences(roles, addresses or self.addresses)
            if not found:
                self.routes.wait(0.02)  # Its event may be a little later than its answer.
                events = self.routes.since(0)
                return events[-1].at if events else time.monotonic()
            if time.monotonic() > end:
                where = ", ".join(roles) or "nobody"
                raise LabError(f"VIP not sent to {where} within {deadline:g} s; last: {found}")
            self.routes.wait(0.05)

    def wait_all(self, deadline=40.0):
        moment = self.wait_reach(self.roles(), deadline)
        self.wait_defaults()
        if self.resilient:
            self.resilient.wait_copied()
        return moment

    def wait_defaults(self, deadline=20.0):
        """Until everybody's default route leads by all routers in use that he learns it from."""

        def are_there():
            for role, routers in self.learn_default.items():
                for family in self.families if role not in self.routers_out else ():
                    hops = self.fabric.namespaces[role].default_hops(family)
                    if hops != routers - self.routers_out:
                        raise LabError(f"{family} default route of {role}: {sorted(hops)}")
            return True

        wait_until("default routes", are_there, deadline)

    def path_length(self, address, router=None):
        """The least and the greatest AS_PATH length of the VIP in a router's table."""
        prefix = f"{address}/{128 if ':' in address else 32}"
        paths = self.routers[router or self.entry].paths(prefix)
        return sorted(len(path.as_path) for path in paths)

    # ---- routers that are taken out

    def set_links(self, router, state):
        """All links of a router "down" or "up"; the kernel forgets its static routes with them."""
        namespace = self.fabric.namespaces[router]
        for device in namespace.devices():
            namespace.ip("link", "set", device, state)
        if state == "up" and router in self.default_routes:
            self.fabric.default_route(router, self.default_routes[router])

    # ---- the path between an announcer and its routers

    def cut(self, role):
        """Frames between this namespace and its neighbors vanish; the links stay up."""
        for here, device, there, other in self._ends(role):
            for address in there.addresses(other):
                here.ip("neighbor", "replace", address, "lladdr", NOBODY, "dev", device)

    def mend(self, role):
        for here, device, there, other in self._ends(role):
            for address in there.addresses(other):
                here.ip("neighbor", "del", address, "dev", device)

    def _ends(self, role):
        """(namespace, device, namespace at the other end, its device), both ways of each link.

        A device bears the name of the role at its other end."""
        own = self.fabric.namespaces[role]
        for other in own.devices():
            there = self.fabric.namespaces[other]
            yield own, other, there, role
            yield there, role, own, other
