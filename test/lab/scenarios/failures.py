# SPDX-License-Identifier: Apache-2.0
"""What fails by itself: service, daemon, node, path, all at once."""

import signal
import time

from ..process import LabError, wait_until
from .measure import hold_load, require, under_load
from .registry import scenario


@scenario("service-killed")
def service_killed(lab):
    """The service of one announcer is killed with -9: the route goes, the session stays."""
    victim = lab.announcers[0]
    cost = under_load(lab, victim.kill_service, lab.roles(but=[victim]), 15)
    cost.require_none_failed_after(cost.end)
    if victim.speaker == "anyvip":
        require(cost.seconds < 2, f"out of the routers only after {cost.seconds:.2f} s")
        _require_sessions(victim)
    back = under_load(lab, victim.start_service, lab.roles(), 15)
    back.require_no_stray()
    return cost.figures() | {"back_seconds": round(back.seconds, 3)}


@scenario("service-hung")
def service_hung(lab):
    """The service takes connections and answers nothing (SIGSTOP): found by its time-outs."""
    victim = lab.announcers[0]
    hang = lambda: victim.service.send(signal.SIGSTOP)  # noqa: E731
    try:
        cost = under_load(lab, hang, lab.roles(but=[victim]), 15)
    finally:
        victim.service.send(signal.SIGCONT)
    # 3 failures: up to an interval, then a time-out and the fast interval each.
    require(cost.seconds < 8, f"out of the routers only after {cost.seconds:.2f} s")
    cost.require_none_failed_after(cost.end)
    if victim.speaker == "anyvip":
        _require_sessions(victim)
    lab.wait_all()
    return cost.figures()


@scenario("daemon-killed")
def daemon_killed(lab):
    """The announcing daemon is killed with -9 and started again: its service serves on."""
    victim = lab.announcers[0]
    cost = under_load(lab, victim.daemon.kill, lab.roles(but=[victim]), 15)
    cost.require_no_stray()
    for address in lab.addresses:
        require(victim.namespace.has_address(address), f"{address} has left {victim.role}")
    back = under_load(lab, victim.start, lab.roles(), 30)
    back.require_no_stray()
    figures = cost.figures()
    figures["requests"] += len(back.outcomes)
    figures["failed"] += back.outcomes.failed
    return figures | {"back_seconds": round(back.seconds, 3)}


def _black_hole(lab, victim, deadline):
    try:
        cost = under_load(lab, lambda: lab.cut(victim.role), lab.roles(but=[victim]), deadline)
    finally:
        lab.mend(victim.role)
    cost.require_none_failed_after(cost.end)
    if victim.speaker == "anyvip":
        _wait_settled(victim)
    lab.wait_all()
    return cost


def _wait_settled(node):
    """Runs that hung in the black hole end as failures some time after it, and count.

    The answer to `check` is a run that began now, when the former one had ended."""
    for check in node.status()["checks"]:
        node.anyvip("check", check["name"])
    announced = lambda: all(vip["state"] == "announced" for vip in node.status()["vips"])  # noqa: E731
    wait_until(f"{node.role}: all announced", announced, 20)


@scenario("blackhole", quick=False)
def black_hole(lab):
    """A node's packets vanish in both directions, links stay up: found by the hold time of 9 s."""
    victim = next(one for one in lab.active() if one.role != lab.bfd_role)
    cost = _black_hole(lab, victim, 20)
    require(cost.seconds < 10, f"out of the routers only after {cost.seconds:.2f} s")
    return cost.figures()


@scenario("blackhole-bfd", fits=lambda lab: lab.bfd_role, speakers=("anyvip",))
def black_hole_bfd(lab):
    """The same with BFD at 300 ms x 3."""
    victim = next(one for one in lab.active() if one.role == lab.bfd_role)
    bfd_is_up = lambda: all(peer["bfd"] == "up" for peer in victim.status()["peers"])  # noqa: E731
    wait_until("BFD is up", bfd_is_up, 20)
    cost = _black_hole(lab, victim, 20)
    require(cost.seconds < 2, f"out of the routers only after {cost.seconds:.2f} s")
    return cost.figures()


@scenario("all-fail")
def all_fail(lab):
    """All services fail together: the VIP is gone everywhere, and comes back with them."""
    victims = lab.active()

    def kill_all():
        for victim in victims:
            victim.kill_service()

    cost = under_load(lab, kill_all, [], 20)
    begin = time.monotonic()
    for victim in victims:
        victim.start_service()
    back = lab.wait_all() - begin
    return cost.figures() | {"back_seconds": round(back, 3)}


@scenario("shared-fails", fits=lambda lab: lab.shared, speakers=("anyvip",))
def shared_fails(lab):
    """A database that all nodes need dies: all demote themselves, none withdraws."""
    address = lab.addresses[0]

    def until(state, what):
        def reached():
            found = {one.role: one.vip("www")["state"] for one in lab.active()}
            if set(found.values()) != {state}:
                raise LabError(f"{found}")
            return lab.reach(address) == lab.roles()

        def act(_):
            what()
            wait_until(f"all are {state} and in the router's kernel", reached, 20)

        return act

    _, cost = hold_load(lab, until("backup", lab.shared.kill_service))
    cost.require_no_stray()
    require(
        not any(not lab.reach(one) for one in lab.addresses), "the VIP has left the router's kernel"
    )
    lengths = lab.path_length(address)
    require(min(lengths) == 6, f"AS_PATH lengths while demoted: {lengths}")
    _, back = hold_load(lab, until("announced", lab.shared.start_service))
    back.require_no_stray()
    lab.wait_all()
    return cost.figures() | {"back_seconds": round(back.seconds, 3)}


@scenario("flapping", quick=False)
def flapping(lab):
    """A service dies five times, 2.5 s apart: how many UPDATEs the routers get to see."""
    victim = lab.announcers[0]
    damped = False

    def flap(_):
        nonlocal damped
        for _ in range(5):
            victim.kill_service()
            time.sleep(0.5)
            victim.start_service()
            time.sleep(2.0)
            if victim.speaker == "anyvip":
                damped |= "damped" in victim.vip("www")["reason"]

    _, cost = hold_load(lab, flap)
    begin = time.monotonic()
    if victim.speaker == "anyvip":
        require(damped, "five falls within 13 s were not damped")
    back = lab.wait_all(60) - begin
    return cost.figures(seconds=False) | {"back_seconds": round(max(back, 0), 3)}


def _require_sessions(node):
    states = {peer["name"]: peer["state"] for peer in node.status()["peers"]}
    require(set(states.values()) == {"Established"}, f"{node.role}'s sessions: {states}")
