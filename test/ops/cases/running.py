# SPDX-License-Identifier: Apache-2.0
"""The daemon as a service: stop, signals, sd_notify, logs, hooks (CONTRACT section 1 and 4)."""

import json
import os
import signal
import socket
import stat
import time

from lab.node import BIN
from lab.speaker import KEEPALIVE, NOTIFICATION

from ..catalogue import case
from ..stage import VIP4, VIP6, Wrong, expect, expect_in, now
from .drain import long_flow

FILE = [{"name": "f", "type": "file", "interval": "100ms", "rise": 1, "fall": 1}]
CHECKED = [{"name": "www", "addresses": [VIP4], "checks": ["f"]}]


@case("SIGTERM withdraws with the session up, waits for silence, then Cease/2 with a message")
def stop(stage):
    stage.wait_state("announced")
    begin = now()
    expect(stage.stop(), 0, "exit")
    withdrawn = stage.router.wait_withdrawn(f"{VIP4}/32", begin)
    cease = stage.router.wait_message("Cease", lambda one: one.kind == NOTIFICATION, begin)
    expect(cease.body[:2], bytes([6, 2]), "NOTIFICATION")
    expect_in(b"anyvip", cease.body[3:], "shutdown communication")
    # From the signal on: when the withdraw was read here says little on a busy machine.
    if not withdrawn.at <= cease.at or not 0.2 <= cease.at - begin < 2:
        raise Wrong(f"Cease {cease.at - begin:.2f} s after the signal")
    expect(stage.node.has_address(VIP4), False, "address left behind")
    expect(os.path.exists(stage.control), False, "control socket left behind")


@case("--dump-config has the name and the router ID that the daemon takes from this host")
def dump(stage):
    for key in ("name", "router_id"):
        del stage.node_keys[key]
    stage.write()
    dumped = stage.node.run(f"{BIN}/anyvipd", "-c", stage.config, "--dump-config")
    expect_in(f'name = "{socket.gethostname()}"', dumped, "name")
    expect_in('router_id = "10.0.1.2"', dumped, "the address towards the first peer")
    with open(stage.config, "w") as file:
        file.write(dumped)
    again = stage.node.run(f"{BIN}/anyvipd", "-c", stage.config, "--dump-config")
    expect(again, dumped, "the dump of the dump")


@case("a stop lingers while packets arrive, at most `linger`; a second SIGTERM ends it at once",
      daemon={"linger": "20s"})
def second_signal(stage):
    stage.wait_state("announced")
    with long_flow(stage):
        begin = now()
        stage.signal(signal.SIGTERM)
        stage.router.wait_withdrawn(f"{VIP4}/32", begin)
        stage.wait("stopping", lambda: stage.status()["node"]["state"] == "stopping")
        time.sleep(0.7)
        expect(stage.process.is_running(), True, "running while packets arrive")
        begin = now()
        expect(stage.stop(), 0, "exit")
        expect(now() - begin < 1.5, True, f"ended after {now() - begin:.1f} s")
    expect(stage.node.has_address(VIP4), False, "address left behind")


@case("a stop with packets arriving ends after `linger`", slow=True)
def linger(stage):
    stage.wait_state("announced")
    with long_flow(stage):
        begin = now()
        expect(stage.stop(), 0, "exit")
        expect(1.9 < now() - begin < 4, True, f"ended after {now() - begin:.1f} s")


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, stage):
        path = f"{stage.directory}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(10)
        stage.env["NOTIFY_SOCKET"] = path
        self.seen = []

    def wait(self, text):
        end = now() + 15
        while not any(text in message for message in self.seen):
            if now() > end:
                raise Wrong(f"no {text}: {self.seen}")
            self.seen.append(self.socket.recv(4096).decode())


