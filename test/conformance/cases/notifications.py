# SPDX-License-Identifier: Apache-2.0
"""Received NOTIFICATIONs: how they are shown, and what follows. RFC 9003, RFC 8538, RFC 4486."""

import time

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import notification, shutdown_text, u8


def last_error(stage):
    return stage.wait_for("last_error", lambda: stage.status()["last_error"])


def receive(stage, message):
    connection = stage.established()
    connection.send(message)
    connection.expect_end("fin")
    return last_error(stage)


LONG = "shutting down for maintenance, é, " + "x" * 160


@rows([
    ("RFC 9003 §2: the message of Cease 2 is shown",
     notification(6, 2, shutdown_text("reload of tor1")), 6, 2, "reload of tor1"),
    ("RFC 9003 §2: the message of Cease 4 is shown",
     notification(6, 4, shutdown_text("clear bgp")), 6, 4, "clear bgp"),
    ("RFC 9003 §2: a message of 200 octets of UTF-8 is shown",
     notification(6, 2, shutdown_text(LONG)), 6, 2, LONG),
    ("RFC 9003 §2: a message of no octets is accepted", notification(6, 2, u8(0)), 6, 2, ""),
    ("RFC 9003 §2: Cease 2 without data is accepted", notification(6, 2), 6, 2, ""),
    ("RFC 9003 §2: a length beyond the data is accepted",
     notification(6, 2, u8(99) + b"short"), 6, 2, None),
    ("RFC 9003 §2: invalid UTF-8 is accepted",
     notification(6, 2, shutdown_text(b"a\xff\xfeb")), 6, 2, None),
    ("RFC 8538 §3.1: Hard Reset shows the reason in it",
     notification(6, 9, u8(6, 2) + shutdown_text("bye")), 6, 9, "bye"),
    ("RFC 8538 §3.1: Hard Reset without data is accepted", notification(6, 9), 6, 9, None),
    ("RFC 8538 §3.1: Hard Reset with a single octet is accepted",
     notification(6, 9, u8(6)), 6, 9, None),
    ("RFC 4271 §6.4: an unknown code is accepted", notification(99, 99, b"xyz"), 99, 99, None),
    ("RFC 9687 §5: Send Hold Timer Expired is accepted", notification(8, 0), 8, 0, None),
    ("RFC 9384 §3: Cease 10 (BFD Down) is accepted", notification(6, 10), 6, 10, None),
    ("RFC 4271 §6.5: Hold Timer Expired is accepted", notification(4, 0), 4, 0, None),
    ("RFC 4271 §6.3: an UPDATE error of ours is accepted",
     notification(3, 1, bytes(4000)), 3, 1, None),
])
def shown(stage, message, code, subcode, text):
    error = receive(stage, message)
    require((error["code"], error["subcode"]) == (code, subcode), str(error))
    require(error["sent"] is False, str(error))
    require(text is None or text in error["message"], str(error))


@case("RFC 9003 §4: control characters of a message are made harmless")
def sanitised(stage):
    error = receive(stage, notification(6, 2, shutdown_text(b"a\x1b[2Jb\ncc\0d")))
    require(not any(ord(one) < 32 for one in error["message"]), repr(error["message"]))


@rows([
    (f"RFC 4486 §4: after Cease {subcode} the peer is called again within 5 s, not at once",
     subcode)
    for subcode in (2, 3, 4, 6, 8)
], dials=True)
def deliberate(stage, subcode):
    connection = stage.established(stage.accept())
    connection.send(notification(6, subcode))
    connection.expect_end()
    begin = time.monotonic()
    again = stage.open_sent(stage.accept(8))
    require(0.6 <= again.opened_at - begin <= 6, f"{again.opened_at - begin:.2f} s")


@case("RFC 4486 §4: repeated Cease 2 never makes the pause longer than 5 s", dials=True, slow=True)
def repeated(stage):
    begin = None
    for _ in range(5):
        connection = stage.open_sent(stage.accept(8))
        if begin:
            waited = connection.opened_at - begin
            require(waited <= 5.7, f"{waited:.2f} s")
        connection.send(notification(6, 2))
        connection.expect_end()
        begin = time.monotonic()


@case("RFC 4271 §6.4: a NOTIFICATION that ends while our UPDATEs wait is understood")
def behind_updates(stage):
    connection = stage.open_confirm()
    connection.send(octets.KEEPALIVE_MESSAGE, notification(6, 4, shutdown_text("reset")))
    connection.finish()
    error = stage.wait_for("error 6/4", lambda: stage.status()["last_error"])
    require((error["code"], error["subcode"]) == (6, 4), str(error))
