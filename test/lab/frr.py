# SPDX-License-Identifier: Apache-2.0
"""FRR as a router: zebra and bgpd of one namespace, with sockets and files of their own."""

import json
import os
import shutil

from .process import LabError, run, wait_until
from .router import Path, Router

# FRR 8.4 with kernel next-hop groups loses a next hop for good after a link flap (FRR issue 14481).
ZEBRA = """
hostname {role}
log stdout
no zebra nexthop kernel enable
"""

BFDD = """
hostname {role}
log stdout
bfd
 profile lab
  transmit-interval 300
  receive-interval 300
  detect-multiplier 3
"""

BGPD = """
hostname {role}
log stdout
ip prefix-list VIP4 seq 5 permit {import_v4} ge 32
ipv6 prefix-list VIP6 seq 5 permit {import_v6} ge 128
route-map VIP-IN permit 10
 match ip address prefix-list VIP4
route-map VIP-IN permit 20
 match ipv6 address prefix-list VIP6
ip prefix-list DEFAULT seq 5 permit 0.0.0.0/0
ipv6 prefix-list DEFAULT seq 5 permit ::/0
route-map DEFAULT permit 10
 match ip address prefix-list DEFAULT
route-map DEFAULT permit 20
 match ipv6 address prefix-list DEFAULT
route-map ALL permit 10
route-map NONE deny 10
! It would ask for all routes again some seconds after the start.
bgp route-map delay-timer 0
{no_rib}router bgp {asn}
 bgp router-id {router_id}
 bgp bestpath as-path multipath-relax
 no bgp default ipv4-unicast
 timers bgp 3 9
{neighbors}
 address-family ipv4 unicast
  maximum-paths 64
  maximum-paths ibgp 64
{ipv4}
 exit-address-family
 address-family ipv6 unicast
  maximum-paths 64
  maximum-paths ibgp 64
{ipv6}
 exit-address-family
"""

# What a neighbor is told, and the route-map that lets it through.
OUT_MAPS = {"vip": "VIP-IN", "learnt-default": "DEFAULT", "all": "ALL"}
IN_MAPS = {"vip": "VIP-IN", "default": "DEFAULT", "all": "ALL"}


