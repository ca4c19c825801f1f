# SPDX-License-Identifier: Apache-2.0
"""RFC 7606, attribute by attribute: one table, from which come a case for the usual reaction and
one for `strict_rfc4271`. The paths of our own VIPs show what was made of a message."""

import dataclasses

from .. import octets
from ..catalogue import INTERNAL, case
from ..connection import require
from ..octets import OPTIONAL, TRANSITIVE, WELL_KNOWN, attribute, segment, u8, u16, u32, update

ACCEPTED = "accepted"  # the route is there
WITHDRAWN = "treated as withdraw"
DISCARDED = "discarded"  # the attribute alone; the route is there


@dataclasses.dataclass
class Row:
    text: str
    changes: dict  # attribute octets by type; None: left out
    usual: str
    strict: int | None = None  # subcode; None: as usual
    data: bytes | None = None  # None: the octets of the attribute


def of(kind, value, flags, *more, **options):
    return {kind: attribute(kind, value, flags, **options)}


ORIGINATOR, CLUSTER = u32(1), u32(1, 2)
COMMUNITY, EXTENDED, LARGE = u32(0xFDE90001), bytes.fromhex("0002fde900000001"), u32(65001, 1, 2)


def path(value):
    return of(2, value, WELL_KNOWN)


# Flags, length and value of each attribute (RFC 7606 §7).
EVERYWHERE = [
    Row("ORIGIN of value 3", of(1, u8(3), WELL_KNOWN), WITHDRAWN, 6),
    Row("ORIGIN of value 255", of(1, u8(255), WELL_KNOWN), WITHDRAWN, 6),
    Row("ORIGIN of no octet", of(1, b"", WELL_KNOWN), WITHDRAWN, 5),
    Row("ORIGIN of 2 octets", of(1, u8(0, 0), WELL_KNOWN), WITHDRAWN, 5),
    Row("ORIGIN flagged optional", of(1, u8(0), OPTIONAL), WITHDRAWN, 4),
    Row("ORIGIN flagged optional transitive", of(1, u8(0), TRANSITIVE), WITHDRAWN, 4),
    Row("ORIGIN flagged not transitive", of(1, u8(0), 0), WITHDRAWN, 4),
    Row("no ORIGIN", {1: None}, WITHDRAWN, 3, u8(1)),
    Row("no AS_PATH", {2: None}, WITHDRAWN, 3, u8(2)),
    Row("no NEXT_HOP", {3: None}, WITHDRAWN, 3, u8(3)),
    Row("AS_PATH with segment type 9", path(segment(65001, kind=9)), WITHDRAWN, 11),
    Row("AS_PATH with segment type 0", path(segment(65001, kind=0)), WITHDRAWN, 11),
    Row("AS_PATH with an empty segment", path(segment(65001) + u8(2, 0)), WITHDRAWN, 11),
    Row("AS_PATH with a segment beyond it", path(segment(65001) + u8(2, 9)), WITHDRAWN, 11),
    Row("AS_PATH with one octet too many", path(segment(65001) + u8(2)), WITHDRAWN, 11),
    Row("AS_PATH with AS 0 (RFC 7607)", path(segment(65001, 0)), WITHDRAWN, 11),
    Row("AS_PATH with a confederation sequence (RFC 5065)",
        path(segment(65001) + segment(65009, kind=3)), WITHDRAWN, 11),
    Row("AS_PATH with a confederation set (RFC 5065)",
        path(segment(65001) + segment(65009, kind=4)), WITHDRAWN, 11),
    Row("AS_PATH with an AS_SET (RFC 9774)",
        path(segment(65001) + segment(65008, 65009, kind=1)), WITHDRAWN),
    Row("AS_PATH flagged optional", of(2, segment(65001), OPTIONAL), WITHDRAWN, 4),
    Row("AS_PATH flagged optional transitive", of(2, segment(65001), TRANSITIVE), WITHDRAWN, 4),
    Row("AS_PATH of two sequences", path(segment(65001) + segment(65002)), ACCEPTED),
    Row("AS_PATH of 255 numbers", path(segment(*[65001] * 255)), ACCEPTED),
    Row("AS_PATH with our own number", path(segment(65001, 65010)), ACCEPTED),
    Row("NEXT_HOP of 3 octets", of(3, bytes(3), WELL_KNOWN), WITHDRAWN, 5),
    Row("NEXT_HOP of 5 octets", of(3, bytes(5), WELL_KNOWN), WITHDRAWN, 5),
    Row("NEXT_HOP of no octet", of(3, b"", WELL_KNOWN), WITHDRAWN, 5),
    Row("NEXT_HOP 0.0.0.0", of(3, bytes(4), WELL_KNOWN), WITHDRAWN, 8),
    Row("NEXT_HOP 224.0.0.1", of(3, u8(224, 0, 0, 1), WELL_KNOWN), WITHDRAWN, 8),
    Row("NEXT_HOP 240.0.0.1", of(3, u8(240, 0, 0, 1), WELL_KNOWN), WITHDRAWN, 8),
    Row("NEXT_HOP 255.255.255.255", of(3, u8(255, 255, 255, 255), WELL_KNOWN), WITHDRAWN, 8),
    Row("NEXT_HOP flagged optional", of(3, u8(10, 1, 1, 9), OPTIONAL), WITHDRAWN, 4),
    Row("MULTI_EXIT_DISC of 3 octets", of(4, bytes(3), OPTIONAL), WITHDRAWN, 5),
    Row("MULTI_EXIT_DISC of 5 octets", of(4, bytes(5), OPTIONAL), WITHDRAWN, 5),
    Row("MULTI_EXIT_DISC flagged transitive", of(4, bytes(4), TRANSITIVE), WITHDRAWN, 4),
    Row("MULTI_EXIT_DISC flagged well-known", of(4, bytes(4), WELL_KNOWN), WITHDRAWN, 4),
    Row("MULTI_EXIT_DISC", of(4, u32(4294967295), OPTIONAL), ACCEPTED),
    Row("ATOMIC_AGGREGATE", of(6, b"", WELL_KNOWN), ACCEPTED),
    Row("ATOMIC_AGGREGATE of 1 octet", of(6, b"x", WELL_KNOWN), DISCARDED, 5),
    Row("ATOMIC_AGGREGATE flagged optional", of(6, b"", TRANSITIVE), DISCARDED, 4),
    Row("AGGREGATOR", of(7, u32(65001, 1), TRANSITIVE), ACCEPTED),
    Row("AGGREGATOR of 6 octets between four-octet speakers",
        of(7, bytes([9] * 6), TRANSITIVE), DISCARDED, 5),
    Row("AGGREGATOR of no octet", of(7, b"", TRANSITIVE), DISCARDED, 5),
    Row("AGGREGATOR of 9 octets", of(7, bytes([9] * 9), TRANSITIVE), DISCARDED, 5),
    Row("AGGREGATOR with AS 0 (RFC 7607)", of(7, u32(0, 1), TRANSITIVE), DISCARDED),
    Row("AGGREGATOR flagged not transitive", of(7, u32(65001, 1), OPTIONAL), DISCARDED, 4),
    Row("COMMUNITIES", of(8, COMMUNITY * 3, TRANSITIVE), ACCEPTED),
    Row("COMMUNITIES of 300 values", of(8, COMMUNITY * 300, TRANSITIVE), ACCEPTED),
    Row("COMMUNITIES of no octet", of(8, b"", TRANSITIVE), WITHDRAWN, 5),
    Row("COMMUNITIES of 3 octets", of(8, bytes(3), TRANSITIVE), WITHDRAWN, 5),
    Row("COMMUNITIES of 5 octets", of(8, bytes(5), TRANSITIVE), WITHDRAWN, 5),
    Row("COMMUNITIES flagged not transitive", of(8, COMMUNITY, OPTIONAL), WITHDRAWN, 4),
    Row("COMMUNITIES flagged well-known", of(8, COMMUNITY, WELL_KNOWN), WITHDRAWN, 4),
    Row("EXTENDED COMMUNITIES", of(16, EXTENDED * 2, TRANSITIVE), ACCEPTED),
    Row("EXTENDED COMMUNITIES of unknown types", of(16, b"\xff" * 16, TRANSITIVE), ACCEPTED),
    Row("EXTENDED COMMUNITIES of no octet", of(16, b"", TRANSITIVE), WITHDRAWN, 5),
    Row("EXTENDED COMMUNITIES of 7 octets", of(16, bytes(7), TRANSITIVE), WITHDRAWN, 5),
    Row("EXTENDED COMMUNITIES flagged not transitive", of(16, EXTENDED, OPTIONAL), WITHDRAWN, 4),
    Row("LARGE_COMMUNITY", of(32, LARGE * 2, TRANSITIVE), ACCEPTED),
    Row("LARGE_COMMUNITY of no octet", of(32, b"", TRANSITIVE), WITHDRAWN, 5),
    Row("LARGE_COMMUNITY of 11 octets", of(32, bytes(11), TRANSITIVE), WITHDRAWN, 5),
    Row("LARGE_COMMUNITY of 13 octets", of(32, bytes(13), TRANSITIVE), WITHDRAWN, 5),
    Row("LARGE_COMMUNITY flagged not transitive", of(32, LARGE, OPTIONAL), WITHDRAWN, 4),
    Row("AS4_PATH between four-octet speakers (RFC 6793 §4.1)",
        of(17, segment(65001), TRANSITIVE), DISCARDED),
    Row("malformed AS4_PATH between four-octet speakers (RFC 6793 §4.1)",
        of(17, b"x", TRANSITIVE), DISCARDED),
    Row("AS4_AGGREGATOR between four-octet speakers (RFC 6793 §4.1)",
        of(18, u32(65001, 1), TRANSITIVE), DISCARDED),
    Row("unknown optional transitive attribute", of(200, b"abc", TRANSITIVE), ACCEPTED),
    Row("unknown optional transitive attribute of 3900 octets",
        of(200, bytes(3900), TRANSITIVE), ACCEPTED),
    Row("unknown optional non-transitive attribute", of(201, b"abc", OPTIONAL), ACCEPTED),
    Row("unknown optional attribute with the Partial bit", of(200, b"a", 0xE0), ACCEPTED),
    Row("unknown well-known attribute", of(200, b"abc", WELL_KNOWN), WITHDRAWN, 2),
    Row("unknown attribute flagged neither optional nor transitive", of(200, b"", 0), WITHDRAWN, 2),
    Row("attribute type 0 flagged well-known", of(0, b"", WELL_KNOWN), WITHDRAWN, 2),
    Row("PMSI_TUNNEL", of(22, bytes(5), TRANSITIVE), ACCEPTED),
    Row("TUNNEL_ENCAPSULATION with nonsense in it", of(23, b"\xff", TRANSITIVE), ACCEPTED),
    Row("IPv6 EXTENDED COMMUNITIES of 19 octets", of(25, bytes(19), TRANSITIVE), ACCEPTED),
    Row("AIGP", of(26, bytes(11), OPTIONAL), ACCEPTED),
    Row("BGP-LS", of(29, bytes(4), OPTIONAL), ACCEPTED),
    Row("ONLY_TO_CUSTOMER", of(35, u32(65001), TRANSITIVE), ACCEPTED),
    Row("BGP Prefix-SID with nonsense in it", of(40, b"\1\xff", TRANSITIVE), ACCEPTED),
    Row("ATTR_SET", of(128, bytes(4), TRANSITIVE), ACCEPTED),
    Row("extended length for a short attribute",
        of(1, u8(0), WELL_KNOWN, extended=True), ACCEPTED),
    Row("low bits set in flags", of(1, u8(0), WELL_KNOWN | 0x0F), ACCEPTED),
    Row("the Partial bit on a well-known attribute", of(1, u8(0), WELL_KNOWN | 0x20), ACCEPTED),
    Row("ORIGIN INCOMPLETE", of(1, u8(2), WELL_KNOWN), ACCEPTED),
]

