# SPDX-License-Identifier: Apache-2.0
"""Whether the lab's own checks can fail: `python3 -m lab.check`, without root and fabrics.

Ends with "N passed, M failed"."""

import contextlib
import errno
import socket
import sys

from . import watch
from .process import LabError, wait_until
from .report import Report, what_is_missing

PASSED = {"scenario": "drain", "outcome": "passed"}
CANNOT = {"scenario": "upgrade", "outcome": "cannot"}


def _must_raise(what, action):
    try:
        action()
    except LabError:
        return
    raise LabError(f"{what} raises nothing")


def nothing_run():
    assert what_is_missing([], []) == "nothing was run"
    assert what_is_missing([CANNOT], []) == "nothing was run"
    assert what_is_missing([PASSED], []) == ""


def asked_for_and_not_run():
    assert "upgrade" in what_is_missing([PASSED], ["drain", "upgrade"])
    assert "upgrade" in what_is_missing([PASSED, CANNOT], ["upgrade"])
    assert what_is_missing([PASSED, {**PASSED, "outcome": "failed"}], ["drain"]) == ""


class Deaf:
    """In the place of a netlink or packet socket: the kernel has dropped something."""

    def __init__(self):
        self._end, self._other = socket.socketpair()
        self._other.send(b"x")

    def fileno(self):
        return self._end.fileno()

    def recv(self, _):
        raise OSError(errno.ENOBUFS, "no buffer space available")

    recvfrom = recv

    def close(self):
        self._end.close()
        self._other.close()


@contextlib.contextmanager
def _deaf():
    """Every watch within the block has such a socket."""
    before = watch._route_socket, watch._tap
    watch._route_socket = watch._tap = lambda *_: Deaf()
    try:
        yield
    finally:
        watch._route_socket, watch._tap = before


def deaf_watches():
    """What has ended says so, instead of having seen nothing."""
    with _deaf():
        routes = watch.RouteWatch({"router": None}, ["203.0.113.10"])
        updates = watch.UpdateCount({"router": None})
        packets = watch.LastPacket(None, "203.0.113.10")
    for one in (routes, updates, packets):
        wait_until("it has ended", lambda one=one: one._problem, 5)
        _must_raise(f"close of {type(one).__name__}", one.close)
    _must_raise("since", lambda: routes.since(0))
    _must_raise("wait", lambda: routes.wait(0.01))
    _must_raise("total", lambda: updates.total(["node1"]))
    _must_raise("last", lambda: packets.last)


def main():
    report = Report()
    report.check("a run of nothing is no success", nothing_run)
    report.check("a scenario that was asked for has to run", asked_for_and_not_run)
    report.check("a watch that has ended says so", deaf_watches)
    print(report.summary())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
