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
              _default)  # fmt: skip
    for check in checks:
        if check(lab, address) is not False:
            checked.append(check.__name__.strip("_"))
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
    """A node with too many VIPs loses its session, nobody else notices."""
    node = lab.spare
    node.start_service()
    node.start()

    def cut():
        text = f"{node.peer('router')['last_error']} {node.peer('router')['state']}"
        return "Maximum Number of Prefixes" in text or "Established" not in text

    wait_until(f"{node.role} has lost its session", lambda: _has_many(node) and cut(), 20)
    for extra in TOO_MANY:
        require(not lab.router_namespace.fib(extra), f"{extra} of the node with too many is in use")
    lab.wait_all()
    node.stop()
    node.kill_service()


def _has_many(node):
    return len(node.vip("many")["addresses"]) == len(TOO_MANY)


def _add_path(lab, _):
    """With the page's second block each node is shown the paths of all others."""
    lab.router.apply("add-path")

    def shown():
        counts = {one.role: len(one.received()) for one in lab.active()}
        if min(counts.values()) < len(lab.families) * (len(lab.roles()) - 1):
            raise LabError(f"paths shown: {counts}")
        return True

    wait_until("all paths are shown", shown, 20)
    lab.wait_all()


def _default(lab, _):
    """With the page's third block each node is sent the default route of both families."""
    lab.router.apply("default")

    def sent():
        # Whatever else the router shows are paths of the VIPs.
        more = {one.role: one.peer("router")["received"] - len(one.received())
                for one in lab.active()}  # fmt: skip
        if set(more.values()) != {len(lab.families)}:
            raise LabError(f"received beside paths of VIPs: {more}")
        return True

    wait_until("the default route has come", sent, 20)
    lab.wait_all()
