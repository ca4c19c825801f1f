# SPDX-License-Identifier: Apache-2.0
"""Reload: only the difference, a broken file changes nothing (CONTRACT section 5)."""

import signal
import time

from lab.speaker import NOTIFICATION, OPEN

from ..catalogue import case
from ..stage import VIP4, Wrong, expect, expect_in, now

FILE_CHECKS = [
    {"name": f"f{i}", "type": "file", "interval": "100ms", "rise": 1} for i in range(5)
]
CHECKED = [
    {"name": f"v{i}", "addresses": [f"203.0.113.{100 + i}/32"], "checks": [f"f{i}"]}
    for i in range(5)
]
MANY = [
    {"name": f"v{i}", "addresses": [f"198.18.{i // 250}.{i % 250 + 1}/32"]} for i in range(1000)
]


def settle(stage):
    """After this, whatever the daemon wanted to say because of the past has been said."""
    stage.cli("status", code=0)
    time.sleep(0.3)  # "no UPDATE" has no event to wait for


def wait_all(stage):
    stage.wait("all announced", lambda: all(
        vip["state"] == "announced" for vip in stage.status()["vips"]))  # fmt: skip
    for vip in stage.vips:  # "no UPDATE since then" must not count those on their way
        stage.router.wait_announced(vip["addresses"][0])


@case("a changed attribute of one of 1,000 VIPs is one UPDATE, of that VIP alone", vips=MANY)
def attribute(stage):
    wait_all(stage)
    stage.vips[7]["med"] = 50
    stage.write()
    begin = now()
    changes = stage.json("reload", "--dry-run")["changes"]
    expect(changes, ["vip v7: announced again with other attributes"], "--dry-run")
    expect(stage.updates(begin), [], "UPDATEs of --dry-run")
    expect(stage.json("reload")["changes"], changes, "reload")
    stage.router.wait_announced("198.18.0.8/32", begin)
    settle(stage)
    expect([one.announced() for one in stage.updates(begin)], [["198.18.0.8/32"]], "UPDATEs")


@case("a new timeout of every check is no UPDATE", vips=CHECKED, checks=FILE_CHECKS)
def timeouts(stage):
    open(stage.ready, "w").close()
    wait_all(stage)
    for check in stage.checks:
        check["timeout"] = "700ms"
    stage.write()
    begin = now()
    expect(len(stage.json("reload")["changes"]), 5, "changes")
    settle(stage)
    expect(stage.updates(begin), [], "UPDATEs")


@case("a reload that is not valid changes nothing and says so in log, command and metric")
def invalid(stage):
    stage.wait_state("announced")
    expect(stage.metric("anyvip_config_last_reload_successful"), 1, "metric")
    good = stage.more
    stage.more = "\n[daemon2]\nlog_leval = 1\n"
    stage.write()
    done = stage.cli("reload", code=1)
    expect_in("anyvip.toml:", done.stderr, "stderr")
    expect_in("daemon2", done.stderr, "stderr")
    expect(stage.metric("anyvip_config_last_reload_successful"), 0, "metric")
    expect_in("error: config ", stage.log(), "log")
    stage.wait_event("config.rejected")
    stage.cli("reload", "--dry-run", code=1)
    expect(stage.vip()["state"], "announced", "state")
    stage.more = good
    stage.write()
    stage.cli("reload", code=0)
    expect(stage.metric("anyvip_config_last_reload_successful"), 1, "metric")
    stage.wait_event("config.reloaded")


@case("SIGHUP reloads as anyvip reload does")
def sighup(stage):
    stage.wait_state("announced")
    stage.vips[0]["med"] = 7
    stage.write()
    begin = now()
    stage.signal(signal.SIGHUP)
    stage.router.wait_announced(f"{VIP4}/32", begin)
    stage.wait_event("config.reloaded")


@case("VIPs are added, renamed and removed without touching the others",
      vips=[{"name": f"v{i}", "addresses": [f"203.0.113.{i}/32"]} for i in (1, 2, 3)])
