# SPDX-License-Identifier: Apache-2.0
"""`default_route`: a node behind two routers (BIRD and FRR) sends its answers through both.

    client - upstream = bird, frr = node

The upstream spreads the VIP over both routers by static routes, so that only the way back differs."""

import contextlib
import json
import signal
import time

from lab.bird import Bird
from lab.client import Load, open_flows
from lab.fabric import Fabric
from lab.frr import Frr
from lab.node import Node
from lab.process import LabError, wait_until
from lab.router import Neighbor

NODE_ASN = 65010
ROUTERS = {"bird": 65001, "frr": 65002}
VIP4, VIP6 = "203.0.113.10", "2001:db8:ffff::10"
ALLOWED = ("203.0.113.0/24", "2001:db8:ffff::/48")
BOTH = ["bird", "frr"]
PROTOCOL = "167"
PER_SECOND = 100
DEFAULTS = """
protocol static default4 { ipv4; route 0.0.0.0/0 unreachable; }
protocol static default6 { ipv6; route ::/0 unreachable; }
"""


class DefaultBird(Bird):
    """Announces a default route of both families."""

    def configuration(self):
        return super().configuration().replace("export none;", "export where source = RTS_STATIC;") + DEFAULTS


class DefaultFrr(Frr):
    def configuration(self):
        texts = super().configuration()
        lines = []
        for line in texts["bgpd"].splitlines():
            lines.append(line)
            if line.endswith(" activate"):
                lines.append(line.replace("activate", "default-originate"))
        return {**texts, "bgpd": "\n".join(lines) + "\n"}


def run(report):
    with Fabric("interop-default") as fabric:
        lab = Lab(fabric)
        steps(report, lab, "default route", [
            ("routers and node start", lab.start),
            ("one multipath route of both families, over both routers", lab.wait_both),
            ("status, metrics and explain show it", lab.shown),
            ("router's software killed: its next hop goes, and comes back", lab.software_killed),
            ("router silent: its next hop goes with the hold timer", lab.router_silent),
            ("router drained at the node: its next hop goes, the session stays", lab.peer_drained),
            ("both routers gone: the last next hop stays", lab.both_gone),
            ("another program deletes the routes: back within a second", lab.deleted),
            ("a foreign route of a lower metric is not touched, and explain names it", lab.hidden),
            ("a reload that takes the key from one router takes its next hop", lab.reloaded),
            ("static route to one router, that is taken out: requests fail",
             lambda: lab.maintenance(has_default_route=False)),
            ("default_route, a router is taken out: no request fails",
             lambda: lab.maintenance(has_default_route=True)),
            ("kill -9: the routes stay, the next start adopts them without a gap", lab.adopted),
            ("kill -9, then a start without the key: the routes go", lab.cleaned),
            ("a foreign route of the same metric is refused, not touched", lab.same_metric),
            ("daemon stopped: nothing of it is left", lab.stopped),
        ])  # fmt: skip
    with Fabric("interop-default") as fabric:
        lab = Unnumbered(fabric)
        steps(report, lab, "default route, frr unnumbered", [
            ("router and node start", lab.start),
            ("IPv4 and IPv6 by the router's link-local address", lab.wait_routes),
        ])  # fmt: skip


def steps(report, lab, title, actions):
    failed_before = report.failed
    for name, action in actions:
        report.check(f"{title}: {name}", action)
    if report.failed > failed_before:
        print(f"--- end of anyvipd's log\n{lab.node.daemon.tail(25)}", flush=True)


def require(condition, text):
    if not condition:
        raise LabError(text)


def default_routes(namespace, family):
    """The default routes of the main table: [(protocol, metric, sorted devices)]."""
    text = namespace.ip(f"-{family}", "-N", "-j", "route", "show", "default")
    routes = []
    for route in json.loads(text or "[]"):
        devices = sorted(hop["dev"] for hop in route.get("nexthops", [route]))
        routes.append((str(route.get("protocol", 3)), route.get("metric", 0), devices))
    return routes


