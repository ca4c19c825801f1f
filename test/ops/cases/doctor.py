# SPDX-License-Identifier: Apache-2.0
"""`anyvip doctor`: each fault is made in the node's namespace and must be found, and gone again."""

import contextlib
import json
import os
import socket
import struct

from lab.process import LabError
from lab.speaker import UPDATE, message, open_message

from ..catalogue import case
from ..stage import ASN, ROUTER_ASN, VIP4, Wrong, expect, expect_in


def findings(stage, check):
    return [one for one in stage.get("/v1/doctor")["findings"] if one["check"] == check]


def found(stage, check, text, severity=None):
    """Waits for a finding; returns it."""
    last = None

    def is_found():
        nonlocal last
        last = findings(stage, check)
        return next((one for one in last if text in one["finding"]), None)

    try:
        one = stage.wait(f"finding {check}", is_found, 10)
    except LabError:
        raise Wrong(f"no {text!r} among {last}") from None
    if severity:
        expect(one["severity"], severity, check)
    if len(one["remedy"]) < 10:
        raise Wrong(f"no remedy: {one}")
    return one


def gone(stage, check, text=""):
    stage.wait(
        f"no finding {check} {text}",
        lambda: not any(text in one["finding"] for one in findings(stage, check)),
    )


def default_routes(stage, *via):
    for address in via:
        stage.node.ip("route", "replace", "default", "via", address)


@case("doctor: a host that is as it should be has no warning", routers=2)
def healthy(stage):
    stage.wait_everywhere()
    hops = ("nexthop", "via", "10.0.1.1", "nexthop", "via", "10.0.2.1")
    stage.node.ip("route", "add", "default", *hops)
    hops = ("nexthop", "via", "2001:db8:1::1", "nexthop", "via", "2001:db8:2::1")
    stage.node.ip("route", "add", "default", *hops)
    for device in ("tor1", "tor2"):
        for family in ("ipv4", "ipv6"):
            stage.node.sysctl(f"net.{family}.conf.{device}.ignore_routes_with_linkdown", 1)
        stage.node.sysctl(f"net.ipv6.conf.{device}.keep_addr_on_down", 1)
    no_findings(stage)


def no_findings(stage):
    stage.node.sysctl("net.ipv4.tcp_mtu_probing", 1)
    left = stage.get("/v1/doctor")["findings"]
    expect([one for one in left if one["check"] != "clock"], [], "findings")


@case("doctor: IPv4 alone, with the families that are offered by default, is no fault", start=False,
      vips=[{"name": "www", "addresses": [VIP4]}], peer={"default_route": True})  # fmt: skip
def healthy_ipv4(stage):
    stage.router._open = open_message(ROUTER_ASN, "10.0.1.1", families=((1, 1),))
    stage.start()
    stage.wait_everywhere()
    send_default(stage)
    stage.wait("the default route", lambda: stage.node.fib("default"))
    no_findings(stage)


@case("doctor: IPv6 is missing where a VIP needs it", start=False)
def no_ipv6_at_router(stage):
    stage.router._open = open_message(ROUTER_ASN, "10.0.1.1", families=((1, 1),))
    stage.start()
    stage.wait("the session", lambda: stage.vip()["announced_to"])
    found(stage, "routers", "tor1 carries no ipv6: the router does not offer it", "warning")


@case("doctor: what can be said before there is a session", routers=2, start=False)
def before_sessions(stage):
    for router in stage.routers:
        router.stop_listening()
    stage.start()
    stage.node.sysctl("net.ipv4.conf.tor1.rp_filter", 1)
    found(stage, "rp_filter", "tor1", "error")
    stage.node.sysctl("net.ipv4.conf.tor2.ignore_routes_with_linkdown", 0)
    found(stage, "ignore_routes_with_linkdown", "tor2", "warning")


def send_default(stage):
    attributes = bytes.fromhex("40010100400206020100" + f"{ROUTER_ASN:06x}" + "4003040a000101")
    stage.router.send([message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + b"\0")])


@case("doctor: strict reverse path filtering with two routers", routers=2)
def reverse_path(stage):
    stage.wait_everywhere()
    stage.node.sysctl("net.ipv4.conf.tor1.rp_filter", 1)
    found(stage, "rp_filter", "tor1", "error")
    stage.node.sysctl("net.ipv4.conf.tor1.rp_filter", 2)
    gone(stage, "rp_filter")


