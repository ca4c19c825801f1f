# SPDX-License-Identifier: Apache-2.0
"""BIRD 2 as a router."""

import re

from .process import LabError, run, wait_until
from .router import Path, Router

PROTOCOL = """
protocol bgp {name} {{
    local as {asn};
    neighbor {address} as {peer_asn};
    hold time 9;
    # By default a lost session is followed by a minute of silence.
    error wait time 1, 4;
{options}
    {ipv4}
    {ipv6}
}}
"""

CHANNEL = """{family} {{
        {options}
        import filter {{
            {reject}
            # RFC 8326: who is about to leave is used only while there is nobody else.
            if (65535, 0) ~ bgp_community then bgp_local_pref = 0;
            accept;
        }};
        export {export};
    }};"""

CONFIG = """
log stderr all;
router id {router_id};
protocol device {{ scan time 1; }}
protocol direct {{ ipv4; ipv6; }}
# "merge paths" makes one multipath route of the equal paths; each family has its own protocol.
template kernel fib {{ merge paths yes limit 64; }}
protocol kernel from fib {{ ipv4 {{ import none; export {installed}; }}; }}
protocol kernel from fib {{ ipv6 {{ import none; export {installed}; }}; }}
{default}
{bfd}
{protocols}
"""

# "unreachable" is for the table alone: the kernel's protocols above take nothing but BGP.
DEFAULT = """
protocol static default4 { ipv4; route 0.0.0.0/0 unreachable; }
protocol static default6 { ipv6; route ::/0 unreachable; }
"""

BFD = """
protocol bfd { interface "*" { interval 300 ms; multiplier 3; }; }
"""


class Bird(Router):
    software = "bird"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._socket = self.fabric.path(self.role, "bird.ctl")
        self._config = self.fabric.path(self.role, "bird.conf")
        self._process = self.fabric.process(
            self.role, "bird", ["/usr/sbin/bird", "-f", "-c", self._config, "-s", self._socket]
        )

    def configuration(self):
        allowed = {
            "ipv4": f"[ {self.import_v4}{{32,32}} ]",
            "ipv6": f"[ {self.import_v6}{{128,128}} ]",
        }
        protocols = ""
        for neighbor in self.neighbors:
            channels = {
                family: self._channel(family, allowed[family], neighbor)
                if family in neighbor.families
                else ""
                for family in allowed
            }
            protocols += PROTOCOL.format(
                name=neighbor.name,
                asn=self.asn,
                address=neighbor.address,
                peer_asn=neighbor.asn,
                options=_options(neighbor, self.asn),
                **channels,
            )
        return CONFIG.format(
            router_id=self.router_id,
            installed="where source = RTS_BGP" if self.installs else "none",
            protocols=protocols,
            default=DEFAULT if any("default" in n.sends for n in self.neighbors) else "",
            bfd=BFD if any(n.bfd for n in self.neighbors) else "",
        )

    def _channel(self, family, allowed, neighbor):
        exported = []
        default = "0.0.0.0/0" if family == "ipv4" else "::/0"
        if "default" in neighbor.sends:
            exported.append(f"net = {default}")
        if "learnt-default" in neighbor.sends:
            exported.append(f"(source = RTS_BGP && net = {default})")
        if "vip" in neighbor.sends:
            exported.append(f"(source = RTS_BGP && net ~ {allowed})")
        if "all" in neighbor.sends:
            exported.append("source = RTS_BGP")
        taken = f"[ {default} ]" if "default" in neighbor.takes else allowed
        options = ""
        if neighbor.extended_next_hop:
            options += "extended next hop on; "
        if neighbor.add_path:
            options += "add paths tx; "
        return CHANNEL.format(
            family=family,
            reject="" if "all" in neighbor.takes else f"if net !~ {taken} then reject;",
            options=options,
            export="where " + " || ".join(exported) if exported else "none",
        )

    def start(self):
        with open(self._config, "w") as file:
            file.write(self.configuration())
        self._process.start()
        wait_until(f"{self.role}: BIRD answers", lambda: "Daemon is up" in self.ask("show status"))
        return self

    def stop(self):
        self._process.stop()

    def kill(self):
        self._process.kill()

    def ask(self, command):
        text = run("birdc", "-s", self._socket, command, check=False)
        if "BIRD" not in text:
            if not self._process.is_running():
                raise LabError(f"{self.role}: BIRD has ended:\n{self._process.tail()}")
            raise LabError(f"{self.role}: BIRD does not answer")
        return text

    def established(self, address):
        return "Established" in self.ask(f"show protocols {self.neighbor_at(address)}")

    def count(self, family):
        command = f"show route count where source = RTS_BGP table master{family[-1]}"
        return int(re.search(r"(\d+) of \d+ routes", self.ask(command)).group(1))

    def refresh(self, neighbor):
        self.ask(f"reload in {neighbor.name}")

    def told_of_shutdown(self, neighbor, message):
        text = self.ask(f"show protocols all {neighbor.name}")
        return "Received: Administrative shutdown" in text and message in text

    def paths(self, prefix):
        paths = []
        protocol = None
        for line in self.ask(f"show route for {prefix} all").splitlines():
            if head := re.search(r"unicast \[(\S+) ", line):
                protocol = head.group(1)
                paths.append(Path(protocol, "", []))
            elif protocol and (field := re.match(r"\s+BGP\.(\w+): ?(.*)", line)):
                _set_attribute(paths[-1], field.group(1), field.group(2).strip())
        return [path for path in paths if path.next_hop]


def _options(neighbor, asn):
    lines = []
    if neighbor.passive:
        lines.append("passive yes;")
    if neighbor.password:
        lines.append(f'password "{neighbor.password}";')
    if neighbor.ttl_security:
        lines.append("ttl security yes;")
    if neighbor.asn == asn:
        lines.append("direct;")
    if neighbor.bfd:
        lines.append("bfd on;")
    return "\n".join(f"    {line}" for line in lines)


def _set_attribute(path, name, value):
    match name:
        case "origin":
            path.origin = value
        case "as_path":
            path.as_path = [int(asn) for asn in value.split()]
        case "next_hop":
            path.next_hop = value.split()[0]
        case "med":
            path.med = int(value)
        case "local_pref":
            path.local_pref = int(value)
        case "community":
            path.communities |= {f"{a}:{b}" for a, b in re.findall(r"\((\d+),\s*(\d+)\)", value)}
        case "large_community":
            path.communities |= {
                f"{a}:{b}:{c}" for a, b, c in re.findall(r"\((\d+),\s*(\d+),\s*(\d+)\)", value)
            }
