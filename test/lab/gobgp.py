# SPDX-License-Identifier: Apache-2.0
"""GoBGP as a router: a table without a kernel behind it."""

import json
import re

from .process import LabError, run, wait_until
from .router import Path, Router

GLOBAL = """[global.config]
as = {asn}
router-id = "{router_id}"
"""

# Its defaults wait for two minutes before they dial and for half a minute after a reset.
NEIGHBOR = """
[[neighbors]]
[neighbors.config]
neighbor-address = "{address}"
peer-as = {asn}
auth-password = "{password}"
[neighbors.transport.config]
passive-mode = {passive}
local-address = "{local}"
[neighbors.timers.config]
connect-retry = 1
idle-hold-time-after-reset = 1
hold-time = 9
keepalive-interval = 3
{ttl_security}{families}"""

TTL_SECURITY = """[neighbors.ttl-security.config]
enabled = true
ttl-min = 255
"""

FAMILY = """[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "{family}-unicast"
"""



class GoBgp(Router):
    software = "gobgp"
    # It keeps what was received; even its "softresetin" never sends a ROUTE-REFRESH.
    can_refresh = False

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._config = self.fabric.path(self.role, "gobgp.toml")
        self._process = self.fabric.process(
            self.role, "gobgpd", ["/usr/bin/gobgpd", "-f", self._config, "--pprof-disable"]
        )

    def configuration(self):
        text = GLOBAL.format(asn=self.asn, router_id=self.router_id)
        for neighbor in self.neighbors:
            text += NEIGHBOR.format(
                address=neighbor.address,
                asn=neighbor.asn,
                local=neighbor.local,
                password=neighbor.password,
                passive=str(neighbor.passive).lower(),
                ttl_security=TTL_SECURITY if neighbor.ttl_security else "",
                families="".join(FAMILY.format(family=family) for family in neighbor.families),
            )
        return text

    def start(self):
        with open(self._config, "w") as file:
            file.write(self.configuration())
        self._process.start()
        wait_until(f"{self.role}: gobgpd answers", self._answers, 20)
        return self

    def _answers(self):
        if not self._process.is_running():
            raise LabError(f"gobgpd has ended:\n{self._process.tail()}")
        self.ask("global")
        return True

    def stop(self):
        self._process.stop()

    def ask(self, *words):
        return self.namespace.run("gobgp", *words)

    def _json(self, *words):
        return json.loads(self.ask("-j", *words) or "null")

    def established(self, address):
        # SESSION_STATE_ESTABLISHED of its API.
        return self._json("neighbor", address)["state"].get("session_state") == 6

    def count(self, family):
        text = self.ask("global", "rib", "summary", "-a", family)
        return int(re.search(r"Destination: (\d+)", text).group(1))

    def told_of_shutdown(self, neighbor, message):
        with open(self._process.log) as log:
            for line in log:
                if f'"{neighbor.address}"' in line or f"Key={neighbor.address} " in line:
                    if "eceived notification" in line and message in line:
                        return True
        return False

    def paths(self, prefix):
        family = "ipv6" if ":" in prefix else "ipv4"
        try:
            answer = self._json("global", "rib", prefix, "-a", family)
        except LabError as error:
            if "Network not in table" in str(error):
                return []
            raise
        return [self._path(path) for paths in (answer or {}).values() for path in paths]

    def _path(self, path):
        found = Path(self.neighbor_at(path["source-id"] and path["neighbor-ip"]), "", [])
        for attribute in path["attrs"]:
            _set_attribute(found, attribute)
        return found


def _set_attribute(path, attribute):
    match attribute["type"]:
        case 1:
            path.origin = ("IGP", "EGP", "incomplete")[attribute["value"]]
        case 2:
            path.as_path = [asn for part in attribute["as_paths"] for asn in part["asns"]]
        case 3 | 14:
            path.next_hop = attribute["nexthop"]
        case 4:
            path.med = attribute["metric"]
        case 5:
            path.local_pref = attribute["value"]
        case 8:
            path.communities |= {f"{c >> 16}:{c & 0xFFFF}" for c in attribute["communities"]}
        case 32:
            path.communities |= {
                f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}" for c in attribute["value"]
            }