def vips(stage):
    wait_all(stage)
    stage.vips[0]["name"] = "renamed"
    removed = stage.vips.pop(1)
    stage.vips.append({"name": "new", "addresses": ["203.0.113.9/32"]})
    stage.write()
    begin = now()
    changes = stage.json("reload")["changes"]
    expect(len(changes), 3, f"changes {changes}")
    stage.router.wait_withdrawn("203.0.113.2/32", begin)
    stage.router.wait_announced("203.0.113.9/32", begin)
    stage.wait_address("203.0.113.2", False)
    settle(stage)
    touched = [p for one in stage.updates(begin) for p in one.announced() + one.withdrawn()]
    expect(sorted(touched), ["203.0.113.2/32", "203.0.113.9/32"], "prefixes in UPDATEs")
    expect([vip["name"] for vip in stage.status()["vips"]], ["renamed", "v3", "new"], "names")
    stage.cli("vips", removed["name"], code=1)
    gone = f'anyvip_vip_transitions_total{{vip="{removed["name"]}",to="announced"}}'
    expect(stage.metric(gone), None, "metric of a VIP that is gone")


@case("peers are added, and removed with Cease/3", routers=2)
def peers(stage):
    first, second = stage.routers
    stage.wait_everywhere()
    gone = stage.peers.pop(1)
    stage.write()
    begin = now()
    stage.cli("reload", code=0)
    cease = second.wait_message("Cease", lambda one: one.kind == NOTIFICATION, begin)
    expect(cease.body[:2], bytes([6, 3]), "NOTIFICATION")
    expect([peer["name"] for peer in stage.status()["peers"]], ["tor1"], "peers")
    stage.peers.append(gone)
    stage.write()
    begin = now()
    stage.cli("reload", code=0)
    second.wait_announced(f"{VIP4}/32", begin)
    expect(stage.updates(begin, first), [], "UPDATEs to the other router")


def resets_one_after_the_other(stage, keys, open_fields, meanwhile=None):
    """Each router: withdraw, Cease, an OPEN with these octets, the VIP; and then the next router."""
    stage.write()
    begin = now()
    changes = stage.json("reload", "--dry-run")["changes"]
    expect(changes,
           [f"peer tor{i}: its session is reset, because of: {keys}" for i in (1, 2)], "--dry-run")
    stage.cli("reload", code=0)
    if meanwhile:
        meanwhile()
    times = []
    for router in stage.routers:
        withdrawn = router.wait_withdrawn(f"{VIP4}/32", begin)
        cease = router.wait_message("Cease", lambda one: one.kind == NOTIFICATION, begin)
        expect(cease.body[:2], bytes([6, 6]), "NOTIFICATION")
        opened = router.wait_message("OPEN", lambda one: one.kind == OPEN, begin)
        expect(opened.body[1:9].hex(" "), open_fields, "AS number, hold time, identifier in OPEN")
        back = router.wait_announced(f"{VIP4}/32", cease.at)
        times.append((withdrawn.at, cease.at, back.at))
        if not withdrawn.at <= cease.at <= opened.at:
            raise Wrong(f"order of withdraw, Cease, OPEN: {times}")
    if times[1][1] < times[0][2]:
        raise Wrong("the second session was reset before the first one was back")
    stage.wait("both are back", lambda: len(stage.vip()["announced_to"]) == 2)


@case("hold_time is renegotiated by one reset after the other, withdrawn first", routers=2, slow=True)
def hold_time(stage):
    stage.wait_everywhere()
    for peer in stage.peers:
        peer["hold_time"] = "30s"
    resets_one_after_the_other(stage, "hold_time", "fd f2 00 1e 0a 00 00 0b")
    expect(stage.peer()["hold_time_s"], 30, "hold_time_s")


@case("another AS number is told to one router after the other, withdrawn first",
      routers=2, slow=True)
def own_asn(stage):
    stage.wait_everywhere()
    stage.node_keys["asn"] = 65011
    paths = lambda: [route["as_path"] for route in stage.json("routes")["routes"]]
    waiting = lambda: expect(paths(), [[65010]] * 4, "AS paths before the first reset")
    resets_one_after_the_other(stage, "node.asn", "fd f3 00 09 0a 00 00 0b", waiting)
    expect(stage.status()["node"]["asn"], 65011, "node.asn")
    expect(paths(), [[65011]] * 4, "AS paths of both families at both routers")


@case("a new check of a VIP does not withdraw it before its fall is reached",
      checks=[{"name": "f", "type": "file", "interval": "100ms", "rise": 1, "fall": 1}],
      vips=[{"name": "www", "addresses": [VIP4], "checks": ["f"]}])