@case("sd_notify: READY, STATUS, WATCHDOG, RELOADING with its time, STOPPING", start=False)
def notify(stage):
    manager = Manager(stage)
    stage.env["WATCHDOG_USEC"] = "400000"
    stage.start()
    manager.wait("READY=1")
    manager.wait("STATUS=running, 1 of 1 VIPs announced")
    manager.wait("WATCHDOG=1")
    manager.seen.clear()
    manager.wait("WATCHDOG=1")
    manager.seen.clear()
    stage.signal(signal.SIGHUP)
    manager.wait("RELOADING=1\nMONOTONIC_USEC=")
    manager.wait("READY=1")
    stage.cli("drain", code=0)
    manager.wait("STATUS=drained, 0 of 1 VIPs announced")
    stage.signal(signal.SIGTERM)
    manager.wait("STOPPING=1")


@case("anyvip reload tells the service manager as SIGHUP does", start=False)
def notify_reload(stage):
    manager = Manager(stage)
    stage.start()
    manager.wait("READY=1")
    manager.seen.clear()
    stage.cli("reload", code=0)
    manager.wait("RELOADING=1")
    manager.wait("READY=1")


@case("log_format json: each line is one JSON object", daemon={"log_format": "json"})
def log_json(stage):
    stage.wait_state("announced")
    stage.cli("drain", "--reason", 'quote " and\nline end', code=0)
    stage.wait_state("drained")
    lines = [json.loads(line) for line in stage.log().splitlines()]
    for line in lines:
        expect(set(line) >= {"at", "level", "message"}, True, f"keys of {line}")
    drains = [line for line in lines if line.get("event") == "vip.draining"]
    expect(len(drains), 1, "lines of the event")
    expect(drains[0]["name"], "www", "name")


@case("each change by the API is logged with the caller's credentials")
def log_caller(stage):
    stage.cli("drain", code=0)
    expect_in(f"root (uid 0, pid ", stage.log(), "log")


@case("nobody reads stderr: the daemon goes on and counts the lines it could not write", start=False,
      checks=FILE, vips=CHECKED, daemon={"log_level": "debug"})
def slow_log(stage):
    fifo = f"{stage.directory}/fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    stage.log = lambda: "(nobody reads it)"
    stage.start(log=fifo)
    open(stage.ready, "w").close()
    stage.wait_state("announced")
    for _ in range(1200):
        stage.api("POST", "/v1/undrain", {"vips": ["x" * 200]})
        if (stage.metric("anyvip_log_lines_dropped_total") or 0) > 0:
            break
    else:
        raise Wrong("no line was dropped")
    begin = now()
    os.unlink(stage.ready)
    stage.router.wait_withdrawn(f"{VIP4}/32", begin, 3)
    os.read(reader, 1 << 20)
    stage.api("POST", "/v1/undrain", {})
    expect_in(b"log lines were dropped", os.read(reader, 1 << 20), "stderr once it is read")
    os.close(reader)


HOOKS = """
[[hook]]
event = "vip.*"
command = ["/bin/sh", "-c", "cat >> DIR/hook.out"]
[[hook]]
event = "check.*"
command = ["/bin/sh", "-c", "exec sleep 1000"]
[[hook]]
event = "peer.up"
command = ["/bin/false"]
"""


@case("hooks get the event as JSON on stdin; one that hangs is killed and holds nothing up",
      more=HOOKS,
      checks=FILE, vips=CHECKED, slow=True)
def hooks(stage):
    open(stage.ready, "w").close()
    stage.wait_state("announced")
    begin = now()
    os.unlink(stage.ready)
    stage.router.wait_withdrawn(f"{VIP4}/32", begin, 3)
    stage.wait("hook ran", lambda: os.path.exists(f"{stage.directory}/hook.out"))

    def events():
        with open(f"{stage.directory}/hook.out") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    stage.wait("its events", lambda: len(events()) >= 3)
    found = [event for event in events() if event["event"] == "vip.announced"]
    expect([event["name"] for event in found], ["www"], "events")
    expect(set(found[0]) >= {"at", "event", "name", "reason"}, True, f"keys of {found[0]}")
    stage.wait("killed", lambda: "it took longer than 10 s" in stage.log(), 15)
    expect_in("hook /bin/false: exit status 1", stage.log(), "log")


