# SPDX-License-Identifier: Apache-2.0
"""RFC 2918 and RFC 7313: the whole Adj-RIB-Out again, bracketed when both sides can."""

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import IPV4, IPV6, message, refresh, u8, u16
from .update_sent import classic, ipv6

PLAIN = octets.usual_capabilities(65001, enhanced=False)


@rows([
    ("RFC 7313 §4: a request for IPv4 is answered by BoRR, the routes and EoRR", IPV4, classic),
    ("RFC 7313 §4: a request for IPv6 is answered by BoRR, the routes and EoRR", IPV6, ipv6),
])
def bracketed(stage, family, route):
    connection = stage.established()
    connection.send(refresh(family))
    for expected in (refresh(family, 1), route(stage), refresh(family, 2)):
        connection.expect_message(expected)
    connection.expect_quiet(0.5)


@rows([
    ("RFC 2918 §4: without the enhanced capability the IPv4 routes come alone", IPV4, classic),
    ("RFC 2918 §4: without the enhanced capability the IPv6 routes come alone", IPV6, ipv6),
])
def plain(stage, family, route):
    connection = stage.established(capabilities=PLAIN)
    connection.send(refresh(family))
    connection.expect_message(route(stage))
    connection.expect_quiet(0.5)


@case("RFC 2918 §4: a request is answered even when the peer did not send the capability")
def without_capability(stage):
    capabilities = octets.multiprotocol(IPV4) + octets.four_octet_asn(65001)
    connection = stage.established(families=(IPV4,), capabilities=capabilities)
    connection.send(refresh())
    connection.expect_message(classic(stage))


@rows([
    (f"RFC 2918 §3: without the enhanced capability a reserved octet of {octet} is ignored", octet)
    for octet in (1, 2, 255)
])
def reserved_octet(stage, octet):
    connection = stage.established(capabilities=PLAIN)
    connection.send(refresh(IPV4, octet))
    connection.expect_message(classic(stage))
    connection.expect_quiet(0.3)


@case("RFC 7313 §4: what does not come again between BoRR and EoRR of the peer is gone")
def purge(stage):
    connection = stage.established()
    prefixes = {IPV4: f"{stage.node.vip4}/32", IPV6: f"{stage.node.vip6}/128"}
    head = octets.origin() + octets.as_path(65001)
    route = octets.update(attributes=head + octets.next_hop(stage.router),
                          routes=octets.nlri(prefixes[IPV4]))
    connection.send(route, octets.update(
        attributes=octets.reach(octets.nlri(prefixes[IPV6]), octets.ip("2001:db8::1")) + head))
    stage.barrier(connection)
    require(set(stage.paths()) == set(prefixes.values()), str(stage.paths()))
    connection.send(refresh(IPV4, 1), route, refresh(IPV4, 2), refresh(IPV6, 1))
    stage.barrier(connection)
    require(set(stage.paths()) == set(prefixes.values()), str(stage.paths()))
    connection.send(refresh(IPV6, 2))
    stage.barrier(connection)
    require(set(stage.paths()) == {prefixes[IPV4]}, str(stage.paths()))
    connection.send(refresh(IPV4, 1), refresh(IPV4, 2))
    stage.barrier(connection)
    require(not stage.paths(), str(stage.paths()))


@rows([
    ("RFC 2918 §4: a request for 1/128 is ignored", refresh((1, 128))),
    ("RFC 2918 §4: a request for an unknown family is ignored", refresh((16388, 71))),
    ("RFC 7313 §5: an unknown subtype is ignored", refresh(IPV4, 9)),
    ("RFC 7313 §5: subtype 255 is ignored", refresh(IPV4, 255)),
    ("RFC 7313 §4: BoRR of the peer is accepted", refresh(IPV4, 1)),
    ("RFC 7313 §4: EoRR of the peer is accepted", refresh(IPV4, 2)),
    ("RFC 7313 §4: EoRR without BoRR is accepted", refresh(IPV6, 2)),
    ("RFC 5291 §5: a request with outbound filters is refused as too long", None),
])
def ignored(stage, sent):
    connection = stage.established()
    if sent is None:
        long = message(5, u16(1) + u8(0, 1, 1, 64) + u16(0))
        connection.send(long)
        connection.expect_notification(7, 1, long)
        return
    connection.send(sent)
    connection.expect_quiet(0.4)
    stage.barrier(connection)


@case("RFC 2918 §4: a request for a family that was not negotiated is ignored")
def not_negotiated(stage):
    connection = stage.established(families=(IPV4,))
    connection.send(refresh(IPV6))
    connection.expect_quiet(0.4)
    stage.barrier(connection)


@rows([
    ("RFC 7313 §5: a request of 3 octets is error 7/1 with the whole message",
     message(5, u16(1) + u8(0))),
    ("RFC 7313 §5: a request of 5 octets is error 7/1 with the whole message",
     message(5, u16(1) + u8(0, 1, 0))),
    ("RFC 7313 §5: a request without a body is error 7/1 with the whole message", message(5)),
    ("RFC 7313 §5: BoRR of 5 octets is error 7/1 with the whole message",
     message(5, u16(1) + u8(1, 1, 0))),
])
def bad_length(stage, bad):
    connection = stage.established()
    connection.send(bad)
    connection.expect_notification(7, 1, bad)


@case("RFC 4271 §6.1: a request of 3 octets is Bad Message Length without the enhanced capability")
def bad_length_plain(stage):
    connection = stage.established(capabilities=PLAIN)
    connection.send(message(5, u16(1) + u8(0)))
    connection.expect_notification(1, 2, u16(22))


@case("RFC 7313 §4: requests that come together are answered, each family once or more")
def together(stage):
    connection = stage.established()
    connection.send(refresh(IPV4), refresh(IPV6), refresh(IPV4))
    got = [connection.read("answer").whole for _ in range(6)]
    require(set(got) == {refresh(IPV4, 1), classic(stage), refresh(IPV4, 2),
                         refresh(IPV6, 1), ipv6(stage), refresh(IPV6, 2)}, str(got))


@case("RFC 7313 §4: a soft reset sends all routes again, without End-of-RIB")
def soft(stage):
    connection = stage.established()
    stage.node.post(f"/v1/peers/{stage.name}/reset", {"soft": True})
    got = {connection.read("route").whole for _ in range(6)}
    require({classic(stage), ipv6(stage), refresh(IPV4, 2), refresh(IPV6, 2)} <= got, str(got))
    connection.expect_quiet(0.4)


@case("RFC 7313 §4: a request before our End-of-RIB gets no BoRR, and End-of-RIB still comes")
def before_end_of_rib(stage):
    connection = stage.open_sent()
    connection.send(stage.open_message(), octets.KEEPALIVE_MESSAGE, refresh(IPV4))
    got = []
    while octets.END_OF_RIB[IPV6] not in got:
        got.append(connection.read("End-of-RIB").whole)
    first = got.index(octets.END_OF_RIB[IPV4])
    require(refresh(IPV4, 1) not in got[:first], "BoRR before End-of-RIB")
    require(classic(stage) in got, "no route")
