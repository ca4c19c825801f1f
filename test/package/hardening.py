# SPDX-License-Identifier: Apache-2.0
"""Everything runs under exactly the restrictions of the unit; checks and hooks get no rights."""

import contextlib
import json
import os
import re
import socket
import struct
import threading

from lab.fabric import ROOT
from lab.process import LabError, run, wait_until

from .node import CHECKS, KEY, PRIVILEGES, VIP

UNIT = f"{ROOT}/etc/systemd/anyvip.service"
ROUTE = f"{VIP}/32"
# CAP_NET_BIND_SERVICE 10, CAP_NET_ADMIN 12, CAP_NET_RAW 13
RIGHTS = 1 << 10 | 1 << 12 | 1 << 13
WORST = 2.0
# struct vfs_cap_data of revision 2: magic and the effective bit; permitted and inheritable, low and high word.
NET_RAW_EFFECTIVE = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def expect(found, wanted, what):
    if found != wanted:
        raise LabError(f"{what}: {found!r}, not {wanted!r}")


def check(report, node, router):
    report.check(f"systemd-analyze security rates it {WORST} or better", rating)
    report.check(
        "it runs as its own user with three capabilities, filtered, not dumpable",
        lambda: process(node),
    )
    report.check("announce: TCP MD5 and BFD with a real router", lambda: announce(node, router))
    report.check("checks and hooks: none of the capabilities", lambda: privileges(node))
    report.check("file check down and up", lambda: file_check(node, router))
    report.check("process checks: by unit and by pidfile", lambda: process_checks(node))
    report.check("haproxy check, with HAProxy's group from a drop-in", lambda: haproxy(node))
    report.check(
        "a program with capabilities on its file: none as a check", lambda: file_capabilities(node)
    )
    report.check("`user` of a check, root too, with the rights from a drop-in", lambda: user(node))
    report.check("drain, undrain, and packets that still arrive", lambda: drain(node, router))
    report.check("doctor misses nothing", lambda: doctor(node))
    report.check(
        "the control socket: group anyvip may, others may not", lambda: socket_access(node)
    )
    report.check("systemctl reload waits, and fails with a bad file", lambda: reload(node, router))


def rating():
    text = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", text).group(1))
    print(f"      exposure {level}")
    if level > WORST:
        raise LabError(text)


def fields(text):
    """{name: value} of /proc/PID/status or what privileges prints."""
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def process(node):
    pid = node.property("MainPID")
    machine = node.machine
    status = fields(machine.read(f"/proc/{pid}/status"))
    owner = machine.run("id", "-u", "anyvip").strip()
    expect(set(status["Uid"].split()), {owner}, "Uid")
    for name in ("CapPrm", "CapEff", "CapBnd"):
        expect(int(status[name], 16), RIGHTS, name)
    not_dumpable(machine, pid)


def not_dumpable(machine, pid):
    """Then the files of its /proc are root's."""
    for name in ("mem", "environ", "maps"):
        owner = machine.run("stat", "-c", "%U", f"/proc/{pid}/{name}").strip()
        expect(owner, "root", f"owner of its {name}")


def announce(node, router):
    node.wait_state("announced")
    router.wait_route(ROUTE)
    wait_until("session and BFD", router.session)
    expect(node.status()["peers"][0]["bfd"], "up", "BFD")


def privileges(node):
    wait_until("a hook ran", lambda: node.private("hook"))
    for name in ("exec", "hook"):
        text = node.private(name)
        found = fields(text)
        expect(text.splitlines()[0], "anyvip", f"user of {name}")
        for kind in ("CapPrm", "CapEff", "CapAmb"):
            expect(int(found[kind], 16), 0, f"{kind} of {name}")
        expect(found["NoNewPrivs"], "1", f"NoNewPrivs of {name}")
    events = [json.loads(line) for line in node.private("events").splitlines()]
    expect("vip.announced" in {event["event"] for event in events}, True, "event on standard input")


def file_check(node, router):
    node.machine.run("rm", "/srv/ready")
    router.wait_route(ROUTE, False, 5)
    node.machine.run("touch", "/srv/ready")
    router.wait_route(ROUTE)


def check_state(node, name, state):
    def reached():
        found = next(one for one in node.status()["checks"] if one["name"] == name)
        if found["state"] != state:
            raise LabError(f"{found['state']}: {found['last']}")
        return True

    wait_until(f"check {name} {state}", reached, 20)


def process_checks(node):
    for name in ("unit", "pidfile"):
        check_state(node, name, "up")
    node.machine.run("systemctl", "stop", "backend")
    for name in ("unit", "pidfile"):
        check_state(node, name, "down")
    node.machine.run("systemctl", "start", "backend")
    for name in ("unit", "pidfile"):
        check_state(node, name, "up")


def haproxy(node):
    check_state(node, "haproxy", "up")
    node.machine.run("systemctl", "stop", "haproxy")
    check_state(node, "haproxy", "down")
    node.machine.run("systemctl", "start", "haproxy")
    check_state(node, "haproxy", "up")


def user(node):
    """Only here the daemon has these capabilities, by the lines that the unit names."""
    rights = "CAP_SETUID CAP_SETGID CAP_KILL"
    node.drop_in(
        "user",
        f"AmbientCapabilities={rights}\nCapabilityBoundingSet={rights}\n"
        "SystemCallFilter=@setuid capset\n",
    )
    for other in ("daemon", "root"):
        script = [f"{CHECKS}/privileges", other]
        node.tables.append(
            ("[check]", {"name": other, "type": "exec", "command": script, "user": other})
        )
        node.table("[vip]")["checks"].append(other)
    node.write()
    node.machine.run("systemctl", "restart", "anyvip")
    node.wait_state("announced")
    for other in ("daemon", "root"):
        text = node.private(other)
        expect(text.splitlines()[0], other, "user")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            expect(int(fields(text)[kind], 16), 0, f"{kind} of {other}")