EXTERNAL = [
    Row("AS_PATH that begins with another AS number", path(segment(65002, 65001)), WITHDRAWN, 11),
    Row("empty AS_PATH", path(b""), WITHDRAWN, 11),
    Row("LOCAL_PREF (RFC 4271 §5.1.5)", of(5, u32(100), WELL_KNOWN), DISCARDED),
    Row("LOCAL_PREF of 3 octets", of(5, bytes(3), WELL_KNOWN), DISCARDED),
    Row("ORIGINATOR_ID", of(9, ORIGINATOR, OPTIONAL), DISCARDED),
    Row("ORIGINATOR_ID of 3 octets", of(9, bytes(3), OPTIONAL), DISCARDED),
    Row("CLUSTER_LIST", of(10, CLUSTER, OPTIONAL), DISCARDED),
    Row("CLUSTER_LIST of 5 octets", of(10, bytes(5), OPTIONAL), DISCARDED),
]

OF_INTERNAL_PEER = [
    Row("empty AS_PATH", path(b""), ACCEPTED),
    Row("AS_PATH that begins with another AS number", path(segment(65077)), ACCEPTED),
    Row("no LOCAL_PREF (RFC 4271 §5.1.5)", {5: None}, WITHDRAWN),
    Row("LOCAL_PREF of 3 octets", of(5, bytes(3), WELL_KNOWN), WITHDRAWN, 5),
    Row("LOCAL_PREF of no octet", of(5, b"", WELL_KNOWN), WITHDRAWN, 5),
    Row("LOCAL_PREF flagged optional", of(5, u32(100), OPTIONAL), WITHDRAWN, 4),
    Row("ORIGINATOR_ID", of(9, ORIGINATOR, OPTIONAL), ACCEPTED),
    Row("ORIGINATOR_ID of 3 octets", of(9, bytes(3), OPTIONAL), WITHDRAWN, 5),
    Row("ORIGINATOR_ID flagged transitive", of(9, ORIGINATOR, TRANSITIVE), WITHDRAWN, 4),
    Row("CLUSTER_LIST", of(10, CLUSTER, OPTIONAL), ACCEPTED),
    Row("CLUSTER_LIST of no octet", of(10, b"", OPTIONAL), WITHDRAWN, 5),
    Row("CLUSTER_LIST of 5 octets", of(10, bytes(5), OPTIONAL), WITHDRAWN, 5),
    Row("ORIGIN of value 3", of(1, u8(3), WELL_KNOWN), WITHDRAWN, 6),
    Row("no NEXT_HOP", {3: None}, WITHDRAWN, 3, u8(3)),
    Row("AS_PATH with a confederation sequence (RFC 5065)",
        path(segment(65009, kind=3)), WITHDRAWN, 11),
]