@case("a daemon that runs already is not started twice: exit 1 in one line")
def twice(stage):
    stage.wait_state("announced")
    first = stage.process
    stage.start(wait=False, log=f"{stage.directory}/log2")
    code = stage.process.popen.wait(10)
    stage.process = first
    with open(f"{stage.directory}/log2") as file:
        text = file.read()
    expect(code, 1, f"exit ({text})")
    expect_in("another anyvipd is running", text.splitlines()[-1], "stderr")
    expect(stage.vip()["state"], "announced", "state")


@case("exit status: 78 for a bad file, 2 for a bad command line, 1 for a port in use", start=False)
def exit_status(stage):
    import subprocess

    def daemon(*argv):
        with stage.node.entered():
            done = subprocess.run([f"{BIN}/anyvipd", *argv], capture_output=True, text=True, timeout=20)
        return done.returncode, done.stdout + done.stderr

    stage.write()
    expect(daemon("-c", stage.config, "--check")[0], 0, "--check")
    for words, problem in ((["--nonsense"], "unrecognised option '--nonsense'"),
                           (["-hx"], None),
                           (["--check", "-xh"], "unrecognised option '-x'"),
                           (["--check", "-xc"], "unrecognised option '-x'"),
                           (["--check=yes"], "unrecognised option '--check=yes'"),
                           (["--check", "-c"], "option '-c' lacks its value"),
                           (["--check", stage.config], f"unexpected argument '{stage.config}'"),
                           (["--log-level", "all"], None)):
        code, text = daemon(*words)
        if problem:
            expect(text, f"anyvipd: {problem}; see anyvipd --help\n", words)
        expect(code, 0 if words == ["-hx"] else 2, words)
    expect(daemon(f"--config={stage.config}", "--check")[0], 0, "--config=")
    with stage.node.entered():
        taken = socket.create_server(("0.0.0.0", 179))
    code, text = daemon("-c", stage.config)
    expect(code, 1, f"port in use ({text})")
    expect_in("179", text.splitlines()[-1], "stderr")
    taken.close()
    with open(stage.config, "a") as file:
        file.write('[wrong]\nx = 1\n[[vip]]\nnam = "x"\n')
    code, text = daemon("-c", stage.config, "--check")
    expect(code, 78, "--check of a bad file")
    expect(len([line for line in text.splitlines() if line.startswith(stage.config)]) >= 2, True,
           f"every problem: {text}")
    expect(daemon("-c", stage.config)[0], 78, "start with a bad file")


@case("the control socket has mode 0660")
def socket_mode(stage):
    expect(stat.S_IMODE(os.stat(stage.control).st_mode), 0o660, "mode")


@case("events -f follows", checks=FILE, vips=CHECKED)
def follow(stage):
    stage.wait("checked", lambda: stage.status()["checks"][0]["state"] == "down")
    stage.wait("session", lambda: stage.peer()["state"] == "Established")
    following = stage.cli_background("--json", "events", "-f")
    line = following.stdout.readline()
    json.loads(line)
    open(stage.ready, "w").close()
    while json.loads(line)["event"] != "vip.announced":
        line = following.stdout.readline()
    following.kill()
    following.wait()
    expect(stage.cli("events", "--since", "0s", code=0).stdout, "", "events --since 0s")
    expect_in("vip.announced", stage.cli("events", "--since", "1h", code=0).stdout, "--since 1h")


