# SPDX-License-Identifier: Apache-2.0
"""RFC 4271 §10, RFC 9687: hold time, KEEPALIVEs, and how long to wait for an OPEN."""

import time

from .. import octets
from ..catalogue import case, rows
from ..connection import require
from ..octets import KEEPALIVE, KEEPALIVE_MESSAGE

SLACK = 1.5  # a loaded machine


def require_between(low, value, high, what):
    require(low <= value <= high, f"{what}: {value:.2f} s, expected {low:g} to {high:g} s")


@case("RFC 4271 §8.2.2: without an OPEN the connection ends with 4/0 at open_hold",
      peer={"open_hold": "10s"}, slow=True)
def no_open(stage):
    connection = stage.open_sent()
    begin = connection.opened_at
    connection.expect_notification(4, 0, b"", 20)
    require_between(9.7, time.monotonic() - begin, 10 + SLACK, "open hold")


@case("RFC 4271 §8.2.2: without KEEPALIVE OpenConfirm ends with 4/0 at the negotiated hold time")
def no_keepalive(stage):
    connection = stage.open_confirm(hold_time=3)
    begin = time.monotonic()
    connection.expect_notification(4, 0, b"", 8)
    require_between(2.8, time.monotonic() - begin, 3 + SLACK, "hold time")


@case("RFC 4271 §8.2.2: with hold time 0 OpenConfirm ends with 4/0 at open_hold, Established never",
      peer={"open_hold": "10s"}, slow=True)
def no_keepalive_without_hold(stage):
    connection = stage.open_confirm(hold_time=0)
    begin = connection.opened_at
    connection.expect_notification(4, 0, b"", 20)
    require_between(9.7, time.monotonic() - begin, 10 + SLACK, "open hold")
    connection = stage.established(hold_time=0)
    connection.expect_quiet(12, keepalives=False)
    stage.barrier(connection)


@case("RFC 4271 §6.5: silence in Established ends with 4/0 at the hold time, not before")
def silence(stage):
    connection = stage.established(hold_time=3)
    begin = time.monotonic()
    connection.expect_notification(4, 0, b"", 8)
    require_between(2.7, time.monotonic() - begin, 3 + SLACK, "hold time")


@case("RFC 4271 §4.2: the smaller hold time counts, when it is ours", peer={"hold_time": "3s"})
def own_hold_time(stage):
    connection = stage.established(hold_time=90)
    begin = time.monotonic()
    connection.expect_notification(4, 0, b"", 8)
    require_between(2.7, time.monotonic() - begin, 3 + SLACK, "hold time")


@rows([
    ("RFC 4271 §8.2.2: UPDATEs alone keep the session up",
     octets.update(octets.nlri("203.0.113.0/24"))),
    ("RFC 4271 §8.2.2: KEEPALIVEs alone keep the session up", KEEPALIVE_MESSAGE),
])
def sign_of_life(stage, message):
    connection = stage.established(hold_time=3)
    for _ in range(6):
        connection.send(message)
        connection.expect_quiet(1.0, keepalives=True)
    connection.send(KEEPALIVE_MESSAGE)
    stage.barrier(connection)


def intervals(stage, hold_time, count, family=octets.IPV4):
    connection = stage.established(hold_time=hold_time)
    times = []
    while len(times) < count + 1:
        received = connection.read("KEEPALIVE", keepalives=True)
        require(received.kind == KEEPALIVE, str(received))
        times.append(received.at)
        connection.send(KEEPALIVE_MESSAGE)
    return [later - earlier for earlier, later in zip(times, times[1:])]


@case("RFC 4271 §4.4: at a hold time of 3 s KEEPALIVEs come each second, never faster")
def fastest(stage):
    for interval in intervals(stage, 3, 4):
        require_between(0.9, interval, 1.0 + 0.5, "interval")


@case("RFC 4271 §10: KEEPALIVEs come at 75 to 100 % of a third of the hold time, varying",
      slow=True)
def jitter(stage):
    found = intervals(stage, 9, 4)
    for interval in found:
        require_between(2.2, interval, 3.0 + 0.5, "interval")
    require(max(found) - min(found) > 0.005, f"no jitter: {found}")


@rows([
    ("RFC 4271 §4.2: hold time 0 from the peer means no KEEPALIVE and no hold timer", 0),
])
def zero(stage, hold_time):
    connection = stage.established(hold_time=hold_time)
    connection.expect_quiet(10, keepalives=False)
    stage.barrier(connection)


@case("RFC 4271 §4.2: hold time 0 of our own means no KEEPALIVE and no hold timer",
      peer={"hold_time": "0s"})
def own_zero(stage):
    connection = stage.established(hold_time=90)
    connection.expect_quiet(10, keepalives=False)
    stage.barrier(connection)


@case("RFC 4271 §4.2: the larger hold time of the peer changes nothing", peer={"hold_time": "9s"})
def large(stage):
    connection = stage.established(hold_time=65535)
    require(stage.status()["hold_time_s"] == 9, str(stage.status()["hold_time_s"]))
    stage.barrier(connection)


@case("RFC 4271 §8.2.2: attempts that nobody answers follow each other by connect_timeout",
      peer={"connect_timeout": "1s"}, dials=True)
def refused(stage):
    stage.listener.close()
    time.sleep(1.5)
    stage.listener = stage.network.listen(stage.router)
    begin = time.monotonic()
    stage.open_sent(stage.accept())
    require(time.monotonic() - begin < 3, "no attempt within 3 s")
