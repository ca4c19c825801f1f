# SPDX-License-Identifier: Apache-2.0
"""What an operator does on purpose: nobody may pay for it but requests on their way."""

import time

from ..client import LongFlows
from ..process import LabError, wait_until
from .measure import hold_load, require, under_load
from .registry import scenario

LONG_FLOWS = 60


@scenario("drain")
def drain(lab):
    """One announcer is drained under load and taken back."""
    victim = lab.active()[-1]
    others = lab.roles(but=[victim])

    def until_out(begin):
        victim.drain()
        return max(lab.wait_reach(others, 15), begin)

    out, cost = hold_load(lab, until_out)
    took = time.monotonic() - cost.begin
    cost.require_no_stray()
    if victim.speaker == "anyvip":
        require(victim.vip("www")["state"] == "drained", f"{victim.vip('www')}")
        states = {peer["state"] for peer in victim.status()["peers"]}
        require(states == {"Established"}, f"sessions of the drained node: {states}")
    back = under_load(lab, victim.undrain, lab.roles(), 20)
    back.require_no_stray()
    return _sum(cost, back) | {"drain_seconds": round(took, 2)}


def _sum(cost, back):
    """Figures of both ways; seconds and UPDATEs are those of the way out."""
    figures = cost.figures()
    figures["requests"] += len(back.outcomes)
    figures["failed"] += back.outcomes.failed
    return figures | {"back_seconds": round(back.seconds, 3)}


@scenario("drain-restart")
def drain_restart(lab):
    """A drained announcer is stopped, started, killed and started: still drained, until undrain."""
    victim = lab.active()[-1]
    others = lab.roles(but=[victim])
    victim.drain()
    lab.wait_reach(others, 15)

    def restart_twice(_):
        for end in (victim.stop, victim.daemon.kill):
            end()
            victim.start()
            _require_stays(lab, victim, others, 2.0)

    try:
        _, cost = hold_load(lab, restart_twice)
    finally:
        victim.undrain()
    cost.require_no_stray()
    require(not cost.route_changes, f"{len(cost.route_changes)} changes of routes meanwhile")
    lab.wait_all()
    return cost.figures(seconds=False)


def _require_stays(lab, node, roles, seconds):
    """The session is up, and the VIP goes to these for so long."""
    if node.speaker == "anyvip":

        def is_up():
            states = {peer["state"] for peer in node.status()["peers"]}
            if states != {"Established"}:
                raise LabError(f"sessions: {states}")
            return True

        wait_until(f"{node.role} has its sessions", is_up, 20)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = lab.reach(lab.addresses[0])
        require(found == sorted(roles), f"{lab.addresses[0]} is sent to {found}")
        time.sleep(0.1)


@scenario("node-added", fits=lambda lab: lab.spare)
def node_added(lab):
    """A node joins under load and long flows, and leaves by a stop of its daemon."""
    spare = lab.spare
    everybody = sorted([*lab.roles(), spare.role])
    spare.start_service()
    flows = LongFlows(lab.client, lab.addresses[0], LONG_FLOWS, 9, lab.port, lab.tls)
    with flows:
        flows.wait_open()
        cost = under_load(lab, spare.start, everybody, 20)
    cost.require_no_stray()
    cut = sum(flow.was_cut for flow in flows.flows)
    left = under_load(lab, spare.stop, lab.roles(), 20)
    left.require_no_stray()
    spare.kill_service()
    return _sum(cost, left) | {"long_flows_cut_percent": round(100 * cut / LONG_FLOWS)}
