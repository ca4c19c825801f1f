# SPDX-License-Identifier: Apache-2.0
"""Memory with two peers and one VIP, 60 s after the start, and size on disk."""

import os
import subprocess
import time

from lab.fabric import Fabric

from .measure import add_node, collector, note, show
from .programs import ALL, PREFIX


def measure(quick):
    results = {}
    with Fabric("bench") as fabric:
        running = []
        for program_type in ALL:
            role = program_type.role_name()
            links = add_node(fabric, role, ("router1", "router2"))
            program = program_type(fabric, role, links)
            program.configure()
            routers = [
                collector(fabric, address, router).listen()
                for (_, address), router in zip(links, ("router1", "router2"))
            ]
            program.start()
            running.append((program, routers))
        begin = time.monotonic()
        for program, routers in running:
            for router in routers:
                try:
                    router.wait_announced(PREFIX, 0, 60)
                except TimeoutError as error:
                    note(f"memory: {program.name}: {error}")
        time.sleep(max(0.0, begin + (5 if quick else 60) - time.monotonic()))
        for program, routers in running:
            pids = fabric.namespaces[program.role].pids()
            results[program.name] = {
                "resident MB": round(sum(_rollup(pid, "Rss") for pid in pids) / 1024, 2),
                "proportional MB": round(sum(_rollup(pid, "Pss") for pid in pids) / 1024, 2),
                "processes": len(pids),
                "stripped MB": round(sum(map(_stripped, program.binaries)) / 1e6, 2) or "-",
            }
            program.stop()
            for router in routers:
                router.end("fin")
    show(
        "Memory with two peers and one VIP",
        results,
        ["resident MB", "proportional MB", "processes", "stripped MB"],
    )
    return results


def _rollup(pid, key):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return 0


def _stripped(path):
    target = f"/run/anyvip-stripped-{os.getpid()}"
    subprocess.run(["strip", "-o", target, path], check=True)
    try:
        return os.path.getsize(target)
    finally:
        os.unlink(target)
