# SPDX-License-Identifier: Apache-2.0
"""False withdrawals of a healthy service while all processors are kept busy by other work."""

import os
import subprocess
import sys
import time

from lab.fabric import Fabric

from .health_programs import (
    PORT,
    AnyvipChecked,
    ExaBgpChecked,
    Service,
    load_average,
    tcp_check,
    variant,
)
from .measure import add_node, collector, show
from .programs import PREFIX

SHARP = {"interval": "100ms", "timeout": "100ms", "fall": 2, "rise": 2}
PROGRAMS = (
    variant(AnyvipChecked, "anyvip", checks=(tcp_check(),)),
    variant(AnyvipChecked, "anyvip, 100 ms, fall 2", checks=(tcp_check(**SHARP),)),
    variant(ExaBgpChecked, "ExaBGP"),
    variant(ExaBgpChecked, "ExaBGP, 100 ms, fall 2",
            probe=f"exec timeout 0.1 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{PORT}'\n",
            schedule="--interval 0.1 --fast-interval 0.1 --rise 2 --fall 2"),
)  # fmt: skip


def measure(quick):
    seconds = 20 if quick else 600
    running = []
    with Fabric("bench") as fabric:
        for number, program_type in enumerate(PROGRAMS):
            links = add_node(fabric, f"busy{number}")
            service = Service(fabric.namespaces[f"busy{number}"])
            service.start()
            program = program_type(fabric, f"busy{number}", links)
            program.configure()
            router = collector(fabric, links[0][1]).listen()
            program.start()
            router.wait_announced(PREFIX, 0, 60)
            running.append((program, service, router))
        began = time.monotonic()
        _burn(seconds)
        load = load_average()
        results = {}
        for program, service, router in running:
            results[program.name] = {
                "false withdrawals": sum(
                    PREFIX in message.withdrawn()
                    for message in list(router.messages)
                    if message.at >= began
                ),
                "seconds": seconds,
            }
            program.stop()
            service.kill()
            router.end("fin")
    show("Healthy service, all processors busy", results, ["false withdrawals", "seconds"])
    return {"load": load, **results}


def _burn(seconds):
    burners = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
        for _ in range(4 * os.cpu_count())
    ]
    try:
        time.sleep(seconds)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