def file_capabilities(node):
    """A copy of the shell with cap_net_raw+ep, which the daemon has, interprets two checks: by name, and
    as a script of its."""
    machine = node.machine
    capable, script = f"{CHECKS}/capable", f"{CHECKS}/of-capable"
    machine.run("cp", "/bin/sh", capable)
    os.setxattr(f"/proc/{machine.pid}/root{capable}", "security.capability", NET_RAW_EFFECTIVE)
    machine.write(script, PRIVILEGES.replace("#!/bin/sh", f"#!{capable}"), 0o755)
    kept = machine.run(capable, "-c", "grep CapPrm: /proc/$$/status", user="daemon").split()[1]
    expect(int(kept, 16) & 1 << 13 != 0, True, "the capability of the file")
    commands = {"named": [capable, f"{CHECKS}/privileges", "named"], "script": [script, "script"]}
    for name, command in commands.items():
        node.tables.append(("[check]", {"name": name, "type": "exec", "command": command}))
        node.table("[vip]")["checks"].append(name)
    node.write()
    machine.run("systemctl", "reload", "anyvip")
    for name in commands:
        wait_until(f"check {name} ran", lambda n=name: node.private(n))
        found = fields(node.private(name))
        for kind in ("CapPrm", "CapEff", "CapAmb"):
            expect(int(found[kind], 16), 0, f"{kind} of {name}")
        check_state(node, name, "up")


def drain(node, router):
    node.wait_state("announced")
    over = threading.Event()
    sender = threading.Thread(target=send_to, args=(router.namespace, VIP, over))
    sender.start()
    try:
        code, text = node.machine.status("anyvip", "--json", "drain", "--wait", "--deadline", "1s")
    finally:
        over.set()
        sender.join()
    steps = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    counted = max(step.get("packets") or 0 for step in steps)
    expect(counted > 0, True, f"packets that still arrive are counted (exit {code}: {text})")
    router.wait_route(ROUTE, False, 5)
    node.machine.run("anyvip", "undrain")
    router.wait_route(ROUTE)


def send_to(namespace, address, over):
    with namespace.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        namespace.ip("route", "add", "203.0.113.0/24", "via", "10.0.1.2")
    with sender:
        while not over.wait(0.02):
            with contextlib.suppress(OSError):
                sender.sendto(b"x", (address, 9))


def doctor(node):
    code, text = node.machine.status("anyvip", "doctor")
    for word in ("CAP_", "cannot", "denied", "not permitted"):
        if word in text:
            raise LabError(f"exit {code}: {text}")


def socket_access(node):
    machine = node.machine
    machine.run("useradd", "--groups", "anyvip", "member")
    machine.run("useradd", "stranger")
    expect(machine.status("anyvip", "status", user="member")[0], 0, "a member of the group")
    expect(machine.status("anyvip", "status", user="stranger")[0], 3, "another user")
    for path in (KEY, "/etc/anyvip/anyvip.toml", "/var/lib/anyvip"):
        expect(
            machine.status("test", "-r", path, user="stranger")[0], 1, f"{path} readable by others"
        )


def reload(node, router):
    machine = node.machine
    before = router.session()
    node.table("[vip]")["communities"] = ["65010:100"]
    node.write()
    expect(machine.status("systemctl", "reload", "anyvip")[0], 0, "systemctl reload")
    wait_until("new community", lambda: "65010,100" in router.ask(f"show route for {ROUTE} all"), 2)
    checks = node.table("[vip]").pop("checks")
    node.table("[vip]")["checks"] = ["no such check"]
    node.write()
    expect(
        machine.status("systemctl", "reload", "anyvip")[0] != 0, True, "reload of a bad file fails"
    )
    node.table("[vip]")["checks"] = checks
    node.write()
    expect(machine.status("systemctl", "reload", "anyvip")[0], 0, "systemctl reload")
    expect(router.session(), before, "session and BFD since")


def configure(node):
    """Every kind of check that meets a border of the unit, and a hook."""
    machine = node.machine
    node.write_checks()
    node.add_service("backend")
    machine.run("touch", "/srv/ready")
    machine.write("/etc/haproxy/haproxy.cfg", HAPROXY)
    machine.run("systemctl", "enable", "haproxy")
    machine.run("systemctl", "restart", "haproxy")
    script = f"{CHECKS}/privileges"
    node.add_checks(
        {"name": "exec", "type": "exec", "command": [script, "exec"]},
        {"name": "file", "type": "file", "path": "/srv/ready"},
        {"name": "unit", "type": "process", "unit": "backend.service"},
        {"name": "pidfile", "type": "process", "pidfile": "/srv/backend.pid"},
        {
            "name": "haproxy",
            "type": "haproxy",
            "socket": "/run/haproxy/admin.sock",
            "backend": "web",
        },
    )
    node.tables.append(("[hook]", {"event": "vip.*", "command": [f"{CHECKS}/hook"]}))
    node.write()


HAPROXY = """
global
    user haproxy
    group haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
backend web
    server one 127.0.0.1:8080
"""
