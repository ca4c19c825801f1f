# SPDX-License-Identifier: Apache-2.0
"""Received routes that are good: what is taken from them, how many may be sent."""

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import (
    IPV4,
    IPV6,
    OPTIONAL,
    WELL_KNOWN,
    attribute,
    ip,
    nlri,
    reach,
    u8,
    u16,
    unreach,
    update,
)
from .update_multiprotocol import (
    BAD_ORIGIN,
    BROKEN_IPV6,
    HOP6,
    ROUTE6,
    announce6,
    path_attributes,
)
from .update_received import announcement, attributes, session


@rows([
    ("RFC 2545 §3: an IPv6 next hop of 16 octets is accepted", HOP6, "fd00:1::1:1"),
    ("RFC 2545 §3: an IPv6 next hop of 32 octets is accepted", HOP6 + ip("fe80::1"), "fd00:1::1:1"),
    ("A next hop of :: with a link-local one, as BIRD sends it, is accepted",
     bytes(16) + ip("fe80::1"), "fe80::1"),
])
def ipv6_next_hop(stage, hop, shown):
    connection = session(stage)
    connection.send(announce6(stage, hop))
    stage.barrier(connection)
    path = stage.paths()[f"{stage.node.vip6}/128"]
    require(path["next_hop"] == shown, str(path))


@rows([
    ("RFC 7606 §5.1: MP_REACH_NLRI behind the other attributes is accepted",
     lambda stage: update(attributes=path_attributes()
                          + reach(nlri(f"{stage.node.vip6}/128"), HOP6))),
    ("RFC 4271 §5: attributes in descending order are accepted",
     lambda stage: update(attributes=octets.as_path(65001) + octets.origin()
                          + reach(nlri(f"{stage.node.vip6}/128"), HOP6))),
    ("RFC 4760 §3: NEXT_HOP beside MP_REACH_NLRI alone is ignored, even a bad one",
     lambda stage: update(attributes=reach(nlri(f"{stage.node.vip6}/128"), HOP6)
                          + path_attributes() + attribute(3, bytes(3), WELL_KNOWN))),
    ("RFC 4760 §3: MP_REACH_NLRI with an extended length is accepted",
     lambda stage: update(attributes=reach(nlri(f"{stage.node.vip6}/128"), HOP6, extended=True)
                          + path_attributes())),
    ("RFC 4760 §3: the reserved octet of MP_REACH_NLRI is ignored",
     lambda stage: update(attributes=attribute(
         14, u16(2) + u8(1, 16) + HOP6 + u8(77) + nlri(f"{stage.node.vip6}/128"), OPTIONAL)
         + path_attributes())),
])
def good_ipv6(stage, make):
    connection = session(stage)
    connection.send(make(stage))
    stage.barrier(connection)
    require(list(stage.paths()) == [f"{stage.node.vip6}/128"], str(stage.paths()))


@case("RFC 4271 §4.3: a route that one message withdraws and announces is announced")
def both(stage):
    connection = session(stage)
    routes = nlri(f"{stage.node.vip4}/32")
    connection.send(update(routes, attributes(stage), routes))
    stage.barrier(connection)
    require(stage.paths(), "the route is not there")


@case("RFC 4271 §4.3: Withdrawn Routes take the route away")
def withdrawn(stage):
    connection = session(stage)
    connection.send(announcement(stage))
    stage.barrier(connection)
    require(stage.paths(), "the route is not there")
    connection.send(update(nlri(f"{stage.node.vip4}/32", "198.51.100.0/24")))
    stage.barrier(connection)
    require(not stage.paths(), "the route is still there")


@case("RFC 4760 §4: MP_UNREACH_NLRI takes the route away")
def unreachable(stage):
    connection = session(stage)
    connection.send(announce6(stage))
    stage.barrier(connection)
    require(stage.paths(), "the route is not there")
    connection.send(update(attributes=unreach(nlri(f"{stage.node.vip6}/128"))))
    stage.barrier(connection)
    require(not stage.paths(), "the route is still there")


