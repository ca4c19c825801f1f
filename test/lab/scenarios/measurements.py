# SPDX-License-Identifier: Apache-2.0
"""What takes its time: the same again and again, and flows that last."""

import concurrent.futures
import statistics
import subprocess
import time

from ..client import LongFlows
from ..node import BIN
from ..process import LabError, wait_until
from ..watch import LastPacket
from .measure import hold_load, require
from .registry import scenario

LONG_FLOWS = 90
LASTING = 30  # seconds


@scenario("drain-again", quick=False, fits=lambda lab: lab.is_measured, speakers=("anyvip",))
def drain_again(lab):
    """One node is drained and taken back again and again (--times), under 100 flows a second."""
    victim = lab.active()[-1]
    took, behind, requests, failed = [], [], 0, 0
    for _ in range(lab.times):

        def drain(begin):
            victim.drain()
            ended = time.monotonic()
            took.append(ended - begin)
            behind.append(ended - packets.last)
            victim.undrain()
            return lab.wait_all()

        with LastPacket(victim.namespace, lab.addresses[0]) as packets:
            _, cost = hold_load(lab, drain)
        cost.require_no_stray()
        requests += len(cost.outcomes)
        failed += cost.outcomes.failed
    return {
        "requests": requests,
        "failed": failed,
        "times": lab.times,
        "drain_seconds": round(statistics.median(took), 2),
        "longest_drain_seconds": round(max(took), 2),
        "seconds_behind_last_packet": round(statistics.median(behind), 2),
    }


@scenario("long-flows", quick=False, fits=lambda lab: lab.is_measured)
def long_flows(lab):
    """Flows of 30 s: how many a drain cuts, on the node and on the others, and how many a kill."""
    # Behind resilient hashing a node that has been away has hardly any flow: this one has not.
    victim = lab.active()[1]
    others = lab.roles(but=[victim])
    figures = {}
    ways = (
        ("drain", victim.drain, victim.undrain),
        ("kill", victim.kill_service, victim.start_service),
    )
    for name, out, back in ways:
        flows = LongFlows(lab.client, lab.addresses[0], LONG_FLOWS, LASTING, lab.port, lab.tls)
        with flows:
            flows.wait_open()
            # `drain --wait` would wait for them all; they are silent as soon as they are moved.
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                done = pool.submit(out)
                lab.wait_reach(others, 20)
                done.result()
        back()
        lab.wait_all()
        cut = flows.cut_by_node()
        mine, total = cut.pop(victim.role, (0, 0))
        require(total, f"no flow reached {victim.role}")
        figures[f"{name}_cut_here"] = f"{mine} of {total}"
        rest = [sum(column) for column in zip(*cut.values())]
        figures[f"{name}_cut_elsewhere"] = f"{rest[0]} of {rest[1]}"
    return figures


@scenario("all-drained", fits=lambda lab: lab.add_path, speakers=("anyvip",))
def all_drained(lab):
    """All nodes are drained at once: one stays, and the router is never without a route."""
    stayed, refused = [], 0
    for _ in range(lab.times):
        _wait_seen(lab)
        begin = time.monotonic()
        answers = _drain_at_once(lab)
        time.sleep(0.2)
        removed = [event for event in lab.routes.since(begin) if event.is_removal]
        require(not removed, f"the VIP was without a route {len(removed)} times: {answers}")
        left = lab.reach(lab.addresses[0])
        require(len(left) == 1, f"{left} are left, not one node: {answers}")
        stayed += left
        refused += sum(status == 1 for status, _ in answers.values())
        require(answers[left[0]][0] == 1, f"{left[0]} stayed, and did not say so: {answers}")
        for node in lab.active():
            node.undrain()
        lab.wait_all()
    counts = {role: stayed.count(role) for role in lab.roles()}
    return {"failed": 0, "times": lab.times, "refused": refused, "stayed": counts}


def _wait_seen(lab):
    """Until each node has been shown the plain paths of all, its own among them."""

    def all_seen():
        for node in lab.active():
            received = node.received()
            plain = [path for path in received if not path["graceful_shutdown"]]
            if len(plain) < len(lab.roles()):
                raise LabError(f"{node.role} sees {received}")
        return True

    wait_until("all see one another", all_seen, 15)


def _drain_at_once(lab):
    """role -> (exit status, standard error) of a drain of each node in the same moment."""
    commands = {}
    for node in lab.active():
        argv = [f"{BIN}/anyvip", "--socket", node.control, "drain", "--wait"]
        commands[node.role] = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    answers = {}
    for role, command in commands.items():
        _, text = command.communicate(timeout=60)
        answers[role] = (command.returncode, text.strip())
    return answers
