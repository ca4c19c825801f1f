# SPDX-License-Identifier: Apache-2.0
"""From the start of the program to the VIP's UPDATE on the wire, the router listening already."""

import time

from lab.fabric import Fabric

from .measure import COLUMNS, add_node, collector, note, show, summary
from .programs import PREFIX, WITH_FAST


def measure(quick):
    results = {}
    with Fabric("bench") as fabric:
        for program_type in WITH_FAST:
            role = program_type.role_name()
            links = add_node(fabric, role)
            values = []
            for number in range(3 if quick else 10):
                program = program_type(fabric, role, links)
                program.configure()
                router = collector(fabric, links[0][1]).listen()
                begin = time.monotonic()
                program.start()
                try:
                    values.append(router.wait_announced(PREFIX, begin, 60).at - begin)
                except TimeoutError as error:
                    note(f"startup: {program.name}: {error}\n{program.processes[-1].tail()}")
                program.stop()
                router.end("fin")
            results[program_type.name] = summary(values) if values else {}
    show("Start of the program to the VIP's UPDATE on the wire, ms", results, COLUMNS)
    return results
