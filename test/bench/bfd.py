# SPDX-License-Identifier: Apache-2.0
"""BFD: how long a router sends into the void when a node dies in silence, and how evenly packets
leave while all cores are busy. BIRD is the router; anyvip, BIRD and FRR are the node."""

import contextlib
import os
import random
import select
import socket
import statistics
import struct
import subprocess
import sys
import time

from interop.bfd_life import ALLOWED, NODE_ASN, ROUTER_ASN, VIP, BfdLife
from interop.bfd_routers import BfdBird, BfdFrr
from lab.fabric import Fabric
from lab.process import wait_until
from lab.router import Neighbor

from .measure import COLUMNS, note, show, summary

PREFIX = VIP["addresses"][0]
SO_TIMESTAMPNS = 35


class AnnouncingBird(BfdBird):
    """BIRD as a node: it announces the VIP."""

    def configuration(self):
        text = super().configuration().replace("export none;", "export where source = RTS_STATIC;")
        text = text.replace("bfd on;", "bfd on; hold time 9;")
        return text + f"protocol static {{ ipv4; route {PREFIX}/32 blackhole; }}\n"


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

    def start(self):
        self.router.start()
        (self.node if self.program == "anyvip" else self.other).start()

    def wait_announced(self):
        wait_until("the router has the VIP", lambda: self.router_ns.fib(PREFIX), 40)

    def wait_bfd(self):
        wait_until("BFD is up", lambda: self.router.bfd(self.here)[0] == "up", 40)


def black_hole(program, interval, runs):
    times = []
    with Fabric("bench") as fabric:
        pair = Pair(fabric, program, interval)
        pair.start()
        for _ in range(runs):
            pair.wait_announced()
            if interval:
                pair.wait_bfd()
            time.sleep(random.uniform(1.0, 2.0))  # a death comes at any time
            start = time.monotonic()
            pair.silence(pair.node_ns)
            wait_until("gone", lambda: not pair.router_ns.fib(PREFIX), 30, every=0.002)
            times.append(time.monotonic() - start)
            pair.restore(pair.node_ns)
    return times


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


def gaps_between_packets(namespace, source, seconds):
    """Pauses between the BFD packets of one address, by the kernel's own time of each."""
    wanted = socket.inet_aton(source)
    with namespace.entered():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    poll = select.poll()
    poll.register(tap, select.POLLIN)
    last, gaps = None, []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not poll.poll(100):
            continue
        data, control, _, _ = tap.recvmsg(256, 64)
        if data[9] != 17 or data[12:16] != wanted or data[22:24] != struct.pack("!H", 3784):
            continue
        stamp = struct.unpack("qq", control[0][2][:16])
        at = stamp[0] + stamp[1] / 1e9
        if last:
            gaps.append(at - last)
        last = at
    tap.close()
    return gaps


def evenness(program, interval, seconds):
    with Fabric("bench") as fabric:
        pair = Pair(fabric, program, interval)
        pair.start()
        pair.wait_bfd()
        time.sleep(2)
        with busy_cores():
            gaps = sorted(gaps_between_packets(pair.router_ns, pair.here, seconds))
    detection = 3 * interval / 1000
    return {
        "median": round(statistics.median(gaps) * 1000, 2),
        "99.9 %": round(gaps[int(len(gaps) * 0.999)] * 1000, 2),
        "max": round(gaps[-1] * 1000, 2),
        "late": sum(gap > interval / 1000 for gap in gaps),
        "falls": sum(gap > detection for gap in gaps),
        "n": len(gaps),
    }


def measure(quick):
    runs, seconds = (2, 10) if quick else (20, 600)
    figures = {}
    for interval in (300, 50, 10, 0):
        title = f"BFD {interval} ms x 3" if interval else "no BFD, hold time 9 s"
        results = {}
        for program in ("anyvip", "BIRD"):
            note(f"bfd: black hole, {title}, {program}")
            results[program] = summary(black_hole(program, interval, runs))
        figures[title] = results
        show(f"silent death of a node until the router's FIB knows, {title} [ms]", results, COLUMNS)
    columns = ["max", "median", "99.9 %", "late", "falls", "n"]
    for interval in (50, 10):
        results = {}
        for program in ("anyvip", "BIRD", "FRR"):
            note(f"bfd: packets with all cores busy, {interval} ms, {program}")
            results[program] = evenness(program, interval, seconds)
        figures[f"busy, {interval} ms"] = results
        show(f"pauses between packets, all cores busy, {interval} ms [ms]", results, columns)
    return figures
