# SPDX-License-Identifier: Apache-2.0
"""Received routes as negotiated: AS numbers of four octets, ADD-PATH, extended next hop."""

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import (
    IPV4,
    TRANSITIVE,
    attribute,
    capability,
    ip,
    nlri,
    reach,
    segment,
    u8,
    u16,
    u32,
    update,
)
from .update_multiprotocol import HOP6, announce6, path_attributes
from .update_received import announcement, attributes, session


@case("RFC 6793 §4.2.3: AS4_PATH is merged into the path of a two-octet peer")
def merged(stage):
    connection = session(stage, two_octet=True)
    path = octets.as_path(65001, 23456, 65003, width=2)
    as4 = attribute(17, octets.segment(4200000009, 65003), TRANSITIVE)
    connection.send(announcement(stage, {2: path, 17: as4}))
    stage.barrier(connection)
    shown = stage.paths()[f"{stage.node.vip4}/32"]["as_path"]
    require(shown == [65001, 4200000009, 65003], str(shown))


TRANS_PATH = octets.as_path(65001, 23456, width=2)
REAL = segment(4200000009)
AS4_AGGREGATOR = attribute(18, u32(4200000009, 1), TRANSITIVE)


@rows([
    ("RFC 6793 §6: a confederation sequence in AS4_PATH is left out, the rest is merged",
     {17: attribute(17, segment(65009, kind=3) + REAL, TRANSITIVE)}, 4200000009),
    ("RFC 6793 §6: a confederation set in AS4_PATH is left out, the rest is merged",
     {17: attribute(17, REAL + segment(65009, kind=4), TRANSITIVE)}, 4200000009),
    ("RFC 6793 §4.2.3: with an AGGREGATOR of another AS than AS_TRANS AS4_PATH is ignored",
     {7: attribute(7, u16(65002) + u32(1), TRANSITIVE), 17: attribute(17, REAL, TRANSITIVE),
      18: AS4_AGGREGATOR}, 23456),
    ("RFC 6793 §4.2.3: with an AGGREGATOR of AS_TRANS AS4_PATH is merged",
     {7: attribute(7, u16(23456) + u32(1), TRANSITIVE), 17: attribute(17, REAL, TRANSITIVE),
      18: AS4_AGGREGATOR}, 4200000009),
])
def merged_after(stage, changes, last):
    connection = session(stage, two_octet=True)
    connection.send(announcement(stage, {2: TRANS_PATH} | changes))
    stage.barrier(connection)
    shown = stage.paths()[f"{stage.node.vip4}/32"]["as_path"]
    require(shown == [65001, last], str(shown))


@case("RFC 6793 §4.2.3: an AS4_PATH longer than AS_PATH is ignored")
def not_merged(stage):
    connection = session(stage, two_octet=True)
    as4 = attribute(17, octets.segment(65001, 65002, 65003), TRANSITIVE)
    connection.send(announcement(stage, {17: as4}))
    stage.barrier(connection)
    shown = stage.paths()[f"{stage.node.vip4}/32"]["as_path"]
    require(shown == [65001], str(shown))


def add_path(stage, value):
    stage.two_octet = False
    offer = capability(69, u16(1) + u8(1, value) + u16(2) + u8(1, value))
    return stage.established(capabilities=octets.usual_capabilities(65001) + offer)


@rows([
    ("RFC 7911 §3: two paths of one route are kept apart by their identifiers (send)", 2),
    ("RFC 7911 §3: two paths of one route are kept apart by their identifiers (both)", 3),
])
def two_paths(stage, value):
    connection = add_path(stage, value)
    route = nlri(f"{stage.node.vip4}/32")
    connection.send(update(attributes=attributes(stage), routes=u32(1) + route + u32(2) + route))
    stage.barrier(connection)
    document = stage.node.get(f"/v1/routes?received=1&peer={stage.name}")
    require([one["path_id"] for one in document["routes"]] == [1, 2], str(document))
    connection.send(update(u32(1) + route))
    stage.barrier(connection)
    document = stage.node.get(f"/v1/routes?received=1&peer={stage.name}")
    require([one["path_id"] for one in document["routes"]] == [2], str(document))


@case("RFC 7911 §3: IPv6 paths bear identifiers too")
def two_ipv6_paths(stage):
    connection = add_path(stage, 2)
    route = nlri(f"{stage.node.vip6}/128")
    routes = u32(7) + route + u32(9) + route
    connection.send(update(attributes=reach(routes, HOP6) + path_attributes()))
    stage.barrier(connection)
    document = stage.node.get(f"/v1/routes?received=1&peer={stage.name}")
    require([one["path_id"] for one in document["routes"]] == [7, 9], str(document))


@case("RFC 7911 §3: an identifier that is cut off is 3/10")
def short_identifier(stage):
    connection = add_path(stage, 2)
    connection.send(update(attributes=attributes(stage), routes=bytes(3)))
    connection.expect_notification(3, 10, b"")


@case("RFC 7911 §4: a peer that only receives sends without identifiers")
def receiver(stage):
    connection = add_path(stage, 1)
    connection.send(announcement(stage))
    stage.barrier(connection)
    require(stage.paths(), "the route is not there")


@case("RFC 7911 §4: our own routes bear no identifiers")
def own_without_identifier(stage):
    connection = add_path(stage, 3)
    require(connection.first[0].endswith(nlri(f"{stage.node.vip4}/32")), connection.first[0].hex())
    length = int.from_bytes(connection.first[0][21:23], "big")
    require(len(connection.first[0]) == 23 + length + 5, "an identifier?")


TUPLE = capability(5, u16(1, 1, 2))


@rows([
    ("RFC 8950 §4: IPv4 routes with an IPv6 next hop of 16 octets are accepted", HOP6),
    ("RFC 8950 §4: IPv4 routes with an IPv6 next hop of 32 octets are accepted",
     HOP6 + ip("fe80::1")),
    ("RFC 4760 §3: IPv4 routes in MP_REACH_NLRI with an IPv4 next hop are accepted",
     ip("10.1.1.1")),
], peer={"extended_next_hop": True})
def ipv4_over_ipv6(stage, hop):
    stage.two_octet = False
    capabilities = octets.usual_capabilities(65001) + TUPLE
    connection = stage.established(capabilities=capabilities)
    route = nlri(f"{stage.node.vip4}/32")
    connection.send(update(attributes=reach(route, hop, IPV4) + path_attributes()))
    stage.barrier(connection)
    require(list(stage.paths()) == [f"{stage.node.vip4}/32"], str(stage.paths()))


@case("RFC 8950 §4: without the capability an IPv6 next hop of IPv4 routes disables IPv4 received")
def ipv4_without_capability(stage):
    connection = session(stage)
    route = nlri(f"{stage.node.vip4}/32")
    connection.send(update(attributes=reach(route, HOP6, IPV4) + path_attributes()))
    connection.send(announcement(stage), announce6(stage))
    stage.barrier(connection)
    require(list(stage.paths()) == [f"{stage.node.vip6}/128"], str(stage.paths()))
