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
AROUND = 0.5  # seconds of load on either side of a change


def say(text=""):
    print(text, flush=True)


class Story:
    """One stage after the other, and one row of the table for each."""

    def __init__(self, lab):
        self.lab = lab
        self.rows = []

    def stage(self, title, change, roles):
        """Makes a change under load, waits for the router, counts; then spreads new flows."""
        say(f"\n{len(self.rows) + 1}. {title}")
        with Load(self.lab.client, VIP4, self.lab.port, tls=self.lab.tls) as load:
            time.sleep(AROUND)  # Requests before, during and after the change are counted.
            start = time.monotonic()
            change()
            self.lab.wait_fib(roles)
            took = time.monotonic() - start
            time.sleep(AROUND)
        requests = load.outcomes
        say(f"   The router had it after {took:.2f} s.")
        say(f"   Of {len(requests)} requests before, during and after, {_failures(requests)}.")
        self._spread(title, [f"{took:.2f}", len(requests), requests.failed])

    def begin(self, title):
        """The first stage changes nothing."""
        say(f"\n1. {title}")
        self._spread(title, ["-", "-", "-"])

    def _spread(self, title, figures):
        hops = self.lab.router_namespace.fib(VIP4).items()
        where = ", ".join(f"{device} ({gateway})" for device, gateway in hops)
        say(f"   The router's kernel sends {VIP4} to {where}.")
        flows = open_flows(self.lab.client, VIP4, FLOWS, self.lab.port, tls=self.lab.tls)
        say(f"   Of {FLOWS} new flows, {_failures(flows)}.")
        counts = [flows.spread().get(node.role, 0) for node in self.lab.nodes]
        self.rows.append([title, *counts, flows.failed, *figures])

    def show(self):
        names = [node.role for node in self.lab.nodes]
        say(f"\nHow {FLOWS} new flows spread over the nodes, and what each change cost:\n")
        header = ["stage", *names, "failed", "seconds", "requests", "failed meanwhile"]
        say(table(self.rows, header))
        say(
            "\nA request under way while the set of nodes changes may be moved to another node and\n"
            "reset: so does every router that hashes flows, unless it has resilient hashing."
        )


def _failures(outcomes):
    causes = ", ".join(f"{count} {cause}" for cause, count in outcomes.failures().items())
    return f"{outcomes.failed or 'none'} failed" + (f" ({causes})" if causes else "")


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
    say(f"   node3's session with the router is {state}, and its service still runs.")
    if state != "Established":
        raise LabError("the drained node has lost its session")
    story.stage("Both come back", bring_back, ["node1", "node2", "node3"])
    story.show()
    if any(row[1 + len(lab.nodes)] for row in story.rows):
        raise LabError("flows failed while nothing changed")


def hints(lab):
    prefix = lab.fabric.id
    node = lab.nodes[0]
    say("\nThe fabric stays up. Look into it (as root):")
    say(f"  ip netns exec {prefix}-node1 {BIN}/anyvip --socket {node.control} status")
    say(f"  ip netns exec {prefix}-node1 {BIN}/anyvip --socket {node.control} drain")
    scheme = "https" if lab.tls else "http"
    say(f"  ip netns exec {prefix}-client curl -k {scheme}://{VIP4}/  # or {scheme}://[{VIP6}]/")
    say(f"  ip -n {prefix}-router route show {VIP4}")
    say(f"  birdc -s {lab.fabric.path('router', 'bird.ctl')} show route all")
    say(f"  configuration, logs: {lab.fabric.directory}/")
    say("Remove it with: etc/quickstart --down")


def main():
    parser = argparse.ArgumentParser(prog="etc/quickstart", description=__doc__)
    for option, text in (
        ("--keep", "leave the fabric up and say how to look into it"),
        ("--down", "remove what --keep has left"),
        ("--tls", "the service speaks TLS"),
    ):
        parser.add_argument(option, action="store_true", help=text)
    options = parser.parse_args()
    if options.down:
        for name in fabrics.down("quickstart"):
            say(f"removed {name}")
        return
    require_programs()
    with Fabric("quickstart", keep=options.keep) as fabric:
        service = "a small TLS service" if options.tls else "a small web service"
        say(
            f"One router (BIRD), three nodes with {service} and anyvipd, one client, each\n"
            f"in a network namespace. All nodes carry the VIP {VIP4} ({VIP6})."
        )
        lab = Anycast(fabric, tls=options.tls).start()
        lab.wait_fib(["node1", "node2", "node3"])
        tell(lab)
        if options.keep:
            hints(lab)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"quickstart: {error}")
