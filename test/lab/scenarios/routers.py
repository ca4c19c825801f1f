# SPDX-License-Identifier: Apache-2.0
"""What happens to routers, by intent and without it."""

import contextlib
import time

from ..process import LabError, wait_until
from .measure import hold_load, require
from .registry import has_two_routers, scenario


@scenario("router-restart", fits=lambda lab: len(lab.routers) == 1)
def router_restart(lab):
    """The only router's BGP software is restarted: seconds from its start until the VIP is back."""
    router = lab.routers[lab.entry]
    router.stop()
    lab.wait_reach([], 20)
    begin = time.monotonic()
    router.start()
    back = lab.wait_all() - begin
    require(back < 15, f"back only after {back:.1f} s")
    return {"back_seconds": round(back, 3)}


def _router_out(lab):
    """The router that these scenarios take out."""
    return min(lab.hops[lab.entry])


@contextlib.contextmanager
def _out_of_use(lab):
    """Within the block the lab expects nobody to use this router."""
    lab.routers_out.add(_router_out(lab))
    try:
        yield
    finally:
        lab.routers_out.clear()


@scenario("router-maintenance", fits=has_two_routers, speakers=("anyvip",))
def router_maintenance(lab):
    """One of two routers is drained by `drain --peer`, switched off, on, and taken back."""
    out = _router_out(lab)
    router = lab.routers[out]
    nodes = [one for one in lab.announcers if one.role in lab.hops[out]]

    def maintain(begin):
        with _out_of_use(lab):
            for node in nodes:
                node.drain_router(out)
            end = max(lab.wait_reach(lab.roles(), 15), begin)
            # The sessions stay up, the router has no route of the VIP left.
            wait_until(f"{out} has no VIP", lambda: not _uses(lab, out), 10)
            _require_established(nodes)
            time.sleep(0.5)
            router.stop()
            lab.set_links(out, "down")
            time.sleep(1)
            lab.set_links(out, "up")
            router.start()
            wait_until("all sessions are up", lambda: _require_established(nodes), 30)
            for node in nodes:
                node.undrain_router(out)
        lab.wait_all()
        return end

    _, cost = hold_load(lab, maintain)
    cost.require_no_stray()
    return cost.figures()


def _uses(lab, router):
    """Where the router itself sends the VIP."""
    return sorted({hop for one in lab.addresses for hop in lab.reach(one, router)})


def _require_established(nodes):
    states = [peer["state"] for node in nodes for peer in node.status()["peers"]]
    if set(states) != {"Established"}:
        raise LabError(f"{states}")
    return True


def _failure(lab, fail, repair, seconds):
    """Fails under load; whoever comes `seconds` after the routers knew must be served."""

    def act(begin):
        with _out_of_use(lab):
            fail()
            end = max(lab.wait_reach(lab.roles(), 30), begin)
            time.sleep(seconds + 1)
        return end

    try:
        _, cost = hold_load(lab, act)
    finally:
        repair()
    late = [one for one in cost.outcomes if one.error and one.began > cost.end + seconds]
    require(not late, f"{len(late)} requests failed more than {seconds} s after the routers knew")
    lab.wait_all()
    return cost.figures()


@scenario("router-off", fits=has_two_routers)
def router_off(lab):
    """One of two routers loses its power: the links go down with it."""
    out = _router_out(lab)
    router = lab.routers[out]

    def fail():
        lab.set_links(out, "down")
        router.kill()

    def repair():
        lab.set_links(out, "up")
        router.start()

    return _failure(lab, fail, repair, 0.5)


@scenario(
    "router-blackhole",
    quick=False,
    # A static route knows nothing of a router that is silent: half of all answers would be lost.
    fits=lambda lab: has_two_routers(lab) and not lab.static_default,
    speakers=("anyvip",),
)
def router_black_hole(lab):
    """One of two routers swallows all packets, links stay up: both sides' hold time of 9 s."""
    out = _router_out(lab)
    return _failure(lab, lambda: lab.cut(out), lambda: lab.mend(out), 3)


@scenario("uplink-cut", fits=lambda lab: lab.learn_default, speakers=("anyvip",))
def uplink_cut(lab):
    """One of two routers loses its uplink: its default route is gone from the nodes, too."""
    out = _router_out(lab)
    upstream = lab.fabric.namespaces[lab.entry]
    lab.wait_defaults()

    def cut(_):
        with _out_of_use(lab):
            upstream.ip("link", "set", out, "down")
            lab.wait_reach(lab.roles(), 15)
            # Its sessions with the nodes stay up: nothing but its route tells them.
            lab.wait_defaults()
            end = time.monotonic()
            _require_established(lab.announcers)
        return end

    try:
        _, cost = hold_load(lab, cut, around=2)
    finally:
        upstream.ip("link", "set", out, "up")
    cost.require_none_failed_after(cost.end)
    lab.wait_all()
    return cost.figures()
