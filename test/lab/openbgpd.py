# SPDX-License-Identifier: Apache-2.0
"""OpenBGPD (portable) as a router: a table without a kernel behind it."""

import json
import os

from .process import LabError, run, wait_until
from .router import Path, Router

NEIGHBOR = """neighbor {address} {{
    remote-as {asn}
    local-address {local}
    holdtime 9
    {options}
}}
"""


class OpenBgpd(Router):
    software = "openbgpd"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        # Its unit file asks systemd for the directory into which it locks itself.
        os.makedirs("/run/openbgpd", mode=0o755, exist_ok=True)
        self._socket = self.fabric.path(self.role, "control")
        self._config = self.fabric.path(self.role, "bgpd.conf")
        self._process = self.fabric.process(
            self.role, "bgpd", ["/usr/sbin/bgpd", "-d", "-v", "-f", self._config]
        )

    def configuration(self):
        lines = [f"AS {self.asn}", f"router-id {self.router_id}", "fib-update no"]
        lines += [f'socket "{self._socket}"', "connect-retry 2"]
        lines += [f"listen on {n.local}" for n in self.neighbors]
        neighbors = "".join(
            NEIGHBOR.format(
                address=neighbor.address,
                asn=neighbor.asn,
                local=neighbor.local,
                options="\n    ".join(_options(neighbor)),
            )
            for neighbor in self.neighbors
        )
        told = [f"allow to {n.address}" for n in self.neighbors if "all" in n.sends]
        rules = ["allow from any", "deny to any", *told]
        return "\n".join(lines) + "\n" + neighbors + "\n".join(rules) + "\n"

    def start(self):
        with open(self._config, "w") as file:
            file.write(self.configuration())
        os.chmod(self._config, 0o600)
        self._process.start()
        wait_until(f"{self.role}: bgpd answers", self._answers)
        return self

    def _answers(self):
        if not self._process.is_running():
            raise LabError(f"bgpd has ended:\n{self._process.tail()}")
        self.ask("show")
        return True

    def stop(self):
        self._process.stop()

    def ask(self, *words):
        return run("bgpctl", "-s", self._socket, *words)

    def _json(self, *words):
        return json.loads(self.ask("-j", *words))

    def _neighbor(self, address):
        found = self._json("show", "neighbor", address).get("neighbors")
        if not found:
            raise LabError(f"{self.role}: no neighbor {address} yet")
        return found[0]

    def established(self, address):
        return self._neighbor(address)["state"] == "Established"

    def count(self, family):
        return len(self._json("show", "rib", "selected", family).get("rib", []))

    def refresh(self, neighbor):
        self.ask("neighbor", neighbor.address, "refresh")

    def told_of_shutdown(self, neighbor, message):
        text = self.ask("show", "neighbor", neighbor.address)
        return "Cease, administratively down" in text and message in text

    def paths(self, prefix):
        answer = self._json("show", "rib", "detail", prefix)
        return [self._path(path) for path in answer.get("rib", [])]

    def _path(self, path):
        communities = set()
        for kind in ("communities", "large_communities"):
            communities |= set(path.get(kind, []))
        return Path(
            neighbor=self.neighbor_at(path["neighbor"]["remote_addr"]),
            next_hop=path["exit_nexthop"],
            as_path=[int(asn) for asn in path["aspath"].split()],
            origin=path["origin"],
            # It shows 0 for a path without one.
            med=path.get("metric") or None,
            local_pref=path.get("localpref"),
            communities=communities,
        )


def _options(neighbor):
    for family in ("ipv4", "ipv6"):
        if family in neighbor.families:
            yield f"announce {family.replace('ip', 'IP')} unicast"
    if neighbor.passive:
        yield "passive"
    if neighbor.password:
        yield f"tcp md5sig password {neighbor.password}"
    if neighbor.ttl_security:
        yield "ttl-security yes"
