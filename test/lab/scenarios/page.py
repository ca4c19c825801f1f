# SPDX-License-Identifier: Apache-2.0
"""Whether a page of etc/routers keeps what it says, point by point."""

from ..process import LabError, wait_until
from .measure import require
from .registry import scenario

TOO_MANY = [f"203.0.113.{number}" for number in range(100, 112)]


@scenario("router-page", fits=lambda lab: lab.is_page, speakers=("anyvip",))
def router_page(lab):
    """What etc/routers says of ECMP, neighbours, filters, limits, BFD, gshut, weights, ADD-PATH."""
    address = lab.addresses[0]
    checked = []
    checks = (_equal, _sessions, _host_routes, _graceful_shutdown, _weights, _limit, _add_path,
              _default, _both)  # fmt: skip
    for check in checks:
        if check(lab, address) is not False:
            checked.append(check.__name__.strip("_"))
    # Once more: when it was asked for first, the router may not have read it yet.
    _host_routes(lab, address)
    return {"failed": 0, "checked": " ".join(checked)}


def _equal(lab, _):
    """All nodes share all addresses, though the page names none of them."""
    lab.wait_all()


def _sessions(lab, _):
    def up():
        peers = [peer for one in lab.active() for peer in one.status()["peers"]]
        states = {(peer["state"], peer["bfd"]) for peer in peers}
        if states != {("Established", "up")}:
            raise LabError(f"{states}")
        return True

    wait_until("sessions and BFD are up", up, 20)


def _host_routes(lab, _):
    """node1 announces a network, too; the router must not take it."""
    node = lab.active()[0]
    require(node.vip("net")["announced_to"], f"{node.role} does not announce the network")
    require(not lab.router_namespace.fib("203.0.113.128/25"), "a network was taken for a VIP")


def _graceful_shutdown(lab, address):
    """In the first step of a drain the path is there, has local preference 0, and is not used."""
    node = lab.active()[-1]
    others = lab.roles(but=[node])
    node.anyvip("drain")
    lab.wait_reach(others, 2)
    prefs = [path.local_pref for path in lab.router.paths(f"{address}/32")]
    require(0 in prefs and len(prefs) == len(lab.roles()), f"local preferences: {prefs}")
    node.anyvip("undrain")
    lab.wait_all()


def _weights(lab, address):
    """Bandwidths of 1:1:3; only FRR makes weights of them."""
    if lab.router.software != "frr":
        return False

    def right():
        weights = lab.router_namespace.weights(address)
        if weights["node3"] != 3 * weights["node1"] or weights["node2"] != weights["node1"]:
            raise LabError(f"{weights}")
        return True

    wait_until("weights are 1:1:3", right, 10)


def _limit(lab, _):
    """A node with too many VIPs loses its session by Cease/1 of the router, nobody else notices."""
    node = lab.spare
    node.start_service()
    # Without the limit nothing of what is asked for below may be there: else it proves nothing.
    lab.router.drop_limit()
    node.start()
    wait_until("without a limit all of them are in use", lambda: _used(lab) == TOO_MANY, 20)
    error = node.peer("router")["last_error"]
    require(not error or error["code"] == 0, f"without a limit: {error}")
    node.stop()
    wait_until("none is in use", lambda: not _used(lab), 10)
    lab.router.restore_limit()
    node.start()
    wait_until(f"{node.role} has lost its session by Cease/1", lambda: _was_cut(node), 20)
    wait_until("none of the node with too many is in use", lambda: not _used(lab), 5)
    lab.wait_all()
    node.stop()
    node.kill_service()


def _used(lab):
    """Which of the spare node's VIPs the router's kernel sends somewhere."""
    return [extra for extra in TOO_MANY if lab.router_namespace.fib(extra)]


def _was_cut(node):
    """RFC 4486 §4: Cease, Maximum Number of Prefixes Reached, from the router."""
    error = node.peer("router")["last_error"]
    if not error or (error["code"], error["subcode"], error["sent"]) != (6, 1, False):
        raise LabError(f"last error: {error}")
    return True


def _add_path(lab, _):
    """With the page's second block each node is shown the paths of all others."""
    lab.router.apply("add-path")
    _wait_paths(lab)
    lab.wait_all()


def _wait_paths(lab):
    def shown():
        counts = {one.role: len(one.received()) for one in lab.active()}
        if min(counts.values()) < len(lab.families) * (len(lab.roles()) - 1):
            raise LabError(f"paths shown: {counts}")
        return True

    wait_until("all paths are shown", shown, 20)


def _default(lab, _):
    """With the page's third block the nodes are sent the default route that the router has learnt."""
    upstream = lab.upstream.namespace
    lab.router.apply("default")
    _wait_defaults(lab, 0)  # nobody has told it one yet
    lab.upstream.start()
    _wait_defaults(lab, len(lab.families))
    upstream.ip("link", "set", "router", "down")
    _wait_defaults(lab, 0)
    upstream.ip("link", "set", "router", "up")
    _wait_defaults(lab, len(lab.families))
    lab.wait_all()


def _both(lab, _):
    """The other nodes' paths and the default route."""
    every = ("add-path", "default", "add-path-default")
    lab.router.apply(*[name for name in every if name in lab.router.page])
    _wait_paths(lab)
    _wait_defaults(lab, len(lab.families))
    lab.wait_all()


def _wait_defaults(lab, count):
    """Until each node is offered so many default routes that it can use, one for each family."""

    def offered():
        found = {
            one.role: sum(
                offer["next_hop"] is not None
                for offer in one.peer_details("router")["default_route"].values()
            )
            for one in lab.active()
        }
        if set(found.values()) != {count}:
            raise LabError(f"default routes offered: {found}")
        return True

    wait_until(f"{count} default routes are offered", offered, 30)