NARROW = segment(65001, width=2)

OF_TWO_OCTET_PEER = [
    Row("AS_PATH of two-octet numbers", {}, ACCEPTED),
    Row("AS_PATH of four-octet numbers", path(segment(65001)), WITHDRAWN, 11),
    Row("AS_PATH with AS 0", path(segment(65001, 0, width=2)), WITHDRAWN, 11),
    Row("AS_PATH with AS_TRANS", path(segment(65001, 23456, width=2)), ACCEPTED),
    Row("AGGREGATOR of 6 octets", of(7, u16(65001) + u32(1), TRANSITIVE), ACCEPTED),
    Row("AGGREGATOR of 8 octets", of(7, u32(65001, 1), TRANSITIVE), DISCARDED, 5),
    Row("AS4_PATH (RFC 6793 §4.2.3)", of(17, segment(65001), TRANSITIVE), ACCEPTED),
    Row("AS4_PATH of 5 octets (RFC 6793 §6)", of(17, bytes(5), TRANSITIVE), DISCARDED),
    Row("AS4_PATH with segment type 9 (RFC 6793 §6)",
        of(17, segment(65001, kind=9), TRANSITIVE), DISCARDED),
    Row("AS4_PATH with an AS_SET (RFC 9774)",
        of(17, segment(65001, kind=1), TRANSITIVE), WITHDRAWN),
    Row("AS4_PATH with AS 0 (RFC 7607)", of(17, segment(0), TRANSITIVE), DISCARDED),
    Row("AS4_AGGREGATOR (RFC 6793 §4.2.3)", of(18, u32(65001, 1), TRANSITIVE), ACCEPTED),
    Row("AS4_AGGREGATOR of 6 octets (RFC 6793 §6)", of(18, bytes(6), TRANSITIVE), DISCARDED),
    Row("AS4_AGGREGATOR with AS 0 (RFC 7607)", of(18, u32(0, 1), TRANSITIVE), DISCARDED),
]


