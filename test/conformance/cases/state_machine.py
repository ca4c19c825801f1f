# SPDX-License-Identifier: Apache-2.0
"""RFC 4271 §8 and RFC 6608: every message in every state, ends without a message, retries."""

import time

from .. import octets
from ..catalogue import NodeKind, case, rows
from ..connection import require
from ..network import router_address
from ..octets import IPV4, KEEPALIVE_MESSAGE, message, notification, u8
from .header import reach

UPDATE_MESSAGE = octets.update(octets.nlri("203.0.113.0/24"))
STATES = ("OpenSent", "OpenConfirm", "Established")


@rows([
    ("RFC 6608 §4: KEEPALIVE in OpenSent is FSM Error 1 with type 4 as data",
     "OpenSent", KEEPALIVE_MESSAGE, 1, 4),
    ("RFC 6608 §4: UPDATE in OpenSent is FSM Error 1 with type 2 as data",
     "OpenSent", UPDATE_MESSAGE, 1, 2),
    ("RFC 6608 §4: ROUTE-REFRESH in OpenSent is FSM Error 1 with type 5 as data",
     "OpenSent", octets.refresh(), 1, 5),
    ("RFC 6608 §4: a malformed UPDATE in OpenSent is FSM Error 1",
     "OpenSent", octets.update(withdrawn_length=900), 1, 2),
    ("RFC 6608 §4: UPDATE in OpenConfirm is FSM Error 2 with type 2 as data",
     "OpenConfirm", UPDATE_MESSAGE, 2, 2),
    ("RFC 6608 §4: End-of-RIB in OpenConfirm is FSM Error 2 with type 2 as data",
     "OpenConfirm", octets.update(), 2, 2),
    ("RFC 6608 §4: ROUTE-REFRESH in OpenConfirm is FSM Error 2 with type 5 as data",
     "OpenConfirm", octets.refresh(), 2, 5),
])
def unexpected(stage, state, sent, subcode, kind):
    connection = reach(stage, state)
    connection.send(sent)
    connection.expect_notification(5, subcode, u8(kind))


@rows([
    ("RFC 6608 §4: OPEN in OpenConfirm is FSM Error 2 with type 1 as data", "OpenConfirm", 2),
    ("RFC 6608 §4: OPEN in Established is FSM Error 3 with type 1 as data", "Established", 3),
])
def second_open(stage, state, subcode):
    connection = reach(stage, state)
    connection.send(stage.open_message())
    connection.expect_notification(5, subcode, u8(1))


@case("RFC 4271 §8.2.2: a good OPEN is answered with KEEPALIVE alone")
def open_confirm(stage):
    connection = stage.open_confirm()
    connection.expect_quiet(1.0, keepalives=False)
    require(stage.status()["state"] == "OpenConfirm", stage.status()["state"])


@case("RFC 4271 §8.2.2: KEEPALIVE in OpenConfirm makes the session Established")
def established(stage):
    stage.established()
    require(stage.status()["state"] == "Established", stage.status()["state"])


@case("RFC 4271 §8.2.2: KEEPALIVEs in Established change nothing")
def keepalives(stage):
    connection = stage.established()
    connection.send(*[KEEPALIVE_MESSAGE] * 20)
    stage.barrier(connection)


@rows([(f"RFC 4271 §6.4: NOTIFICATION in {state} ends the connection without an answer", state)
       for state in STATES])
def notified(stage, state):
    connection = reach(stage, state)
    connection.send(notification(6, 4))
    connection.expect_end("fin")


@rows([(f"RFC 4271 §8.2.2: the end of TCP in {state} ends the connection without NOTIFICATION",
        state) for state in STATES])
def tcp_end(stage, state):
    connection = reach(stage, state)
    connection.finish()
    connection.expect_end()


@rows([(f"RFC 4271 §8.2.2: a reset of TCP in {state} leaves the peer able to come back", state)
       for state in STATES])
def tcp_reset(stage, state):
    reach(stage, state).abort()
    stage.established()


@case("RFC 4271 §8.2.2: TCP that ends in OpenSent is tried again, with a pause", dials=True)
def end_in_open_sent(stage):
    first = stage.open_sent()
    first.finish()
    first.expect_end()
    begin = time.monotonic()
    second = stage.open_sent()
    pause = second.opened_at - begin
    require(0.1 <= pause <= 3.0, f"again after {pause:.2f} s")


@case("RFC 4271 §8.2.2: TCP that ends in Established is tried again, with a pause", dials=True)
def end_in_established(stage):
    stage.established().close()
    begin = time.monotonic()
    second = stage.established()
    pause = second.opened_at - begin
    require(0.1 <= pause <= 3.0, f"again after {pause:.2f} s")


@case("RFC 4271 §8.2.2: a peer that closes each connection at once is not called in a storm",
      dials=True)
def storm(stage):
    begin = time.monotonic()
    count = 0
    while time.monotonic() - begin < 3.0:
        stage.accept().abort()
        count += 1
    require(5 <= count <= 20, f"{count} attempts in 3 s")


# The back-off is measured as the daemon sees it: from one end to the next connection.
@case("RFC 4271 §8.1.1: a peer that refuses every OPEN is tried after 1, 2 and 4 s",
      dials=True, slow=True)
