# SPDX-License-Identifier: Apache-2.0
"""Routers that run what etc/routers tells people to configure, as it stands there."""

import re

from .bird import Bird
from .fabric import ROOT
from .frr import Frr
from .process import LabError, run

MINIMAL = "hostname {role}\nlog stdout\n"
# Of the lab, not of the page: FRR 8.4 and the next-hop groups of the kernel, see frr.py.
ZEBRA = MINIMAL + "no zebra nexthop kernel enable\n"


def blocks(page, kind):
    """The fenced blocks of a page in etc/routers whose info string begins with this word."""
    with open(f"{ROOT}/etc/routers/{page}.md") as file:
        found = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", file.read(), re.M | re.S)
    return {name: text for word, name, text in found if word == kind}


class PageFrr(Frr):
    """Typed into running daemons by vtysh, which stops at the first line it does not know."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.page = blocks("frr", "frr")
        bfdd = self._daemon("bfdd", "--bfdctl", f"{self._directory}/bfdd.sock")
        self._daemons.insert(1, bfdd)

    def configuration(self):
        texts = {"zebra": ZEBRA, "bfdd": MINIMAL, "bgpd": MINIMAL}
        return {name: text.format(role=self.role) for name, text in texts.items()}

    def start(self):
        super().start()
        self.apply("")
        return self

    def apply(self, block):
        path = f"{self._directory}/page.conf"
        with open(path, "w") as file:
            file.write(self.page[block])
        run("vtysh", "--vty_socket", self._directory, "-f", path)


class PageBird(Bird):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.page = blocks("bird", "bird")

    def configuration(self):
        return self.page[""].replace("log syslog all;", "log stderr all;")

    def apply(self, block):
        """A line of the block takes the place of that with the same beginning, or is added."""
        text = self.configuration()
        for line in self.page[block].strip("\n").splitlines():
            begin = line.partition("from_nodes")[0]
            same = rf"^{re.escape(begin)}.*$"
            if re.search(same, text, re.M):
                text = re.sub(same, lambda _, new=line: new, text, flags=re.M)
            else:
                text += line + "\n"
        with open(self._config, "w") as file:
            file.write(text)
        answer = self.ask("configure")
        if "Reconfigur" not in answer:
            raise LabError(f"{self.role}: {answer}")
