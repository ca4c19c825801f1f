# SPDX-License-Identifier: Apache-2.0
"""Addresses: own and foreign, removed by hand, policies, kill -9 (CONTRACT section 3)."""

import os

from lab.process import LabError

from ..catalogue import case
from ..stage import VIP4, VIP6, expect, expect_in, now

FILE = [{"name": "f", "type": "file", "interval": "100ms", "rise": 1, "fall": 1}]


@case("an address removed by hand is put back without a withdraw, and the event says so")
def put_back(stage):
    stage.wait_state("announced")
    begin = now()
    stage.node.ip("address", "del", f"{VIP4}/32", "dev", "lo")
    event = stage.wait_event("address.removed")
    expect(event["name"], f"{VIP4}/32", "event name")
    expect_in("lo", event["reason"], "event")
    stage.wait_address(VIP4)
    stage.node.ip("address", "del", f"{VIP6}/128", "dev", "lo")
    stage.wait_address(VIP6)
    expect(stage.updates(begin), [], "UPDATEs")
    expect(stage.vip()["state"], "announced", "state")


@case("an address removed more than three times in 10 s is withdrawn, without a busy loop")
def fought_over(stage):
    stage.wait_state("announced")
    begin = now()
    for count in range(4):
        stage.wait_address(VIP4)
        stage.node.ip("address", "del", f"{VIP4}/32", "dev", "lo")
        if count < 3:
            stage.wait_event("address.removed", count)
    stage.router.wait_withdrawn(f"{VIP4}/32", begin)
    expect_in("removed", stage.cli("explain", "www", code=0).stdout, "explain")
    expect(stage.vip()["state"], "announced", "the other address is still announced")


@case("addresses flushed from lo and lo taken down come back")
def flushed(stage):
    stage.wait_state("announced")
    stage.node.ip("address", "flush", "dev", "lo", "scope", "global", check=False)
    stage.node.ip("link", "set", "lo", "down")
    stage.node.ip("link", "set", "lo", "up")
    stage.wait_address(VIP4)
    stage.wait_address(VIP6)
    stage.wait_state("announced")


@case("hold: the address is there before the checks are up", checks=FILE,
      vips=[{"name": "www", "addresses": [VIP4], "checks": ["f"]}])
def hold(stage):
    stage.wait_address(VIP4)
    expect(stage.vip()["state"] in ("starting", "withdrawn"), True, "state")
    open(stage.ready, "w").close()
    stage.wait_state("announced")
    os.unlink(stage.ready)
    stage.wait_state("withdrawn")
    expect(stage.node.has_address(VIP4), True, "address after the withdraw")


@case("follow: the address comes before the route and goes after it", checks=FILE,
      vips=[{"name": "www", "addresses": [VIP4], "checks": ["f"], "address_policy": "follow"}])
def follow(stage):
    stage.wait("checked", lambda: stage.status()["checks"][0]["state"] == "down")
    expect(stage.node.has_address(VIP4), False, "address while down")
    open(stage.ready, "w").close()
    stage.wait_state("announced")
    expect(stage.node.has_address(VIP4), True, "address while announced")
    begin = now()
    os.unlink(stage.ready)
    stage.router.wait_withdrawn(f"{VIP4}/32", begin)
    stage.wait_address(VIP4, False)


@case("external: announced only while somebody else put the address there, never touched",
      vips=[{"name": "www", "addresses": [VIP4], "address_policy": "external"}])
def external(stage):
    vip = stage.wait_state("withdrawn")
    expect_in("is not on lo", vip["reason"], "reason")
    begin = now()
    stage.node.ip("address", "add", f"{VIP4}/32", "dev", "lo")
    stage.router.wait_announced(f"{VIP4}/32", begin)
    expect(stage.wait_state("announced")["addresses"][0]["owned"], False, "owned")
    begin = now()
    stage.node.ip("address", "del", f"{VIP4}/32", "dev", "lo")
    stage.router.wait_withdrawn(f"{VIP4}/32", begin)
    stage.node.ip("address", "add", f"{VIP4}/32", "dev", "lo")
    stage.wait_state("announced")
    expect(stage.stop(), 0, "exit")
    expect(stage.node.has_address(VIP4), True, "address after the stop")


@case("after kill -9 a restart takes over its own addresses and removes them at its end")
def adopted(stage):
    stage.wait_state("announced")
    stage.kill()
    expect(stage.node.has_address(VIP4), True, "address after kill -9")
    stage.start()
    vip = stage.wait_state("announced")
    expect([address["owned"] for address in vip["addresses"]], [True, True], "owned")
    expect(stage.stop(), 0, "exit")
    expect([stage.node.has_address(one) for one in (VIP4, VIP6)], [False, False], "left behind")


@case("after kill -9 an address that is no VIP any more is removed at the next start")
def left_behind(stage):
    stage.wait_state("announced")
    stage.kill()
    stage.vips = [{"name": "www", "addresses": ["203.0.113.77"]}]
    stage.start()
    stage.wait_state("announced")
    stage.wait_address(VIP4, False)


@case("an address that was there before is used and never removed", start=False)
def foreign(stage):
    stage.node.ip("address", "add", f"{VIP4}/32", "dev", "lo")
    stage.start()
    vip = stage.wait_state("announced")
    expect([address["owned"] for address in vip["addresses"]], [False, True], "owned")
    stage.vips = [{"name": "other", "addresses": ["203.0.113.77"]}]
    stage.write()
    stage.cli("reload", code=0)
    stage.wait_address(VIP6, False)
    expect(stage.node.has_address(VIP4), True, "foreign address after the reload")
    expect(stage.stop(), 0, "exit")
    expect(stage.node.has_address(VIP4), True, "foreign address after the stop")


@case("no VIP becomes a source address")
def no_source(stage):
    stage.wait_state("announced")
    for target in ("10.0.1.1", "2001:db8:1::1"):
        route = stage.node.ip("route", "get", target)
        if VIP4 in route or VIP6 in route:
            raise LabError(route)


@case("an interface that comes late gets the address within a second",
      vips=[{"name": "www", "addresses": [VIP4], "interface": "vip0"}])
def late_interface(stage):
    vip = stage.wait_state("withdrawn")
    expect_in("vip0", vip["reason"], "reason")
    begin = now()
    stage.node.ip("link", "add", "vip0", "type", "veth", "peer", "name", "vip1")
    stage.node.ip("link", "set", "vip0", "up")
    stage.wait_address(VIP4, device="vip0")
    expect(now() - begin < 2, True, f"within {now() - begin:.1f} s")
    stage.wait_state("announced")
