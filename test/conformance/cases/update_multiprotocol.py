# SPDX-License-Identifier: Apache-2.0
"""Received MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760): what disables a family, foreign ones."""

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
    ip,
    nlri,
    reach,
    u8,
    u16,
    unreach,
    update,
)
from .update_received import announcement, attributes, session

HOP6 = ip("fd00:1::1:1")
ROUTE6 = nlri("2001:db8:ffff::/48")
BAD_ORIGIN = attribute(1, u8(3), WELL_KNOWN)


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