class Lab:
    def __init__(self, fabric):
        self.fabric = fabric
        self.client = fabric.namespace("client")
        self.upstream = fabric.router_namespace("upstream")
        self.namespaces = {name: fabric.router_namespace(name) for name in BOTH}
        self.own = fabric.namespace("node")
        client_link = fabric.link("upstream", "client")
        fabric.default_route("client", client_link.a)
        above, self.below = {}, {}
        for name in BOTH:
            above[name] = fabric.link("upstream", name)
            self.below[name] = fabric.link(name, "node")
            self.namespaces[name].ip("route", "add", "default", "via", above[name].a[0])
            self.namespaces[name].ip("route", "add", "default", "via", above[name].a[1])
        self.above = above
        self.way_in(BOTH)
        kinds = {"bird": DefaultBird, "frr": DefaultFrr}
        self.routers = {
            name: kinds[name](fabric, name, ROUTERS[name], self.below[name].a[0],
                              [Neighbor("node", NODE_ASN, self.below[name].b[0])], *ALLOWED)
            for name in BOTH
        }  # fmt: skip
        peers = [
            {"name": name, "address": self.below[name].a[0], "asn": ROUTERS[name],
             "hold_time": "3s", "next_hop_ipv6": self.below[name].b[1], "default_route": True}
            for name in BOTH
        ]  # fmt: skip
        self.node = Node(fabric, "node", NODE_ASN, peers, [{"name": "www", "addresses": [VIP4, VIP6]}])
        self.node.table("node")["router_id"] = "10.0.0.11"
        self.node.tables.append(("drain", {"keep_last": "never", "gshut": "100ms"}))
        self.node.table("daemon").update(linger_min="100ms", silence="100ms")

    def way_in(self, names):
        """The upstream sends the VIPs to these routers."""
        for family, vip in ((0, VIP4), (1, VIP6)):
            hops = [word for name in names for word in ("nexthop", "via", self.above[name].b[family])]
            self.upstream.ip("route", "replace", vip, *hops)

    def start(self):
        for router in self.routers.values():
            router.start()
        self.node.start_service()
        self.node.start()

    def peer_table(self, name):
        return next(keys for table, keys in self.node.tables
                    if table == "[peer]" and keys["name"] == name)  # fmt: skip

    def reload(self, **keys):
        """Sets `default_route` by router, and reloads."""
        for name, value in keys.items():
            self.peer_table(name)["default_route"] = value
        self.node.write_configuration()
        self.node.anyvip("reload")

    def wait_routes(self, wanted, deadline=10.0):
        """Both families have exactly these of our routes: [devices]."""

        def is_right():
            for family in (4, 6):
                found = [devices for protocol, metric, devices in default_routes(self.own, family)
                         if protocol == PROTOCOL]  # fmt: skip
                if found != wanted:
                    raise LabError(f"IPv{family}: {found}")
            return True

        begin = time.monotonic()
        wait_until(f"default routes over {wanted}", is_right, deadline)
        return time.monotonic() - begin

    def wait_both(self, deadline=15.0):
        self.wait_routes([BOTH], deadline)

    def explain(self):
        return self.node.anyvip("explain", "www")

    def shown(self):
        routes = self.node.status()["default_routes"]
        require([route["prefix"] for route in routes] == ["0.0.0.0/0", "::/0"], routes)
        require([hop["peer"] for hop in routes[0]["next_hops"]] == BOTH, routes)
        require('anyvip_default_route_next_hops{family="ipv4",metric="512"} 2' in self.node.metrics(),
                "metric")  # fmt: skip
        require("default route 0.0.0.0/0 metric 512" in self.explain(), self.explain())
        require("DEFAULT ROUTE" in self.node.anyvip("status"), "status")
        peer = json.loads(self.node.anyvip("--json", "peers", "bird"))
        require(peer["default_route"]["ipv4"]["next_hop"].startswith(self.below["bird"].a[0]), peer)
        flows = open_flows(self.client, VIP4, 200) + open_flows(self.client, VIP6, 200)
        require(not any(flow.error for flow in flows), [f.error for f in flows if f.error])

    def software_killed(self):
        self.routers["bird"]._process.kill()
        self.wait_routes([["frr"]], 2)
        self.routers["bird"].start()
        self.wait_both()

    def router_silent(self):
        bird = self.routers["bird"]._process
        bird.send(signal.SIGSTOP)
        try:
            took = self.wait_routes([["frr"]], 6)
        finally:
            bird.send(signal.SIGCONT)
        # BIRD waits a minute after an error that it was told of, unless it starts anew.
        self.routers["bird"].stop()
        self.routers["bird"].start()
        require(took < 4, f"{took:.1f} s with a hold time of 3 s")
        self.wait_both()

    def peer_drained(self):
        self.node.anyvip("drain", "--peer", "frr")
        self.wait_routes([["bird"]], 3)
        require(self.node.peer("frr")["state"] == "Established", "session")
        self.node.anyvip("undrain", "--peer", "frr")
        self.wait_both()

    def both_gone(self):
        self.routers["frr"].stop()
        self.wait_routes([["bird"]], 5)
        self.routers["bird"].stop()
        wait_until("no session", lambda: self.node.peer("bird")["state"] != "Established")
        self.wait_routes([["bird"]], 1)
        require("no router offers it any more" in self.explain(), self.explain())
        for router in self.routers.values():
            router.start()
        self.wait_both()

    def deleted(self):
        for family in ("-4", "-6"):
            self.own.ip(family, "route", "flush", "proto", PROTOCOL)
        took = self.wait_routes([BOTH], 3)
        require(took < 1, f"{took:.2f} s")
        events = self.node.anyvip("events")
        require(events.count("default_route.removed") >= 2, events)
        # More than three times in 10 s: not at once any more.
        for _ in range(2):
            self.own.ip("route", "flush", "proto", PROTOCOL)
            self.wait_routes([BOTH], 3)
        self.own.ip("route", "flush", "proto", PROTOCOL)
        wait_until("explain names the pause", lambda: "put back after a pause" in self.explain(), 3)
        require(not default_routes(self.own, 4), "put back in spite of four removals in 10 s")
        took = self.wait_routes([BOTH], 12)
        require(took > 5, f"put back after {took:.1f} s, without the pause")
        self.wait_both(1)

    def hidden(self):
        foreign = ("default", "via", self.below["frr"].a[0], "proto", "static", "metric", "5")
        self.own.ip("route", "add", *foreign)
        wait_until("explain names it", lambda: "hidden by 0.0.0.0/0 via" in self.explain(), 2)
        require(("4", 5, ["frr"]) in default_routes(self.own, 4), default_routes(self.own, 4))
        self.wait_both(1)
        self.own.ip("route", "del", *foreign)
        wait_until("explain is content", self.is_content, 2)

    def is_content(self):
        """Its text may still name what was in the way last."""
        document = json.loads(self.node.anyvip("explain", "www", "--json"))
        routes = [one for one in document["conditions"] if one["name"].startswith("default route")]
        return routes and all(one["met"] for one in routes)

    def reloaded(self):
        self.reload(bird=False)
        self.wait_routes([["frr"]], 2)
        self.reload(bird=True)
        self.wait_both()

    def maintenance(self, has_default_route):
        """Load while the router "bird" is taken out as operators do: the way in is moved away from
        it, its BGP is shut down, then it is off, and on again after some seconds."""
        self.reload(bird=has_default_route, frr=has_default_route)
        if has_default_route:
            self.wait_both()
        else:
            self.wait_routes([], 2)
            self.own.ip("route", "add", "default", "via", self.below["bird"].a[0])
            self.own.ip("route", "add", "default", "via", self.below["bird"].a[1])
        try:
            with contextlib.ExitStack() as loads:
                running = [
                    loads.enter_context(Load(self.client, vip, per_second=PER_SECOND, timeout=1.0))
                    for vip in (VIP4, VIP6)
                ]
                time.sleep(1)
                self.way_in(["frr"])
                self.routers["bird"].stop()
                self.power("bird", False)
                time.sleep(3)
                self.power("bird", True)
                self.routers["bird"].start()
                # Into service again when it knows the way to the VIPs.
                for vip in (VIP4, VIP6):
                    wait_until("the router has the VIP", lambda v=vip: self.namespaces["bird"].fib(v))
                self.way_in(BOTH)
                time.sleep(1)
        finally:
            if not has_default_route:
                self.own.ip("-4", "route", "del", "default", "metric", "0")
                self.own.ip("-6", "route", "del", "default", "proto", "boot")
        failed = sum(load.outcomes.failed for load in running)
        total = sum(len(load.outcomes) for load in running)
        print(f"      {failed} of {total} requests failed", flush=True)
        if has_default_route:
            require(failed == 0, [dict(load.outcomes.failures()) for load in running])
        else:
            require(failed > PER_SECOND, "the case shows nothing: no failure without default_route")

    def power(self, name, is_on):
        namespace = self.namespaces[name]
        namespace.sysctl("net.ipv4.ip_forward", int(is_on))
        namespace.sysctl("net.ipv6.conf.all.forwarding", int(is_on))

    def adopted(self):
        self.reload(bird=True, frr=True)
        self.wait_both()
        monitor = self.fabric.process("node", "monitor", ["ip", "-4", "monitor", "route"])
        self.node.daemon.kill()
        self.wait_routes([BOTH], 1)
        monitor.start()
        for router in self.routers.values():
            wait_until("session ended", lambda r=router: not self._established(r))
        self.node.start()
        for name in BOTH:
            wait_until("session", lambda n=name: self.node.peer(n)["state"] == "Established", 20)
        self.wait_both()
        wait_until("the routers' routes", lambda: all(
            hop["peer"] for route in self.node.status()["default_routes"]
            for hop in route["next_hops"]))  # fmt: skip
        monitor.stop()
        count = 1
        for line in monitor.tail(1000).splitlines():
            if line.startswith(("default ", "Deleted default ")):
                count += -1 if line.startswith("Deleted") else 1
                require(count >= 1, f"no route left:\n{monitor.tail(1000)}")
        require("default_route.adopted" in self.node.anyvip("events"), self.node.anyvip("events"))

    def _established(self, router):
        return router.established(router.neighbors[0].address)

    def cleaned(self):
        self.node.daemon.kill()
        self.wait_routes([BOTH], 1)
        for name in BOTH:
            self.peer_table(name)["default_route"] = False
        self.node.start()
        self.wait_routes([], 2)

    def same_metric(self):
        via = self.below["bird"].a
        for address in via:
            self.own.ip("route", "add", "default", "via", address, "proto", "static", "metric", "512")
        before = [default_routes(self.own, family) for family in (4, 6)]
        self.reload(bird=True, frr=True)
        wait_until("explain names it", lambda: "of the same metric" in self.explain(), 5)
        found = [default_routes(self.own, family) for family in (4, 6)]
        require(found == before, f"{found}, not {before}")
        for address in via:
            self.own.ip("route", "del", "default", "via", address, "proto", "static", "metric", "512")
        self.wait_both(3)

    def stopped(self):
        self.own.ip("route", "add", "default", "via", self.below["frr"].a[0], "metric", "999")
        status = self.node.stop()
        require(status == 0, f"exit status {status}")
        require(default_routes(self.own, 4) == [("3", 999, ["frr"])], default_routes(self.own, 4))
        require(default_routes(self.own, 6) == [], default_routes(self.own, 6))


