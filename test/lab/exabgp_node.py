# SPDX-License-Identifier: Apache-2.0
"""A node with ExaBGP and its healthcheck in the place of anyvip, as its manual sets it up."""

import ipaddress
import os
import shlex
import signal

from .node import Server
from .process import LabError, wait_until

# Figures of time as the lab gives them to anyvip: see `TIMES` in topology.py.
HEALTHCHECK = (
    "/usr/bin/python3 -I -m exabgp healthcheck --no-syslog --no-ip-setup --withdraw-on-down"
    " --interval 1 --fast-interval 0.25 --timeout 1 --rise 2 --fall 3"
)

PROCESS = """process {name} {{
    run {command};
    encoder text;
}}
"""

NEIGHBOR = """neighbor {address} {{
    router-id {router_id};
    local-address {local};
    local-as {asn};
    peer-as {peer_asn};
    hold-time 9;
    family {{ {families} }}
    api {{ processes [ {processes} ]; }}
}}
"""


class ExaBgpNode(Server):
    """`peers` and `vips` as for a Node; `locals`: our address towards each peer; `command`: the
    check, a shell command."""

    speaker = "exabgp"

    def __init__(self, fabric, role, asn, peers, vips, locals, command, certificate=()):
        super().__init__(fabric, role, certificate)
        self.asn = asn
        self.peers = peers
        self.locals = locals
        self.command = command
        self.vips = [address for vip in vips for address in vip["addresses"]]
        self.maintenance = f"{self.directory}/maintenance"
        self._config = f"{self.directory}/exabgp.conf"
        self._env = {
            "exabgp.daemon.user": "root",
            "exabgp.api.cli": "false",
            "exabgp.log.level": "WARNING",
        }
        self.daemon = fabric.process(role, "exabgp", ["/usr/sbin/exabgp", self._config], self._env)

    def configuration(self):
        commands = self._healthchecks()
        text = "".join(PROCESS.format(name=name, command=one) for name, one in commands.items())
        processes = ", ".join(commands)
        for peer, local in zip(self.peers, self.locals):
            families = peer.get("families", ["ipv4", "ipv6"])
            text += NEIGHBOR.format(
                address=peer["address"],
                router_id=self._router_id(),
                local=local,
                asn=self.asn,
                peer_asn=peer["asn"],
                families=" ".join(f"{family} unicast;" for family in families),
                processes=processes,
            )
        return text

    def _router_id(self):
        made_up = f"10.255.0.{self.role[-1]}"
        return next((local for local in self.locals if ":" not in local), made_up)

    def _healthchecks(self):
        """Name of a process -> its command."""
        v4 = [address for address in self.vips if ":" not in address]
        v6 = [address for address in self.vips if ":" in address]
        commands = {}
        if v4:
            commands["ipv4"] = self._healthcheck(v4)
        # Its `self` is the session's address. What a session of the other family needs is named,
        # and is another one for each neighbor.
        named = [peer for peer in self.peers if peer.get("next_hop_ipv6")]
        if v6 and not named:
            commands["ipv6"] = self._healthcheck(v6)
        for number, peer in enumerate(named if v6 else [], 1):
            more = ["--neighbor", peer["address"], "--next-hop", peer["next_hop_ipv6"]]
            commands[f"ipv6-{number}"] = self._healthcheck(v6, more)
        return commands

    def _healthcheck(self, addresses, more=()):
        words = [HEALTHCHECK, "--cmd", shlex.quote(self.command), "--disable", self.maintenance]
        for address in addresses:
            words += ["--ip", f"{address}/{ipaddress.ip_address(address).max_prefixlen}"]
        return " ".join([*words, *more])

    def start(self):
        # Its own set-up of addresses fails for IPv6, which has no labels; so the host does it.
        for address in self.vips:
            if not self.namespace.has_address(address):
                length = ipaddress.ip_address(address).max_prefixlen
                self.namespace.ip("address", "add", f"{address}/{length}", "dev", "lo")
        with open(self._config, "w") as file:
            file.write(self.configuration())
        self.daemon.start()
        wait_until(f"{self.role}: ExaBGP runs", self._runs)
        return self

    def _runs(self):
        if not self.daemon.is_running():
            raise LabError(f"ExaBGP has ended:\n{self.daemon.tail()}")
        return True

    def drain(self):
        """There is nothing to wait for: its check looks for the file, and withdraws."""
        with open(self.maintenance, "w"):
            pass

    def undrain(self):
        os.unlink(self.maintenance)

    def stop(self):
        status = self.daemon.stop(signal.SIGTERM, 20)
        for address in self.vips:
            self.namespace.ip("address", "del", address, "dev", "lo", check=False)
        return status
