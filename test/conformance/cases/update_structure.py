# SPDX-License-Identifier: Apache-2.0
"""Received UPDATEs as a whole: lengths, prefixes, multiprotocol attributes, several errors."""

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import (
    IPV4,
    IPV6,
    OPTIONAL,
    TRANSITIVE,
    WELL_KNOWN,
    attribute,
    capability,
    ip,
    nlri,
    reach,
    segment,
    u8,
    u16,
    u32,
    unreach,
    update,
)
from .update_received import announcement, attributes, session

HOP6 = ip("fd00:1::1:1")
ROUTE6 = nlri("2001:db8:ffff::/48")
BAD_ORIGIN = attribute(1, u8(3), WELL_KNOWN)

# ---- what resets in every mode

RESETS = [
    ("RFC 4271 §6.3: Withdrawn Routes beyond the message is 3/1",
     update(withdrawn_length=5), 1, b""),
    ("RFC 4271 §6.3: Total Path Attribute Length beyond the message is 3/1",
     update(attributes_length=1), 1, b""),
    ("RFC 4271 §6.3: both lengths at their greatest are 3/1",
     update(withdrawn_length=65535, attributes_length=65535), 1, b""),
    ("RFC 4271 §6.3: Withdrawn Routes that leave no room for the next length are 3/1",
     octets.message(2, u16(3) + bytes(3)), 1, b""),
    ("RFC 7606 §5.3: a withdrawn prefix of 33 bits is 3/10",
     update(withdrawn=u8(33) + bytes(5)), 10, b""),
    ("RFC 7606 §5.3: a withdrawn prefix of 255 bits is 3/10",
     update(withdrawn=u8(255)), 10, b""),
    ("RFC 7606 §5.3: a withdrawn prefix that is cut off is 3/10",
     update(withdrawn=u8(24, 10, 1)), 10, b""),
    ("RFC 7606 §3 g: MP_UNREACH_NLRI twice is 3/1",
     update(attributes=unreach(ROUTE6) * 2), 1, None),
    ("RFC 7606 §5.2: a bad ORIGIN without routes is 3/6",
     update(attributes=BAD_ORIGIN), 6, BAD_ORIGIN),
    ("RFC 7606 §5.2: a bad MP_UNREACH_NLRI beside other attributes and without routes is 3/9",
     update(attributes=unreach(u8(129)) + octets.origin()), 9, unreach(u8(129))),
    ("RFC 7606 §5.2: bad COMMUNITIES without routes are 3/5",
     update(attributes=attribute(8, b"", TRANSITIVE)), 5, attribute(8, b"", TRANSITIVE)),
    ("RFC 7606 §5.2: a bad ORIGIN beside withdrawn routes alone is 3/6",
     update(withdrawn=nlri("203.0.113.0/24"), attributes=BAD_ORIGIN), 6, BAD_ORIGIN),
    ("RFC 7606 §5.2: a bad ORIGIN beside an MP_REACH_NLRI without routes is 3/6",
     update(attributes=reach(b"", HOP6) + BAD_ORIGIN + octets.as_path(65001)), 6, BAD_ORIGIN),
    ("RFC 7606 §5.2: a bad ORIGIN beside an empty MP_REACH_NLRI of a foreign family is 3/6",
     update(attributes=reach(b"", b"", (25, 70)) + BAD_ORIGIN), 6, BAD_ORIGIN),
    ("RFC 7606 §5.2: an attribute beyond the field without routes is 3/1",
     update(attributes=u8(WELL_KNOWN, 1, 9)), 1, None),
    ("RFC 7606 §7.11: MP_REACH_NLRI too short to name its family is 3/9",
     update(attributes=attribute(14, u8(0, 2), OPTIONAL)), 9, attribute(14, u8(0, 2), OPTIONAL)),
    ("RFC 7606 §7.12: MP_UNREACH_NLRI too short to name its family is 3/9",
     update(attributes=attribute(15, u8(0, 2), OPTIONAL)), 9, attribute(15, u8(0, 2), OPTIONAL)),
]


@rows(RESETS)
def resets(stage, message, subcode, data):
    connection = stage.established()
    connection.send(message)
    connection.expect_notification(3, subcode, data)


