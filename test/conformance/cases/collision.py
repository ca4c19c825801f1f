# SPDX-License-Identifier: Apache-2.0
"""RFC 4271 §6.8 and RFC 6286 §2.3: two connections of one peer."""

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import KEEPALIVE_MESSAGE, capability, u8, u16

LARGER, SMALLER = "10.255.0.9", "10.254.0.1"  # than ours
EQUAL = "10.255.0.1"


def proceeds(stage, connection):
    connection.send(KEEPALIVE_MESSAGE)
    connection.updates_until_end_of_rib((octets.IPV4, octets.IPV6))
    connection.enhanced = True
    stage.barrier(connection)


@rows([
    ("RFC 4271 §6.8: with the larger identifier ours, the inbound connection is closed",
     SMALLER, False, "outgoing"),
    ("RFC 4271 §6.8: with the larger identifier ours, the inbound one is closed, being the older",
     SMALLER, True, "outgoing"),
    ("RFC 4271 §6.8: with the smaller identifier ours, our connection is closed",
     LARGER, False, "incoming"),
    ("RFC 4271 §6.8: with the smaller identifier ours, our connection is closed, being the newer",
     LARGER, True, "incoming"),
    ("RFC 6286 §2.3: of equal identifiers the larger AS number decides",
     EQUAL, False, "outgoing"),
    ("RFC 6286 §2.3: of equal identifiers the larger AS number decides, whichever is newer",
     EQUAL, True, "outgoing"),
], dials=True)
def both_confirmed(stage, router_id, incoming_first, winner):
    outgoing = stage.open_sent(stage.accept())
    incoming = stage.open_sent(stage.dial())
    pair = {"outgoing": outgoing, "incoming": incoming}
    order = (incoming, outgoing) if incoming_first else (outgoing, incoming)
    order[0].send(stage.open_message(router_id=router_id))
    order[0].expect_keepalive()
    order[1].send(stage.open_message(router_id=router_id))
    kept = pair.pop(winner)
    (lost,) = pair.values()
    lost.expect_notification(6, 7)
    if kept is order[1]:
        kept.expect_keepalive()
    proceeds(stage, kept)


@case("RFC 6286 §2.3: of equal identifiers the larger AS number decides, also when it is theirs",
      peer={"asn": 65100}, dials=True)
def their_as_is_larger(stage):
    both_confirmed(stage, EQUAL, False, "incoming")


@rows([
    ("RFC 4271 §6.8: a second connection while Established is closed with Cease 7", False),
    ("RFC 4271 §6.8: a second connection while we called and are Established is Cease 7", True),
], dials=True)
def while_established(stage, we_called):
    if we_called:
        first = stage.established(stage.accept())
    else:
        first = stage.established(stage.dial())
    second = stage.dial()
    received = second.read("OPEN or NOTIFICATION")
    if received.kind == octets.OPEN:
        second.send(stage.open_message())
        second.expect_notification(6, 7)
    else:
        require(received.body == u8(6, 7), str(received))
        second.expect_end()
    stage.barrier(first)


@rows([
    ("RFC 4724 §5: a new connection of a restarting router replaces the Established inbound one",
     False),
    ("RFC 4724 §5: a new connection of a restarting router replaces the Established one of ours",
     True),
], dials=True)
def restarted_router(stage, we_called):
    tuples = capability(64, u16(120) + u16(1) + u8(1, 0))
    changes = {"capabilities": octets.usual_capabilities(65001) + tuples}
    first = stage.established(stage.accept() if we_called else stage.dial(), **changes)
    second = stage.established(stage.dial(), **changes)
    first.expect_end()
    stage.barrier(second)


@case("RFC 4724 §5: graceful restart without a family replaces nothing", dials=True)
def helper_router(stage):
    changes = {"capabilities": octets.usual_capabilities(65001) + capability(64, u16(0))}
    first = stage.established(stage.accept(), **changes)
    second = stage.dial()
    received = second.read("OPEN or NOTIFICATION")
    if received.kind == octets.OPEN:
        second.send(stage.open_message(**changes))
        second.expect_notification(6, 7)
    stage.barrier(first)


@case("RFC 4271 §6.8: an inbound session makes us stop calling", dials=True)
def stops_calling(stage):
    outgoing = stage.open_sent(stage.accept())
    outgoing.abort()
    stage.established(stage.dial())
    stage.expect_no_attempt(3)


@case("RFC 4271 §6.8: the connection that waits for OPEN does not harm the other", dials=True)
def other_waits(stage):
    outgoing = stage.open_sent(stage.accept())
    incoming = stage.open_confirm(stage.dial())
    proceeds(stage, incoming)
    # Now its OPEN comes: the other is Established.
    outgoing.send(stage.open_message())
    outgoing.expect_notification(6, 7)
    stage.barrier(incoming)


@case("A second inbound connection before OPEN replaces the first")
def second_inbound(stage):
    stage.open_sent(stage.dial())
    stage.established(stage.dial())


@case("RFC 4271 §6.8: a second inbound connection in OpenConfirm is closed with Cease 7")
def inbound_in_open_confirm(stage):
    first = stage.open_confirm(stage.dial())
    stage.dial().expect_notification(6, 7)
    proceeds(stage, first)
