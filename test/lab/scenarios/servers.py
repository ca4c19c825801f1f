# SPDX-License-Identifier: Apache-2.0
"""What happens behind the load balancers of a hybrid fabric."""

import signal
import time

from .measure import hold_load, require, shown, under_load
from .registry import is_hybrid, scenario


def _wait_up(lab, name):
    for proxy in lab.haproxies.values():
        proxy.wait_up(name)


def _while_down(lab, change, seconds):
    """`change` under load, then so much more time; no route may move for it."""

    def act(_):
        change()
        time.sleep(seconds)

    _, cost = hold_load(lab, act)
    require(not cost.route_changes, f"{len(cost.route_changes)} changes of routes")
    require(cost.updates == 0, f"{cost.updates} UPDATEs")
    return cost


def _require_served_since(cost, seconds):
    """Whoever comes this long after the change is served."""
    late = [one for one in cost.outcomes if one.error and one.began > cost.begin + seconds]
    require(not late, f"failed more than {seconds} s after the change: {shown(late, cost.begin)}")


@scenario("server-killed", fits=is_hybrid)
def server_killed(lab):
    """A server behind the load balancers is killed: their retry hides it, no route moves."""
    server = lab.servers[0]
    cost = _while_down(lab, server.kill_service, 1.5)
    _require_served_since(cost, 0.2)
    server.start_service()
    _wait_up(lab, server.role)
    return cost.figures(seconds=False)


@scenario("server-hung", fits=is_hybrid)
def server_hung(lab):
    """A server takes connections and answers nothing: until the load balancers' check finds it."""
    server = lab.servers[0]
    try:
        cost = _while_down(lab, lambda: server.service.send(signal.SIGSTOP), 6)
    finally:
        server.service.send(signal.SIGCONT)
    # A failed check is an interval and a time-out away, the second one follows sooner.
    _require_served_since(cost, 4.5)
    _wait_up(lab, server.role)
    return cost.figures(seconds=False)


@scenario("server-drained", fits=is_hybrid)
def server_drained(lab):
    """A server is drained at each load balancer, restarted and taken back: nobody notices."""
    server = lab.servers[0]

    def restart():
        for proxy in lab.haproxies.values():
            proxy.drain(server.role)
        server.service.stop()
        server.start_service()
        for proxy in lab.haproxies.values():
            proxy.ready(server.role)
        _wait_up(lab, server.role)

    cost = _while_down(lab, restart, 0.5)
    require(not cost.outcomes.failed, f"failed: {dict(cost.outcomes.failures())}")
    return cost.figures(seconds=False)


@scenario("servers-all-fail", fits=is_hybrid)
def servers_all_fail(lab):
    """All servers fail: no load balancer has anything to offer, so all withdraw."""

    def kill_all():
        for server in lab.servers:
            server.kill_service()

    cost = under_load(lab, kill_all, [], 20)
    begin = time.monotonic()
    for server in lab.servers:
        server.start_service()
    back = lab.wait_all() - begin
    for server in lab.servers:
        _wait_up(lab, server.role)
    return cost.figures() | {"back_seconds": round(back, 3)}
