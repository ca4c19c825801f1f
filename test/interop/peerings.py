# SPDX-License-Identifier: Apache-2.0
"""Every kind of session with one router's software, and what happens on them later."""

import ipaddress

from lab.fabric import Fabric
from lab.peerings import Peerings
from lab.process import LabError, wait_until

MANY = 1000
FIRST4 = ipaddress.ip_address("198.18.1.0")
FIRST6 = ipaddress.ip_address("2001:db8:ffff:1::")


def require(condition, text):
    if not condition:
        raise LabError(text)


def run(report, software):
    with Fabric(f"interop-{software}") as fabric:
        lab = Peerings(fabric, software)
        failed_before = report.failed
        if report.check(f"{software}: router and nodes start", lab.start):
            for name, action in steps(lab):
                report.check(f"{software}, {name}", action)
        if report.failed > failed_before:
            for peering in lab.peerings:
                node = peering.node
                print(f"--- {node.role}: end of anyvipd's log\n{node.daemon.tail(8)}", flush=True)


def steps(lab):
    """(name, action) in the order in which they have to run."""
    life = PeeringLife(lab)
    by_role = {peering.kind.role: peering for peering in lab.peerings}
    return [
        *(
            (f"{describe(peering.kind)}: both families with the right attributes",
             lambda p=peering: life.announced(p))
            for peering in lab.peerings
        ),
        *(
            (f"{describe(peering.kind)}: route refresh answered, session as it was",
             lambda p=peering: life.refreshed(p))
            for peering in lab.peerings
            if lab.router.can_refresh
        ),
        ("graceful stop: routes gone, router read our Cease/2 and its message",
         lambda: life.stopped(by_role["both4"])),
        ("router restarted: all sessions and routes are back", life.router_restarted),
        (f"{MANY} VIPs in both families", lambda: life.many(by_role["ebgp4"])),
    ]  # fmt: skip


def describe(kind):
    words = ["iBGP" if kind.internal else "eBGP", f"over {kind.family.replace('ip', 'IP')}"]
    if kind.password:
        words.append("with MD5")
    if kind.ttl_security:
        words.append("with GTSM")
    words.append({"node": "we dial", "router": "it dials", "both": "both dial"}[kind.dials])
    return f"{' '.join(words[:-1])}, {words[-1]}"


class PeeringLife:
    def __init__(self, lab):
        self.lab = lab

    def announced(self, peering):
        self.lab.wait_established(peering)
        self.lab.wait_announced(peering)
        router_id = int(ipaddress.ip_address(peering.node.status()["node"]["router_id"]))
        for family in peering.vips:
            (path,) = self.lab.paths(peering, family)
            internal = peering.kind.internal
            require(path.as_path == ([] if internal else [peering.asn]), f"AS_PATH: {path}")
            require(path.origin == "IGP", f"ORIGIN: {path}")
            require(path.med is None, f"MED on a route without one: {path}")
            require(not internal or path.local_pref == 100, f"LOCAL_PREF: {path}")
            expected = peering.next_hop(family)
            require(path.next_hop == expected, f"NEXT_HOP is not {expected}: {path}")
            mark = f"{peering.asn}:1:{router_id}"
            require(mark in path.communities, f"node mark {mark} is missing: {path}")

    def refreshed(self, peering):
        before = peering.node.peer("router")
        asked = self._refreshes(peering)
        self.lab.router.refresh(peering.neighbor)
        wait_until("ROUTE-REFRESH received", lambda: self._refreshes(peering) > asked)
        for family in peering.vips:
            require(self.lab.paths(peering, family), f"{family}: the route is gone")
        after = peering.node.peer("router")
        require(after["since"] == before["since"], f"the session is another: {after}")
        require(self.lab.router.established(peering.neighbor.address), "the session ended")

    @staticmethod
    def _refreshes(peering):
        for line in peering.node.metrics().splitlines():
            if line.startswith("anyvip_bgp_messages_total{") and 'type="route_refresh"' in line:
                if 'direction="received"' in line:
                    return float(line.split()[-1])
        return 0.0

    def stopped(self, peering):
        status = peering.node.stop()
        require(status == 0, f"exit status {status}")
        self.lab.wait_gone(peering)
        message = f"anyvip on {peering.node.role} stops"
        wait_until(
            f"the router tells of Cease/2 with «{message}»",
            lambda: self.lab.router.told_of_shutdown(peering.neighbor, message),
        )
        peering.node.start()
        self.lab.wait_announced(peering)

    def router_restarted(self):
        self.lab.router.stop()
        for peering in self.lab.peerings:
            wait_until(
                f"{peering.kind.role} has seen the end of the session",
                lambda p=peering: p.node.peer("router")["state"] != "Established",
            )
        self.lab.router.start()
        for peering in self.lab.peerings:
            self.lab.wait_established(peering)
            self.lab.wait_announced(peering)

    def many(self, peering):
        """The node comes again with so many VIPs: no more, no fewer are in the router's table."""
        others = len(self.lab.peerings) - 1
        peering.node.stop()
        peering.node.tables = [
            *(entry for entry in peering.node.tables if entry[0] != "[vip]"),
            *(
                ("[vip]", {"name": f"vip{n}", "addresses": [str(FIRST4 + n), str(FIRST6 + n)]})
                for n in range(MANY)
            ),
        ]
        peering.node.start()
        for family in peering.vips:
            wait_until(
                f"{family}: {MANY} and {others} prefixes in the router's table",
                lambda f=family: self._counted(f, MANY + others),
            )
        advertised = peering.node.peer("router")["advertised"]
        require(advertised == 2 * MANY, f"the node says that it advertises {advertised}")

    def _counted(self, family, wanted):
        found = self.lab.router.count(family)
        if found != wanted:
            raise LabError(f"{found}")
        return True
