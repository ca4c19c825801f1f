# SPDX-License-Identifier: Apache-2.0
"""Injected faults: the first line of `anyvip explain` names the cause, as README quotes it."""

import http.server
import os
import re
import socket
import struct
import threading

from lab.fabric import ROOT
from lab.speaker import KEEPALIVE, NOTIFICATION, message, open_message

from ..catalogue import case
from ..stage import VIP4, VIP6, Wrong, expect

SECTION = "## Why is my VIP not announced?"
FAULTS = []


def readme():
    """Fault -> first line, out of README's table."""
    with open(f"{ROOT}/README.md") as file:
        _, _, section = file.read().partition(f"{SECTION}\n")
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", section.partition("\n## ")[0], re.M)
    return dict(rows)


def pattern(line):
    """In README "…" stands for what differs from run to run."""
    return ".*".join(re.escape(part) for part in line.split("…"))


def fault(name, check=None, vip=(), **options):
    """A case that injects one fault; with `check` the VIP has that one check."""
    FAULTS.append(name)
    vips = [{"name": "www", "addresses": [VIP4], **dict(vip)}]
    checks = []
    if check:
        checks = [{"name": "web", "interval": "100ms", "timeout": "300ms", "fall": 2, "rise": 1, **check}]
        vips[0]["checks"] = ["web"]

    def register(function):
        def run(stage):
            function(stage)
            line = None

            def matches():
                nonlocal line
                line = re.sub(r" since \S+Z: ", ": ", stage.explain(), count=1)
                wanted = readme().get(name)
                return wanted and re.fullmatch(pattern(wanted), line)

            try:
                stage.wait("the cause", matches, 8)
            except Exception:
                raise Wrong(f"{line!r}, README says {readme().get(name)!r}") from None

        run.__module__ = __name__
        case(f"explain names the cause: {name}", vips=vips, checks=checks, **options)(run)
        return function

    return register


