# SPDX-License-Identifier: Apache-2.0
"""The router that the node announces to: BIRD, with TCP MD5 and BFD."""

import json

from lab.process import LabError, run, wait_until

ASN, PASSWORD = 65001, "correct horse"

CONFIG = """
log stderr all;
router id 10.0.1.1;
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol bfd {{ interface "*" {{ min rx interval 100 ms; min tx interval 100 ms; }}; }}
protocol bgp node {{
    local {local} as {asn};
    neighbor {address} as 65010;
    password "{password}";
    bfd on;
    error wait time 1, 2; # by default a reset is followed by a minute of silence
    ipv4 {{ import all; export none; }};
    ipv6 {{ import all; export none; }};
}}
"""


class Router:
    def __init__(self, fabric, role, link):
        self.namespace = fabric.namespaces[role]
        self.address = link.a[0]
        self._socket = fabric.path(role, "bird.ctl")
        config = fabric.path(role, "bird.conf")
        with open(config, "w") as file:
            file.write(
                CONFIG.format(local=link.a[0], address=link.b[0], asn=ASN, password=PASSWORD)
            )
        self._process = fabric.process(
            role, "bird", ["/usr/sbin/bird", "-f", "-c", config, "-s", self._socket]
        )

    def start(self):
        self._process.start()
        wait_until("BIRD answers", lambda: "Daemon is up" in self.ask("show status"))
        return self

    def ask(self, command):
        return run("birdc", "-s", self._socket, command, check=False)

    def has_route(self, prefix):
        """Whether the kernel forwards to the node."""
        return bool(json.loads(self.namespace.ip("-j", "route", "show", prefix) or "[]"))

    def wait_route(self, prefix, is_there=True, deadline=20):
        what = f"route {prefix} {'there' if is_there else 'gone'}"
        wait_until(what, lambda: self.has_route(prefix) == is_there, deadline)

    def session(self):
        """Since when the session and its BFD session are up: a reset changes it."""
        protocol = self.ask("show protocols node").splitlines()[-1].split()
        bfd = self.ask("show bfd sessions").splitlines()[-1].split()
        if "Established" not in protocol or "Up" not in bfd:
            raise LabError(f"session: {' '.join(protocol)}; BFD: {' '.join(bfd)}")
        return protocol[4], bfd[3]
