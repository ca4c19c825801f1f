# SPDX-License-Identifier: Apache-2.0
"""SIGSTOP of the service (it hangs; its socket still accepts) to the withdraw on the wire."""

import random
import signal
import time

from lab.fabric import Fabric

from .health_programs import (
    PORT,
    AnyvipChecked,
    ExaBgpChecked,
    Service,
    http_check,
    latency,
    load_average,
    variant,
)
from .measure import add_node, collector, note, show
from .programs import PREFIX

CURL = "exec curl -sf -o /dev/null -m {} http://127.0.0.1:%d/\n" % PORT
KINDS = (
    ("defaults", "1 s, timeout 1 s, fall 3", (
        variant(AnyvipChecked, "anyvip", checks=(http_check(),)),
        variant(ExaBgpChecked, "ExaBGP healthcheck", probe=CURL.format(1)),
    ), 10),
    ("fast", "100 ms, timeout 100 ms, fall 1", (
        variant(AnyvipChecked, "anyvip",
                checks=(http_check(interval="100ms", timeout="100ms", fall=1, rise=1),)),
        variant(ExaBgpChecked, "ExaBGP healthcheck", probe=CURL.format(0.1),
                schedule="--interval 0.1 --fast-interval 0.1 --rise 1 --fall 1"),
    ), 30),
)  # fmt: skip


def measure(quick):
    results = {"load": load_average()}
    with Fabric("bench") as fabric:
        for kind, title, programs, runs in KINDS:
            results[kind] = {}
            for number, program in enumerate(programs):
                try:
                    times = _hangs(fabric, f"{kind}{number}", program, 2 if quick else runs)
                    results[kind][program.name] = latency(times)
                except TimeoutError as error:
                    note(f"health_hang: {program.name}: {error}")
            columns = ["median", "p99", "max", "n"]
            show(f"SIGSTOP to the withdraw on the wire, {title}, ms", results[kind], columns)
    return results


def _hangs(fabric, role, program_type, runs):
    links = add_node(fabric, role)
    service = Service(fabric.namespaces[role])
    program = program_type(fabric, role, links)
    program.configure()
    router = collector(fabric, links[0][1]).listen()
    service.start()
    program.start()
    times = []
    try:
        announced = 0.0
        for _ in range(runs):
            router.wait_announced(PREFIX, announced, 40)
            time.sleep(random.uniform(0.3, 1.3))
            hung = service.send(signal.SIGSTOP)
            times.append(router.wait_withdrawn(PREFIX, hung, 40).at - hung)
            announced = service.send(signal.SIGCONT)
    finally:
        service.kill()
        program.stop()
        router.end("fin")
    return times