@rows([
    ("RFC 4271 §4.3: bits behind the prefix length are ignored",
     u8(23, 203, 0, 113), "203.0.112.0/23"),
    ("RFC 4271 §4.3: the default route is a prefix", u8(0), "0.0.0.0/0"),
    ("A multicast prefix is ignored", u8(32, 224, 0, 0, 1), None),
    ("The same prefix twice in one message is accepted", nlri("203.0.113.0/24") * 2, None),
])
def odd_prefix(stage, routes, _):
    connection = session(stage)
    connection.send(update(attributes=attributes(stage), routes=routes))
    stage.barrier(connection)


@rows([
    ("RFC 4271 §4.3: an UPDATE without anything is valid", octets.END_OF_RIB[IPV4]),
    ("RFC 4724 §2: the IPv6 End-of-RIB is valid", octets.END_OF_RIB[IPV6]),
    ("RFC 4271 §4.3: attributes without routes are valid", update(attributes=path_attributes())),
    ("RFC 4760 §4: MP_UNREACH_NLRI needs no other attribute",
     update(attributes=unreach(ROUTE6))),
    ("RFC 4271 §6.3: withdrawing what was never announced is valid",
     update(nlri("203.0.113.0/24"))),
])
def valid(stage, message):
    connection = session(stage)
    connection.send(message)
    stage.barrier(connection)
    require(not stage.status()["rule_counters"], str(stage.status()["rule_counters"]))


@case("RFC 7606 §6: the last malformed message is kept and shown")
def last_malformed(stage):
    connection = session(stage)
    bad = announcement(stage, {1: BAD_ORIGIN})
    connection.send(bad)
    stage.barrier(connection)
    require(stage.status()["last_malformed"]["hex"] == bad.hex(), str(stage.status()))


# ---- limits


@case("RFC 4486 §4: more prefixes than max_received end the session with Cease 1",
      peer={"max_received": 3})
def too_many(stage):
    connection = session(stage)
    three = nlri("203.0.113.0/26", "203.0.113.64/26", "203.0.113.128/26")
    connection.send(update(attributes=attributes(stage), routes=three))
    connection.send(update(attributes=attributes(stage), routes=three))  # the same ones
    stage.barrier(connection)
    connection.send(update(attributes=attributes(stage), routes=nlri("203.0.113.192/26")))
    connection.expect_notification(6, 1, None)


@case("RFC 4486 §4: withdrawn prefixes make room under max_received", peer={"max_received": 2})
def room(stage):
    connection = session(stage)
    for third in range(20):
        one = nlri(f"203.0.{third}.0/24", f"198.51.{third}.0/24")
        connection.send(update(attributes=attributes(stage), routes=one), update(one))
    stage.barrier(connection)


@case("A hundred thousand prefixes in a row leave the session up")
def many(stage):
    connection = session(stage)
    attributes_ = attributes(stage)
    for high in range(125):
        routes = b"".join(u8(24, 20 + low // 256, high, low % 256) for low in range(800))
        connection.send(update(attributes=attributes_, routes=routes))
    stage.barrier(connection)
    require(stage.status()["received"] == 100000, str(stage.status()["received"]))


@case("RFC 7313 §4: what is sent again behind BoRR is not counted twice")
def again(stage):
    connection = session(stage)
    two = update(attributes=attributes(stage), routes=nlri("203.0.113.0/26", "203.0.113.64/26"))
    connection.send(two, octets.refresh(IPV4, 1), two, octets.refresh(IPV4, 2))
    stage.barrier(connection)
    require(stage.status()["received"] == 2, str(stage.status()["received"]))


@case("RFC 7606 §7.11: the cause of a disabled family stays in sight, and so does the state")
def disabled_in_sight(stage):
    connection = session(stage)
    broken = update(attributes=BROKEN_IPV6[0][1] + path_attributes())
    connection.send(broken, *[announce6(stage)] * 3)
    stage.barrier(connection)
    status = stage.status()
    require(status["last_malformed"]["hex"] == broken.hex(), str(status["last_malformed"]))
    require(status["rule_counters"]["family-not-negotiated"] == 3, str(status["rule_counters"]))
    require(status["family_problems"]["ipv6"].startswith("received routes ignored"), str(status))
