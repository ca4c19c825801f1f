# SPDX-License-Identifier: Apache-2.0
"""BFD: how long a router sends into the void when a node dies in silence, and how evenly packets
leave while all cores are busy. BIRD is the router; anyvip, BIRD and FRR are the node."""

import concurrent.futures
import contextlib
import itertools
import os
import random
import select
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

from interop.bfd_life import ALLOWED, NODE_ASN, ROUTER_ASN, VIP, BfdLife
from interop.bfd_routers import BfdBird, BfdFrr
from lab.fabric import Fabric
from lab.process import wait_until
from lab.router import Neighbor

from .measure import COLUMNS, note, show, summary

PREFIX = VIP["addresses"][0]
SO_TIMESTAMPNS = 35
IP_FREEBIND = 15
ECHO = 7  # the port of the service


class AnnouncingBird(BfdBird):
    """BIRD as a node: it announces the VIP."""

    def configuration(self):
        text = super().configuration().replace("export none;", "export where source = RTS_STATIC;")
        text = text.replace("bfd on;", "bfd on; hold time 9;")
        return text + f"protocol static {{ ipv4 {{ preference 250; }}; route {PREFIX}/32 blackhole; }}\n"


class Pair(BfdLife):
    """The lab of the interop tests with any of the programs as the node; interval 0: no BFD."""

    def __init__(self, fabric, program, interval):
        super().__init__(fabric, "bird", "ipv4", interval or 300)
        self.program = program
        if not interval:
            self.peer["bfd"] = False
            self.peer["hold_time"] = "9s"
            self.router.shut = True
        kind = {"BIRD": AnnouncingBird, "FRR": BfdFrr}.get(program)
        if kind:
            neighbor = Neighbor("tor", ROUTER_ASN, self.there)
            self.other = kind(
                fabric, "node", NODE_ASN, self.here, [neighbor], *ALLOWED, interval=interval
            )
            self.node_ns.ip("address", "add", f"{PREFIX}/32", "dev", "lo")

    def start(self):
        self.router.start()
        (self.node if self.program == "anyvip" else self.other).start()

    def wait_announced(self):
        wait_until("the router has the VIP", lambda: self.router_ns.fib(PREFIX), 40)

    def wait_bfd(self):
        wait_until("BFD is up", lambda: self.router.bfd(self.here)[0] == "up", 40)


class Requests(threading.Thread):
    """200 small requests a second from the router to the VIP, answered at the node."""

    def __init__(self, pair):
        super().__init__()
        with pair.router_ns.entered():
            self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with pair.node_ns.entered():
            self.service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.service.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        self.service.bind((PREFIX, ECHO))
        self.unanswered = 0
        self.is_over = False

    def run(self):
        poll = select.poll()
        poll.register(self.service, select.POLLIN)
        poll.register(self.client, select.POLLIN)
        due = time.monotonic()
        while not self.is_over:
            for descriptor, _ in poll.poll(max(0, due - time.monotonic()) * 1000):
                if descriptor == self.service.fileno():
                    data, address = self.service.recvfrom(64)
                    with contextlib.suppress(OSError):
                        self.service.sendto(data, address)
                else:
                    self.client.recv(64)
                    self.unanswered -= 1
            if time.monotonic() >= due:
                due += 0.005
                # Without a route it is refused at once: in a fabric another node would have it.
                with contextlib.suppress(OSError):
                    self.client.sendto(b"request", (PREFIX, ECHO))
                    self.unanswered += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.join()
        self.client.close()
        self.service.close()


def black_hole(program, interval, runs):
    """(seconds until the router's FIB knows, requests lost until then) of each death."""
    deaths = []
    with Fabric("bench") as fabric:
        pair = Pair(fabric, program, interval)
        pair.start()
        with Requests(pair) as requests:
            for _ in range(runs):
                pair.wait_announced()
                if interval:
                    pair.wait_bfd()
                time.sleep(random.uniform(1.0, 2.0))  # a death comes at any time
                before = requests.unanswered
                start = time.monotonic()
                pair.silence(pair.node_ns)
                wait_until("gone", lambda: not pair.router_ns.fib(PREFIX), 30, every=0.002)
                deaths.append((time.monotonic() - start, requests.unanswered - before))
                pair.restore(pair.node_ns)
    return deaths


def black_holes(programs, interval, runs):
    """All programs side by side."""
    count = len(programs)
    with concurrent.futures.ProcessPoolExecutor(count) as pool:
        return list(pool.map(black_hole, programs, [interval] * count, [runs] * count))


@contextlib.contextmanager
def busy_cores():
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(2 * os.cpu_count())
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


class Tap:
    """Pauses between the BFD packets of a pair's node, by the kernel's own time of each."""

    def __init__(self, pair):
        self.source = socket.inet_aton(pair.here)
        with pair.router_ns.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.last = None
        self.gaps = []

    def read(self):
        data, control, _, _ = self.socket.recvmsg(256, 64)
        is_bfd = data[9] == 17 and data[22:24] == struct.pack("!H", 3784)
        if not is_bfd or data[12:16] != self.source:
            return
        seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
        at = seconds + nanoseconds / 1e9
        if self.last:
            self.gaps.append(at - self.last)
        self.last = at


def listen(taps, seconds):
    poll = select.poll()
    by_descriptor = {tap.socket.fileno(): tap for tap in taps}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for descriptor, _ in poll.poll(100):
            by_descriptor[descriptor].read()
    for tap in taps:
        tap.socket.close()


def evenness(programs, intervals, seconds):
    """{(program, interval): figures}, all of them at the same time on the same busy cores."""
    with contextlib.ExitStack() as stack:
        taps = {}
        for program, interval in itertools.product(programs, intervals):
            pair = Pair(stack.enter_context(Fabric("bench")), program, interval)
            pair.start()
            pair.wait_bfd()
            taps[program, interval] = Tap(pair)
        with busy_cores():
            listen(taps.values(), seconds)
    return {key: _figures(sorted(tap.gaps), key[1] / 1000) for key, tap in taps.items()}


def _figures(gaps, interval):
    return {
        "median": round(statistics.median(gaps) * 1000, 2),
        "99.9 %": round(gaps[int(len(gaps) * 0.999)] * 1000, 2),
        "max": round(gaps[-1] * 1000, 2),
        "late": sum(gap > interval for gap in gaps),
        "falls": sum(gap > 3 * interval for gap in gaps),
        "n": len(gaps),
    }


def measure(quick):
    runs, seconds = (2, 10) if quick else (20, 600)
    figures = {}
    for interval in (300, 50, 10, 0):
        title = f"BFD {interval} ms x 3" if interval else "no BFD, hold time 9 s"
        note(f"bfd: black hole, {title}")
        programs = ("anyvip", "BIRD")
        results = {}
        for program, deaths in zip(programs, black_holes(programs, interval, runs)):
            times, lost = zip(*deaths)
            results[program] = summary(times) | {"lost": statistics.median(lost)}
        figures[title] = results
        title = f"silent death of a node until the router's FIB knows, {title} [ms]"
        show(f"{title}; requests lost, of 200 a second", results, [*COLUMNS, "lost"])
    intervals = (50, 10)
    note("bfd: packets with all cores busy")
    measured = evenness(("anyvip", "BIRD", "FRR"), intervals, seconds)
    columns = ["max", "median", "99.9 %", "late", "falls", "n"]
    for interval in intervals:
        results = {key[0]: value for key, value in measured.items() if key[1] == interval}
        figures[f"busy, {interval} ms"] = results
        show(f"pauses between packets, all cores busy, {interval} ms [ms]", results, columns)
    return figures