@case("doctor: strict reverse path filtering with answers that leave elsewhere")
def reverse_path_elsewhere(stage):
    stage.wait_everywhere()
    stage.node.ip("link", "add", "mgmt0", "type", "veth", "peer", "name", "mgmt1")
    stage.node.ip("address", "add", "192.168.0.2/24", "dev", "mgmt0")
    for device in ("mgmt0", "mgmt1"):
        stage.node.ip("link", "set", device, "up")
    default_routes(stage, "192.168.0.1")
    stage.node.sysctl("net.ipv4.conf.tor1.rp_filter", 1)
    found(stage, "rp_filter", "packets that come in by tor1 are dropped", "error")
    stage.node.ip("route", "add", "10.0.0.0/8", "via", "10.0.1.1")
    found(stage, "rp_filter", "packets that come in by tor1 are dropped", "note")


@case("doctor: ARP for a VIP out of a connected subnet")
def arp(stage):
    stage.wait_everywhere()
    stage.node.ip("address", "add", "203.0.113.99/24", "dev", "tor1")
    found(stage, "arp_ignore", VIP4, "error")
    found(stage, "arp_announce", VIP4, "warning")
    stage.node.sysctl("net.ipv4.conf.tor1.arp_ignore", 1)
    stage.node.sysctl("net.ipv4.conf.tor1.arp_announce", 2)
    gone(stage, "arp_ignore")
    gone(stage, "arp_announce")


@case("doctor: a VIP on a link, in that link's own subnet",
      vips=[{"name": "www", "addresses": ["10.0.1.77", "2001:db8:1::77"], "interface": "tor1"}])
def on_link(stage):
    stage.wait_everywhere()
    stage.node.sysctl("net.ipv4.conf.tor1.arp_ignore", 1)
    found(stage, "arp", "10.0.1.77/32 of VIP www is on tor1", "error")
    found(stage, "neighbour discovery", "2001:db8:1::77/128 of VIP www is on tor1", "error")


@case("doctor: a VIP on the wrong interface, and an address left behind")
def addresses(stage):
    stage.wait_everywhere()
    stage.node.ip("address", "add", f"{VIP4}/32", "dev", "tor1")
    found(stage, "address", "is on tor1 too", "warning")
    stage.node.ip("address", "del", f"{VIP4}/32", "dev", "tor1")
    gone(stage, "address", "tor1")
    stage.node.ip("address", "add", "203.0.113.77/32", "dev", "lo")
    found(stage, "address", "203.0.113.77 on lo is no VIP", "note")


@case("doctor: an address left behind on another interface of VIPs",
      vips=[{"name": "www", "addresses": [VIP4], "interface": "tor1"}])  # fmt: skip
def left_on_link(stage):
    stage.wait_everywhere()
    stage.node.ip("address", "add", "203.0.113.77/32", "dev", "tor1")
    found(stage, "address", "203.0.113.77 on tor1 is no VIP", "note")


@case("doctor: a VIP as the source of other traffic")
def source(stage):
    stage.wait_everywhere()
    stage.node.ip("route", "add", "default", "via", "10.0.1.1", "src", VIP4)
    found(stage, "source", VIP4, "error")
    stage.node.ip("route", "del", "default")
    gone(stage, "source")
    stage.node.ip("route", "add", "10.0.1.1/32", "dev", "tor1", "src", VIP4)
    found(stage, "source", "towards 10.0.1.1 this host speaks as VIP www", "error")


@case("doctor: a node that forwards spreads by addresses only")
def hash_policy(stage):
    stage.node.sysctl("net.ipv4.fib_multipath_hash_policy", 0)
    stage.node.sysctl("net.ipv4.ip_forward", 1)
    found(stage, "fib_multipath_hash_policy", "net.ipv4", "warning")
    stage.node.sysctl("net.ipv4.fib_multipath_hash_policy", 1)
    gone(stage, "fib_multipath_hash_policy", "net.ipv4.")


@case("doctor: routes by a link without carrier, IPv6 addresses lost with it", routers=2)
def dead_links(stage):
    stage.wait_everywhere()
    stage.node.sysctl("net.ipv4.conf.tor1.ignore_routes_with_linkdown", 0)
    found(stage, "ignore_routes_with_linkdown", "tor1", "warning")
    stage.node.sysctl("net.ipv4.conf.tor1.ignore_routes_with_linkdown", 1)
    stage.node.sysctl("net.ipv6.conf.tor1.ignore_routes_with_linkdown", 1)
    gone(stage, "ignore_routes_with_linkdown", "tor1")
    stage.node.sysctl("net.ipv6.conf.tor2.ignore_routes_with_linkdown", 0)
    stage.node.sysctl("net.ipv4.conf.tor2.ignore_routes_with_linkdown", 1)
    one = found(stage, "ignore_routes_with_linkdown", "tor2", "warning")
    expect(one["remedy"], "sysctl -w net.ipv6.conf.tor2.ignore_routes_with_linkdown=1", "remedy")
    stage.node.sysctl("net.ipv6.conf.tor1.keep_addr_on_down", 0)
    found(stage, "keep_addr_on_down", "tor1", "note")


