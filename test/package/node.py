# SPDX-License-Identifier: Apache-2.0
"""The node that the package is tried on: its configuration, and what it says of itself."""

import json

from lab.node import toml
from lab.process import LabError, wait_until

from .router import ASN, PASSWORD

VIP = "203.0.113.10"
CHECKS = "/usr/local/lib/checks"
KEY = "/etc/anyvip/tor1.key"

# What a check is, and that it has nothing of the daemon's rights, it says itself: the shell, not a child of its.
PRIVILEGES = """#!/bin/sh
{
    id -un
    while read -r line; do
        case $line in Cap* | NoNewPrivs*) echo "$line" ;; esac
    done </proc/$$/status
} >"/tmp/$1.$$"
mv "/tmp/$1.$$" "/tmp/$1"
"""

SERVICE = """[Unit]
Description=The service behind the VIP
[Service]
ExecStart={command}
ExecStartPost=/bin/sh -c 'date +%%s.%%N >/srv/{name}.started; sleep {delay}'
ExecStartPost=/bin/sh -c 'echo $MAINPID >/srv/{name}.pid'
ExecStop=/bin/sh -c 'date +%%s.%%N >/srv/{name}.stopped'
[Install]
WantedBy=multi-user.target
"""


class Node:
    def __init__(self, machine, router_address):
        self.machine = machine
        self.tables = [
            ("node", {"asn": 65010, "name": "lb-a"}),
            ("daemon", {"linger": "2s", "silence": "200ms", "linger_min": "300ms"}),
            ("drain", {"gshut": "300ms", "keep_last": "never"}),
            (
                "[peer]",
                {
                    "name": "tor1",
                    "address": router_address,
                    "asn": ASN,
                    "password_file": KEY,
                    "bfd": {"transmit": "100ms", "receive": "100ms"},
                },
            ),
        ]

    def table(self, name):
        return next(keys for table, keys in self.tables if table == name)

    def add_checks(self, *checks):
        """Checks that all have to be up for the VIP."""
        self.tables += [("[check]", {"interval": "300ms", "rise": 1, **check}) for check in checks]
        names = [check["name"] for check in checks]
        self.tables.append(("[vip]", {"name": "www", "addresses": [VIP], "checks": names}))

    def write(self, mode=0o640):
        machine = self.machine
        machine.write(KEY, PASSWORD + "\n", 0o640)
        machine.run("chgrp", "anyvip", KEY)
        machine.run("sh", "-c", "cat >/etc/anyvip/anyvip.toml", stdin=toml(self.tables))

    def write_checks(self):
        self.machine.write(f"{CHECKS}/privileges", PRIVILEGES, 0o755)
        self.machine.write(
            f"{CHECKS}/hook",
            "#!/bin/sh\ncat >>/tmp/events\nexec " + CHECKS + "/privileges hook\n",
            0o755,
        )

    def drop_in(self, name, lines):
        self.machine.write(
            f"/etc/systemd/system/anyvip.service.d/{name}.conf", "[Service]\n" + lines
        )
        self.machine.run("systemctl", "daemon-reload")

    def add_service(self, name, delay=0, command="/bin/sleep infinity"):
        text = SERVICE.format(name=name, delay=delay, command=command)
        self.machine.write(f"/etc/systemd/system/{name}.service", text)
        self.machine.run("systemctl", "daemon-reload")
        self.machine.status("systemctl", "enable", "--now", name)

    def status(self):
        return json.loads(self.machine.run("anyvip", "--json", "status"))

    def vip(self):
        return self.status()["vips"][0]

    def wait_state(self, state, deadline=20):
        def reached():
            vip = self.vip()
            if vip["state"] != state:
                raise LabError(f"{vip['state']}: {vip['reason']}")
            return True

        wait_until(f"VIP {state}", reached, deadline)

    def property(self, name, unit="anyvip"):
        return self.machine.run("systemctl", "show", "-P", name, unit).strip()

    def private(self, name):
        """A file of the daemon's own /tmp."""
        return self.machine.run(
            "sh", "-c", f"cat /tmp/systemd-private-*-anyvip.service-*/tmp/{name}"
        )

    def events(self, kind):
        lines = self.machine.run("anyvip", "--json", "events").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def log(self):
        return self.machine.run("journalctl", "-u", "anyvip", "-o", "cat", "--no-pager")
