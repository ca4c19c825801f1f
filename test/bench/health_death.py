# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the service to the withdraw on the wire: with defaults, and polling every 100 ms."""

import random
import time

from lab.fabric import Fabric

from .health_programs import (
    AnyvipChecked,
    BirdLooped,
    ExaBgpChecked,
    RefusalWatch,
    Service,
    latency,
    load_average,
    tcp_check,
    variant,
)
from .measure import add_node, collector, note, show
from .programs import PREFIX

FAST = {"interval": "100ms", "fall": 1, "rise": 1}
DEFAULTS = (
    variant(AnyvipChecked, "anyvip", checks=(tcp_check(),)),
    variant(ExaBgpChecked, "ExaBGP healthcheck"),
)
POLLED = (
    variant(AnyvipChecked, "anyvip", checks=(tcp_check(**FAST, tripwire=False),)),
    variant(ExaBgpChecked, "ExaBGP healthcheck",
            schedule="--interval 0.1 --fast-interval 0.1 --rise 1 --fall 1"),
    variant(BirdLooped, "BIRD + shell loop", pause="0.1"),
)  # fmt: skip
COLUMNS = ["median", "p99", "max", "n"]


def measure(quick):
    results = {"load": load_average()}
    with Fabric("bench") as fabric:
        for kind, title, programs, runs in (
            ("defaults", "1 s, fall 3, tripwire", DEFAULTS, (100, 12)),
            ("polled", "100 ms, fall 1, tripwire off", POLLED, (100, 100, 100)),
        ):
            deaths, own = {}, {}
            for number, (program, count) in enumerate(zip(programs, runs)):
                count = 3 if quick else count
                try:
                    times, delays = _deaths(fabric, f"{kind}{number}", program, count)
                except TimeoutError as error:
                    note(f"health_death: {program.name}: {error}")
                    continue
                deaths[program.name] = latency(times)
                own[program.name] = latency(delays)
            show(f"kill -9 to the withdraw on the wire, {title}, ms", deaths, COLUMNS)
            results[kind] = deaths
            if kind == "polled":
                show("... of it, from the poll that was refused on, ms", own, COLUMNS)
                results["own"] = own
    return results


def _deaths(fabric, role, program_type, runs):
    """Seconds from the death, and from the last refused connection, to the withdraw."""
    links = add_node(fabric, role)
    service = Service(fabric.namespaces[role])
    watch = RefusalWatch(fabric.namespaces[role])
    program = program_type(fabric, role, links)
    program.configure()
    router = collector(fabric, links[0][1]).listen()
    service.start()
    program.start()
    times, delays = [], []
    try:
        announced = 0.0
        for _ in range(runs):
            router.wait_announced(PREFIX, announced, 40)
            # So that the death falls anywhere between two checks.
            time.sleep(random.uniform(0.2, 0.5))
            watch.forget()
            died = service.kill()
            gone = router.wait_withdrawn(PREFIX, died, 40).at
            times.append(gone - died)
            refused = watch.last_before(gone, died)
            if refused:
                delays.append(gone - refused)
            announced = time.monotonic()
            service.start()
    finally:
        program.stop()
        router.end("fin")
    return times, delays
