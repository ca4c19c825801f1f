# SPDX-License-Identifier: Apache-2.0
"""From the close of the service's socket to the withdraw on the wire, checks at 100 ms."""

import random
import socket
import threading
import time

from lab.fabric import Fabric

from .measure import COLUMNS, add_node, collector, note, show, summary
from .programs import PREFIX, Anyvip, Bird, ExaBgp

PORT = 8080


class AnyvipChecked(Anyvip):
    checks = (
        {
            "name": "web",
            "type": "tcp",
            "target": f"127.0.0.1:{PORT}",
            "interval": "100ms",
            "fall": 1,
            "rise": 1,
        },
    )
    # Fifty deaths within a minute are what this bench is made of.
    vip = {"damping": False}


class AnyvipPolled(AnyvipChecked):
    """The same without what tells of a death between two probes."""

    name = "anyvip, tripwire off"
    checks = ({**AnyvipChecked.checks[0], "tripwire": False},)


class BirdLooped(Bird):
    """BIRD and the loop that people write around it."""

    name = "BIRD + shell loop"

    def configure(self):
        super().configure()
        loop = self._write(
            "loop",
            f"""state=
while sleep 0.1; do
    if (exec 3<>/dev/tcp/127.0.0.1/{PORT}) 2>/dev/null; then now=enable; else now=disable; fi
    [ "$now" = "$state" ] || birdc -s {self.control} $now vip
    state=$now
done
""",
        )
        self._run(["/bin/bash", loop])


class ExaBgpChecked(ExaBgp):
    """ExaBGP with the health check that comes with it, at the same interval."""

    name = "ExaBGP healthcheck"
    announce = "api {\n processes [ check ];\n}"

    def configure(self):
        probe = self._write("probe", f"exec 3<>/dev/tcp/127.0.0.1/{PORT}\n")
        command = (
            f"/usr/bin/python3 -m exabgp healthcheck --silent --no-ip-setup --ip {PREFIX}"
            f" --cmd 'bash {probe}' --interval 0.1 --fast-interval 0.1 --rise 1 --fall 1"
            " --withdraw-on-down"
        )
        self.process = f"process check {{\n run {command};\n encoder text;\n}}\n"
        super().configure()


class Service:
    """A listening socket that can be closed at a known moment."""

    def __init__(self, namespace):
        self._namespace = namespace
        self._socket = None

    def open(self):
        with self._namespace.entered():
            self._socket = socket.create_server(("127.0.0.1", PORT), backlog=64)
        threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()

    @staticmethod
    def _accept(listener):
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    def close(self):
        """Ends the listening state; close() alone would wait for the accepting thread."""
        begin = time.monotonic()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        return begin


PROGRAMS = (AnyvipChecked, AnyvipPolled, BirdLooped, ExaBgpChecked)


def measure(quick):
    results = {}
    with Fabric("bench") as fabric:
        for number, program_type in enumerate(PROGRAMS, 1):
            runs = 3 if quick else 50
            try:
                times = _deaths(fabric, f"node{number}", program_type, runs)
                results[program_type.name] = summary(times)
            except TimeoutError as error:
                note(f"withdraw: {program_type.name}: {error}")
                results[program_type.name] = {}
    show("Close of the listening socket to the withdraw on the wire, ms", results, COLUMNS)
    return results


def _deaths(fabric, role, program_type, runs):
    links = add_node(fabric, role)
    service = Service(fabric.namespaces[role])
    program = program_type(fabric, role, links)
    program.configure()
    router = collector(fabric, links[0][1]).listen()
    program.start()
    times = []
    try:
        for _ in range(runs):
            begin = time.monotonic()
            service.open()
            router.wait_announced(PREFIX, begin, 30)
            # So that the death falls anywhere between two checks.
            time.sleep(random.uniform(0.1, 0.3))
            died = service.close()
            times.append(router.wait_withdrawn(PREFIX, died, 30).at - died)
    finally:
        program.stop()
        router.end("fin")
    return times
