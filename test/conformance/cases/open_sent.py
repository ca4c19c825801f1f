# SPDX-License-Identifier: Apache-2.0
"""Our OPEN, octet for octet."""

from .. import octets
from ..catalogue import BIG, INTERNAL, case, rows
from ..connection import require
from ..octets import capability, four_octet_asn, ip, multiprotocol, u8, u16

IPV4, IPV6 = octets.IPV4, octets.IPV6
REFRESHES = capability(2) + capability(70)
HELPER = capability(64, u16(0))


def receive_paths(*families):
    return capability(69, b"".join(u16(afi) + u8(safi, 1) for afi, safi in families))


def body(capabilities, my_as=65010, hold_time=90):
    head = u8(4) + u16(my_as, hold_time) + ip("10.255.0.1")
    parameter = octets.parameter(capabilities)
    return head + u8(len(parameter)) + parameter


BOTH = multiprotocol(IPV4) + multiprotocol(IPV6)
TAIL = HELPER + receive_paths(IPV4, IPV6)


@case("RFC 5492 §4: our OPEN is one parameter with 1/1, 2/1, 2, 70, 65, 64 and 69")
def usual(stage):
    stage.connect().expect_open(body(BOTH + REFRESHES + four_octet_asn(65010) + TAIL))


@case("RFC 4271 §8.2.2: our OPEN is the first message after we have connected", dials=True)
def after_connecting(stage):
    stage.accept().expect_open(body(BOTH + REFRESHES + four_octet_asn(65010) + TAIL))


@case("RFC 4271 §4.2: the configured hold time is offered", peer={"hold_time": "17s"})
def hold_time(stage):
    expected = BOTH + REFRESHES + four_octet_asn(65010) + TAIL
    stage.connect().expect_open(body(expected, hold_time=17))


@case("The hold time is 9 s when nothing is configured", peer={"hold_time": None})
def default_hold_time(stage):
    expected = BOTH + REFRESHES + four_octet_asn(65010) + TAIL
    stage.connect().expect_open(body(expected, hold_time=9))


@case("RFC 4271 §4.2: hold time 0 is offered when configured", peer={"hold_time": "0s"})
def zero_hold_time(stage):
    expected = BOTH + REFRESHES + four_octet_asn(65010) + TAIL
    stage.connect().expect_open(body(expected, hold_time=0))


@case("RFC 6793 §4.1: a four-octet number is AS_TRANS in My Autonomous System", kind=BIG)
def as_trans(stage):
    expected = BOTH + REFRESHES + four_octet_asn(4200000001) + TAIL
    stage.connect().expect_open(body(expected, my_as=23456))


@rows([
    ("RFC 4760 §8: an IPv4 speaker offers IPv4 alone", IPV4),
], peer={"families": ["ipv4"]})
def one_family(stage, family):
    expected = multiprotocol(family) + REFRESHES + four_octet_asn(65010) + HELPER
    stage.connect().expect_open(body(expected + receive_paths(family)))


rows([
    ("RFC 4760 §8: an IPv6 speaker offers IPv6 alone", IPV6),
], peer={"families": ["ipv6"]})(one_family)


@case("RFC 8950 §4: the extended next hop capability has a SAFI of two octets",
      peer={"extended_next_hop": True})
def extended_next_hop(stage):
    tuple_ = capability(5, u16(1, 1, 2))
    stage.connect().expect_open(body(BOTH + tuple_ + REFRESHES + four_octet_asn(65010) + TAIL))


@case("RFC 4724 §3: the graceful restart capability lists no family, no flag and no time")
def graceful_restart(stage):
    received = stage.connect().expect_open().body
    require(b"\x40\x02\x00\x00" in received, received.hex())


@case("RFC 4271 §4.2: an internal peer gets the same OPEN", kind=INTERNAL)
def internal(stage):
    expected = BOTH + REFRESHES + four_octet_asn(65001) + TAIL
    stage.connect().expect_open(body(expected, my_as=65001))


@case("RFC 4271 §8.2.2: nothing but OPEN comes before the OPEN of the peer")
def nothing_else(stage):
    stage.open_sent().expect_quiet(1.5, keepalives=False)
