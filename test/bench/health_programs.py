# SPDX-License-Identifier: Apache-2.0
"""What the health benches share: a service that can be killed, and programs with the same check."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from lab.process import wait_until

from .measure import summary
from .programs import PREFIX, Anyvip, Bird, ExaBgp

PORT = 8080

# Answers every request at once, and drops whoever only connects; starts in a few milliseconds.
_SERVICE = f"""
import socket
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
listener = socket.create_server(("127.0.0.1", {PORT}), backlog=1024)
while True:
    try:
        connection = listener.accept()[0]
        if connection.recv(4096):
            connection.sendall(answer)
        connection.close()
    except OSError:
        pass
"""


class Service:
    """A process of its own, so that it can be killed and stopped like any other."""

    def __init__(self, namespace):
        self._namespace = namespace
        self._process = None

    def start(self):
        with self._namespace.entered():
            self._process = subprocess.Popen([sys.executable, "-I", "-S", "-c", _SERVICE])
            wait_until("service listens", self._listens, 10)

    @staticmethod
    def _listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", PORT)) == 0

    def send(self, number):
        """The moment before the signal."""
        began = time.monotonic()
        self._process.send_signal(number)
        return began

    def kill(self):
        began = self.send(signal.SIGKILL)
        self._process.wait()
        return began


class RefusalWatch:
    """When the kernel refused a connection to the service: the moment in which a poll learns of
    its death. What a program needs from then on is its own doing."""

    def __init__(self, namespace):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self._socket.bind(("lo", 0x0800))
        self._times = []
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            packet = self._socket.recv(256)
            at = time.monotonic()
            header = (packet[0] & 15) * 4
            is_reset = packet[9] == 6 and packet[header + 13] & 4
            if is_reset and int.from_bytes(packet[header : header + 2], "big") == PORT:
                self._times.append(at)

    def last_before(self, moment, since):
        found = [at for at in list(self._times) if since <= at <= moment]
        return found[-1] if found else None

    def forget(self):
        self._times.clear()


def tcp_check(**keys):
    return {"name": "web", "type": "tcp", "target": f"127.0.0.1:{PORT}", **keys}


def http_check(**keys):
    return {"name": "web", "type": "http", "url": f"http://127.0.0.1:{PORT}/", **keys}


class AnyvipChecked(Anyvip):
    # Many deaths within a minute are what these benches are made of.
    vip = {"damping": False}


class ExaBgpChecked(ExaBgp):
    """ExaBGP with the health check that comes with it."""

    announce = "api {\n processes [ check ];\n}"
    probe = f"exec 3<>/dev/tcp/127.0.0.1/{PORT}\n"
    schedule = "--interval 1 --fast-interval 1 --rise 2 --fall 3"

    def configure(self):
        probe = self._write("probe", self.probe)
        command = (
            f"/usr/bin/python3 -m exabgp healthcheck --silent --no-ip-setup --ip {PREFIX}"
            f" --cmd 'bash {probe}' {self.schedule} --withdraw-on-down"
        )
        self.process = f"process check {{\n run {command};\n encoder text;\n}}\n"
        super().configure()


class BirdLooped(Bird):
    """BIRD and the loop that people write around it; no counting of failures."""

    probe = f"(exec 3<>/dev/tcp/127.0.0.1/{PORT}) 2>/dev/null"
    pause = "1"

    def configure(self):
        super().configure()
        loop = self._write(
            "loop",
            f"""state=
while sleep {self.pause}; do
    if {self.probe}; then now=enable; else now=disable; fi
    [ "$now" = "$state" ] || birdc -s {self.control} $now vip
    state=$now
done
""",
        )
        self._run(["/bin/bash", loop])


def latency(values, unit="ms", scale=1000.0):
    """A summary with the 99th percentile, which for few values is the greatest."""
    figures = summary(values, unit, scale)
    if len(values) >= 100:
        p99 = statistics.quantiles(values, n=100)[98] * scale
    else:
        p99 = max(values) * scale
    return {**figures, "p99": round(p99, 3)}


def variant(base, name, **attributes):
    """The same program set differently."""
    return type(base.__name__, (base,), {"name": name, **attributes})


def load_average():
    return round(os.getloadavg()[0], 2)
