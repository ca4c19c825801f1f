# SPDX-License-Identifier: Apache-2.0
"""The programs that are compared, each announcing one VIP with its defaults from a node."""

import os
import shutil
import threading

from lab.node import BIN, Node
from lab.process import LabError, run, wait_until

ASN = 65010
ROUTER_ASN = 65001
VIP = "203.0.113.10"
PREFIX = f"{VIP}/32"


class Program:
    """One program on one node. `links`: (its address, the router's) of each; it dials them all."""

    name = ""
    binaries = ()

    def __init__(self, fabric, role, links):
        self.fabric = fabric
        self.role = role
        self.links = links
        self.local = links[0][0]
        self.peers = [peer for _, peer in links]
        self.processes = []

    @classmethod
    def role_name(cls):
        """The name as part of a namespace's name."""
        return cls.name.lower().replace(" ", "-")

    def path(self, name):
        return self.fabric.path(self.role, f"{self.role_name()}-{name}")

    def configure(self):
        """Writes the configuration; what a user does before the start and what is not measured."""
        raise NotImplementedError

    def start(self):
        for process in self.processes:
            process.start()

    def stop(self):
        for process in reversed(self.processes):
            process.kill()

    def _run(self, argv, env=None):
        self.processes.append(self.fabric.process(self.role, argv[0].split("/")[-1], argv, env))

    def _write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)


class Anyvip(Program):
    name = "anyvip"
    binaries = (f"{BIN}/anyvipd",)
    checks = ()
    vip = {}
    drain = None

    def configure(self):
        peers = [{"address": address, "asn": ROUTER_ASN} for address in self.peers]
        vip = {"name": "www", "addresses": [VIP], **self.vip}
        if self.checks:
            vip["checks"] = [check["name"] for check in self.checks]
        self.node = Node(self.fabric, self.role, ASN, peers, [vip], self.checks)
        if self.drain:
            self.node.tables.append(("drain", self.drain))
        self.node.write_configuration()
        self.processes = [self.node.daemon]


class Bird(Program):
    name = "BIRD"
    binaries = ("/usr/sbin/bird",)
    timers = ""

    def configure(self):
        self.control = self.path("control")
        bgp = "".join(
            f"protocol bgp tor{n} {{ local as {ASN}; neighbor {a} as {ROUTER_ASN}; {self.timers}\n"
            f"  ipv4 {{ import none; export where source = RTS_STATIC; }}; }}\n"
            for n, a in enumerate(self.peers, 1)
        )
        config = self._write(
            "conf",
            f"router id {self.local};\nprotocol device {{}}\n{bgp}"
            f"protocol static vip {{ ipv4; route {PREFIX} blackhole; }}\n",
        )
        self._run(["/usr/sbin/bird", "-f", "-c", config, "-s", self.control])


class BirdFast(Bird):
    """BIRD as somebody sets it who wants it quick; its defaults wait for seconds and minutes."""

    name = "BIRD fast"
    timers = "connect delay time 0; connect retry time 1; error wait time 1, 1;"


class Frr(Program):
    name = "FRR"
    binaries = ("/usr/lib/frr/zebra", "/usr/lib/frr/bgpd")

    def configure(self):
        directory = self.path("frr")
        os.makedirs(directory, exist_ok=True)
        peers = "".join(f" neighbor {a} remote-as {ROUTER_ASN}\n" for a in self.peers)
        zebra = self._write("zebra.conf", f"hostname {self.role}\n")
        bgpd = self._write(
            "bgpd.conf",
            f"router bgp {ASN}\n bgp router-id {self.local}\n no bgp ebgp-requires-policy\n"
            f" no bgp network import-check\n{peers} network {PREFIX}\n",
        )
        for path in (directory, zebra, bgpd):
            shutil.chown(path, "frr", "frr")
        for name, config, more in (("zebra", zebra, []), ("bgpd", bgpd, ["-p", "179"])):
            self._run(
                [f"/usr/lib/frr/{name}", "-f", config, "-i", f"{directory}/{name}.pid",
                 "-z", f"{directory}/zserv.api", "--vty_socket", directory, *more]
            )  # fmt: skip


class OpenBgpd(Program):
    name = "OpenBGPD"
    binaries = ("/usr/sbin/bgpd",)

    def configure(self):
        # Its unit file asks systemd for the directory into which it locks itself.
        os.makedirs("/run/openbgpd", mode=0o755, exist_ok=True)
        peers = "".join(f"neighbor {a} {{ remote-as {ROUTER_ASN} }}\n" for a in self.peers)
        config = self._write(
            "conf",
            f'AS {ASN}\nrouter-id {self.local}\nfib-update no\nsocket "{self.path("control")}"\n'
            f"listen on {self.local}\nnetwork {PREFIX}\n{peers}allow to any\n",
        )
        os.chmod(config, 0o600)
        self._run(["/usr/sbin/bgpd", "-d", "-f", config])


class ExaBgp(Program):
    name = "ExaBGP"
    binaries = ()
    announce = f"static {{\n route {PREFIX} next-hop self;\n}}"
    process = ""

    def configure(self):
        peers = "".join(
            f"neighbor {peer} {{\n router-id {self.local};\n local-address {local};\n"
            f" local-as {ASN};\n peer-as {ROUTER_ASN};\n {self.announce}\n}}\n"
            for local, peer in self.links
        )
        config = self._write("conf", self.process + peers)
        env = {
            "exabgp.daemon.user": "root",
            "exabgp.api.cli": "false",
            "exabgp.log.level": "WARNING",
        }
        self._run(["/usr/sbin/exabgp", config], env)


class GoBgp(Program):
    name = "GoBGP"
    binaries = ("/usr/bin/gobgpd",)

    def configure(self):
        peers = "".join(
            f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{a}"\npeer-as = {ROUTER_ASN}\n'
            for a in self.peers
        )
        config = self._write(
            "conf", f'[global.config]\nas = {ASN}\nrouter-id = "{self.local}"\n{peers}'
        )
        self._run(["/usr/bin/gobgpd", "-f", config, "--pprof-disable"])

    def start(self):
        super().start()
        # It has no routes in its configuration: they come over its API, as soon as that answers.
        threading.Thread(target=self._add_route, daemon=True).start()

    def _add_route(self):
        with self.processes[0].namespace.entered():
            wait_until("gobgpd takes the route", self._try_to_add, 20)

    def _try_to_add(self):
        if not self.processes[0].is_running():
            raise LabError("gobgpd has ended")
        run("gobgp", "global", "rib", "add", PREFIX)
        return True


ALL = (Anyvip, OpenBgpd, ExaBgp, Bird, Frr, GoBgp)
WITH_FAST = (*ALL, BirdFast)
