# SPDX-License-Identifier: Apache-2.0
"""Our UPDATEs, octet for octet: attributes, next hops, End-of-RIB."""

import time

from .. import octets
from ..catalogue import BIG, INTERNAL, NodeKind, case, rows
from ..connection import require
from ..octets import (
    IPV4,
    IPV6,
    TRANSITIVE,
    attribute,
    capability,
    ip,
    multiprotocol,
    nlri,
    reach,
    u16,
    u32,
    update,
)

ROUTER_ID = 0x0AFF0001
LINK_LOCAL_OF = lambda stage: ip(stage.node.link_local)


def mark(asn):
    return attribute(32, u32(asn, 1, ROUTER_ID), TRANSITIVE)


def communities(*values):
    return attribute(8, u32(*values), TRANSITIVE)


def classic(stage, *attributes, path=None, tail=None):
    """The UPDATE of the IPv4 VIP; `attributes` stand between NEXT_HOP and the mark."""
    asn = stage.node.kind.asn
    head = octets.origin() + (octets.as_path(asn) if path is None else path)
    head += octets.next_hop(stage.node.address[False])
    octets_of_all = head + b"".join(attributes) + (mark(asn) if tail is None else tail)
    return update(attributes=octets_of_all, routes=nlri(f"{stage.node.vip4}/32"))


def in_reach(stage, routes, hop, family, *attributes, path=None):
    asn = stage.node.kind.asn
    rest = octets.origin() + (octets.as_path(asn) if path is None else path)
    rest += b"".join(attributes) + mark(asn)
    return update(attributes=reach(routes, hop, family) + rest)


def ipv6(stage, hop=None, *attributes, path=None):
    hop = hop or ip(stage.node.address[True])
    return in_reach(stage, nlri(f"{stage.node.vip6}/128"), hop, IPV6, *attributes, path=path)


def require_first(connection, *expected):
    got = [one.hex() for one in connection.first]
    wanted = [one.hex() for one in expected]
    require(got == wanted, f"got {got}, expected {wanted}")