@rows([
    ("RFC 7606 §5.3: a prefix of 33 bits is 3/10", u8(33) + bytes(5)),
    ("RFC 7606 §5.3: a prefix that is cut off is 3/10", u8(32, 192, 0, 2)),
    ("RFC 7606 §5.3: a bad prefix behind a good one is 3/10", nlri("203.0.113.0/24") + u8(40)),
])
def bad_prefix(stage, routes):
    connection = session(stage)
    connection.send(update(attributes=attributes(stage), routes=routes))
    connection.expect_notification(3, 10, b"")


@case("RFC 7606 §3 g: MP_REACH_NLRI twice is 3/1")
def reach_twice(stage):
    connection = session(stage)
    twice = reach(ROUTE6, HOP6) * 2
    connection.send(update(attributes=twice + attributes(stage, {3: None})))
    connection.expect_notification(3, 1, None)


@case("RFC 7606 §3 h: of a bad ORIGIN and a bad prefix the reset is done")
def strongest(stage):
    connection = session(stage)
    bad = attributes(stage, {1: BAD_ORIGIN})
    connection.send(update(attributes=bad, routes=u8(33) + bytes(5)))
    connection.expect_notification(3, 10, b"")


# ---- what is treated as withdraw


@rows([
    ("RFC 7606 §4: an attribute beyond the field is treated as withdraw",
     lambda good: good + u8(WELL_KNOWN, 6, 7)),
    ("RFC 7606 §4: an attribute cut after its flags is treated as withdraw",
     lambda good: good + u8(OPTIONAL)),
    ("RFC 7606 §4: an extended length cut in the middle is treated as withdraw",
     lambda good: good + u8(OPTIONAL | 0x10, 4, 0)),
    ("RFC 7606 §4: a first attribute beyond the field is treated as withdraw",
     lambda good: u8(WELL_KNOWN, 1, 200) + good),
])
def overrun(stage, change):
    connection = session(stage)
    connection.send(announcement(stage))
    stage.barrier(connection)
    require(stage.paths(), "the good route is not there")
    routes = nlri(f"{stage.node.vip4}/32")
    connection.send(update(attributes=change(attributes(stage)), routes=routes))
    stage.barrier(connection)
    require(not stage.paths(), "the route is still there")


@case("RFC 4271 §6.3: an attribute beyond the field is 3/1 when strict",
      peer={"strict_rfc4271": True})
def strict_overrun(stage):
    connection = session(stage)
    rest = u8(WELL_KNOWN, 6, 7)
    connection.send(update(attributes=attributes(stage) + rest, routes=nlri("203.0.113.0/24")))
    connection.expect_notification(3, 1, rest)


# ---- duplicates


@rows([
    ("RFC 7606 §3 g: of two MULTI_EXIT_DISC the first counts",
     octets.med(7) + octets.med(8)),
    ("RFC 7606 §3 g: a malformed second MULTI_EXIT_DISC is dropped unseen",
     octets.med(7) + attribute(4, b"", OPTIONAL)),
])
def duplicate_med(stage, twice):
    connection = session(stage)
    connection.send(announcement(stage, {4: twice}))
    stage.barrier(connection)
    require(stage.paths()[f"{stage.node.vip4}/32"]["med"] == 7, str(stage.paths()))


@rows([
    ("RFC 7606 §3 g: of two ORIGINs the first counts", {1: octets.origin() + BAD_ORIGIN}),
    ("RFC 7606 §3 g: an unknown attribute twice is one",
     {200: attribute(200, b"a", TRANSITIVE) + attribute(200, b"b", TRANSITIVE)}),
])
def duplicate(stage, changes):
    connection = session(stage)
    connection.send(announcement(stage, changes))
    stage.barrier(connection)
    require(stage.paths(), "the route is not there")
    require("duplicate-attribute" in stage.status()["rule_counters"], "not counted")


@case("RFC 4271 §6.3: an attribute twice is 3/1 when strict", peer={"strict_rfc4271": True})
def strict_duplicate(stage):
    connection = session(stage)
    connection.send(announcement(stage, {4: octets.med(7) + octets.med(8)}))
    connection.expect_notification(3, 1, None)


