# SPDX-License-Identifier: Apache-2.0
"""RFC 4271 §6.1: message headers, in every state in which a connection exists."""

import time

from .. import octets
from ..catalogue import case, rows
from ..octets import KEEPALIVE_MESSAGE, MARKER, message, u8, u16

STATES = ("OpenSent", "OpenConfirm", "Established")


def reach(stage, state):
    steps = {"OpenSent": stage.open_sent, "OpenConfirm": stage.open_confirm}
    return steps.get(state, stage.established)()


def _marker(position):
    return MARKER[:position] + b"\0" + MARKER[position + 1 :]


BAD = [
    (f"marker with octet {at} zero is Connection Not Synchronized without data",
     message(4, marker=_marker(at)), 1, b"")
    for at in (0, 7, 15)
] + [
    (f"length {length} is Bad Message Length with the length as data",
     message(4, length=length), 2, u16(length))
    for length in (0, 18, 4097, 65535)
] + [
    (f"type {kind} is Bad Message Type with the type as data", message(kind), 3, u8(kind))
    for kind in (0, 6, 255)
] + [
    ("length 18 of 18 octets, without a type, is Bad Message Length at once",
     MARKER + u16(18), 2, u16(18)),
    ("length 4097 of 18 octets, without a type, is Bad Message Length at once",
     MARKER + u16(4097), 2, u16(4097)),
    ("a marker of one octet that is not all ones is Connection Not Synchronized at once",
     b"\xfe", 1, b""),
    ("KEEPALIVE of 20 octets is Bad Message Length", message(4, b"\0"), 2, u16(20)),
    ("OPEN of 28 octets is Bad Message Length", message(1, bytes(9)), 2, u16(28)),
    ("UPDATE of 22 octets is Bad Message Length", message(2, bytes(3)), 2, u16(22)),
    ("UPDATE that claims 4097 octets is Bad Message Length",
     message(2, bytes(4), length=4097), 2, u16(4097)),
    ("a bad marker comes before a bad length and type",
     message(9, length=5, marker=_marker(3)), 1, b""),
    ("a bad length comes before a bad type", message(9, length=5), 2, u16(5)),
]


@rows([
    (f"RFC 4271 §6.1: {name} ({state})", state, bad, subcode, data)
    for state in STATES for name, bad, subcode, data in BAD
])
def bad_header(stage, state, bad, subcode, data):
    connection = reach(stage, state)
    connection.send(bad)
    connection.expect_notification(1, subcode, data)


@rows([
    (f"RFC 4271 §6.4: a NOTIFICATION of 20 octets is never answered ({state})", state)
    for state in STATES
])
def short_notification(stage, state):
    connection = reach(stage, state)
    connection.send(message(3, b"\6"))
    connection.expect_end()


@case("RFC 4271 §4.1: messages cut at every octet are the same messages")
def split(stage):
    connection = stage.open_sent()
    for octet in stage.open_message() + KEEPALIVE_MESSAGE:
        connection.send(u8(octet))
        time.sleep(0.0005)
    connection.expect_keepalive()
    connection.updates_until_end_of_rib(((1, 1), (2, 1)))
    connection.enhanced = True
    stage.barrier(connection)


@case("RFC 4271 §4.1: OPEN and a hundred KEEPALIVEs in one segment are handled one by one")
def coalesced(stage):
    connection = stage.open_sent()
    connection.send(stage.open_message(), *[KEEPALIVE_MESSAGE] * 100)
    connection.expect_keepalive()
    connection.updates_until_end_of_rib(((1, 1), (2, 1)))
    connection.enhanced = True
    stage.barrier(connection)


@case("RFC 4271 §4.1: an UPDATE of 4096 octets is accepted")
def longest(stage):
    connection = stage.established()
    filler = octets.attribute(200, bytes(4096 - 23 - 4), octets.TRANSITIVE)
    longest_update = octets.update(attributes=filler)
    assert len(longest_update) == 4096
    connection.send(longest_update)
    stage.barrier(connection)


@case("RFC 4271 §6.1: what follows a message with an error is not handled")
def behind_error(stage):
    connection = stage.established()
    connection.send(message(0), octets.refresh(), octets.notification(6, 2))
    connection.expect_notification(1, 3, b"\0")


@case("RFC 8654: messages above 4096 octets stay refused, the capability is not offered")
def extended_messages(stage):
    capabilities = octets.usual_capabilities(65001) + octets.capability(6)
    connection = stage.established(capabilities=capabilities)
    assert octets.capability(6) not in connection.peer_open[10:]
    connection.send(message(2, bytes(4), length=5000))
    connection.expect_notification(1, 2, u16(5000))
