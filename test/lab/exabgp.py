# SPDX-License-Identifier: Apache-2.0
"""ExaBGP as a router: it has no table, so the lab keeps one from the events that it reports."""

import json

from .process import LabError, wait_until
from .router import Path, Router

# Its events go to one file, and what is appended to the other file is a command to it.
PROCESS = """process table {{
    run /bin/sh {script};
    encoder json;
}}
"""

SCRIPT = """tail --pid=$$ -n +1 -f {commands} &
exec cat >>{events}
"""

NEIGHBOR = """neighbor {address} {{
    router-id {router_id};
    local-address {local};
    local-as {local_asn};
    peer-as {asn};
    hold-time 9;
    {options}
    family {{ {families} }}
    capability {{ route-refresh enable; }}
    api {{ processes [ table ]; neighbor-changes; receive {{ parsed; packets; update; notification; }} }}
}}
"""


class ExaBgp(Router):
    software = "exabgp"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._events = self.fabric.path(self.role, "events")
        self._commands = self.fabric.path(self.role, "commands")
        self._script = self.fabric.path(self.role, "table.sh")
        self._config = self.fabric.path(self.role, "exabgp.conf")
        env = {
            "exabgp.daemon.user": "root",
            "exabgp.api.cli": "false",
            "exabgp.api.ack": "false",
            "exabgp.log.level": "WARNING",
        }
        self._process = self.fabric.process(
            self.role, "exabgp", ["/usr/sbin/exabgp", self._config], env
        )

    def configuration(self):
        text = PROCESS.format(script=self._script)
        for neighbor in self.neighbors:
            text += NEIGHBOR.format(
                address=neighbor.address,
                router_id=self.router_id,
                local=neighbor.local,
                local_asn=self.asn,
                asn=neighbor.asn,
                options="\n    ".join(_options(neighbor)),
                families=" ".join(f"{family} unicast;" for family in neighbor.families),
            )
        return text

    def start(self):
        for path, text in (
            (self._config, self.configuration()),
            (self._script, SCRIPT.format(commands=self._commands, events=self._events)),
            (self._commands, ""),
            (self._events, ""),
        ):
            with open(path, "w") as file:
                file.write(text)
        self._process.start()
        wait_until(f"{self.role}: ExaBGP listens", self._answers, 20)
        return self

    def _answers(self):
        if not self._process.is_running():
            raise LabError(f"ExaBGP has ended:\n{self._process.tail()}")
        return ":179 " in self.namespace.run("ss", "-Hltn", "sport", "=", ":179")

    def stop(self):
        self._process.stop()

    def _read(self):
        """Neighbor's address -> its events, the oldest first."""
        found = {neighbor.address: [] for neighbor in self.neighbors}
        with open(self._events) as file:
            for line in file:
                if line.endswith("\n"):
                    event = json.loads(line)
                    # Without a neighbor is what it tells of itself: its end.
                    address = event.get("neighbor", {}).get("address", {}).get("peer")
                    if address in found:
                        found[address].append(event)
        return found

    def _table(self):
        """(prefix, neighbor's address) -> Path."""
        table = {}
        for address, events in self._read().items():
            own = {}
            for event in events:
                if event["type"] == "state" and event["neighbor"]["state"] == "down":
                    own.clear()
                update = event["neighbor"].get("message", {}).get("update", {})
                _apply(own, update, self.neighbor_at(address))
            table |= {(prefix, address): path for prefix, path in own.items()}
        return table

    def established(self, address):
        states = [e["neighbor"]["state"] for e in self._read()[address] if e["type"] == "state"]
        return states[-1:] == ["up"]

    def count(self, family):
        return sum((":" in prefix) == (family == "ipv6") for prefix, _ in self._table())

    def command(self, *lines):
        """Commands of its API, one a line."""
        with open(self._commands, "a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def refresh(self, neighbor):
        to = f"neighbor {neighbor.address}"
        self.command(*(f"{to} announce route-refresh {f} unicast" for f in neighbor.families))

    def told_of_shutdown(self, neighbor, message):
        # 4.2.21 cannot decode a NOTIFICATION; it passes its octets on.
        for event in self._read()[neighbor.address]:
            body = event["neighbor"].get("message", {}).get("body", "")
            if event["type"] == "notification" and body.startswith("0x0602"):
                return message.encode().hex() in body.lower()
        return False

    def paths(self, prefix):
        return [path for (found, _), path in self._table().items() if found == prefix]


def _options(neighbor):
    yield f"passive {str(neighbor.passive).lower()};"
    yield "listen 179;"
    if neighbor.password:
        yield f'md5-password "{neighbor.password}";'
    if neighbor.ttl_security:
        yield "outgoing-ttl 255;\n    incoming-ttl 255;"


def _apply(table, update, name):
    """One UPDATE, as ExaBGP puts it, to the table of its neighbor."""
    attributes = update.get("attribute", {})
    for entries in update.get("withdraw", {}).values():
        for entry in entries:
            table.pop(entry["nlri"], None)
    for by_next_hop in update.get("announce", {}).values():
        # A next hop of 32 octets is shown as two: the global one is what counts here.
        for next_hop, entries in sorted(by_next_hop.items(), reverse=True):
            for entry in entries:
                if "nlri" not in entry:
                    continue
                table[entry["nlri"]] = Path(
                    neighbor=name,
                    next_hop=next_hop,
                    as_path=attributes.get("as-path", []),
                    origin=attributes.get("origin", "").upper(),
                    med=attributes.get("med"),
                    local_pref=attributes.get("local-preference"),
                    communities={
                        ":".join(map(str, community))
                        for kind in ("community", "large-community")
                        for community in attributes.get(kind, [])
                    },
                )