# ---- multiprotocol attributes: the family is disabled, all else goes on


def path_attributes():
    return octets.origin() + octets.as_path(65001)


def announce6(stage, hop=HOP6):
    return update(attributes=reach(nlri(f"{stage.node.vip6}/128"), hop) + path_attributes())


BROKEN_IPV6 = [
    ("a next hop of 5 octets", reach(ROUTE6, bytes(5))),
    ("a next hop of no octet", reach(ROUTE6, b"")),
    ("an IPv4 next hop for IPv6", reach(ROUTE6, ip("10.1.1.1"))),
    ("a next hop of 24 octets (RFC 4364 form)", reach(ROUTE6, bytes(8) + HOP6)),
    ("a next hop of 17 octets", reach(ROUTE6, HOP6 + u8(0))),
    ("a next hop of 33 octets", reach(ROUTE6, HOP6 + HOP6 + u8(0))),
    ("a next hop beyond the attribute", attribute(14, u16(2) + u8(1, 200) + HOP6, OPTIONAL)),
    ("a prefix of 129 bits", reach(u8(129) + bytes(17), HOP6)),
    ("a prefix that is cut off", reach(u8(128) + bytes(9), HOP6)),
    ("flags of an optional transitive attribute", reach(ROUTE6, HOP6, flags=TRANSITIVE)),
    ("flags of a well-known attribute", reach(ROUTE6, HOP6, flags=WELL_KNOWN)),
    ("4 octets", attribute(14, u16(2) + u8(1, 0), OPTIONAL)),
]
BROKEN_IPV6_UNREACH = [
    ("a prefix of 129 bits", unreach(u8(129) + bytes(17))),
    ("a prefix that is cut off", unreach(u8(64, 32))),
    ("flags of an optional transitive attribute", unreach(ROUTE6, flags=TRANSITIVE)),
    ("flags of a well-known attribute", unreach(ROUTE6, flags=WELL_KNOWN)),
]
BROKEN = [("MP_REACH_NLRI", "§7.11", *row) for row in BROKEN_IPV6]
BROKEN += [("MP_UNREACH_NLRI", "§7.12", *row) for row in BROKEN_IPV6_UNREACH]


@rows([(f"RFC 7606 {section}: {name} with {what} disables the family, the session goes on", broken)
       for name, section, what, broken in BROKEN])
def disables(stage, broken):
    connection = session(stage)
    connection.send(announcement(stage), announce6(stage))
    stage.barrier(connection)
    require(len(stage.paths()) == 2, f"good routes: {stage.paths()}")
    rest = path_attributes() if broken[1] == 14 else b""  # with it RFC 7606 §5.2 resets
    connection.send(update(attributes=broken + rest))
    stage.barrier(connection)  # our IPv4 route is still announced
    stage.barrier(connection, IPV6)  # so is our IPv6 route
    require(list(stage.paths()) == [f"{stage.node.vip4}/32"], f"not disabled: {stage.paths()}")
    connection.send(announce6(stage), announcement(stage, {4: octets.med(5)}))
    stage.barrier(connection)
    paths = stage.paths()
    require(list(paths) == [f"{stage.node.vip4}/32"], f"the family is back: {paths}")
    require(paths[f"{stage.node.vip4}/32"]["med"] == 5, "the other family does not go on")


CUT_OFF = "that exceeds the attributes, beside a good IPv4 route"


@rows([
    (f"RFC 7606 §3 j: an MP_REACH_NLRI {CUT_OFF}, disables the family",
     u8(OPTIONAL, 14, 200) + u16(2) + u8(1, 16)),
    (f"RFC 7606 §3 j: an MP_UNREACH_NLRI {CUT_OFF}, disables the family",
     u8(OPTIONAL, 15, 200) + u16(2) + u8(1)),
])
def cut_off(stage, rest):
    connection = session(stage)
    connection.send(announcement(stage), announce6(stage))
    stage.barrier(connection)
    require(len(stage.paths()) == 2, f"good routes: {stage.paths()}")
    routes = nlri(f"{stage.node.vip4}/32")
    connection.send(update(attributes=attributes(stage) + rest, routes=routes))
    stage.barrier(connection)
    require(not stage.paths(), f"IPv6 not disabled, or IPv4 not withdrawn: {stage.paths()}")
    connection.send(announcement(stage), announce6(stage))
    stage.barrier(connection)
    require(list(stage.paths()) == [f"{stage.node.vip4}/32"], f"afterwards: {stage.paths()}")


