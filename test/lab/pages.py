# SPDX-License-Identifier: Apache-2.0
"""Routers that run what etc/routers tells people to configure, as it stands there."""

import re

from .bird import Bird
from .fabric import ROOT
from .frr import Frr
from .process import LabError, run

# What limits how many prefixes a node may send.
LIMIT_FRR, LIMIT_BIRD = "maximum-prefix", "import limit 10 action disable; "
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

    def apply(self, *names):
        """These blocks, one after the other, on top of what there is."""
        path = f"{self._directory}/page.conf"
        for name in names:
            with open(path, "w") as file:
                file.write(self.page[name])
            run("vtysh", "--vty_socket", self._directory, "-f", path)

    def drop_limit(self):
        """Takes the lines of the page back that limit what a node may send."""
        for family in ("ipv4", "ipv6"):
            self.configure(
                f"router bgp {self.asn}",
                f"address-family {family} unicast",
                *[f"no {line}" for line in self._limits()],
            )

    def restore_limit(self):
        for family in ("ipv4", "ipv6"):
            words = (f"router bgp {self.asn}", f"address-family {family} unicast")
            self.configure(*words, *self._limits())

    def _limits(self):
        lines = {line.strip() for line in self.page[""].splitlines() if LIMIT_FRR in line}
        if not lines:
            raise LabError(f"the page of FRR has no {LIMIT_FRR}")
        return sorted(lines)


class PageBird(Bird):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.page = blocks("bird", "bird")

    def configuration(self):
        return self.page[""].replace("log syslog all;", "log stderr all;")

    def apply(self, *names):
        """The first block and these: a line with the nodes' filter takes the place of that with the
        same beginning, what else there is in a block is added."""
        text = self.configuration()
        for name in names:
            more = []
            for line in self.page[name].strip("\n").splitlines():
                begin, is_of_nodes, _ = line.partition("from_nodes")
                if is_of_nodes:
                    same = rf"^{re.escape(begin)}from_nodes.*$"
                    text = re.sub(same, lambda _, new=line: new, text, flags=re.M)
                else:
                    more.append(line + "\n")
            text += "".join(more)
        self._use(text)

    def drop_limit(self):
        """Takes that of the page back that limits what a node may send."""
        text = self.configuration()
        if LIMIT_BIRD not in text:
            raise LabError(f"the page of BIRD has no {LIMIT_BIRD}")
        self._use(text.replace(LIMIT_BIRD, ""))

    def restore_limit(self):
        self._use(self.configuration())

    def _use(self, text):
        with open(self._config, "w") as file:
            file.write(text)
        answer = self.ask("configure")
        if "Reconfigur" not in answer:
            raise LabError(f"{self.role}: {answer}")