@case("reset ends the session with Cease/4, reset --soft sends all routes again")
def reset(stage):
    stage.wait_state("announced")
    begin = now()
    stage.cli("reset", "tor1", "--soft", code=0)
    stage.router.wait_announced(f"{VIP4}/32", begin)
    expect(stage.peer()["resets"], 0, "resets")
    begin = now()
    stage.cli("reset", "tor1", code=0)
    cease = stage.router.wait_message("Cease", lambda one: one.kind == NOTIFICATION, begin)
    expect(cease.body[:2], bytes([6, 4]), "NOTIFICATION")
    stage.router.wait_announced(f"{VIP4}/32", cease.at)
    peer = stage.peer()
    expect(peer["resets"], 1, "resets")
    expect(set(peer["last_error"]), {"at", "code", "subcode", "name", "message", "sent"}, "keys")
    stage.cli("reset", "nosuch", code=1)


@case("check NAME probes now and prints the result",
      checks=[{"name": "f", "type": "file", "interval": "1h", "rise": 1, "tripwire": False}],
      vips=CHECKED)
def check_now(stage):
    stage.wait("first run", lambda: stage.status()["checks"][0]["last"])
    open(stage.ready, "w").close()
    done = stage.json("check", "f")
    expect(done["last"]["ok"], True, "last.ok")
    stage.wait_state("announced")
    stage.cli("check", "nosuch", code=1)


@case("check NAME while a run is under way answers with the next one", start=False,
      checks=[{"name": "f", "type": "exec", "interval": "1h", "rise": 1, "timeout": "5s",
               "command": ["/bin/sh", "-c", "cat DIR/answer; touch DIR/began; sleep 1"]}],
      vips=CHECKED)  # fmt: skip
def check_under_way(stage):
    stage.checks[0]["command"][2] = stage.checks[0]["command"][2].replace("DIR", stage.directory)
    answer = f"{stage.directory}/answer"
    with open(answer, "w") as file:
        file.write("old")
    stage.start()
    stage.wait("the first run is under way", lambda: os.path.exists(f"{stage.directory}/began"))
    with open(answer, "w") as file:
        file.write("new")
    expect(stage.json("check", "f")["last"]["output"], "new", "output")


@case("check NAME of a check with {vip} waits for all its addresses and answers with NAME",
      checks=[{"name": "f", "type": "tcp", "target": "{vip}:8080", "interval": "1h", "rise": 1,
               "fall": 1},
              {"name": "unused", "type": "tcp", "target": "{vip}:8080"}],
      vips=[{"name": "www", "addresses": [VIP4, VIP6], "checks": ["f"]}])  # fmt: skip
def check_addresses(stage):
    def runs():
        return {one["name"]: one["last"] and one["last"]["at"] for one in stage.status()["checks"]}

    stage.wait("first runs", lambda: len(runs()) == 2 and all(runs().values()))
    with stage.node.entered():
        listener = socket.create_server((VIP4, 8080))
    with listener:
        for _ in range(5):
            before = runs()
            done = stage.json("check", "f")
            for one in done["instances"]:
                expect(one["last"]["at"] > before[one["name"]], True, f"{one['name']} has run")
    up, down = sorted(done["instances"], key=lambda one: one["state"], reverse=True)
    expect((up["name"], up["state"]), (f"f@{VIP4}", "up"), "one instance")
    expect((down["name"], down["state"]), (f"f@{VIP6}", "down"), "the other")
    for document in (done, stage.get("/v1/checks/f")):
        expect((document["name"], document["type"]), ("f", "tcp"), "name and type")
        expect((document["state"], document["since"]), ("down", down["since"]), "state and since")
        expect((document["weight"], document["last"]), (100, down["last"]), "weight and last")
        armed = [name for one in document["instances"] for name in one["tripwires"]]
        expect(document["tripwires"], sorted(set(armed)), "tripwires")
    for document in (stage.json("check", "unused"), stage.get("/v1/checks/unused")):
        expect((document["type"], document["state"]), ("tcp", "unknown"), "without an address")
        expect((document["instances"], document["last"]), ([], None), "without an address")
