# SPDX-License-Identifier: Apache-2.0
"""The life of a VIP on a router: what has to hold at each step, with two nodes."""

import ipaddress

from lab.anycast import NODE_ASN, VIP4, VIP6, Anycast
from lab.client import open_flows
from lab.fabric import Fabric
from lab.process import LabError, wait_until

PREFIXES = {"ipv4": f"{VIP4}/32", "ipv6": f"{VIP6}/128"}
BOTH = ["node1", "node2"]


def require(condition, text):
    if not condition:
        raise LabError(text)


def run(report, software):
    """The life of a VIP over one session, then over a session for each family."""
    for sessions in (1, 2):
        title = f"{software}, {'one session' if sessions == 1 else 'a session for each family'}"
        with Fabric(f"interop-{software}") as fabric:
            lab = Anycast(fabric, software, nodes=2, sessions=sessions)
            failed_before = report.failed
            if report.check(f"{title}: router, services and nodes start", lab.start):
                for name, action in steps(lab):
                    report.check(f"{title}: {name}", action)
            if report.failed > failed_before:
                for node in lab.nodes:
                    print(f"--- {node.role}: end of anyvipd's log\n{node.daemon.tail(25)}")


def steps(lab):
    """(name, action) in the order in which they have to run."""
    life = VipLife(lab)
    return [
        ("sessions are Established on both sides", life.sessions_up),
        ("VIP is in the router's table with the right attributes", life.attributes),
        ("VIP has two next hops in the kernel", lambda: lab.wait_fib(BOTH)),
        ("flows of both families reach both nodes", life.flows),
        ("service dies: gone, session as it was", life.service_dies),
        ("service comes back: back", life.service_back),
        ("drained: gone, session as it was, address kept", life.drained),
        ("undrained: back", life.undrained),
        ("daemon killed with -9: gone", life.daemon_killed),
        ("daemon started again: back", life.daemon_started),
        ("router restarted: back", life.router_restarted),
        ("daemon stopped: gone, exit status 0, own addresses removed", life.daemon_stopped),
    ]


class VipLife:
    def __init__(self, lab):
        self.lab = lab
        self.one, self.two = lab.nodes

    def sessions_up(self):
        self._wait_sessions()

    def _wait_sessions(self, deadline=20.0):
        for neighbor in self.lab.router.neighbors:
            wait_until(
                f"router's session with {neighbor.name}",
                lambda address=neighbor.address: self.lab.router.established(address),
                deadline,
            )
        for node in self.lab.nodes:
            for peer in node.status()["peers"]:
                shown = f"{node.role}: {peer['name']} is {peer['state']}"
                require(peer["state"] == "Established", shown)

    def _sessions(self, node):
        return {peer["name"]: (peer["state"], peer["since"]) for peer in node.status()["peers"]}

    def _paths(self, family, role):
        """The router's paths of the VIP from one node, whichever of its sessions they came over."""
        paths = self.lab.router.paths(PREFIXES[family])
        return [path for path in paths if path.neighbor in (role, f"{role}v6")]

    def attributes(self):
        self.lab.wait_fib(BOTH)
        for node in self.lab.nodes:
            for family, local in zip(("ipv4", "ipv6"), self.lab.links[node.role].b):
                paths = self._paths(family, node.role)
                require(len(paths) == 1, f"{node.role}, {family}: {len(paths)} paths")
                path = paths[0]
                where = f"{node.role}, {family}: {path}"
                require(path.as_path == [NODE_ASN], f"AS_PATH: {where}")
                require(path.origin == "IGP", f"ORIGIN: {where}")
                require(path.med is None, f"MED on a route without one: {where}")
                require(path.next_hop == local, f"NEXT_HOP is not {local}: {where}")
                router_id = int(ipaddress.ip_address(node.status()["node"]["router_id"]))
                mark = f"{NODE_ASN}:1:{router_id}"
                require(mark in path.communities, f"node mark {mark} is missing: {where}")

    def flows(self):
        for address in (VIP4, VIP6):
            flows = open_flows(self.lab.client, address, 60)
            require(not flows.failed, f"{address}: {dict(flows.failures())}")
            spread = flows.spread()
            require(set(spread) == set(BOTH), f"{address}: answered by {dict(spread)}")

    def _gone(self):
        """node2's VIP is in neither the kernel nor the BGP table of the router."""
        self.lab.wait_fib(["node1"])
        for family in PREFIXES:
            wait_until(
                f"{family}: no path from node2 in the router's table",
                lambda f=family: not self._paths(f, "node2"),
            )

    def _service_ends_with_same_session(self, change):
        before = self._sessions(self.two)
        change()
        self._gone()
        after = self._sessions(self.two)
        require(after == before, f"sessions changed: {before} -> {after}")
        for neighbor in self.lab.router.neighbors:
            require(self.lab.router.established(neighbor.address), f"router lost {neighbor.name}")

    def service_dies(self):
        self._service_ends_with_same_session(self.two.kill_service)
        state = self.two.vip("www")["state"]
        require(state == "withdrawn", f"state shown: {state}")

    def service_back(self):
        self.two.start_service()
        self.lab.wait_fib(BOTH)

    def drained(self):
        self._service_ends_with_same_session(lambda: self.two.anyvip("drain"))
        wait_until(
            "state shown is draining or drained",
            lambda: self.two.vip("www")["state"] in ("draining", "drained"),
        )
        for address in (VIP4, VIP6):
            require(self.two.namespace.has_address(address), f"{address} has left the node")

    def undrained(self):
        self.two.anyvip("undrain")
        self.lab.wait_fib(BOTH)

    def daemon_killed(self):
        self.two.daemon.kill()
        self._gone()

    def daemon_started(self):
        self.two.start()
        self.lab.wait_fib(BOTH)

    def router_restarted(self):
        self.lab.router.stop()
        self.lab.wait_fib([])
        self.lab.router.start()
        self.lab.wait_fib(BOTH)
        self._wait_sessions()

    def daemon_stopped(self):
        status = self.two.stop()
        require(status == 0, f"exit status {status}:\n{self.two.daemon.tail()}")
        self._gone()
        for address in (VIP4, VIP6):
            require(not self.two.namespace.has_address(address), f"{address} was left on lo")
