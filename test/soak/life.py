# SPDX-License-Identifier: Apache-2.0
"""Flapping services, drains, reloads, resets, router restarts, tables and rude clients, at random."""

import collections
import contextlib
import dataclasses
import os
import random
import socket
import struct
import threading
import time

from lab.process import LabError
from ops.stage import Stage, expect, now

# Of the resident memory after the first quarter of the time, when every buffer has had its peak.
GROWTH_KB = 1024
SAMPLE_SECONDS = 10
PREFIXES_AT_ONCE = 20_000
MARKER = b"\xff" * 16


@dataclasses.dataclass
class Sample:
    seconds: float
    resident_kb: int
    threads: int
    descriptors: int

    def line(self):
        return (
            f"{self.seconds:7.0f} s  {self.resident_kb:7} kB  {self.threads:3} threads"
            f"  {self.descriptors:4} descriptors"
        )


class Service(threading.Thread):
    """A TCP service that can be closed and opened again, in the node's namespace."""

    def __init__(self, namespace, port):
        super().__init__(daemon=True)
        self._namespace = namespace
        self._port = port
        self._listener = None

    def open(self):
        if self._listener:
            return
        with self._namespace.entered():
            listener = socket.create_server(("127.0.0.1", self._port))
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def close(self):
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    @staticmethod
    def _serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                connection.settimeout(1)
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.close()


def table(first):
    """UPDATEs with PREFIXES_AT_ONCE prefixes of other people, 600 in each message."""
    attributes = b"\x40\x01\x01\x00" + b"\x40\x02\x06\x02\x01" + struct.pack("!I", 65001)
    attributes += b"\x40\x03\x04\x0a\x00\x01\x01"
    blocks = []
    for start in range(first, first + PREFIXES_AT_ONCE, 600):
        nlri = b"".join(
            b"\x18" + struct.pack("!I", 0x10000000 + (n << 8))[:3] for n in range(start, start + 600)
        )
        body = struct.pack("!HH", 0, len(attributes)) + attributes + nlri
        blocks.append(MARKER + struct.pack("!HB", 19 + len(body), 2) + body)
    return blocks


