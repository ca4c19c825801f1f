# SPDX-License-Identifier: Apache-2.0
"""What happens to a host in everyday life."""

import ipaddress
import time

from ..process import LabError, wait_until
from .measure import hold_load, require, under_load
from .registry import scenario


@scenario("vip-removed")
def vip_removed(lab):
    """Somebody removes the VIP from the loopback by hand: anyvip puts it back, no route moves."""
    victim = lab.announcers[0]
    address = lab.addresses[0]
    length = ipaddress.ip_address(address).max_prefixlen

    def remove(_):
        victim.namespace.ip("address", "del", f"{address}/{length}", "dev", "lo")
        try:
            wait_until("the VIP is back", lambda: victim.namespace.has_address(address), 3, 0.005)
        except LabError:
            if victim.speaker == "anyvip":
                raise
            victim.namespace.ip("address", "add", f"{address}/{length}", "dev", "lo")
            return "never"
        return "back"

    result, cost = hold_load(lab, remove)
    if victim.speaker == "anyvip":
        require(cost.seconds < 1, f"back only after {cost.seconds:.2f} s")
        require(not cost.route_changes, f"{len(cost.route_changes)} changes of routes")
        require(cost.updates == 0, f"{cost.updates} UPDATEs")
    return cost.figures() | ({"seconds": None} if result == "never" else {})


@scenario("reboot-late-service")
def reboot_late_service(lab):
    """A node reboots and its service comes 3 s after the daemon: nothing is announced before."""
    victim = lab.announcers[0]
    others = lab.roles(but=[victim])

    def crash():
        victim.daemon.kill()
        victim.kill_service()
        for address in lab.addresses:
            victim.namespace.ip("address", "del", address, "dev", "lo", check=False)

    cost = under_load(lab, crash, others, 15)
    cost.require_none_failed_after(cost.end)
    victim.start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for address in lab.addresses:
            found = lab.reach(address)
            require(found == others, f"{address} is sent to {found}, the service is not there yet")
        time.sleep(0.1)
    back = under_load(lab, victim.start_service, lab.roles(), 30)
    back.require_no_stray()
    return cost.figures() | {"back_seconds": round(back.seconds, 3)}


@scenario("upgrade", speakers=("anyvip",))
def upgrade(lab):
    """Each announcer's program is replaced by that on disk: no session, route or request notices."""

    def sessions():
        return [
            (node.role, peer["name"], peer["state"], peer["since"])
            for node in lab.active()
            for peer in node.status()["peers"]
        ]

    before = sessions()

    def upgrade_all(_):
        for node in lab.active():
            node.anyvip("reload", "--upgrade")
            wait_until(f"{node.role} is upgraded", lambda n=node: "upgrade.done" in n.events(), 10)
            require(node.daemon.is_running(), f"{node.role} has ended")

    _, cost = hold_load(lab, upgrade_all)
    require(sessions() == before, f"sessions before {before}, after {sessions()}")
    require(not cost.route_changes, f"{len(cost.route_changes)} changes of routes")
    require(cost.updates == 0, f"{cost.updates} UPDATEs")
    cost.require_no_stray()
    return cost.figures(seconds=False)
