# SPDX-License-Identifier: Apache-2.0
"""A node: its namespace, the service, anyvipd with a configuration of its own, and the command."""

import json
import os
import signal
import sys

from .fabric import ROOT
from .process import LabError, run, wait_until

BIN = os.environ.get("ANYVIP_BIN", f"{ROOT}/build/bin")
SERVICE = f"{ROOT}/test/lab/service.py"


def toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def toml(tables):
    """TOML of [("node", {...}), ("[peer]", {...})]: strings, numbers, booleans, lists, tables."""
    lines = []
    for name, keys in tables:
        lines.append(f"[{name}]")
        lines += [f"{key} = {toml_value(value)}" for key, value in keys.items()]
        lines.append("")
    return "\n".join(lines)


class Server:
    """A namespace with a service in it; with a `certificate` (file, key file) it speaks TLS."""

    def __init__(self, fabric, role, certificate=(), port=None):
        self.fabric = fabric
        self.role = role
        self.namespace = fabric.namespaces[role]
        self.directory = fabric.path(role, "")[:-1]
        self.port = port or (443 if certificate else 80)
        argv = [sys.executable, SERVICE, role, self.port, *certificate]
        self.service = fabric.process(role, "service", argv)

    def start_service(self):
        self.service.start()
        wait_until(f"{self.role}: service listens", self._service_listens)

    def _service_listens(self):
        port = f":{self.port}"
        return f"{port} " in self.namespace.run("ss", "-Hltn", "sport", "=", port)

    def kill_service(self):
        self.service.kill()


class Node(Server):
    """`peers`, `checks` and `vips` are lists of tables with the keys of the configuration."""

    speaker = "anyvip"

    def __init__(self, fabric, role, asn, peers, vips, checks=(), certificate=()):
        super().__init__(fabric, role, certificate)
        self.control = f"{self.directory}/control.sock"
        self.config = f"{self.directory}/anyvip.toml"
        self.state = f"{self.directory}/state"
        self.tables = [
            ("node", {"asn": asn, "name": role}),
            ("daemon", {"control": self.control, "state_dir": self.state}),
            *(("[peer]", dict(peer)) for peer in peers),
            *(("[check]", dict(check)) for check in checks),
            *(("[vip]", dict(vip)) for vip in vips),
        ]
        self.daemon = fabric.process(role, "anyvipd", [f"{BIN}/anyvipd", "-c", self.config])

    def table(self, name):
        """The keys of a table, to be changed before the start."""
        return next(keys for table, keys in self.tables if table == name)

    def write_configuration(self):
        os.makedirs(self.state, exist_ok=True)
        with open(self.config, "w") as file:
            file.write(toml(self.tables))

    def start(self):
        self.write_configuration()
        self.daemon.start()
        wait_until(f"{self.role}: anyvipd answers", self._answers, 10)
        return self

    def _answers(self):
        if not self.daemon.is_running():
            status = self.daemon.popen.returncode
            raise LabError(f"anyvipd ended with {status}:\n{self.daemon.tail()}")
        return self.status()

    def anyvip(self, *argv, **options):
        """The anyvip command, run on this node."""
        return self.namespace.run(f"{BIN}/anyvip", "--socket", self.control, *argv, **options)

    def drain(self):
        """Returns when the node has ended its drain: no flow is left, or all are silent."""
        self.anyvip("drain", "--wait")

    def undrain(self):
        self.anyvip("undrain")

    def drain_router(self, name):
        self.anyvip("drain", "--peer", name)

    def undrain_router(self, name):
        self.anyvip("undrain", "--peer", name)

    def events(self):
        """The names of all events so far."""
        lines = self.anyvip("--json", "events").splitlines()
        return [json.loads(line)["event"] for line in lines]

    def received(self):
        """Paths of its VIPs that routers have shown it."""
        return json.loads(self.anyvip("--json", "routes", "--received"))["routes"]

    def status(self):
        return json.loads(self.anyvip("--json", "status"))

    def metrics(self):
        """The text at /metrics."""
        return self.namespace.run("curl", "-sf", "http://127.0.0.1:9179/metrics")

    def vip(self, name):
        for vip in self.status()["vips"]:
            if vip["name"] == name:
                return vip
        raise LabError(f"{self.role}: no VIP {name}")

    def peer(self, name):
        for peer in self.status()["peers"]:
            if peer["name"] == name:
                return peer
        raise LabError(f"{self.role}: no peer {name}")

    def peer_details(self, name):
        return json.loads(self.anyvip("--json", "peers", name))

    def stop(self):
        """Graceful: returns the daemon's exit status."""
        return self.daemon.stop(signal.SIGTERM, 20)


def require_programs():
    for name in ("anyvipd", "anyvip"):
        if not os.access(f"{BIN}/{name}", os.X_OK):
            raise LabError(f"{BIN}/{name} is missing: build first (cmake --build build)")
    run(f"{BIN}/anyvipd", "--version")
