# SPDX-License-Identifier: Apache-2.0
"""What the daemon makes of an OPEN: RFC 4271 §6.2 and everything that hangs on capabilities."""

from .. import octets
from ..catalogue import BIG, INTERNAL, case, rows
from ..connection import require
from ..octets import (
    IPV4,
    IPV6,
    KEEPALIVE_MESSAGE,
    capability,
    extended_parameters,
    four_octet_asn,
    multiprotocol,
    parameter,
    short_parameters,
    u8,
    u16,
    u32,
    usual_capabilities,
)

USUAL = usual_capabilities(65001)
BOTH = (IPV4, IPV6)


def refuses(stage, changes, subcode, data):
    connection = stage.open_sent()
    connection.send(stage.open_message(**changes))
    connection.expect_notification(2, subcode, data)


def parameters(octets_of_all):
    return {"parameters": short_parameters(octets_of_all)}


def capabilities(octets_of_all):
    return {"capabilities": octets_of_all}


rows([
    ("RFC 4271 §6.2: version 3 is refused with the version that we speak",
     {"version": 3}, 1, u16(4)),
    ("RFC 4271 §6.2: version 5 is refused with the version that we speak",
     {"version": 5}, 1, u16(4)),
    ("RFC 4271 §6.2: version 0 is refused with the version that we speak",
     {"version": 0}, 1, u16(4)),
    ("RFC 4271 §6.2: another AS number of two octets is Bad Peer AS",
     {"my_as": 65002, **capabilities(multiprotocol(IPV4))}, 2, u16(65002)),
    ("RFC 4271 §6.2: our own AS number from an external peer is Bad Peer AS",
     {"asn": 65010}, 2, u32(65010)),
    ("RFC 6793 §4.1: another AS number in the capability is Bad Peer AS",
     {"asn": 4200000077}, 2, u32(4200000077)),
    ("RFC 6793 §4.1: the capability decides, not My Autonomous System",
     {"my_as": 65001, **capabilities(usual_capabilities(65002))}, 2, u32(65002)),
    ("RFC 7607 §2: AS 0 in My Autonomous System is Bad Peer AS",
     {"my_as": 0, **capabilities(multiprotocol(IPV4))}, 2, u16(0)),
    ("RFC 7607 §2: AS 0 in My Autonomous System is Bad Peer AS beside a good capability",
     {"my_as": 0}, 2, u16(0)),
    ("RFC 7607 §2: AS 0 in the four-octet capability is Bad Peer AS",
     {"my_as": 23456, **capabilities(multiprotocol(IPV4) + four_octet_asn(0))}, 2, u32(0)),
    ("RFC 6793 §9: AS_TRANS in the four-octet capability is Bad Peer AS",
     {"my_as": 23456, **capabilities(multiprotocol(IPV4) + four_octet_asn(23456))}, 2, u32(23456)),
    ("RFC 6793 §9: AS_TRANS without the capability is nobody's number",
     {"my_as": 23456, **capabilities(multiprotocol(IPV4))}, 2, u16(23456)),
    ("RFC 6793 §3: two capabilities with different numbers are Bad Peer AS",
     capabilities(USUAL + four_octet_asn(65002)), 2, None),
    ("RFC 4271 §6.2: a hold time of 1 s is Unacceptable Hold Time", {"hold_time": 1}, 6, u16(1)),
    ("RFC 4271 §6.2: a hold time of 2 s is Unacceptable Hold Time", {"hold_time": 2}, 6, u16(2)),
    ("RFC 6286 §2.2: BGP Identifier 0 is Bad BGP Identifier",
     {"router_id": "0.0.0.0"}, 3, bytes(4)),
    ("RFC 4271 §6.2: optional parameter 1 (authentication) is Unsupported Optional Parameter",
     parameters(parameter(b"\0", kind=1)), 4, None),
    ("RFC 4271 §6.2: optional parameter 3 is Unsupported Optional Parameter",
     parameters(parameter(b"", kind=3)), 4, None),
    ("RFC 4271 §6.2: an unknown parameter behind capabilities is Unsupported Optional Parameter",
     parameters(parameter(USUAL) + parameter(b"abc", kind=77)), 4, None),
    ("RFC 9072 §2: type 255 as second parameter is Unsupported Optional Parameter",
     parameters(parameter(USUAL) + parameter(b"ab", kind=255)), 4, None),
    ("RFC 9072 §2: an unknown parameter in the extended form is Unsupported Optional Parameter",
     {"parameters": extended_parameters(b"x", kind=9)}, 4, None),
    ("RFC 5492 §4: a parameter beyond the message is a malformed OPEN",
     {"parameters": short_parameters(u8(2, 20) + multiprotocol(IPV4))}, 0, b""),
    ("RFC 4271 §6.2: a parameter of a single octet is a malformed OPEN",
     {"parameters": short_parameters(u8(2))}, 0, b""),
    ("RFC 5492 §4: a capability beyond its parameter is a malformed OPEN",
     parameters(parameter(USUAL + u8(64, 9, 0))), 0, b""),
    ("RFC 5492 §4: a capability of a single octet is a malformed OPEN",
     parameters(parameter(USUAL + u8(2))), 0, b""),
    ("RFC 4271 §6.2: parameters longer than their length say a malformed OPEN",
     {"parameters": u8(4) + parameter(USUAL)}, 0, b""),
    ("RFC 4271 §6.2: parameters shorter than their length say a malformed OPEN",
     {"parameters": u8(200) + parameter(USUAL)}, 0, b""),
    ("RFC 4271 §6.2: parameter length 0 with octets behind it is a malformed OPEN",
     {"parameters": u8(0) + parameter(USUAL)}, 0, b""),
    ("RFC 9072 §2: an extended length beyond the message is a malformed OPEN",
     {"parameters": u8(255, 255) + u16(400) + u8(2) + u16(len(USUAL)) + USUAL}, 0, b""),
    ("RFC 9072 §2: an extended length short of the message is a malformed OPEN",
     {"parameters": u8(255, 255) + u16(2) + u8(2) + u16(len(USUAL)) + USUAL}, 0, b""),
    ("RFC 9072 §2: an extended parameter beyond the message is a malformed OPEN",
     {"parameters": u8(255, 255) + u16(5) + u8(2) + u16(9) + b"ab"}, 0, b""),
    ("RFC 9072 §2: an extended form without its length is a malformed OPEN",
     {"parameters": u8(1, 255)}, 0, b""),
    ("RFC 4760 §8: a multiprotocol capability of 3 octets is a malformed OPEN",
     capabilities(capability(1, b"\0\1\0") + four_octet_asn(65001)), 0, b""),
    ("RFC 6793 §3: a four-octet AS capability of 2 octets is a malformed OPEN",
     capabilities(multiprotocol(IPV4) + capability(65, u16(65001))), 0, b""),
    ("RFC 5492 §5: no family in common is Unsupported Capability with those that we need",
     capabilities(multiprotocol((1, 128)) + four_octet_asn(65001)), 7,
     multiprotocol(IPV4) + multiprotocol(IPV6)),
])(refuses)