def attributes(stage, changes=None):
    """Those of a good route in ascending order, with changes."""
    usual = {1: octets.origin(), 2: octets.as_path(65001), 3: octets.next_hop(stage.router)}
    if stage.node.kind is INTERNAL:
        usual |= {5: octets.local_pref(100)}
    if stage.two_octet:
        usual[2] = octets.as_path(65001, width=2)
    usual |= changes or {}
    return b"".join(value for _, value in sorted(usual.items()) if value is not None)


def announcement(stage, changes=None):
    routes = octets.nlri(f"{stage.node.vip4}/32")
    return update(attributes=attributes(stage, changes), routes=routes)


def session(stage, two_octet=False):
    stage.two_octet = two_octet
    if two_octet:
        capabilities = octets.multiprotocol(octets.IPV4) + octets.ROUTE_REFRESH_CAPABILITY
        return stage.established(families=(octets.IPV4,), capabilities=capabilities)
    return stage.established()


def judge(stage, row, two_octet):
    vip = f"{stage.node.vip4}/32"
    connection = session(stage, two_octet)
    if row.usual is WITHDRAWN:
        connection.send(announcement(stage))
        stage.barrier(connection)
        require(vip in stage.paths(), "the good route is not there")
    connection.send(announcement(stage, row.changes))
    stage.barrier(connection)
    paths = stage.paths()
    is_there = vip in paths
    require(is_there == (row.usual is not WITHDRAWN), f"paths: {paths}")
    counters = stage.status()["rule_counters"]
    require(bool(counters) == (row.usual is not ACCEPTED), f"counters: {counters}")


def judge_strictly(stage, row, two_octet):
    connection = session(stage, two_octet)
    connection.send(announcement(stage, row.changes))
    data = row.data if row.data is not None else next(iter(row.changes.values()))
    connection.expect_notification(3, row.strict, data)


def register(table, origin, kind=None, two_octet=False):
    options = {} if kind is None else {"kind": kind}
    for row in table:
        usual = lambda stage, row=row: judge(stage, row, two_octet)
        usual.__module__ = __name__
        case(f"RFC 7606 §7: {row.text} {origin}is {row.usual}", **options)(usual)
        if row.strict is not None:
            strict = lambda stage, row=row: judge_strictly(stage, row, two_octet)
            strict.__module__ = __name__
            peer = {"strict_rfc4271": True}
            name = f"RFC 4271 §6.3: {row.text} {origin}is error 3/{row.strict} when strict"
            case(name, peer=peer, **options)(strict)


register(EVERYWHERE, "")
register(EXTERNAL, "from an external peer ")
register(OF_INTERNAL_PEER, "from an internal peer ", kind=INTERNAL)
register(OF_TWO_OCTET_PEER, "from a two-octet peer ", two_octet=True)
