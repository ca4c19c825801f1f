# SPDX-License-Identifier: Apache-2.0
"""What the kernel's socket-destroy events cost a node that closes connections as fast as it can."""

import os
import statistics
import subprocess
import sys

from lab.fabric import Fabric
from lab.process import wait_until

from .health_programs import (
    AnyvipChecked,
    Service,
    load_average,
    tcp_check,
    variant,
)
from .health_scale import usage
from .measure import add_node, collector, show
from .programs import PREFIX

# Opens and resets connections of its own for some seconds; prints how many, and its system time.
_LOOP = """
import os, socket, struct, sys, time
listener = socket.create_server(("127.0.0.1", 0))
address, reset = listener.getsockname(), struct.pack("ii", 1, 0)
count, before, end = 0, os.times(), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for _ in range(50):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        client.connect(address)
        server, _ = listener.accept()
        client.close()
        server.close()
    count += 50
print(count, os.times().system - before.system)
"""
SETTINGS = {"without": False, "anyvip": True}
COLUMNS = ["system us/connection", "connections/s", "daemon CPU ms/s", "daemon wake-ups/s"]


def measure(quick):
    seconds, rounds = (1, 1) if quick else (3, 5)
    samples = {name: [] for name in SETTINGS}
    with Fabric("bench") as fabric:
        # In turn, so that what else the machine does falls on both.
        for turn in range(rounds):
            for name, tripwire in SETTINGS.items():
                role = f"events{turn}-{name}"
                samples[name].append(_round(fabric, role, tripwire, seconds))
    results = {
        name: {column: round(statistics.median(s[column] for s in rows), 2) for column in COLUMNS}
        for name, rows in samples.items()
    }
    show("Closing connections at the highest rate, tripwire off and on", results, COLUMNS)
    return {"load": load_average(), **results}


def _round(fabric, role, tripwire, seconds):
    links = add_node(fabric, role)
    namespace = fabric.namespaces[role]
    service = Service(namespace)
    service.start()
    program = variant(AnyvipChecked, "anyvip", checks=(tcp_check(tripwire=tripwire),))(
        fabric, role, links
    )
    program.configure()
    router = collector(fabric, links[0][1]).listen()
    program.start()
    try:
        router.wait_announced(PREFIX, 0, 20)
        if tripwire:
            wait_until("tripwire armed", lambda: _is_armed(program), 5)
        pids = [program.node.daemon.pid]
        before = usage(pids)
        counted = _loops(namespace, seconds)
        after = usage(pids)
    finally:
        program.stop()
        service.kill()
        router.end("fin")
    connections = sum(count for count, _ in counted)
    return {
        "system us/connection": sum(system for _, system in counted) / connections * 1e6,
        "connections/s": connections / seconds,
        "daemon CPU ms/s": (after[0] - before[0]) / seconds * 1000,
        "daemon wake-ups/s": (after[1] - before[1]) / seconds,
    }


def _is_armed(program):
    return "socket events" in program.node.anyvip("--json", "checks", "web")


def _loops(namespace, seconds):
    """One on each processor: (connections, system seconds) of each."""
    argv = [sys.executable, "-I", "-S", "-c", _LOOP, str(seconds)]
    with namespace.entered():
        loops = [
            subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())
        ]
    found = []
    for loop in loops:
        count, system = loop.communicate()[0].split()
        found.append((int(count), float(system)))
    return found
