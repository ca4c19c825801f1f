# SPDX-License-Identifier: Apache-2.0
"""FRR and BIRD with BFD: the same questions and the same interventions for both."""

import json
import shutil

from lab.bird import Bird
from lab.frr import Frr
from lab.process import LabError, wait_until

FRR_BFD = """
hostname {role}
log stdout
debug bfd peer
bfd
 profile lab
  transmit-interval {interval}
  receive-interval {interval}
  detect-multiplier 3
  {admin}
"""


class BfdFrr(Frr):
    """`interval` in milliseconds; `hops` 2: the neighbors are not on the link."""

    def __init__(self, *arguments, interval, local=None, hops=0):
        super().__init__(*arguments)
        self.interval = interval
        self.local = local
        self.hops = hops
        socket = f"{self._directory}/bfdd.sock"
        self._daemons.insert(1, self._daemon("bfdd", "--bfdctl", socket))

    @property
    def bfdd(self):
        return self._daemons[1]

    def configuration(self):
        texts = super().configuration()
        for neighbor in self.neighbors:
            remote = f" neighbor {neighbor.address} remote-as {neighbor.asn}\n"
            more = f" neighbor {neighbor.address} bfd\n"
            more += f" neighbor {neighbor.address} bfd profile lab\n"
            if self.hops:
                more += f" neighbor {neighbor.address} ebgp-multihop {self.hops}\n"
                more += f" neighbor {neighbor.address} update-source {self.local}\n"
            texts["bgpd"] = texts["bgpd"].replace(remote, remote + more)
        texts["bfdd"] = FRR_BFD.format(role=self.role, interval=self.interval, admin="no shutdown")
        return texts

    def bfd(self, address):
        """(state, transmit interval in force there, detection time in force there), both in ms."""
        text = self.ask("show bfd peers json", "bfdd")
        for peer in json.loads(text or "[]"):
            if peer["peer"] == address:
                transmit = max(peer["transmit-interval"], peer["remote-receive-interval"])
                receive = max(peer["receive-interval"], peer["remote-transmit-interval"])
                detection = peer["remote-detect-multiplier"] * receive
                return peer["status"], transmit, detection
        raise LabError(f"{self.role}: bfdd has no peer {address}")

    def _profile(self, line):
        self._vtysh("configure terminal", "bfd", "profile lab", line)

    def _vtysh(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        self.namespace.run("vtysh", "--vty_socket", self._directory, "-d", "bfdd", *words)

    def set_interval(self, interval):
        self.interval = interval
        self._profile(f"transmit-interval {interval}")
        self._profile(f"receive-interval {interval}")

    def admin_down(self):
        self._profile("shutdown")

    def admin_up(self):
        self._profile("no shutdown")

    def restart_bfd(self):
        """kill -9 and a new start of the daemon that speaks BFD."""
        self.bfdd.kill()
        shutil.chown(f"{self._directory}/bfdd.conf", "frr", "frr")
        self.bfdd.start()
        wait_until(f"{self.role}: bfdd answers", lambda: self._answers(self.bfdd))


class BfdBird(Bird):
    def __init__(self, *arguments, interval, local=None, hops=0):
        super().__init__(*arguments)
        self.interval = interval
        self.local = local
        self.hops = hops
        self.shut = False

    def configuration(self):
        text = super().configuration()
        for neighbor in self.neighbors:
            line = f"neighbor {neighbor.address} as {neighbor.asn};"
            # By default a reset of BGP is followed by a minute of silence.
            more = " bfd on; error wait time 1, 2;"
            if self.hops:
                more += f" multihop {self.hops}; source address {self.local};"
            text = text.replace(line, line + more)
        kind = "multihop" if self.hops else "interface"
        what = "" if self.hops else ' "*"'
        timers = f"min rx interval {self.interval} ms; min tx interval {self.interval} ms;"
        timers += " idle tx interval 1 s; multiplier 3;"
        off = "disabled yes;" if self.shut else ""
        return text + f"protocol bfd bfd1 {{ {off} {kind}{what} {{ {timers} }}; }}\n"

    def bfd(self, address):
        for line in self.ask("show bfd sessions").splitlines():
            words = line.split()
            if words and words[0] == address:
                transmit, detection = (round(float(word) * 1000) for word in words[-2:])
                return words[2].lower(), transmit, detection
        raise LabError(f"{self.role}: BIRD has no BFD session with {address}")

    def set_interval(self, interval):
        self.interval = interval
        self._reconfigure()

    def _reconfigure(self):
        with open(self._config, "w") as file:
            file.write(self.configuration())
        answer = self.ask("configure")
        if "Reconfigured" not in answer and "progress" not in answer:
            raise LabError(f"{self.role}: {answer}")

    def admin_down(self):
        self.ask("disable bfd1")

    def admin_up(self):
        self.ask("enable bfd1")

    def restart_bfd(self):
        self._process.kill()
        self.start()


def make_bfd_router(software, *arguments, **options):
    return {"bird": BfdBird, "frr": BfdFrr}[software](*arguments, **options)