def damped(stage):
    ended = None
    for pause in (None, 1, 2, 4):
        connection = stage.open_sent(stage.accept(8))
        if pause:
            waited = connection.opened_at - ended
            require(0.74 * pause <= waited <= 1.0 * pause + 0.7, f"{waited:.2f} s, not {pause}")
        connection.send(notification(2, 2, octets.u16(65010)))
        connection.expect_end()
        ended = time.monotonic()


@case("RFC 4271 §8.1.1: a peer whose OPEN we refuse is tried after 1 and 2 s",
      dials=True, slow=True)
def damped_own(stage):
    ended = None
    for pause in (None, 1, 2):
        connection = stage.open_sent(stage.accept(8))
        if pause:
            waited = connection.opened_at - ended
            require(0.74 * pause <= waited <= 1.0 * pause + 0.7, f"{waited:.2f} s, not {pause}")
        connection.send(stage.open_message(version=3))
        connection.expect_notification(2, 1, octets.u16(4))
        ended = time.monotonic()


@case("RFC 4271 §8.1.1: a peer that answers every OPEN with 5/1 is tried at once, then after 1 and 2 s",
      dials=True, slow=True)
def damped_after_one(stage):
    ended = None
    for low, high in ((None, None), (0, 0.9), (0.74, 1.7), (1.48, 2.7)):
        connection = stage.open_sent(stage.accept(8))
        if high:
            waited = connection.opened_at - ended
            require(low <= waited <= high, f"{waited:.2f} s, not {low} to {high} s")
        connection.send(notification(5, 1, u8(1)))
        connection.expect_end()
        ended = time.monotonic()


@case("RFC 4271 §8.1.1: a peer that sends a malformed NOTIFICATION is tried after 1 and 2 s",
      dials=True, slow=True)
def damped_silently(stage):
    ended = None
    for pause in (None, 1, 2):
        connection = stage.established(stage.accept(8))
        if pause:
            waited = connection.opened_at - ended
            require(0.74 * pause <= waited <= 1.0 * pause + 0.7, f"{waited:.2f} s, not {pause}")
        connection.send(message(octets.NOTIFICATION, u8(6)))
        connection.expect_end()
        ended = time.monotonic()


@case("An inbound connection of the peer ends its back-off", dials=True)
def inbound_ends_wait(stage):
    for _ in range(2):
        connection = stage.open_sent(stage.accept(8))
        connection.send(notification(2, 2))
        connection.expect_end()
    stage.established(stage.dial())
    stage.expect_no_attempt(3)


@case("RFC 4271 §8.1.1: a passive peer is never called", peer={"passive": True, "hold_time": "9s"},
      dials=True)
def passive(stage):
    stage.expect_no_attempt(3)
    stage.established(stage.dial())


@case("listen_port = 0: a peer is called, and cannot call",
      peer={"listen_port": 0}, kind=NodeKind("deaf"), dials=True)
def deaf(stage):
    stage.established()
    try:
        stage.dial(timeout=2).expect_end()
    except OSError:
        return


@case("RFC 4271 §8.2.2: a connection from an address that is no peer is closed without a word")
def unknown_source(stage):
    connection = stage.dial(source=router_address(0))
    connection.expect_end()


def refuses_parameters(stage, connection, has_opened):
    """A router without parameters, which may have sent its own OPEN before it read ours."""
    connection = stage.open_sent(connection)
    if has_opened:
        connection.send(stage.open_message(parameters=u8(0)) + notification(2, 4))
    else:
        connection.send(notification(2, 4))
    connection.expect_end()


def comes_up_without_parameters(stage, connection):
    body = connection.expect_open().body
    require(body[9:] == b"\0", body.hex())
    connection.send(stage.open_message(parameters=u8(0)), KEEPALIVE_MESSAGE)
    connection.expect_keepalive()
    route = connection.updates_until_end_of_rib((IPV4,))
    require(octets.as_path(65010, width=2) in route[0], route[0].hex())


@rows([
    ("RFC 5492 §3: after Unsupported Optional Parameter the next OPEN has none", False),
    ("RFC 5492 §3: the same after an OPEN of the router in the same segment", True),
], peer={"families": ["ipv4"]}, dials=True)
def fallback(stage, has_opened):
    refuses_parameters(stage, stage.accept(), has_opened)
    comes_up_without_parameters(stage, stage.accept(8))


@rows([
    ("RFC 5492 §3: after Unsupported Optional Parameter an inbound connection gets none", False),
    ("RFC 5492 §3: an inbound connection gets none either after an OPEN in the same segment", True),
], peer={"families": ["ipv4"]})
def inbound_fallback(stage, has_opened):
    refuses_parameters(stage, stage.dial(), has_opened)
    comes_up_without_parameters(stage, stage.dial())


@case("RFC 5492 §3: a speaker that needs capabilities goes on offering them", dials=True)
def no_fallback(stage):
    connection = stage.open_sent(stage.accept())
    connection.send(notification(2, 4))
    connection.expect_end()
    body = stage.accept(8).expect_open().body
    require(len(body) > 10, body.hex())


@case("RFC 5492 §3: after Unsupported Capability the peer is not called again at once", dials=True)
def unsupported_capability(stage):
    connection = stage.open_sent(stage.accept())
    connection.send(notification(2, 7, octets.capability(65, octets.u32(1))))
    connection.expect_end()
    stage.expect_no_attempt(8)