def new_check(stage):
    open(stage.ready, "w").close()
    stage.wait_state("announced")
    begin = now()
    stage.checks.append({"name": "late", "type": "exec", "command": ["/bin/false"],
                         "interval": "200ms", "fall": 3})  # fmt: skip
    stage.vips[0]["checks"] = ["f", "late"]
    stage.write()
    stage.cli("reload", code=0)
    withdrawn = stage.router.wait_withdrawn(f"{VIP4}/32", begin)
    if withdrawn.at - begin < 0.1:
        raise Wrong("withdrawn by the reload itself")
    expect_in("late", stage.vip()["reason"], "reason")


@case("--log-level on the command line outlives a reload", start=False)
def log_level(stage):
    stage.arguments = ["--log-level", "error"]
    stage.start()
    stage.wait_state("announced")
    expect(stage.json("reload")["changes"], [], "changes of the same file")
    stage.daemon["log_level"] = "debug"
    stage.write()
    expect(stage.json("reload")["changes"], ["daemon: changed"], "changes")
    stage.cli("drain", code=0)
    stage.wait_state("drained")
    lines = [line for line in stage.log().splitlines() if " api: " not in line]
    expect(lines, [], "log beside who has asked for changes")


@case("keys that need a restart are named by the reload")
def restart_keys(stage):
    control, state = stage.daemon["control"], stage.daemon["state_dir"]
    stage.node_keys["router_id"] = "10.0.0.99"
    stage.daemon["control"] += "2"
    stage.daemon["state_dir"] += "2"
    stage.write()
    late = [f"{keys}: takes effect at the next start"
            for keys in ("node router_id", "daemon control, state_dir")]
    expect(stage.json("reload", "--dry-run")["changes"], late, "changes")
    stage.signal(signal.SIGHUP)
    stage.wait("the reload", lambda: "the new configuration is in force" in stage.log())
    for line in late:
        expect_in(f"reload: {line}", stage.log(), "log")
    expect_in(f"the new configuration is in force; {late[0]}; {late[1]}", stage.log(), "event")
    stage.daemon["control"], stage.daemon["state_dir"] = control, state


@case("a VIP that is the router ID that runs is refused, though the file no longer has it")
def router_id(stage):
    stage.wait_state("announced")
    del stage.node_keys["router_id"]
    stage.vips.append({"name": "own", "addresses": ["10.0.0.11"]})
    stage.write()
    expect_in("already the router_id", stage.cli("reload", code=1).stderr, "reload")
    expect(stage.vip()["state"], "announced", "state")


@case("the TCP listener moves at a reload, and stays where it was when it cannot")
def http_moves(stage):
    old = stage.daemon["http"]
    host, _, port = old.rpartition(":")
    stage.daemon["http"] = f"{host}:{int(port) + 1}"
    stage.write()
    moves = [f"daemon http: moves to {stage.daemon['http']}"]
    expect(stage.json("reload", "--dry-run")["changes"], moves, "--dry-run")
    expect(stage.json("reload")["changes"], moves, "changes")
    expect(stage.json("reload")["changes"], [], "once more")
    stage.daemon["http"] = "192.0.2.1:9179"
    stage.write()
    problem = "daemon http: cannot listen on 192.0.2.1:9179"
    failed = stage.cli("reload", code=1)
    expect_in(f"in force, except for {problem}", failed.stderr, "stderr")
    expect(failed.stdout, "", "stdout")
    expect_in(problem, stage.log(), "log")
    # Wider by the same port: the old one is in its way.
    stage.daemon["http"] = f"0.0.0.0:{int(port) + 1}"
    stage.write()
    expect(stage.json("reload")["changes"], [f"daemon http: moves to {stage.daemon['http']}"],
           "to all addresses")  # fmt: skip
    stage.daemon["http"] = old
    stage.write()
    stage.cli("reload", code=0)
    expect(stage.metric("anyvip_config_last_reload_successful"), 1, "metric")


@case("a drain is neither ended nor begun anew by a reload", drain={"gshut": "1s"})
def drained(stage):
    stage.wait_state("announced")
    stage.cli("drain", code=0)
    stage.vips[0]["med"] = 9
    stage.write()
    stage.cli("reload", code=0)
    stage.wait_state("drained")
    begin = now()
    stage.cli("reload", code=0)
    settle(stage)
    expect(stage.updates(begin), [], "UPDATEs")
    expect(stage.vip()["state"], "drained", "state")