class Frr(Router):
    software = "frr"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._directory = self.fabric.path(self.role, "frr")
        os.makedirs(self._directory)
        # The daemons run as FRR's own user and make their sockets there.
        shutil.chown(self._directory, "frr", "frr")
        self._daemons = [self._daemon("zebra"), self._daemon("bgpd", "-p", "179")]
        if any(neighbor.bfd for neighbor in self.neighbors):
            bfdd = self._daemon("bfdd", "--bfdctl", f"{self._directory}/bfdd.sock")
            self._daemons.insert(1, bfdd)

    def _daemon(self, name, *more):
        # Each daemon has its own file: a foreign block would end the reading of the rest.
        return self.fabric.process(
            self.role,
            name,
            [f"/usr/lib/frr/{name}", "-f", f"{self._directory}/{name}.conf",
             "-i", f"{self._directory}/{name}.pid", "-z", f"{self._directory}/zserv.api",
             "--vty_socket", self._directory, "-A", "127.0.0.1", *more],
        )  # fmt: skip

    def configuration(self):
        lines = "".join(f" {line}\n" for n in self.neighbors for line in _neighbor(n))
        families = {
            family: "\n".join(
                f"  {line}" for n in self.neighbors if family in n.families for line in _activate(n)
            )
            for family in ("ipv4", "ipv6")
        }
        no_rib = "" if self.installs else "bgp no-rib\n"
        values = {**vars(self), **families, "neighbors": lines, "no_rib": no_rib}
        texts = {"zebra": ZEBRA, "bfdd": BFDD, "bgpd": BGPD}
        return {name: text.format(**values) for name, text in texts.items()}

    def start(self):
        for name, text in self.configuration().items():
            path = f"{self._directory}/{name}.conf"
            with open(path, "w") as file:
                file.write(text)
            shutil.chown(path, "frr", "frr")
        for daemon in self._daemons:
            daemon.start()
            wait_until(f"{self.role}: {daemon.name} answers", lambda d=daemon: self._answers(d))
        return self

    def _answers(self, daemon):
        if not daemon.is_running():
            raise LabError(f"{daemon.name} has ended:\n{daemon.tail()}")
        self.ask("show version", daemon.name.split("/")[1])
        return True

    def stop(self):
        for daemon in reversed(self._daemons):
            daemon.stop()

    def kill(self):
        for daemon in self._daemons:
            daemon.kill()

    def configure(self, *lines):
        """Lines of configuration, as an operator types them into the running bgpd."""
        words = [word for line in ("configure terminal", *lines) for word in ("-c", line)]
        run("vtysh", "--vty_socket", self._directory, "-d", "bgpd", *words)

    def ask(self, command, daemon="bgpd"):
        return run("vtysh", "--vty_socket", self._directory, "-d", daemon, "-c", command)

    def _json(self, command):
        text = self.ask(command)
        try:
            return json.loads(text or "{}")
        except json.JSONDecodeError:
            raise LabError(f"{self.role}: {command}: {text.strip()}") from None

    def established(self, address):
        neighbor = self._json(f"show bgp neighbors {address} json").get(address, {})
        return neighbor.get("bgpState") == "Established"

    def paths(self, prefix):
        family = "ipv6" if ":" in prefix else "ipv4"
        answer = self._json(f"show bgp {family} unicast {prefix} json")
        return [self._path(path) for path in answer.get("paths", [])]

    def count(self, family):
        summary = self._json(f"show bgp {family} unicast summary json")
        # Some releases put the family's name around it, some do not.
        summary = summary.get(f"{family}Unicast", summary)
        return sum(peer["pfxRcd"] for peer in summary.get("peers", {}).values())

    def refresh(self, neighbor):
        for family in neighbor.families:
            self.ask(f"clear bgp {family} unicast {neighbor.address} soft in")

    def told_of_shutdown(self, neighbor, message):
        shown = self._json(f"show bgp neighbors {neighbor.address} json")[neighbor.address]
        reason = shown.get("lastNotificationReason", "")
        return reason == "Cease/Administrative Shutdown" and message in str(
            shown.get("lastShutdownDescription")
        )

    def _path(self, path):
        communities = set(path.get("community", {}).get("list", []))
        communities |= set(path.get("largeCommunity", {}).get("list", []))
        text = path["aspath"]["string"]
        hops = [hop["ip"] for hop in path["nexthops"]]
        glob = [hop["ip"] for hop in path["nexthops"] if hop.get("scope", "global") == "global"]
        return Path(
            neighbor=self.neighbor_at(path["peer"]["peerId"]),
            next_hop=(glob or hops)[0],
            as_path=[] if text == "Local" else [int(asn) for asn in text.split()],
            origin=path["origin"],
            med=path.get("metric"),
            local_pref=path.get("locPrf"),
            communities=communities,
        )


def _neighbor(neighbor):
    name = neighbor.address
    if neighbor.interface:
        name = neighbor.interface
        yield f"neighbor {name} interface remote-as {neighbor.asn}"
    else:
        yield f"neighbor {name} remote-as {neighbor.asn}"
    yield f"neighbor {name} timers connect 1"
    if neighbor.passive:
        yield f"neighbor {name} passive"
    if neighbor.password:
        yield f"neighbor {name} password {neighbor.password}"
    if neighbor.ttl_security:
        yield f"neighbor {name} ttl-security hops 1"
    if neighbor.extended_next_hop:
        yield f"neighbor {name} capability extended-nexthop"
    if neighbor.bfd:
        yield f"neighbor {name} bfd"
        yield f"neighbor {name} bfd profile lab"


def _activate(neighbor):
    name = neighbor.address or neighbor.interface
    # Without a policy in both directions FRR neither takes nor sends anything on eBGP (RFC 8212).
    yield f"neighbor {name} activate"
    (taken,) = neighbor.takes
    yield f"neighbor {name} route-map {IN_MAPS[taken]} in"
    sent = [map for word, map in OUT_MAPS.items() if word in neighbor.sends] or ["NONE"]
    yield f"neighbor {name} route-map {sent[0]} out"
    if "default" in neighbor.sends:
        yield f"neighbor {name} default-originate"
    if neighbor.add_path:
        yield f"neighbor {name} addpath-tx-all-paths"