class Life:
    def __init__(self, fabric, seed):
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.samples = []
        fast = {"interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}
        checks = [
            {"name": "f", "type": "file", **fast},
            {"name": "t", "type": "tcp", "target": "127.0.0.1:7001", **fast},
            {"name": "h", "type": "http", "url": "http://127.0.0.1:7002/", **fast},
            {"name": "x", "type": "exec", "command": ["/bin/true"], "interval": "500ms"},
        ]
        vips = [
            {"name": f"v{i}", "addresses": [f"198.18.0.{i + 1}/32"], "checks": [check]}
            for i, check in enumerate(["f", "t", "h", "x"])
        ] + [{"name": f"m{i}", "addresses": [f"198.18.1.{i + 1}/32"]} for i in range(100)]
        self.stage = Stage(
            fabric, 1, routers=2, vips=vips, checks=checks, start=False, peer={"hold_time": "9s"}
        )
        self.services = [Service(self.stage.node, port) for port in (7001, 7002)]
        self.actions = [
            *[self.flap] * 12,
            *[self.drain] * 3,
            *[self.undrain] * 4,
            self.drain_peer,
            *[self.reload] * 3,
            self.reset,
            self.router_away,
            *[self.send_table] * 2,
            self.rude_clients,
            self.ask_everything,
        ]

    def close(self):
        for service in self.services:
            service.close()
        self.stage.close()

    def log(self):
        return self.stage.log()

    def live(self, end):
        """What is wrong at the end, in lines."""
        self.begin = now()
        self.stage.start()
        self.settle()
        self.sample()
        next_sample = now() + SAMPLE_SECONDS
        while now() < end:
            action = self.random.choice(self.actions)
            self.counts[action.__name__.replace("_", " ")] += 1
            action()
            time.sleep(self.random.uniform(0.05, 0.5))
            if now() >= next_sample:
                next_sample = now() + SAMPLE_SECONDS
                self.sample()
        self.settle()
        self.sample()
        return self.problems()

    # ---- what happens

    def flap(self):
        which = self.random.randrange(3)
        if which == 2:
            if os.path.exists(self.stage.ready):
                os.unlink(self.stage.ready)
            else:
                open(self.stage.ready, "w").close()
        elif self.random.random() < 0.5:
            self.services[which].close()
        else:
            self.services[which].open()

    def some_vips(self):
        names = [vip["name"] for vip in self.stage.vips]
        return self.random.sample(names, self.random.randint(1, 5))

    def drain(self):
        vips = self.some_vips() if self.random.random() < 0.7 else []
        body = {"vips": vips, "reason": "soak " + "x" * self.random.randint(0, 200)}
        self.stage.api("POST", "/v1/drain", body)

    def undrain(self):
        self.stage.api("POST", "/v1/undrain", {})
        self.stage.api("POST", "/v1/undrain", {"vips": [vip["name"] for vip in self.stage.vips]})

    def drain_peer(self):
        self.stage.cli("drain", "--peer", "tor1")
        self.stage.cli("undrain", "--peer", "tor1")

    def reload(self):
        vips = self.stage.vips
        choice = self.random.random()
        if choice < 0.4:
            self.random.choice(vips)["med"] = self.random.randint(1, 100)
        elif choice < 0.6:
            self.stage.checks[0]["timeout"] = f"{self.random.randint(100, 180)}ms"
        elif choice < 0.8 and len(vips) > 60:
            vips.pop()
        elif len(vips) < 140:
            number = self.counts["VIPs added"] = self.counts["VIPs added"] + 1
            address = f"198.18.{2 + number // 250}.{1 + number % 250}/32"
            vips.append({"name": f"a{number}", "addresses": [address]})
        self.stage.write()
        expect(self.stage.cli("reload").returncode, 0, "reload")

    def reset(self):
        soft = {"soft": self.random.random() < 0.5}
        self.stage.api("POST", "/v1/peers/tor2/reset", soft)

    def router_away(self):
        router = self.random.choice(self.stage.routers)
        router.end(self.random.choice(["rst", "fin", "cease"]))
        router.messages.clear()
        time.sleep(0.3)
        router.listen()

    def send_table(self):
        router = self.random.choice(self.stage.routers)
        # A session that is just ending is part of life.
        with contextlib.suppress(OSError, AttributeError):
            router.send(table(self.random.randint(0, 1_000_000)))
        router.messages.clear()

    def rude_clients(self):
        with contextlib.ExitStack() as stack:
            for count in range(50):
                try:
                    one = stack.enter_context(
                        self.stage.connect_tcp(1) if count % 2 else self.stage.connect(1)
                    )
                    one.send(self.random.choice([b"GET /v1/st", b"\x16\x03\x01", b"POST /v1/drain"]))
                except (OSError, LabError):
                    pass

    def ask_everything(self):
        for path in ("/v1/status", "/v1/routes", "/v1/events", "/v1/flows", "/metrics", "/v1/doctor"):
            expect(self.stage.api("GET", path)[0], 200, path)
        expect(self.stage.api("GET", "/", tcp=True)[0], 200, "the page")

    # ---- what is left

    def settle(self):
        """Everything up, nothing drained, both sessions Established."""
        open(self.stage.ready, "w").close()
        for service in self.services:
            service.open()
        self.undrain()

        def all_announced():
            status = self.stage.status()
            states = collections.Counter(vip["state"] for vip in status["vips"])
            peers = [peer["state"] for peer in status["peers"]]
            if set(states) != {"announced"} or peers != ["Established"] * 2:
                raise LabError(f"{dict(states)}, {peers}")
            return True

        self.stage.wait("everything is announced", all_announced, 180)

    def sample(self):
        pid = self.stage.process.popen.pid
        with open(f"/proc/{pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        self.samples.append(
            Sample(
                now() - self.begin,
                int(fields["VmRSS"].split()[0]),
                int(fields["Threads"]),
                len(os.listdir(f"/proc/{pid}/fd")),
            )
        )

    def shown(self):
        """Ten samples, spread over the time."""
        step = max(1, len(self.samples) // 10)
        return [*self.samples[::step], self.samples[-1]]

    def problems(self):
        first, last = self.samples[0], self.samples[-1]
        warm = self.samples[len(self.samples) // 4]
        found = []
        if last.descriptors > first.descriptors + 2:
            found.append(f"descriptors: {first.descriptors} before, {last.descriptors} after")
        if last.threads > first.threads:
            found.append(f"threads: {first.threads} before, {last.threads} after")
        if last.resident_kb > warm.resident_kb + GROWTH_KB:
            found.append(f"memory: {warm.resident_kb} kB after a quarter, {last.resident_kb} at the end")
        return found