rows([
    ("RFC 5492 §5: only IPv6 towards an IPv4 speaker is Unsupported Capability with 1/1",
     capabilities(multiprotocol(IPV6) + four_octet_asn(65001)), 7, multiprotocol(IPV4)),
], peer={"families": ["ipv4"]})(refuses)

rows([
    ("RFC 6286 §2.2: our own BGP Identifier is Bad BGP Identifier on iBGP",
     {"router_id": "10.255.0.1"}, 3, None),
    ("RFC 4271 §6.2: a foreign AS number from an internal peer is Bad Peer AS",
     {"asn": 65002}, 2, u32(65002)),
], kind=INTERNAL)(refuses)


@case("asn = \"external\": our own AS number is Bad Peer AS", peer={"asn": "external"})
def external_own(stage):
    refuses(stage, {"asn": 65010}, 2, u32(65010))


@case("asn = \"external\": any other AS number is accepted", peer={"asn": "external"})
def external_other(stage):
    stage.established(asn=64999)


@case("asn = \"external\": AS_TRANS without the capability is Bad Peer AS (RFC 6793 §9)",
      peer={"asn": "external"})
def external_nobody(stage):
    refuses(stage, {"asn": 23456, "parameters": u8(0)}, 2, u16(23456))


@case("asn = \"internal\": another AS number is Bad Peer AS", peer={"asn": "internal"})
def internal_other(stage):
    refuses(stage, {"asn": 65001}, 2, u32(65001))


@case("asn = \"internal\": our own AS number is accepted", peer={"asn": "internal"})
def internal_own(stage):
    stage.established(asn=65010)


# ---- accepted


def accepts(stage, changes, families=BOTH):
    connection = stage.open_sent()
    connection.send(stage.open_message(**changes), KEEPALIVE_MESSAGE)
    connection.expect_keepalive()
    updates = connection.updates_until_end_of_rib(families)
    require(len(updates) == len(families), f"{len(families)} routes expected, got {len(updates)}")
    for family in families:
        require(any(stage.is_own_route(_Body(one), family) for one in updates), f"no {family}")
    # Still up: only the answer comes.
    connection.enhanced = False
    if changes.get("refreshes", True):
        connection.send(octets.refresh(families[0]))
        connection.expect(2)


