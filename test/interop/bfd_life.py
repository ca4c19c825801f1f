# SPDX-License-Identifier: Apache-2.0
"""One BFD session between a node and a router, through all that can happen to it."""

import json
import os
import signal

from lab.capture import Capture
from lab.node import Node
from lab.process import LabError, wait_until
from lab.router import Neighbor

from .bfd_routers import make_bfd_router

ROUTER_ASN = 65001
NODE_ASN = 65010
ALLOWED = ("203.0.113.0/24", "2001:db8:ffff::/48")
VIP = {"name": "www", "addresses": ["203.0.113.10"]}
FAR_ROUTER, FAR_NODE = "10.255.0.1", "10.255.0.2"
PATHS = ("ipv4", "ipv6", "multihop")


class BfdLife:
    """`path`: over which addresses the session runs; `interval` in ms, both ways."""

    def __init__(self, fabric, software, path, interval, multiplier=3):
        self.software = software
        self.path = path
        self.interval = interval
        self.multiplier = multiplier
        self.router_ns = fabric.router_namespace("router")
        self.node_ns = fabric.namespace("node")
        link = self.link = fabric.link("router", "node")
        ends = {"ipv4": (link.a[0], link.b[0]), "ipv6": (link.a[1], link.b[1])}
        self.there, self.here = ends.get(path, (FAR_ROUTER, FAR_NODE))
        options = {"interval": interval}
        peer = {"name": "tor", "address": self.there, "asn": ROUTER_ASN, "hold_time": "30s"}
        if path == "multihop":
            self._make_far(link)
            options |= {"local": FAR_ROUTER, "hops": 2}
            peer |= {"multihop": 2, "local_address": FAR_NODE}
        peer["bfd"] = self._bfd_keys(interval)
        neighbors = [Neighbor("node", NODE_ASN, self.here)]
        self.router = make_bfd_router(
            software, fabric, "router", ROUTER_ASN, "10.0.1.1", neighbors, *ALLOWED, **options
        )
        self.node = Node(fabric, "node", NODE_ASN, [peer], [VIP])
        dict(self.node.tables)["node"]["router_id"] = "10.0.1.2"  # none can be derived from IPv6
        self.peer = next(keys for name, keys in self.node.tables if name == "[peer]")

    def _bfd_keys(self, interval):
        time = f"{interval}ms"
        return {"transmit": time, "receive": time, "multiplier": self.multiplier}

    def _make_far(self, link):
        self.router_ns.ip("address", "add", f"{FAR_ROUTER}/32", "dev", "lo")
        self.router_ns.ip("route", "add", FAR_NODE, "via", link.b[0])
        self.node_ns.ip("address", "add", f"{FAR_NODE}/32", "dev", "lo")
        self.node_ns.ip("route", "add", FAR_ROUTER, "via", link.a[0], "src", FAR_NODE)

    def start(self):
        self.router.start()
        self.node.start()

    def steps(self):
        """(name, action) in the order in which they have to run."""
        return [
            ("up on both sides, BGP Established", self.wait_up),
            ("both sides have negotiated the same timers", lambda: self.timers(self.interval)),
            ("the router changes its timers: Poll, Final, still up", self.router_polls),
            ("we change our timers: Poll, Final, still up", self.we_poll),
            ("the router goes AdminDown: down here, BGP stays", self.router_admin_down),
            ("the router comes back from AdminDown", self.router_admin_up),
            ("the router's packets vanish: down by our own detection", self.router_silent),
            ("our packets vanish: the router signals down", self.node_silent),
            ("the link goes down and up", self.link_cut),
            ("our address moves into a bridge and back", self.address_moves),
            ("the router's BFD is killed and started", self.router_restarted),
            ("our daemon is killed and started", self.node_restarted),
            ("our daemon stops: withdraw, Cease, AdminDown in this order", self.node_stopped),
        ]

    def details(self):
        return json.loads(self.node.anyvip("--json", "peers", "tor"))

    def events(self, name):
        lines = self.node.anyvip("--json", "events").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def wait_up(self, deadline=30.0):
        wait_until("BFD is up here", lambda: self.node.peer("tor")["bfd"] == "up", deadline)
        wait_until("BFD is up there", lambda: self.router.bfd(self.here)[0] == "up", deadline)
        wait_until("BGP", lambda: self.node.peer("tor")["state"] == "Established", deadline)

    def wait_down(self):
        """Waits for a new fall and returns its reason."""
        before = self.falls
        wait_until("bfd.down", lambda: len(self.events("bfd.down")) > before)
        return self.events("bfd.down")[-1]["reason"]

    def arm(self):
        self.wait_up()
        self.falls = len(self.events("bfd.down"))
        self.session_since = self.node.peer("tor")["since"]

    def timers(self, interval):
        detection = interval * self.multiplier

        def are_negotiated():
            ours = self.details()["bfd_session"]
            found = (ours["transmit_ms"], ours["detection_ms"], ours["polling"])
            if found != (interval, detection, False):
                raise LabError(f"here: {found}")
            there = self.router.bfd(self.here)
            if there != ("up", interval, detection):
                raise LabError(f"there: {there}")
            return True

        wait_until(f"{interval} ms x {self.multiplier}", are_negotiated)

    def unchanged(self):
        if len(self.events("bfd.down")) != self.falls:
            raise LabError(f"fell: {self.events('bfd.down')[-1]}")
        if self.node.peer("tor")["since"] != self.session_since:
            raise LabError("BGP was reset")

    def router_polls(self):
        self.arm()
        self.router.set_interval(self.interval * 2)
        self.timers(self.interval * 2)
        self.router.set_interval(self.interval)
        self.timers(self.interval)
        self.unchanged()

    def we_poll(self):
        self.arm()
        for interval in (self.interval * 2, self.interval):
            self.peer["bfd"] = self._bfd_keys(interval)
            self.node.write_configuration()
            self.node.anyvip("reload")
            self.timers(interval)
        self.unchanged()

    def router_admin_down(self):
        self.arm()
        self.router.admin_down()
        reason = self.wait_down()
        if self.software == "bird" and "detection time expired" in reason:
            return  # BIRD 2.0 says nothing, it falls silent
        if "administratively down" not in reason:
            raise LabError(reason)
        # FRR 8.4 resets BGP of its own accord when it is told to shut BFD down; we must not.
        if (self.node.peer("tor")["last_error"] or {}).get("sent"):
            raise LabError(f"BGP: {self.node.peer('tor')}")

    def router_admin_up(self):
        self.router.admin_up()
        self.wait_up()

    def silence(self, namespace):
        """What this namespace sends vanishes: the other end's MAC address is wrong here."""
        device, address = self._neighbor_of(namespace)
        wrong = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        namespace.ip("neighbor", "replace", address, *wrong, "dev", device)

    def restore(self, namespace):
        device, address = self._neighbor_of(namespace)
        namespace.ip("neighbor", "del", address, "dev", device)

    def _neighbor_of(self, namespace):
        family = 1 if self.path == "ipv6" else 0
        if namespace is self.node_ns:
            return "router", self.link.a[family]
        return "node", self.link.b[family]

    def router_silent(self):
        self.arm()
        self.silence(self.router_ns)
        try:
            reason = self.wait_down()
        finally:
            self.restore(self.router_ns)
        if "detection time expired" not in reason:
            raise LabError(reason)
        error = self.node.peer("tor")["last_error"]
        if not error or (error["code"], error["subcode"], error["sent"]) != (6, 10, True):
            raise LabError(f"no Cease/BFD Down was sent: {error}")
        self.wait_up()

    def node_silent(self):
        self.arm()
        self.silence(self.node_ns)
        try:
            reason = self.wait_down()
        finally:
            self.restore(self.node_ns)
        if "says that it is down: control detection time expired" not in reason:
            raise LabError(reason)
        self.wait_up()

    def link_cut(self):
        self.arm()
        self.router_ns.ip("link", "set", "node", "down")
        self.wait_down()
        self.router_ns.ip("link", "set", "node", "up")
        if self.path == "ipv6":
            # Linux forgets global IPv6 addresses with the link.
            self.router_ns.ip("address", "replace", f"{self.there}/64", "dev", "node", "nodad")
        if self.path == "multihop":
            self.router_ns.ip("route", "replace", FAR_NODE, "via", "10.0.1.2")
        self.wait_up()

    def address_moves(self):
        if self.path != "ipv4":
            return  # the others have it on no link, or no address of ours moves at once
        self.node_ns.ip("link", "add", "bridge", "type", "bridge")
        self.node_ns.ip("link", "set", "bridge", "up")
        address = f"{self.here}/{self._prefix_length()}"
        for before, after, port in (
            ("router", "bridge", ("master", "bridge")),
            ("bridge", "router", ("nomaster",)),
        ):
            self.arm()
            # At once: our socket never notices, but what comes, comes from another interface.
            batch = os.path.join(self.node.directory, "move")
            with open(batch, "w") as file:
                print("address del", address, "dev", before, file=file)
                print("link set router", *port, file=file)
                print("address add", address, "dev", after, file=file)
            self.node_ns.ip("-batch", batch)
            self.wait_down()
            self.wait_up()

    def _prefix_length(self):
        shown = json.loads(self.node_ns.ip("-j", "address", "show", "dev", "router"))
        found = (each for each in shown[0]["addr_info"] if each["local"] == self.here)
        return next(found)["prefixlen"]

    def router_restarted(self):
        self.arm()
        self.router.restart_bfd()
        self.wait_up()

    def node_restarted(self):
        self.node.daemon.kill()
        self.node.start()
        self.wait_up()

    def node_stopped(self):
        self.arm()
        mac = json.loads(self.node_ns.ip("-j", "link", "show", "dev", "router"))[0]["address"]
        with Capture(self.router_ns, "node") as capture:
            status = self.node.daemon.stop(signal.SIGTERM, 20)
            seen = wait_until("AdminDown on the wire", lambda: ends_of(capture.sent_by(mac)))
        if status != 0:
            raise LabError(f"exit status {status}")
        if seen != ["UPDATE", "NOTIFICATION", "BFD AdminDown"]:
            raise LabError(f"order on the wire: {seen}")


def ends_of(texts):
    """The withdraw, the Cease and the first AdminDown, in the order in which they were sent."""
    if "BFD AdminDown" not in texts:
        return []
    wanted = ("UPDATE", "NOTIFICATION", "BFD AdminDown")
    return [text for text in dict.fromkeys(texts) if text in wanted]
