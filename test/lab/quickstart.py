# SPDX-License-Identifier: Apache-2.0
"""The main job, shown: one router, three nodes, one client. Called by etc/quickstart."""

import argparse
import sys
import time

from . import fabric as fabrics
from .anycast import VIP4, VIP6, Anycast
from .client import Load, open_flows
from .fabric import Fabric
from .node import BIN, require_programs
from .process import LabError, wait_until
from .report import table

FLOWS = 300


def say(text=""):
    print(text, flush=True)


class Story:
    def __init__(self, lab):
        self.lab = lab
        self.rows = []

    def stage(self, title, change, roles):
        """Makes a change under load, waits for the router, counts; then spreads 300 flows."""
        with Load(self.lab.client, VIP4) as load:
            start = time.monotonic()
            change()
            self.lab.wait_fib(roles)
            took = time.monotonic() - start
        requests = load.outcomes
        meanwhile = f"{len(requests)} requests meanwhile, {_failures(requests)}"
        figures = [f"{took:.2f}", len(requests), requests.failed]
        self._spread(title, figures, f"   right after {took:.2f} s; {meanwhile}.")

    def begin(self, title):
        """The first stage changes nothing."""
        self._spread(title, ["-", "-", "-"])

    def _spread(self, title, figures, text=None):
        say(f"\n{len(self.rows) + 1}. {title}")
        if text:
            say(text)
        say(f"   router's kernel, {VIP4}:")
        for device, gateway in self.lab.router_namespace.fib(VIP4).items():
            say(f"      via {gateway} ({device})")
        flows = open_flows(self.lab.client, VIP4, FLOWS)
        say(f"   {FLOWS} new flows, {_failures(flows)}.")
        counts = [flows.spread().get(node.role, 0) for node in self.lab.nodes]
        self.rows.append([title, *counts, *figures, flows.failed])

    def show(self):
        names = [node.role for node in self.lab.nodes]
        header = ["stage", *names, "seconds", "requests", "failed", f"failed of {FLOWS}"]
        say("\n" + table(self.rows, header))


def _failures(outcomes):
    causes = ", ".join(f"{count} {cause}" for cause, count in outcomes.failures().items())
    return f"{outcomes.failed} failed" + (f" ({causes})" if causes else "")


def tell(lab):
    one, two, three = lab.nodes
    story = Story(lab)

    def kill_service():
        two.kill_service()

    def drain():
        three.anyvip("drain")
        wait_until("node3 is drained", lambda: three.vip("www")["state"] in ("draining", "drained"))

    def bring_back():
        two.start_service()
        three.anyvip("undrain")

    story.begin("All three nodes serve")
    story.stage("The service on node2 is killed", kill_service, ["node1", "node3"])
    story.stage("node3 is drained with `anyvip drain`", drain, ["node1"])
    state = three.peer("router")["state"]
    say(f"   node3's session with the router: {state}; its services still run.")
    if state != "Established":
        raise LabError("the drained node has lost its session")
    story.stage("Both come back", bring_back, ["node1", "node2", "node3"])
    story.show()
    if any(row[-1] for row in story.rows):
        raise LabError("flows failed while nothing changed")


def hints(lab):
    prefix = lab.fabric.id
    node = lab.nodes[0]
    say("\nThe fabric stays up. Look into it (as root):")
    say(f"  ip netns exec {prefix}-node1 {BIN}/anyvip --socket {node.control} status")
    say(f"  ip netns exec {prefix}-node1 {BIN}/anyvip --socket {node.control} drain")
    say(f"  ip netns exec {prefix}-client curl http://{VIP4}/  # or http://[{VIP6}]/")
    say(f"  ip -n {prefix}-router route show {VIP4}")
    say(f"  birdc -s {lab.fabric.path('router', 'bird.ctl')} show route all")
    say(f"  configuration, logs: {lab.fabric.directory}/")
    say("Remove it with: etc/quickstart --down")


def main():
    parser = argparse.ArgumentParser(prog="etc/quickstart", description=__doc__)
    for option, text in (
        ("--keep", "leave the fabric up and say how to look into it"),
        ("--down", "remove what --keep has left"),
    ):
        parser.add_argument(option, action="store_true", help=text)
    options = parser.parse_args()
    if options.down:
        for name in fabrics.down("quickstart"):
            say(f"removed {name}")
        return
    require_programs()
    with Fabric("quickstart", keep=options.keep) as fabric:
        say(
            "One router (BIRD), three nodes with a small web service and anyvipd, one client,\n"
            f"each in a network namespace. All nodes carry {VIP4} and {VIP6}."
        )
        lab = Anycast(fabric).start()
        lab.wait_fib(["node1", "node2", "node3"])
        tell(lab)
        if options.keep:
            hints(lab)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"quickstart: {error}")
