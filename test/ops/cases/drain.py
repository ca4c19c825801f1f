# SPDX-License-Identifier: Apache-2.0
"""Drain and undrain: options, holders, persistence (CONTRACT section 3 and 4)."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

from lab.speaker import UPDATE, message

from ..catalogue import case
from ..stage import GSHUT, VIP4, Wrong, expect, expect_in, now

TWO = [
    {"name": "www", "addresses": ["203.0.113.10/32"]},
    {"name": "api", "addresses": ["203.0.113.11/32"]},
]


@contextlib.contextmanager
def long_flow(stage, address=VIP4, port=8080):
    """A connection from the router to the VIP in which something is said all the time."""
    with stage.node.entered():
        listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen()
    with stage.router_namespace.entered():
        flow = socket.socket()
    flow.settimeout(5)
    flow.connect((address, port))
    accepted, _ = listener.accept()
    over = threading.Event()

    def talk():
        while not over.wait(0.1):
            with contextlib.suppress(OSError):
                flow.send(b"x")

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    try:
        yield
    finally:
        over.set()
        talker.join()
        for one in (flow, accepted, listener):
            one.close()


@case("drain announces GRACEFUL_SHUTDOWN, then withdraws with the session up; undrain is back")
def drain_steps(stage):
    stage.wait_state("announced")
    begin = now()
    done = stage.cli("drain", "--reason", "new kernel", code=0)
    expect(done.stdout.split(), ["drain:", "www"], "output")
    announced = stage.router.wait_announced(f"{VIP4}/32", begin)
    if GSHUT not in announced.body:
        raise Wrong("no GRACEFUL_SHUTDOWN in the first UPDATE of the drain")
    withdrawn = stage.router.wait_withdrawn(f"{VIP4}/32", begin)
    if not 0.25 < withdrawn.at - announced.at < 2:
        raise Wrong(f"withdrawn {withdrawn.at - announced.at:.2f} s after GRACEFUL_SHUTDOWN")
    vip = stage.wait_state("drained")
    expect_in("new kernel", vip["reason"], "reason")
    expect_in("root (uid 0", vip["reason"], "author")
    expect(vip["drained"], True, "drained")
    expect(stage.status()["node"]["state"], "drained", "node.state")
    expect(stage.peer()["state"], "Established", "session")
    expect(stage.metric("anyvip_drained"), 1, "anyvip_drained")
    begin = now()
    stage.cli("undrain", code=0)
    again = stage.router.wait_announced(f"{VIP4}/32", begin)
    if GSHUT in again.body:
        raise Wrong("GRACEFUL_SHUTDOWN after undrain")
    stage.wait_state("announced")
    names = [event["event"] for event in stage.events() if event["event"].startswith("vip.")]
    wanted = ["vip.announced", "vip.draining", "vip.drained", "vip.undrained", "vip.announced"]
    expect(names, wanted, "events")


@case("drain --wait ends with 0 once no traffic is left, one JSON line a step")
def drain_wait(stage):
    stage.wait_state("announced")
    done = stage.cli("--json", "drain", "--wait", code=0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    expect(lines[-1], {"done": True, "exit": 0, "message": "drained"}, "last line")
    steps = [line["step"] for line in lines[:-1]]
    expect(steps[0], "graceful-shutdown", "first step")
    expect("withdrawn" in steps, True, f"withdrawn in {steps}")
    for line in lines[:-1]:
        expect(set(line) >= {"vip", "step", "flows", "message", "at", "left_s"}, True, str(line))
    stage.wait_state("drained", deadline=1)


@case("drain --wait --deadline ends with 4 when a flow is left; the VIP is out all the same", slow=True)
def drain_deadline(stage):
    stage.wait_state("announced")
    with long_flow(stage):
        done = stage.cli("--json", "drain", "www", "--wait", "--deadline", "2s", code=4)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        expect(max(line.get("flows") or 0 for line in lines), 1, "flows seen")
        expect_in("www", done.stderr, "stderr")
        expect(stage.vip()["state"], "drained", "state")
        expect(stage.node.has_address(VIP4), True, "address held")


@case("drain --wait after a deadline that has passed waits again, and ends with 0 when no flow is left",
      slow=True)  # fmt: skip
def drain_again(stage):
    stage.wait_state("announced")
    with long_flow(stage):
        stage.cli("drain", "--wait", "--deadline", "1s", code=4)
        expect_in("its deadline passed with traffic left", stage.vip()["reason"], "reason")
        begin = now()
        stage.cli("drain", "--wait", "--deadline", "2s", code=4)
        expect(now() - begin > 1.5, True, "it waited until its own deadline")
    stage.cli("drain", "--wait", "--deadline", "20s", code=0)
    expect("deadline" in stage.vip()["reason"], False, "deadline in the reason")


@case("drain --wait waits for the flow and ends with 0 when it has ended", slow=True)
def drain_flow_ends(stage):
    stage.wait_state("announced")
    with long_flow(stage):
        waiting = stage.cli_background("drain", "--wait", "--deadline", "20s")
        stage.wait("one flow is counted", lambda: stage.vip()["flows"] == 1)
        expect(waiting.poll(), None, "drain --wait while the flow lasts")
    expect(waiting.wait(10), 0, "exit")


@case("flows counts live flows, v4-mapped ones too, and flows VIP one of them")
def flows(stage):
    stage.wait_state("announced")
    with stage.node.entered():
        listener = socket.create_server(("::", 8081), family=socket.AF_INET6, dualstack_ipv6=True)
    with listener, stage.router_namespace.entered():
        one = socket.create_connection((VIP4, 8081), 5)
        stage.wait("counted", lambda: stage.vip()["flows"] == 1, 12)
        one.close()
    expect_in("www", stage.cli("flows", code=0).stdout, "flows")
    expect_in("1", stage.cli("flows", "www", code=0).stdout, "flows www")
    expect(stage.json("flows")["flows"][0]["vip"], "www", "flows --json")
    expect_in("nosuch", stage.cli("flows", "nosuch", code=1).stderr, "unknown")


@case("drain of several VIPs is all or nothing; an unknown name is refused with 1", vips=TWO)
def drain_names(stage):
    stage.wait_state("announced")
    stage.wait_state("announced", "api")
    done = stage.cli("drain", "www", "nosuch", code=1)
    expect_in("nosuch", done.stderr, "stderr")
    expect([vip["drained"] for vip in stage.status()["vips"]], [False, False], "drained")
    stage.cli("drain", "www", "api", code=0)
    stage.wait_state("drained")
    stage.wait_state("drained", "api")
    expect(stage.status()["node"]["state"], "running", "node.state: only VIPs are drained")
    stage.cli("undrain", "www", code=0)
    stage.wait_state("announced")
    expect(stage.vip("api")["state"], "drained", "api")
    stage.cli("undrain", "nosuch", code=1)
    stage.cli("undrain", code=0)
    stage.wait_state("announced", "api")


@case("drain --dry-run changes nothing")
def drain_dry_run(stage):
    stage.wait_state("announced")
    begin = now()
    expect(stage.json("drain", "--dry-run")["changed"], ["www"], "changed")
    expect(stage.vip()["drained"], False, "drained")
    expect(stage.updates(begin), [], "UPDATEs")


@case("drain --until ends by itself")
def drain_until(stage):
    stage.wait_state("announced")
    stage.cli("drain", "--until", "1500ms", code=0)
    stage.wait_state("drained")
    stage.wait_state("announced", deadline=5)


@case("undrain VIP while the node is drained exits 1 and names the holder", vips=TWO)
def undrain_holder(stage):
    stage.wait_state("announced")
    stage.cli("drain", "www", code=0)
    stage.cli("drain", "--reason", "maintenance", code=0)
    done = stage.cli("undrain", "www", code=1)
    expect_in("www stays out of service: drained with the node: maintenance", done.stderr, "stderr")
    expect(stage.vip()["drained"], True, "drained")
    stage.cli("undrain", code=0)
    stage.wait_state("announced")


@case("while the drain file exists the node is drained and undrain exits 1 naming it",
      daemon={"drain_file": "DIR/maintenance"})
def drain_file(stage):
    stage.wait_state("announced")
    path = stage.daemon["drain_file"]
    open(path, "w").close()
    vip = stage.wait_state("drained", deadline=5)
    expect_in(path, vip["reason"], "reason")
    expect_in(path, stage.cli("undrain", code=1).stderr, "stderr")
    os.unlink(path)
    stage.wait_state("announced", deadline=5)


@case("a second drain joins the first and waits with it")
def drain_joins(stage):
    stage.wait_state("announced")
    stage.cli("drain", "--reason", "first", code=0)
    done = stage.cli("drain", "--wait", code=0)
    expect_in("drained", done.stdout, "output")
    expect_in("first", stage.vip()["reason"], "reason")
    expect_in("joined", stage.cli("drain", code=0).stderr, "note")


@case("undrain during --wait ends it with 1", drain={"gshut": "5s"})
def undrain_cancels(stage):
    stage.wait_state("announced")
    waiting = stage.cli_background("drain", "--wait")
    stage.wait_state("draining")
    stage.cli("undrain", code=0)
    expect(waiting.wait(5), 1, "exit of drain --wait")
    stage.wait_state("announced")


@case("drain --peer withdraws from that router alone, the session stays up; undrain --peer is back",
      routers=2)
def drain_peer(stage):
    first, second = stage.routers
    stage.wait_everywhere()
    begin = now()
    stage.cli("drain", "--peer", "tor1", code=0)
    if GSHUT not in first.wait_announced(f"{VIP4}/32", begin).body:
        raise Wrong("no GRACEFUL_SHUTDOWN first")
    first.wait_withdrawn(f"{VIP4}/32", begin)
    stage.wait("one has it", lambda: stage.vip()["announced_to"] == ["tor2"])
    expect(stage.updates(begin, second), [], "UPDATEs to the other router")
    expect(stage.peer()["state"], "Established", "session")
    expect(stage.vip()["state"], "announced", "state")
    stage.kill()
    stage.start()
    stage.wait("after a restart", lambda: stage.vip()["announced_to"] == ["tor2"])
    expect(stage.peer()["advertised"], 0, "advertised to tor1")
    expect([stage.peer(name)["drained"] for name in ("tor1", "tor2")], [True, False], "drained")
    expect_in("Established, drained", stage.cli("peers", code=0).stdout, "peers")
    expect(stage.get("/v1/peers/tor1")["drained"], True, "drained of the one")
    begin = now()
    stage.cli("undrain", "--peer", "tor1", code=0)
    first.wait_announced(f"{VIP4}/32", begin)
    stage.cli("drain", "--peer", "nosuch", code=1)
    stage.cli("undrain", "--peer", "nosuch", code=1)
    stage.cli("drain", "--peer", "tor1", "www", code=2)


@case("drain --peer --wait returns when the router has no route any more", routers=2)
def drain_peer_wait(stage):
    stage.wait_everywhere()
    begin = now()
    done = stage.cli("--json", "drain", "--peer", "tor1", "--wait", code=0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    expect(lines[-1]["done"], True, "last line")
    expect([line["step"] for line in lines[:-1]],
           ["graceful-shutdown", "withdrawn", "finished"], "steps")
    if now() - begin < 0.3:
        raise Wrong("it did not wait for GRACEFUL_SHUTDOWN")
    expect(stage.vip()["announced_to"], ["tor2"], "announced_to")


@case("a drain outlives kill -9 and a graceful stop")
def drain_persists(stage):
    stage.wait_state("announced")
    stage.cli("drain", "--reason", "disk", code=0)
    stage.kill()
    begin = now()
    stage.start()
    vip = stage.wait_state("drained")
    expect_in("disk", vip["reason"], "reason")
    expect(stage.stop(), 0, "exit of the daemon")
    stage.start()
    stage.wait_state("drained")
    stage.wait("session", lambda: stage.peer()["state"] == "Established")
    expect(stage.updates(begin), [], "UPDATEs while drained")


@case("a state file that cannot be read drains all, with that reason, until undrain", start=False)
def state_unreadable(stage):
    os.makedirs(stage.state_dir)
    for content in ('{"version":1,"mach', "", "[]"):
        with open(f"{stage.state_dir}/drains.json", "w") as file:
            file.write(content)
        stage.start()
        vip = stage.wait_state("drained")
        expect_in("cannot be read", vip["reason"], "reason")
        expect_in("cannot be read", stage.explain(), "explain")
        stage.kill()
    stage.start()
    stage.cli("undrain", code=0)
    stage.wait_state("announced")
    stage.kill()
    stage.start()
    stage.wait_state("announced")


@case("a drain that cannot be written takes effect, says so and exits 1")
def state_unwritable(stage):
    stage.wait_state("announced")
    os.rename(stage.state_dir, f"{stage.state_dir}.away")
    open(stage.state_dir, "w").close()
    done = stage.cli("drain", code=1)
    expect_in("will not survive a restart", done.stderr, "stderr")
    stage.wait_state("drained")
    stage.cli("undrain", code=1)
    stage.wait_state("announced")
    # Who waits, waits as always, and hears of it at the end.
    done = stage.cli("--json", "drain", "--wait", code=1)
    expect(stage.vip()["state"], "drained", "state after --wait")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    expect([line["step"] for line in lines[:-1]][0], "graceful-shutdown", "first step")
    expect((lines[-1]["done"], lines[-1]["exit"]), (True, 1), "last line")
    expect_in("drained, but it will not survive a restart", done.stderr, "stderr")
    stage.cli("drain", "www", code=1)
    done = stage.cli("undrain", "www", code=1)
    expect_in("www stays out of service: drained with the node", done.stderr, "stderr")
    expect_in("will not survive a restart", done.stderr, "stderr")
    expect(stage.cli("undrain", code=1).stderr != "", True, "undrain says so")
    stage.wait_state("announced")
    os.unlink(stage.state_dir)
    os.rename(f"{stage.state_dir}.away", stage.state_dir)
    stage.cli("drain", code=0)


SLOW_DISK = """
#include <unistd.h>
extern "C" int fsync(int descriptor) { (void)descriptor; sleep(2); return 0; }
"""


def slow_down_disk(stage):
    """Each write of a drain takes 4 s from now on."""
    library = f"{stage.directory}/slow_disk.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", library],
                   input=SLOW_DISK, text=True,
                   check=True)  # fmt: skip
    stage.env["LD_PRELOAD"] = library


@case("a disk that takes seconds delays only who asked for a drain", slow=True, start=False,
      peer={"hold_time": "3s"}, vips=TWO)  # fmt: skip
def slow_disk(stage):
    slow_down_disk(stage)
    stage.start()
    stage.wait_state("announced")
    begin = now()
    drain = stage.cli_background("drain", "www")
    took = now()
    for _ in range(20):
        expect(stage.api("GET", "/v1/status")[0], 200, "status meanwhile")
    took = (now() - took) / 20
    expect(took < 0.5, True, f"status took {took:.3f} s meanwhile")
    expect(stage.vip()["state"], "announced", "not on disk yet, so nothing is done")
    expect(drain.wait(30), 0, "exit status of the drain")
    expect(now() - begin > 3, True, "the disk was slow indeed")
    expect(stage.vip()["drained"], True, "drained")
    expect(stage.peer()["resets"], 0, "resets of a session with a hold time of 3 s")


@case("undrain of one VIP of a drained node answers with 1 when its hold is off the disk",
      slow=True, start=False, vips=TWO)  # fmt: skip
def slow_undrain(stage):
    slow_down_disk(stage)
    stage.start()
    stage.wait_state("announced")
    stage.cli("drain", "www", code=0)
    stage.cli("drain", code=0)
    begin = now()
    done = stage.cli("undrain", "www", code=1)
    expect(now() - begin > 3, True, "it waited for the disk")
    expect_in("www stays out of service: drained with the node", done.stderr, "stderr")
    with open(f"{stage.state_dir}/drains.json") as file:
        expect("www" in file.read(), False, "www is in the file")


# 203.0.113.10/32 with the mark of 10.0.0.12, another node of our AS.
ANOTHER = bytes.fromhex("40010100 40020a02020000fde90000fdf2 4003040a000101"
                        "c0200c0000fdf2000000010a00000c")  # fmt: skip
ROUTE = bytes.fromhex("20cb00710a")


@case("a drain that keep_last refuses while the disk is written ends with 1, with --wait or without",
      slow=True, start=False, drain={"keep_last": "always", "gshut": "0s"},
      vips=[{"name": "www", "addresses": [f"{VIP4}/32"]}])  # fmt: skip
def refused_at_last(stage):
    slow_down_disk(stage)
    stage.start()
    stage.wait_state("announced")
    attributes = struct.pack("!HH", 0, len(ANOTHER)) + ANOTHER
    for attempt, options in enumerate(((), ("--wait",), ("--wait", "--peer", "tor1")), 1):
        stage.router.send([message(UPDATE, attributes + ROUTE)])
        stage.wait("the other is seen", lambda: stage.json("routes", "--received")["routes"])
        drain = stage.cli_background("drain", *options)
        stage.wait("it is asked for", lambda: stage.log().count("POST /v1/drain") == attempt)
        stage.router.send([message(UPDATE, struct.pack("!H", len(ROUTE)) + ROUTE + bytes(2))])
        expect(drain.wait(30), 1, f"exit status with {options}")
        expect_in("the drain ends: www: it is unknown whether another node", drain.stderr.read(),
                  "stderr")  # fmt: skip
        expect(stage.vip()["drained"], False, "drained")
        stage.wait_state("announced")


@case("after kill -9 at any moment a drain that was confirmed holds", slow=True)
def state_kill(stage):
    for attempt in range(20):
        stage.kill()
        stage.start()
        drained = stage.vip()["drained"]
        confirmed = [drained]

        def toggle():
            wanted = not drained
            for _ in range(50):
                verb = "/v1/drain" if wanted else "/v1/undrain"
                try:
                    if stage.api("POST", verb)[0] != 200:
                        return
                except Exception:
                    confirmed.append(None)  # unknown whether it was done
                    return
                confirmed.append(wanted)
                wanted = not wanted

        thread = threading.Thread(target=toggle)
        thread.start()
        threading.Event().wait(0.003 * attempt)
        stage.kill()
        thread.join()
        stage.start()
        vip = stage.vip()
        expect_in("cannot be read" in vip["reason"], (False,), "state file")
        if confirmed[-1] is not None:
            expect(vip["drained"], confirmed[-1], f"attempt {attempt}: drained after the restart")


@case("a health failure during GRACEFUL_SHUTDOWN withdraws at once", drain={"gshut": "20s"},
      vips=[{"name": "www", "addresses": [VIP4], "checks": ["f"]}],
      checks=[{"name": "f", "type": "file", "interval": "100ms", "fall": 1, "rise": 1}])
def drain_health(stage):
    open(stage.ready, "w").close()
    stage.wait_state("announced")
    stage.cli("drain", code=0)
    begin = now()
    os.unlink(stage.ready)
    stage.router.wait_withdrawn(f"{VIP4}/32", begin, 3)