@case("doctor: no way back, and one way back for two routers", routers=2)
def way_back(stage):
    stage.wait_everywhere()
    found(stage, "way back", "there is no ipv4 default route", "error")
    found(stage, "way back", "there is no ipv6 default route", "error")
    stage.node.ip("route", "add", "10.0.0.0/8", "via", "10.0.1.1")
    found(stage, "way back", "only clients in networks that this host has a route to", "note")
    default_routes(stage, "10.0.1.1", "2001:db8:1::1")
    gone(stage, "way back", "there is no")
    found(stage, "way back", "all ipv4 answers leave by 10.0.1.1 dev tor1", "warning")
    found(stage, "way back", "all ipv6 answers leave by 2001:db8:1::1 dev tor1", "warning")
    hops = ("nexthop", "via", "10.0.1.1", "nexthop", "via", "10.0.2.1")
    stage.node.ip("route", "replace", "default", *hops)
    gone(stage, "way back", "all ipv4")


@case("doctor: a router that sends no default route, though default_route is set",
      peer={"default_route": True})
def no_offer(stage):
    stage.wait_everywhere()
    found(stage, "default_route", "0.0.0.0/0 from tor1: it", "warning")
    send_default(stage)
    gone(stage, "default_route", "0.0.0.0/0 from tor1")
    stage.node.ip("route", "add", "default", "via", "10.0.1.1", "metric", "7", "proto", "static")
    found(stage, "default_route", "hidden by 0.0.0.0/0 via 10.0.1.1 dev tor1 proto static metric 7")
    expect_in("hidden by", stage.cli("explain", "www", code=0).stdout, "explain")


@case("doctor: different MTUs, and one that carries no IPv6", routers=2)
def mtu(stage):
    stage.wait_everywhere()
    stage.node.ip("link", "set", "tor1", "mtu", "9000")
    found(stage, "mtu", "tor1 9000, tor2 1500", "warning")
    stage.node.ip("link", "set", "tor1", "mtu", "1500")
    gone(stage, "mtu")
    stage.node.ip("link", "set", "tor2", "mtu", "1200")
    found(stage, "mtu", "below 1280", "error")


@case("doctor: IPv6 switched off where a VIP belongs")
def no_ipv6(stage):
    stage.node.sysctl("net.ipv6.conf.lo.disable_ipv6", 1)
    found(stage, "disable_ipv6", "IPv6 is off on lo", "error")


@case("doctor: path MTU discovery off")
def path_mtu(stage):
    stage.node.sysctl("net.ipv4.ip_no_pmtu_disc", 1)
    found(stage, "path_mtu", "is off", "warning")
    stage.node.sysctl("net.ipv4.tcp_mtu_probing", 0)
    found(stage, "path_mtu", "packet too big", "note")


@contextlib.contextmanager
def foreign_socket(stage, kind, address, listens=False):
    with stage.node.entered():
        taken = socket.socket(socket.AF_INET, kind)
    with taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        if listens:
            taken.listen()
        yield


@case("doctor: another process has the BFD port", start=False, peer={"bfd": True})
def bfd_port(stage):
    with foreign_socket(stage, socket.SOCK_DGRAM, ("0.0.0.0", 3784)):
        stage.start()
        found(stage, "bfd", "another process has UDP port 3784", "error")
    gone(stage, "bfd", "another process")


@case("doctor: BFD stays down though BGP is up", slow=True, peer={"bfd": True})
def bfd_silent(stage):
    stage.wait_everywhere()
    found(stage, "bfd", "no BFD packet of it arrives", "warning")


@case("doctor: BFD stays down and BGP waits for it", slow=True, peer={"bfd": {"strict": True}})
def bfd_strict(stage):
    found(stage, "bfd", "its BGP session waits for BFD (strict), which is down", "warning")


