# SPDX-License-Identifier: Apache-2.0
"""One running anyvipd: its configuration, its API, its end."""

import http.client
import json
import os
import signal
import socket
import time

from .connection import Wrong
from . import network

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("ANYVIP_BIN", f"{ROOT}/build/bin")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def toml(tables):
    lines = []
    for name, keys in tables:
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


class Node:
    def __init__(self, kind, number, directory, namespace):
        self.namespace = namespace
        self.kind = kind
        self.number = number
        self.address = {ipv6: network.node_address(number, ipv6) for ipv6 in (False, True)}
        self.link_local = network.node_link_local(number)
        self.directory = f"{directory}/{kind.name}-{number}"
        self.vip4 = f"192.0.2.{number}"
        self.vip6 = f"2001:db8::{number:x}"
        self.peers = []
        self.vips = None  # to replace the one VIP of the kind
        self.process = None

    def add_peer(self, name, address, ipv6, dials, keys):
        peer = {
            "name": name,
            "address": address,
            "asn": 65001,
            "hold_time": "90s",
            "passive": not dials,
            "local_address": self.address[ipv6],
            "next_hop_ipv4": self.address[False],
            "next_hop_ipv6": self.address[True],
        }
        words = {"{router}": address, "{vip4}": self.vip4}
        peer.update((key, words.get(value, value) if isinstance(value, str) else value)
                    for key, value in keys.items())
        self.peers.append({key: value for key, value in peer.items() if value is not None})

    def path(self, name):
        return f"{self.directory}/{name}"

    def default_vip(self):
        addresses = [{4: self.vip4, 6: self.vip6}[family] for family in self.kind.families]
        vip = {"name": "www", "addresses": addresses}
        vip.update((key, self._fill(value)) for key, value in self.kind.vip)
        return vip

    def _fill(self, value):
        return value.replace("{dir}", self.directory) if isinstance(value, str) else value

    def tables(self):
        yield "node", {"asn": self.kind.asn, "router_id": self.kind.router_id, "name": "lb"}
        control = {"control": self.path("control.sock"), "state_dir": self.path("state")}
        yield "daemon", control | {"http": "", "linger": "0s"} | dict(self.kind.daemon)
        for name, keys in self.kind.tables:
            yield name, {key: self._fill(value) for key, value in keys}
        for peer in self.peers:
            yield "[peer]", peer
        for vip in self.vips if self.vips is not None else [self.default_vip()]:
            yield "[vip]", vip

    def configure(self):
        os.makedirs(self.path("state"), exist_ok=True)
        with open(self.path("anyvip.toml"), "w") as file:
            file.write(toml(self.tables()))

    def start(self):
        self.configure()
        with open(self.path("log"), "ab") as log:
            argv = [f"{BIN}/anyvipd", "-c", self.path("anyvip.toml"), "--log-level", "debug"]
            self.process = network.start(self.namespace, argv, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            if self.process.poll() is not None:
                raise Wrong(f"anyvipd ended with {self.process.returncode}: {self.log()}")
            try:
                return self.get("/v1/version")
            except OSError:
                if time.monotonic() > end:
                    raise Wrong("anyvipd does not answer") from None
                time.sleep(0.02)

    def log(self):
        with open(self.path("log"), errors="replace") as file:
            return file.read()[-2000:]

    def _request(self, method, target, body=None):
        connection = _UnixConnection(self.path("control.sock"))
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, target, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Wrong(f"{method} {target}: {answer.status} {text}")
        return json.loads(text) if text else None

    def get(self, target):
        return self._request("GET", target)

    def post(self, target, body=None):
        return self._request("POST", target, body or {})

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