class Service(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A TCP check that closes without a request is no error."""


def serve(stage, status):
    with stage.node.entered():
        server = Server(("127.0.0.1", 8080), Service)
    server.status = status
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


HTTP = {"type": "http", "url": "http://127.0.0.1:8080/healthz"}
TCP = {"type": "tcp", "target": "127.0.0.1:8080"}


def nothing(_):
    pass


fault("service not started", HTTP)(nothing)


@fault("service answers 503", HTTP)
def http_status(stage):
    serve(stage, 503)


@fault("service hangs", HTTP)
def hangs(stage):
    with stage.node.entered():
        stage.hanging = socket.create_server(("127.0.0.1", 8080))


@fault("service stops answering after it was up", HTTP)
def died(stage):
    server = serve(stage, 200)
    stage.wait_state("announced")
    server.shutdown()
    server.server_close()


fault("check program exits with 1", {"type": "exec", "command": ["/bin/false"]})(nothing)


@fault("check program is gone", {"type": "exec", "command": ["DIR"]}, start=False)
def program_gone(stage):
    program = f"{stage.directory}/check"
    with open(program, "w") as file:
        file.write("#!/bin/sh\nexit 0\n")
    os.chmod(program, 0o755)
    stage.checks[0]["command"] = [program]
    stage.start()
    stage.wait_state("announced")
    os.unlink(program)


fault("check program runs too long", {"type": "exec", "command": ["/bin/sleep", "100"]})(nothing)
fault("process not running", {"type": "process", "pidfile": "/run/no-such.pid"})(nothing)
fault("HAProxy not running", {"type": "haproxy", "socket": "/run/no-such.sock", "backend": "web"})(nothing)
fault("file absent", {"type": "file"})(nothing)
fault("name server not running", {"type": "dns", "server": "127.0.0.1:53", "query": "example.org"})(nothing)
fault("first run has not ended", {"type": "exec", "command": ["/bin/sleep", "60"], "timeout": "60s"})(nothing)
fault("too few successes yet", {"type": "exec", "command": ["/bin/true"], "interval": "1h", "rise": 5,
                                "fast_interval": "1h"})(nothing)
fault("shared dependency down before the first success", {"type": "tcp", "target": "127.0.0.1:8080",
      "scope": "shared"})(nothing)


@fault("hold_down runs", TCP, {"hold_down": "60s"})
def hold_down(stage):
    server = serve(stage, 200)
    stage.wait_state("announced")
    server.shutdown()
    server.server_close()
    stage.wait_state("withdrawn")
    serve(stage, 200)


@fault("check flaps", TCP)
def flaps(stage):
    for _ in range(6):
        server = serve(stage, 200)
        stage.wait("up", lambda: stage.vip()["health"] == "up")
        server.shutdown()
        server.server_close()
        stage.wait("down", lambda: stage.vip()["health"] == "down")
    serve(stage, 200)


@fault("node drained")
def drained(stage):
    stage.cli("drain", "--reason", "new kernel", code=0)
    stage.wait_state("drained")


@fault("VIP drained, flows left", drain={"idle": "60s", "deadline": "60s"})
def draining(stage):
    stage.wait_state("announced")
    with stage.node.entered():
        listener = socket.create_server(("0.0.0.0", 8080))
    with stage.router_namespace.entered():
        stage.flow = socket.create_connection((VIP4, 8080), 5)
    stage.accepted = listener.accept()
    stage.cli("drain", "www", code=0)


@fault("drain file exists", daemon={"drain_file": "DIR/maintenance"})
def drain_file(stage):
    open(stage.daemon["drain_file"], "w").close()


@fault("drain state unreadable", start=False)
def unreadable(stage):
    os.makedirs(stage.state_dir)
    with open(f"{stage.state_dir}/drains.json", "w") as file:
        file.write("{")
    stage.start()


@fault("its only router drained")
def router_drained(stage):
    stage.wait_state("announced")
    stage.cli("drain", "--peer", "tor1", code=0)


fault("interface does not exist", vip={"interface": "dummy9"})(nothing)
fault("address_policy external, address absent", vip={"address_policy": "external"})(nothing)


@fault("another program removes the address again and again")
def fought(stage):
    stage.wait_state("announced")
    for count in range(4):
        stage.wait_address(VIP4)
        stage.node.ip("address", "del", f"{VIP4}/32", "dev", "lo")
        if count < 3:
            stage.wait_event("address.removed", count)


@fault("router does not listen", start=False)
def no_router(stage):
    stage.router.stop_listening()
    stage.start()


@fault("router not reachable", start=False)
def unreachable(stage):
    stage.node.ip("link", "set", "tor1", "down")
    stage.start()


@fault("router drops packets", start=False, peer={"connect_timeout": "500ms"})
def black_hole(stage):
    # The router has no way back.
    stage.router_namespace.ip("address", "del", "10.0.1.1/24", "dev", "node")
    stage.node.ip("neighbour", "replace", "10.0.1.1", "lladdr", "02:00:00:00:00:01", "dev", "tor1")
    stage.start()


class Answering:
    """Listens as a router that answers our OPEN with one message and reads on."""

    def __init__(self, stage, octets):
        stage.router.stop_listening()
        with stage.router_namespace.entered():
            self.listener = socket.create_server(("0.0.0.0", 179))
        self.octets = octets
        stage.answering = self
        threading.Thread(target=self.run, daemon=True).start()
        stage.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                connection.recv(4096)
                connection.sendall(self.octets)
                connection.recv(4096)
            except OSError:
                return


@fault("wrong ASN configured", start=False)
def wrong_asn(stage):
    Answering(stage, open_message(65002, "10.0.1.1"))


@fault("router refuses our ASN", start=False)
def refused_asn(stage):
    Answering(stage, message(NOTIFICATION, bytes([2, 2])))


@fault("router administratively shut down", start=False)
def shut_down(stage):
    text = b"fabric upgrade"
    Answering(stage, message(NOTIFICATION, bytes([6, 2, len(text)]) + text))


@fault("router's ID is 0.0.0.0", start=False)
def bad_id(stage):
    Answering(stage, open_message(65001, "0.0.0.0"))


@fault("router does not carry IPv6", vip={"addresses": [VIP6]}, start=False)
def no_family(stage):
    stage.router._open = open_message(65001, "10.0.1.1", families=((1, 1),))
    stage.start()


@fault("TCP MD5 password differs", start=False, peer={"password": "secret", "connect_timeout": "500ms"})
def password(stage):
    stage.start()


@fault("router sends more prefixes than max_received", peer={"max_received": 1}, start=False)
def too_many(stage):
    attributes = bytes.fromhex("400101004002060201" "0000fde9" "4003040a000101")
    nlri = bytes([24, 198, 51, 100, 24, 192, 0, 2, 24, 203, 0, 113])
    update = message(2, struct.pack("!HH", 0, len(attributes)) + attributes + nlri)
    Answering(stage, open_message(65001, "10.0.1.1") + message(KEEPALIVE) + update)


fault("VIP has no router", routers=0)(nothing)


@fault("daemon is stopping", daemon={"linger": "9s", "linger_min": "9s"})
def stopping(stage):
    stage.wait_state("announced")
    stage.signal(15)


@case("README's table of causes is made of faults that are injected here", start=False)
def table(stage):
    expect(sorted(set(readme()) ^ set(FAULTS)), [], "rows without a fault, faults without a row")
    expect(len(FAULTS) >= 20, True, "at least 20 faults")
