# SPDX-License-Identifier: Apache-2.0
"""Misuse of the API: whatever a client does, the loop, the sessions and the operator go on."""

import contextlib
import json
import os
import socket
import threading
import time

from lab.speaker import KEEPALIVE, UPDATE

from ..catalogue import case
from ..stage import VIP4, Wrong, exchange, expect, expect_in, now, read_all

FILE = {"checks": [{"name": "f", "type": "file", "interval": "100ms", "rise": 1, "fall": 1}],
        "vips": [{"name": "www", "addresses": [VIP4], "checks": ["f"]}]}  # fmt: skip

# Each of its octets is two in JSON.
LONGEST_REASON = '"' * 512


def raw(stage, octets, tcp=False):
    with stage.connect_tcp() if tcp else stage.connect() as connection:
        return exchange(connection, octets)


@case("oversized, malformed and wrong requests get a clear 4xx, on both listeners")
def wrong_requests(stage):
    body = b'{"reason":"' + b"x" * 200_000 + b'"}'
    expect(stage.api("POST", "/v1/drain", body)[0], 413, "large body")
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: " + b"y" * 20_000 + b"\r\n\r\n"
    for tcp in (False, True):
        expect(raw(stage, head, tcp)[0], 413, "large head")
        for octets in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50, b"HELLO\r\n\r\n",
                       b"GET / HTTP/9.9\r\n\r\n", b"GET /\r\n\r\n"):  # fmt: skip
            expect(raw(stage, octets, tcp)[0], 400, repr(octets[:20]))
    for octets in (b"{", b"[]", b'"x"', b"{}x", b"\xff\xfe", b"[" * 5000, b'{"vips":"www"}',
                   b'{"vips":[1]}', b'{"nosuch":1}', b'{"deadline":5}', b'{"until":"soon"}',
                   b'{"force":"yes"}', b'{"deadline":"99999999999999999999h"}'):  # fmt: skip
        code, text = stage.api("POST", "/v1/drain", octets)
        expect((code, list(json.loads(text))), (400, ["error"]), repr(octets[:30]))
    for method in ("PUT", "DELETE", "PATCH", "BREW"):
        expect(stage.api(method, "/v1/status")[0], 405, method)
    expect_in("5m", stage.api("POST", "/v1/drain", b'{"deadline":5}')[1], "a missing unit")
    for method, paths in (("GET", ("drain", "undrain", "reload", "peers/tor1/reset", "checks/f/run")),
                          ("POST", ("status", "vips", "vips/www", "explain/www", "events"))):  # fmt: skip
        for path in paths:
            code, text = stage.api(method, f"/v1/{path}")
            expect((code, list(json.loads(text))), (405, ["error"]), f"{method} {path}")
    for target in ("/v1/vips/%00", "/v1/vips/%", "/v1/vips/..%2f..", "/v1/events?since=x",
                   "/v1/vips/" + "a" * 4000):  # fmt: skip
        expect(stage.api("GET", target)[0] in (400, 404), True, target[:30])
    expect(stage.vip()["drained"], False, "drained")


def beats(router, since):
    """The longest the router heard neither a KEEPALIVE nor an UPDATE since then: either restarts
    the hold timer (RFC 4271, section 4.4)."""
    signs = (KEEPALIVE, UPDATE)
    times = [one.at for one in list(router.messages) if one.kind in signs and one.at >= since]
    times = [since, *times, now()]
    return max(b - a for a, b in zip(times, times[1:]))


def check_loop(stage, what):
    """A health failure is on the wire at once, whatever is going on."""
    begin = now()
    open(stage.ready, "w").close()
    stage.router.wait_announced(f"{VIP4}/32", begin, 10)
    begin = now()
    os.unlink(stage.ready)
    took = stage.router.wait_withdrawn(f"{VIP4}/32", begin, 5).at - begin
    expect(took < 0.5, True, f"{what}: withdrawn after {took:.3f} s")


@case("1,000 clients, half requests and slow ones: the loop and the operator are served", slow=True,
      peer={"hold_time": "3s"}, **FILE)
