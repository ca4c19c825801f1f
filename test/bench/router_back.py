# SPDX-License-Identifier: Apache-2.0
"""A router goes and comes back: from its listening to the VIP announced again."""

import concurrent.futures
import time

from lab.fabric import Fabric

from .measure import add_node, collector, note, show
from .programs import PREFIX, WITH_FAST

ENDINGS = ("rst", "fin", "cease")
GIVE_UP = 200.0


def measure(quick):
    outages = (2,) if quick else (15, 120)
    results = {}
    with Fabric("bench") as fabric:
        cases = []
        for program_type in WITH_FAST:
            for ending in ENDINGS:
                role = f"{program_type.role_name()}-{ending}"
                links = add_node(fabric, role)
                program = program_type(fabric, role, links)
                cases.append((ending, program, collector(fabric, links[0][1])))
        # All sleep most of the time, so they run side by side; each has its own router.
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            for (ending, program, _), values in zip(
                cases, pool.map(lambda case: _one(*case, outages), cases)
            ):
                for outage, value in zip(outages, values):
                    results.setdefault(program.name, {})[f"{ending} {outage} s"] = value
    columns = [f"{ending} {outage} s" for outage in outages for ending in ENDINGS]
    show("Router back after an outage: its listening to the VIP announced, s", results, columns)
    return results


def _one(ending, program, router, outages):
    program.configure()
    begin = time.monotonic()
    router.listen()
    program.start()
    values = []
    try:
        router.wait_announced(PREFIX, begin, 60)
        for outage in outages:
            router.end(ending)
            time.sleep(outage)  # The length of the outage is what is being measured.
            router.listen()
            back = router.wait_announced(PREFIX, router.listening_since, GIVE_UP)
            values.append(round(back.at - router.listening_since, 3))
    except TimeoutError as error:
        note(f"router_back: {program.role}: {error}")
        values.append(f"> {GIVE_UP:g}")
    program.stop()
    router.end("fin")
    return values
