# SPDX-License-Identifier: Apache-2.0
"""BGP messages as octets, right and wrong ones alike: nothing here checks anything."""

import dataclasses
import ipaddress
import struct

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
NAMES = {1: "OPEN", 2: "UPDATE", 3: "NOTIFICATION", 4: "KEEPALIVE", 5: "ROUTE-REFRESH"}

AS_TRANS = 23456
IPV4, IPV6 = (1, 1), (2, 1)

WELL_KNOWN, TRANSITIVE, OPTIONAL = 0x40, 0xC0, 0x80


def u8(*values):
    return bytes(values)


def u16(*values):
    return struct.pack(f"!{len(values)}H", *values)


def u32(*values):
    return struct.pack(f"!{len(values)}I", *values)


def ip(text):
    return ipaddress.ip_address(text).packed


@dataclasses.dataclass(frozen=True)
class Message:
    at: float  # time.monotonic() when its last octet was read
    kind: int
    body: bytes

    def __str__(self):
        return f"{NAMES.get(self.kind, self.kind)} {self.body.hex()}"

    @property
    def whole(self):
        return message(self.kind, self.body)


def message(kind, body=b"", length=None, marker=MARKER):
    """`length`: what the header says, when it is not the truth."""
    return marker + u16(19 + len(body) if length is None else length) + u8(kind) + body


KEEPALIVE_MESSAGE = message(KEEPALIVE)

# ---- OPEN


def capability(code, value=b""):
    return u8(code, len(value)) + value


def multiprotocol(family):
    return capability(1, u16(family[0]) + u8(0, family[1]))


def four_octet_asn(asn):
    return capability(65, u32(asn))


ROUTE_REFRESH_CAPABILITY = capability(2)
ENHANCED_REFRESH_CAPABILITY = capability(70)


def usual_capabilities(asn, families=(IPV4, IPV6), enhanced=True):
    octets = b"".join(multiprotocol(family) for family in families)
    octets += ROUTE_REFRESH_CAPABILITY + four_octet_asn(asn)
    return octets + (ENHANCED_REFRESH_CAPABILITY if enhanced else b"")


def parameter(value, kind=2):
    return u8(kind, len(value)) + value


def extended_parameters(*values, first_octet=255, kind=2):
    """RFC 9072: the whole of the parameters, with the one-octet length in front."""
    inner = b"".join(u8(kind) + u16(len(value)) + value for value in values)
    return u8(first_octet, 255) + u16(len(inner)) + inner


def open_message(my_as, router_id, hold_time, parameters, version=4, length=None):
    """`parameters`: all behind the identifier, its length octet included."""
    head = u8(version) + u16(my_as, hold_time) + ip(router_id)
    return message(OPEN, head + parameters, length)


def short_parameters(octets):
    return u8(len(octets)) + octets


# ---- UPDATE


def attribute(kind, value, flags, extended=None):
    if extended is None:
        extended = len(value) > 255
    if extended:
        return u8(flags | 0x10, kind) + u16(len(value)) + value
    return u8(flags, kind, len(value)) + value


def origin(value=0):
    return attribute(1, u8(value), WELL_KNOWN)


def segment(*asns, kind=2, width=4):
    return u8(kind, len(asns)) + b"".join(asn.to_bytes(width, "big") for asn in asns)


def as_path(*asns, width=4):
    return attribute(2, segment(*asns, width=width) if asns else b"", WELL_KNOWN)


def next_hop(address):
    return attribute(3, ip(address), WELL_KNOWN)


def med(value):
    return attribute(4, u32(value), OPTIONAL)


def local_pref(value):
    return attribute(5, u32(value), WELL_KNOWN)


def nlri(*prefixes):
    octets = b""
    for text in prefixes:
        network = ipaddress.ip_network(text)
        length = network.prefixlen
        octets += u8(length) + network.network_address.packed[: (length + 7) // 8]
    return octets


def reach(routes, hop, family=IPV6, flags=OPTIONAL, extended=None):
    """MP_REACH_NLRI; `hop` and `routes` are octets."""
    value = u16(family[0]) + u8(family[1], len(hop)) + hop + u8(0) + routes
    return attribute(14, value, flags, extended)


def unreach(routes, family=IPV6, flags=OPTIONAL, extended=None):
    return attribute(15, u16(family[0]) + u8(family[1]) + routes, flags, extended)


def update(
    withdrawn=b"", attributes=b"", routes=b"", withdrawn_length=None, attributes_length=None
):
    """The lengths: what the message says, when it is not the truth."""
    if withdrawn_length is None:
        withdrawn_length = len(withdrawn)
    if attributes_length is None:
        attributes_length = len(attributes)
    body = u16(withdrawn_length) + withdrawn + u16(attributes_length) + attributes + routes
    return message(UPDATE, body)


END_OF_RIB = {IPV4: update(), IPV6: update(attributes=unreach(b""))}


def refresh(family=IPV4, subtype=0):
    return message(ROUTE_REFRESH, u16(family[0]) + u8(subtype, family[1]))


# ---- NOTIFICATION


def notification(code, subcode, data=b""):
    return message(NOTIFICATION, u8(code, subcode) + data)


def shutdown_text(text):
    octets = text.encode() if isinstance(text, str) else text
    return u8(len(octets)) + octets
