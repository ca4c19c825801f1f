# SPDX-License-Identifier: Apache-2.0
"""Received UPDATEs as a whole: lengths, prefixes, duplicates."""

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import (
    OPTIONAL,
    TRANSITIVE,
    WELL_KNOWN,
    attribute,
    nlri,
    reach,
    u8,
    u16,
    unreach,
    update,
)
from .update_multiprotocol import BAD_ORIGIN, HOP6, ROUTE6
from .update_received import announcement, attributes, session

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
