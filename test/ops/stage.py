# SPDX-License-Identifier: Apache-2.0
"""One node with its daemon, and routers made of raw bytes, in namespaces of their own."""

import json
import os
import signal
import socket
import subprocess
import time

from lab.node import BIN, toml
from lab.process import LabError, Process, run, wait_until
from lab.speaker import UPDATE, Speaker

ASN, ROUTER_ASN = 65010, 65001
VIP4, VIP6 = "203.0.113.10", "2001:db8:ffff::10"
# Short times, so that a drain takes as long as a test may.
DAEMON = {"linger": "2s", "silence": "200ms", "linger_min": "200ms", "http": "127.0.0.1:9179"}
DRAIN = {"gshut": "300ms", "deadline": "5s", "idle": "500ms", "keep_last": "never"}
GSHUT = bytes.fromhex("ffff0000")


class Wrong(Exception):
    """The daemon or the command did not do what is required."""


def expect(found, wanted, what):
    if found != wanted:
        raise Wrong(f"{what}: {found!r}, not {wanted!r}")


def expect_in(part, text, what):
    if part not in text:
        raise Wrong(f"{what}: no {part!r} in {text!r}")


class Stage:
    """`routers` peers named tor1, tor2…; `vips` and `checks` as tables, by default one VIP "www".

    `daemon`, `drain`, `peer` change the keys of those tables; `more` is TOML appended as it is."""

    def __init__(self, fabric, number, routers=1, vips=None, checks=(), start=True, **tables):
        self.fabric = fabric
        self.role = f"n{number}"
        self.node = fabric.namespace(self.role)
        self.directory = fabric.path(self.role, "")[:-1]
        self.control = f"{self.directory}/control.sock"
        self.state_dir = f"{self.directory}/state"
        self.config = f"{self.directory}/anyvip.toml"
        self.ready = f"{self.directory}/ready"
        self.namespaces = [self.node]
        self.routers = [self._router(number, i) for i in range(1, routers + 1)]
        self.vips = vips or [{"name": "www", "addresses": [f"{VIP4}/32", f"{VIP6}/128"]}]
        self.checks = [dict(check) for check in checks]
        for check in self.checks:
            if check["type"] == "file":
                check.setdefault("path", self.ready)
        paths = {"control": self.control, "state_dir": self.state_dir}
        self.daemon = {**paths, **DAEMON, **tables.get("daemon", {})}
        for key, value in self.daemon.items():
            if isinstance(value, str):
                self.daemon[key] = value.replace("DIR", self.directory)
        self.drain = {**DRAIN, **tables.get("drain", {})}
        self.node_keys = {"asn": ASN, "name": "lb-a", "router_id": "10.0.0.11"}
        self.peers = [
            {
                "name": f"tor{i}",
                "address": f"10.0.{i}.1",
                "asn": ROUTER_ASN,
                **tables.get("peer", {}),
            }
            for i in range(1, routers + 1)
        ]
        self.more = tables.get("more", "").replace("DIR", self.directory)
        self.env = {}
        self.arguments = []
        self.wrapper = []
        self.process = None
        for router in self.routers:
            router.listen()
        if start:
            self.start()

    def _router(self, number, i):
        role = f"r{number}x{i}"
        router = self.fabric.namespace(role)
        self.namespaces.append(router)
        run("ip", "link", "add", "name", "node", "netns", router.name, "type", "veth",
            "peer", "name", f"tor{i}", "netns", self.node.name)  # fmt: skip
        for namespace, device, host in ((router, "node", "1"), (self.node, f"tor{i}", "2")):
            namespace.ip("address", "add", f"10.0.{i}.{host}/24", "dev", device)
            namespace.ip("address", "add", f"2001:db8:{i}::{host}/64", "dev", device, "nodad")
            namespace.ip("link", "set", device, "up")
        router.ip("route", "add", f"{VIP4}/32", "via", f"10.0.{i}.2")
        return Speaker(router, ROUTER_ASN, f"10.0.{i}.1")

    @property
    def router(self):
        return self.routers[0]

    @property
    def router_namespace(self):
        return self.namespaces[1]

    # ---- the daemon

    def tables(self):
        return [
            ("node", self.node_keys),
            ("daemon", self.daemon),
            ("drain", self.drain),
            *(("[peer]", peer) for peer in self.peers),
            *(("[check]", check) for check in self.checks),
            *(("[vip]", vip) for vip in self.vips),
        ]

    def write(self):
        with open(f"{self.config}.new", "w") as file:
            file.write(toml(self.tables()) + self.more)
        os.rename(f"{self.config}.new", self.config)

    def start(self, wait=True, log=None):
        self.write()
        argv = [*self.wrapper, f"{BIN}/anyvipd", "-c", self.config, *self.arguments]
        self.process = Process(
            "anyvipd", argv, log or f"{self.directory}/log", self.node, self.env or None
        )
        self.process.start()
        if wait:
            self.wait("the daemon answers", self.status)
        return self

    def log(self):
        with open(f"{self.directory}/log", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.kill()

    def signal(self, number):
        self.process.send(number)

    def stop(self, deadline=10):
        return self.process.stop(signal.SIGTERM, deadline)

    def close(self):
        if self.process and self.process.is_running():
            self.process.kill()
        for router in self.routers:
            router.stop_listening()
        for namespace in self.namespaces:
            namespace.remove()

    # ---- asking it

    def cli(self, *argv, timeout=30, code=None, binary=False):
        """The finished command; with `code`, its exit status must be that."""
        done = subprocess.run(
            [f"{BIN}/anyvip", "--socket", self.control, *argv],
            capture_output=True, text=not binary, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if code is not None and done.returncode != code:
            words = " ".join(argv)
            raise Wrong(f"anyvip {words}: exit {done.returncode}, not {code}: "
                        f"{done.stdout}{done.stderr}")  # fmt: skip
        return done

    def cli_background(self, *argv):
        return subprocess.Popen(
            [f"{BIN}/anyvip", "--socket", self.control, *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def json(self, *argv, **options):
        return json.loads(self.cli("--json", *argv, code=0, **options).stdout)

    def connect(self, timeout=10):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(self.control)
        except OSError as error:
            connection.close()
            raise LabError(f"no connection: {error}") from None
        return connection

    def connect_tcp(self, timeout=10):
        with self.node.entered():
            connection = socket.socket()
        connection.settimeout(timeout)
        connection.connect(("127.0.0.1", 9179))
        return connection

    def api(self, method, path, body=None, tcp=False, host="localhost"):
        """(status, body as text); the body of the request is JSON or bytes as they are."""
        octets = b"" if body is None else body
        if not isinstance(octets, bytes):
            octets = json.dumps(octets).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(octets)}\r\n\r\n"
        with self.connect_tcp() if tcp else self.connect() as connection:
            return exchange(connection, head.encode() + octets)

    def get(self, path):
        status, text = self.api("GET", path)
        expect(status, 200, path)
        return json.loads(text)

    def status(self):
        return self.get("/v1/status")

    def vip(self, name="www"):
        return next(vip for vip in self.status()["vips"] if vip["name"] == name)

    def peer(self, name="tor1"):
        return next(peer for peer in self.status()["peers"] if peer["name"] == name)

    def events(self, *names):
        lines = self.cli("--json", "events", code=0).stdout.splitlines()
        found = [json.loads(line) for line in lines]
        return [event for event in found if not names or event["event"] in names]

    def metric(self, sample):
        for line in self.api("GET", "/metrics")[1].splitlines():
            if line.startswith(sample + " "):
                return float(line.rpartition(" ")[2])
        return None

    def explain(self, name="www"):
        return self.cli("explain", name, code=0).stdout.splitlines()[0]

    # ---- waiting for it

    def wait(self, what, condition, deadline=15):
        def guarded():
            if self.process and not self.process.is_running():
                raise Wrong(f"anyvipd ended with {self.process.popen.returncode}: {self.log()}")
            return condition()

        return wait_until(what, guarded, deadline, every=0.03)

    def wait_state(self, state, name="www", deadline=15):
        def is_there():
            vip = self.vip(name)
            if vip["state"] != state:
                raise LabError(f"{vip['state']}: {vip['reason']}")
            return vip

        vip = self.wait(f"{name} is {state}", is_there, deadline)
        self.wait_routers(vip)
        return vip

    def wait_everywhere(self, name="www"):
        """Until every router has the VIP."""
        count = len(self.routers)
        self.wait("all have it", lambda: len(self.vip(name)["announced_to"]) == count)
        self.wait_routers(self.vip(name))

    def wait_routers(self, vip):
        """Until the routers have read what was sent: it must not count as said after this."""
        peers = {peer["name"]: peer["families"] for peer in self.status()["peers"]}
        for number, router in enumerate(self.routers, 1):
            for address in vip["addresses"]:
                family = "ipv6" if ":" in address["prefix"] else "ipv4"
                is_known = f"tor{number}" in vip["announced_to"] and address["present"]
                if is_known and family in peers[f"tor{number}"]:
                    router.wait_announced(address["prefix"])

    def wait_event(self, event, since=0, deadline=10):
        """Waits until there are more than `since` events of this kind; returns the last one."""

        def last():
            found = self.events(event)
            return found[-1] if len(found) > since else None

        return self.wait(event, last, deadline)

    def wait_address(self, address, is_there=True, device="lo"):
        self.wait(
            f"{address} {'on' if is_there else 'off'} {device}",
            lambda: self.node.has_address(address, device) == is_there,
        )

    def updates(self, since, router=None):
        """UPDATEs but End-of-RIB markers since then."""
        router = router or self.router
        return [
            one for one in list(router.messages)
            if one.kind == UPDATE and one.at >= since and (one.announced() or one.withdrawn())
        ]  # fmt: skip


def exchange(connection, octets):
    """Sends a request, reads to the end, returns (status, body)."""
    try:
        connection.sendall(octets)
    except (BrokenPipeError, ConnectionResetError):
        pass  # answered before it was read to its end
    answer = read_all(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        raise LabError(f"no HTTP answer: {answer!r}")
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunked(body)
    return int(head.split()[1]), body.decode()


def read_all(connection):
    answer = b""
    while True:
        portion = connection.recv(65536)
        if not portion:
            return answer
        answer += portion


def unchunked(body):
    plain = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        plain, body = plain + body[:length], body[length + 2 :]
    return plain


def now():
    return time.monotonic()