def thousand(stage):
    stage.wait("session", lambda: stage.peer()["state"] == "Established")
    begin = now()
    with contextlib.ExitStack() as stack:
        for count in range(1000):
            tcp = count % 2 == 0
            try:
                one = stage.connect_tcp(0.5) if tcp else stage.connect(0.5)
            except OSError:
                continue
            stack.enter_context(one)
            with contextlib.suppress(OSError):
                one.send(b"GET /v1/status HTT" if count % 3 else b"POST /v1/drain HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        check_loop(stage, "1,000 clients")
        took = now()
        expect(stage.cli("status").returncode, 0, "anyvip status meanwhile")
        took = now() - took
        expect(took < 2, True, f"anyvip status took {took:.1f} s")
        time.sleep(2)
    pause = beats(stage.router, begin)
    expect(pause < 1.6, True, f"silent for at most {pause:.2f} s")
    expect(stage.peer()["resets"], 0, "resets")
    expect(stage.api("GET", "/healthz", tcp=True)[0], 200, "/healthz afterwards")


@case("a slow request is cut off after its time, and told so", slow=True)
def slow(stage):
    begin = now()
    with stage.connect(15) as connection:
        status, text = exchange(connection, b"GET /v1/st")
    took = now() - begin
    expect((status, list(json.loads(text))), (408, ["error"]), "answer")
    expect(3 < took < 10, True, f"cut off after {took:.1f} s")


@case("clients that follow events and never read delay nobody", slow=True, peer={"hold_time": "3s"},
      **FILE)
def never_reads(stage):
    stage.wait("session", lambda: stage.peer()["state"] == "Established")
    begin = now()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(stage.connect())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            one.send(b"GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(300):
            stage.api("POST", "/v1/drain", {"reason": LONGEST_REASON})
            stage.api("POST", "/v1/undrain", {})
        # The last of them may have been one too many within a second.
        stage.wait("undrained", lambda: stage.api("POST", "/v1/undrain", {})[0] == 200)
        check_loop(stage, "followers that do not read")
    pause = beats(stage.router, begin)
    expect(pause < 1.6, True, f"silent for at most {pause:.2f} s")
    expect(stage.peer()["resets"], 0, "resets")


@case("a client that has said all it has to say gets its whole answer, however long", slow=True)
def half_closed(stage):
    for _ in range(230):
        expect(stage.api("POST", "/v1/drain", {"reason": LONGEST_REASON})[0], 200, "drain")
        stage.api("POST", "/v1/undrain", {})
    events = stage.events()
    expect(sum(len(json.dumps(one)) for one in events) > 256 * 1024, True, "a long log")
    for more in (b"", b"more than one request\r\n"):
        with stage.connect(10) as one:
            one.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n" + more)
            one.shutdown(socket.SHUT_WR)
            answer = read_all(one)
        expect(answer.endswith(b"0\r\n\r\n"), True, f"the end of the answer, after {more!r}")


@case("a client that hangs up in the middle of its answer harms nobody")
def hangs_up(stage):
    for path in (b"/v1/status", b"/metrics", b"/v1/events?follow=1", b"/v1/explain/www"):
        for _ in range(20):
            with stage.connect() as one:
                one.send(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(20):
        with stage.connect() as one:
            one.send(b'POST /v1/drain HTTP/1.1\r\nContent-Length: 13\r\n\r\n{"wait":true}')
    stage.api("POST", "/v1/undrain", {})
    stage.wait_state("announced")


@case("random bytes on both sockets end nothing")
def fuzz(stage):
    import random

    source = random.Random(7)
    seeds = [b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"POST /v1/drain HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n0\r\n\r\n"]  # fmt: skip
    for count in range(300):
        octets = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 8)):
            octets[source.randrange(len(octets))] = source.randrange(256)
        with stage.connect_tcp() if count % 2 else stage.connect() as one:
            with contextlib.suppress(OSError):
                one.send(bytes(octets))
                one.shutdown(socket.SHUT_WR)
                one.recv(100)
    expect(stage.status()["node"]["name"], "lb-a", "name")


@case("a client that asks about 5,000 VIPs all the time delays a withdraw by less than 0.5 s", slow=True,
      vips=[{"name": f"v{i}", "addresses": [f"10.{100 + i // 250}.{i % 250}.1/32"]} for i in range(4999)]
      + FILE["vips"], checks=FILE["checks"])
def many_vips(stage):
    stage.wait("announced", lambda: stage.peer()["advertised"] >= 4999, 60)
    over = threading.Event()

    def ask():
        while not over.is_set():
            for path in ("/v1/status", "/metrics", "/v1/explain/v7", "/v1/vips", "/v1/routes"):
                stage.api("GET", path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            check_loop(stage, "5,000 VIPs asked about all the time")
    finally:
        over.set()
        asking.join()