@case("RFC 7606 §5.3: one whose family cannot be read is 3/1")
def cut_off_unreadable(stage):
    connection = session(stage)
    rest = u8(OPTIONAL, 14, 200) + u16(2)
    connection.send(update(attributes=attributes(stage) + rest, routes=nlri("203.0.113.0/24")))
    connection.expect_notification(3, 1, rest)


@rows([(f"RFC 4271 §6.3: {name} with {what} is 3/9 with the attribute when strict", broken)
       for name, _, what, broken in BROKEN], peer={"strict_rfc4271": True})
def strict_multiprotocol(stage, broken):
    connection = session(stage)
    connection.send(update(attributes=broken + path_attributes()))
    connection.expect_notification(3, 9, broken)


@case("RFC 7606 §7.11: the disabled family works again in the next session")
def next_session(stage):
    connection = session(stage)
    connection.send(update(attributes=BROKEN_IPV6[0][1] + path_attributes()))
    stage.barrier(connection)
    connection.close()
    stage.wait_for("Idle", lambda: stage.status()["state"] != "Established")
    connection = session(stage)
    connection.send(announce6(stage))
    stage.barrier(connection)
    require(stage.paths(), "not there in the next session")


@case("RFC 7606 §3 h: a bad ORIGIN and a bad MP_REACH_NLRI disable the family")
def both_errors(stage):
    connection = session(stage)
    connection.send(update(attributes=BROKEN_IPV6[0][1] + BAD_ORIGIN + octets.as_path(65001)))
    stage.barrier(connection)
    connection.send(announce6(stage))
    stage.barrier(connection)
    require(not stage.paths(), str(stage.paths()))


@case("RFC 7606 §5.2: routes of a foreign family are routes, the session goes on")
def foreign_routes(stage):
    connection = session(stage)
    connection.send(update(attributes=reach(b"\xff", b"", (25, 70)) + BAD_ORIGIN))
    stage.barrier(connection)


@rows([
    ("RFC 4760 §4: MP_REACH_NLRI of an unknown family is ignored", reach(b"\xff", b"", (25, 70))),
    ("RFC 4760 §4: MP_REACH_NLRI of a family that was not negotiated is ignored",
     reach(u8(99) + bytes(3), bytes(12), (1, 128))),
    ("RFC 4760 §4: MP_UNREACH_NLRI of an unknown family is ignored", unreach(b"\xff", (25, 70))),
    ("RFC 4760 §4: flags of MP_REACH_NLRI of an unknown family do no harm",
     reach(b"", b"", (25, 70), flags=TRANSITIVE)),
])
def foreign_family(stage, foreign):
    connection = session(stage)
    connection.send(update(attributes=foreign + path_attributes()), announce6(stage))
    stage.barrier(connection)
    require(list(stage.paths()) == [f"{stage.node.vip6}/128"], str(stage.paths()))


@case("RFC 4760 §4: IPv6 routes on a session without IPv6 are ignored")
def not_negotiated(stage):
    stage.two_octet = False
    connection = stage.established(families=(IPV4,))
    connection.send(announce6(stage), announcement(stage))
    stage.barrier(connection)
    require(list(stage.paths()) == [f"{stage.node.vip4}/32"], str(stage.paths()))


@case("RFC 4760 §4: IPv4 routes on a session without IPv4 are ignored")
def classic_not_negotiated(stage):
    stage.two_octet = False
    connection = stage.established(families=(IPV6,))
    connection.send(announcement(stage), announce6(stage))
    stage.barrier(connection, IPV6)
    require(list(stage.paths()) == [f"{stage.node.vip6}/128"], str(stage.paths()))


# ---- good messages


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


# ---- AS numbers, ADD-PATH, extended next hop


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