@case("doctor: another process listens on port 179", peer={"listen_port": 1790})
def bgp_port(stage):
    # On port 179 itself the daemon would not have started.
    with foreign_socket(stage, socket.SOCK_STREAM, ("0.0.0.0", 179), listens=True):
        found(stage, "port 179", "another process listens", "warning")
    gone(stage, "port 179")


@case("doctor: a missing capability", start=False)
def capability(stage):
    stage.wrapper = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    stage.start()
    found(stage, "capabilities", "CAP_NET_RAW is missing", "error")


def other_node(stage, path, router_id="10.0.0.12", asn=ASN):
    """The router shows another node's path of the VIP: these AS numbers."""
    mark = struct.pack("!III", asn, 1, int.from_bytes(socket.inet_aton(router_id), "big"))
    as_path = bytes([2, len(path)]) + b"".join(struct.pack("!I", asn) for asn in path)
    attributes = (
        b"\x40\x01\x01\x00"
        + bytes([0x40, 2, len(as_path)]) + as_path
        + b"\x40\x03\x04" + socket.inet_aton("10.0.1.1")
        + bytes([0xC0, 32, len(mark)]) + mark
    )  # fmt: skip
    nlri = bytes([32]) + socket.inet_aton(VIP4)
    stage.router.send([message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + nlri)])


@case("doctor: the router prefers another node's path", peer={"prepend": 1})
def unequal(stage):
    stage.wait_everywhere()
    other_node(stage, [ROUTER_ASN, ASN])
    found(stage, "multipath", "AS path length 2 of another node's path, 3 of ours", "warning")
    other_node(stage, [ROUTER_ASN, ASN, ASN])
    gone(stage, "multipath", "AS path length")
    other_node(stage, [ROUTER_ASN, ASN, ASN, ASN])
    found(stage, "multipath", "AS path length 4 of another node's path, 3 of ours", "note")


@case("doctor: the router prefers the path of a node with an AS number of its own",
      peer={"prepend": 1})  # fmt: skip
def unequal_asn(stage):
    stage.wait_everywhere()
    other_node(stage, [ROUTER_ASN, 65020], asn=65020)
    found(stage, "multipath", "AS path length 2 of another node's path, 3 of ours", "warning")
    other_node(stage, [ROUTER_ASN, 65020], asn=65030)  # no AS of that path: no mark
    gone(stage, "multipath", "AS path length")


@case("doctor: a router that prefers others to a backup does what it should",
      checks=[{"name": "f", "type": "file", "interval": "100ms"}],
      vips=[{"name": "www", "addresses": [VIP4], "checks": ["f"], "on_down": "backup"}])  # fmt: skip
def unequal_backup(stage):
    open(stage.ready, "w").close()
    stage.wait_everywhere()
    other_node(stage, [ROUTER_ASN])
    found(stage, "multipath", "AS path length 1 of another node's path, 2 of ours", "warning")
    os.unlink(stage.ready)
    stage.wait_state("backup")
    gone(stage, "multipath", "AS path length")


@case("doctor: a router that prefers others to a node that drains does what it should",
      drain={"gshut": "20s"})  # fmt: skip
def unequal_drain(stage):
    stage.wait_everywhere()
    other_node(stage, [ROUTER_ASN])
    found(stage, "multipath", "AS path length 1 of another node's path, 2 of ours", "warning")
    stage.cli("drain", code=0)
    gone(stage, "multipath", "AS path length")


@case("doctor: without a daemon it says so, and who has its port", start=False)
def without_daemon(stage):
    stage.write()

    def alone():
        with stage.node.entered():
            done = stage.cli("--json", "doctor", "-c", stage.config, code=3)
        expect_in("the daemon cannot be reached", done.stderr, "stderr")
        return [(one["check"], one["finding"]) for one in json.loads(done.stdout)["findings"]]

    expect(alone()[0][0], "daemon", "the first finding")
    expect("port 179" in dict(alone()), False, "nobody has it")
    with foreign_socket(stage, socket.SOCK_STREAM, ("0.0.0.0", 179), listens=True):
        own = f"(pid {os.getpid()}) listens on port 179: anyvipd cannot start"
        expect_in(own, dict(alone())["port 179"], "the port")
    stage.node.ip("address", "add", "203.0.113.99/24", "dev", "tor1")
    expect_in(VIP4, dict(alone())["arp_ignore"], "what the host alone tells")
    stage.more = "[[peer]]\nadress = 1\n"
    stage.write()
    found = [text for check, text in alone() if check == "configuration"]
    expect_in("adress", " ".join(found), "a mistake in the configuration")
