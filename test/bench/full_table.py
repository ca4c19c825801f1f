# SPDX-License-Identifier: Apache-2.0
"""A full table of 1,000,000 prefixes from the router: time, CPU, memory; withdraws meanwhile."""

import itertools
import os
import random
import re
import socket
import statistics
import struct
import sys
import threading
import time

from lab.fabric import Fabric
from lab.process import LabError, run, wait_until
from lab.speaker import UPDATE, Speaker, message

from .measure import add_node, note, show
from .programs import PREFIX, ROUTER_ASN, Bird, GoBgp
from .withdraw import AnyvipChecked, Service

PER_UPDATE = 5
BLOCK = 200  # UPDATEs in one write


class FullAnyvip(AnyvipChecked):
    def received(self):
        return self.node.peer(self.peers[0])["received"]


class FullBird(Bird):
    what = "all"

    def configure(self):
        super().configure()
        with open(self.path("conf")) as file:
            text = file.read()
        self._write("conf", text.replace("import none", f"import {self.what}"))

    def received(self):
        text = run("birdc", "-s", self.control, "show protocols all tor1")
        found = re.search(r"Import updates: +(\d+)", text)
        return int(found.group(1)) if found else 0


class BirdWithoutTable(FullBird):
    """The nearest to what anyvip does: every route is read and none is kept."""

    name = "BIRD, import none"
    what = "none"

    @classmethod
    def role_name(cls):
        return "bird-none"


class FullGoBgp(GoBgp):
    def received(self):
        with self.processes[0].namespace.entered():
            text = run("gobgp", "global", "rib", "summary", check=False)
        found = re.search(r"Destination: (\d+)", text)
        return int(found.group(1)) if found else 0


PROGRAMS = (FullAnyvip, BirdWithoutTable, FullBird, FullGoBgp)


def stream(count):
    """Blocks of UPDATEs, few prefixes in each, AS paths of 3 to 6: what a provider sends."""
    blocks = []
    block = bytearray()
    updates = count // PER_UPDATE
    for number in range(updates):
        others = range(2 + number % 4)
        path = [ROUTER_ASN, *(3000 + (number * 7 + hop * 13) % 60000 for hop in others)]
        as_path = struct.pack("!BB", 2, len(path)) + struct.pack(f"!{len(path)}I", *path)
        attributes = b"\x40\x01\x01\x00" + struct.pack("!BBB", 0x40, 2, len(as_path)) + as_path
        attributes += b"\x40\x03\x04" + socket.inet_aton("10.0.1.1")
        first = (16 << 16) + number * PER_UPDATE
        nlri = b"".join(
            b"\x18" + (first + prefix).to_bytes(3, "big") for prefix in range(PER_UPDATE)
        )
        body = b"\0\0" + struct.pack("!H", len(attributes)) + attributes + nlri
        block += message(UPDATE, body)
        if number % BLOCK == BLOCK - 1 or number == updates - 1:
            blocks.append(bytes(block))
            block.clear()
    return blocks


def measure(quick):
    count = 100_000 if quick else 1_000_000
    table = stream(count)
    results = {}
    for program_type in PROGRAMS:
        with Fabric("bench") as fabric:
            links = add_node(fabric, program_type.role_name(), ("router1", "router2"))
            try:
                results[program_type.name] = _one(fabric, program_type, links, table, count)
            except (LabError, TimeoutError) as error:
                note(f"full_table: {program_type.name}: {error}")
    show(
        f"{count:,} prefixes in {count // PER_UPDATE:,} UPDATEs from one router",
        results,
        ["CPU s", "seconds", "MB before", "MB peak", "MB after", "withdraw ms"],
    )
    return results


def _one(fabric, program_type, links, table, count):
    routers = [
        Speaker(fabric.namespaces[name], ROUTER_ASN, router, router).listen()
        for name, (_, router) in zip(("router1", "router2"), links)
    ]
    program = program_type(fabric, program_type.role_name(), links)
    service = Service(fabric.namespaces[program.role])
    service.open()
    program.configure()
    program.start()
    for router in routers:
        router.wait_announced(PREFIX, 0, 60)
    pid = program.processes[0].pid
    before = _memory_mb(pid, "VmRSS")
    cpu = _cpu_seconds(pid)
    begin = time.monotonic()
    sender = threading.Thread(target=routers[0].send, args=(table,), daemon=True)
    sender.start()
    sender.join(300)
    wait_until("all received", lambda: program.received() >= count, 300, every=0.1)
    seconds = time.monotonic() - begin
    cpu = _cpu_seconds(pid) - cpu
    peak, after = _memory_mb(pid, "VmHWM"), _memory_mb(pid, "VmRSS")
    result = {
        "seconds": round(seconds, 2),
        "CPU s": round(cpu, 2),
        "MB before": round(before, 2),
        "MB peak": round(peak, 2),
        "MB after": round(after, 2),
    }
    if program_type is FullAnyvip:
        result["withdraw ms"] = _withdraw_meanwhile(service, routers, table)
    program.stop()
    for router in routers:
        router.end("fin")
    return result


def _withdraw_meanwhile(service, routers, table):
    """The service dies 20 times while tables come without a pause; each time to the wire."""
    sys.setswitchinterval(0.0001)  # the sender and what takes the times are threads of one process
    is_over = threading.Event()
    blocks = itertools.takewhile(lambda _: not is_over.is_set(), itertools.cycle(table))
    sender = threading.Thread(target=routers[0].send, args=(blocks,), daemon=True)
    sender.start()
    times = []
    for _ in range(20):
        time.sleep(random.uniform(0.1, 0.3))
        died = service.close()
        times.append(routers[1].wait_withdrawn(PREFIX, died, 30).at - died)
        begin = time.monotonic()
        service.open()
        routers[1].wait_announced(PREFIX, begin, 30)
    is_over.set()
    sender.join(30)
    return f"{statistics.median(times) * 1000:.1f}, worst {max(times) * 1000:.1f} of {len(times)}"


def _memory_mb(pid, key):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
    raise LabError(f"process {pid} has no {key}")


def _cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