@case("RFC 4271 §5: an external peer gets ORIGIN, AS_PATH and NEXT_HOP, and no LOCAL_PREF")
def external(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


@case("RFC 4271 §5.1.2: an internal peer gets an empty AS_PATH and LOCAL_PREF 100", kind=INTERNAL)
def internal(stage):
    preference = octets.local_pref(100)
    path = octets.as_path()
    require_first(stage.established(), classic(stage, preference, path=path),
                  ipv6(stage, None, preference, path=path))


@case("RFC 4271 §5.1.5: the configured LOCAL_PREF goes to an internal peer", kind=INTERNAL,
      peer={"local_pref": 250})
def local_pref(stage):
    preference = octets.local_pref(250)
    path = octets.as_path()
    require_first(stage.established(), classic(stage, preference, path=path),
                  ipv6(stage, None, preference, path=path))


@rows([
    ("RFC 4271 §5.1.4: MULTI_EXIT_DISC is sent when configured", 77),
], peer={"med": 77})
def med(stage, value):
    require_first(stage.established(), classic(stage, octets.med(value)),
                  ipv6(stage, None, octets.med(value)))


@case("RFC 4271 §5.1.4: MULTI_EXIT_DISC 0 is sent when configured", peer={"med": 0})
def med_zero(stage):
    require_first(stage.established(), classic(stage, octets.med(0)),
                  ipv6(stage, None, octets.med(0)))


@case("RFC 4271 §5.1.2: prepend repeats our number in one sequence", peer={"prepend": 3})
def prepend(stage):
    path = octets.as_path(65010, 65010, 65010, 65010)
    require_first(stage.established(), classic(stage, path=path), ipv6(stage, path=path))


@case("RFC 1997: communities of the peer are sent in ascending order, each once",
      peer={"communities": ["65010:200", "no-export", "65010:100", "65010:200"]})
def peer_communities(stage):
    expected = communities(65010 << 16 | 100, 65010 << 16 | 200, 0xFFFFFF01)
    require_first(stage.established(), classic(stage, expected), ipv6(stage, None, expected))


@case("RFC 8092 §5: large communities of the peer are sent in ascending order with the mark",
      peer={"communities": ["65010:9:9", "1:2:3"]})
def large_communities(stage):
    value = u32(1, 2, 3) + u32(65010, 1, ROUTER_ID) + u32(65010, 9, 9)
    tail = attribute(32, value, TRANSITIVE)
    require(stage.established().first[0] == classic(stage, tail=tail), "other octets")


@case("RFC 4360 §4: extended communities of the peer are sent as octets of 8",
      peer={"communities": ["rt:65010:7", "so:65010:8"]})
def extended_communities(stage):
    value = bytes.fromhex("0002fdf200000007") + bytes.fromhex("0003fdf200000008")
    expected = attribute(16, value, TRANSITIVE)
    require_first(stage.established(), classic(stage, expected), ipv6(stage, None, expected))


RICH = NodeKind("rich", vip=(
    ("communities", ["65010:100", "65010:5:6", "rt:65010:1"]),
    ("med", 20), ("prepend", 1), ("bandwidth", "10Gbit"),
))
BANDWIDTH = "0004fdf24e9502f9"  # 1.25e9 octets a second


@case("Attributes of the VIP and of the peer are merged, each list in order", kind=RICH,
      peer={"communities": ["65010:50"], "prepend": 1, "med": 99})
def merged(stage):
    extended = attribute(16, bytes.fromhex("0002fdf200000001" + BANDWIDTH), TRANSITIVE)
    value = u32(65010, 1, ROUTER_ID) + u32(65010, 5, 6)
    expected = classic(
        stage,
        octets.med(20),
        communities(65010 << 16 | 50, 65010 << 16 | 100),
        extended,
        path=octets.as_path(65010, 65010, 65010),
        tail=attribute(32, value, TRANSITIVE),
    )
    got = stage.established().first[0]
    require(got == expected, f"got {got.hex()}, expected {expected.hex()}")


@case("RFC 6793 §4.2.2: an old peer gets AS_TRANS in AS_PATH and our number in AS4_PATH",
      kind=BIG, peer={"prepend": 1})
def old_peer(stage):
    connection = stage.established(families=(IPV4,), capabilities=multiprotocol(IPV4))
    as4 = attribute(17, octets.segment(4200000001, 4200000001), TRANSITIVE)
    path = octets.as_path(23456, 23456, width=2)
    require_first(connection, classic(stage, as4, path=path))


@case("RFC 6793 §4.2.2: an old peer gets no AS4_PATH when two octets can say our number")
def old_peer_small(stage):
    connection = stage.established(families=(IPV4,), capabilities=multiprotocol(IPV4))
    require_first(connection, classic(stage, path=octets.as_path(65010, width=2)))


@case("RFC 6793 §4.1: a new peer gets our four-octet number in AS_PATH alone", kind=BIG)
def new_peer(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


LINKED = NodeKind("linked", asn=4200000001, vip=(("bandwidth", "10Mbit"),))


@case("RFC 10005: link bandwidth of a four-octet AS bears AS_TRANS, octets a second, transitive",
      kind=LINKED)
def bandwidth(stage):
    extended = attribute(16, bytes.fromhex("00045ba049989680"), TRANSITIVE)
    require_first(stage.established(), classic(stage, extended), ipv6(stage, None, extended))


@case("node_mark = false: no large community", kind=NodeKind("unmarked", daemon=(
    ("node_mark", False),)))
def unmarked(stage):
    require(stage.established().first[0] == classic(stage, tail=b""), "other octets")


@case("A VIP with `peers` goes to these alone", kind=NodeKind("chosen", vip=(
    ("peers", ["elsewhere"]),), tables=(("[peer]", (
        ("name", "elsewhere"), ("address", "10.1.250.1"), ("asn", 65001), ("passive", True))),)))
def not_for_us(stage):
    require_first(stage.established())


ONLY_TO_CUSTOMER = attribute(35, u32(65010), TRANSITIVE)


@case("RFC 9234 §5: as a provider our routes bear ONLY_TO_CUSTOMER", peer={"role": "provider"})
def provider(stage):
    tail = mark(65010) + ONLY_TO_CUSTOMER
    require(stage.established().first[0] == classic(stage, tail=tail), "no ONLY_TO_CUSTOMER")


@case("RFC 9234 §5: as a peer our routes bear ONLY_TO_CUSTOMER", peer={"role": "peer"})
def lateral_peer(stage):
    provider(stage)


@case("RFC 9234 §5: as a customer our routes bear no ONLY_TO_CUSTOMER", peer={"role": "customer"})
def customer(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


# ---- next hops


@case("RFC 4271 §5.1.3: the next hop is our address of the session when nothing is configured",
      peer={"next_hop_ipv4": None, "next_hop_ipv6": None})
def own_next_hops(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


@case("RFC 4271 §5.1.3: a configured next hop on the subnet is sent as it is",
      peer={"next_hop_ipv4": "10.1.77.77", "next_hop_ipv6": "fd00:1::77"})
def configured_next_hop(stage):
    hop = octets.next_hop("10.1.77.77")
    expected = classic(stage).replace(octets.next_hop(stage.node.address[False]), hop)
    require_first(stage.established(), expected, ipv6(stage, ip("fd00:1::77")))


@rows([
    ("RFC 4271 §5.1.3: the router's own address is never sent as next hop", None),
], peer={"next_hop_ipv4": "{router}"})
def unusable_next_hop(stage, _):
    require_first(stage.established(), ipv6(stage))


rows([
    ("RFC 4271 §5.1.3: a next hop off the subnet is not sent to an external router", None),
], peer={"next_hop_ipv4": "10.9.0.1"})(unusable_next_hop)


@rows([
    ("RFC 2545 §3: over IPv6 on a shared subnet the next hop is global and link-local", True),
], ipv6=True)
def over_ipv6(stage, has_link_local):
    hop = ip(stage.node.address[True]) + LINK_LOCAL_OF(stage)
    require_first(stage.established(), classic(stage), ipv6(stage, hop))


@case("ipv6_link_local_next_hop = never: the next hop is global alone", ipv6=True,
      peer={"ipv6_link_local_next_hop": "never"})
def never_link_local(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


@case("ipv6_link_local_next_hop = always: over IPv4 too the link-local address goes along",
      peer={"ipv6_link_local_next_hop": "always"})
def always_link_local(stage):
    hop = ip(stage.node.address[True]) + LINK_LOCAL_OF(stage)
    require_first(stage.established(), classic(stage), ipv6(stage, hop))


@case("RFC 4271 §5.1.3: IPv4 over an IPv6 session has the IPv4 address of the interface",
      ipv6=True, peer={"next_hop_ipv4": None, "ipv6_link_local_next_hop": "never"})
def ipv4_over_ipv6(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


@case("RFC 8950 §4: with the capability IPv4 over IPv6 goes in MP_REACH_NLRI", ipv6=True,
      peer={"next_hop_ipv4": None, "extended_next_hop": True,
            "ipv6_link_local_next_hop": "never"})
def extended_next_hop(stage):
    capabilities = octets.usual_capabilities(65001) + capability(5, u16(1, 1, 2))
    hop = ip(stage.node.address[True])
    route = in_reach(stage, nlri(f"{stage.node.vip4}/32"), hop, IPV4)
    require_first(stage.established(capabilities=capabilities), route, ipv6(stage))


@case("RFC 8950 §4: a peer without the capability gets IPv4 with an IPv4 next hop", ipv6=True,
      peer={"next_hop_ipv4": None, "extended_next_hop": True,
            "ipv6_link_local_next_hop": "never"})
def extended_next_hop_missing(stage):
    require_first(stage.established(), classic(stage), ipv6(stage))


@case("RFC 8950 §4: a capability for other families does not count", ipv6=True,
      peer={"next_hop_ipv4": None, "extended_next_hop": True,
            "ipv6_link_local_next_hop": "never"})
def extended_next_hop_vpn(stage):
    capabilities = octets.usual_capabilities(65001) + capability(5, u16(1, 128, 2))
    require_first(stage.established(capabilities=capabilities), classic(stage), ipv6(stage))


@case("RFC 4760 §4: over IPv4 with the extended next hop capability IPv4 stays classic",
      peer={"extended_next_hop": True})
def classic_all_the_same(stage):
    capabilities = octets.usual_capabilities(65001) + capability(5, u16(1, 1, 2))
    require_first(stage.established(capabilities=capabilities), classic(stage), ipv6(stage))


# ---- End-of-RIB


@rows([
    ("RFC 4724 §2: End-of-RIB of each family comes once, also without graceful restart",
     b""),
    ("RFC 4724 §4.1: a router that restarts gets End-of-RIB without our waiting for its own",
     capability(64, u16(0x8078) + u16(1) + b"\1\x80" + u16(2) + b"\1\x80")),
])
def end_of_rib_once(stage, more):
    connection = stage.established(capabilities=octets.usual_capabilities(65001) + more)
    require(len(connection.first) == 2, str(connection.first))
    connection.expect_quiet(1.0)


@case("RFC 4724 §2: End-of-RIB comes without any route when no VIP is healthy", kind=NodeKind(
    "sick", vip=(("checks", ["never"]),), tables=(("[check]", (
        ("name", "never"), ("type", "file"), ("path", "{dir}/never"), ("up_when", "present"),
        ("interval", "200ms"))),)))
def end_of_rib_alone(stage):
    require_first(stage.established())


# ---- many routes

MANY_ADDRESSES = [f"192.0.{high}.{low}" for high in range(8, 16) for low in range(250)]
MANY_ADDRESSES += [f"2001:db8:7::{low:x}" for low in range(1, 501)]
MANY = NodeKind("many", vip=(("addresses", MANY_ADDRESSES),), daemon=(("node_mark", False),),
                tables=(("drain", (("gshut", "0s"), ("keep_last", "never"))),), shared=False)


def counts(updates, width):
    """Routes in each message that is full of prefixes of one length at its end."""
    found = []
    for one in updates:
        withdrawn = int.from_bytes(one[19:21], "big")
        length = int.from_bytes(one[21 + withdrawn : 23 + withdrawn], "big")
        attributes_end = 23 + withdrawn + length
        found.append((withdrawn // width, (len(one) - attributes_end) // width))
    return found


@case("RFC 4271 §4.3: 2,000 IPv4 routes fit into 3 UPDATEs, 500 IPv6 routes into 3", kind=MANY)
def many(stage):
    stage.wait_for("announced", lambda: all(
        one["state"] != "starting" for one in stage.node.get("/v1/status")["vips"]))
    connection = stage.established()
    four = [one for one in connection.first if one[23:26] == b"\x40\x01\x01"]
    six = [one for one in connection.first if one not in four]
    require(counts(four, 5) == [(0, 810), (0, 810), (0, 380)], str(counts(four, 5)))
    require(all(len(one) <= 4096 for one in connection.first), "too long")
    require(len(six) == 3, f"{len(six)} UPDATEs of IPv6")
    # The same again on request, then all withdrawn.
    connection.send(octets.refresh(IPV4))
    connection.expect_message(octets.refresh(IPV4, 1))
    for expected in four:
        connection.expect_message(expected)
    connection.expect_message(octets.refresh(IPV4, 2))
    stage.node.post("/v1/drain", {"force": True})
    withdrawn = [connection.expect(octets.UPDATE).whole for _ in range(6)]
    require([one for one, _ in counts(withdrawn[:3], 5)] == [814, 814, 372], "IPv4 withdraws")
    sizes = [len(one) for one in withdrawn[3:]]
    require(sizes == [4096 - (4096 - 30) % 17, 4096 - (4096 - 30) % 17, sizes[2]], str(sizes))
    connection.expect_quiet(0.5)


@case("RFC 9687 §4: a router that reads nothing while we must send loses the session", kind=MANY,
      peer={"hold_time": "3s", "send_hold_time": "4s"}, slow=True)
def send_hold(stage):
    connection = stage.dial(lambda sock: sock.setsockopt(1, 8, 4096))  # SO_RCVBUF
    stage.established(connection, hold_time=3)
    begin = time.monotonic()
    while stage.status()["state"] == "Established":
        require(time.monotonic() - begin < 60, "still Established after 60 s")
        if not connection.ended:
            try:
                connection.socket.send(octets.refresh() + octets.KEEPALIVE_MESSAGE)
            except OSError:
                connection.ended = "rst"
        time.sleep(0.02)
    error = stage.status()["last_error"]
    require(error["name"] == "Send Hold Timer Expired", str(error))


# Whatever comes is taken by the kernels: the router's window closes, our buffer never fills.
@case("RFC 9687 §4: so does one whose window is closed while our kernel still takes everything",
      peer={"hold_time": "3s", "send_hold_time": "5s"}, slow=True)
def send_hold_buffered(stage):
    connection = stage.established(
        stage.dial(lambda sock: sock.setsockopt(1, 8, 2304)), hold_time=3)  # SO_RCVBUF
    requests = 100  # their answers fill the window
    begin = time.monotonic()
    while stage.status()["state"] == "Established":
        require(time.monotonic() - begin < 20, "still Established after 20 s")
        if not connection.ended:
            try:
                connection.socket.send(octets.refresh() if requests else octets.KEEPALIVE_MESSAGE)
            except OSError:
                connection.ended = "rst"
        requests = max(0, requests - 1)
        time.sleep(0.02)
    seconds = time.monotonic() - begin
    error = stage.status()["last_error"]
    require(error["name"] == "Send Hold Timer Expired", str(error))
    require(4.5 < seconds < 8.5, f"after {seconds:.1f} s")
