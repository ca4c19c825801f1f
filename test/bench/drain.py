# SPDX-License-Identifier: Apache-2.0
"""The drain command as a whole process to the withdraw on the wire, beside `birdc disable`."""

import shutil
import subprocess
import time

from lab.fabric import Fabric
from lab.node import BIN

from .measure import COLUMNS, add_node, collector, show, summary
from .programs import PREFIX, Anyvip, Bird


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


class AnyvipAtOnce(Anyvip):
    drain = {"gshut": "0s"}


class AnyvipInMemory(AnyvipAtOnce):
    """The same with its state where fsync() costs nothing: the difference is the disk.

    BIRD's `disable` is not kept over a restart, a drain is."""

    name = "anyvip, state in memory"

    @classmethod
    def role_name(cls):
        return "anyvip-memory"

    def configure(self):
        super().configure()
        self.node.state = f"/dev/shm/{self.fabric.id}"
        self.node.table("daemon")["state_dir"] = self.node.state
        self.node.write_configuration()

    def stop(self):
        super().stop()
        shutil.rmtree(self.node.state, ignore_errors=True)


PROGRAMS = (AnyvipAtOnce, AnyvipInMemory, Bird)


def measure(quick):
    values = {program_type.name: [] for program_type in PROGRAMS}
    with Fabric("bench") as fabric:
        sides = []
        for program_type in PROGRAMS:
            links = add_node(fabric, program_type.role_name())
            program = program_type(fabric, program_type.role_name(), links)
            program.configure()
            router = collector(fabric, links[0][1]).listen()
            program.start()
            router.wait_announced(PREFIX, 0, 60)
            sides.append((program, router))
        for _ in range(3 if quick else 20):
            for program, router in sides:
                out, back = _commands(program)
                values[program.name].append(_time(program, router, out, router.wait_withdrawn))
                _time(program, router, back, router.wait_announced)
        for program, router in sides:
            program.stop()
            router.end("fin")
    results = {name: summary(times) for name, times in values.items()}
    show("Drain command, whole process, to the withdraw on the wire, ms", results, COLUMNS)
    return results


def _commands(program):
    if program.name == "BIRD":
        command = ["/usr/sbin/birdc", "-s", program.control]
        return [*command, "disable", "vip"], [*command, "enable", "vip"]
    command = [f"{BIN}/anyvip", "--socket", program.node.control]
    return [*command, "drain"], [*command, "undrain"]


def _time(program, router, argv, wait):
    with program.processes[0].namespace.entered():
        begin = time.monotonic()
        process = subprocess.Popen(argv, **QUIET, text=True)
    seen = wait(PREFIX, begin, 30)
    _, problem = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{argv}: exit {process.returncode}: {problem}")
    return seen.at - begin