class _Body:
    def __init__(self, whole):
        self.body = whole[19:]


ONE_EACH = b"".join(
    parameter(one)
    for one in (multiprotocol(IPV4), multiprotocol(IPV6), capability(2), four_octet_asn(65001))
)
PLAIN_CAPABILITIES = usual_capabilities(65001, enhanced=False)
SIX_HUNDRED = [multiprotocol(IPV4) + multiprotocol(IPV6) + four_octet_asn(65001) + capability(2)]
SIX_HUNDRED += [capability(239, bytes(200))] * 3

rows([
    ("RFC 5492 §4: one parameter for each capability is accepted", parameters(ONE_EACH)),
    ("RFC 5492 §4: a capability parameter without capabilities is accepted",
     parameters(parameter(b"") + parameter(PLAIN_CAPABILITIES))),
    ("RFC 5492 §3: an unknown capability without data is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(239))),
    ("RFC 5492 §3: an unknown capability of 200 octets is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(239, bytes(200)))),
    ("RFC 5492 §4: the same capability twice is accepted",
     capabilities(PLAIN_CAPABILITIES + PLAIN_CAPABILITIES)),
    ("RFC 6793 §3: the four-octet capability twice with one number is accepted",
     capabilities(PLAIN_CAPABILITIES + four_octet_asn(65001))),
    ("RFC 6793 §4.1: AS_TRANS with the right number in the capability is accepted",
     {"my_as": 23456, **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 6793 §4.1: My Autonomous System that differs from the capability is accepted",
     {"my_as": 65002, **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 6286 §2.1: our own BGP Identifier is accepted on eBGP",
     {"router_id": "10.255.0.1", **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 6286 §2.1: BGP Identifier 224.0.0.1 is accepted",
     {"router_id": "224.0.0.1", **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 6286 §2.1: BGP Identifier 255.255.255.255 is accepted",
     {"router_id": "255.255.255.255", **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 4271 §4.2: a hold time of 0 s is accepted",
     {"hold_time": 0, **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 4271 §4.2: a hold time of 3 s is accepted",
     {"hold_time": 3, **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 4271 §4.2: a hold time of 65535 s is accepted",
     {"hold_time": 65535, **capabilities(PLAIN_CAPABILITIES)}),
    ("RFC 9072 §2: the extended form is accepted when the parameters are short",
     {"parameters": extended_parameters(PLAIN_CAPABILITIES)}),
    ("RFC 9072 §2: the extended form is accepted with another non-zero first length",
     {"parameters": extended_parameters(PLAIN_CAPABILITIES, first_octet=10)}),
    ("RFC 9072 §2: the extended form is accepted with the true length in the first octet",
     {"parameters": extended_parameters(PLAIN_CAPABILITIES,
                                        first_octet=len(PLAIN_CAPABILITIES) + 6)}),
    ("RFC 9072 §2: the extended form with 600 octets of parameters is accepted",
     {"parameters": extended_parameters(*SIX_HUNDRED)}),
    ("RFC 9072 §2: the extended form with one parameter of 300 octets is accepted",
     {"parameters": extended_parameters(PLAIN_CAPABILITIES + capability(239, bytes(255)))}),
    ("RFC 4724 §3: a graceful restart capability of 3 octets is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(64, bytes(3)))),
    ("RFC 4724 §3: a graceful restart capability of 1 octet is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(64, bytes(1)))),
    ("RFC 4724 §3: the graceful restart capability twice is accepted",
     capabilities(PLAIN_CAPABILITIES + capability(64, u16(90)) + capability(64, u16(0)))),
    ("RFC 2918 §2: a route refresh capability with data is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(2, b"x"))),
    ("RFC 7313 §3.1: an enhanced route refresh capability with data is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(70, b"x"))),
    ("RFC 8950 §4: an extended next hop capability of 5 octets is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(5, bytes(5)))),
    ("RFC 7911 §4: an ADD-PATH capability of 3 octets is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(69, bytes(3)))),
    ("RFC 7911 §4: an ADD-PATH capability with value 4 is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(69, u16(1) + u8(1, 4)))),
    ("RFC 9234 §4.2: a role is ignored when none is configured",
     capabilities(PLAIN_CAPABILITIES + capability(9, u8(3)))),
    ("RFC 9234 §4.2: a role capability of 2 octets is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(9, u8(3, 3)))),
    ("RFC 8654 §3: the extended message capability is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(6))),
    ("RFC 9494 §3: the long-lived graceful restart capability is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(71, u16(1) + u8(1, 0, 0, 0, 9)))),
    ("RFC 5291 §4: the outbound route filtering capability is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(3, u16(1) + u8(0, 1, 1, 64, 3)))),
    ("Capability 67 (dynamic capability) is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(67, u8(1, 2)))),
    ("Capability 73 (FQDN) is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(73, u8(3) + b"tor" + u8(0)))),
    ("Capability 73 (FQDN) with lengths beyond it is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(73, u8(200) + b"tor"))),
    ("Capability 128 (route refresh before the standard) is ignored",
     capabilities(PLAIN_CAPABILITIES + capability(128))),
    ("RFC 4760 §8: families that we do not know are ignored beside those that we do",
     capabilities(PLAIN_CAPABILITIES + multiprotocol((25, 70)) + multiprotocol((1, 128)))),
    ("RFC 4760 §8: the reserved octet of the multiprotocol capability is ignored",
     capabilities(capability(1, b"\0\1\xff\1") + capability(1, b"\0\2\xff\1")
                  + capability(2) + four_octet_asn(65001))),
])(accepts)

rows([
    ("RFC 4271 §4.2: an OPEN without parameters means IPv4 unicast", {"parameters": u8(0)}),
    ("RFC 5492 §4: capabilities without multiprotocol mean IPv4 unicast",
     capabilities(capability(2) + four_octet_asn(65001))),
    ("RFC 4760 §8: a peer with IPv4 alone is up and gets no IPv6",
     capabilities(multiprotocol(IPV4) + capability(2) + four_octet_asn(65001))),
    ("RFC 4760 §8: a peer without four-octet AS numbers is up",
     capabilities(multiprotocol(IPV4) + capability(2))),
])(lambda stage, changes: accepts(stage, changes, (IPV4,)))

rows([
    ("RFC 4760 §8: a peer with IPv6 alone is up and gets no IPv4",
     capabilities(multiprotocol(IPV6) + capability(2) + four_octet_asn(65001))),
])(lambda stage, changes: accepts(stage, changes, (IPV6,)))


@case("RFC 4760 §8: the family that the router lacks is shown")
def missing_family(stage):
    stage.established(families=(IPV4,))
    require(stage.status()["families"] == ["ipv4"], str(stage.status()))


@case("RFC 6793 §4.1: a four-octet AS number of the peer is accepted with AS_TRANS",
      peer={"asn": 4200000055})
def four_octet_peer(stage):
    stage.established()


@case("RFC 6793 §4.1: a four-octet AS number of the peer cannot come without the capability",
      peer={"asn": 4200000055})
def four_octet_peer_without(stage):
    refuses(stage, {"my_as": 23456, "parameters": u8(0)}, 2, u16(23456))


@case("RFC 6793 §3: a speaker with a four-octet number accepts an old one", kind=BIG)
def old_peer_of_big(stage):
    stage.established(families=(IPV4,), capabilities=multiprotocol(IPV4))


# ---- roles (RFC 9234)

ROLES = {"provider": 0, "rs-server": 1, "rs-client": 2, "customer": 3, "peer": 4}


@rows([
    ("RFC 9234 §4.2: customer and provider fit", 0, True),
    ("RFC 9234 §4.2: customer and customer are Role Mismatch", 3, False),
    ("RFC 9234 §4.2: customer and peer are Role Mismatch", 4, False),
    ("RFC 9234 §4.2: customer and route server are Role Mismatch", 1, False),
    ("RFC 9234 §4.2: customer and an unknown role are Role Mismatch", 9, False),
    ("RFC 9234 §4.2: no role of the peer is accepted", None, True),
], peer={"role": "customer"})
def role(stage, theirs, fits):
    octets_of_role = b"" if theirs is None else capability(9, u8(theirs))
    changes = capabilities(USUAL + octets_of_role)
    if fits:
        stage.established(**changes)
    else:
        refuses(stage, changes, 11, b"")


@case("RFC 9234 §4.2: two different roles are Role Mismatch", peer={"role": "customer"})
def two_roles(stage):
    refuses(stage, capabilities(USUAL + capability(9, u8(0)) + capability(9, u8(1))), 11, b"")


@case("RFC 9234 §4.2: the same role twice is one role", peer={"role": "customer"})
def same_roles(stage):
    stage.established(capabilities=USUAL + capability(9, u8(0)) * 2)


@case("RFC 9234 §4.1: a configured role is in our OPEN", peer={"role": "customer"})
def role_sent(stage):
    connection = stage.connect()
    body = connection.expect_open().body
    require(body.endswith(u8(9, 1, 3)), body.hex())
