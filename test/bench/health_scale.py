# SPDX-License-Identifier: Apache-2.0
"""What checks cost while all is well: CPU, wake-ups and memory for 1, 100 and 10,000 at 1 s."""

import os
import shutil
import socket
import time

from lab.fabric import Fabric
from lab.process import wait_until

from .health_programs import PORT, AnyvipChecked, ExaBgpChecked, load_average
from .measure import add_node, collector, note, show
from .programs import PREFIX, VIP

_RESULTS = "anyvip_check_results_total"
COLUMNS = ["CPU s/min", "passes/s", "wake-ups/s", "resident MB", "processes", "descriptors"]


class AnyvipMany(AnyvipChecked):
    """One VIP that needs all of them."""

    kind = {"type": "tcp", "target": f"127.0.0.1:{PORT}"}

    def __init__(self, fabric, role, links, number):
        super().__init__(fabric, role, links)
        self.checks = [{"name": f"web{n}", **self.kind} for n in range(number)]


class AnyvipExec(AnyvipMany):
    """The same as an external program, the way the alternatives have to do it."""

    def __init__(self, fabric, role, links, number):
        path = shutil.which("bash")
        probe = f"exec 3<>/dev/tcp/127.0.0.1/{PORT}"
        self.kind = {"type": "exec", "command": [path, "-c", probe]}
        super().__init__(fabric, role, links, number)


class ExaBgpMany(ExaBgpChecked):
    """One health check program for each check, as its manual says."""

    def __init__(self, fabric, role, links, number):
        super().__init__(fabric, role, links)
        self._number = number
        names = " ".join(f"check{n}" for n in range(number))
        self.announce = f"api {{\n processes [ {names} ];\n}}"

    def configure(self):
        super().configure()
        block = self.process
        many = "".join(block.replace("process check", f"process check{n}", 1)
                       for n in range(self._number))  # fmt: skip
        config = self.path("conf")
        with open(config) as file:
            text = file.read()
        with open(config, "w") as file:
            file.write(text.replace(block, many))


ROWS = {
    1: {"anyvip": AnyvipMany, "ExaBGP healthcheck": ExaBgpMany},
    100: {"anyvip": AnyvipMany, "anyvip, exec": AnyvipExec, "ExaBGP healthcheck": ExaBgpMany},
    10_000: {"anyvip": AnyvipMany},
}


def measure(quick):
    results = {"load": load_average()}
    with Fabric("bench") as fabric:
        for checks, programs in ROWS.items():
            costs = results[str(checks)] = {}
            for number, (name, program_type) in enumerate(programs.items()):
                role = f"scale{checks}-{number}"
                try:
                    costs[name] = _cost(fabric, role, program_type, checks, quick)
                except TimeoutError as error:
                    note(f"health_scale: {name}, {checks} checks: {error}")
            show(f"{checks} checks of a healthy service every second", costs, COLUMNS)
    return results


def _cost(fabric, role, program_type, checks, quick):
    links = add_node(fabric, role)
    namespace = fabric.namespaces[role]
    service = _start_service(fabric, role)
    program = program_type(fabric, role, links, checks)
    program.configure()
    router = collector(fabric, links[0][1]).listen()
    program.start()
    try:
        router.wait_announced(PREFIX, 0, 120)
        _send_packet(fabric.namespaces["router"], links[0][0])
        # The programs that ExaBGP starts one after another take their time.
        time.sleep(2 + checks / 10 if program_type is ExaBgpMany else 3)
        service_pids = _family(service)
        pids = [pid for pid in namespace.pids() if pid not in service_pids]
        seconds = 5 if quick else 20
        passes, asked = _passes(namespace, program), time.monotonic()
        before, began = usage(pids), time.monotonic()
        descriptors = 0
        while time.monotonic() < began + seconds:
            time.sleep(0.25)
            descriptors = max(descriptors, _descriptors(program.processes[0].pid))
        after, took = usage(pids), time.monotonic() - began
        if passes is not None:
            passes = round((_passes(namespace, program) - passes) / (time.monotonic() - asked), 1)
        return {
            "passes/s": passes if passes is not None else "-",
            "CPU s/min": round((after[0] - before[0]) / took * 60, 3),
            "wake-ups/s": round((after[1] - before[1]) / took, 1),
            "resident MB": round(_resident(pids), 1),
            "processes": len(pids),
            "descriptors": descriptors,
            "load": load_average(),
        }
    finally:
        program.stop()
        service.kill()
        router.end("fin")


def _send_packet(namespace, gateway):
    """A VIP without any traffic is looked at more closely in its first minute: not the usual."""
    namespace.ip("route", "replace", PREFIX, "via", gateway)
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", (VIP, 7))


def _passes(namespace, program):
    """Runs that have passed so far, where the program counts them: whether it keeps up."""
    if not isinstance(program, AnyvipMany):
        return None
    text = namespace.run("curl", "-s", "-m", "60", "http://127.0.0.1:9179/metrics")
    lines = [line for line in text.splitlines() if line.startswith(_RESULTS)]
    return sum(float(line.split()[-1]) for line in lines if 'result="pass"' in line)


def _start_service(fabric, role):
    """nginx: it takes ten thousand connections a second."""
    config = fabric.path(role, "nginx.conf")
    with open(config, "w") as file:
        file.write(
            f"daemon off; user root; worker_processes 1; pid {config}.pid; error_log {config}.log;"
            " events { worker_connections 16384; }"
            f" http {{ access_log off; server {{ listen 127.0.0.1:{PORT}; return 200; }} }}\n"
        )
    argv = ["/usr/sbin/nginx", "-e", f"{config}.log", "-c", config]
    process = fabric.process(role, "nginx", argv).start()
    text = f":{PORT} "
    wait_until("nginx listens", lambda: text in fabric.namespaces[role].run("ss", "-Hltn"))
    return process


def _family(process):
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(children) as file:
        return {process.pid, *map(int, file.read().split())}


def usage(pids):
    """CPU seconds, with those of ended children, and voluntary context switches."""
    seconds = switches = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status") as file:
                    switches += sum(int(line.split()[1]) for line in file
                                    if line.startswith("voluntary_ctxt"))  # fmt: skip
                with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                    seconds += int(file.read().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue  # a probe that ended; its parent counts it
        seconds += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return seconds, switches


def _resident(pids):
    kilobytes = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                kilobytes += sum(int(line.split()[1]) for line in file if line.startswith("Rss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return kilobytes / 1024


def _descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