class Unnumbered:
    """No IPv4 on the link: the IPv4 default route has an IPv6 next hop (RFC 8950)."""

    def __init__(self, fabric):
        router = fabric.router_namespace("router")
        self.own = fabric.namespace("node")
        fabric.link("router", "node")
        for namespace, device in ((router, "node"), (self.own, "router")):
            namespace.ip("-4", "address", "flush", "dev", device)
            namespace.ip("-6", "address", "flush", "dev", device, "scope", "global")
        peer = {"name": "router", "asn": 65002, "interface": "router", "default_route": True}
        self.node = Node(fabric, "node", NODE_ASN, [peer], [{"name": "www", "addresses": [VIP4, VIP6]}])
        self.node.table("node")["router_id"] = "10.0.0.11"
        neighbor = Neighbor("node", NODE_ASN, "", interface="node")
        self.router = DefaultFrr(fabric, "router", 65002, "10.0.0.1", [neighbor], *ALLOWED)

    def start(self):
        self.router.start()
        self.node.start()

    def wait_routes(self):
        for family in (4, 6):
            wait_until(f"IPv{family} default route", lambda f=family: self._is_by_link_local(f), 20)

    def _is_by_link_local(self, family):
        text = self.own.ip(f"-{family}", "route", "show", "default", "proto", PROTOCOL)
        require("fe80::" in text and "dev router" in text, text or "none")
        return True
